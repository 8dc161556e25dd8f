import type { PropertyValues } from '@lit/reactive-element';
import { StreamError } from '../../shared/errors.js';
import { CameraElement } from './camera-element.js';
import type { PlayerInterface } from './player-interface.js';
import { styles } from './rtsp-player.styles.js';

/** A first picture as a rule comes sooner than this; what is not needed for it is loaded later, milliseconds. */
const INTERFACE_DELAY_MS = 150;

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
 * @event ratechange - `playbackRate` has changed, or could not be had.
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
 * @csspart seek-slider - The position, of stored media.
 * @csspart time - Position and duration of stored media.
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

  readonly #frame = document.createElement('div');
  readonly #poster = document.createElement('img');
  readonly #status = document.createElement('div');
  #interface: PlayerInterface | null = null;
  #loading: Promise<void> | null = null;
  #interfaceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.screen.className = 'screen';
    this.screen.setAttribute('part', 'screen');
    this.#poster.className = 'poster';
    this.#poster.alt = '';
    this.#poster.setAttribute('part', 'poster');
    this.#status.className = 'unseen';
    this.#status.setAttribute('role', 'status');
    this.#frame.setAttribute('part', 'frame');
    this.#frame.setAttribute('role', 'group');
    const slot = document.createElement('slot');
    slot.name = 'overlay';
    this.#frame.append(this.screen, this.lastPicture.canvas, slot, this.#status);
  }

  /** Loads the messages and controls at once, where they would be loaded a moment later or when needed. */
  async loadInterface(): Promise<void> {
    clearTimeout(this.#interfaceTimer);
    this.#loading ??= this.#loadInterface();
    await this.#loading;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#interfaceTimer);
    this.#interfaceTimer = undefined;
  }

  protected override firstUpdated(): void {
    this.renderRoot.append(this.#frame);
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { label, poster, state } = this;
    const hasPicture = this.readyState >= 2 || !this.lastPicture.canvas.hidden;
    if (poster === '' || hasPicture) this.#poster.remove();
    else {
      if (this.#poster.getAttribute('src') !== poster) this.#poster.src = poster;
      if (!this.#poster.isConnected) this.lastPicture.canvas.after(this.#poster);
    }
    this.#frame.setAttribute('aria-label', label || 'Camera');
    this.#frame.className = `frame ${state} ${this.#interface?.isAwake ? 'awake' : 'asleep'}`;
    if (this.#interface !== null) this.#interface.update();
    else if (this.isConnected) this.#scheduleInterface();
  }

  #scheduleInterface(): void {
    const isAtEase = this.state === 'connecting' || this.state === 'playing' || !this.hasSource;
    if (this.controls || this.label !== '' || (this.state !== 'idle' && !isAtEase)) {
      // A failure leaves the picture, and is tried again at the next update.
      this.loadInterface().catch(() => undefined);
    } else if (this.hasSource) {
      this.#interfaceTimer ??= setTimeout(() => {
        this.#interfaceTimer = undefined;
        this.loadInterface().catch(() => undefined);
      }, INTERFACE_DELAY_MS);
    }
  }

  async #loadInterface(): Promise<void> {
    try {
      const { PlayerInterface } = await import('./player-interface.js');
      this.#interface = new PlayerInterface(this, this.#frame, this.#status, () => ({
        error: this.lastError,
        hasSource: this.hasSource,
        isStalled: this.isStalled,
        isMutedByBrowser: this.isMutedByBrowser,
      }));
      this.requestUpdate();
    } catch (cause) {
      this.#loading = null;
      throw new StreamError('connection-failed', "The player's controls could not be loaded.", { cause });
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'rtsp-player': RtspPlayerElement;
  }
}
