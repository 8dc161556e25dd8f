import type { AccessUnit } from '../codec/access-unit.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import { visualSampleEntry } from '../fmp4/visual-sample-entry.js';
import { mimeTypeOf } from './container.js';
import { FrameOrder } from './frame-order.js';
import type { LatencyPolicy } from './latency.js';
import { LiveEdge } from './live-edge.js';
import { PlacementHistory } from './placement-history.js';
import { KEEP_BEHIND_S, SourceBufferQueue, type SourceBufferQueueHandlers } from './source-buffer-queue.js';

/**
 * Video access units → placed samples → the SourceBuffer of a presentation's video track.
 *
 * What is placed at the live edge is a frame's decoding: that is what goes on at an even pace where frames are reordered,
 * and its steps are what Chromium minds. The frame is shown as much later as its presentation time is after its decoding
 * time, so that reordering delays the picture by its own depth and no more.
 */

const TRACK_ID = 1;
/** Also of the access units: every video payload format of RTP counts at 90 kHz. */
const TIMESCALE = 90_000;
/** From a frame's decoding to its presentation at most, seconds: beyond, the camera's time stamps are no use. */
const MAX_AHEAD_S = 10;
/** A decoding time that goes back by more than this is a new time line of the camera. Seconds. */
const MAX_STEP_BACK_S = 0.01;

export class VideoFeed {
  readonly #queue: SourceBufferQueue;
  readonly #edge: LiveEdge;
  readonly #order = new FrameOrder();
  readonly #history = new PlacementHistory();
  #config: VideoTrackConfig;
  /** Places at which groups of pictures begin in the buffer, seconds: the only points up to which media may be removed. */
  #keyFrames: number[] = [];
  /** Of the newest frame's decoding, in the camera's time and in the buffer; seconds. */
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

  /** Where the newest frame's decoding was placed, seconds of the media element's time: frames up to there are shown. */
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
    const ahead = Math.min((unit.presentationTime - unit.decodeTime) / TIMESCALE, MAX_AHEAD_S);
    const decodeSource = sourceTime - ahead;
    const decodePlace =
      soundOffset === null
        ? this.#edge.place(decodeSource, arrival, playhead)
        : this.#edge.placeAt(decodeSource, arrival, playhead, decodeSource + soundOffset);
    if (decodeSource < this.#lastSource - MAX_STEP_BACK_S) this.#order.reset();
    // The first frame of all is shown at once: nothing starts in a gap.
    const isFirst = Number.isNaN(this.#lastSource);
    const place = this.#order.fit(sourceTime, isFirst ? decodePlace : decodePlace + ahead);
    this.#lastSource = decodeSource;
    this.#lastPlace = decodePlace;
    this.#history.add(place, sourceTime);
    this.#noteKeyFrame(unit.isKeyFrame, place);
    this.#queue.append({
      unit,
      decodeTime: Math.round(decodePlace * TIMESCALE),
      presentationTime: Math.round(place * TIMESCALE),
      duration: Math.round(this.#edge.duration * TIMESCALE),
    });
    if (unit.isKeyFrame) this.#trim(playhead);
  }

  /** What comes next belongs to another time line than what came before. */
  reset(): void {
    this.#edge.reset();
    this.#order.reset();
  }

  /** Source time, in seconds, of the frame that is shown when the playhead is at `playhead`; null when unknown. */
  sourceAt(playhead: number): number | null {
    return this.#history.sourceAt(playhead);
  }

  /** Frames placed after the playhead. */
  framesAfter(playhead: number): number {
    return this.#history.framesAfter(playhead);
  }

  /** Place at which the last group of pictures begins that does so not after `time`; 0 when there is none. */
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

  /** Also notes the leading pictures of an open group: it begins with the first of them that is shown. */
  #noteKeyFrame(isKeyFrame: boolean, place: number): void {
    const newest = this.#keyFrames.length - 1;
    if (isKeyFrame) this.#keyFrames.push(place);
    else if (place < (this.#keyFrames[newest] ?? place)) this.#keyFrames[newest] = place;
  }

  #trim(playhead: number): void {
    const end = this.keyFrameBefore(playhead - KEEP_BEHIND_S);
    if (end === 0) return;
    this.#keyFrames = this.#keyFrames.filter((place) => place >= end);
    // Up to the key frame, not including it: removing a key frame would take its whole group along.
    this.#queue.removeBefore(end - 0.0005);
  }
}
