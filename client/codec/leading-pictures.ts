/** Pictures that can be held back for reordering: no decoded picture buffer is larger (ITU-T H.264, A.3.1; H.265, A.4.2). */
export const MAX_REORDER_DEPTH = 16;

/**
 * Tells the leading pictures of an open group: decoded after its first picture and shown before it, they refer to the
 * group before. Where decoding starts at that first picture, they have to be left out.
 */
export class LeadingPictures {
  /** Presentation time of the first picture; null when no more leading ones can come. */
  #start: number | null = null;
  #count = 0;

  /** Decoding starts with the key frame of this presentation time. */
  startAt(time: number): void {
    this.#start = time;
    this.#count = 0;
  }

  /** Decoding goes on from where it was. */
  clear(): void {
    this.#start = null;
  }

  /** Whether the next picture in decoding order has to be left out. Leading pictures come before all others. */
  has(time: number): boolean {
    if (this.#start === null || time === this.#start) return false;
    if (time < this.#start && this.#count < MAX_REORDER_DEPTH) {
      this.#count++;
      return true;
    }
    this.#start = null;
    return false;
  }
}
