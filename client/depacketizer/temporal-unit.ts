import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS, MAX_OBUS } from '../../shared/limits.js';
import { leb128, OBU_HAS_EXTENSION, OBU_HAS_SIZE } from '../codec/av1.js';

/** The AV1 temporal unit that is being put together: OBUs with their sizes, as a sample of `av01` has them. */
export class TemporalUnit {
  readonly pieces: Uint8Array[] = [];
  byteLength = 0;
  /** A frame has come, or should have: what follows may end this unit. */
  hasBegun = false;
  /** RTP time of its first frame. */
  time = 0;
  isDamaged = false;
  hasSequenceHeader = false;
  isKeyFrame = false;
  #obus = 0;

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

  /**
   * Adds an OBU. Returns false when a bound is reached; a damaged unit takes nothing, and that is well.
   * @param header - its first byte
   * @param extension - its second byte, where the first says that there is one
   * @param payload - what follows its header and size
   * @param payloadBytes - sum of the payload's lengths
   */
  append(header: number, extension: number, payload: readonly Uint8Array[], payloadBytes: number): boolean {
    if (this.isDamaged) return true;
    const size = leb128(payloadBytes);
    const sized = header | OBU_HAS_SIZE;
    const prefix = (header & OBU_HAS_EXTENSION) === 0 ? [sized, ...size] : [sized, extension, ...size];
    this.#obus++;
    this.byteLength += prefix.length + payloadBytes;
    if (this.#obus > MAX_OBUS || this.byteLength > MAX_ACCESS_UNIT_BYTES) return false;
    if (this.pieces.length + 1 + payload.length > MAX_ACCESS_UNIT_PACKETS) return false;
    this.pieces.push(Uint8Array.from(prefix));
    for (const piece of payload) this.pieces.push(piece);
    return true;
  }

  /** Puts an OBU in front of all. */
  prepend(obu: Uint8Array): void {
    this.pieces.unshift(obu);
    this.byteLength += obu.length;
  }
}
