import type { AccessUnit } from '../codec/access-unit.js';
import { silentUnit } from '../codec/silence.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import { audioSampleEntry } from '../fmp4/audio-sample-entry.js';
import { AudioPlacement } from './audio-placement.js';
import { mimeTypeOf } from './container.js';
import type { LatencyPolicy } from './latency.js';
import { KEEP_BEHIND_S, SourceBufferQueue, type SourceBufferQueueHandlers } from './source-buffer-queue.js';

/** Audio access units, and silence between them → placed samples → the SourceBuffer of a presentation's audio track. */

const TRACK_ID = 2;
/** How often what lies behind the playhead is removed. */
const TRIM_EVERY_UNITS = 200;
/** Silence added at once at most, units: a bound, not a choice. */
const MAX_SILENT_UNITS = 500;

export class AudioFeed {
  readonly buffer: SourceBuffer;
  readonly #queue: SourceBufferQueue;
  /** By which the sound is placed, once and for all. */
  readonly policy: LatencyPolicy;
  #placement: AudioPlacement;
  /** Where the placement's count begins, seconds of the media element's time: a new size of units begins a new count. */
  #origin = 0;
  #config: AudioTrackConfig;
  #silence: AccessUnit | null;
  #unitsSinceTrim = 0;
  /** Units that came after their place had been filled with silence. */
  lateUnits = 0;
  /** Units of silence that were put in. */
  silentUnits = 0;

  constructor(
    mediaSource: MediaSource,
    config: AudioTrackConfig,
    policy: LatencyPolicy,
    handlers: SourceBufferQueueHandlers,
  ) {
    this.buffer = mediaSource.addSourceBuffer(mimeTypeOf(config));
    this.#queue = new SourceBufferQueue(this.buffer, TRACK_ID, handlers);
    this.policy = policy;
    this.#placement = placementOf(config, policy);
    this.#config = config;
    this.#silence = silentUnit(config);
    this.#queue.configure(config, config.sampleRate, audioSampleEntry(config));
  }

  /** Place minus source time of the sound, seconds; NaN before the first unit. */
  get offset(): number {
    return this.#origin + this.#placement.offset;
  }

  /** End of what was appended, seconds of the media element's time. */
  get end(): number {
    return this.#origin + this.#placement.end;
  }

  get droppedSamples(): number {
    return this.#queue.droppedSamples + this.lateUnits;
  }

  /**
   * Takes an access unit.
   * @param sourceTime - its presentation time, seconds
   * @param playhead - the media element's currentTime
   */
  push(unit: AccessUnit, config: AudioTrackConfig, sourceTime: number, playhead: number): void {
    if (config !== this.#config) this.#changeConfig(config);
    const { silentUnits, silenceAt, at } = this.#placement.place(sourceTime, playhead - this.#origin);
    this.#appendSilence(silentUnits, silenceAt);
    if (at === null) this.lateUnits++;
    else this.#append(unit, at);
    if (++this.#unitsSinceTrim < TRIM_EVERY_UNITS) return;
    this.#unitsSinceTrim = 0;
    this.#queue.removeBefore(playhead - KEEP_BEHIND_S);
  }

  /** Puts silence ahead of a playhead that is about to run out of sound. */
  keepAhead(playhead: number): void {
    const { silentUnits, silenceAt } = this.#placement.keepAhead(playhead - this.#origin);
    this.#appendSilence(silentUnits, silenceAt);
  }

  /** The playback rate that holds the sound's lead. */
  rate(playhead: number, now: number): number {
    return this.#placement.rate(playhead - this.#origin, now);
  }

  /** What comes next belongs to another time line than what came before. */
  reset(): void {
    this.#placement.reset();
  }

  close(): void {
    this.#queue.close();
  }

  #append(unit: AccessUnit, at: number): void {
    const duration = this.#config.samplesPerUnit;
    const time = Math.round(this.#origin * this.#config.sampleRate) + at * duration;
    this.#queue.append({ unit, decodeTime: time, presentationTime: time, duration });
  }

  #appendSilence(units: number, at: number): void {
    const silence = this.#silence;
    if (silence === null || units > MAX_SILENT_UNITS) return;
    this.silentUnits += units;
    for (let i = 0; i < units; i++) this.#append(silence, at + i);
  }

  #changeConfig(config: AudioTrackConfig): void {
    if (unitSeconds(config) !== unitSeconds(this.#config)) {
      this.#origin = this.end;
      this.#placement = placementOf(config, this.policy);
    }
    this.#config = config;
    this.#silence = silentUnit(config);
    this.#queue.configure(config, config.sampleRate, audioSampleEntry(config));
  }
}

function unitSeconds(config: AudioTrackConfig): number {
  return config.samplesPerUnit / config.sampleRate;
}

/**
 * Chromium holds the picture when less sound than this is ahead of the playhead, seconds; measured. Its sound of 8 kHz goes
 * through a resampler that wants more.
 */
const underflows: ReadonlyMap<string, number> = new Map([
  ['opus', 0.117],
  ['flac', 0.245],
]);
/** What is kept above that, seconds. */
const UNDERFLOW_MARGIN_S = 0.037;

function placementOf(config: AudioTrackConfig, policy: LatencyPolicy): AudioPlacement {
  const least = (underflows.get(config.codec) ?? 0) + UNDERFLOW_MARGIN_S;
  return new AudioPlacement(unitSeconds(config), { ...policy, audioLead: Math.max(policy.audioLead, least) });
}
