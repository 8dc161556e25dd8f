import type { LatencyPolicy } from './latency.js';
import { TransitWindow } from './transit-window.js';

/**
 * Decides when each live video frame is shown, by choosing its presentation time on the media element's own timeline.
 *
 * The playhead is left alone: it runs at rate 1, and the frames are placed around it. A frame's place is the playhead at
 * its arrival, plus what it came early in comparison to the slower ones, plus the policy's margin. Drift between the
 * camera's clock and ours, jitter that grows or shrinks, a burst after a stall: all of them move where the next frames
 * are placed, a little at a time where that suffices, and no rate change or seek ever disturbs the decoder.
 *
 * Chromium draws video by a cadence (25 frames on 60 Hz: 2, 3, 2, 3 refreshes) when frames are evenly spaced, and in that
 * mode takes a frame that has had its refreshes as the end of the data: `waiting`, although its duration covers the gap.
 * Frames whose spacing deviates by more than 0.55 of a refresh are drawn by coverage instead: the newest one that is due,
 * for as long as no other is there. So at low latency every second frame is moved by two thirds of a refresh.
 */

/** Least step between two frames, seconds: frames of a burst are placed this close, so that the last is shown soon. */
const MIN_STEP_S = 0.001;
/** Greatest step, in declared durations: beyond two of them Chromium discards everything up to the next key frame. */
const MAX_STEP = 1.9;
/** Least declared duration of a frame, seconds: an upper bound of what it will turn out to be, not the truth. */
const MIN_DURATION_S = 1;
/** The same in frame intervals, for cameras that send a frame every few seconds. */
const DURATION_INTERVALS = 4;
/** A step of the frames' own time above this tells nothing about their interval. Seconds. */
const MAX_INTERVAL_S = 60;
/** A frame time that goes back, or ahead by more than this, is a new timeline of the camera. Seconds. */
const MAX_SOURCE_STEP_S = 10;
const MAX_SOURCE_STEP_BACK_S = 1;
/** Share of elapsed time by which the placement moves to its target: not visible, not audible. */
const SLEW = 0.02;
/** An error above this is corrected in one step. Seconds. */
const STEP_ERROR_S = 0.05;
/** Displacement of every second frame, seconds: 0.66 of a refresh at 60 Hz. */
const CADENCE_SHIFT_S = 0.011;

export class LiveEdge {
  readonly #transits = new TransitWindow();
  #policy: LatencyPolicy;
  /** Presentation time minus source time; NaN before the first frame. */
  #offset = Number.NaN;
  #lastSource = 0;
  /** NaN before the first frame. */
  #lastPlaced = Number.NaN;
  #interval = 0;
  #odd = false;

  constructor(policy: LatencyPolicy) {
    this.#policy = policy;
  }

  set policy(policy: LatencyPolicy) {
    this.#policy = policy;
  }

  /** The next frame begins a new timeline (a new connection, a key frame after a long break). */
  reset(): void {
    this.#transits.reset();
    this.#offset = Number.NaN;
  }

  /** The duration, in seconds, to declare for the frame placed last. */
  get duration(): number {
    return Math.max(MIN_DURATION_S, DURATION_INTERVALS * this.#interval);
  }

  /** Seconds that a frame which came at the network's best waits for the slower ones. */
  get delay(): number {
    const jitter = Math.min(this.#transits.jitter(this.#policy.onTime), this.#policy.maxJitterDelay);
    return jitter + this.#policy.margin;
  }

  /**
   * Places a frame in step with the network: as early as the policy lets it.
   * @param sourceTime - the frame's own time, seconds
   * @param arrival - now, seconds of a monotonic clock
   * @param playhead - the media element's currentTime
   * @returns the presentation time, greater than the one before
   */
  place(sourceTime: number, arrival: number, playhead: number): number {
    this.#begin(sourceTime);
    this.#transits.add(sourceTime, arrival);
    const earliest = sourceTime + this.#transits.minimum;
    const target = playhead + (earliest - arrival) + this.delay - sourceTime;
    return this.#settle(sourceTime, target, playhead);
  }

  /**
   * Places a frame in step with something else: the sound.
   * @param target - where it belongs, seconds of presentation time
   */
  placeAt(sourceTime: number, arrival: number, playhead: number, target: number): number {
    this.#begin(sourceTime);
    this.#transits.add(sourceTime, arrival);
    return this.#settle(sourceTime, target - sourceTime, playhead);
  }

  #begin(sourceTime: number): void {
    const step = sourceTime - this.#lastSource;
    if (step > MAX_SOURCE_STEP_S || step < -MAX_SOURCE_STEP_BACK_S) this.reset();
  }

  #settle(sourceTime: number, target: number, playhead: number): number {
    const begins = Number.isNaN(this.#offset);
    const step = sourceTime - this.#lastSource;
    if (begins) {
      this.#offset = target;
    } else {
      const error = target - this.#offset;
      const slew = SLEW * Math.max(0, step);
      this.#offset += Math.abs(error) > STEP_ERROR_S ? error : Math.max(-slew, Math.min(slew, error));
    }
    let place = sourceTime + this.#offset;
    this.#odd = !this.#odd;
    if (this.#odd && this.#policy.drawing === 'newest') place += Math.max(0, Math.min(CADENCE_SHIFT_S, 0.4 * step));
    if (Number.isNaN(this.#lastPlaced)) {
      // The first frame of all shows at once and stays until the second is due: Chromium does not start in a gap.
      place = playhead;
    } else {
      const maxStep = MAX_STEP * this.duration;
      place = Math.max(this.#lastPlaced + MIN_STEP_S, Math.min(this.#lastPlaced + maxStep, place));
      if (!begins && step > 0 && step < MAX_INTERVAL_S)
        this.#interval = this.#interval === 0 ? step : this.#interval + 0.1 * (step - this.#interval);
    }
    this.#lastSource = sourceTime;
    this.#lastPlaced = place;
    return place;
  }
}
