import { BitReader } from './bit-reader.js';
import { BitWriter } from './bit-writer.js';
import type { Sps } from './h264-sps.js';
import { escapeNalUnit, unescapeNalUnit } from './nal-unit.js';

/**
 * Adds a bitstream restriction (ITU-T H.264, E.1.1) to a sequence parameter set that has none, for streams whose frames
 * are known to come in output order: without it decoders must expect reordering, and hardware ones hold frames back.
 */

/** VUI flags from aspect_ratio_info_present_flag to pic_struct_present_flag, all of them 0. */
const EMPTY_VUI_BITS = 8;
/** The longest addition: a VUI, the restriction, the stop bit and its alignment. */
const ADDED_BYTES = 16;
/** log2_max_mv_length_horizontal and _vertical where nothing is known (E.2.1). */
const LONGEST_MOTION_VECTOR = 16;

/**
 * Returns the parameter set with max_num_reorder_frames 0, or the same one where it cannot be added.
 * @param sps - the content of `nalUnit`
 */
export function withoutReordering(sps: Sps, nalUnit: Uint8Array): Uint8Array {
  const slot = sps.restrictionSlot;
  if (slot === null) return nalUnit;
  const rbsp = unescapeNalUnit(nalUnit);
  const source = new BitReader(rbsp);
  const bits = new BitWriter(rbsp.length + ADDED_BYTES);
  while (source.position < slot.offset) bits.write(source.unsigned(1), 1);
  if (!slot.hasVui) {
    bits.write(1, 1); // vui_parameters_present_flag
    bits.write(0, EMPTY_VUI_BITS);
  }
  bits.write(1, 1); // bitstream_restriction_flag
  bits.write(1, 1); // motion_vectors_over_pic_boundaries_flag
  writeExpGolomb(bits, 0); // max_bytes_per_pic_denom: no limit
  writeExpGolomb(bits, 0); // max_bits_per_mb_denom: no limit
  writeExpGolomb(bits, LONGEST_MOTION_VECTOR); // log2_max_mv_length_horizontal
  writeExpGolomb(bits, LONGEST_MOTION_VECTOR); // log2_max_mv_length_vertical
  writeExpGolomb(bits, 0); // max_num_reorder_frames
  writeExpGolomb(bits, Math.min(sps.maxNumRefFrames, 16)); // max_dec_frame_buffering
  bits.write(1, 1); // rbsp_stop_one_bit
  return escapeNalUnit(bits.bytes());
}

/** ue(v) (9.1). */
function writeExpGolomb(bits: BitWriter, value: number): void {
  const width = 32 - Math.clz32(value + 1);
  bits.write(value + 1, 2 * width - 1);
}
