import { H265NalType } from './h265.js';

/** Slice headers → picture order counts, the order in which pictures are shown (ITU-T H.265, 8.3.1). */
export class H265PictureOrder {
  /** PicOrderCntVal of the last picture of TemporalId 0 that others of its layer may refer to. */
  #anchor = 0;

  /**
   * The picture order count of the next picture in decoding order.
   * @param type - nal_unit_type of its slices
   * @param temporalId - nuh_temporal_id_plus1 less 1
   * @param lsb - slice_pic_order_cnt_lsb
   * @param lsbBits - its width by the sequence parameter set
   * @param isStart - whether decoding starts, or starts anew, at this picture (NoRaslOutputFlag)
   */
  next(type: number, temporalId: number, lsb: number, lsbBits: number, isStart: boolean): number {
    const cycle = 2 ** lsbBits;
    let order = lsb;
    if (!isStart) {
      const anchorLsb = ((this.#anchor % cycle) + cycle) % cycle;
      order = this.#anchor - anchorLsb + lsb;
      if (lsb < anchorLsb && anchorLsb - lsb >= cycle / 2) order += cycle;
      else if (lsb > anchorLsb && lsb - anchorLsb > cycle / 2) order -= cycle;
    }
    // Leading pictures (6 to 9) and, up to 14, the even types are no anchors.
    const isLeading = type >= 6 && type <= H265NalType.raslR;
    const isReference = type > 14 || type % 2 === 1;
    if (temporalId === 0 && !isLeading && isReference) this.#anchor = order;
    return order;
  }
}
