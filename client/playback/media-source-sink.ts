import type { Clock } from '../../shared/clock.js';
import type { StreamError } from '../../shared/errors.js';
import type { Logger } from '../../shared/logger.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { LeadingPictures } from '../codec/leading-pictures.js';
import type { AudioTrackConfig, TrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import { mimeTypeOf } from './container.js';
import { GroupCache } from './group-cache.js';
import { type Latency, type LatencyPolicy, latencyPolicy } from './latency.js';
import { mediaSourceConstructor } from './media-source.js';
import { type ExpectedTracks, Presentation } from './presentation.js';
import type { LiveSinkOptions, Sink, SinkHandlers, SinkStats } from './sink.js';
import type { JoinHost, SoundJoin } from './sound-join.js';

/**
 * Access units → a playing `<video>`, over connections, changes of the tracks and failures of the decoder.
 *
 * One presentation is on screen. When the set of tracks has to change (sound joins, sound is unmuted), another one is
 * made below it and takes its place: see SoundJoin.
 */

/** Sound that has not come for this long is let go of, so that it cannot hold up the picture. Milliseconds. */
const SILENCE_MS = 5_000;
/** The decoder may fail this often in that many milliseconds before the sink gives up. */
const MAX_FAILURES = 3;
const FAILURE_SPAN_MS = 30_000;

export class MediaSourceSink implements Sink {
  readonly #container: HTMLElement;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers: SinkHandlers;
  readonly #group = new GroupCache();
  #policy: LatencyPolicy;
  #muted: boolean;
  #volume: number;
  #playing = false;
  #expects: ExpectedTracks = { video: true, audio: false };
  #current: Presentation;
  /** Loaded when sound is wanted; null before. */
  #soundJoin: SoundJoin | null = null;
  #isLoadingSound = false;
  #videoConfig: VideoTrackConfig | null = null;
  #audioConfig: AudioTrackConfig | null = null;
  #needsKeyFrame = true;
  readonly #leading = new LeadingPictures();
  #lastAudioAt = 0;
  #failures: number[] = [];
  #presentations = 0;
  #closed = false;

  /** Throws media-source-missing where the browser has no Media Source Extensions. */
  constructor(options: LiveSinkOptions, handlers: SinkHandlers) {
    this.#container = options.container;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#policy = latencyPolicy(options.latency);
    this.#muted = options.muted;
    this.#volume = options.volume;
    this.#handlers = handlers;
    this.#current = this.#present();
    this.#container.append(this.#current.video);
  }

  /** The `<video>` on screen. */
  get video(): HTMLVideoElement {
    return this.#current.video;
  }

  /** Source time, in seconds, of the frame on screen; null when there is none. */
  get timeOnScreen(): number | null {
    return this.#current.timeOnScreen;
  }

  /** Tells which tracks the connection has; to be called before its first unit. The picture on screen stays. */
  expect(expects: ExpectedTracks): void {
    const changed = expects.video !== this.#expects.video;
    this.#expects = expects;
    this.reset();
    this.#current.attach();
    if ((changed && this.#current.isStarted) || this.#current.hasFailed) this.#replace();
    this.#current.expect({ video: expects.video, audio: this.#wantsAudio });
    if (!this.#wantsAudio) this.#current.removeAudio();
  }

  /** Gets ready for video of the configuration that the camera has announced, before any comes. */
  prepare(config: VideoTrackConfig): void {
    if (mediaSourceConstructor()?.isTypeSupported(mimeTypeOf(config)) === true) this.#current.prepare(config);
  }

  /** What comes next belongs to another time line than what came before, and begins with a key frame. */
  reset(): void {
    this.#soundJoin?.abandon();
    this.#group.clear();
    this.#needsKeyFrame = true;
    this.#current.reset();
  }

  /**
   * Takes a video frame.
   * @param time - its presentation time, seconds, on the time line that the sound shares
   */
  pushVideo(unit: AccessUnit, time: number): void {
    if (unit.config?.kind === 'video' && unit.config !== this.#videoConfig) {
      this.#videoConfig = this.#supported(unit.config) ? unit.config : null;
      // Sound does not wait for a picture that cannot come.
      if (this.#videoConfig === null && this.#expects.audio) this.expect({ video: false, audio: true });
    }
    const config = this.#videoConfig;
    if (config === null || this.#closed || !this.#playing) return;
    if (this.#needsKeyFrame) {
      if (!unit.isKeyFrame) return;
      this.#needsKeyFrame = false;
      this.#leading.startAt(time);
      this.#lastAudioAt = this.#clock.now();
    }
    if (this.#leading.has(time)) return;
    if (this.#expects.audio) this.#group.add(unit, time);
    this.#current.pushVideo(unit, config, time);
    this.#soundJoin?.pushVideo(unit, config, time);
    if (this.#current.hasAudio && this.#clock.now() - this.#lastAudioAt > SILENCE_MS) this.#current.removeAudio();
  }

  /** Takes an audio unit; `time` as in `pushVideo`. */
  pushAudio(unit: AccessUnit, time: number): void {
    if (unit.config?.kind === 'audio' && unit.config !== this.#audioConfig) {
      this.#audioConfig = this.#supported(unit.config) ? unit.config : null;
      if (this.#audioConfig === null) {
        this.#expects = { ...this.#expects, audio: false };
        this.#soundJoin?.abandon();
        this.#current.removeAudio();
      }
    }
    const config = this.#audioConfig;
    if (config === null || this.#closed || !this.#playing) return;
    if (!this.#wantsAudio) return;
    this.#lastAudioAt = this.#clock.now();
    if (this.#current.takesAudio) this.#current.pushAudio(unit, config, time);
    const { soundPolicy } = this.#current;
    const isInPlace = soundPolicy === null ? this.#current.takesAudio : soundPolicy === this.#policy;
    if (this.#soundJoin === null) void this.#loadSoundJoin();
    else this.#soundJoin.pushAudio(unit, config, time, isInPlace ? null : this.#videoConfig);
  }

  /** Starts or resumes. Rejects as `HTMLMediaElement.play()` does. */
  async play(): Promise<void> {
    this.#playing = true;
    // With sound, browsers want to be asked right when a person has asked.
    if (!this.#muted) this.#current.attach();
    for (;;) {
      if (this.#closed) throw new DOMException('The player was closed.', 'AbortError');
      const presentation = this.#current;
      try {
        await presentation.play();
        return;
      } catch (thrown) {
        // A presentation that was replaced meanwhile takes its promise along.
        if (presentation === this.#current || !this.#playing) throw thrown;
      }
    }
  }

  /** Holds the picture. What is pushed meanwhile is ignored. */
  pause(): void {
    this.#playing = false;
    this.#soundJoin?.abandon();
    this.#group.clear();
    this.#needsKeyFrame = true;
    this.#current.pause();
  }

  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    if (muted === this.#muted) return;
    this.#muted = muted;
    this.#current.video.muted = muted;
    if (this.#wantsAudio) this.#soundJoin?.startOver();
    this.#current.expect({ video: this.#expects.video, audio: this.#wantsAudio });
    if (this.#wantsAudio) return;
    this.#soundJoin?.abandon();
    this.#current.removeAudio();
  }

  get volume(): number {
    return this.#volume;
  }

  /** 0 to 1. */
  set volume(volume: number) {
    this.#volume = volume;
    this.#current.video.volume = volume;
    const joining = this.#soundJoin?.joining;
    if (joining) joining.video.volume = volume;
  }

  set latency(latency: Latency) {
    this.#policy = latencyPolicy(latency);
    this.#current.policy = this.#policy;
    // Sound is placed once and for all: in another distance to the picture it joins anew, with its next unit.
    this.#soundJoin?.startOver();
  }

  /** Moves the playhead to the newest frame. */
  jump(): void {
    this.#current.jump();
  }

  stats(): SinkStats {
    const current = this.#current;
    return {
      playoutDelay: current.delay,
      soundDelay: current.soundDelay,
      lead: current.end - current.video.currentTime,
      droppedSamples: current.droppedSamples,
      silentUnits: current.silentUnits,
      jumps: current.jumps,
      presentations: this.#presentations,
    };
  }

  /** Removes the `<video>`s and lets go of everything; may be called twice. */
  close(): void {
    this.#closed = true;
    this.#soundJoin?.abandon();
    this.#group.clear();
    this.#current.close();
  }

  /** While muted, sound is not fed at all, unless there is nothing else. */
  get #wantsAudio(): boolean {
    return this.#expects.audio && (!this.#muted || !this.#expects.video);
  }

  #supported(config: TrackConfig): boolean {
    const mimeType = mimeTypeOf(config);
    if (mediaSourceConstructor()?.isTypeSupported(mimeType) === true) return true;
    this.#logger.warn('codec not supported by this browser', { mimeType });
    this.#handlers.onUnsupported(config.kind, config.codec);
    return false;
  }

  #present(): Presentation {
    this.#presentations++;
    const presentation: Presentation = new Presentation(this.#container.ownerDocument, this.#policy, this.#clock, {
      onError: (error) => this.#onPresentationError(presentation, error),
      onSoundStarved: () => this.#soundJoin?.onStarved(),
    });
    presentation.expect({ video: this.#expects.video, audio: this.#wantsAudio });
    presentation.video.muted = this.#muted;
    presentation.video.volume = this.#volume;
    return presentation;
  }

  /** Puts an empty presentation in the place of the current one, which has shown nothing, or failed. */
  #replace(): void {
    const old = this.#current;
    this.#current = this.#present();
    this.#current.attach();
    this.#container.append(this.#current.video);
    old.close();
    this.#handlers.onVideoChange(this.#current.video);
    if (this.#playing) this.#startVideo(this.#current);
  }

  #startVideo(presentation: Presentation): void {
    presentation.attach();
    presentation.play().catch((thrown: unknown) => {
      if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError') return;
      if (presentation === this.#soundJoin?.joining) this.#soundJoin.abandon();
      this.#handlers.onSoundRefused();
      if (presentation === this.#current && this.#muted) presentation.play().catch(() => undefined);
    });
  }

  async #loadSoundJoin(): Promise<void> {
    if (this.#isLoadingSound) return;
    this.#isLoadingSound = true;
    try {
      const { SoundJoin } = await import('./sound-join.js');
      const self = this;
      const host: JoinHost = {
        clock: this.#clock,
        logger: this.#logger,
        get isHidden() {
          return self.#container.ownerDocument.hidden;
        },
        presentBelow: () => {
          const joining = this.#present();
          this.#container.insertBefore(joining.video, this.#current.video);
          return joining;
        },
        startVideo: (presentation) => this.#startVideo(presentation),
        onJoined: (presentation) => this.#swap(presentation),
      };
      if (!this.#closed) this.#soundJoin = new SoundJoin(host, this.#group);
    } catch (thrown) {
      this.#logger.warn("the player's code for sound could not be loaded", { reason: String(thrown) });
    } finally {
      this.#isLoadingSound = false;
    }
  }

  #swap(joining: Presentation): void {
    const old = this.#current;
    this.#current = joining;
    const { ownerDocument } = this.#container;
    const inPictureInPicture =
      ownerDocument.pictureInPictureElement === old.video || old.video.matches(':picture-in-picture');
    this.#handlers.onVideoChange(joining.video);
    if (inPictureInPicture) joining.video.requestPictureInPicture().catch(() => undefined);
    old.close();
  }

  #onPresentationError(presentation: Presentation, error: StreamError): void {
    if (this.#closed) return;
    this.#logger.warn('the browser gave a presentation up', { reason: error.message });
    if (presentation === this.#soundJoin?.joining) {
      this.#soundJoin.onFailed();
      return;
    }
    const now = this.#clock.now();
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURE_SPAN_MS), now];
    if (this.#failures.length > MAX_FAILURES) {
      this.#handlers.onError(error);
      return;
    }
    // A fresh decoder often plays what made the last one stumble; it begins at the next key frame.
    this.#needsKeyFrame = true;
    this.#group.clear();
    this.#replace();
  }
}
