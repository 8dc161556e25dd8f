import type { Clock } from '../../shared/clock.js';

/**
 * Keeps a session alive: a small request at half the session's time-out (RFC 2326, 10.8 and 12.37). Cameras disagree about
 * which one: EvoStream needs a GET_PARAMETER that it does not advertise, Hipcam OPTIONS, TP-Link answers 400 to the
 * SET_PARAMETER that it advertises and answers others not at all. So there is a chain of methods; one that is refused or
 * stays without an answer makes way for the next. Nothing that happens here is fatal, and nobody waits for it.
 */

export type KeepAliveMethod = 'GET_PARAMETER' | 'OPTIONS' | 'SET_PARAMETER';

const chain: readonly KeepAliveMethod[] = ['GET_PARAMETER', 'OPTIONS', 'SET_PARAMETER'];

export interface KeepAliveOptions {
  clock: Clock;
  /** The session's time-out in force, in milliseconds; asked anew each time, since replies change it. */
  timeoutMs(): number;
  /** Whether the server has the method, as far as it has said; null when it has said nothing. */
  supports(method: KeepAliveMethod): boolean | null;
  /** Sends the request; resolves with whether it was accepted, rejects when it was not answered. */
  send(method: KeepAliveMethod): Promise<boolean>;
}

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #cancelTimer: (() => void) | null = null;
  #lastSentMs = 0;
  /** Methods that were refused or not answered, and are tried again only when all have been. */
  readonly #failed = new Set<KeepAliveMethod>();

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  /** Begins to count, or to count anew: another request has just kept the session alive. */
  start(): void {
    this.#lastSentMs = this.#options.clock.now();
    this.#plan();
  }

  /** Sends what is due. To be called when data arrives, since a hidden page's timers run once a minute. */
  poll(): void {
    if (this.#cancelTimer === null || this.#waitMs() > 0) return;
    this.#lastSentMs = this.#options.clock.now();
    this.#plan();
    const method = this.#nextMethod();
    this.#options.send(method).then(
      (accepted) => this.#onOutcome(method, accepted),
      () => this.#onOutcome(method, false),
    );
  }

  /** Sends nothing any more; may be called twice. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #waitMs(): number {
    return this.#lastSentMs + this.#options.timeoutMs() / 2 - this.#options.clock.now();
  }

  #plan(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.schedule(Math.max(0, this.#waitMs()), () => {
      // The time-out may have grown meanwhile.
      if (this.#waitMs() > 0) this.#plan();
      else this.poll();
    });
  }

  #nextMethod(): KeepAliveMethod {
    const left = chain.filter((method) => !this.#failed.has(method));
    // What the server lists, else, before it has listed anything, what most have, else OPTIONS, which all must have.
    const listed = left.find((method) => this.#options.supports(method) === true);
    const unknown = left.find((method) => this.#options.supports(method) === null);
    const fallback = left.includes('OPTIONS') ? 'OPTIONS' : left[0];
    return (listed === 'SET_PARAMETER' ? fallback : listed) ?? unknown ?? fallback ?? 'OPTIONS';
  }

  #onOutcome(method: KeepAliveMethod, accepted: boolean): void {
    if (accepted) {
      this.#failed.delete(method);
      return;
    }
    this.#failed.add(method);
    if (this.#failed.size === chain.length) this.#failed.clear();
  }
}
