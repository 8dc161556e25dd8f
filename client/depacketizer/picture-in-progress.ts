import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS, MAX_NAL_UNITS } from '../../shared/limits.js';
import type { NalUnit } from './nal-unit-payload.js';

/** The access unit that is being put together from NAL units, and what they say of it. */
export abstract class PictureInProgress {
  readonly pieces: Uint8Array[] = [];
  byteLength = 0;
  /** A slice has come, or should have: what follows may end this access unit. */
  hasBegun = false;
  /** RTP time of the first slice; a stamp on anything before it does not count. */
  time = 0;
  isDamaged = false;
  /** A sequence parameter set came with it. */
  hasSps = false;
  /** The sequence before it has ended: it refers to nothing earlier. */
  followsEnd = false;
  /** The first slice. */
  firstSlice: NalUnit | null = null;
  #nalUnits = 0;
  #parameterSets: NalUnit[] | null = null;

  /** Whether decoding can start here. */
  abstract readonly isKeyFrame: boolean;

  begin(time: number): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.time = time;
  }

  /** Marks it as not to be used, and lets go of what it holds. */
  damage(): void {
    this.isDamaged = true;
    this.pieces.length = 0;
    this.byteLength = 0;
  }

  /** Notes what a slice says of the whole picture. */
  addSlice(nalUnit: NalUnit): void {
    this.firstSlice ??= nalUnit;
  }

  /** Notes what SEI says of the whole picture. */
  abstract addSei(nalUnit: NalUnit): void;

  addParameterSet(nalUnit: NalUnit): void {
    this.#parameterSets ??= [];
    if (this.#parameterSets.length < MAX_NAL_UNITS) this.#parameterSets.push(nalUnit);
  }

  /** Puts parameter sets that changed into the sample itself. */
  keepParameterSets(): void {
    for (const nalUnit of this.#parameterSets?.reverse() ?? []) {
      this.pieces.unshift(...nalUnit.pieces);
      this.byteLength += nalUnit.byteLength;
    }
  }

  /** Returns false when a bound is reached. A damaged picture takes nothing, and that is well. */
  append(nalUnit: NalUnit): boolean {
    if (this.isDamaged) return true;
    this.#nalUnits++;
    this.byteLength += nalUnit.byteLength;
    if (this.#nalUnits > MAX_NAL_UNITS || this.byteLength > MAX_ACCESS_UNIT_BYTES) return false;
    if (this.pieces.length + nalUnit.pieces.length > MAX_ACCESS_UNIT_PACKETS) return false;
    for (const piece of nalUnit.pieces) this.pieces.push(piece);
    return true;
  }
}
