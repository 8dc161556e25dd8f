/** Writes bits, most significant first, into a buffer of a size known beforehand. */
export class BitWriter {
  #bytes: Uint8Array;
  #bitLength = 0;

  /** @param capacity - bytes that will be written at most; writing beyond throws a RangeError */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /**
   * Appends an unsigned number.
   * @param value - below 2 to the power of `width`
   * @param width - bits, 1 to 32
   */
  write(value: number, width: number): void {
    for (let bit = width - 1; bit >= 0; bit--) {
      const index = this.#bitLength >>> 3;
      if (index >= this.#bytes.length) throw new RangeError(`No room for more than ${this.#bytes.length} bytes.`);
      const set = Math.floor(value / 2 ** bit) % 2;
      this.#bytes[index] = (this.#bytes[index] ?? 0) | (set << (7 - (this.#bitLength & 7)));
      this.#bitLength++;
    }
  }

  /** What was written, the last byte filled up with zeros. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, (this.#bitLength + 7) >>> 3);
  }
}
