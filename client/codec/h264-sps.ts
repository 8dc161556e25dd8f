import { BitReader } from './bit-reader.js';
import { unescapeNalUnit } from './nal-unit.js';
import { readSampleAspectRatio } from './sample-aspect-ratio.js';

/**
 * H.264 sequence parameter set NAL unit → what it says about the pictures. Syntax: ITU-T H.264, 7.3.2.1.1 and E.1.1.
 * Nothing here trusts a count or a size before it is checked.
 */

/** The parts of a sequence parameter set that players need. */
export interface Sps {
  readonly profileIdc: number;
  /** constraint_set0_flag in the highest bit, down to the two reserved bits. */
  readonly constraintFlags: number;
  readonly levelIdc: number;
  readonly id: number;
  readonly chromaFormatIdc: number;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  /** Whether slices name their colour plane: separate_colour_plane_flag. */
  readonly separateColourPlanes: boolean;
  /** Bits of frame_num. */
  readonly frameNumBits: number;
  readonly picOrderCntType: number;
  /** Bits of pic_order_cnt_lsb, where the type is 0; else 0. */
  readonly picOrderCntLsbBits: number;
  /** What a type of 1 counts by; null for the others. */
  readonly picOrderCntCycle: PicOrderCntCycle | null;
  readonly maxNumRefFrames: number;
  readonly frameMbsOnly: boolean;
  /** Displayed size in pixels, after cropping. */
  readonly width: number;
  readonly height: number;
  /** Size in macroblocks; the height counts frame macroblocks. */
  readonly widthInMbs: number;
  readonly heightInMbs: number;
  /** Width to height of one sample; 1:1 where it is not declared. */
  readonly pixelAspect: readonly [number, number];
  /** Frames a second by the VUI's timing (two ticks a frame, E.2.1), or null. */
  readonly frameRate: number | null;
  /** max_num_reorder_frames, or null where there is no bitstream restriction. */
  readonly maxNumReorderFrames: number | null;
  /** max_dec_frame_buffering, or null where there is no bitstream restriction. */
  readonly maxDecFrameBuffering: number | null;
  /**
   * Where a bitstream restriction could be added: the position in bits, from the start of the NAL unit's RBSP, of
   * bitstream_restriction_flag, or of vui_parameters_present_flag where there is no VUI. Null where there is one
   * already, or where the VUI cannot be read.
   */
  readonly restrictionSlot: { readonly offset: number; readonly hasVui: boolean } | null;
}

/** How pictures of picture order count type 1 are expected to follow each other (7.4.2.1.1). */
export interface PicOrderCntCycle {
  /** delta_pic_order_always_zero_flag: slices say no difference to what is expected. */
  readonly isExact: boolean;
  readonly offsetForNonRefPic: number;
  readonly offsetForTopToBottomField: number;
  /** offset_for_ref_frame. */
  readonly offsets: readonly number[];
}

/** Profiles whose parameter sets carry chroma_format_idc and what follows it (7.3.2.1.1). */
const profilesWithChroma: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** The largest side in macroblocks that is believed: level 6.2 allows 16,896 luma samples. */
const MAX_SIDE_IN_MBS = 1_056;
/** log2_max_frame_num_minus4 and log2_max_pic_order_cnt_lsb_minus4 are at most 12 (7.4.2.1.1). */
const MAX_COUNTER_BITS = 16;
/** num_ref_frames_in_pic_order_cnt_cycle at most (7.4.2.1.1). */
const MAX_POC_CYCLE = 255;
/** cpb_cnt_minus1 + 1 at most (E.2.2). */
const MAX_CPB_COUNT = 32;

/**
 * Reads a sequence parameter set.
 * @param nalUnit - the whole NAL unit, header byte first, emulation prevention still in
 * @returns null when it is cut short or says what no stream can mean. A VUI that is broken or cut short (the rest may
 *   be fine) counts as absent.
 */
