import { BitReader } from './bit-reader.js';
import { unescapeNalUnit } from './nal-unit.js';
import { readSampleAspectRatio } from './sample-aspect-ratio.js';

/**
 * H.265 sequence parameter set NAL unit → what it says about the pictures. Syntax: ITU-T H.265, 7.3.2.2, 7.3.3, 7.3.4,
 * 7.3.7 and E.2.1. Nothing here trusts a count or a size before it is checked.
 */

/** Profile, tier and level (7.3.3), as the configuration record and the codec string have them. */
export interface ProfileTierLevel {
  readonly profileSpace: number;
  readonly tierFlag: boolean;
  readonly profileIdc: number;
  /** general_profile_compatibility_flag 0 in the highest of 32 bits. */
  readonly compatibilityFlags: number;
  /** The 48 bits between the compatibility flags and the level, in 6 bytes. */
  readonly constraintFlags: readonly number[];
  readonly levelIdc: number;
}

/** The parts of a sequence parameter set that players need. */
export interface H265Sps {
  readonly id: number;
  readonly vpsId: number;
  readonly profileTierLevel: ProfileTierLevel;
  /** Temporal sub-layers at most, 1 to 7. */
  readonly maxSubLayers: number;
  readonly isTemporalIdNested: boolean;
  readonly chromaFormatIdc: number;
  readonly hasSeparateColourPlanes: boolean;
  readonly bitDepthLuma: number;
  readonly bitDepthChroma: number;
  /** Bits of slice_pic_order_cnt_lsb. */
  readonly pictureOrderBits: number;
  /** sps_max_num_reorder_pics of the highest sub-layer. */
  readonly maxReorderPictures: number;
  /** Displayed size in pixels, after cropping by the conformance window. */
  readonly width: number;
  readonly height: number;
  /** Width to height of one sample; 1:1 where it is not declared. */
  readonly pixelAspect: readonly [number, number];
  /** Pictures a second by the VUI's timing, or null. */
  readonly frameRate: number | null;
}

/** The largest side in luma samples that is believed: level 6.2 allows 16,888. */
const MAX_SIDE = 16_888;
/** num_short_term_ref_pic_sets and num_long_term_ref_pics_sps at most (7.4.3.2.1). */
const MAX_SHORT_TERM_SETS = 64;
const MAX_LONG_TERM_PICTURES = 32;
/** Pictures of one short-term reference picture set: the decoded picture buffer holds 16. */
const MAX_SET_PICTURES = 16;
/** log2_max_pic_order_cnt_lsb_minus4 + 4 at most. */
const MAX_PICTURE_ORDER_BITS = 16;

/**
 * Reads a sequence parameter set of the base layer.
 * @param nalUnit - the whole NAL unit, header first, emulation prevention still in
 * @returns null when it is cut short or says what no stream can mean. A VUI that is broken or cut short counts as absent.
 */
export function parseH265Sps(nalUnit: Uint8Array): H265Sps | null {
  const bits = new BitReader(unescapeNalUnit(nalUnit));
  bits.skip(16); // NAL unit header
  const vpsId = bits.unsigned(4);
  const maxSubLayers = bits.unsigned(3) + 1;
  const isTemporalIdNested = bits.flag();
  if (maxSubLayers > 7) return null;
  const profileTierLevel = readProfileTierLevel(bits, maxSubLayers);
  const id = bits.unsignedExpGolomb();
  const chromaFormatIdc = bits.unsignedExpGolomb();
  if (id > 15 || chromaFormatIdc > 3) return null;
  const hasSeparateColourPlanes = chromaFormatIdc === 3 && bits.flag();
  let width = bits.unsignedExpGolomb();
  let height = bits.unsignedExpGolomb();
  if (width > MAX_SIDE || height > MAX_SIDE) return null;
  if (bits.flag()) {
    // Offsets of the conformance window, in chroma samples (7.4.3.2.1).
    const unitX = chromaFormatIdc === 1 || chromaFormatIdc === 2 ? 2 : 1;
    const unitY = chromaFormatIdc === 1 ? 2 : 1;
    width -= unitX * (bits.unsignedExpGolomb() + bits.unsignedExpGolomb());
    height -= unitY * (bits.unsignedExpGolomb() + bits.unsignedExpGolomb());
  }
  const bitDepthLuma = bits.unsignedExpGolomb() + 8;
  const bitDepthChroma = bits.unsignedExpGolomb() + 8;
  if (bitDepthLuma > 16 || bitDepthChroma > 16) return null;
  const pictureOrderBits = bits.unsignedExpGolomb() + 4;
  if (pictureOrderBits > MAX_PICTURE_ORDER_BITS) return null;
  const maxReorderPictures = readMaxReorderPictures(bits, maxSubLayers);
  if (bits.overrun || width <= 0 || height <= 0 || maxReorderPictures > 15) return null;

  const vui = skipToVui(bits, pictureOrderBits) ? readVui(bits) : null;
  return {
    id,
    vpsId,
    profileTierLevel,
    maxSubLayers,
    isTemporalIdNested,
    chromaFormatIdc,
    hasSeparateColourPlanes,
    bitDepthLuma,
    bitDepthChroma,
    pictureOrderBits,
    maxReorderPictures,
    width,
    height,
    pixelAspect: vui?.pixelAspect ?? [1, 1],
    frameRate: vui?.frameRate ?? null,
  };
}

