import type { CaptureTime } from '../rtp/capture-time.js';
import type { SenderClock } from '../rtp/sender-clock.js';
import { Timeline } from '../rtp/timeline.js';

/**
 * One track's RTP time → the time line that all tracks of a connection share, in seconds from the start of play, and the
 * UTC at which the camera took it.
 *
 * Tracks start together by RTP-Info (RFC 2326, 12.33) where the server gives it for all of them, else as they arrive.
 * Sender reports say later what really belongs together; the picture is moved to the sound then, a little at a time.
 */

/** An RTP-Info time this far from the first packet's is a mistake of the server. Seconds. */
const MAX_START_DISTANCE_S = 10;
/** Share of elapsed time by which a track moves to where the sender reports want it. */
const SLEW = 0.02;
/** A disagreement above this is settled at one step, once the reports of both tracks are confirmed. Seconds. */
const STEP_S = 0.5;
/** Tracks that are further apart are reported by two clocks that have nothing to do with each other. Seconds. */
const MAX_DISAGREEMENT_S = 10;

export class TrackClock {
  readonly timeline: Timeline;
  /** Null before the first sender report. */
  sender: SenderClock | null = null;
  readonly #clockRate: number;
  /** Shared time minus the track's own, seconds; NaN before the first packet. */
  #shift = Number.NaN;
  #lastTicks = 0;

  /** @param clockRate - ticks a second */
  constructor(clockRate: number) {
    this.#clockRate = clockRate;
    this.timeline = new Timeline(clockRate);
  }

  get isAnchored(): boolean {
    return !Number.isNaN(this.#shift);
  }

  /**
   * Sets where the track stands at its first packet.
   * @param firstTicks - that packet's time, unwrapped
   * @param startTimestamp - the RTP time, 32 bits, of the start of play by RTP-Info; null when not to be used
   * @param sinceStart - seconds from the first packet of any track to this one, for want of RTP-Info
   */
  anchor(firstTicks: number, startTimestamp: number | null, sinceStart: number): void {
    this.#shift = sinceStart - firstTicks / this.#clockRate;
    this.#lastTicks = firstTicks;
    if (startTimestamp === null) return;
    const startTicks = this.timeline.at(startTimestamp);
    if (Math.abs(firstTicks - startTicks) <= MAX_START_DISTANCE_S * this.#clockRate) {
      this.#shift = -startTicks / this.#clockRate;
    }
  }

  /** Seconds on the shared time line. */
  timeOf(ticks: number): number {
    return ticks / this.#clockRate + this.#shift;
  }

  /** When the camera took what has a shared time, by its sender reports; null while unknown. */
  captureAt(time: number): CaptureTime | null {
    return this.sender?.captureAt(this.#ticksOf(time)) ?? null;
  }

  /**
   * Moves this track towards the place where the sender reports of both have it beside the other.
   * @param ticks - the time that is about to be converted
   */
  alignWith(other: TrackClock, ticks: number): void {
    const elapsed = Math.max(0, (ticks - this.#lastTicks) / this.#clockRate);
    this.#lastTicks = ticks;
    const time = this.timeOf(ticks);
    const utc = this.sender?.utcOf(ticks) ?? null;
    const utcOfOther = other.sender?.utcOf(other.#ticksOf(time)) ?? null;
    if (utc === null || utcOfOther === null) return;
    const error = (utc - utcOfOther) / 1000;
    if (Math.abs(error) > MAX_DISAGREEMENT_S) return;
    const slew = SLEW * elapsed;
    const isStep = Math.abs(error) > STEP_S && this.sender?.isConfirmed && other.sender?.isConfirmed;
    this.#shift += isStep ? error : Math.max(-slew, Math.min(slew, error));
  }

  /** The next packet is a first one again. */
  reset(): void {
    this.timeline.reset();
    this.sender?.reset();
    this.#shift = Number.NaN;
  }

  #ticksOf(time: number): number {
    return (time - this.#shift) * this.#clockRate;
  }
}
