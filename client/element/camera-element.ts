import type { PropertyDeclarations, PropertyValues } from '@lit/reactive-element';
import { StreamError } from '../../shared/errors.js';
import { DEFAULT_LATENCY, latencyConverter, parseLatency, parseVolume } from './attributes.js';
import { LastPicture } from './last-picture.js';
import { MediaElement } from './media-element.js';
import { forwardMediaEvents, type StateChange } from './media-events.js';
import type { ElementPlayer, Latency, PlayerFactory, PlayerSource, PlayerState } from './player-factory.js';
import { resolveSource } from './source.js';

/** Somebody who waits for a play() that was asked for before the element was in the page. */
interface Waiter {
  resolve(): void;
  reject(reason: unknown): void;
}

/**
 * The part of the element that has no looks: its attributes, what they say to play, and the player's life between the
 * page's wishes and the element's place in the document.
 */
export abstract class CameraElement extends MediaElement {
  /** Set by the entry that defines the element. */
  static createPlayer: PlayerFactory | null = null;
  /** Used where the `proxy` attribute is absent; empty: there is none, and the attribute is required. */
  static defaultProxy = '';

  static override properties: PropertyDeclarations = {
    src: { reflect: true, useDefault: true },
    proxy: {},
    username: {},
    password: {},
    token: {},
    autoplay: { type: Boolean, reflect: true, useDefault: true },
    controls: { type: Boolean, reflect: true, useDefault: true },
    loop: { type: Boolean, reflect: true, useDefault: true },
    defaultMuted: { type: Boolean, reflect: true, useDefault: true, attribute: 'muted' },
    disablePictureInPicture: { type: Boolean, reflect: true, useDefault: true, attribute: 'disablepictureinpicture' },
    latency: { converter: latencyConverter },
    wantedTracks: { attribute: 'tracks' },
    recording: {},
    poster: { reflect: true, useDefault: true },
    label: { reflect: true, useDefault: true },
  };

  declare src: string;
  declare proxy: string;
  declare username: string;
  declare password: string;
  /** The access token for the proxy, or a function that gets one; asked anew before each connection and as play goes on. */
  declare token: string | (() => string | Promise<string>);
  /**
   * The `tracks` attribute: what to receive, of each kind the first that the camera has: `video`, `audio`, `metadata`, places
   * in `tracks` from 0, names of payload formats; separated by blanks. `video audio` when empty.
   */
  declare wantedTracks: string;
  /**
   * There: the source is a recorder (ONVIF replay). Says which part is wanted, as `start/end` in ISO 8601; either may be
   * missing. Null: it is what it says it is.
   */
  declare recording: string | null;
  declare autoplay: boolean;
  declare controls: boolean;
  declare loop: boolean;
  /** The `muted` attribute. It decides until `muted` is set, by the page or by a person. */
  declare defaultMuted: boolean;
  declare disablePictureInPicture: boolean;
  declare poster: string;
  declare label: string;

  /** What the player puts its videos in. */
  protected readonly screen = document.createElement('div');
  /** Shows while a new player has no picture yet. */
  protected readonly lastPicture = new LastPicture();
  /** The picture stands because the next frame is not there yet. */
  protected isStalled = false;
  /** The browser allowed no sound without a gesture, so play went on muted. */
  protected isMutedByBrowser = false;
  #player: ElementPlayer | null = null;
  /** The video that is listened to. */
  #video: HTMLVideoElement | null = null;
  #videoEvents = new AbortController();
  #state: PlayerState = 'idle';
  #error: StreamError | null = null;
  #source: PlayerSource | null = null;
  /** The attributes behind `#source`, to notice a change. */
  #sourceKey = '';
  #paused = true;
  #muted: boolean | null = null;
  #volume = 1;
  #latency: Latency = DEFAULT_LATENCY;
  /** Until play() or pause() is called, `autoplay` may start this source. */
  #mayAutoplay = false;
  #resumesWhenAttached = false;
  readonly #waiters: Waiter[] = [];
  #shownAtLiveEdge = false;

  constructor() {
    super();
    this.src =
      this.proxy =
      this.username =
      this.password =
      this.token =
      this.wantedTracks =
      this.poster =
      this.label =
        '';
    this.recording = null;
    this.autoplay = this.controls = this.loop = this.defaultMuted = this.disablePictureInPicture = false;
  }

  // What the page reads and sets.

  get state(): PlayerState {
    return this.#state;
  }

  /** Why `state` is `error`, or null. `code` is stable; `message` is a sentence for a person. */
  get error(): StreamError | null {
    return this.#state === 'error' ? this.#error : null;
  }

