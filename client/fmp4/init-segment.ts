import type { TrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import { ascii, box, concat, fixed16, fullBox, uint16, uint32, uint32s, zeros } from './box.js';

/**
 * Track configurations → the initialization segment of a fragmented MP4 file: `ftyp` and `moov` (ISO/IEC 14496-12;
 * sample entries: ISO/IEC 14496-14 and -15). It declares no duration anywhere, which is how Chromium tells a live stream.
 */

/** A track as the initialization segment declares it. */
export interface InitTrack {
  /** From 1; unique in the file. */
  readonly trackId: number;
  /** Ticks a second of all its times: the RTP clock rate, as a rule. */
  readonly timescale: number;
  readonly config: TrackConfig;
  /** The sample entry box of the configuration: `visualSampleEntry` or `audioSampleEntry`. */
  readonly sampleEntry: Uint8Array;
}

/** Writes the initialization segment. */
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

function media(track: InitTrack): Uint8Array {
  return box('mdia', mediaHeader(track.timescale), handler(track.config), mediaInformation(track));
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

function mediaInformation(track: InitTrack): Uint8Array {
  return box(
    'minf',
    track.config.kind === 'video' ? videoMediaHeader() : soundMediaHeader(),
    box('dinf', dataReference()),
    sampleTable(track),
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
function sampleTable({ sampleEntry }: InitTrack): Uint8Array {
  return box(
    'stbl',
    fullBox(
      'stsd',
      0,
      0,
      uint32(1), // entry_count
      sampleEntry,
    ),
    fullBox('stts', 0, 0, uint32(0)), // entry_count
    fullBox('stsc', 0, 0, uint32(0)), // entry_count
    fullBox('stsz', 0, 0, uint32(0), uint32(0)), // sample_size, sample_count
    fullBox('stco', 0, 0, uint32(0)), // entry_count
  );
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
