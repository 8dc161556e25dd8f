import type { AudioTrackConfig } from './track-config.js';

/**
 * MPEG audio frames, layers I to III (ISO/IEC 11172-3, 2.4.1.3; ISO/IEC 13818-3, 2.4.2.3; "MPEG 2.5" as encoders write
 * it) → their lengths and the configuration of a track; frames of silence.
 */

/** What a frame's header says. */
export interface MpegAudioHeader {
  /** 1, 2, or 2.5 for the half rates of MPEG-2. */
  readonly version: 1 | 2 | 2.5;
  readonly layer: 1 | 2 | 3;
  /** Of the frame, header included. */
  readonly frameBytes: number;
  readonly sampleRate: number;
  readonly channels: 1 | 2;
  /** Samples that the frame decodes to. */
  readonly samples: number;
}

const HEADER_BYTES = 4;
/** Samples a second of version 1 by sampling_frequency; version 2 has half of it, version 2.5 a quarter. */
const sampleRates = [44_100, 48_000, 32_000] as const;
/** kbit/s by bitrate_index from 1; 0 stands for a rate that is not told. */
const bitrates = {
  v1l1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1l2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1l3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2l1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2l23: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const;
const MONO = 3;

/** Reads the header of a frame, or returns null where there is none, or one without a bit rate. */
export function parseMpegAudioHeader(bytes: Uint8Array): MpegAudioHeader | null {
  if (bytes.length < HEADER_BYTES || bytes[0] !== 0xff) return null;
  const [, second = 0, third = 0, fourth = 0] = bytes;
  if ((second & 0xe0) !== 0xe0) return null;
  const version = ([2.5, null, 2, 1] as const)[((second >>> 3) & 3) as 0 | 1 | 2 | 3];
  const layer = ([null, 3, 2, 1] as const)[((second >>> 1) & 3) as 0 | 1 | 2 | 3];
  const baseRate = sampleRates[(third >>> 2) & 3];
  if (version === null || layer === null || baseRate === undefined) return null;
  const kilobits = bitratesOf(version, layer)[(third >>> 4) - 1];
  if (kilobits === undefined) return null;
  const sampleRate = baseRate / (version === 1 ? 1 : 2 * (version === 2 ? 1 : 2));
  const samples = layer === 1 ? 384 : layer === 3 && version !== 1 ? 576 : 1_152;
  const padding = (third >>> 1) & 1;
  const slots = Math.floor(((samples / (layer === 1 ? 32 : 8)) * kilobits * 1_000) / sampleRate);
  return {
    version,
    layer,
    frameBytes: (slots + padding) * (layer === 1 ? 4 : 1),
    sampleRate,
    channels: fourth >>> 6 === MONO ? 1 : 2,
    samples,
  };
}

function bitratesOf(version: 1 | 2 | 2.5, layer: 1 | 2 | 3): readonly number[] {
  if (version === 1) return layer === 1 ? bitrates.v1l1 : layer === 2 ? bitrates.v1l2 : bitrates.v1l3;
  return layer === 1 ? bitrates.v2l1 : bitrates.v2l23;
}

/**
 * The configuration of a track of such frames. The codec string names MPEG-1 or MPEG-2 audio by its object type (RFC 6381,
 * 3.3; the lower sampling rates are MPEG-2's); there is no decoder configuration besides the frames' own headers.
 */
export function mpegAudioConfig({ version, sampleRate, channels, samples }: MpegAudioHeader): AudioTrackConfig {
  return {
    kind: 'audio',
    codec: version === 1 ? 'mp4a.6B' : 'mp4a.69',
    sampleEntry: 'mp4a',
    description: new Uint8Array(0),
    sampleRate,
    channels,
    samplesPerUnit: samples,
  };
}

/**
 * One frame of silence (layer III): a header with neither scale factors nor spectral data behind it.
 * @param config - of `mpegAudioConfig`
 * @returns null where no layer III frame has this rate and length
 */
export function silentMpegAudioFrame({ sampleRate, channels, samplesPerUnit }: AudioTrackConfig): Uint8Array | null {
  const version = sampleRate >= 32_000 ? 1 : sampleRate >= 16_000 ? 2 : 2.5;
  const index = sampleRates.findIndex(
    (rate) => rate === sampleRate * (version === 1 ? 1 : 2 * (version === 2 ? 1 : 2)),
  );
  if (index < 0 || samplesPerUnit !== (version === 1 ? 1_152 : 576)) return null;
  const versionBits = version === 1 ? 3 : version === 2 ? 2 : 0;
  // Layer III without checksum; 64 kbit/s, or 48 of version 2: room for the side information of two channels.
  const header = [
    0xff,
    0xe0 | (versionBits << 3) | 3,
    ((version === 1 ? 5 : 6) << 4) | (index << 2),
    channels === 1 ? 0xc0 : 0,
  ];
  const frameBytes = parseMpegAudioHeader(Uint8Array.from(header))?.frameBytes;
  if (frameBytes === undefined) return null;
  const frame = new Uint8Array(frameBytes);
  frame.set(header);
  return frame;
}
