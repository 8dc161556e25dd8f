import type { CaptureTime } from './capture-time.js';

/**
 * RTCP sender reports (pairs of UTC and RTP time, RFC 3550, 6.4.1) → the UTC time of any RTP time of the source: when a
 * frame was taken, and, between two sources of one camera, what belongs together.
 *
 * The map runs at the source's nominal clock rate. Each report that roughly agrees is slewed in, never stepped: cameras
 * stamp reports carelessly, and sound and picture would jump against each other. A report that disagrees wildly is
 * ignored, until several in a row agree with one another against the map (the camera's clock was set).
 */

/** Milliseconds between the map and a report up to which the two agree. */
const AGREEMENT_MS = 500;
/** Reports, one after the other, that overrule a map which others have confirmed. */
const REPORTS_TO_OVERRULE = 3;
/** The same while the map rests on a single report, which may have been the wrong one. */
const REPORTS_TO_OVERRULE_PROVISIONAL = 2;
/** Milliseconds between two reports before the second counts as another witness. */
const WITNESS_INTERVAL_MS = 500;
/** Media time over which a correction is spread, in milliseconds: the usual interval between reports. */
const SLEW_MS = 5_000;
/** The reports of this long tell the drift, in milliseconds: by then the network's jitter is small beside it. */
const MIN_DRIFT_SPAN_MS = 60_000;
/** RTP time that goes another way than our own by more than this has begun anew. Milliseconds. */
const MAX_DRIFT_MS = 10_000;
/** The fastest that the map may slew, in milliseconds a millisecond: half a percent cannot be seen or heard. */
const MAX_SLEW_RATE = 0.005;
/** How much of what it remembers of the reports' disagreement is left after the next one. */
const DISAGREEMENT_KEPT = 0.8;

export class SenderClock {
  readonly #msPerTick: number;

  // The map: the line through (anchorTicks, anchorUtc) at the nominal rate, less a deviation from it that shrinks to
  // nothing over slewMs of media time.
  #anchorTicks = 0;
  #anchorUtc = 0;
  #deviationMs = 0;
  #slewMs = 1;
  #witnesses = 0;
  #lastWitnessMs = 0;
  #disagreementMs = 0;

  // The line of those that disagree.
  #otherTicks = 0;
  #otherUtc = 0;
  #otherWitnesses = 0;
  #otherLastMs = 0;

  // The first report of this RTP time line, and what the newest one says beside it.
  #firstTicks = 0;
  #firstArrivalMs = Number.NaN;
  #drift: number | null = null;

  #epoch = 0;
  #ignoredReports = 0;

  /** @param clockRate - ticks a second of the RTP clock */
  constructor(clockRate: number) {
    this.#msPerTick = 1000 / clockRate;
  }

  /** Whether a report has come. */
  get isKnown(): boolean {
    return this.#witnesses > 0;
  }

  /** Whether at least two reports agree on the map; until then it is provisional. */
  get isConfirmed(): boolean {
    return this.#witnesses > 1;
  }

  /** Grows by one whenever the map was replaced at one step: times from before and after do not compare. */
  get epoch(): number {
    return this.#epoch;
  }

  /** How much faster the source's RTP clock runs than ours, as a share (0.0002: 200 millionths); null in the first minute. */
  get drift(): number | null {
    return this.#drift;
  }

  /** Reports that disagreed and were not used. */
  get ignoredReports(): number {
    return this.#ignoredReports;
  }

  /**
   * Takes a sender report.
   * @param utcMs - its NTP time, in milliseconds since 1970
   * @param ticks - its RTP time, unwrapped on the source's time line
   * @param arrivalMs - when it came, by the local monotonic clock
   */
  onSenderReport(utcMs: number, ticks: number, arrivalMs: number): void {
    if (!Number.isFinite(utcMs) || !Number.isFinite(ticks)) return;
    this.#measureDrift(ticks, arrivalMs);
    if (this.#witnesses === 0) {
      this.#anchor(utcMs, ticks, 0);
      this.#witnesses = 1;
      this.#lastWitnessMs = arrivalMs;
      return;
    }
    const mapped = this.#map(ticks);
    if (Math.abs(utcMs - mapped) <= AGREEMENT_MS) {
      this.#anchor(utcMs, ticks, mapped - utcMs);
      this.#disagreementMs = Math.max(Math.abs(mapped - utcMs), DISAGREEMENT_KEPT * this.#disagreementMs);
      if (arrivalMs - this.#lastWitnessMs >= WITNESS_INTERVAL_MS) {
        this.#witnesses++;
        this.#lastWitnessMs = arrivalMs;
      }
      this.#otherWitnesses = 0;
      return;
    }
    this.#ignoredReports++;
    this.#onDisagreement(utcMs, ticks, arrivalMs);
  }

