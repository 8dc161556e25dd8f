import { StreamError } from '../../shared/errors.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import { box, concat, fixed16, fullBox, uint8, uint16, uint24, uint32, zeros } from './box.js';

/** The configuration of an audio track → its sample entry (ISO/IEC 14496-12, 12.2.3; ISO/IEC 14496-14; RFC 9639; Opus in ISOBMFF). */

/** @throws StreamError `codec-unsupported` for a sample entry that there is no configuration box for */
export function audioSampleEntry(config: AudioTrackConfig): Uint8Array {
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
    audioConfiguration(config),
  );
}

/** The box in which a sample entry keeps the codec's configuration. */
function audioConfiguration({ sampleEntry, codec, description }: AudioTrackConfig): Uint8Array {
  switch (sampleEntry) {
    case 'mp4a':
      return elementaryStream(codec, description);
    case 'fLaC':
      return fullBox('dfLa', 0, 0, description);
    case 'Opus':
      return box('dOps', description);
    default:
      throw new StreamError('codec-unsupported', `Sound of ${codec} cannot be put into MP4 here.`);
  }
}

/** Tags of descriptors, object type and stream type (ISO/IEC 14496-1, 7.2.2.1, 7.2.6.6 and 7.3.2.3). */
const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC_INFO = 5;
const SL_CONFIG = 6;
const AUDIO_STREAM = 5;

/** @param decoderSpecificInfo - empty where the frames themselves say all of it: MPEG-1 and MPEG-2 audio */
function elementaryStream(codec: string, decoderSpecificInfo: Uint8Array): Uint8Array {
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
        ...(decoderSpecificInfo.length > 0 ? [descriptor(DECODER_SPECIFIC_INFO, decoderSpecificInfo)] : []),
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
