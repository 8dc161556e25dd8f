/**
 * Key frames that are shown without the frames between them, forwards or backwards → places on a time line that goes forward,
 * as a media element wants it. Backwards, the end of the media is at its beginning.
 */

/** Backwards, the media's first picture is seen for so long before the end. Seconds. */
const LAST_PICTURE_S = 0.5;
/** So near to each other two places are the same frame's. Seconds. */
const SAME_PLACE_S = 0.001;

export class TrickTimes {
  readonly isReverse: boolean;
  readonly #start: number;
  readonly #end: number;
  /** Places of the pictures from the one on screen on. */
  readonly #places: number[] = [];

  /** @param start - of the media, as `end`, seconds */
  constructor(start: number, end: number, isReverse: boolean) {
    this.#start = start;
    this.#end = end;
    this.isReverse = isReverse;
  }

  /** Where a position has its place, seconds. */
  placeOf(position: number): number {
    return this.isReverse ? Math.max(0, this.#start + this.#end - LAST_PICTURE_S - position) : position;
  }

  /** The position at a place, seconds. */
  positionAt(place: number): number {
    if (!this.isReverse) return place;
    return Math.max(this.#start, Math.min(this.#end, this.#start + this.#end - LAST_PICTURE_S - place));
  }

  /**
   * Takes the position of the next picture.
   * @param playhead - the place on screen
   * @returns its place; null when it does not lie behind the one before
   */
  add(position: number, playhead: number): number | null {
    const place = this.placeOf(position);
    if (place < (this.#places.at(-1) ?? Number.NEGATIVE_INFINITY) + SAME_PLACE_S) return null;
    while ((this.#places[1] ?? Number.POSITIVE_INFINITY) <= playhead) this.#places.shift();
    this.#places.push(place);
    return place;
  }

  /** The position of the picture that is on screen when the playhead is at a place. */
  pictureAt(place: number): number {
    const shown = this.#places.findLast((candidate) => candidate <= place + SAME_PLACE_S);
    return this.positionAt(shown ?? place);
  }
}
