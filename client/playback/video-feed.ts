import type { AccessUnit } from '../codec/access-unit.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import { visualSampleEntry } from '../fmp4/visual-sample-entry.js';
import { mimeTypeOf } from './container.js';
import type { LatencyPolicy } from './latency.js';
import { LiveEdge } from './live-edge.js';
import { PlacementHistory } from './placement-history.js';
import { KEEP_BEHIND_S, SourceBufferQueue, type SourceBufferQueueHandlers } from './source-buffer-queue.js';

/** Video access units → placed samples → the SourceBuffer of a presentation's video track. */

const TRACK_ID = 1;
const TIMESCALE = 90_000;

export class VideoFeed {
  readonly #queue: SourceBufferQueue;
  readonly #edge: LiveEdge;
  readonly #history = new PlacementHistory();
  #config: VideoTrackConfig;
  /** Places of the key frames in the buffer, seconds: the only points up to which media may be removed. */
  #keyFrames: number[] = [];
  #lastSource = Number.NaN;
  #lastPlace = 0;

  constructor(
    mediaSource: MediaSource,
    config: VideoTrackConfig,
    policy: LatencyPolicy,
    handlers: SourceBufferQueueHandlers,
  ) {
    this.#queue = new SourceBufferQueue(mediaSource.addSourceBuffer(mimeTypeOf(config)), TRACK_ID, handlers);
    this.#edge = new LiveEdge(policy);
    this.#config = config;
    this.#queue.configure(config, TIMESCALE, visualSampleEntry(config));
  }

  /** Seconds by which a frame that came at the network's best is held back for the slower ones. */
  get delay(): number {
    return this.#edge.delay;
  }

  /** Where the newest frame was placed, seconds of the media element's time. */
  get end(): number {
    return this.#lastPlace;
  }

  /** How far the newest frame was declared to last, seconds of the media element's time. */
  get declaredEnd(): number {
    return this.#lastPlace + this.#edge.duration;
  }

  /** Place minus source time of the newest frame, seconds. */
  get offset(): number {
    return this.#lastPlace - this.#lastSource;
  }

  get droppedSamples(): number {
    return this.#queue.droppedSamples;
  }

  set policy(policy: LatencyPolicy) {
    this.#edge.policy = policy;
  }

  /**
   * Takes an access unit.
   * @param sourceTime - its presentation time, seconds
   * @param arrival - seconds of a monotonic clock
   * @param playhead - the media element's currentTime
   * @param soundOffset - place minus source time of the sound that the picture is to be in step with; null: none
   */
  push(
    unit: AccessUnit,
    config: VideoTrackConfig,
    sourceTime: number,
    arrival: number,
    playhead: number,
    soundOffset: number | null,
  ): void {
    if (config !== this.#config) {
      this.#config = config;
      this.#queue.configure(config, TIMESCALE, visualSampleEntry(config));
    }
    const place =
      soundOffset === null
        ? this.#edge.place(sourceTime, arrival, playhead)
        : this.#edge.placeAt(sourceTime, arrival, playhead, sourceTime + soundOffset);
    this.#lastSource = sourceTime;
    this.#lastPlace = place;
    this.#history.add(place, sourceTime);
    if (unit.isKeyFrame) this.#keyFrames.push(place);
    const time = Math.round(place * TIMESCALE);
    const duration = Math.round(this.#edge.duration * TIMESCALE);
    this.#queue.append({ unit, decodeTime: time, presentationTime: time, duration });
    if (unit.isKeyFrame) this.#trim(playhead);
  }

  /** What comes next belongs to another time line than what came before. */
  reset(): void {
    this.#edge.reset();
  }

  /** Source time, in seconds, of the frame that is shown when the playhead is at `playhead`; null when unknown. */
  sourceAt(playhead: number): number | null {
    return this.#history.sourceAt(playhead);
  }

  /** Frames placed after the playhead. */
  framesAfter(playhead: number): number {
    return this.#history.framesAfter(playhead);
  }

  /** Place of the last key frame that is not after `time`; 0 when there is none. */
  keyFrameBefore(time: number): number {
    let found = 0;
    for (const place of this.#keyFrames) {
      if (place > time) break;
      found = place;
    }
    return found;
  }

  close(): void {
    this.#queue.close();
  }

  #trim(playhead: number): void {
    const end = this.keyFrameBefore(playhead - KEEP_BEHIND_S);
    if (end === 0) return;
    this.#keyFrames = this.#keyFrames.filter((place) => place >= end);
    // Up to the key frame, not including it: removing a key frame would take its whole group along.
    this.#queue.removeBefore(end - 0.0005);
  }
}
