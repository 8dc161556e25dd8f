/** Frames that are remembered: more than the buffer ahead of the playhead holds, and what was last shown. */
const CAPACITY = 1_024;

/** Remembers where frames were placed, so that what is on screen can be told from the playhead. */
export class PlacementHistory {
  readonly #places = new Float64Array(CAPACITY);
  readonly #sources = new Float64Array(CAPACITY);
  #count = 0;
  #next = 0;

  /** Takes a frame, both times in seconds; the fewer of those before are later in `place` the better. */
  add(place: number, source: number): void {
    this.#next = (this.#next + 1) % CAPACITY;
    if (this.#count < CAPACITY) this.#count++;
    let rank = this.#count - 1;
    for (; rank > 0; rank--) {
      const before = this.#slot(rank - 1);
      if ((this.#places[before] ?? 0) <= place) break;
      this.#places[this.#slot(rank)] = this.#places[before] ?? 0;
      this.#sources[this.#slot(rank)] = this.#sources[before] ?? 0;
    }
    this.#places[this.#slot(rank)] = place;
    this.#sources[this.#slot(rank)] = source;
  }

  /** The source time of the frame on screen when the playhead is at `place`; null before the first frame known. */
  sourceAt(place: number): number | null {
    const index = this.#find(place);
    return index < 0 ? null : (this.#sources[this.#slot(index)] ?? null);
  }

  /** How many frames are placed after the playhead. */
  framesAfter(place: number): number {
    return this.#count - 1 - this.#find(place);
  }

  /** Rank, by age, of the last frame that is not after `place`; -1 when there is none. */
  #find(place: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[this.#slot(middle)] ?? 0) <= place) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #slot(rank: number): number {
    return (this.#next - this.#count + rank + CAPACITY) % CAPACITY;
  }
}
