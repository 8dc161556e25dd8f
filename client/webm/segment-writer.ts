import { StreamError } from '../../shared/errors.js';
import type { TrackConfig } from '../codec/track-config.js';
import { ascii, concat } from '../fmp4/box.js';
import type { FragmentSample } from '../fmp4/fragment.js';
import type { SegmentWriter } from '../fmp4/segment-writer.js';
import { element, elementHead, endlessElementHead, unsigned } from './ebml.js';

/**
 * One video track → WebM (RFC 9559, and the WebM container guidelines): the head of a segment without an end, then a
 * cluster for each frame. For VP8, which Media Source takes in no other container.
 *
 * Frames are in block groups, not in simple blocks, because only those can say how long a frame lasts: a browser would guess
 * it from the frames before.
 */
export class WebmSegmentWriter implements SegmentWriter {
  readonly #trackNumber: number;
  #timescale = 1;

  /** @param trackNumber - from 1 to 126 */
  constructor(trackNumber: number) {
    this.#trackNumber = trackNumber;
  }

  /** @throws StreamError `codec-unsupported` for what WebM has no codec ID for here */
  init(config: TrackConfig, timescale: number): Uint8Array<ArrayBuffer> {
    this.#timescale = timescale;
    return concat([fileHeader(), endlessElementHead(SEGMENT), info(), tracks(this.#trackNumber, config)]);
  }

  fragment(samples: readonly FragmentSample[]): Uint8Array<ArrayBuffer> {
    return concat(samples.flatMap((sample) => this.#cluster(sample)));
  }

  #cluster({ unit, presentationTime, duration }: FragmentSample): Uint8Array[] {
    const time = element(TIMESTAMP, unsigned(this.#ticks(presentationTime)));
    // Track number; time stamp relative to the cluster's; flags.
    const blockHeader = Uint8Array.of(0x80 | this.#trackNumber, 0, 0, 0);
    const blockSize = blockHeader.length + unit.byteLength;
    const block = concat([elementHead(BLOCK, blockSize), blockHeader]);
    const behind = concat([
      element(BLOCK_DURATION, unsigned(this.#ticks(duration))),
      // Which frame it refers to does not matter; that it does tells it from a key frame.
      ...(unit.isKeyFrame ? [] : [element(REFERENCE_BLOCK, Uint8Array.of(0xff))]),
    ]);
    const groupSize = block.length + unit.byteLength + behind.length;
    const group = elementHead(BLOCK_GROUP, groupSize);
    const cluster = elementHead(CLUSTER, time.length + group.length + groupSize);
    return [cluster, time, group, block, ...unit.pieces, behind];
  }

  #ticks(time: number): number {
    return Math.round((time * TICKS_PER_SECOND) / this.#timescale);
  }
}

const TICKS_PER_SECOND = 1_000_000;
const NANOSECONDS_PER_TICK = 1_000;

/** Element IDs (RFC 8794, 11.2; RFC 9559, 5.1). */
const EBML = 0x1a45dfa3;
const EBML_VERSION = 0x4286;
const EBML_READ_VERSION = 0x42f7;
const EBML_MAX_ID_LENGTH = 0x42f2;
const EBML_MAX_SIZE_LENGTH = 0x42f3;
const DOC_TYPE = 0x4282;
const DOC_TYPE_VERSION = 0x4287;
const DOC_TYPE_READ_VERSION = 0x4285;
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const MUXING_APP = 0x4d80;
const WRITING_APP = 0x5741;
const TRACKS = 0x1654ae6b;
const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TRACK_UID = 0x73c5;
const TRACK_TYPE = 0x83;
const FLAG_LACING = 0x9c;
const CODEC_ID = 0x86;
const VIDEO = 0xe0;
const PIXEL_WIDTH = 0xb0;
const PIXEL_HEIGHT = 0xba;
const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const BLOCK_DURATION = 0x9b;
const REFERENCE_BLOCK = 0xfb;

const VIDEO_TRACK = 1;
/** Codec IDs by the sample entry that the codec has in MP4. */
const codecIds: ReadonlyMap<string, string> = new Map([
  ['vp08', 'V_VP8'],
  ['vp09', 'V_VP9'],
]);

function fileHeader(): Uint8Array {
  return element(
    EBML,
    element(EBML_VERSION, unsigned(1)),
    element(EBML_READ_VERSION, unsigned(1)),
    element(EBML_MAX_ID_LENGTH, unsigned(4)),
    element(EBML_MAX_SIZE_LENGTH, unsigned(8)),
    element(DOC_TYPE, ascii('webm')),
    element(DOC_TYPE_VERSION, unsigned(4)),
    element(DOC_TYPE_READ_VERSION, unsigned(2)),
  );
}

function info(): Uint8Array {
  return element(
    INFO,
    element(TIMESTAMP_SCALE, unsigned(NANOSECONDS_PER_TICK)),
    element(MUXING_APP, ascii('rtsp-player')),
    element(WRITING_APP, ascii('rtsp-player')),
  );
}

function tracks(trackNumber: number, config: TrackConfig): Uint8Array {
  const codecId = codecIds.get(config.sampleEntry);
  if (config.kind !== 'video' || codecId === undefined) {
    throw new StreamError('codec-unsupported', `${config.codec} cannot be put into WebM here.`);
  }
  return element(
    TRACKS,
    element(
      TRACK_ENTRY,
      element(TRACK_NUMBER, unsigned(trackNumber)),
      element(TRACK_UID, unsigned(trackNumber)),
      element(TRACK_TYPE, unsigned(VIDEO_TRACK)),
      element(FLAG_LACING, unsigned(0)),
      element(CODEC_ID, ascii(codecId)),
      element(VIDEO, element(PIXEL_WIDTH, unsigned(config.width)), element(PIXEL_HEIGHT, unsigned(config.height))),
    ),
  );
}
