import { MAX_REORDER_DEPTH } from './leading-pictures.js';

/**
 * Presentation times in decoding order → decoding times. RTP carries presentation times alone (RFC 3550, 5.1), and MP4
 * and Media Source Extensions want both. For every codec that counts its pictures in output order.
 *
 * With a reorder depth of d, the decoding time of a picture is the presentation time of the one d places before it in
 * output order: no picture is then decoded after its presentation time, decoding goes on at the pace of the frames, and a
 * stream that does not reorder has decoding times equal to its presentation times.
 *
 * d is what is seen. It starts as what the stream declares (0 where it is silent), grows at once when a picture proves
 * to be shown before more of those that were decoded before it, and shrinks when it was not used for a while.
 */

/** After this many pictures the depth comes down to what they used: three times what any stream can hold back. */
const REVIEW_PICTURES = 3 * MAX_REORDER_DEPTH;
/** A presentation time that leaps ahead by more than this begins a new time line. Seconds. */
const MAX_STEP_S = 60;

interface Picture {
  readonly time: number;
  readonly order: number;
}

export class DecodeOrder {
  readonly #maxStep: number;
  /** Pictures as they were decoded, the newest last. */
  #recent: Picture[] = [];
  /** Presentation times, ascending, that have not become decoding times. */
  #waiting: number[] = [];
  #depth = 0;
  #interval: number;
  /** The newest decoding time, and the latest presentation time; NaN before the first picture. */
  #last = Number.NaN;
  #latest = Number.NaN;
  /** Greatest depth seen, and pictures, since the last review. */
  #seen = 0;
  #pictures = 0;
  #isInOrder = false;
  #wasReordered = false;

  /** @param clockRate - ticks a second of the presentation times */
  constructor(clockRate: number) {
    this.#maxStep = MAX_STEP_S * clockRate;
    this.#interval = Math.round(clockRate / 25);
  }

  /** Pictures by which decoding is ahead of presentation at present. */
  get depth(): number {
    return this.#depth;
  }

  /** Whether the pictures have proved, for long enough, to come in output order. False again with the first that does not. */
  get isInOrder(): boolean {
    return this.#isInOrder;
  }

  /**
   * Takes what the stream declares, to begin with.
   * @param depth - pictures that it may hold back for reordering; 0 where it says nothing
   * @param interval - ticks from one picture to the next; null where it does not say
   */
  declare(depth: number, interval: number | null): void {
    this.#depth = Math.min(depth, MAX_REORDER_DEPTH);
    this.#seen = 0;
    this.#pictures = 0;
    this.#isInOrder = false;
    if (interval !== null) this.#interval = Math.max(1, Math.round(interval));
  }

  /**
   * Takes the next picture in decoding order.
   * @param time - its presentation time, whole ticks
   * @param order - grows in output order up to the next picture that `startsSequence`: the picture order count
   * @param startsSequence - all before it is output before it and what follows it (IDR pictures, and after a gap)
   * @returns its decoding time in whole ticks, greater than the one before as long as the presentation times are those of
   *   one clock. Later than `time` only while the depth turns out to be greater than thought, and where two pictures have
   *   the same time.
   */
  next(time: number, order: number, startsSequence: boolean): number {
    if (startsSequence) this.#recent.length = 0;
    const depth = this.#depthOf(time, order);
    const isBack = time < this.#latest && depth === 0;
    // The camera's clock was set: the order says that the picture comes after the others, and the time that it does not.
    if (isBack || time - this.#latest > this.#maxStep) this.reset();
    this.#note(depth);
    this.#remember(time, order);
    let decodeTime = this.#dueTime();
    if (decodeTime <= this.#last) decodeTime = this.#last + 1;
    this.#last = decodeTime;
    return decodeTime;
  }

  /** The next picture does not go on from those before. What was learnt of the stream stays. */
  reset(): void {
    this.#recent.length = 0;
    this.#waiting.length = 0;
    this.#last = Number.NaN;
    this.#latest = Number.NaN;
  }

  /** How many of the recent pictures were decoded before this one and are output after it, by time and by order. */
  #depthOf(time: number, order: number): number {
    if (!(time < this.#latest)) return 0;
    let depth = 0;
    for (const picture of this.#recent) if (picture.time > time && picture.order > order) depth++;
    return depth;
  }

  #note(depth: number): void {
    if (depth > 0) {
      this.#isInOrder = false;
      this.#wasReordered = true;
      this.#seen = Math.max(this.#seen, depth);
      this.#depth = Math.max(this.#depth, depth);
    }
    if (++this.#pictures < REVIEW_PICTURES) return;
    this.#depth = this.#seen;
    this.#isInOrder = !this.#wasReordered;
    this.#seen = 0;
    this.#pictures = 0;
  }

  #remember(time: number, order: number): void {
    if (!(time <= this.#latest)) this.#latest = time;
    if (this.#recent.length === MAX_REORDER_DEPTH) this.#recent.shift();
    this.#recent.push({ time, order });
    let place = this.#waiting.length;
    while (place > 0 && (this.#waiting[place - 1] ?? 0) > time) place--;
    this.#waiting.splice(place, 0, time);
  }

  /** The presentation time `depth` places back; at the start, where there is none, as if the frames had come before. */
  #dueTime(): number {
    const missing = this.#depth + 1 - this.#waiting.length;
    if (missing > 0) return (this.#waiting[0] ?? 0) - missing * this.#interval;
    let due = 0;
    while (this.#waiting.length > this.#depth) due = this.#waiting.shift() ?? 0;
    return due;
  }
}
