import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { AudioTrackConfig, TrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import type { AudioFeed } from './audio-feed.js';
import { hasSegmentWriter, loadSegmentWriter } from './container.js';
import type { LatencyPolicy } from './latency.js';
import { mediaSourceConstructor, mediaSourceMissing } from './media-source.js';
import type { SourceBufferQueueHandlers } from './source-buffer-queue.js';
import { createVideo, decodingError, ShownFrame } from './video-element.js';
import { VideoFeed } from './video-feed.js';

/**
 * One `<video>` with one MediaSource: access units in, picture and sound out. Its tracks are fixed when the first unit is
 * fed, because Chromium takes no SourceBuffer later; another set of tracks is another presentation. Units that come
 * before the MediaSource is open, or before it is known whether there will be sound, wait.
 */

/** Sound that has not come this long after the first key frame does not hold up the picture. Milliseconds. */
const AUDIO_WAIT_MS = 300;
/** How often the sound ahead of the playhead is looked after when nothing arrives. Milliseconds. */
const AUDIO_WATCH_MS = 20;
/** Frames placed after the playhead that call for a jump: the page was in the background, or the machine asleep. */
const MAX_FRAMES_AHEAD = 125;
/** Seconds from the playhead to the newest frame, beyond the delay intended, that call for a jump. */
const MAX_LEAD_S = 1.5;
/** So near to the end of the last frame, in seconds, a playhead that stops does so for want of frames. */
const VIDEO_END_S = 0.1;
/** Units that wait for the MediaSource and for the sound. */
const MAX_HELD_UNITS = 1_000;

export interface ExpectedTracks {
  readonly video: boolean;
  /** Whether sound may come. It is given up when it does not. */
  readonly audio: boolean;
}

/** Browsers tell a frame's time in microseconds. */
const ROUNDING_S = 0.001;

export interface PresentationHandlers {
  /** The browser cannot go on with this presentation. Called once. */
  onError(error: StreamError): void;
  /** The sound ran out and was let go of, so that the picture goes on. */
  onSoundStarved(): void;
}

export class Presentation {
  readonly video: HTMLVideoElement;
  readonly #shown: ShownFrame;
  readonly #clock: Clock;
  readonly #handlers: PresentationHandlers;
  readonly #mediaSource: MediaSource;
  readonly #objectUrl: string;
  readonly #abort = new AbortController();
  #expectsVideo = true;
  #expectsAudio = false;
  #policy: LatencyPolicy;
  #held: (() => void)[] = [];
  #heldVideo: VideoTrackConfig | null = null;
  #heldAudio: AudioTrackConfig | null = null;
  #isAttached = false;
  readonly #playCalls: { resolve(): void; reject(reason: unknown): void }[] = [];
  #started = false;
  /** Configurations whose containers' code is on its way. */
  readonly #loading = new Set<TrackConfig>();
  #closed = false;
  #cancelAudioWait: (() => void) | null = null;
  #cancelAudioWatch: (() => void) | null = null;
  #videoFeed: VideoFeed | null = null;
  /** Loaded when sound is wanted. */
  #AudioFeed: typeof AudioFeed | null = null;
  #audioFeed: AudioFeed | null = null;
  #closedDrops = 0;
  /** Jumps of the playhead to the live edge. */
  jumps = 0;

  /** @param document - makes the `<video>`; the caller puts it where it is to be seen */
  constructor(document: Document, policy: LatencyPolicy, clock: Clock, handlers: PresentationHandlers) {
    const Constructor = mediaSourceConstructor();
    if (Constructor === null) throw mediaSourceMissing();
    this.#clock = clock;
    this.#handlers = handlers;
    this.#policy = policy;
    this.#mediaSource = new Constructor();
    this.#objectUrl = URL.createObjectURL(this.#mediaSource);
    this.video = createVideo(document);
    this.#shown = new ShownFrame(this.video);
    const signal = this.#abort.signal;
    this.#mediaSource.addEventListener('sourceopen', () => this.#onOpen(), { signal });
    this.video.addEventListener('waiting', () => this.#onWaiting(), { signal });
    this.video.addEventListener('error', () => this.#fail(decodingError(this.video)), { signal });
  }

  /** Opens the MediaSource, which is work enough to be put off while a connection is made. */
  attach(): void {
    if (this.#isAttached || this.#closed) return;
    this.#isAttached = true;
    this.video.src = this.#objectUrl;
    for (const { resolve } of this.#playCalls.splice(0)) resolve();
  }

  /** Starts or resumes, once attached. Rejects as `HTMLMediaElement.play()` does. */
  async play(): Promise<void> {
    if (!this.#isAttached) {
      await new Promise<void>((resolve, reject) => this.#playCalls.push({ resolve, reject }));
    }
    await this.video.play();
  }

  pause(): void {
    this.video.pause();
    for (const { reject } of this.#playCalls.splice(0)) {
      reject(new DOMException('Play was paused before it began.', 'AbortError'));
    }
  }

  /** Whether sound is awaited or fed. */
  get takesAudio(): boolean {
    return this.#expectsAudio || this.#audioFeed !== null;
  }

  /** Whether sound is fed. */
  get hasAudio(): boolean {
    return this.#audioFeed !== null;
  }

  /** The policy by which the sound is placed, once and for all; null without sound. */
  get soundPolicy(): LatencyPolicy | null {
    return this.#audioFeed?.policy ?? null;
  }

  /** Whether the SourceBuffers exist: the set of tracks is fixed. */
  get isStarted(): boolean {
    return this.#started;
  }

  /** Whether the browser has given up on it. */
  get hasFailed(): boolean {
    return this.#closed;
  }

  /** Seconds by which a frame that came at the network's best is held back for the slower ones. */
  get delay(): number {
    return this.#videoFeed?.delay ?? 0;
  }

  /** Where the newest frame (the newest sound, where there is no picture) was placed, seconds. */
  get end(): number {
    return this.#videoFeed?.end ?? this.#audioFeed?.end ?? 0;
  }

  /** Seconds by which the sound comes after the picture of the same moment; null without both. */
  get soundDelay(): number | null {
    if (this.#audioFeed === null || this.#videoFeed === null) return null;
    return this.#audioFeed.offset - this.#videoFeed.offset;
  }

  /** Samples dropped on the way into the browser. */
  get droppedSamples(): number {
    return this.#closedDrops + (this.#videoFeed?.droppedSamples ?? 0) + (this.#audioFeed?.droppedSamples ?? 0);
  }

  /** Units of silence that stood in for sound. */
  get silentUnits(): number {
    return this.#audioFeed?.silentUnits ?? 0;
  }

  /** Source time, in seconds, of the frame on screen; null when there is none. */
  get timeOnScreen(): number | null {
    return this.#videoFeed?.sourceAt(this.#shown.time + ROUNDING_S) ?? null;
  }

  /** Tells which tracks to wait for; without effect once the first unit was fed. */
  expect(expects: ExpectedTracks): void {
    if (this.#started) return;
    this.#expectsVideo = expects.video;
    this.#expectsAudio = expects.audio;
    if (this.#heldVideo !== null && expects.audio) this.#awaitAudio();
    if (expects.audio) void this.#loadAudioFeed();
    this.#tryStart();
  }

  /** Makes the SourceBuffer for video that is likely to come, unless sound decides when to start. */
  prepare(config: VideoTrackConfig): void {
    if (this.#started || this.#closed || this.#expectsAudio || !this.#expectsVideo) return;
    this.#heldVideo ??= config;
    this.#tryStart();
  }

  /** Takes effect on what comes next; the sound's part only in a new presentation. */
  set policy(policy: LatencyPolicy) {
    this.#policy = policy;
    if (this.#videoFeed !== null) this.#videoFeed.policy = policy;
  }

  /** What comes next belongs to another time line than what came before. */
  reset(): void {
    this.#videoFeed?.reset();
    this.#audioFeed?.reset();
  }

  /**
   * Takes a video frame; the first must be a key frame.
   * @param time - its presentation time, seconds, on the time line that the sound shares
   */
  pushVideo(unit: AccessUnit, config: VideoTrackConfig, time: number): void {
    if (this.#closed) return;
    const arrival = this.#clock.now() / 1000;
    if (this.#started) {
      this.#feedVideo(unit, config, time, arrival);
      return;
    }
    if (this.#heldVideo === null) {
      this.#heldVideo = config;
      if (this.#expectsAudio) this.#awaitAudio();
    }
    this.#hold(() => this.#feedVideo(unit, config, time, arrival));
  }

  /** Takes an audio unit; ignored when this presentation has no sound. `time` as in `pushVideo`. */
  pushAudio(unit: AccessUnit, config: AudioTrackConfig, time: number): void {
    if (this.#closed || !this.takesAudio) return;
    if (this.#started) {
      this.#feedAudio(unit, config, time);
      return;
    }
    // Sound from before the first frame that can be decoded would only put the picture off.
    if (this.#expectsVideo && this.#heldVideo === null) return;
    this.#heldAudio ??= config;
    this.#hold(() => this.#feedAudio(unit, config, time));
  }

  /** Ends the sound; the picture goes on. */
  removeAudio(): void {
    this.#expectsAudio = false;
    this.#cancelAudioWait?.();
    this.#cancelAudioWatch?.();
    const feed = this.#audioFeed;
    if (feed === null) {
      this.#tryStart();
      return;
    }
    this.#audioFeed = null;
    this.#closedDrops += feed.droppedSamples;
    feed.close();
    this.video.playbackRate = 1;
    if (this.#mediaSource.readyState === 'open') this.#mediaSource.removeSourceBuffer(feed.buffer);
  }

  /** Moves the playhead to the newest frame; without effect where that is on screen already. */
  jump(): void {
    if (this.#closed || this.end <= this.video.currentTime) return;
    this.jumps++;
    this.video.currentTime = this.end;
  }

  /** Lets go of the MediaSource and removes the `<video>`; may be called twice. */
  close(): void {
    this.#stop();
    this.pause();
    this.video.remove();
    if (!this.video.hasAttribute('src')) return;
    this.video.removeAttribute('src');
    this.video.load();
  }

  async #loadAudioFeed(): Promise<void> {
    try {
      this.#AudioFeed = (await import('./audio-feed.js')).AudioFeed;
      this.#tryStart();
    } catch (cause) {
      if (this.#expectsVideo) this.removeAudio();
      else
        this.#fail(new StreamError('connection-failed', "The player's code for sound could not be loaded.", { cause }));
    }
  }

  #awaitAudio(): void {
    this.#cancelAudioWait?.();
    this.#cancelAudioWait = this.#clock.schedule(AUDIO_WAIT_MS, () => this.removeAudio());
  }

  #hold(feed: () => void): void {
    if (this.#held.length >= MAX_HELD_UNITS) {
      this.#fail(new StreamError('media-failed', 'The browser did not open the media source.'));
      return;
    }
    this.#held.push(feed);
    this.#tryStart();
  }

  #onOpen(): void {
    URL.revokeObjectURL(this.#objectUrl);
    this.#tryStart();
  }

  /** Creates the SourceBuffers as soon as it is known which there will be, and feeds them what was held. */
  #tryStart(): void {
    if (this.#started || this.#closed || this.#mediaSource.readyState !== 'open') return;
    if (this.#expectsVideo && this.#heldVideo === null) return;
    if (this.#expectsAudio && (this.#heldAudio === null || this.#AudioFeed === null)) return;
    if (this.#heldVideo === null && this.#heldAudio === null) return;
    if (!this.#hasWriters()) return;
    this.#started = true;
    this.#cancelAudioWait?.();
    try {
      // No end, here and in the init segment: that is how Chromium knows to play for low delay.
      this.#mediaSource.duration = Number.POSITIVE_INFINITY;
      if (this.#heldVideo !== null) {
        this.#videoFeed = new VideoFeed(this.#mediaSource, this.#heldVideo, this.#policy, this.#queueHandlers());
      }
      if (this.#expectsAudio && this.#heldAudio !== null && this.#AudioFeed !== null) {
        this.#audioFeed = new this.#AudioFeed(this.#mediaSource, this.#heldAudio, this.#policy, this.#queueHandlers());
      }
    } catch (thrown) {
      this.#fail(StreamError.from(thrown, 'media-failed', 'The browser refused to play this codec.'));
      return;
    }
    const held = this.#held;
    this.#held = [];
    for (const feed of held) feed();
    // The first bytes may have been refused already.
    if (this.#audioFeed !== null && !this.#closed) this.#watchAudio();
  }

  /** Whether the code of the tracks' containers is there; if not, it is loaded, and starts the presentation when it is. */
  #hasWriters(): boolean {
    const hasVideo = this.#hasWriter(this.#heldVideo, (error) => this.#fail(error));
    const hasAudio = !this.#expectsAudio || this.#hasWriter(this.#heldAudio, () => this.removeAudio());
    return hasVideo && hasAudio;
  }

  #hasWriter(config: TrackConfig | null, onError: (error: StreamError) => void): boolean {
    if (config === null || hasSegmentWriter(config)) return true;
    if (this.#loading.has(config)) return false;
    this.#loading.add(config);
    loadSegmentWriter(config).then(
      () => this.#tryStart(),
      (thrown) => onError(StreamError.from(thrown, 'media-failed', 'The code for this codec could not be loaded.')),
    );
    return false;
  }

  #feedVideo(unit: AccessUnit, config: VideoTrackConfig, time: number, arrival: number): void {
    const feed = this.#videoFeed;
    if (feed === null) return;
    const playhead = this.video.currentTime;
    const audio = this.#audioFeed;
    audio?.keepAhead(playhead);
    const soundOffset = audio === null || this.#policy.soundFollows || Number.isNaN(audio.offset) ? null : audio.offset;
    feed.push(unit, config, time, arrival, playhead, soundOffset);
    if (this.video.seeking) return;
    const ahead = feed.end - playhead;
    if (ahead > MAX_LEAD_S + feed.delay || (unit.isKeyFrame && feed.framesAfter(playhead) > MAX_FRAMES_AHEAD))
      this.jump();
  }

  #feedAudio(unit: AccessUnit, config: AudioTrackConfig, time: number): void {
    const feed = this.#audioFeed;
    if (feed === null) return;
    const playhead = this.video.currentTime;
    feed.push(unit, config, time, playhead);
    if (this.video.paused) return;
    const rate = feed.rate(playhead, this.#clock.now() / 1000);
    if (rate !== this.video.playbackRate) this.video.playbackRate = rate;
  }

  #watchAudio(): void {
    this.#cancelAudioWatch = this.#clock.schedule(AUDIO_WATCH_MS, () => {
      if (!this.video.paused) this.#audioFeed?.keepAhead(this.video.currentTime);
      if (this.#audioFeed !== null && !this.#closed) this.#watchAudio();
    });
  }

  /**
   * Chromium holds the picture when the sound runs out, and each time it wants more of it before it goes on. Without a
   * SourceBuffer for sound the picture is free at once.
   */
  #onWaiting(): void {
    if (this.#audioFeed === null || this.#videoFeed === null || this.video.paused || this.video.seeking) return;
    if (this.video.currentTime === 0) return;
    // Nothing comes at all: the picture has run out itself.
    if (this.video.currentTime > this.#videoFeed.declaredEnd - VIDEO_END_S) return;
    this.removeAudio();
    this.#handlers.onSoundStarved();
  }

  #queueHandlers(): SourceBufferQueueHandlers {
    return {
      onError: (error) => this.#fail(error),
      onQuotaExceeded: () => {
        const playhead = this.video.currentTime;
        return this.#videoFeed === null ? playhead - 1 : this.#videoFeed.keyFrameBefore(playhead);
      },
    };
  }

  /** The last picture stays until `close()`. */
  #fail(error: StreamError): void {
    if (this.#closed) return;
    this.#stop();
    this.#handlers.onError(error);
  }

  #stop(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#cancelAudioWait?.();
    this.#cancelAudioWatch?.();
    this.#held = [];
    this.#videoFeed?.close();
    this.#audioFeed?.close();
    URL.revokeObjectURL(this.#objectUrl);
  }
}
