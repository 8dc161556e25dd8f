import type { BitReader } from './bit-reader.js';

/** Sample aspect ratios by aspect_ratio_idc, the same in H.264 (Table E-1) and H.265 (Table E.1). */
const aspectRatios: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, 1],
  [12, 11],
  [10, 11],
  [16, 11],
  [40, 33],
  [24, 11],
  [20, 11],
  [32, 11],
  [80, 33],
  [18, 11],
  [15, 11],
  [64, 33],
  [160, 99],
  [4, 3],
  [3, 2],
  [2, 1],
];
const EXTENDED_SAR = 255;

/** Reads the beginning of a VUI, up to the aspect ratio's end: width to height of one sample, 1:1 where it is not said. */
export function readSampleAspectRatio(bits: BitReader): readonly [number, number] {
  const square = [1, 1] as const;
  if (!bits.flag()) return square; // aspect_ratio_info_present_flag
  const aspectRatioIdc = bits.unsigned(8);
  if (aspectRatioIdc !== EXTENDED_SAR) return aspectRatios[aspectRatioIdc] ?? square;
  const width = bits.unsigned(16);
  const height = bits.unsigned(16);
  return width > 0 && height > 0 ? [width, height] : square;
}
