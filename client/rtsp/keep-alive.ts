import type { Clock } from '../../shared/clock.js';

/**
 * When a session needs a sign of life, and by which method (RFC 2326, 10.8 and 12.37; quirks of cameras in the chain).
 * Due at half the session's time-out. A hidden page's timers run once a minute, so it is also looked after whenever data
 * arrives.
 */

export class KeepAlive {
  readonly #clock: Clock;
  readonly #send: (method: string) => void;
  /** Methods still in question, the best first: Hipcam takes OPTIONS alone, EvoStream GET_PARAMETER unadvertised. */
  #methods = ['GET_PARAMETER', 'OPTIONS', 'SET_PARAMETER'];
  #timeoutMs: number;
  #last: number;
  #cancel: (() => void) | null = null;

  /** @param send - sends the request and does not wait for its answer */
  constructor(clock: Clock, timeoutMs: number, send: (method: string) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#send = send;
    this.#last = clock.now();
  }

  /** The session's time-out, milliseconds: servers name another one from reply to reply. */
  set timeoutMs(timeoutMs: number) {
    if (timeoutMs === this.#timeoutMs) return;
    this.#timeoutMs = timeoutMs;
    if (this.#cancel !== null) this.start();
  }

  /** What the server says it takes; a GET_PARAMETER that it does not name is tried behind OPTIONS. */
  preferFrom(supported: ReadonlySet<string>): void {
    if (!supported.has('GET_PARAMETER') && this.#methods[0] === 'GET_PARAMETER') this.refused('GET_PARAMETER');
  }

  /** The server has refused a method: another one is next. Never fatal. */
  refused(method: string): void {
    if (this.#methods[0] !== method) return;
    this.#methods = [...this.#methods.slice(1), method];
  }

  start(): void {
    this.stop();
    const wait = Math.max(0, this.#last + this.#timeoutMs / 2 - this.#clock.now());
    this.#cancel = this.#clock.schedule(wait, () => {
      this.#cancel = null;
      this.#beat();
    });
  }

  /** A request has just been sent, which is as good. */
  onRequest(): void {
    this.#last = this.#clock.now();
  }

  /** To be called whenever data arrives; costs a comparison. */
  onData(): void {
    if (this.#cancel !== null && this.#clock.now() - this.#last > this.#timeoutMs / 2) this.#beat();
  }

  /** May be called twice. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #beat(): void {
    this.#last = this.#clock.now();
    this.#send(this.#methods[0] ?? 'OPTIONS');
    this.start();
  }
}
