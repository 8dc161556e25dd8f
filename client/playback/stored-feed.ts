import type { AccessUnit } from '../codec/access-unit.js';
import { silentUnit } from '../codec/silence.js';
import type { AudioTrackConfig, TrackConfig } from '../codec/track-config.js';
import { audioSampleEntry } from '../fmp4/audio-sample-entry.js';
import { visualSampleEntry } from '../fmp4/visual-sample-entry.js';
import { mimeTypeOf } from './container.js';
import { SourceBufferQueue, type SourceBufferQueueHandlers } from './source-buffer-queue.js';

/**
 * Access units of stored media → samples at their own times → one SourceBuffer. A unit waits for the next one, which tells
 * how long it lasts.
 */

const VIDEO_TIMESCALE = 90_000;
/** A step of decoding time above this is no duration: something is missing. Seconds. */
const MAX_DURATION_S = 10;
/** Sound that is missing for longer is not made up for. Seconds. */
const MAX_SILENCE_S = 10;
/** Units of silence that are appended at once: the queue has to take them. */
const MAX_SILENT_UNITS = 500;

/** A unit that is to be appended when its duration is known, in ticks of the track's timescale. */
interface Held {
  readonly unit: AccessUnit;
  readonly decodeTime: number;
  readonly presentationTime: number;
}

export class StoredFeed {
  readonly #queue: SourceBufferQueue;
  #config: TrackConfig;
  #timescale: number;
  #held: Held | null = null;
  /** Of the last unit whose duration was told, ticks. */
  #duration: number;
  /** Whether the next unit is the first one after a jump. */
  #begins = true;
  /** Where sound has to begin after a jump, seconds; null: wherever it does. */
  #startAt: number | null = null;
  /** Frames before the one held that have its time. */
  #atOnce = 0;
  silentUnits = 0;
  /** Where the silence in place of sound ends, ticks. */
  #silentUntil = 0;
  /** Units that came for a place that was taken already. */
  #late = 0;

  constructor(mediaSource: MediaSource, trackId: number, config: TrackConfig, handlers: SourceBufferQueueHandlers) {
    this.#queue = new SourceBufferQueue(mediaSource.addSourceBuffer(mimeTypeOf(config)), trackId, handlers);
    this.#config = config;
    this.#timescale = timescaleOf(config);
    this.#duration = usualDuration(config);
    this.#queue.configure(config, this.#timescale, sampleEntryOf(config));
  }

  get droppedSamples(): number {
    return this.#queue.droppedSamples + this.#late;
  }

