import type { Clock } from '../../shared/clock.js';

/** A clock that a test moves by hand; what is due runs inside `advance`, in order. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  utc(): number {
    return 1_700_000_000_000 + this.#now;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves on past timers without running them: for tests of what has none. */
  set(nowMs: number): void {
    this.#now = nowMs;
  }

  /** Timers that have not run and were not cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves on, with a turn of the event loop's microtasks after each timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets promises that are settled already run their reactions. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
