import type { SliceHeader } from './h264-slice-header.js';
import type { Sps } from './h264-sps.js';

/**
 * H.264 slice headers, one of each picture in decoding order → picture order counts of types 0 and 1 (ITU-T H.264,
 * 8.2.1). Type 2 is decoding order: see `neverReorders`.
 *
 * memory_management_control_operation 5, by which an encoder begins the count anew without an IDR picture, stands behind
 * all of the slice header's lists, and is not looked for: what follows it is counted on from the picture that has it.
 * Pictures on the same side of it are ordered right, and the times tell those on either side apart.
 */
export class H264PictureOrder {
  /** Of the last reference picture. */
  #previousMsb = 0;
  #previousLsb = 0;
  /** Of the last picture, for type 1. */
  #previousFrameNum = 0;
  #frameNumOffset = 0;

  /** The picture order count: grows in output order from one IDR picture to the next. */
  next(slice: SliceHeader, sps: Sps): number {
    return sps.picOrderCntType === 0 ? this.#byLsb(slice, sps) : this.#byCycle(slice, sps);
  }

  /** Type 0 (8.2.1.1): the lower bits are in the slice header. */
  #byLsb(slice: SliceHeader, sps: Sps): number {
    const range = 2 ** sps.picOrderCntLsbBits;
    const lsb = slice.picOrderCntLsb;
    if (slice.isIdr) {
      this.#previousMsb = 0;
      this.#previousLsb = 0;
    }
    let msb = this.#previousMsb;
    const step = lsb - this.#previousLsb;
    if (step <= -range / 2) msb += range;
    else if (step > range / 2) msb -= range;
    if (slice.isReference) {
      this.#previousMsb = msb;
      this.#previousLsb = lsb;
    }
    return msb + lsb + Math.min(0, slice.deltaPicOrderCntBottom);
  }

  /** Type 1 (8.2.1.2): a cycle of expected steps, and differences to it. */
  #byCycle(slice: SliceHeader, sps: Sps): number {
    const cycle = sps.picOrderCntCycle;
    if (cycle === null) return 0;
    if (slice.isIdr) this.#frameNumOffset = 0;
    else if (this.#previousFrameNum > slice.frameNum) this.#frameNumOffset += 2 ** sps.frameNumBits;
    this.#previousFrameNum = slice.frameNum;
    const { offsets } = cycle;
    let frames = offsets.length === 0 ? 0 : this.#frameNumOffset + slice.frameNum;
    if (!slice.isReference && frames > 0) frames--;
    let expected = 0;
    if (frames > 0) {
      const cycles = Math.floor((frames - 1) / offsets.length);
      const inCycle = (frames - 1) % offsets.length;
      for (const [index, offset] of offsets.entries()) expected += offset * (index <= inCycle ? cycles + 1 : cycles);
    }
    if (!slice.isReference) expected += cycle.offsetForNonRefPic;
    const [first, second] = slice.deltaPicOrderCnt;
    const bottom = expected + cycle.offsetForTopToBottomField + first;
    if (slice.structure === 'bottom-field') return bottom;
    const top = expected + first;
    return slice.structure === 'top-field' ? top : Math.min(top, bottom + second);
  }
}
