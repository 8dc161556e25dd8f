import type { Clock } from '../../shared/clock.js';

/**
 * Notices that media has stopped coming, though the connection stands. How much silence is normal is learnt from the
 * frames; silence itself is the absence of packets, because frames are also missing while a key frame is awaited.
 */

/** Silence that is never too long, milliseconds. */
const MIN_SILENCE_MS = 3_000;
/** Frame intervals that may pass in silence: some cameras send a frame every few seconds. */
const SILENT_INTERVALS = 5;
/** A camera may take this long from PLAY to its first packet, and again to its second frame, milliseconds. */
const FIRST_DATA_MS = 10_000;
/** Time in which a longer interval is forgotten when frames come sooner again, milliseconds; later ones count at once. */
const FORGET_MS = 150;

export class Watchdog {
  readonly #clock: Clock;
  readonly #onSilence: (silentMs: number) => void;
  #cancel: (() => void) | null = null;
  #lastData = 0;
  #lastFrame = Number.NaN;
  /** Milliseconds between frames, the longest of late; 0 before two frames came. */
  #interval = 0;

  /** @param onSilence - called once per `start()`, with the milliseconds since the last data */
  constructor(clock: Clock, onSilence: (silentMs: number) => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  /** Silence that is still normal, milliseconds. */
  get limitMs(): number {
    if (this.#interval === 0 || Number.isNaN(this.#lastFrame)) return FIRST_DATA_MS;
    return Math.max(MIN_SILENCE_MS, SILENT_INTERVALS * this.#interval);
  }

  /** Begins to watch. */
  start(): void {
    this.stop();
    this.#lastFrame = Number.NaN;
    this.#lastData = this.#clock.now();
    this.#wait();
  }

  /** A packet has come. */
  onPacket(): void {
    this.#lastData = this.#clock.now();
  }

  /** A frame is complete. */
  onFrame(): void {
    const now = this.#clock.now();
    const step = now - this.#lastFrame;
    this.#lastFrame = now;
    if (step > this.#interval) this.#interval = step;
    else if (step >= 0) this.#interval += (1 - Math.exp(-step / FORGET_MS)) * (step - this.#interval);
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
      // What was taken for silence may be this camera's way: the next connection waits twice as long, until frames come
      // sooner.
      this.#interval = Math.max(this.#interval, (2 * silentMs) / SILENT_INTERVALS);
      this.#onSilence(silentMs);
    });
  }
}
