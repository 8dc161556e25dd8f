/** Arrivals that are remembered: ten seconds at 25 frames a second. */
const CAPACITY = 256;
/** Seconds for which an arrival counts. */
const SPAN_S = 10;
/** The quantile is worked out anew after this many arrivals. */
const REFRESH_EVERY = 8;
/** Seconds after the start in which a server may still be sending what it had in store. */
const START_UP_S = 1;

/**
 * How evenly frames arrive. A frame's transit is its arrival minus its own time, on two clocks without a common origin,
 * so that only differences mean something: the least transit of late is the network at its best.
 */
export class TransitWindow {
  readonly #transits = new Float64Array(CAPACITY);
  readonly #arrivals = new Float64Array(CAPACITY);
  #count = 0;
  #next = 0;
  #sinceRefresh = 0;
  #firstArrival = 0;
  #minimum = 0;
  #sorted = new Float64Array(0);

  /** Forgets everything: after a discontinuity in the frames' own time. */
  reset(): void {
    this.#count = 0;
    this.#next = 0;
    this.#sinceRefresh = REFRESH_EVERY;
  }

  /**
   * Takes an arrival.
   * @param sourceTime - the frame's own time, seconds
   * @param arrival - when it came, seconds of a monotonic clock
   */
  add(sourceTime: number, arrival: number): void {
    const transit = arrival - sourceTime;
    if (this.#count === 0) {
      this.#firstArrival = arrival;
      this.#minimum = transit;
    } else if (arrival - this.#firstArrival < START_UP_S && transit < this.#minimum - 0.005) {
      // A server's stored group of pictures comes in one burst, its oldest frame first: those were not delayed on the way.
      this.#count = 0;
      this.#next = 0;
    }
    this.#transits[this.#next] = transit;
    this.#arrivals[this.#next] = arrival;
    this.#next = (this.#next + 1) % CAPACITY;
    if (this.#count < CAPACITY) this.#count++;
    this.#minimum = this.#count === 1 ? transit : Math.min(this.#minimum, transit);
    if (++this.#sinceRefresh >= REFRESH_EVERY || this.#count < REFRESH_EVERY) this.#refresh(arrival);
  }

  /** The transit that a share of the arrivals did not exceed, in seconds above the least; 0 while nothing is known. */
  jitter(share: number): number {
    if (this.#sorted.length < REFRESH_EVERY) return 0;
    const index = Math.min(this.#sorted.length - 1, Math.floor(share * this.#sorted.length));
    return (this.#sorted[index] ?? 0) - this.#minimum;
  }

  /** The least transit, in seconds: sourceTime + minimum is the earliest that a frame can be here. */
  get minimum(): number {
    return this.#minimum;
  }

  #refresh(now: number): void {
    this.#sinceRefresh = 0;
    const recent = new Float64Array(this.#count);
    let length = 0;
    for (let i = 0; i < this.#count; i++) {
      if (now - (this.#arrivals[i] ?? 0) <= SPAN_S) recent[length++] = this.#transits[i] ?? 0;
    }
    this.#sorted = recent.subarray(0, length).sort();
    this.#minimum = this.#sorted[0] ?? this.#minimum;
  }
}