  /** UTC in milliseconds since 1970 at this RTP time (unwrapped), by the camera's own clock; null before a report. */
  utcOf(ticks: number): number | null {
    return this.#witnesses === 0 ? null : this.#map(ticks);
  }

  /** The same with how far it may be off: as far as the newest reports were, or, after the first one, as they may be. */
  captureAt(ticks: number): CaptureTime | null {
    const utc = this.utcOf(ticks);
    const uncertainty = (this.isConfirmed ? this.#disagreementMs : AGREEMENT_MS) / 1000;
    return utc === null ? null : { utc, source: 'sender-report', uncertainty };
  }

  /** The RTP time (unwrapped ticks, fractional) of a UTC time; null before a report. Ignores a slew that is under way. */
  ticksOf(utcMs: number): number | null {
    return this.#witnesses === 0 ? null : this.#anchorTicks + (utcMs - this.#anchorUtc) / this.#msPerTick;
  }

  /** Forgets all reports: the source or its time line is another one. */
  reset(): void {
    this.#witnesses = 0;
    this.#disagreementMs = 0;
    this.#otherWitnesses = 0;
    this.#firstArrivalMs = Number.NaN;
    this.#drift = null;
    this.#epoch++;
  }

  #measureDrift(ticks: number, arrivalMs: number): void {
    const spanMs = arrivalMs - this.#firstArrivalMs;
    const driftMs = (ticks - this.#firstTicks) * this.#msPerTick - spanMs;
    if (!(Math.abs(driftMs) <= MAX_DRIFT_MS)) {
      this.#firstTicks = ticks;
      this.#firstArrivalMs = arrivalMs;
      this.#drift = null;
    } else if (spanMs >= MIN_DRIFT_SPAN_MS) {
      this.#drift = driftMs / spanMs;
    }
  }

  #map(ticks: number): number {
    const elapsedMs = (ticks - this.#anchorTicks) * this.#msPerTick;
    // Frames from before the report keep the value that they had.
    const progress = Math.min(1, Math.max(0, elapsedMs / this.#slewMs));
    return this.#anchorUtc + elapsedMs + this.#deviationMs * (1 - progress);
  }

  #anchor(utcMs: number, ticks: number, deviationMs: number): void {
    this.#anchorUtc = utcMs;
    this.#anchorTicks = ticks;
    this.#deviationMs = deviationMs;
    this.#slewMs = Math.max(SLEW_MS, Math.abs(deviationMs) / MAX_SLEW_RATE);
  }

  #onDisagreement(utcMs: number, ticks: number, arrivalMs: number): void {
    const expected = this.#otherUtc + (ticks - this.#otherTicks) * this.#msPerTick;
    const agrees = this.#otherWitnesses > 0 && Math.abs(utcMs - expected) <= AGREEMENT_MS;
    if (!agrees) {
      this.#otherWitnesses = 1;
    } else if (arrivalMs - this.#otherLastMs >= WITNESS_INTERVAL_MS) {
      this.#otherWitnesses++;
    } else {
      return;
    }
    this.#otherTicks = ticks;
    this.#otherUtc = utcMs;
    this.#otherLastMs = arrivalMs;
    const needed = this.isConfirmed ? REPORTS_TO_OVERRULE : REPORTS_TO_OVERRULE_PROVISIONAL;
    if (this.#otherWitnesses < needed) return;
    this.#anchor(utcMs, ticks, 0);
    this.#disagreementMs = Math.abs(utcMs - expected);
    this.#witnesses = this.#otherWitnesses;
    this.#lastWitnessMs = arrivalMs;
    this.#otherWitnesses = 0;
    this.#epoch++;
  }
}
