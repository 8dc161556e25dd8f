import { StreamError } from '../../shared/errors.js';
import type { AudioTrackConfig, TrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import { ascii, box, concat, fixed16, fullBox, uint8, uint16, uint24, uint32, uint32s, zeros } from './box.js';

/**
 * Track configurations → the initialization segment of a fragmented MP4 file: `ftyp` and `moov` (ISO/IEC 14496-12;
 * sample entries: ISO/IEC 14496-14 and -15, and the bindings of VP8, VP9 and Opus). It declares no duration anywhere, which is how Chromium tells a live stream.
 */

/** A track as the initialization segment declares it. */
export interface InitTrack {
  /** From 1; unique in the file. */
  readonly trackId: number;
  /** Ticks a second of all its times: the RTP clock rate, as a rule. */
  readonly timescale: number;
  readonly config: TrackConfig;
}

/**
 * Writes the initialization segment.
 * @throws StreamError `codec-unsupported` for a sample entry that it has no configuration box for
 */
export function writeInitSegment(tracks: readonly InitTrack[]): Uint8Array<ArrayBuffer> {
  return concat([fileType(), movie(tracks)]);
}

/** Transformation matrix that changes nothing. */
const identityMatrix = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000] as const;
/** The language code of "undetermined", packed. */
const UNDETERMINED = 0x55c4;

function fileType(): Uint8Array {
  return box(
    'ftyp',
    ascii('iso5'), // major_brand
    uint32(0), // minor_version
    ascii('iso5'), // compatible_brands
    ascii('iso6'),
    ascii('mp41'),
  );
}

function movie(tracks: readonly InitTrack[]): Uint8Array {
  return box(
    'moov',
    movieHeader(Math.max(0, ...tracks.map((track) => track.trackId)) + 1),
    ...tracks.map(track),
    box('mvex', ...tracks.map(trackExtends)),
  );
}

function movieHeader(nextTrackId: number): Uint8Array {
  return fullBox(
    'mvhd',
    0,
    0,
    uint32(0), // creation_time
    uint32(0), // modification_time
    uint32(1_000), // timescale
    uint32(0), // duration
    fixed16(1), // rate
    uint16(0x100), // volume
    zeros(10), // reserved
    uint32s(...identityMatrix), // matrix
    zeros(24), // pre_defined
    uint32(nextTrackId), // next_track_ID
  );
}

function track(track: InitTrack): Uint8Array {
  return box('trak', trackHeader(track), media(track));
}

const TRACK_ENABLED = 1;
const TRACK_IN_MOVIE = 2;

function trackHeader({ trackId, config }: InitTrack): Uint8Array {
  const isVideo = config.kind === 'video';
  return fullBox(
    'tkhd',
    0,
    TRACK_ENABLED | TRACK_IN_MOVIE,
    uint32(0), // creation_time
    uint32(0), // modification_time
    uint32(trackId), // track_ID
    uint32(0), // reserved
    uint32(0), // duration
    zeros(8), // reserved
    uint16(0), // layer
    uint16(0), // alternate_group
    uint16(isVideo ? 0 : 0x100), // volume
    uint16(0), // reserved
    uint32s(...identityMatrix), // matrix
    fixed16(isVideo ? displayWidth(config) : 0), // width
    fixed16(isVideo ? config.height : 0), // height
  );
}

/** Width in square pixels, as far as the field can say it. */
function displayWidth({ width, pixelAspect: [horizontal, vertical] }: VideoTrackConfig): number {
  return Math.min((width * horizontal) / vertical, 0xffff);
}

function media({ timescale, config }: InitTrack): Uint8Array {
  return box('mdia', mediaHeader(timescale), handler(config), mediaInformation(config));
}

function mediaHeader(timescale: number): Uint8Array {
  return fullBox(
    'mdhd',
    0,
    0,
    uint32(0), // creation_time
    uint32(0), // modification_time
    uint32(timescale), // timescale
    uint32(0), // duration
    uint16(UNDETERMINED), // language
    uint16(0), // pre_defined
  );
}

function handler({ kind }: TrackConfig): Uint8Array {
  return fullBox(
    'hdlr',
    0,
    0,
    uint32(0), // pre_defined
    ascii(kind === 'video' ? 'vide' : 'soun'), // handler_type
    zeros(12), // reserved
    ascii(kind === 'video' ? 'VideoHandler\0' : 'SoundHandler\0'), // name
  );
}

function mediaInformation(config: TrackConfig): Uint8Array {
  return box(
    'minf',
    config.kind === 'video' ? videoMediaHeader() : soundMediaHeader(),
    box('dinf', dataReference()),
    sampleTable(config),
  );
}

function videoMediaHeader(): Uint8Array {
  return fullBox(
    'vmhd',
    0,
    1,
    uint16(0), // graphicsmode
    zeros(6), // opcolor
  );
}

function soundMediaHeader(): Uint8Array {
  return fullBox(
    'smhd',
    0,
    0,
    uint16(0), // balance
    uint16(0), // reserved
  );
}

const SELF_CONTAINED = 1;

