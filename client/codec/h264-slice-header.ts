import { BitReader } from './bit-reader.js';
import type { Sps } from './h264-sps.js';
import { unescapeNalUnit } from './nal-unit.js';

/**
 * The start of an H.264 slice header (ITU-T H.264, 7.3.3) → what tells pictures and fields from each other and orders
 * them.
 */

/** What has to be known to read a slice header: the parameter sets that the slice names. */
export interface SliceSyntax {
  readonly sps: Sps;
  /** bottom_field_pic_order_in_frame_present_flag. */
  readonly hasBottomFieldOrder: boolean;
}

export interface SliceHeader {
  readonly isIdr: boolean;
  /** Whether nal_ref_idc is not 0. */
  readonly isReference: boolean;
  readonly frameNum: number;
  readonly structure: 'frame' | 'top-field' | 'bottom-field';
  /** pic_order_cnt_lsb; 0 where the type is not 0. */
  readonly picOrderCntLsb: number;
  /** delta_pic_order_cnt_bottom where the type is 0. */
  readonly deltaPicOrderCntBottom: number;
  /** delta_pic_order_cnt[0] and [1] where the type is 1. */
  readonly deltaPicOrderCnt: readonly [number, number];
}

/** RBSP bytes up to delta_pic_order_cnt[1], each field at its longest. */
const HEADER_BYTES = 48;

/**
 * Reads a slice header as far as the picture order count.
 * @param header - the NAL unit's header byte
 * @param body - what follows it; the first 64 bytes are enough
 * @returns null when it is cut short
 */
export function parseSliceHeader(header: number, body: Uint8Array, syntax: SliceSyntax): SliceHeader | null {
  const { sps } = syntax;
  const bits = new BitReader(unescapeNalUnit(body, HEADER_BYTES));
  const isIdr = (header & 0x1f) === 5;
  bits.unsignedExpGolomb(); // first_mb_in_slice
  bits.unsignedExpGolomb(); // slice_type
  bits.unsignedExpGolomb(); // pic_parameter_set_id
  if (sps.separateColourPlanes) bits.skip(2); // colour_plane_id
  const frameNum = bits.unsigned(sps.frameNumBits);
  const isField = !sps.frameMbsOnly && bits.flag();
  const isBottom = isField && bits.flag();
  if (isIdr) bits.unsignedExpGolomb(); // idr_pic_id
  const hasBottomOrder = syntax.hasBottomFieldOrder && !isField;
  const picOrderCntLsb = bits.unsigned(sps.picOrderCntLsbBits);
  const deltaPicOrderCntBottom = sps.picOrderCntType === 0 && hasBottomOrder ? bits.signedExpGolomb() : 0;
  const hasDeltas = sps.picOrderCntCycle !== null && !sps.picOrderCntCycle.isExact;
  const first = hasDeltas ? bits.signedExpGolomb() : 0;
  const second = hasDeltas && hasBottomOrder ? bits.signedExpGolomb() : 0;
  if (bits.overrun) return null;
  return {
    isIdr,
    isReference: (header & 0x60) !== 0,
    frameNum,
    structure: isField ? (isBottom ? 'bottom-field' : 'top-field') : 'frame',
    picOrderCntLsb,
    deltaPicOrderCntBottom,
    deltaPicOrderCnt: [first, second],
  };
}

/** Whether a field that follows another makes one frame with it (7.4.1.2.4: same frame_num, opposite parity). */
export function isSecondField(first: SliceHeader, second: SliceHeader): boolean {
  return (
    first.structure !== 'frame' &&
    second.structure !== 'frame' &&
    first.structure !== second.structure &&
    first.frameNum === second.frameNum &&
    !(second.isIdr && !first.isIdr)
  );
}
