import type { Clock } from '../shared/clock.js';

/** Notices that a camera which plays has sent nothing for too long. Looked at now and then, it costs nothing per packet. */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #bytes = 0;
  #since: number;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#since = clock.now();
  }

  /** Starts the time anew: the camera was asked to play, or the proxy did not read for a while. */
  restart(): void {
    this.#since = this.#clock.now();
  }

  /**
   * @param bytes - received so far
   * @returns whether none came since the time-out
   */
  isSilent(bytes: number): boolean {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.restart();
    }
    return this.#clock.now() - this.#since >= this.#timeoutMs;
  }
}