  /**
   * Takes a unit in decoding order.
   * @param time - its presentation time, seconds of the media
   * @param ahead - from its decoding to its presentation, seconds
   */
  push(unit: AccessUnit, config: TrackConfig, time: number, ahead: number): void {
    if (config !== this.#config) {
      this.flush();
      this.#config = config;
      this.#timescale = timescaleOf(config);
      this.#duration = usualDuration(config);
      this.#begins = true;
      this.#queue.configure(config, this.#timescale, sampleEntryOf(config));
    }
    const presentationTime = Math.max(0, Math.round(time * this.#timescale));
    if (config.kind === 'audio') this.#pushAudio(unit, config, presentationTime);
    else this.#pushVideo(unit, presentationTime, Math.max(0, Math.round((time - ahead) * this.#timescale)));
  }

  /** The next unit of sound after a jump may come later than this: silence is put in front of it. Seconds. */
  startAt(time: number): void {
    this.#startAt = time;
  }

  /**
   * Appends what is held: nothing more comes for now.
   * @param end - where that has to end, seconds, if it would last longer
   */
  flush(end = Number.POSITIVE_INFINITY): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    const most = Math.max(1, end * this.#timescale - held.presentationTime);
    this.#queue.append({ ...held, duration: Math.min(this.#duration, Math.round(most)) });
  }

  /** Whether silence can stand in for this sound. */
  get hasSilence(): boolean {
    return this.#config.kind === 'audio' && silentUnit(this.#config) !== null;
  }

  /** Puts silence in place of sound from `startAt` up to a time, seconds; a bounded number of units at a time. */
  fillWithSilence(until: number): void {
    const config = this.#config;
    if (config.kind !== 'audio') return;
    if (this.#begins) {
      this.#silentUntil = Math.max(0, Math.round((this.#startAt ?? until) * this.#timescale));
      this.#startAt = null;
      this.#begins = false;
    }
    const units = Math.ceil((until * this.#timescale - this.#silentUntil) / config.samplesPerUnit);
    if (units <= 0) return;
    this.#silentUntil = this.#appendSilence(config, this.#silentUntil, Math.min(units, MAX_SILENT_UNITS));
  }

  /** Lets go of everything that is buffered; what comes next is from another position. */
  clear(): void {
    this.#held = null;
    this.#begins = true;
    this.#queue.clear();
  }

  /** Whether some of what was let go of is still there. */
  get isClearing(): boolean {
    return this.#queue.isClearing;
  }

  /** Removes what lies before a time, seconds. */
  removeBefore(time: number): void {
    this.#queue.removeBefore(time);
  }

  close(): void {
    this.#queue.close();
  }

  /**
   * GStreamer's server begins a position between two key frames with those that lead up to it, all at one time: they get a tick
   * each, since a frame takes the place of another at its time, and none lasts longer, since Chromium then shows that one.
   */
  #pushVideo(unit: AccessUnit, time: number, timeOfDecoding: number): void {
    const before = this.#held;
    const isAtOnce = before !== null && !this.#begins && before.unit.presentationTime === unit.presentationTime;
    const held = isAtOnce ? { ...before, decodeTime: before.presentationTime } : before;
    this.#atOnce = isAtOnce ? this.#atOnce + 1 : 0;
    const presentationTime = time + this.#atOnce;
    const decodeTime = isAtOnce ? presentationTime : timeOfDecoding;
    const step = held === null ? 0 : decodeTime - held.decodeTime;
    if (held !== null) {
      if (step > 0 && step <= MAX_DURATION_S * this.#timescale) this.#duration = step;
      this.#queue.append({ ...held, duration: this.#duration });
    }
    // Decoding times at the very start cannot go below 0: they are squeezed instead.
    const next = held !== null && !this.#begins ? Math.max(decodeTime, held.decodeTime + 1) : decodeTime;
    this.#held = { unit, decodeTime: next, presentationTime };
    this.#begins = false;
  }

  /** Units follow each other by count as long as their times agree with it; gaps become silence. */
  #pushAudio(unit: AccessUnit, config: AudioTrackConfig, presentationTime: number): void {
    const { samplesPerUnit } = config;
    const held = this.#held;
    let start = presentationTime;
    if (this.#begins && this.#startAt !== null) {
      const due = Math.max(0, Math.round(this.#startAt * this.#timescale));
      this.#startAt = null;
      const gap = presentationTime - due;
      if (gap > samplesPerUnit / 2 && gap < MAX_SILENCE_S * this.#timescale) {
        start = this.#appendSilence(config, due, Math.round(gap / samplesPerUnit));
      }
    } else if (held !== null && !this.#begins) {
      const due = held.decodeTime + samplesPerUnit;
      const gap = presentationTime - due;
      if (gap < -samplesPerUnit / 2) {
        this.#late++;
        return;
      }
      start = due;
      if (gap > samplesPerUnit / 2 && gap < MAX_SILENCE_S * this.#timescale) {
        this.flush();
        start = this.#appendSilence(config, due, Math.round(gap / samplesPerUnit));
      } else if (gap >= MAX_SILENCE_S * this.#timescale) {
        start = presentationTime;
      }
    }
    this.flush();
    this.#held = { unit, decodeTime: start, presentationTime: start };
    this.#begins = false;
  }

  /** @returns where the sound goes on */
  #appendSilence(config: AudioTrackConfig, start: number, units: number): number {
    const unit = silentUnit(config);
    if (unit === null) return start;
    let time = start;
    for (let count = 0; count < units; count++) {
      this.#queue.append({ unit, decodeTime: time, presentationTime: time, duration: config.samplesPerUnit });
      time += config.samplesPerUnit;
    }
    this.silentUnits += units;
    return time;
  }
}

function timescaleOf(config: TrackConfig): number {
  return config.kind === 'audio' ? config.sampleRate : VIDEO_TIMESCALE;
}

function usualDuration(config: TrackConfig): number {
  return config.kind === 'audio' ? config.samplesPerUnit : Math.round(VIDEO_TIMESCALE / (config.frameRate ?? 25));
}

function sampleEntryOf(config: TrackConfig): Uint8Array {
  return config.kind === 'audio' ? audioSampleEntry(config) : visualSampleEntry(config);
}
