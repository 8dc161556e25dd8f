import { BitReader } from './bit-reader.js';
import type { VideoTrackConfig } from './track-config.js';
import { vpCodecConfiguration } from './vp-configuration.js';

/**
 * VP9 frame headers (VP9 Bitstream & Decoding Process Specification, 6.2) → key frames, sizes and the configuration of a
 * track; superframe indices (Annex B).
 */

/** Bytes of a frame that `parseVp9Header` looks at: a key frame's size ends within. */
export const VP9_HEADER_BYTES = 12;

/** What the uncompressed header says, as far as its format and size; only a key frame has both. */
export type Vp9Header = { readonly isKeyFrame: false } | Vp9KeyFrameHeader;

export interface Vp9KeyFrameHeader {
  readonly isKeyFrame: true;
  /** 0 to 3. */
  readonly profile: number;
  readonly bitDepth: 8 | 10 | 12;
  /** As `vpcC` counts: 1 for 4:2:0, 2 for 4:2:2, 3 for 4:4:4; 4:4:0 has no number of its own and is 0. */
  readonly subsampling: number;
  readonly isFullRange: boolean;
  readonly width: number;
  readonly height: number;
}

const FRAME_MARKER = 2;
const SYNC_CODE = 0x498342;
const COLOR_SPACE_RGB = 7;

/** Reads the start of a frame; null when it is cut short or no VP9. */
export function parseVp9Header(bytes: Uint8Array): Vp9Header | null {
  const bits = new BitReader(bytes);
  if (bits.unsigned(2) !== FRAME_MARKER) return null; // frame_marker
  const profile = bits.unsigned(1) + 2 * bits.unsigned(1); // profile_low_bit, profile_high_bit
  if (profile === 3 && bits.flag()) return null; // reserved_zero
  if (bits.flag()) return bits.overrun ? null : { isKeyFrame: false }; // show_existing_frame
  const isInterFrame = bits.flag(); // frame_type
  bits.skip(2); // show_frame, error_resilient_mode
  if (isInterFrame) return bits.overrun ? null : { isKeyFrame: false };
  if (bits.unsigned(24) !== SYNC_CODE) return null; // frame_sync_code

  // color_config
  const bitDepth = profile < 2 ? 8 : bits.flag() ? 12 : 10;
  const colorSpace = bits.unsigned(3);
  const isRgb = colorSpace === COLOR_SPACE_RGB;
  const isFullRange = isRgb || bits.flag(); // color_range
  let isHalfWidth = !isRgb;
  let isHalfHeight = !isRgb;
  if (profile === 1 || profile === 3) {
    if (!isRgb) {
      isHalfWidth = bits.flag(); // subsampling_x
      isHalfHeight = bits.flag(); // subsampling_y
    }
    bits.skip(1); // reserved_zero
  } else if (isRgb) {
    return null;
  }
  const subsampling = isHalfWidth ? (isHalfHeight ? 1 : 2) : isHalfHeight ? 0 : 3;

  const width = bits.unsigned(16) + 1; // frame_width_minus_1
  const height = bits.unsigned(16) + 1; // frame_height_minus_1
  if (bits.overrun) return null;
  return { isKeyFrame: true, profile, bitDepth, subsampling, isFullRange, width, height };
}

/**
 * The configuration of a track.
 * @param size - of the pictures that the decoder puts out: the header's own, or that of the highest spatial layer
 */
export function vp9Config(header: Vp9KeyFrameHeader, size: { width: number; height: number }): VideoTrackConfig {
  const { profile, bitDepth, subsampling } = header;
  const { width, height } = size;
  const level = levelOf(width * height);
  const fields = [profile, level, bitDepth];
  // The fields after the third are left out all or none; left out, they say 4:2:0.
  if (subsampling !== 1) fields.push(subsampling, 1, 1, 1, header.isFullRange ? 1 : 0);
  return {
    kind: 'video',
    codec: ['vp09', ...fields.map((field) => String(field).padStart(2, '0'))].join('.'),
    sampleEntry: 'vp09',
    description: vpCodecConfiguration({ ...header, level }),
    width,
    height,
    pixelAspect: [1, 1],
    frameRate: null,
    reorderDepth: 0,
  };
}

/** Levels, ten times their number, by the luma samples of a picture and, taken for 30 of them, of a second. */
const levels: readonly (readonly [level: number, picture: number, second: number])[] = [
  [10, 36_864, 829_440],
  [11, 73_728, 2_764_800],
  [20, 122_880, 4_608_000],
  [21, 245_760, 9_216_000],
  [30, 552_960, 20_736_000],
  [31, 983_040, 36_864_000],
  [40, 2_228_224, 83_558_400],
  [41, 2_228_224, 160_432_128],
  [50, 8_912_896, 311_951_360],
  [51, 8_912_896, 588_251_136],
  [52, 8_912_896, 1_176_502_272],
  [60, 35_651_584, 1_176_502_272],
];
const HIGHEST_LEVEL = 62;

function levelOf(samples: number): number {
  return levels.find(([, picture, second]) => samples <= picture && 30 * samples <= second)?.[0] ?? HIGHEST_LEVEL;
}

/**
 * The index behind the frames of a superframe.
 * @param sizes - bytes of the frames, 2 to 8 of them
 */
export function superframeIndex(sizes: readonly number[]): Uint8Array {
  const largest = Math.max(...sizes);
  const bytesPerSize = largest < 0x100 ? 1 : largest < 0x1_0000 ? 2 : largest < 0x100_0000 ? 3 : 4;
  const index = new Uint8Array(2 + sizes.length * bytesPerSize);
  const marker = 0xc0 | ((bytesPerSize - 1) << 3) | (sizes.length - 1);
  index[0] = marker;
  index[index.length - 1] = marker;
  for (const [frame, size] of sizes.entries()) {
    for (let byte = 0; byte < bytesPerSize; byte++) index[1 + frame * bytesPerSize + byte] = size >>> (8 * byte);
  }
  return index;
}
