import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { LeadingPictures } from '../codec/leading-pictures.js';
import type { AudioTrackConfig, TrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import { loadSegmentWriter, mimeTypeOf } from './container.js';
import type { Latency } from './latency.js';
import { LeadUp } from './lead-up.js';
import { mediaSourceConstructor, mediaSourceMissing } from './media-source.js';
import type { ExpectedTracks } from './presentation.js';
import type { Sink, SinkHandlers, SinkOptions, SinkStats } from './sink.js';
import { StoredFeed } from './stored-feed.js';
import { TrickTimes } from './trick-times.js';
import { createVideo, decodingError, ShownFrame } from './video-element.js';

/**
 * Access units of stored media → a playing `<video>` whose own time is that of the media: `currentTime`, `duration`,
 * `seekable`, `seeking` and `ended` are the browser's, as of a file.
 *
 * Servers send stored media at the pace at which it is played, so what is ahead of the playhead is what was saved up at the
 * start. The playhead is held (playback rate 0, which no page mistakes for a pause) until that is enough.
 *
 * No browser plays backwards: there key frames alone are placed, the media's end at 0 (see TrickTimes), and the playhead goes
 * forward over them. Where key frames are all that is shown, silence stands in for the sound.
 */

/** What has to be ahead of the playhead before it moves, seconds. */
const MARGIN_S = 0.4;
/** What is kept behind the playhead, seconds. */
const KEEP_BEHIND_S = 30;
/** How often that is looked after, in units. */
const TRIM_EVERY_UNITS = 250;
/** Sound that has not come this long after the first frame does not hold up the picture. Milliseconds. */
const AUDIO_WAIT_MS = 1_000;
/** Units of sound that wait for the first picture of a position: some seconds. */
const MAX_EARLY_UNITS = 500;
/** Units that wait for the MediaSource, for the sound, and for the frame to be shown first. */
const MAX_HELD_UNITS = 2_000;
/** Frames from one key frame to the next, at most, where the media is fetched piece by piece. */
const MAX_GROUP_UNITS = 600;
/** Every video payload format of RTP counts at 90 kHz. */
const VIDEO_CLOCK_RATE = 90_000;
/** So near to each other two times are the same frame's. Seconds. */
const SAME_TIME_S = 0.001;
/**
 * A picture that stands for longer is repeated, seconds of its showing: after frames that were a second apart Chromium leaves a
 * second out behind the next seek.
 */
const REPEAT_S = 0.1;
/** What is this far apart has a gap between. Seconds. */
const MAX_STANDING_S = 10;
/** Silence in place of sound goes this far ahead of the playhead, seconds of its showing. */
const SILENCE_AHEAD_S = 3;
/** Sound may begin this much after the picture: the browser starts all the same. Seconds. */
const START_GAP_S = 0.1;

export interface StoredSinkOptions extends SinkOptions {
  /** Seconds at which the media begins, and ends. */
  start: number;
  duration: number;
}

/** Which way, and what of, the media is shown. */
export interface Showing {
  /** Above 0. */
  readonly speed: number;
  readonly isReverse: boolean;
  readonly keyFramesAlone: boolean;
}

export class StoredSink implements Sink {
  readonly video: HTMLVideoElement;
  readonly #shown: ShownFrame;
  readonly #clock: Clock;
  readonly #handlers: SinkHandlers;
  readonly #mediaSource: MediaSource;
  readonly #objectUrl: string;
  readonly #duration: number;
  readonly #abort = new AbortController();
  readonly #leading = new LeadingPictures();
  readonly #leadUp = new LeadUp();
  #expects: ExpectedTracks = { video: true, audio: false };
  #videoConfig: VideoTrackConfig | null = null;
  #audioConfig: AudioTrackConfig | null = null;
  #videoFeed: StoredFeed | null = null;
  #audioFeed: StoredFeed | null = null;
  #held: (() => void)[] = [];
  #isStarted = false;
  #isStarting = false;
  #cancelAudioWait: (() => void) | null = null;
  #needsKeyFrame = true;
  /** What comes belongs to a position that is not wanted any more. */
  #awaitsPosition = false;
  /** What comes tells where the playhead has to be. */
  #awaitsFirst = true;
  /** Where the sound has to begin, so that nothing is missing beside the first frame; null before the first. */
  #soundStart: number | null = null;
  /** Sound that came before the first frame of its position. */
  readonly #earlySound: { unit: AccessUnit; time: number }[] = [];
  /** Where the playhead is to go. */
  #target: number | null = null;
  /** The last one that needs no other. */
  #picture: { unit: AccessUnit; place: number } | null = null;
  readonly #mediaStart: number;
  #speed = 1;
  /** Null while all is shown as it comes. */
  #trick: TrickTimes | null = null;
  /** Times of the newest frames, milliseconds: what goes on by another PLAY begins with some of them. */
  #newestTimes: number[] = [];
  #skipsDoubles = false;
  #isHeld = true;
  #isStarved = false;
  #hasEnded = false;
  #units = 0;
  #newest = 0;
  #jumps = 0;
  #closed = false;

  /** Throws media-source-missing where the browser has no Media Source Extensions. */
  constructor(options: StoredSinkOptions, handlers: SinkHandlers) {
    const Constructor = mediaSourceConstructor();
    if (Constructor === null) throw mediaSourceMissing();
    this.#clock = options.clock;
    this.#handlers = handlers;
    this.#mediaStart = options.start;
    this.#duration = options.duration;
    this.#mediaSource = new Constructor();
    this.#objectUrl = URL.createObjectURL(this.#mediaSource);
    this.video = createVideo(options.container.ownerDocument);
    this.#shown = new ShownFrame(this.video);
    this.video.muted = options.muted;
    this.video.volume = options.volume;
    const { signal } = this.#abort;
    this.#mediaSource.addEventListener('sourceopen', () => this.#onOpen(), { signal });
    this.video.addEventListener('waiting', () => this.#onWaiting(), { signal });
    this.video.addEventListener('seeked', () => this.#release(), { signal });
    this.video.addEventListener('timeupdate', () => this.#fillWithSilence(), { signal });
    this.video.addEventListener('error', () => this.#fail(decodingError(this.video)), { signal });
    this.video.src = this.#objectUrl;
    this.#hold();
    options.container.append(this.video);
  }

  get timeOnScreen(): number | null {
    if (this.video.readyState < this.video.HAVE_CURRENT_DATA || this.video.seeking) return null;
    return this.#trick === null
      ? this.#shown.time
      : this.#trick.pictureAt(Math.max(this.video.currentTime, this.#shown.time));
  }

  get muted(): boolean {
    return this.video.muted;
  }

  set muted(muted: boolean) {
    this.video.muted = muted;
  }

  get volume(): number {
    return this.video.volume;
  }

  set volume(volume: number) {
    this.video.volume = volume;
  }

  /** Of no use here: the server decides what comes when. */
  set latency(_latency: Latency) {}

  /** What was fed ahead of the playhead, whether the browser has taken it already or not; seconds of the media. */
  get fedLead(): number {
    // Of what lies behind a gap the last frame is not there before another one has come.
    return this.#isStarved ? 0 : this.#newest - this.video.currentTime;
  }

  /** What is ahead of the playhead, seconds of the media. */
  get lead(): number {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index++) {
      if (buffered.start(index) - START_GAP_S <= currentTime && currentTime <= buffered.end(index)) {
        return buffered.end(index) - currentTime;
      }
    }
    return 0;
  }

  expect(expects: ExpectedTracks): void {
    if (!this.#isStarted) this.#expects = expects;
    this.#tryStart();
  }

  prepare(): void {}

  /** What comes next goes on from nothing: a new connection. */
  reset(): void {
    this.#needsKeyFrame = true;
  }

  /**
   * Shows another position as soon as it comes: everything up to `begin()` is of no use.
   * @param isReverse - which way play is to go from there, so that the playhead has to be set once
   */
  seek(position: number, isReverse: boolean): void {
    if (isReverse !== this.#isReverse) this.#trick = isReverse ? this.#newTrick(true) : null;
    this.#awaitsPosition = true;
    this.#hasEnded = false;
    this.#isStarved = false;
    this.#held = [];
    this.#videoFeed?.clear();
    this.#audioFeed?.clear();
    this.#hold();
    this.#target = this.#trick?.placeOf(position) ?? position;
    this.#applyTarget();
  }

  /** Whether nothing of the position sought is on screen yet. */
  get isArriving(): boolean {
    return this.#awaitsPosition || this.#awaitsFirst || this.#target !== null || this.video.seeking;
  }

  get #isReverse(): boolean {
    return this.#trick?.isReverse ?? false;
  }

  #newTrick(isReverse: boolean): TrickTimes {
    return new TrickTimes(this.#mediaStart, this.#duration, isReverse);
  }

  /** Where the playhead is, or is on its way to; seconds of the media. */
  get position(): number {
    const place = this.#target ?? this.video.currentTime;
    return this.#trick?.positionAt(place) ?? place;
  }

  /** What comes next is from the position sought. */
  begin({ speed, isReverse, keyFramesAlone }: Showing): void {
    const { position } = this;
    const wasReverse = this.#isReverse;
    this.#speed = speed;
    this.#trick = keyFramesAlone ? this.#newTrick(isReverse) : null;
    // The first unit sets the playhead.
    if (isReverse !== wasReverse) this.#target = this.#trick?.placeOf(position) ?? position;
    this.#awaitsPosition = false;
    this.#needsKeyFrame = true;
    this.#awaitsFirst = true;
    this.#soundStart = null;
    this.#held = [];
    this.#newestTimes = [];
    this.#picture = null;
    this.#skipsDoubles = false;
    this.#earlySound.length = 0;
    this.#leadUp.begin();
  }

  /** What comes next goes on from what came before, but begins with the key frame before its end. */
  goOn(): void {
    this.#needsKeyFrame = true;
    this.#skipsDoubles = true;
  }

  pushVideo(unit: AccessUnit, time: number): void {
    if (unit.config?.kind === 'video' && unit.config !== this.#videoConfig) {
      this.#videoConfig = this.#supported(unit.config) ? unit.config : null;
      if (this.#videoConfig === null) this.expect({ ...this.#expects, video: false });
    }
    const config = this.#videoConfig;
    if (config === null || this.#closed || this.#awaitsPosition) return;
    if (this.#needsKeyFrame) {
      if (!unit.isKeyFrame) return;
      this.#needsKeyFrame = false;
      this.#leading.startAt(time);
      this.#awaitAudio();
    }
    if (this.#trick !== null) {
      this.#pushPicture(this.#trick, unit, config, time);
      return;
    }
    if (this.#leading.has(time)) return;
    const ahead = (unit.presentationTime - unit.decodeTime) / VIDEO_CLOCK_RATE;
    if (this.#isDouble(time)) return;
    this.#feed(time, () => this.#videoFeed?.push(unit, config, time, ahead));
    this.#goTo(this.#leadUp.push(time, time - ahead));
    const sound = this.#audioConfig;
    for (const early of this.#earlySound.splice(0)) {
      if (sound !== null && early.time >= time) this.#feedAudio(early.unit, sound, early.time);
    }
  }

  pushAudio(unit: AccessUnit, time: number): void {
    if (unit.config?.kind === 'audio' && unit.config !== this.#audioConfig) {
      this.#audioConfig = this.#supported(unit.config) ? unit.config : null;
      if (this.#audioConfig === null) this.expect({ ...this.#expects, audio: false });
    }
    const config = this.#audioConfig;
    if (config === null || this.#closed || this.#awaitsPosition || this.#trick !== null) return;
    if (this.#expects.video && this.#needsKeyFrame) {
      // The first picture is large, and comes after sound that belongs behind its beginning.
      if (this.#earlySound.length < MAX_EARLY_UNITS) this.#earlySound.push({ unit, time });
      return;
    }
    this.#feedAudio(unit, config, time);
    if (!this.#expects.video) this.#goTo(time + SAME_TIME_S);
  }

  /** Of a picture that needs no other. */
  #pushPicture(trick: TrickTimes, unit: AccessUnit, config: VideoTrackConfig, time: number): void {
    const place = unit.isKeyFrame ? trick.add(time, this.video.currentTime) : null;
    if (place === null) return;
    const before = this.#picture;
    this.#picture = { unit, place };
    const step = REPEAT_S * this.#speed;
    if (before !== null && place - before.place < MAX_STANDING_S) {
      for (let copy = before.place + step; copy < place - step / 2; copy += step)
        this.#feedPicture(before.unit, config, copy);
    }
    this.#feedPicture(unit, config, place);
    this.#fillWithSilence();
  }

  #feedPicture(unit: AccessUnit, config: VideoTrackConfig, place: number): void {
    // It is another frame to the feed, which lays side by side those that come with one time.
    const copy = { ...unit, presentationTime: Math.round(place * VIDEO_CLOCK_RATE) };
    this.#feed(place, () => this.#videoFeed?.push(copy, config, place, 0));
    this.#goTo(place + SAME_TIME_S);
  }

  /** Whether a frame came with what was played before, or lies before all of that. */
  #isDouble(time: number): boolean {
    const milliseconds = Math.round(time * 1_000);
    const [oldest = 0] = this.#newestTimes;
    if (this.#skipsDoubles && (milliseconds < oldest || this.#newestTimes.includes(milliseconds))) return true;
    this.#skipsDoubles = false;
    this.#newestTimes.push(milliseconds);
    if (this.#newestTimes.length > MAX_GROUP_UNITS) this.#newestTimes.shift();
    return false;
  }

  /** The browser shows no picture without the sound beside it. */
  #fillWithSilence(): void {
    if (this.#trick === null || this.#audioFeed === null || this.#awaitsPosition || this.#hasEnded) return;
    const ahead = this.video.currentTime + SILENCE_AHEAD_S * Math.max(1, this.#speed);
    this.#audioFeed.fillWithSilence(Math.min(this.#newest, ahead));
  }

  #feedAudio(unit: AccessUnit, config: AudioTrackConfig, time: number): void {
    this.#feed(time, () => this.#audioFeed?.push(unit, config, time, 0));
  }

  async play(): Promise<void> {
    await this.video.play();
  }

  pause(): void {
    this.video.pause();
  }

  jump(): void {}

  /** Nothing more comes: what is there is played to its end. */
  end(): void {
    this.#hasEnded = true;
    this.#goTo(this.#leadUp.end());
    this.#videoFeed?.flush(this.#isReverse ? this.#duration : undefined);
    this.#audioFeed?.flush();
    this.#endOfStream();
    this.#release();
  }

  stats(): SinkStats {
    return {
      playoutDelay: MARGIN_S,
      soundDelay: this.#videoFeed !== null && this.#audioFeed !== null ? 0 : null,
      lead: this.#newest - this.video.currentTime,
      droppedSamples: (this.#videoFeed?.droppedSamples ?? 0) + (this.#audioFeed?.droppedSamples ?? 0),
      silentUnits: this.#audioFeed?.silentUnits ?? 0,
      jumps: this.#jumps,
      presentations: 1,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#stop();
    this.video.pause();
    this.video.remove();
    this.video.removeAttribute('src');
    this.video.load();
  }

  #supported(config: TrackConfig): boolean {
    if (mediaSourceConstructor()?.isTypeSupported(mimeTypeOf(config)) === true) return true;
    this.#handlers.onUnsupported(config.kind, config.codec);
    return false;
  }

  #awaitAudio(): void {
    if (this.#isStarted || !this.#expects.audio || this.#cancelAudioWait !== null) return;
    this.#cancelAudioWait = this.#clock.schedule(AUDIO_WAIT_MS, () => {
      if (!this.#isStarted && this.#audioConfig === null) this.expect({ ...this.#expects, audio: false });
    });
  }

  #feed(time: number, push: () => void): void {
    this.#newest = time;
    this.#soundStart ??= time;
    if (!this.#isStarted || this.#awaitsFirst) {
      if (this.#held.length >= MAX_HELD_UNITS) {
        this.#fail(new StreamError('media-failed', 'The browser did not open the media source.'));
        return;
      }
      this.#held.push(push);
      this.#tryStart();
      return;
    }
    push();
    if (++this.#units % TRIM_EVERY_UNITS === 0) this.#trim();
  }

  /**
   * Moves the playhead once what was buffered is gone: else the browser would find a frame of the target there and say that
   * it has arrived, before the server has said where it goes.
   */
  #applyTarget(): void {
    if (this.#target === null || this.#closed) return;
    if (this.#videoFeed?.isClearing || this.#audioFeed?.isClearing) return;
    this.video.currentTime = this.#target;
    this.#target = null;
  }

  /** The end of the stream made it what was buffered. */
  #restoreDuration(): void {
    const { readyState, duration, sourceBuffers } = this.#mediaSource;
    if (readyState !== 'open' || duration >= this.#duration || [...sourceBuffers].some(({ updating }) => updating))
      return;
    this.#mediaSource.duration = this.#duration;
  }

  /** What comes first says what the position really is, seconds; null: not yet. */
  #goTo(time: number | null): void {
    if (!this.#awaitsFirst || time === null) return;
    this.#awaitsFirst = false;
    const isOnItsWay = this.#target === null;
    const position = Math.max(0, Math.min(time, this.#duration));
    // A page that asked for a seek waits for its end, also of one to where the playhead is.
    if (!isOnItsWay || this.video.currentTime !== position) {
      this.#jumps++;
      this.#target = position;
      this.#applyTarget();
    }
    if (this.#isStarted) this.#feedHeld();
  }

  #feedHeld(): void {
    if (this.#soundStart !== null) this.#audioFeed?.startAt(this.#soundStart);
    for (const push of this.#held.splice(0)) push();
  }

  #onOpen(): void {
    URL.revokeObjectURL(this.#objectUrl);
    this.#tryStart();
  }

  #tryStart(): void {
    if (this.#isStarted || this.#isStarting || this.#closed || this.#mediaSource.readyState !== 'open') return;
    if (this.#expects.video && this.#videoConfig === null) return;
    if (this.#expects.audio && this.#audioConfig === null) return;
    const configs = [this.#videoConfig, this.#audioConfig].filter((config) => config !== null);
    if (configs.length === 0) return;
    this.#isStarting = true;
    Promise.all(configs.map((config) => loadSegmentWriter(config))).then(
      () => this.#start(),
      (thrown) => this.#fail(StreamError.from(thrown, 'media-failed', 'The code for this codec could not be loaded.')),
    );
  }

  #start(): void {
    if (this.#closed) return;
    this.#isStarted = true;
    this.#cancelAudioWait?.();
    try {
      // Without it the browser takes the media for live, and ignores a seek to what is not buffered.
      this.#mediaSource.duration = this.#duration;
      const { video, audio } = this.#expects;
      if (video && this.#videoConfig !== null) this.#videoFeed = this.#makeFeed(1, this.#videoConfig);
      if (audio && this.#audioConfig !== null) this.#audioFeed = this.#makeFeed(2, this.#audioConfig);
    } catch (thrown) {
      this.#fail(StreamError.from(thrown, 'media-failed', 'The browser refused to play this codec.'));
      return;
    }
    const { signal } = this.#abort;
    for (const buffer of this.#mediaSource.sourceBuffers) {
      buffer.addEventListener('updateend', () => this.#onUpdateEnd(), { signal });
    }
    if (!this.#awaitsFirst) this.#feedHeld();
    if (this.#hasEnded) this.end();
  }

  #onUpdateEnd(): void {
    this.#restoreDuration();
    this.#applyTarget();
    this.#fillWithSilence();
    this.#release();
  }

  #makeFeed(trackId: number, config: TrackConfig): StoredFeed {
    return new StoredFeed(this.#mediaSource, trackId, config, {
      onError: (error) => this.#fail(error),
      onQuotaExceeded: () => this.video.currentTime - 1,
    });
  }

  #trim(): void {
    const end = this.video.currentTime - KEEP_BEHIND_S;
    if (end <= 0) return;
    this.#videoFeed?.removeBefore(end);
    this.#audioFeed?.removeBefore(end);
  }

  #hold(): void {
    this.#isHeld = true;
    this.video.playbackRate = 0;
  }

  /** Lets the playhead move once enough is ahead of it; where nothing was recorded, it goes on behind the gap. */
  #release(): void {
    if (!this.#isHeld || this.#closed || this.#awaitsPosition || this.#target !== null) return;
    const next = this.#startBehindGap();
    const { lead } = this;
    if (next !== null && (this.#isStarved || lead <= START_GAP_S)) {
      if (this.video.seeking || this.#awaitsFirst) return;
      this.#jumps++;
      this.#isStarved = false;
      this.video.currentTime = next;
      return;
    }
    const isLast = this.#hasEnded && this.#mediaSource.readyState === 'ended';
    if (next === null && !isLast && lead < MARGIN_S * Math.max(1, this.#speed)) return;
    this.#isHeld = false;
    this.#isStarved = false;
    this.video.playbackRate = this.#speed;
  }

  /** Where what was recorded next begins, once there is enough of it; null where there is no gap ahead. */
  #startBehindGap(): number | null {
    const { buffered, currentTime } = this.video;
    for (let index = 0; index < buffered.length; index++) {
      const start = buffered.start(index);
      if (start > currentTime + START_GAP_S && buffered.end(index) - start >= MARGIN_S) return start;
    }
    return null;
  }

  #onWaiting(): void {
    if (this.#closed || this.video.paused || this.isArriving) return;
    this.#isStarved = true;
    this.#hold();
    this.#release();
  }

  #endOfStream(): void {
    if (this.#closed || !this.#hasEnded || this.#mediaSource.readyState !== 'open' || !this.#isStarted) return;
    const buffers = [...this.#mediaSource.sourceBuffers];
    const busy = buffers.find(({ updating }) => updating);
    if (busy === undefined) {
      this.#mediaSource.endOfStream();
      this.#release();
    } else {
      busy.addEventListener('updateend', () => this.#endOfStream(), { once: true, signal: this.#abort.signal });
    }
  }

  #fail(error: StreamError): void {
    if (this.#closed) return;
    this.#stop();
    this.#handlers.onError(error);
  }

  #stop(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#cancelAudioWait?.();
    this.#held = [];
    this.#videoFeed?.close();
    this.#audioFeed?.close();
    URL.revokeObjectURL(this.#objectUrl);
  }
}