export function parseSps(nalUnit: Uint8Array): Sps | null {
  const bits = new BitReader(unescapeNalUnit(nalUnit));
  bits.skip(8); // NAL unit header
  const profileIdc = bits.unsigned(8);
  const constraintFlags = bits.unsigned(8);
  const levelIdc = bits.unsigned(8);
  const id = bits.unsignedExpGolomb();
  if (id > 31) return null;

  let chromaFormatIdc = 1;
  let separateColourPlanes = false;
  let bitDepthLuma = 8;
  let bitDepthChroma = 8;
  if (profilesWithChroma.has(profileIdc)) {
    chromaFormatIdc = bits.unsignedExpGolomb();
    if (chromaFormatIdc > 3) return null;
    if (chromaFormatIdc === 3) separateColourPlanes = bits.flag();
    bitDepthLuma = bits.unsignedExpGolomb() + 8;
    bitDepthChroma = bits.unsignedExpGolomb() + 8;
    if (bitDepthLuma > 14 || bitDepthChroma > 14) return null;
    bits.skip(1); // qpprime_y_zero_transform_bypass_flag
    if (bits.flag()) skipScalingLists(bits, chromaFormatIdc === 3 ? 12 : 8);
  }

  const frameNumBits = bits.unsignedExpGolomb() + 4;
  const picOrderCntType = bits.unsignedExpGolomb();
  if (frameNumBits > MAX_COUNTER_BITS || picOrderCntType > 2) return null;
  const picOrderCntLsbBits = picOrderCntType === 0 ? bits.unsignedExpGolomb() + 4 : 0;
  if (picOrderCntLsbBits > MAX_COUNTER_BITS) return null;
  let picOrderCntCycle: PicOrderCntCycle | null = null;
  if (picOrderCntType === 1) {
    const isExact = bits.flag();
    const offsetForNonRefPic = bits.signedExpGolomb();
    const offsetForTopToBottomField = bits.signedExpGolomb();
    const length = bits.unsignedExpGolomb();
    if (length > MAX_POC_CYCLE) return null;
    const offsets: number[] = [];
    for (let frame = 0; frame < length; frame++) offsets.push(bits.signedExpGolomb());
    picOrderCntCycle = { isExact, offsetForNonRefPic, offsetForTopToBottomField, offsets };
  }

  const maxNumRefFrames = bits.unsignedExpGolomb();
  bits.skip(1); // gaps_in_frame_num_value_allowed_flag
  const widthInMbs = bits.unsignedExpGolomb() + 1;
  const heightInMapUnits = bits.unsignedExpGolomb() + 1;
  const frameMbsOnly = bits.flag();
  if (!frameMbsOnly) bits.skip(1); // mb_adaptive_frame_field_flag
  bits.skip(1); // direct_8x8_inference_flag
  const heightInMbs = heightInMapUnits * (frameMbsOnly ? 1 : 2);
  if (widthInMbs > MAX_SIDE_IN_MBS || heightInMbs > MAX_SIDE_IN_MBS) return null;

  let width = widthInMbs * 16;
  let height = heightInMbs * 16;
  if (bits.flag()) {
    // Crop units (7.4.2.1.1): chroma samples, and pairs of lines where there are fields.
    const chromaArrayType = separateColourPlanes ? 0 : chromaFormatIdc;
    const unitX = chromaArrayType === 1 || chromaArrayType === 2 ? 2 : 1;
    const unitY = (chromaArrayType === 1 ? 2 : 1) * (frameMbsOnly ? 1 : 2);
    const left = bits.unsignedExpGolomb();
    const right = bits.unsignedExpGolomb();
    const top = bits.unsignedExpGolomb();
    const bottom = bits.unsignedExpGolomb();
    width -= (left + right) * unitX;
    height -= (top + bottom) * unitY;
  }
  const vuiOffset = bits.position;
  const vuiPresent = bits.flag();
  if (bits.overrun || width <= 0 || height <= 0) return null;

  const vui = vuiPresent ? parseVui(bits) : null;
  return {
    profileIdc,
    constraintFlags,
    levelIdc,
    id,
    chromaFormatIdc,
    bitDepthLuma,
    bitDepthChroma,
    separateColourPlanes,
    frameNumBits,
    picOrderCntType,
    picOrderCntLsbBits,
    picOrderCntCycle,
    maxNumRefFrames,
    frameMbsOnly,
    width,
    height,
    widthInMbs,
    heightInMbs,
    pixelAspect: vui?.pixelAspect ?? [1, 1],
    frameRate: vui?.frameRate ?? null,
    maxNumReorderFrames: vui?.maxNumReorderFrames ?? null,
    maxDecFrameBuffering: vui?.maxDecFrameBuffering ?? null,
    restrictionSlot: vuiPresent ? (vui?.restrictionSlot ?? null) : { offset: vuiOffset, hasVui: false },
  };
}

