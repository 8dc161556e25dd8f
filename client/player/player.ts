import type { Credentials } from '../../shared/authentication.js';
import { type Clock, systemClock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { MAX_REDIRECTS } from '../../shared/limits.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import { parseRtspUrl } from '../../shared/rtsp-url.js';
import type { SessionDescription } from '../../shared/session-description.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { Latency } from '../playback/latency.js';
import { mediaSourceConstructor, mediaSourceMissing } from '../playback/media-source.js';
import { MediaSourceSink } from '../playback/media-source-sink.js';
import type { Sink, SinkHandlers, SinkStats } from '../playback/sink.js';
import type { CaptureTime } from '../rtp/capture-time.js';
import type { AccessTokens } from '../rtsp/access-token.js';
import type { RedirectError } from '../rtsp/redirect.js';
import { WebSocketTransport } from '../transport/websocket.js';
import type { MediaPosition } from './media-position.js';
import type { MediaRange } from './media-range.js';
import type { MetadataPresenter } from './metadata-presenter.js';
import type { OnvifMetadata } from './onvif-metadata.js';
import { Receiver, type ReceiverOptions } from './receiver.js';
import { Reconnect } from './reconnect.js';
import type { StoredPlayback } from './stored-playback.js';
import type { TrackReceiver, TrackStats } from './track-receiver.js';
import { Watchdog } from './watchdog.js';

/**
 * A camera in a page: connects, plays, and comes back when something fails. Puts a receiver (what the camera sends) and a
 * sink (what the browser shows) together; the sink and its last picture outlive the connections.
 */

export type { Latency };

/**
 * - `idle`: nothing was started, or everything was closed.
 * - `connecting`: on the way to the first picture.
 * - `playing`: live media is shown.
 * - `paused`: the picture is held, by the page or its user.
 * - `reconnecting`: the connection was lost, or never came about; another is tried.
 * - `ended`: the camera has ended the stream.
 * - `error`: nothing is tried any more; `error` says why.
 */
export type PlayerState = 'idle' | 'connecting' | 'playing' | 'paused' | 'reconnecting' | 'ended' | 'error';

/** Where a camera is found. */
export interface PlayerSource {
  /** The URL that the RTSP requests name; `rtsp://<name>/` for a camera that the proxy knows by name. */
  url: string;
  /** The WebSocket that leads there. */
  webSocketUrl: string;
  credentials: Credentials | null;
  /** For a proxy that wants to know who is there. */
  tokens?: AccessTokens;
}

export interface PlayerOptions {
  source: PlayerSource;
  /** The player puts its `<video>` elements in here; each is to fill it, the later one on top. */
  container: HTMLElement;
  latency: Latency;
  muted: boolean;
  /** 0 to 1. */
  volume: number;
  /** As of the receiver; the picture's sound and video when absent. */
  tracks?: readonly string[] | undefined;
  /** As of the receiver. */
  recording?: string | null;
  clock?: Clock;
  logger?: Logger;
}

export interface PlayerHandlers {
  onStateChange(state: PlayerState): void;
  /** Another `<video>` is on screen. */
  onVideoChange(video: HTMLVideoElement): void;
  onTracksChange(): void;
  /** Something went wrong that does not end play; for example a track that cannot be played. */
  onWarning(error: StreamError): void;
  /** The browser refused sound before the user has touched the page; play goes on muted. */
  onMutedByBrowser?(): void;
  /** `playbackRate` has changed. */
  onRateChange?(): void;
  /** What the camera says of the frame that is on screen now. */
  onMetadata?(metadata: OnvifMetadata): void;
}

/** A medium that the camera offers. */
export interface PlayerTrack {
  /** Place in the session description. */
  readonly index: number;
  readonly kind: 'video' | 'audio' | 'application' | 'other';
  /** The RTP payload format's name: `H264`. */
  readonly encodingName: string;
  /** RFC 6381 codec string, once the stream has told it. */
  readonly codec: string | null;
  /** `absent`: offered, but not received (a second track, a backchannel, refused by the camera). */
  readonly state: 'playing' | 'unsupported' | 'absent';
}

export interface PlayerStats extends SinkStats {
  state: PlayerState;
  /** Of the present connection; null where there is no such track. */
  video: TrackStats | null;
  audio: TrackStats | null;
  /** Connections opened after the first. */
  reconnects: number;
  /** Milliseconds from the start of the present connection to its first frame on screen; null before that. */
  firstFrameMs: number | null;
  /** What tells `currentDate`, and how far that may be off, seconds, apart from the camera's own clock; null: not known. */
  dateSource: CaptureTime['source'] | null;
  dateUncertainty: number | null;
  /** From `HTMLVideoElement.getVideoPlaybackQuality()`. */
  totalVideoFrames: number;
  droppedVideoFrames: number;
}

/** A newest frame this far ahead of the playhead is not live any more, seconds beyond the intended delay. */
const LIVE_EDGE_S = 1;

export class Player {
  readonly #source: PlayerSource;
  readonly #media: Pick<ReceiverOptions, 'tracks' | 'recording'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #handlers: PlayerHandlers;
  readonly #output: Pick<PlayerOptions, 'container' | 'latency' | 'muted' | 'volume'>;
  #madeSink: Sink | null = null;
  /** Null of a live stream. */
  #stored: StoredPlayback | null = null;
  /** Null until metadata come. */
  #metadata: MetadataPresenter | null = null;
  #isImageSink = false;
  #awaitsSink = false;
  readonly #reconnect: Reconnect;
  readonly #watchdog: Watchdog;
  readonly #abort = new AbortController();
  #state: PlayerState = 'idle';
  #error: StreamError | null = null;
  #receiver: Receiver | null = null;
  #attempt: AbortController | null = null;
  #description: SessionDescription | null = null;
  #codecs = new Map<number, string>();
  #unsupported = new Set<number>();
  /** The track whose packets and frames are the signs of life: sound is none that the picture moves. */
  #watchedKind: 'video' | 'audio' = 'video';
  #wantsPlay = false;
  #connectedAt = 0;
  #firstFrameMs: number | null = null;
  #awaitsFrame = false;
  #frameWait = new AbortController();
  #connections = 0;
  /** Where the camera has sent us since it last played. */
  #redirects: string[] = [];
  #closed = false;

  /** Throws media-source-missing where the browser has no Media Source Extensions. */
  constructor(options: PlayerOptions, handlers: PlayerHandlers) {
    this.#source = options.source;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#handlers = handlers;
    const { container, latency, muted, volume, tracks, recording = null } = options;
    this.#media = { ...(tracks && { tracks }), recording };
    if (mediaSourceConstructor() === null) throw mediaSourceMissing();
    this.#output = { container, latency, muted, volume };
    this.#reconnect = new Reconnect(this.#clock, () => this.#connect());
    this.#watchdog = new Watchdog(this.#clock, (silentMs) => {
      const seconds = Math.round(silentMs / 100) / 10;
      this.#onFailure(new StreamError('no-data', `The camera has sent nothing for ${seconds} seconds.`));
    });
    const { signal } = this.#abort;
    globalThis.addEventListener('online', () => this.#reconnect.hurry(), { signal });
    container.ownerDocument.addEventListener('visibilitychange', () => this.#onVisibilityChange(), { signal });
  }

  get state(): PlayerState {
    return this.#state;
  }

  /** Made when it is first asked for: a connection that was started before is on its way meanwhile. */
  get #sink(): Sink {
    this.#madeSink ??= new MediaSourceSink(
      { ...this.#output, clock: this.#clock, logger: this.#logger },
      this.#sinkHandlers,
    );
    return this.#madeSink;
  }

  readonly #sinkHandlers: SinkHandlers = {
    onVideoChange: (video) => {
      if (this.#state !== 'playing') this.#awaitsFrame = true;
      this.#handlers.onVideoChange(video);
    },
    onUnsupported: (kind, codec) => this.#onUnsupported(kind, codec),
    onSoundRefused: () => {
      this.muted = true;
      this.#handlers.onMutedByBrowser?.();
    },
    onError: (error) => this.#onFailure(error),
  };

  /** Why the state is `error`, or the reason for reconnecting; null when all is well. */
  get error(): StreamError | null {
    return this.#error;
  }

  /** The `<video>` on screen. */
  get video(): HTMLVideoElement {
    return this.#sink.video;
  }

  get tracks(): readonly PlayerTrack[] {
    const received = new Set(this.#receiver?.tracks.map(({ media }) => media.index));
    return (this.#description?.media ?? []).map(({ index, kind, formats }) => {
      const isUnsupported = this.#unsupported.has(index);
      return {
        index,
        kind,
        encodingName: formats[0]?.encodingName ?? '',
        codec: this.#codecs.get(index) ?? null,
        state: isUnsupported ? 'unsupported' : received.has(index) ? 'playing' : 'absent',
      };
    });
  }

  get muted(): boolean {
    return this.#sink.muted;
  }

  set muted(muted: boolean) {
    this.#sink.muted = muted;
  }

  get volume(): number {
    return this.#sink.volume;
  }

  /** 0 to 1. */
  set volume(volume: number) {
    this.#sink.volume = volume;
  }

  set latency(latency: Latency) {
    this.#sink.latency = latency;
  }

  /** Whether the picture is as near to now as the latency setting intends. */
  get isAtLiveEdge(): boolean {
    const { lead, playoutDelay } = this.#sink.stats();
    return this.#state === 'playing' && this.#stored === null && lead < playoutDelay + LIVE_EDGE_S;
  }

  /** Whether the media has an end, so that its positions can be sought. */
  get isStored(): boolean {
    return this.#stored !== null;
  }

  /** Where stored media are, or are on their way to, seconds; null of a live stream. */
  get position(): number | null {
    return this.#stored?.position ?? null;
  }

  /** From where to where a recording goes; null where there is none, or where it tells no time of day. */
  get range(): { start: Date; end: Date } | null {
    return this.#stored?.dates ?? null;
  }

  /** How many times as fast as they were taken pictures are shown: 1 of a live stream. */
  get playbackRate(): number {
    return this.#stored?.rate ?? 1;
  }

  /** Stored media only; what the server does not have becomes 1 again, which `onRateChange` tells. */
  set playbackRate(rate: number) {
    if (this.#stored !== null) this.#stored.rate = rate;
  }

  /** Goes to a position of stored media, seconds; ignored of a live stream. The `<video>`'s events tell the rest. */
  seek(position: number): void {
    if (this.#stored === null || this.#closed || this.#state === 'error') return;
    this.#watchdog.stop();
    this.#stored.seek(position);
    if (this.#state === 'ended') this.#setState('paused');
    if (this.#receiver === null && !this.#reconnect.isWaiting) this.#connect();
    else if (this.#wantsPlay && this.#state === 'playing') this.#watchdog.start();
  }

  /** Until the present connection shows something, what is on screen belongs to another time line. */
  get #timeOnScreen(): number | null {
    return this.#state === 'playing' || this.#state === 'paused' ? this.#sink.timeOnScreen : null;
  }

  /** Goes to what was taken at this time; ignored where there is no `range`. */
  seekTo(date: Date): void {
    const position = this.#stored?.positionAt(date) ?? null;
    if (position !== null) this.seek(position);
  }

  /** UTC at which the camera took the frame on screen, by what `dateSource` says; null while unknown. */
  get currentDate(): Date | null {
    const capture = this.#capture;
    return capture && new Date(capture.utc);
  }

  get #capture(): CaptureTime | null {
    const time = this.#timeOnScreen;
    return time === null ? null : (this.#receiver?.captureAt(time) ?? null);
  }

  /** Connects, unless that is under way already. Play begins with `play()`. */
  start(): void {
    if (this.#closed || this.#receiver !== null || this.#reconnect.isWaiting) return;
    this.#error = null;
    this.#setState('connecting');
    this.#connect();
  }

  /** Plays, or resumes at the live edge. Rejects as `HTMLMediaElement.play()` does, or with the reason for `error`. */
  async play(): Promise<void> {
    const wasPaused = this.#state === 'paused';
    this.#wantsPlay = true;
    if (this.#receiver === null) this.start();
    else if (wasPaused) this.#resume(this.#receiver);
    for (;;) {
      if (this.#state === 'error' && this.#error !== null) throw this.#error;
      const sink = this.#sink;
      try {
        await sink.play();
        return;
      } catch (thrown) {
        // Another sink may have taken its place, when it was known what there is to show.
        if (sink === this.#sink || !this.#wantsPlay) throw this.#state === 'error' ? (this.#error ?? thrown) : thrown;
      }
    }
  }

  /** Holds the picture; the camera is asked to pause, and the session is kept. */
  pause(): void {
    this.#wantsPlay = false;
    this.#sink.pause();
    if (this.#state === 'playing') {
      this.#watchdog.stop();
      this.#setState('paused');
      // A seek that is under way ends in a pause by itself.
      if (this.#stored?.asksByItself) return;
      this.#receiver?.pause().catch((thrown: unknown) => {
        this.#logger.info('the camera does not pause', { reason: String(thrown) });
      });
    } else if (this.#state === 'connecting' || this.#state === 'reconnecting') {
      this.#disconnect();
      this.#setState('paused');
    }
  }

  /** Jumps to the newest frame. */
  seekToLive(): void {
    if (this.#state === 'paused') this.play().catch(() => undefined);
    else this.#sink.jump();
  }

  getStats(): PlayerStats {
    const tracks = this.#receiver?.tracks ?? [];
    const { source: dateSource = null, uncertainty: dateUncertainty = null } = this.#capture ?? {};
    const { totalVideoFrames, droppedVideoFrames } = this.video.getVideoPlaybackQuality();
    return {
      ...this.#sink.stats(),
      state: this.#state,
      video: tracks.find(({ kind }) => kind === 'video')?.stats() ?? null,
      audio: tracks.find(({ kind }) => kind === 'audio')?.stats() ?? null,
      reconnects: Math.max(0, this.#connections - 1),
      firstFrameMs: this.#firstFrameMs,
      dateSource,
      dateUncertainty,
      totalVideoFrames,
      droppedVideoFrames,
    };
  }

  /** Ends everything, politely towards the camera; the player is of no more use. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#abort.abort();
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#disconnect();
    this.#sink.close();
    this.#stored?.close();
    this.#setState('idle');
    await receiver?.teardown();
  }

  #connect(): void {
    this.#disconnect();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#connections++;
    this.#connectedAt = this.#clock.now();
    this.#firstFrameMs = null;
    let receiver: Receiver;
    try {
      const transport = new WebSocketTransport(this.#source.webSocketUrl, { clock: this.#clock });
      const { url: first, credentials: own, tokens = null } = this.#source;
      const url = this.#redirects.at(-1) ?? first;
      // They are for nobody else.
      const credentials = parseRtspUrl(url).host === parseRtspUrl(first).host ? own : null;
      receiver = new Receiver(
        { transport, url, credentials, tokens, ...this.#media, clock: this.#clock, logger: this.#logger },
        {
          onDescription: (range) => this.#onDescription(range),
          onPosition: () => {
            this.#metadata?.reset();
            this.#stored?.onPosition();
          },
          onTracks: (tracks, description) => this.#onTracks(tracks, description),
          onPacket: (track) => this.#onPacket(track),
          onAccessUnit: (track, unit, time) => this.#onAccessUnit(track, unit, time),
          onEnd: () => this.#onEnd(),
          onClose: (error) =>
            this.#onFailure(error ?? new StreamError('connection-closed', 'The connection was closed.')),
        },
      );
    } catch (thrown) {
      this.#onFailure(StreamError.from(thrown, 'invalid-url', 'The address cannot be used.'));
      return;
    }
    this.#receiver = receiver;
    receiver.start(attempt.signal).then(
      () => {
        if (this.#receiver === receiver) this.#watchdog.start();
      },
      (thrown: unknown) => {
        if (this.#receiver !== receiver) return;
        this.#onFailure(StreamError.from(thrown, 'connection-failed', 'The camera could not be reached.'));
      },
    );
  }

  /** Lets go of the connection and of a planned one; says nothing. */
  #disconnect(): void {
    this.#watchdog.stop();
    this.#reconnect.cancel();
    this.#attempt?.abort();
    this.#attempt = null;
    this.#receiver?.close();
    this.#receiver = null;
    this.#stored?.disconnect();
    this.#metadata?.reset();
    this.#awaitsSink = false;
    this.#awaitsFrame = false;
    this.#frameWait.abort();
  }

  #resume(receiver: Receiver): void {
    if (this.#stored !== null) {
      // What was buffered goes on at once.
      this.#setState('playing');
      if (this.#stored.asksByItself) return;
    } else {
      this.#setState('connecting');
      this.#connectedAt = this.#clock.now();
      this.#sink.reset();
      this.#metadata?.reset();
      this.#awaitsFrame = true;
    }
    (this.#stored?.resume(receiver) ?? receiver.resume()).then(
      () => {
        if (this.#receiver === receiver) this.#watchdog.start();
      },
      (thrown: unknown) => {
        // A server that forgot the session meanwhile, or that cannot resume: a new connection can.
        if (this.#receiver !== receiver) return;
        this.#logger.info('the camera does not resume', { reason: String(thrown) });
        this.#connect();
      },
    );
  }

  /** Stored media need another sink than a live stream, which is taken for granted until the camera tells. */
  #onDescription(range: MediaRange | null): Promise<MediaPosition> | undefined {
    if (range === null && this.#stored !== null) this.#exchangeSink(null);
    return range === null ? undefined : this.#beginStored(range);
  }

  async #beginStored(range: MediaRange): Promise<MediaPosition> {
    const receiver = this.#receiver;
    const { StoredPlayback } = await import('./stored-playback.js');
    if (receiver === null || receiver !== this.#receiver) throw new StreamError('aborted', 'The player was closed.');
    if (this.#stored === null) {
      this.#exchangeSink(
        new StoredPlayback(
          { ...this.#output, clock: this.#clock, range, wantsPlay: () => this.#wantsPlay },
          {
            ...this.#sinkHandlers,
            onRefused: (error) => this.#onRefused(error),
            onThrottle: (isThrottled) => (isThrottled ? this.#watchdog.stop() : this.#watchdog.start()),
            onEnded: () => this.#onEnded(),
            onRateChange: () => this.#handlers.onRateChange?.(),
          },
        ),
      );
    }
    return (this.#stored as StoredPlayback).connect(receiver);
  }

  /** Pictures that no SourceBuffer takes need another sink. Those that come until it is there are let go of. */
  async #showImages(tracks: readonly TrackReceiver[]): Promise<void> {
    const receiver = this.#receiver;
    this.#awaitsSink = true;
    try {
      const { ImageSink } = await import('../playback/image-sink.js');
      if (receiver === null || receiver !== this.#receiver) return;
      this.#awaitsSink = false;
      const { container, latency, muted, volume } = this.#output;
      const options = { container, latency, muted, volume, clock: this.#clock, logger: this.#logger };
      this.#exchangeSink(null, new ImageSink(options, this.#sinkHandlers));
      this.#isImageSink = true;
      this.#expect(tracks);
    } catch (cause) {
      const error = new StreamError('connection-failed', "The player's code for JPEG could not be loaded.", { cause });
      if (receiver === this.#receiver) this.#onFailure(error);
    }
  }

  #expect(tracks: readonly TrackReceiver[]): void {
    const has = (kind: 'video' | 'audio') => tracks.some((track) => track.kind === kind);
    this.#sink.expect({ video: has('video'), audio: has('audio') });
  }

  /** @param given - null: the usual one, or that of stored media */
  #exchangeSink(stored: StoredPlayback | null, given: Sink | null = null): void {
    const old = this.#sink;
    const { muted, volume } = old;
    this.#stored?.close();
    this.#stored = stored;
    this.#isImageSink = false;
    this.#madeSink = stored?.sink ?? given;
    const sink = this.#sink;
    sink.muted = muted;
    sink.volume = volume;
    old.close();
    this.#sinkHandlers.onVideoChange(sink.video);
    if (this.#wantsPlay) sink.play().catch(() => undefined);
  }

  #onTracks(tracks: readonly TrackReceiver[], description: SessionDescription): void {
    this.#description = description;
    this.#unsupported = new Set();
    this.#codecs = new Map();
    const video = tracks.find(({ kind }) => kind === 'video');
    const isImages = video?.format.encodingName.toUpperCase() === 'JPEG';
    if (isImages !== this.#isImageSink) {
      if (isImages) void this.#showImages(tracks);
      else this.#exchangeSink(this.#stored);
    }
    if (!this.#awaitsSink) this.#expect(tracks);
    this.#watchedKind = video === undefined ? 'audio' : 'video';
    if (video === undefined || tracks.length < description.media.length) {
      import('./left-out.js').then(
        ({ nameLeftOut }) =>
          nameLeftOut(tracks, description, this.#unsupported, this.#codecs, this.#handlers, this.#sinkHandlers),
        () => {},
      );
    }
    const config = video?.announcedConfig ?? null;
    if (config?.kind === 'video') this.#sink.prepare(config);
    this.#awaitsFrame = true;
    this.#handlers.onTracksChange();
  }

  #onPacket(track: TrackReceiver): void {
    if (track.kind === this.#watchedKind) this.#watchdog.onPacket();
  }

  #onAccessUnit(track: TrackReceiver, unit: AccessUnit, time: number): void {
    if (track.kind === 'metadata') {
      void this.#onMetadata(unit, time);
      return;
    }
    if (track.kind === this.#watchedKind) this.#watchdog.onFrame(time);
    if (unit.config !== null) {
      this.#codecs.set(track.media.index, unit.config.codec);
      this.#handlers.onTracksChange();
    }
    if (this.#awaitsSink) return;
    if (track.kind === 'video') this.#sink.pushVideo(unit, time);
    else this.#sink.pushAudio(unit, time);
    this.#stored?.onUnit(time);
    if (this.#awaitsFrame && this.#wantsPlay) this.#awaitFrame();
  }

  async #onMetadata(unit: AccessUnit, time: number): Promise<void> {
    const receiver = this.#receiver;
    const code = await import('./metadata-presenter.js').catch(() => null);
    if (code === null || receiver !== this.#receiver) return;
    this.#metadata ??= new code.MetadataPresenter({
      picture: () => ({ video: this.video, time: this.#timeOnScreen }),
      utcAt: (at) => this.#receiver?.utcAt(at) ?? null,
      onMetadata: (metadata) => this.#handlers.onMetadata?.(metadata),
    });
    await this.#metadata.push(unit, time);
  }

  /** Waits until something of the present connection is on screen, or would be if the page were visible. */
  #awaitFrame(): void {
    this.#awaitsFrame = false;
    this.#frameWait.abort();
    const wait = new AbortController();
    this.#frameWait = wait;
    const { signal } = wait;
    const video = this.#sink.video;
    const done = () => {
      if (signal.aborted) return;
      wait.abort();
      if (!this.#wantsPlay || this.#state === 'playing') return;
      this.#firstFrameMs ??= this.#clock.now() - this.#connectedAt;
      this.#reconnect.succeeded();
      this.#redirects = [];
      this.#error = null;
      this.#setState('playing');
    };
    video.requestVideoFrameCallback(done);
    // A hidden page draws nothing, nor does a camera without a picture.
    const onTime = () => {
      if (this.#watchedKind !== 'video' || video.ownerDocument.hidden) done();
    };
    video.addEventListener('timeupdate', onTime, { signal });
  }

  #onUnsupported(kind: 'video' | 'audio', codec: string): void {
    const track = this.#receiver?.tracks.find((candidate) => candidate.kind === kind);
    if (track !== undefined) this.#unsupported.add(track.media.index);
    if (kind === 'video') this.#watchedKind = 'audio';
    const error = new StreamError(
      'codec-unsupported',
      `This browser cannot play ${track?.format.encodingName ?? kind} (${codec}).`,
    );
    this.#handlers.onTracksChange();
    const isLast = this.#receiver?.tracks.every(({ media }) => this.#unsupported.has(media.index)) ?? true;
    if (isLast) this.#onFailure(error);
    else this.#handlers.onWarning(error);
  }

  #onEnd(): void {
    // A live stream has no end: the camera restarts, or changes its settings, and will be back.
    if (this.#stored === null) {
      this.#onFailure(new StreamError('connection-closed', 'The camera has ended the stream.'));
      return;
    }
    // The connection stays for as long as the server keeps it: one may want to see a part again.
    this.#watchdog.stop();
    this.#stored.end();
  }

  /** The last frame of stored media was shown. */
  #onEnded(): void {
    this.#awaitsFrame = false;
    this.#frameWait.abort();
    const hasShown = this.#state === 'playing';
    this.#setState('ended');
    // Settles a play() that waits for the first frame.
    if (!hasShown) this.#sink.pause();
  }

  /** The server does not seek, or does not go on: a new connection begins where this one was to go. */
  #onRefused(error: StreamError): void {
    if (error.retry === 'never') this.#onFailure(error);
    else this.#connect();
  }

  #onFailure(error: StreamError): void {
    if (this.#closed) return;
    if (this.#stored?.isComplete === true && error.code !== 'media-failed') {
      // Not every server says that it has come to the end.
      if (this.#state !== 'ended') this.#onEnd();
      if (error.code !== 'no-data') this.#disconnect();
      return;
    }
    this.#logger.warn('connection lost', { code: error.code, reason: error.message });
    this.#disconnect();
    if (this.#state === 'paused' || this.#state === 'ended') return;
    const { location } = error as Partial<RedirectError>;
    if (location !== undefined && this.#redirects.push(location) <= MAX_REDIRECTS) {
      if (this.#state === 'playing') this.#setState('reconnecting');
      this.#connect();
      return;
    }
    this.#redirects = [];
    this.#error = error;
    const isRenewable = error.retry === 'new-token' && this.#source.tokens?.isRenewable();
    const delay = this.#reconnect.plan(isRenewable ? 'back-off' : error.retry);
    if (delay === null) {
      this.#setState('error');
      // Settles a play() that waits for the first frame.
      this.#sink.pause();
      return;
    }
    this.#setState('reconnecting');
  }

  #onVisibilityChange(): void {
    if (!this.#sink.video.ownerDocument.hidden) this.#reconnect.hurry();
  }

  #setState(state: PlayerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#handlers.onStateChange(state);
  }
}
