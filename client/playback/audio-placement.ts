import type { LatencyPolicy } from './latency.js';

/**
 * Decides where audio units go on the media element's timeline. Units are placed by count, one right behind the other on
 * a grid of whole units, so that no rounding is ever heard; their own time only says when the count is wrong. Gaps become
 * silence, and so does whatever the playhead would otherwise run into: Chromium stops picture and sound together when
 * less than some 100 ms of sound are ahead of the playhead.
 */

/** Silence is added when less than this is ahead of the playhead, seconds (Chromium was seen to stop at 97 ms). */
const LOW_WATER_S = 0.12;
/** What is ahead after silence was added, seconds. */
const REFILL_S = 0.17;
/** Sound ahead of the playhead at the start, seconds: Chromium does not start with less than some 200 ms. */
export const START_LEAD_S = 0.26;
/** A gap in the units' own time longer than this is a new timeline, not a loss. Seconds. */
const MAX_GAP_S = 3;
/** Units that come too late for their place, one after the other, before the places are moved to where they come. Seconds. */
const LATE_PATIENCE_S = 0.5;
/** How far the lead may be off before the playhead's speed is changed, and how near it then has to get. Seconds. */
const LEAD_TOLERANCE_S = 0.012;
const LEAD_REACHED_S = 0.004;
/** Change of speed that holds the lead: nobody hears it. */
const NUDGE = 0.01;
/** A lead that is too long by more than this is shortened by leaving units out: at the start, or after a burst. Seconds. */
const SKIP_ERROR_S = 0.06;
/** Seconds over which the least lead is taken; the first look comes sooner, since what starts has nothing to disturb. */
const LEAD_SPAN_S = 1.5;
const FIRST_LEAD_SPAN_S = 0.4;

export interface AudioPlace {
  /** Units of silence to append first. */
  readonly silentUnits: number;
  /** Where the silence begins, in units since the start. */
  readonly silenceAt: number;
  /** Where the unit goes, in units since the start; null: it came too late and is to be dropped. */
  readonly at: number | null;
}

export class AudioPlacement {
  readonly #unitSeconds: number;
  readonly #policy: LatencyPolicy;
  /** Units appended so far, silence included: the next unit's place. */
  #next = 0;
  /** Place of a unit minus its own time, seconds; NaN before the first. */
  #offset = Number.NaN;
  #lateSince = Number.NaN;
  #leadSpanStart = Number.NaN;
  #leastLead = Number.POSITIVE_INFINITY;
  #leadSpan = FIRST_LEAD_SPAN_S;
  #rate = 1;
  /** Units still to be left out. */
  #skip = 0;

  /** @param unitSeconds - duration of one unit: samples a unit over the sample rate */
  constructor(unitSeconds: number, policy: LatencyPolicy) {
    this.#unitSeconds = unitSeconds;
    this.#policy = policy;
  }

  /** Place of a unit minus its own time, seconds: what the picture has to add to be in step. NaN before the first unit. */
  get offset(): number {
    return this.#offset;
  }

  /** End of what was appended, seconds. */
  get end(): number {
    return this.#next * this.#unitSeconds;
  }

  /** The next unit begins a new timeline. */
  reset(): void {
    this.#offset = Number.NaN;
    this.#skip = 0;
    this.#lateSince = Number.NaN;
    this.#leadSpanStart = Number.NaN;
    this.#leastLead = Number.POSITIVE_INFINITY;
  }

  /**
   * Places a unit.
   * @param sourceTime - the unit's own time, seconds
   * @param playhead - the media element's currentTime
   */
  place(sourceTime: number, playhead: number): AudioPlace {
    const unit = this.#unitSeconds;
    if (this.#skip > 0) {
      this.#skip--;
      this.#offset -= unit;
      return { silentUnits: 0, silenceAt: this.#next, at: null };
    }
    if (Number.isNaN(this.#offset)) return this.#anchor(sourceTime, playhead);
    const error = sourceTime + this.#offset - this.end;
    if (error > MAX_GAP_S || error < -MAX_GAP_S) return this.#anchor(sourceTime, playhead);
    if (error > 0.75 * unit) return this.#take(Math.round(error / unit));
    if (error < -0.75 * unit) {
      if (Number.isNaN(this.#lateSince)) this.#lateSince = sourceTime;
      if (sourceTime - this.#lateSince < LATE_PATIENCE_S) return { silentUnits: 0, silenceAt: this.#next, at: null };
      return this.#anchor(sourceTime, playhead);
    }
    return this.#take(0);
  }

  /** Units of silence that are needed now to keep the playhead going; they count as appended, from `silenceAt` on. */
  keepAhead(playhead: number): { silentUnits: number; silenceAt: number } {
    const silenceAt = this.#next;
    if (this.end - playhead >= LOW_WATER_S) return { silentUnits: 0, silenceAt };
    const silentUnits = Math.ceil((playhead + REFILL_S - this.end) / this.#unitSeconds);
    this.#next += silentUnits;
    return { silentUnits, silenceAt };
  }

  /**
   * The playback rate that holds the lead. Call it after each unit placed.
   * @param now - seconds of a monotonic clock
   */
  rate(playhead: number, now: number): number {
    // Before the playhead moves there is no lead to speak of.
    if (playhead === 0) return this.#rate;
    if (Number.isNaN(this.#leadSpanStart)) this.#leadSpanStart = now;
    this.#leastLead = Math.min(this.#leastLead, this.end - this.#unitSeconds - playhead);
    if (now - this.#leadSpanStart < this.#leadSpan) return this.#rate;
    const error = this.#leastLead - this.#policy.audioLead;
    this.#leadSpanStart = now;
    this.#leadSpan = LEAD_SPAN_S;
    this.#leastLead = Number.POSITIVE_INFINITY;
    if (error > SKIP_ERROR_S) this.#skip = Math.floor(error / this.#unitSeconds);
    const isHeld = Math.abs(error) < LEAD_TOLERANCE_S;
    // Once under way, a change of speed goes on until the lead is right, not just tolerable.
    const isReached =
      this.#rate === 1 ? isHeld : Math.sign(error) !== Math.sign(this.#rate - 1) || Math.abs(error) < LEAD_REACHED_S;
    this.#rate = isReached || this.#skip > 0 ? 1 : 1 + Math.sign(error) * NUDGE;
    return this.#rate;
  }

  #anchor(sourceTime: number, playhead: number): AudioPlace {
    const { audioLead } = this.#policy;
    const lead = playhead === 0 ? Math.max(START_LEAD_S - this.#unitSeconds, audioLead) : audioLead;
    const silentUnits = Math.max(0, Math.ceil((playhead + lead - this.end) / this.#unitSeconds));
    this.#offset = (this.#next + silentUnits) * this.#unitSeconds - sourceTime;
    return this.#take(silentUnits);
  }

  #take(silentUnits: number): AudioPlace {
    this.#lateSince = Number.NaN;
    const silenceAt = this.#next;
    const at = silenceAt + silentUnits;
    this.#next = at + 1;
    return { silentUnits, silenceAt, at };
  }
}
