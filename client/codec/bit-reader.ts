/**
 * Reads bits, most significant first, from bytes that nobody vouches for. Reading beyond the end gives zeros and sets
 * `overrun`, so that a parser checks once at its end instead of at every field; every loop over a count that was read
 * must still have its own bound.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bits read so far. */
  get position(): number {
    return this.#position;
  }

  /** Bits not yet read; negative after an overrun. */
  get remaining(): number {
    return this.#bytes.length * 8 - this.#position;
  }

  /** Whether more was read than there is. */
  get overrun(): boolean {
    return this.#position > this.#bytes.length * 8;
  }

  /** The next bit: u(1). */
  flag(): boolean {
    const byte = this.#bytes[this.#position >>> 3] ?? 0;
    const bit = (byte >>> (7 - (this.#position & 7))) & 1;
    this.#position++;
    return bit === 1;
  }

  /**
   * An unsigned number: u(n).
   * @param width - bits, 0 to 32
   */
  unsigned(width: number): number {
    let value = 0;
    for (let bit = 0; bit < width; bit++) value = value * 2 + (this.flag() ? 1 : 0);
    return value;
  }

  /** Passes over bits. */
  skip(bits: number): void {
    this.#position += bits;
  }

  /**
   * The next bytes: a view of them where the position is at the start of a byte, else a copy.
   * @returns null, and reads nothing, where fewer than `length` are left
   */
  bytes(length: number): Uint8Array | null {
    if (length * 8 > this.remaining) return null;
    const start = this.#position >>> 3;
    const shift = this.#position & 7;
    this.#position += length * 8;
    if (shift === 0) return this.#bytes.subarray(start, start + length);
    const copy = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      const high = this.#bytes[start + index] ?? 0;
      const low = this.#bytes[start + index + 1] ?? 0;
      copy[index] = (high << shift) | (low >>> (8 - shift));
    }
    return copy;
  }

  /** An unsigned Exp-Golomb number: ue(v) (ITU-T H.264, 9.1); the largest stands for anything above 32 bits. */
  unsignedExpGolomb(): number {
    let zeros = 0;
    while (!this.flag()) {
      zeros++;
      if (zeros > 32 || this.overrun) return 0xffff_ffff;
    }
    return 2 ** zeros - 1 + this.unsigned(zeros);
  }

  /** A signed Exp-Golomb number: se(v) (ITU-T H.264, 9.1.1). */
  signedExpGolomb(): number {
    const code = this.unsignedExpGolomb();
    return code % 2 === 1 ? (code + 1) / 2 : 0 - code / 2;
  }
}
