import { html, nothing, render } from 'lit/html.js';
import { type ControlsActions, type ControlsView, controlsTemplate } from './controls.js';
import { ControlsVisibility } from './controls-visibility.js';
import { type Command, commandForKey } from './keyboard.js';
import { announcement, type OverlayActions, type OverlayView, overlayTemplate } from './overlay.js';
import { styles } from './player-interface.styles.js';
import type { RtspPlayerElement } from './rtsp-player-element.js';

/**
 * What a person sees and touches over the picture: messages, the camera's name, the control bar, the keyboard, and what a
 * screen reader says. A part of its own, because a picture needs none of it.
 */

/** One press of an arrow key. */
const VOLUME_STEP = 0.05;
/** One press of an arrow key, seconds of stored media. */
const SEEK_STEP_S = 5;
/** What unmuting turns a volume of 0 into. */
const DEFAULT_AUDIBLE_VOLUME = 0.5;

/** Keys that go on while they are held. */
const stepCommands: ReadonlySet<Command> = new Set(['volumeUp', 'volumeDown', 'seekBack', 'seekForward']);
/** Those that live streams have no use for. */
const seekCommands: ReadonlySet<Command> = new Set(['seekBack', 'seekForward']);

/** What the element does not tell a page. */
export type InnerState = Pick<OverlayView, 'error' | 'hasSource' | 'isStalled' | 'isMutedByBrowser'>;

export class PlayerInterface {
  readonly #element: RtspPlayerElement;
  readonly #frame: HTMLElement;
  readonly #status: HTMLElement;
  readonly #innerState: () => InnerState;
  readonly #layer = document.createElement('div');
  readonly #visibility: ControlsVisibility;
  /** Until the tracks are known, and while they are found anew, what was known last holds. */
  #hasAudio = true;
  #wasInterrupted = false;

  /**
   * @param frame - what the interface is put in, over the picture, and what takes the keyboard
   * @param status - read out by screen readers when it changes
   */
  constructor(element: RtspPlayerElement, frame: HTMLElement, status: HTMLElement, innerState: () => InnerState) {
    this.#element = element;
    this.#frame = frame;
    this.#status = status;
    this.#innerState = innerState;
    this.#visibility = new ControlsVisibility(element);
    const root = element.shadowRoot;
    // Constructable style sheets need no 'unsafe-inline' in the page's CSP.
    if (root !== null && styles.styleSheet !== undefined) root.adoptedStyleSheets.push(styles.styleSheet);
    this.#layer.className = 'interface';
    frame.insertBefore(this.#layer, status);
    frame.addEventListener('keydown', (event) => this.#onKeyDown(event));
    frame.addEventListener('dblclick', (event) => this.#onDoubleClick(event));
    element.addEventListener('fullscreenchange', () => element.requestUpdate());
    element.addEventListener('statechange', () => this.#announce());
    this.#announce();
  }

  /** Whether the controls are to be seen. */
  get isAwake(): boolean {
    return this.#visibility.isVisible || this.#element.paused || this.#element.state === 'error';
  }

  /** Draws what has changed. */
  update(): void {
    const { controls, label, state } = this.#element;
    this.#noteSound();
    if (controls) this.#frame.tabIndex = -1;
    else this.#frame.removeAttribute('tabindex');
    render(
      html`<div class="overlay" part="overlay">${overlayTemplate(this.#overlayView, this.#overlayActions)}</div>
        ${label === '' ? nothing : html`<div class="label" part="label" aria-hidden="true"><span>${label}</span></div>`}
        ${
          controls && state !== 'error' && (state !== 'ended' || this.#isStored)
            ? controlsTemplate(this.#controlsView, this.#controlsActions)
            : nothing
        }`,
      this.#layer,
    );
    // CSSOM, since a style attribute would need 'unsafe-inline'.
    for (const slider of this.#layer.querySelectorAll('input')) {
      slider.style.setProperty('--level', `${(100 * slider.valueAsNumber) / (Number(slider.max) || 1)}%`);
    }
  }

  get #controlsView(): ControlsView {
    const element = this.#element;
    const { paused, muted, volume } = element;
    return {
      paused,
      muted,
      volume,
      hasAudio: this.#hasAudio,
      isLive: element.readyState > 0 && !Number.isFinite(element.duration),
      isAtLiveEdge: element.isAtLiveEdge && element.state === 'playing',
      position: this.#isStored ? element.currentTime : null,
      duration: element.duration,
      isFullscreen: element.matches(':fullscreen'),
      isInPictureInPicture: this.#isInPictureInPicture,
      canFullscreen: document.fullscreenEnabled,
      canPictureInPicture:
        document.pictureInPictureEnabled === true && !element.disablePictureInPicture && element.videoWidth > 0,
    };
  }

  get #overlayView(): OverlayView {
    const { tracks, state, paused, controls } = this.#element;
    const plays = (wanted: string) => tracks.some((track) => track.kind === wanted && track.state === 'playing');
    const inner = this.#innerState();
    return {
      ...inner,
      state,
      paused,
      hasControls: controls,
      isSoundOnly: plays('audio') && !plays('video'),
      isMutedByBrowser: inner.isMutedByBrowser && this.#hasAudio,
    };
  }

  get #isInPictureInPicture(): boolean {
    const { video, shadowRoot } = this.#element;
    return video !== null && shadowRoot?.pictureInPictureElement === video;
  }

  get #isStored(): boolean {
    return this.#element.readyState > 0 && Number.isFinite(this.#element.duration);
  }

