import type { Clock } from '../../shared/clock.js';

/**
 * A part of a recording that was asked for without rate control: when it is there, which not every recorder says, and whether
 * it comes faster than it was taken.
 */

/** Silence of this length is the end of what there is; before the first unit, of that one. Milliseconds. */
const SILENCE_MS = 700;
const MAX_START_MS = 2_000;
/** What has not come at this many times its own pace after that long is sent under rate control all the same. */
const MIN_SPEED = 1.5;
const MEASURED_MS = 3_000;
/** What is left of a piece is nothing when it is shorter than this share of a step from unit to unit. */
const STEP_SHARE = 0.95;

export interface ReplayPieceOptions {
  /** Where it was asked to end, seconds of the media. */
  readonly end: number;
  /** Negative: it is sent backwards. */
  readonly rate: number;
  readonly clock: Clock;
}

export class ReplayPiece {
  readonly end: number;
  readonly #direction: number;
  readonly #clock: Clock;
  readonly #onDone: () => void;
  readonly #askedMs: number;
  #cancel: () => void;
  #first: number | null = null;
  /** The furthest position, and the least distance of two, seconds. */
  #reached: number | null = null;
  #step = 0;
  #isDone = false;

  constructor({ end, rate, clock }: ReplayPieceOptions, onDone: () => void) {
    this.end = end;
    this.#direction = Math.sign(rate);
    this.#clock = clock;
    this.#onDone = onDone;
    this.#askedMs = clock.now();
    this.#cancel = clock.schedule(MAX_START_MS, () => this.finish());
  }

  /** Whether no more of it is to come. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether it comes at a pace at which it can only be watched, not fetched ahead. */
  get isSlow(): boolean {
    const elapsedMs = this.#clock.now() - this.#askedMs;
    if (this.#isDone || elapsedMs < MEASURED_MS) return false;
    const seconds = Math.abs((this.#reached ?? 0) - (this.#first ?? 0));
    return seconds < (MIN_SPEED * elapsedMs) / 1_000;
  }

  /** A unit of it has come; `time`: of the media, seconds. */
  onUnit(time: number): void {
    if (this.#isDone) return;
    this.#cancel();
    this.#first ??= time;
    const step = (time - (this.#reached ?? time)) * this.#direction;
    if (this.#reached === null || step > 0) {
      this.#reached = time;
      this.#step = this.#step === 0 ? step : Math.min(this.#step, step);
    }
    const left = (this.end - this.#reached) * this.#direction;
    if (left <= 0 || left < this.#step * STEP_SHARE) this.finish();
    else this.#cancel = this.#clock.schedule(SILENCE_MS, () => this.finish());
  }

  /** The recorder says that nothing follows, or enough was waited for it. */
  finish(): void {
    if (this.#isDone) return;
    this.close();
    this.#onDone();
  }

  close(): void {
    this.#isDone = true;
    this.#cancel();
  }
}
