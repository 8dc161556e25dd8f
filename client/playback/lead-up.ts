/**
 * GStreamer's server begins a position between two key frames with the frames that lead up to it, all at the position's time.
 * Where frames are reordered, which of them is the position's own cannot be told by their times, so the first frame behind
 * them with a time of its own is the one to be shown.
 */

/** With more frames than these at one time the server does not tell times. */
const MAX_FRAMES = 600;
/** Behind the first frame, those that lead up to a position are still shown before the playhead (see StoredFeed). Seconds. */
const PAST_FIRST_S = 0.003;
/**
 * Chromium takes all frames for as short as those that lead up are on average, and leaves out one that began longer ago: no
 * more than what rounding to its microseconds can make. Seconds.
 */
const PAST_CANDIDATE_S = 0.000_002;

export class LeadUp {
  #first: number | null = null;
  #count = 0;
  /** The earliest time behind them so far. */
  #candidate = Number.POSITIVE_INFINITY;
  #isDecided = false;

  /** The next frame is the first one of a position. */
  begin(): void {
    this.#first = null;
    this.#count = 0;
    this.#candidate = Number.POSITIVE_INFINITY;
    this.#isDecided = false;
  }

  /**
   * Takes a frame in decoding order.
   * @param time - its presentation time, seconds
   * @param decodeTime - its decoding time, seconds
   * @returns where the playhead has to be to show the first frame, seconds: once, as soon as it is known
   */
  push(time: number, decodeTime: number): number | null {
    if (this.#isDecided) return null;
    const first = this.#first;
    if (first === null || time === first) {
      this.#first = time;
      this.#count++;
      // Of frames in their own order the last of them covers the others.
      const isReordered = first !== null || decodeTime < time;
      return isReordered && this.#count < MAX_FRAMES ? null : this.end();
    }
    if (this.#count === 1) return this.end();
    this.#candidate = Math.min(this.#candidate, time);
    // What is decoded later is not shown earlier.
    if (decodeTime < this.#candidate) return null;
    this.#isDecided = true;
    return this.#candidate + PAST_CANDIDATE_S;
  }

  /** No more frames come, or none that would tell more; as `push`. */
  end(): number | null {
    if (this.#isDecided || this.#first === null) return null;
    this.#isDecided = true;
    return this.#first + PAST_FIRST_S;
  }
}
