import { html, nothing, type PropertyValues, type TemplateResult } from 'lit';
import { CameraElement } from './camera-element.js';
import { type ControlsActions, controlsTemplate } from './controls.js';
import { ControlsVisibility } from './controls-visibility.js';
import { type Command, commandForKey } from './keyboard.js';
import { announcement, type OverlayActions, type OverlayView, overlayTemplate } from './overlay.js';
import { styles } from './rtsp-player.styles.js';

/** One press of an arrow key. */
const VOLUME_STEP = 0.05;

/** What unmuting turns a volume of 0 into. */
const DEFAULT_AUDIBLE_VOLUME = 0.5;

/**
 * A camera's live picture, with the properties, methods and events of HTML's media element.
 *
 * ```html
 * <rtsp-player src="front-door" autoplay muted controls></rtsp-player>
 * ```
 *
 * @tag rtsp-player
 *
 * @slot overlay - The page's own marks, over the picture and under the controls.
 *
 * @attr {string} src - A camera's name (`front-door`, `front-door/sub`), or an rtsp:// or rtsps:// URL.
 * @attr {string} proxy - WebSocket URL of the proxy. The served bundle takes `./rtsp` beside itself.
 * @attr {string} username - For a camera that asks for credentials.
 * @attr {string} password - For a camera that asks for credentials.
 * @attr {string} token - Access token for the proxy; as a property it may be a function, also an async one.
 * @attr {boolean} autoplay - Connects as soon as it is in the page; muted if the browser allows no sound.
 * @attr {boolean} muted - Starts without sound.
 * @attr {boolean} controls - Shows the control bar and takes the keyboard's keys.
 * @attr {boolean} loop - Starts a recording again at its end.
 * @attr {boolean} disablepictureinpicture - Leaves picture in picture out.
 * @attr {string} latency - `low`, `balanced` (default), `smooth`, or milliseconds.
 * @attr {string} poster - URL of a picture to show until there is a live one.
 * @attr {string} label - The camera's name for people: shown with the controls, and read by screen readers.
 *
 * @event statechange - `state` has changed; `detail` has `state`, `previousState` and `error`.
 * @event error - Play has failed for good; `error` says why.
 * @event warning - Something is amiss and play goes on; `detail` is the StreamError.
 * @event trackschange - `tracks` has changed.
 * @event loadstart - A source was set.
 * @event emptied - The source was taken away or replaced.
 * @event loadedmetadata - Size and duration are known.
 * @event loadeddata - The first picture is there.
 * @event canplay - Play can begin.
 * @event canplaythrough - Play can begin and is expected to go on.
 * @event durationchange - `duration` has changed.
 * @event play - Play was asked for.
 * @event playing - Play has begun, or goes on after a wait.
 * @event pause - Play was paused.
 * @event waiting - The next picture is late, or the connection is being made anew.
 * @event progress - Media arrives.
 * @event resize - `videoWidth` or `videoHeight` has changed.
 * @event seeking - A jump has begun.
 * @event seeked - A jump is done.
 * @event stalled - Media has stopped arriving.
 * @event suspend - The browser has stopped loading on purpose.
 * @event timeupdate - `currentTime` has changed.
 * @event volumechange - `volume` or `muted` has changed.
 * @event ended - The stream has ended.
 * @event enterpictureinpicture - The picture went to its own window.
 * @event leavepictureinpicture - The picture came back.
 *
 * @csspart frame - The whole of it.
 * @csspart screen - What holds the `<video>`.
 * @csspart poster - The picture that shows until there is a live one.
 * @csspart overlay - What lies over the picture: messages, the spinner, the big buttons.
 * @csspart message - A message over the picture.
 * @csspart error - The message of an error.
 * @csspart spinner - The ring that turns while something is awaited.
 * @csspart label - The camera's name.
 * @csspart controls - The control bar.
 * @csspart button - Every button.
 * @csspart play-button - Play and pause.
 * @csspart mute-button - Sound on and off.
 * @csspart volume-slider - The volume.
 * @csspart live-button - Shows whether the picture is live, and makes it so.
 * @csspart pip-button - Picture in picture.
 * @csspart fullscreen-button - Full screen.
 * @csspart big-play-button - The button in the middle while paused.
 * @csspart retry-button - Tries again after an error, plays again after the end.
 * @csspart unmute-button - Offers sound when the browser refused to start with it.
 *
 * @cssprop [--rtsp-player-aspect-ratio=16 / 9] - Of the element, where the page sets no height.
 * @cssprop [--rtsp-player-object-fit=contain] - How the picture fits in.
 * @cssprop [--rtsp-player-background=#000] - Behind and beside the picture.
 * @cssprop [--rtsp-player-color=#fff] - Text and drawings.
 * @cssprop [--rtsp-player-accent=#7cc4ff] - Focus rings.
 * @cssprop [--rtsp-player-live=#ff3b3b] - The mark of a live picture.
 * @cssprop [--rtsp-player-scrim=rgb(9 11 15 / 0.78)] - Behind messages.
 * @cssprop [--rtsp-player-radius=0] - Of the corners.
 * @cssprop [--rtsp-player-font=system-ui, sans-serif] - Font family.
 */
