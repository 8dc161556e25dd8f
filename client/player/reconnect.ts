import type { Clock } from '../../shared/clock.js';
import type { RetryPolicy } from '../../shared/errors.js';

/**
 * When to try again: soon at first, then less often, each time at random within a span, so that the viewers of a camera
 * that comes back do not all come at the same moment. A proxy shields its cameras, so the longest wait can be short
 * enough for an operator.
 */

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 3_000;
/** After this long without success, a longer wait. */
const PATIENCE_MS = 120_000;
const MAX_DELAY_LATER_MS = 10_000;
/** Upper bound of the wait when the other end went away in good order. */
const AT_ONCE_SPREAD_MS = 300;

export class Reconnect {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #attempt: () => void;
  #cancel: (() => void) | null = null;
  #failures = 0;
  #firstFailureAt = 0;

  /** @param attempt - called when it is time */
  constructor(clock: Clock, attempt: () => void, random: () => number = Math.random) {
    this.#clock = clock;
    this.#attempt = attempt;
    this.#random = random;
  }

  get isWaiting(): boolean {
    return this.#cancel !== null;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Plans the next attempt. Returns the wait in milliseconds, or null where trying again makes no sense. */
  plan(policy: RetryPolicy): number | null {
    this.cancel();
    if (policy === 'never' || policy === 'new-token') return null;
    if (this.#failures === 0) this.#firstFailureAt = this.#clock.now();
    this.#failures++;
    const delay = policy === 'at-once' && this.#failures === 1 ? this.#random() * AT_ONCE_SPREAD_MS : this.#backOff();
    this.#cancel = this.#clock.schedule(delay, () => this.hurry());
    return delay;
  }

  /** Makes a planned attempt now: the network or the page has come back. */
  hurry(): void {
    if (this.#cancel === null) return;
    this.cancel();
    this.#attempt();
  }

  /** Media flows: the next failure is a first one. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Gives up a planned attempt; may be called twice. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #backOff(): number {
    const isLate = this.#clock.now() - this.#firstFailureAt > PATIENCE_MS;
    const longest = Math.min(
      FIRST_DELAY_MS * 2 ** Math.min(this.#failures - 1, 10),
      isLate ? MAX_DELAY_LATER_MS : MAX_DELAY_MS,
    );
    return longest * (0.5 + 0.5 * this.#random());
  }
}