/** profile_tier_level(1, maxSubLayers - 1); those of the lower sub-layers are passed over. */
export function readProfileTierLevel(bits: BitReader, maxSubLayers: number): ProfileTierLevel {
  const profileSpace = bits.unsigned(2);
  const tierFlag = bits.flag();
  const profileIdc = bits.unsigned(5);
  const compatibilityFlags = bits.unsigned(32);
  const constraintFlags = Array.from({ length: 6 }, () => bits.unsigned(8));
  const levelIdc = bits.unsigned(8);
  let skipped = 0;
  for (let layer = 0; layer < maxSubLayers - 1; layer++) {
    if (bits.flag()) skipped += 88; // sub_layer_profile_present_flag
    if (bits.flag()) skipped += 8; // sub_layer_level_present_flag
  }
  if (maxSubLayers > 1) skipped += 2 * (9 - maxSubLayers); // reserved_zero_2bits
  bits.skip(skipped);
  return { profileSpace, tierFlag, profileIdc, compatibilityFlags, constraintFlags, levelIdc };
}

/** sps_max_num_reorder_pics of the highest sub-layer, which comes last, whether the lower ones are there or not. */
export function readMaxReorderPictures(bits: BitReader, maxSubLayers: number): number {
  let reordered = 0;
  const count = bits.flag() ? maxSubLayers : 1; // sps_sub_layer_ordering_info_present_flag
  for (let layer = 0; layer < count; layer++) {
    bits.unsignedExpGolomb(); // sps_max_dec_pic_buffering_minus1
    reordered = bits.unsignedExpGolomb(); // sps_max_num_reorder_pics
    bits.unsignedExpGolomb(); // sps_max_latency_increase_plus1
  }
  return reordered;
}

/** Passes over everything between the sub-layers and the VUI. False where there is no VUI or no way to it. */
function skipToVui(bits: BitReader, pictureOrderBits: number): boolean {
  for (let field = 0; field < 6; field++) bits.unsignedExpGolomb(); // sizes of coding, transform blocks; their depths
  const hasScalingLists = bits.flag(); // scaling_list_enabled_flag
  if (hasScalingLists && bits.flag()) skipScalingLists(bits);
  bits.skip(2); // amp_enabled_flag, sample_adaptive_offset_enabled_flag
  if (bits.flag()) {
    bits.skip(8); // pcm_sample_bit_depth_luma_minus1, pcm_sample_bit_depth_chroma_minus1
    bits.unsignedExpGolomb(); // log2_min_pcm_luma_coding_block_size_minus3
    bits.unsignedExpGolomb(); // log2_diff_max_min_pcm_luma_coding_block_size
    bits.skip(1); // pcm_loop_filter_disabled_flag
  }
  if (!skipShortTermSets(bits)) return false;
  if (bits.flag()) {
    const count = bits.unsignedExpGolomb(); // num_long_term_ref_pics_sps
    if (count > MAX_LONG_TERM_PICTURES) return false;
    bits.skip(count * (pictureOrderBits + 1)); // lt_ref_pic_poc_lsb_sps, used_by_curr_pic_lt_sps_flag
  }
  bits.skip(2); // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
  return bits.flag() && !bits.overrun; // vui_parameters_present_flag
}

