import type { Clock } from '../../shared/clock.js';

/**
 * Notices that media has stopped coming, though the connection stands. How much silence is normal is learnt from the
 * frames; silence itself is the absence of packets, because frames are also missing while a key frame is awaited.
 */

/** Silence that is never too long, milliseconds. */
const MIN_SILENCE_MS = 3_000;
/** Frame intervals that may pass in silence: some cameras send a frame every few seconds. */
const SILENT_INTERVALS = 5;
/** The longest silence that any frame interval makes normal, milliseconds: by some cameras' clocks, frames are hours apart. */
const MAX_SILENCE_MS = 300_000;
/** The longest silence that is normal while the camera's frame interval is not yet sure, milliseconds. */
const FIRST_DATA_MS = 10_000;
/** That silence doubles with every connection on which it was too short, up to this many milliseconds. */
const MAX_FIRST_DATA_MS = 60_000;
/** Frame intervals that are remembered; their median is the camera's. One gap, however long, tells nothing. */
const REMEMBERED_INTERVALS = 5;
/** Frame intervals that must be known before their median counts. */
const MIN_INTERVALS = 3;

export class Watchdog {
  readonly #clock: Clock;
  readonly #onSilence: (silentMs: number) => void;
  #cancel: (() => void) | null = null;
  #lastData = 0;
  #lastFrame = Number.NaN;
  #lastMediaTime = Number.NaN;
  /** The latest intervals, milliseconds, newest last. */
  #intervals: number[] = [];
  #firstDataMs = FIRST_DATA_MS;

  /** @param onSilence - called once per `start()`, with the milliseconds since the last data */
  constructor(clock: Clock, onSilence: (silentMs: number) => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  /** Silence that is still normal, milliseconds. */
  get limitMs(): number {
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    // Of the first two the shorter one counts: the other may be the gap after an old key frame.
    const isKnown = sorted.length >= MIN_INTERVALS;
    const interval = sorted[isKnown ? sorted.length >> 1 : 0] ?? Number.POSITIVE_INFINITY;
    const limit = Math.min(MAX_SILENCE_MS, Math.max(MIN_SILENCE_MS, SILENT_INTERVALS * interval));
    return isKnown ? limit : Math.min(limit, this.#firstDataMs);
  }

  /** Begins to watch. */
  start(): void {
    this.stop();
    this.#lastFrame = Number.NaN;
    this.#lastMediaTime = Number.NaN;
    this.#intervals = [];
    this.#lastData = this.#clock.now();
    this.#wait();
  }

  /** A packet has come. */
  onPacket(): void {
    this.#lastData = this.#clock.now();
  }

  /**
   * A frame is complete.
   * @param mediaTime - its time by the camera's clock, seconds; it tells the interval where frames come in one burst
   */
  onFrame(mediaTime: number): void {
    const now = this.#clock.now();
    const interval = Math.max(now - this.#lastFrame, 1_000 * (mediaTime - this.#lastMediaTime));
    this.#lastFrame = now;
    this.#lastMediaTime = mediaTime;
    if (Number.isNaN(interval)) return;
    this.#intervals.push(interval);
    if (this.#intervals.length > REMEMBERED_INTERVALS) this.#intervals.shift();
    if (this.#intervals.length >= MIN_INTERVALS) this.#firstDataMs = FIRST_DATA_MS;
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
      if (this.#intervals.length < MIN_INTERVALS) {
        this.#firstDataMs = Math.min(2 * this.#firstDataMs, MAX_FIRST_DATA_MS);
      }
      this.#onSilence(silentMs);
    });
  }
}
