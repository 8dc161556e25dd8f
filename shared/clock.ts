/** Time, handed in: the core never reads a clock or starts a timer by itself, so that tests can run a day in seconds. */
export interface Clock {
  /** Monotonic time in milliseconds, from an arbitrary origin. */
  now(): number;
  /** UTC in milliseconds since 1970, as the local machine believes it. */
  utc(): number;
  /** Calls `callback` once, `delayMs` from now at the earliest. The returned function cancels it and may be called twice. */
  schedule(delayMs: number, callback: () => void): () => void;
}

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  utc: () => Date.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
