import type { Clock } from '../../shared/clock.js';

/**
 * Notices that media has stopped coming, though the connection stands. Looks at the clock by a timer and whenever media
 * arrives, since a hidden page's timers run once a minute.
 */

/** Silence that is never too long, milliseconds. */
const MIN_SILENCE_MS = 3_000;
/** Frame intervals that may pass in silence: some cameras send a frame every few seconds. */
const SILENT_INTERVALS = 5;
/** A camera may take this long from PLAY to its first packet, milliseconds. */
const FIRST_DATA_MS = 10_000;

export class Watchdog {
  readonly #clock: Clock;
  readonly #onSilence: (silentMs: number) => void;
  #cancel: (() => void) | null = null;
  #lastData = 0;
  #interval = 0;
  #hasData = false;

  /** @param onSilence - called once per `start()`, with the milliseconds since the last data */
  constructor(clock: Clock, onSilence: (silentMs: number) => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  /** Silence that is still normal, milliseconds. */
  get limitMs(): number {
    return this.#hasData ? Math.max(MIN_SILENCE_MS, SILENT_INTERVALS * this.#interval) : FIRST_DATA_MS;
  }

  /** Begins to watch. */
  start(): void {
    this.stop();
    this.#hasData = false;
    this.#interval = 0;
    this.#lastData = this.#clock.now();
    this.#wait();
  }

  /** Media has come. */
  onData(): void {
    if (this.#cancel === null) return;
    const now = this.#clock.now();
    const step = now - this.#lastData;
    if (this.#hasData) this.#interval += 0.1 * (step - this.#interval);
    this.#hasData = true;
    this.#lastData = now;
  }

  /** Stops watching; may be called twice. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #wait(): void {
    const silent = this.#clock.now() - this.#lastData;
    const left = Math.max(50, this.limitMs - silent);
    // Looked at again soon after the first data, which shortens the limit.
    this.#cancel = this.#clock.schedule(Math.min(left, MIN_SILENCE_MS), () => {
      const silentMs = this.#clock.now() - this.#lastData;
      if (silentMs < this.limitMs) {
        this.#wait();
        return;
      }
      this.stop();
      this.#onSilence(silentMs);
    });
  }
}