export class RtspPlayerElement extends CameraElement {
  static override styles = styles;

  readonly #controlsVisibility = new ControlsVisibility(this);
  /** Until the tracks are known, and while they are found anew, what was known last holds. */
  #hasAudio = true;
  #wasInterrupted = false;
  #announcement: string | null = null;

  constructor() {
    super();
    this.screen.className = 'screen';
    this.screen.setAttribute('part', 'screen');
    this.addEventListener('fullscreenchange', () => this.requestUpdate());
    this.addEventListener('statechange', () => this.#announce());
  }

  protected override willUpdate(): void {
    this.#noteSound();
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    // CSSOM, since a style attribute would need 'unsafe-inline'.
    const slider = this.renderRoot.querySelector('input');
    slider?.style.setProperty('--level', `${slider.value}%`);
  }

  protected override render(): TemplateResult {
    const { label, state, poster } = this;
    const hasPicture = this.readyState >= 2 || !this.lastPicture.canvas.hidden;
    const isAwake = this.#controlsVisibility.isVisible || this.paused || state === 'error';
    return html`<div
      class=${`frame ${state} ${isAwake ? 'awake' : 'asleep'}`}
      part="frame"
      role="group"
      aria-label=${label || 'Camera'}
      tabindex=${this.controls ? '-1' : nothing}
      @keydown=${this.#onKeyDown}
      @dblclick=${this.#onDoubleClick}
    >
      ${this.screen}${this.lastPicture.canvas}
      ${poster === '' || hasPicture ? nothing : html`<img class="poster" part="poster" alt="" src=${poster} />`}
      <slot name="overlay"></slot>
      <div class="overlay" part="overlay">${overlayTemplate(this.#overlayView, this.#overlayActions)}</div>
      ${label === '' ? nothing : html`<div class="label" part="label" aria-hidden="true"><span>${label}</span></div>`}
      ${this.controls && state !== 'error' && state !== 'ended' ? this.#renderControls() : nothing}
      <div class="unseen" role="status">${this.#announcement === null ? nothing : `${label || 'Camera'}: ${this.#announcement}`}</div>
    </div>`;
  }

  #renderControls(): TemplateResult {
    const { paused, muted, volume } = this;
    return controlsTemplate(
      {
        paused,
        muted,
        volume,
        hasAudio: this.#hasAudio,
        isLive: this.readyState > 0 && !Number.isFinite(this.duration),
        isAtLiveEdge: this.isAtLiveEdge && this.state === 'playing',
        isFullscreen: this.matches(':fullscreen'),
        isInPictureInPicture: this.#isInPictureInPicture,
        canFullscreen: document.fullscreenEnabled,
        canPictureInPicture:
          document.pictureInPictureEnabled === true && !this.disablePictureInPicture && this.videoWidth > 0,
      },
      this.#controlsActions,
    );
  }

  get #overlayView(): OverlayView {
    const plays = (wanted: string) => this.tracks.some(({ kind, state }) => kind === wanted && state === 'playing');
    return {
      state: this.state,
      error: this.lastError,
      hasSource: this.hasSource,
      paused: this.paused,
      hasControls: this.controls,
      isStalled: this.isStalled,
      isSoundOnly: plays('audio') && !plays('video'),
      isMutedByBrowser: this.isMutedByBrowser && this.#hasAudio,
    };
  }

  get #isInPictureInPicture(): boolean {
    return this.video !== null && this.shadowRoot?.pictureInPictureElement === this.video;
  }

  get #audibleVolume(): number {
    return this.muted ? 0 : this.volume;
  }

  #noteSound(): void {
    const { state, tracks } = this;
    if (state === 'idle') this.#hasAudio = true;
    else if (state === 'playing') {
      this.#hasAudio = tracks.some((track) => track.kind === 'audio' && track.state === 'playing');
    }
  }

  #announce(): void {
    this.#noteSound();
    this.#announcement = announcement(this.#overlayView, this.#wasInterrupted);
    if (this.state === 'reconnecting' || this.state === 'error') this.#wasInterrupted = true;
    else if (this.state === 'playing') this.#wasInterrupted = false;
  }

  readonly #overlayActions: OverlayActions = {
    play: () => ignoreRefusal(this.play()),
    unmute: () => {
      this.muted = false;
    },
  };

  readonly #controlsActions: ControlsActions = {
    togglePlay: () => {
      if (this.paused) ignoreRefusal(this.play());
      else this.pause();
    },
    toggleMute: () => {
      const isSilent = this.#audibleVolume === 0;
      if (isSilent && this.volume === 0) this.volume = DEFAULT_AUDIBLE_VOLUME;
      this.muted = !isSilent;
    },
    setVolume: (volume) => {
      // All the way down is mute, which remembers where to come back to.
      if (volume > 0) this.volume = volume;
      this.muted = volume === 0;
    },
    seekToLive: () => {
      if (this.paused) ignoreRefusal(this.play());
      else this.seekToLive();
    },
    toggleFullscreen: () => {
      ignoreRefusal(this.matches(':fullscreen') ? document.exitFullscreen() : this.requestFullscreen());
    },
    togglePictureInPicture: () => {
      ignoreRefusal(this.#isInPictureInPicture ? document.exitPictureInPicture() : this.requestPictureInPicture());
    },
  };

  readonly #onKeyDown = (event: KeyboardEvent): void => {
    const command = this.controls ? commandForKey(event) : null;
    if (command === null) return;
    event.preventDefault();
    if (!event.repeat || command === 'volumeUp' || command === 'volumeDown') this.#obey(command);
  };

  #obey(command: Command): void {
    const actions = this.#controlsActions;
    switch (command) {
      case 'volumeUp':
        actions.setVolume(Math.min(1, this.#audibleVolume + VOLUME_STEP));
        break;
      case 'volumeDown':
        actions.setVolume(Math.max(0, this.#audibleVolume - VOLUME_STEP));
        break;
      default:
        actions[command]();
    }
  }

  readonly #onDoubleClick = (event: MouseEvent): void => {
    const isOnControl = event
      .composedPath()
      .some((target) => target instanceof Element && target.matches('button, input'));
    if (this.controls && !isOnControl && document.fullscreenEnabled) this.#controlsActions.toggleFullscreen();
  };
}

/** A person asked for it and sees whether it happened; `state` and `error` say the rest. */
function ignoreRefusal(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

declare global {
  interface HTMLElementTagNameMap {
    'rtsp-player': RtspPlayerElement;
  }
}