  get currentSrc(): string {
    return this.#source === null ? '' : this.src;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** As of HTMLMediaElement: NETWORK_EMPTY (0), NETWORK_IDLE (1), NETWORK_LOADING (2), NETWORK_NO_SOURCE (3). */
  get networkState(): number {
    if (this.#source === null) return this.#error === null ? 0 : 3;
    return this.#player === null || this.#state === 'ended' || this.#state === 'error' ? 1 : 2;
  }

  get muted(): boolean {
    return this.#muted ?? this.defaultMuted;
  }
  set muted(muted: boolean) {
    this.isMutedByBrowser = false;
    this.#setMuted(Boolean(muted));
  }

  /** From 0 to 1; other numbers are moved to the nearer end. */
  get volume(): number {
    return this.#volume;
  }
  set volume(value: number) {
    const volume = parseVolume(value);
    if (volume === null) this.#warn(({ warnOfVolume }) => warnOfVolume(this, value));
    if (volume === null || volume === this.#volume) return;
    this.#volume = volume;
    if (this.#player !== null) this.#player.volume = volume;
    this.#volumeChanged();
  }

  /** How far behind the camera the picture may be: `low`, `balanced`, `smooth`, or milliseconds. */
  get latency(): Latency {
    return this.#latency;
  }
  set latency(value: Latency) {
    const latency = parseLatency(value);
    if (latency === null) this.#warn(({ warnOfLatency }) => warnOfLatency(this, value));
    this.#latency = latency ?? DEFAULT_LATENCY;
    if (this.#player !== null) this.#player.latency = this.#latency;
  }

  protected override get player(): ElementPlayer | null {
    return this.#player;
  }

  // What the page does.

  /**
   * Connects, or goes on at the live picture.
   * @returns settled when the picture runs, or cannot. Rejects with a DOMException `NotAllowedError` where the browser
   * wants a gesture first, `NotSupportedError` where `src` cannot be used, `AbortError` when something else was asked for
   * meanwhile; else with a StreamError.
   */
  play(): Promise<void> {
    this.#syncSource();
    if (this.#source === null) {
      return Promise.reject(new DOMException(this.#error?.message ?? 'There is no src to play.', 'NotSupportedError'));
    }
    this.#mayAutoplay = false;
    this.#setPaused(false);
    if (this.isConnected) return this.#resume('pause');
    this.#resumesWhenAttached = true;
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  pause(): void {
    this.#mayAutoplay = false;
    this.#resumesWhenAttached = false;
    this.#rejectWaiters();
    this.#setPaused(true);
    this.#player?.pause();
  }

  /** Starts over with the present attributes. */
  load(): void {
    this.#sourceKey = this.#currentSourceKey();
    this.#load();
  }

  // Lifetime.

  override connectedCallback(): void {
    super.connectedCallback();
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    // An element that is moved is taken out and put in within one task; its connection stays.
    queueMicrotask(() => {
      if (!this.isConnected) this.#suspend();
    });
  }

  protected override updated(changed: PropertyValues): void {
    this.#shownAtLiveEdge = this.isAtLiveEdge;
    for (const name of ['autoplay', 'muted', 'controls', 'loop', 'disablepictureinpicture']) {
      if (this.getAttribute(name)?.toLowerCase() === 'false') this.#warn(({ warnOfFalse }) => warnOfFalse(this, name));
    }
    if (this.#muted === null && changed.get('defaultMuted') !== undefined) {
      if (this.#player !== null) this.#player.muted = this.defaultMuted;
      this.#volumeChanged();
    }
    if (this.#video !== null) this.#video.disablePictureInPicture = this.disablePictureInPicture;
    if (!this.isConnected) return;
    this.#syncSource();
    if (this.#source === null) return;
    if (this.#resumesWhenAttached) void this.#attach();
    else if (this.autoplay && this.#mayAutoplay) void this.#startByItself();
  }

  /** Why play stopped, or why it is interrupted and tried again. */
  protected get lastError(): StreamError | null {
    return this.#error;
  }

  protected get hasSource(): boolean {
    return this.#source !== null;
  }

  /** What `token` is when it is needed: a page may set it later, and another one. */
  readonly #tokens = {
    get: (): string | Promise<string> => (typeof this.token === 'function' ? this.token() : this.token) ?? '',
    isRenewable: () => typeof this.token === 'function',
  };

  #currentSourceKey(): string {
    return JSON.stringify([this.src, this.proxy, this.username, this.password, this.wantedTracks, this.recording]);
  }

  /** Loads if an attribute that says what to play has changed since. */
  #syncSource(): void {
    const key = this.#currentSourceKey();
    if (key === this.#sourceKey) return;
    this.#sourceKey = key;
    this.#load();
  }

  /** HTML's media element load algorithm, as far as it applies. */
  #load(): void {
    const wasEmpty = this.networkState === 0;
    this.#closePlayer();
    this.lastPicture.clear();
    this.#rejectWaiters();
    this.#paused = true;
    this.#resumesWhenAttached = false;
    this.#mayAutoplay = true;
    this.#error = null;
    this.#source = null;
    let failure: StreamError | null = null;
    try {
      const { src, username, password } = this;
      const proxy = this.proxy || CameraElement.defaultProxy;
      const source = resolveSource({ src, proxy, username, password }, document.baseURI);
      this.#source = source && { ...source, tokens: this.#tokens };
    } catch (thrown) {
      failure = StreamError.from(thrown, 'invalid-url', 'This src cannot be played.');
    }
    this.#setState('idle');
    this.requestUpdate();
    if (!wasEmpty) this.#dispatch('emptied');
    if (this.#source === null && failure === null) return;
    this.#dispatch('loadstart');
    if (failure !== null) this.#fail(failure);
  }

  async #attach(): Promise<void> {
    this.#resumesWhenAttached = false;
    const waiters = this.#waiters.splice(0);
    this.#setPaused(false);
    try {
      await this.#resume(this.autoplay ? 'mute' : 'pause');
      for (const { resolve } of waiters) resolve();
    } catch (reason) {
      for (const { reject } of waiters) reject(reason);
    }
  }

  /** The element is out of the page: nobody watches, so nothing is fetched. */
  #suspend(): void {
    this.#resumesWhenAttached ||= !this.#paused;
    this.#keepPicture();
    this.#closePlayer();
    if (this.#source !== null) this.#setState('idle');
    this.#setPaused(true);
  }

  async #startByItself(): Promise<void> {
    this.#mayAutoplay = false;
    this.#setPaused(false);
    await this.#resume('mute').catch(nothingToAdd);
  }

  /** @param whenRefused - what to do when the browser wants a gesture before there may be sound */
  async #resume(whenRefused: 'mute' | 'pause'): Promise<void> {
    if (this.#state === 'error' || this.#state === 'ended') {
      this.#keepPicture();
      this.#closePlayer();
    }
    const player = this.#player ?? this.#openPlayer();
    try {
      await player.play();
    } catch (reason) {
      const isRefused = reason instanceof DOMException && reason.name === 'NotAllowedError';
      if (player !== this.#player || !isRefused) throw reason;
      if (whenRefused === 'mute' && !this.muted) {
        this.#muteForBrowser();
        return this.#resume('pause');
      }
      player.pause();
      this.#setPaused(true);
      throw reason;
    }
  }

  #openPlayer(): ElementPlayer {
    const { createPlayer } = CameraElement;
    const source = this.#source;
    if (createPlayer === null || source === null) throw new StreamError('invalid-state', 'There is nothing to play.');
    const player = this.#createPlayer(createPlayer, source);
    this.#player = player;
    player.start();
    this.#adoptVideo(player.video);
    return player;
  }

  /** A browser without Media Source Extensions fails here. */
  #createPlayer(create: PlayerFactory, source: PlayerSource): ElementPlayer {
    const { muted, volume, latency, recording } = this;
    const tracks = this.wantedTracks?.toLowerCase().match(/[^\s,]+/g) ?? undefined;
    let player: ElementPlayer | null = null;
    /** A player that was closed has no more say. */
    const isCurrent = () => player === this.#player;
    try {
      player = create(
        {
          source,
          container: this.screen,
          muted,
          volume,
          latency,
          tracks,
          recording,
        },
        {
          onStateChange: (state) => isCurrent() && this.#onStateChange(state),
          onVideoChange: (video) => isCurrent() && this.#adoptVideo(video),
          onTracksChange: () => isCurrent() && this.#onTracksChange(),
          onWarning: (error) => isCurrent() && this.dispatchEvent(new CustomEvent('warning', { detail: error })),
          onMutedByBrowser: () => isCurrent() && this.#muteForBrowser(),
          onMetadata: (detail) => isCurrent() && this.dispatchEvent(new CustomEvent('metadata', { detail })),
          onRateChange: () => isCurrent() && this.#dispatch('ratechange'),
        },
      );
    } catch (thrown) {
      const error = StreamError.from(thrown, 'invalid-state', 'The player could not be made.');
      this.#fail(error);
      throw error;
    }
    return player;
  }

  #closePlayer(): void {
    const player = this.#player;
    if (player === null) return;
    this.#player = null;
    this.#videoEvents.abort();
    this.#video = null;
    this.frameCallbacks.follow(null);
    this.isStalled = false;
    void player.close().catch(nothingToAdd);
    this.requestUpdate();
  }

  #rejectWaiters(): void {
    for (const { reject } of this.#waiters.splice(0)) {
      reject(new DOMException('Something else was asked for before play began.', 'AbortError'));
    }
  }

  // What the player says.

  #onStateChange(state: PlayerState): void {
    this.#error = this.#player?.error ?? null;
    if (state === 'error') {
      this.#fail(this.#error ?? new StreamError('invalid-state', 'The player stopped without saying why.'));
      return;
    }
    this.#setState(state);
    if (state === 'reconnecting') this.#dispatch('waiting');
    if (state !== 'ended') return;
    if (this.loop && Number.isFinite(this.duration)) {
      void this.#resume('pause').catch(nothingToAdd);
      return;
    }
    this.#setPaused(true);
    this.#dispatch('ended');
  }

  #fail(error: StreamError): void {
    this.#error = error;
    this.#setState('error');
    this.#dispatch('error');
  }

  #setState(state: PlayerState): void {
    const previousState = this.#state;
    if (state === previousState) return;
    this.#state = state;
    this.isStalled = false;
    this.requestUpdate();
    const detail: StateChange = { state, previousState, error: this.#error };
    this.dispatchEvent(new CustomEvent('statechange', { detail }));
  }

  #onTracksChange(): void {
    this.requestUpdate();
    this.#dispatch('trackschange');
  }

  #adoptVideo(video: HTMLVideoElement): void {
    const previous = this.#video;
    if (video === previous) return;
    this.#videoEvents.abort();
    this.#videoEvents = new AbortController();
    const { signal } = this.#videoEvents;
    this.#video = video;
    video.disablePictureInPicture = this.disablePictureInPicture;
    forwardMediaEvents(video, this, signal);
    this.frameCallbacks.follow(video);
    const listen = (type: string, listener: () => void) => video.addEventListener(type, listener, { signal });
    const update = () => this.requestUpdate();
    for (const type of [
      'loadedmetadata',
      'durationchange',
      'seeking',
      'enterpictureinpicture',
      'leavepictureinpicture',
    ]) {
      listen(type, update);
    }
    listen('loadeddata', () => this.#onPicture());
    listen('waiting', () => this.#setStalled(true));
    listen('playing', () => this.#setStalled(false));
    listen('timeupdate', () => this.#onTimeUpdate());
    // The browser's own buttons, in a picture-in-picture window or on a keyboard, act on the video itself.
    listen('pause', () => {
      if (video.paused && !video.ended && !this.#paused && this.#state === 'playing') this.pause();
    });
    listen('play', () => {
      if (!video.paused && this.#paused && this.#state === 'paused') void this.play().catch(nothingToAdd);
    });
    if (video.readyState >= video.HAVE_CURRENT_DATA) this.#onPicture();
    if (previous !== null) this.#followPicture(previous, video);
    this.requestUpdate();
  }

  #onPicture(): void {
    this.lastPicture.clear();
    this.requestUpdate();
  }

  /** What a page has seen of the former video holds for the next one, or is corrected. */
  #followPicture(previous: HTMLVideoElement, video: HTMLVideoElement): void {
    if (previous.videoWidth !== video.videoWidth || previous.videoHeight !== video.videoHeight) {
      this.#dispatch('resize');
    }
    if (this.shadowRoot?.pictureInPictureElement === previous) {
      void video.requestPictureInPicture().catch(nothingToAdd);
    }
  }

  #setStalled(isStalled: boolean): void {
    if (isStalled === this.isStalled) return;
    this.isStalled = isStalled;
    this.requestUpdate();
  }

  #onTimeUpdate(): void {
    // Stored media show how far they are.
    if (this.isAtLiveEdge !== this.#shownAtLiveEdge || this.#player?.isStored) this.requestUpdate();
  }

  #keepPicture(): void {
    if (this.#video !== null) this.lastPicture.take(this.#video);
  }

  #setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.requestUpdate();
    this.#dispatch(paused ? 'pause' : 'play');
  }

  #setMuted(muted: boolean): void {
    const isNew = muted !== this.muted;
    this.#muted = muted;
    if (!isNew) return;
    if (this.#player !== null) this.#player.muted = muted;
    this.#volumeChanged();
  }

  #muteForBrowser(): void {
    this.isMutedByBrowser = true;
    this.#setMuted(true);
  }

  #volumeChanged(): void {
    this.requestUpdate();
    this.#dispatch('volumechange');
  }

  #warn(say: (words: typeof import('./attribute-warnings.js')) => void): void {
    import('./attribute-warnings.js').then(say, nothingToAdd);
  }

  #dispatch(type: string): void {
    this.dispatchEvent(new Event(type));
  }
}

/** What went wrong is in `state` and `error` already, or a person has declined. */
function nothingToAdd(): void {}
