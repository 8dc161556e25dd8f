/**
 * How long the beginning of a frame may wait for its rest, so that they go out as one message: not at all while the process
 * has little to do, longer the busier it is. Nearly all that a proxy costs is the sending. A frame that is complete never
 * waits, and an incomplete one cannot be shown.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from '../shared/clock.js';
import { HOLD_TRIAL_INTERVAL_MS, MAX_HOLD_MS } from '../shared/limits.js';

/** Whoever holds something back. */
export interface Holder {
  /** The time is over. Returns whether it was in vain: nothing came that could be sent along. */
  release(): boolean;
}

/** The share of its time for which the process works, from which on the wait is as long as it may be. */
const BUSY_UTILIZATION = 0.1;
const SAMPLE_MS = 500;
/** Timers are that exact. */
const TIMER_MS = 1;
/** Waiting is worth while if something came in at least so many of all waits. */
const MIN_SUCCESS = 1 / 3;

/** The share of the time for which this thread worked, from one call to the next. */
function eventLoopUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

export class WriteCoalescer {
  readonly #clock: Clock;
  readonly #utilization: () => number;
  #holdMs = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;
  /** Waits since then that are over, and those of them that were in vain. */
  #waits = 0;
  #vainWaits = 0;
  /** Until then nothing waits: it was of no use. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** In the order in which their time comes. */
  #waiting: { holder: Holder; until: number }[] = [];

  constructor(clock: Clock, utilization: () => number = eventLoopUtilization()) {
    this.#clock = clock;
    this.#utilization = utilization;
  }

  /** Milliseconds for which something may be held back now; 0: not at all. */
  get holdMs(): number {
    const now = this.#clock.now();
    if (now - this.#sampledAt >= SAMPLE_MS) this.#sample(now);
    return this.#holdMs;
  }

  #sample(now: number): void {
    this.#sampledAt = now;
    // What is written at longer intervals gains nothing.
    if (this.#vainWaits > this.#waits * (1 - MIN_SUCCESS)) this.#pausedUntil = now + HOLD_TRIAL_INTERVAL_MS;
    this.#waits = 0;
    this.#vainWaits = 0;
    const holdMs = (MAX_HOLD_MS * this.#utilization()) / BUSY_UTILIZATION;
    // What is shorter than a timer's step is not worth one.
    this.#holdMs = holdMs < TIMER_MS || now < this.#pausedUntil ? 0 : Math.min(holdMs, MAX_HOLD_MS);
  }

  /** Calls `holder.release` when its time is over. */
  add(holder: Holder): void {
    this.#waiting.push({ holder, until: this.#clock.now() + this.#holdMs });
    if (this.#waiting.length === 1) this.#clock.schedule(this.#holdMs, () => this.#release());
  }

  #release(): void {
    const now = this.#clock.now();
    const later = this.#waiting.findIndex(({ until }) => until > now + TIMER_MS / 2);
    const due = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    const next = this.#waiting[0];
    if (next !== undefined) this.#clock.schedule(next.until - now, () => this.#release());
    this.#waits += due.length;
    for (const { holder } of due) if (holder.release()) this.#vainWaits++;
  }
}