function skipScalingLists(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!bits.flag()) continue;
    const size = list < 6 ? 16 : 64;
    let last = 8;
    let next = 8;
    for (let index = 0; index < size; index++) {
      if (next !== 0) next = (last + bits.signedExpGolomb() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

interface Vui {
  pixelAspect: readonly [number, number];
  frameRate: number | null;
  maxNumReorderFrames: number | null;
  maxDecFrameBuffering: number | null;
  restrictionSlot: Sps['restrictionSlot'];
}

/** VUI parameters (E.1.1), or null when they run beyond the end. */
function parseVui(bits: BitReader): Vui | null {
  const pixelAspect = readSampleAspectRatio(bits);
  if (bits.flag()) bits.skip(1); // overscan_info_present_flag: overscan_appropriate_flag
  if (bits.flag()) {
    bits.skip(4); // video_format, video_full_range_flag
    if (bits.flag()) bits.skip(24); // colour_primaries, transfer_characteristics, matrix_coefficients
  }
  if (bits.flag()) {
    bits.unsignedExpGolomb(); // chroma_sample_loc_type_top_field
    bits.unsignedExpGolomb(); // chroma_sample_loc_type_bottom_field
  }
  let frameRate: number | null = null;
  if (bits.flag()) {
    const unitsInTick = bits.unsigned(32);
    const timeScale = bits.unsigned(32);
    bits.skip(1); // fixed_frame_rate_flag
    if (unitsInTick > 0 && timeScale > 0) frameRate = timeScale / (2 * unitsInTick);
  }
  const nalHrd = bits.flag();
  if (nalHrd && !skipHrd(bits)) return null;
  const vclHrd = bits.flag();
  if (vclHrd && !skipHrd(bits)) return null;
  if (nalHrd || vclHrd) bits.skip(1); // low_delay_hrd_flag
  bits.skip(1); // pic_struct_present_flag
  let restrictionSlot: Sps['restrictionSlot'] = { offset: bits.position, hasVui: true };
  let maxNumReorderFrames: number | null = null;
  let maxDecFrameBuffering: number | null = null;
  if (bits.flag()) {
    restrictionSlot = null;
    bits.skip(1); // motion_vectors_over_pic_boundaries_flag
    bits.unsignedExpGolomb(); // max_bytes_per_pic_denom
    bits.unsignedExpGolomb(); // max_bits_per_mb_denom
    bits.unsignedExpGolomb(); // log2_max_mv_length_horizontal
    bits.unsignedExpGolomb(); // log2_max_mv_length_vertical
    maxNumReorderFrames = bits.unsignedExpGolomb();
    maxDecFrameBuffering = bits.unsignedExpGolomb();
    if (bits.overrun || maxNumReorderFrames > 16 || maxDecFrameBuffering > 16) {
      maxNumReorderFrames = null;
      maxDecFrameBuffering = null;
    }
  } else if (bits.overrun) {
    return null;
  }
  return { pixelAspect, frameRate, maxNumReorderFrames, maxDecFrameBuffering, restrictionSlot };
}

/** HRD parameters (E.1.2). False when the count of buffers is beyond what the standard allows. */
function skipHrd(bits: BitReader): boolean {
  const count = bits.unsignedExpGolomb() + 1;
  if (count > MAX_CPB_COUNT) return false;
  bits.skip(8); // bit_rate_scale, cpb_size_scale
  for (let index = 0; index < count; index++) {
    bits.unsignedExpGolomb(); // bit_rate_value_minus1
    bits.unsignedExpGolomb(); // cpb_size_value_minus1
    bits.skip(1); // cbr_flag
  }
  bits.skip(20); // initial_cpb_removal_delay_length_minus1 to time_offset_length
  return !bits.overrun;
}

/** MaxDpbMbs by level_idc (Table A-1). */
const maxDpbMbs: ReadonlyMap<number, number> = new Map([
  [9, 396],
  [10, 396],
  [11, 900],
  [12, 2_376],
  [13, 2_376],
  [20, 2_376],
  [21, 4_752],
  [22, 8_100],
  [30, 8_100],
  [31, 18_000],
  [32, 20_480],
  [40, 32_768],
  [41, 32_768],
  [42, 34_816],
  [50, 110_400],
  [51, 184_320],
  [52, 184_320],
  [60, 696_320],
  [61, 696_320],
  [62, 696_320],
]);

/**
 * Frames that a decoder may have to hold back. As declared; else 0 where the standard leaves no room for reordering
 * (Baseline has no B slices, picture order count type 2 is decoding order, intra-only profiles); else what a decoder
 * must assume (E.2.1, max_num_reorder_frames absent): the size of the decoded picture buffer for the level, which
 * most streams never use.
 */
export function reorderDepth(sps: Sps): number {
  if (sps.maxNumReorderFrames !== null) return sps.maxNumReorderFrames;
  if (neverReorders(sps)) return 0;
  const level = sps.levelIdc === 11 && (sps.constraintFlags & 0x10) !== 0 && sps.profileIdc < 100 ? 9 : sps.levelIdc;
  const frames = Math.floor((maxDpbMbs.get(level) ?? 696_320) / (sps.widthInMbs * sps.heightInMbs));
  return Math.min(frames, 16);
}

/** Whether decoding order is output order by the profile or the picture order count type alone. */
export function neverReorders(sps: Sps): boolean {
  if (sps.profileIdc === 66 || sps.picOrderCntType === 2) return true;
  const intraOnly = (sps.constraintFlags & 0x10) !== 0; // constraint_set3_flag
  return sps.profileIdc === 44 || (intraOnly && [86, 100, 110, 122, 244].includes(sps.profileIdc));
}
