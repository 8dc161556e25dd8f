import { MAX_REORDER_DEPTH } from '../codec/leading-pictures.js';

/**
 * Keeps frames that were placed on the media element's timeline in the order of their own times, when they come in
 * another one and their distances are stretched or squeezed on the way (LiveEdge).
 */

/** Least distance from one frame to the next, seconds. */
const MIN_STEP_S = 0.001;

export class FrameOrder {
  /** The newest frames, by their own time, both times in seconds. */
  #frames: { source: number; place: number }[] = [];
  /** What is before all of them, and as late as any of another time line. */
  #floor = -MIN_STEP_S;

  /**
   * @param source - the frame's own time
   * @param wanted - where it should be
   * @returns where it is put: between the frames before and after it
   */
  fit(source: number, wanted: number): number {
    let index = this.#frames.length;
    while (index > 0 && (this.#frames[index - 1]?.source ?? 0) > source) index--;
    const before = this.#frames[index - 1]?.place ?? this.#floor;
    const after = this.#frames[index]?.place ?? Number.POSITIVE_INFINITY;
    let place = Math.max(before + MIN_STEP_S, Math.min(after - MIN_STEP_S, wanted));
    // A burst has put its neighbours so near to each other that there is no step between them.
    if (place >= after) place = Math.max(0, (before + after) / 2);
    this.#frames.splice(index, 0, { source, place });
    if (this.#frames.length > MAX_REORDER_DEPTH + 1) this.#floor = this.#frames.shift()?.place ?? this.#floor;
    return place;
  }

  /** What comes next belongs to another time line. */
  reset(): void {
    this.#floor = this.#frames.at(-1)?.place ?? this.#floor;
    this.#frames.length = 0;
  }
}
