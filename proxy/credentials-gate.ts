/**
 * Keeps an account of a camera from being locked: credentials that are not known to be right are tried by one connection
 * at a time, and rejected ones not again for a minute, whoever asks.
 */
import type { Clock } from '../shared/clock.js';
import { StreamError } from '../shared/errors.js';

/** What a viewer is told. */
export function rejectedCredentials(): StreamError {
  return new StreamError('camera-rejects-credentials', "The camera rejects the proxy's credentials.");
}

export class CredentialsGate {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #state: 'untested' | 'being tested' | 'good' = 'untested';
  #rejectedUntil = Number.NEGATIVE_INFINITY;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** The failure that everybody meets while the camera's last word is a rejection; null otherwise. */
  get rejection(): StreamError | null {
    return this.#clock.now() < this.#rejectedUntil ? rejectedCredentials() : null;
  }

  /**
   * Waits until the credentials may be sent. Resolves with true when this is the test: then exactly one of `accept`,
   * `reject` and `abandon` has to follow. Rejects with `camera-rejects-credentials`.
   */
  async enter(): Promise<boolean> {
    for (;;) {
      const rejection = this.rejection;
      if (rejection !== null) throw rejection;
      if (this.#state === 'good') return false;
      if (this.#state === 'untested') {
        this.#state = 'being tested';
        return true;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The camera took them. */
  accept(): void {
    this.#rejectedUntil = Number.NEGATIVE_INFINITY;
    this.#settle('good');
  }

  /** The camera refused them. */
  reject(): void {
    this.#rejectedUntil = this.#clock.now() + this.#intervalMs;
    this.#settle('untested');
  }

  /** The test came to no result; the next one may try. */
  abandon(): void {
    if (this.#state === 'being tested') this.#settle('untested');
  }

  /** The camera went away, and may come back with another password. */
  doubt(): void {
    if (this.#state === 'good') this.#state = 'untested';
  }

  #settle(state: 'untested' | 'good'): void {
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }
}