  get #audibleVolume(): number {
    return this.#element.muted ? 0 : this.#element.volume;
  }

  #noteSound(): void {
    const { state, tracks } = this.#element;
    if (state === 'idle') this.#hasAudio = true;
    else if (state === 'playing') {
      this.#hasAudio = tracks.some((track) => track.kind === 'audio' && track.state === 'playing');
    }
  }

  #announce(): void {
    this.#noteSound();
    const { label, state } = this.#element;
    const words = announcement(this.#overlayView, this.#wasInterrupted);
    this.#status.textContent = words === null ? '' : `${label || 'Camera'}: ${words}`;
    if (state === 'reconnecting' || state === 'error') this.#wasInterrupted = true;
    else if (state === 'playing') this.#wasInterrupted = false;
  }

  readonly #overlayActions: OverlayActions = {
    play: () => ignoreRefusal(this.#element.play()),
    unmute: () => {
      this.#element.muted = false;
    },
  };

  readonly #controlsActions: ControlsActions = {
    togglePlay: () => {
      if (this.#element.paused) ignoreRefusal(this.#element.play());
      else this.#element.pause();
    },
    toggleMute: () => {
      const isSilent = this.#audibleVolume === 0;
      if (isSilent && this.#element.volume === 0) this.#element.volume = DEFAULT_AUDIBLE_VOLUME;
      this.#element.muted = !isSilent;
    },
    setVolume: (volume) => {
      // All the way down is mute, which remembers where to come back to.
      if (volume > 0) this.#element.volume = volume;
      this.#element.muted = volume === 0;
    },
    seekToLive: () => {
      if (this.#element.paused) ignoreRefusal(this.#element.play());
      else this.#element.seekToLive();
    },
    seek: (position) => {
      this.#element.currentTime = position;
    },
    toggleFullscreen: () => {
      ignoreRefusal(
        this.#element.matches(':fullscreen') ? document.exitFullscreen() : this.#element.requestFullscreen(),
      );
    },
    togglePictureInPicture: () => {
      ignoreRefusal(
        this.#isInPictureInPicture ? document.exitPictureInPicture() : this.#element.requestPictureInPicture(),
      );
    },
  };

  #onKeyDown(event: KeyboardEvent): void {
    const command = this.#element.controls ? commandForKey(event) : null;
    if (command === null || (seekCommands.has(command) && !this.#isStored)) return;
    event.preventDefault();
    if (!event.repeat || stepCommands.has(command)) this.#obey(command);
  }

  #obey(command: Command): void {
    const actions = this.#controlsActions;
    switch (command) {
      case 'volumeUp':
        actions.setVolume(Math.min(1, this.#audibleVolume + VOLUME_STEP));
        break;
      case 'volumeDown':
        actions.setVolume(Math.max(0, this.#audibleVolume - VOLUME_STEP));
        break;
      case 'seekBack':
        actions.seek(Math.max(0, this.#element.currentTime - SEEK_STEP_S));
        break;
      case 'seekForward':
        actions.seek(Math.min(this.#element.duration, this.#element.currentTime + SEEK_STEP_S));
        break;
      default:
        actions[command]();
    }
  }

  #onDoubleClick(event: MouseEvent): void {
    const isOnControl = event
      .composedPath()
      .some((target) => target instanceof Element && target.matches('button, input'));
    if (this.#element.controls && !isOnControl && document.fullscreenEnabled) this.#controlsActions.toggleFullscreen();
  }
}

/** A person asked for it and sees whether it happened; `state` and `error` say the rest. */
function ignoreRefusal(promise: Promise<unknown>): void {
  promise.catch(() => {});
}
