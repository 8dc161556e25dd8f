import { DecodeOrder } from '../codec/decode-order.js';
import { H264PictureOrder } from '../codec/h264-picture-order.js';
import { isSecondField, parseSliceHeader, type SliceHeader, type SliceSyntax } from '../codec/h264-slice-header.js';
import { neverReorders, type Sps } from '../codec/h264-sps.js';
import { headerByteOf, type NalUnit } from './nal-unit-payload.js';

/**
 * Slices of H.264 pictures → their decoding times, and which fields make one frame. For streams whose sequence parameter
 * set allows frames to be reordered, or to come field by field.
 */
export class H264PictureOrdering {
  readonly #clockRate: number;
  readonly #decodeOrder: DecodeOrder;
  readonly #pictureOrder = new H264PictureOrder();
  /** What `#decodeOrder` was told last. */
  #sps: Sps | null = null;

  /** @param clockRate - ticks a second of the presentation times */
  constructor(clockRate: number) {
    this.#clockRate = clockRate;
    this.#decodeOrder = new DecodeOrder(clockRate);
  }

  /** Whether the pictures have proved, for long enough, to come in output order. */
  get isInOrder(): boolean {
    return this.#decodeOrder.isInOrder;
  }

  /** Whether a first slice is of the field that makes one frame with that of an earlier first slice. */
  isSecondField(first: NalUnit, second: NalUnit, syntax: SliceSyntax): boolean {
    const firstHeader = sliceHeaderOf(first, syntax);
    const secondHeader = sliceHeaderOf(second, syntax);
    return firstHeader !== null && secondHeader !== null && isSecondField(firstHeader, secondHeader);
  }

  /**
   * The decoding time of the next picture, whole ticks.
   * @param firstSlice - null, as `syntax`, where nothing is known of the picture but its time
   * @param time - its presentation time, whole ticks
   * @param begins - it is the first picture, or the first after a gap
   */
  decodeTimeOf(firstSlice: NalUnit | null, syntax: SliceSyntax | null, time: number, begins: boolean): number {
    if (firstSlice === null || syntax === null) return this.#decodeOrder.next(time, 0, true);
    const { sps } = syntax;
    const isInOrder = neverReorders(sps) || sps.maxNumReorderFrames === 0;
    if (sps !== this.#sps) {
      this.#sps = sps;
      const interval = sps.frameRate === null ? null : this.#clockRate / sps.frameRate;
      this.#decodeOrder.declare(isInOrder ? 0 : (sps.maxNumReorderFrames ?? 0), interval);
    }
    // Decoding order is output order, so that the slice header has nothing to add.
    const header = isInOrder ? null : sliceHeaderOf(firstSlice, syntax);
    if (header === null) return this.#decodeOrder.next(time, 0, true);
    return this.#decodeOrder.next(time, this.#pictureOrder.next(header, sps), begins || header.isIdr);
  }

  /** The next picture does not go on from those before. */
  reset(): void {
    this.#decodeOrder.reset();
  }
}

function sliceHeaderOf(nalUnit: NalUnit, syntax: SliceSyntax): SliceHeader | null {
  return parseSliceHeader(headerByteOf(nalUnit, 0), nalUnit.body, syntax);
}