function dataReference(): Uint8Array {
  return fullBox(
    'dref',
    0,
    0,
    uint32(1), // entry_count
    fullBox('url ', 0, SELF_CONTAINED),
  );
}

/** The sample table has the sample entry alone: the samples are in the fragments. */
function sampleTable(config: TrackConfig): Uint8Array {
  return box(
    'stbl',
    fullBox(
      'stsd',
      0,
      0,
      uint32(1), // entry_count
      config.kind === 'video' ? visualSampleEntry(config) : audioSampleEntry(config),
    ),
    fullBox('stts', 0, 0, uint32(0)), // entry_count
    fullBox('stsc', 0, 0, uint32(0)), // entry_count
    fullBox('stsz', 0, 0, uint32(0), uint32(0)), // sample_size, sample_count
    fullBox('stco', 0, 0, uint32(0)), // entry_count
  );
}

/** Configuration boxes of video by sample entry. */
const configurationBoxes: ReadonlyMap<string, string> = new Map([
  ['avc1', 'avcC'],
  ['vp08', 'vpcC'],
  ['vp09', 'vpcC'],
]);

function visualSampleEntry(config: VideoTrackConfig): Uint8Array {
  const [horizontal, vertical] = config.pixelAspect;
  const aspect = box(
    'pasp',
    uint32(horizontal), // hSpacing
    uint32(vertical), // vSpacing
  );
  return box(
    config.sampleEntry,
    zeros(6), // reserved
    uint16(1), // data_reference_index
    zeros(16), // pre_defined, reserved
    uint16(config.width), // width
    uint16(config.height), // height
    fixed16(72), // horizresolution
    fixed16(72), // vertresolution
    uint32(0), // reserved
    uint16(1), // frame_count
    zeros(32), // compressorname
    uint16(0x18), // depth
    uint16(0xffff), // pre_defined
    box(configurationBox(config), config.description),
    ...(horizontal === vertical ? [] : [aspect]),
  );
}

function configurationBox({ sampleEntry, codec }: VideoTrackConfig): string {
  const type = configurationBoxes.get(sampleEntry);
  if (type === undefined) throw new StreamError('codec-unsupported', `Video of ${codec} cannot be put into MP4 here.`);
  return type;
}

function audioSampleEntry(config: AudioTrackConfig): Uint8Array {
  return box(
    config.sampleEntry,
    zeros(6), // reserved
    uint16(1), // data_reference_index
    zeros(8), // reserved
    uint16(config.channels), // channelcount
    uint16(16), // samplesize
    uint16(0), // pre_defined
    uint16(0), // reserved
    fixed16(config.sampleRate > 0xffff ? 0 : config.sampleRate), // samplerate: 0 where the field is too narrow
    audioConfigurationBox(config),
  );
}

function audioConfigurationBox(config: AudioTrackConfig): Uint8Array {
  switch (config.sampleEntry) {
    case 'mp4a':
      return elementaryStream(config);
    case 'Opus':
      return box('dOps', config.description);
    default:
      throw new StreamError('codec-unsupported', `Sound of ${config.codec} cannot be put into MP4 here.`);
  }
}

/** Tags of descriptors, object type and stream type (ISO/IEC 14496-1, 7.2.2.1, 7.2.6.6 and 7.3.2.3). */
const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC_INFO = 5;
const SL_CONFIG = 6;
const AUDIO_STREAM = 5;

function elementaryStream({ codec, description }: AudioTrackConfig): Uint8Array {
  return fullBox(
    'esds',
    0,
    0,
    descriptor(
      ES_DESCRIPTOR,
      uint16(0), // ES_ID
      uint8(0), // streamDependenceFlag, URL_Flag, OCRstreamFlag, streamPriority
      descriptor(
        DECODER_CONFIG,
        uint8(objectTypeOf(codec)), // objectTypeIndication
        uint8((AUDIO_STREAM << 2) | 1), // streamType, upStream, reserved
        uint24(0), // bufferSizeDB
        uint32(0), // maxBitrate
        uint32(0), // avgBitrate
        ...(description.length > 0 ? [descriptor(DECODER_SPECIFIC_INFO, description)] : []),
      ),
      descriptor(
        SL_CONFIG,
        uint8(2), // predefined: for MP4 files
      ),
    ),
  );
}

/** The second part of `mp4a.40.2`, in hexadecimal (RFC 6381, 3.3). */
function objectTypeOf(codec: string): number {
  return Number.parseInt(codec.split('.')[1] ?? '', 16);
}

/** A descriptor: tag, size in groups of 7 bits, contents (ISO/IEC 14496-1, 8.3.3). */
function descriptor(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const body = concat(contents);
  const size = [21, 14, 7, 0].map((shift) => ((body.length >>> shift) & 0x7f) | (shift > 0 ? 0x80 : 0));
  return concat([uint8(tag), Uint8Array.from(size), body]);
}

function trackExtends({ trackId }: InitTrack): Uint8Array {
  return fullBox(
    'trex',
    0,
    0,
    uint32(trackId), // track_ID
    uint32(1), // default_sample_description_index
    uint32(0), // default_sample_duration
    uint32(0), // default_sample_size
    uint32(0), // default_sample_flags
  );
}