/** scaling_list_data() (7.3.4). */
function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!bits.flag()) {
        bits.unsignedExpGolomb(); // scaling_list_pred_matrix_id_delta
        continue;
      }
      if (size > 1) bits.signedExpGolomb(); // scaling_list_dc_coef_minus8
      const coefficients = Math.min(64, 1 << (4 + (size << 1)));
      for (let index = 0; index < coefficients; index++) bits.signedExpGolomb(); // scaling_list_delta_coef
    }
  }
}

/**
 * All st_ref_pic_set() of the parameter set (7.3.7). How long one is can depend on the one before it, down to the
 * pictures in it, so they have to be understood to be passed over.
 */
function skipShortTermSets(bits: BitReader): boolean {
  const count = bits.unsignedExpGolomb(); // num_short_term_ref_pic_sets
  if (count > MAX_SHORT_TERM_SETS) return false;
  /** Picture order counts of the last set's pictures, relative to the current one: before it, nearest first; after it. */
  let previous: readonly number[] = [];
  for (let set = 0; set < count; set++) {
    const isPredicted = set > 0 && bits.flag(); // inter_ref_pic_set_prediction_flag
    const next = isPredicted ? readPredictedSet(bits, previous) : readExplicitSet(bits);
    if (next === null || bits.overrun) return false;
    previous = next;
  }
  return true;
}

function readExplicitSet(bits: BitReader): number[] | null {
  const before = bits.unsignedExpGolomb(); // num_negative_pics
  const after = bits.unsignedExpGolomb(); // num_positive_pics
  if (before > MAX_SET_PICTURES || after > MAX_SET_PICTURES) return null;
  const deltas: number[] = [];
  for (const [count, sign] of [
    [before, -1],
    [after, 1],
  ] as const) {
    let delta = 0;
    for (let picture = 0; picture < count; picture++) {
      delta += sign * (bits.unsignedExpGolomb() + 1); // delta_poc_s0_minus1, delta_poc_s1_minus1
      deltas.push(delta);
      bits.skip(1); // used_by_curr_pic_s0_flag, used_by_curr_pic_s1_flag
    }
  }
  return deltas;
}

/** Equations 7-61 and 7-62. */
function readPredictedSet(bits: BitReader, previous: readonly number[]): number[] | null {
  const isNegative = bits.flag(); // delta_rps_sign
  const distance = bits.unsignedExpGolomb() + 1; // abs_delta_rps_minus1
  const shift = isNegative ? -distance : distance;
  const deltas: number[] = [];
  for (const delta of [...previous, 0]) {
    const isUsed = bits.flag(); // used_by_curr_pic_flag
    const isKept = isUsed || bits.flag(); // use_delta_flag
    if (isKept && delta + shift !== 0) deltas.push(delta + shift);
  }
  if (deltas.length > 2 * MAX_SET_PICTURES) return null;
  const before = deltas.filter((delta) => delta < 0).sort((a, b) => b - a);
  const after = deltas.filter((delta) => delta > 0).sort((a, b) => a - b);
  return [...before, ...after];
}

/** vui_parameters() (E.2.1), up to the timing. Null where it is cut short. */
function readVui(bits: BitReader): Pick<H265Sps, 'pixelAspect' | 'frameRate'> | null {
  const pixelAspect = readSampleAspectRatio(bits);
  if (bits.flag()) bits.skip(1); // overscan_info_present_flag: overscan_appropriate_flag
  if (bits.flag()) {
    bits.skip(4); // video_format, video_full_range_flag
    if (bits.flag()) bits.skip(24); // colour_primaries, transfer_characteristics, matrix_coeffs
  }
  if (bits.flag()) {
    bits.unsignedExpGolomb(); // chroma_sample_loc_type_top_field
    bits.unsignedExpGolomb(); // chroma_sample_loc_type_bottom_field
  }
  bits.skip(3); // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
  if (bits.flag()) for (let side = 0; side < 4; side++) bits.unsignedExpGolomb(); // default display window
  const frameRate = bits.flag() ? readTiming(bits) : null; // vui_timing_info_present_flag
  return bits.overrun ? null : { pixelAspect, frameRate };
}

/** num_units_in_tick and time_scale: pictures a second, or null where they say nothing. */
export function readTiming(bits: BitReader): number | null {
  const unitsInTick = bits.unsigned(32);
  const timeScale = bits.unsigned(32);
  return !bits.overrun && unitsInTick > 0 && timeScale > 0 ? timeScale / unitsInTick : null;
}
