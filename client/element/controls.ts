import { html, nothing, type TemplateResult } from 'lit/html.js';
import { type IconName, icon } from './icons.js';

/** What the control bar shows. */
export interface ControlsView {
  readonly paused: boolean;
  readonly muted: boolean;
  readonly volume: number;
  readonly hasAudio: boolean;
  readonly isLive: boolean;
  readonly isAtLiveEdge: boolean;
  /** Of stored media, seconds; null of a live stream. */
  readonly position: number | null;
  readonly duration: number;
  readonly isFullscreen: boolean;
  readonly isInPictureInPicture: boolean;
  readonly canFullscreen: boolean;
  readonly canPictureInPicture: boolean;
}

/** What the control bar asks for. */
export interface ControlsActions {
  togglePlay(): void;
  toggleMute(): void;
  setVolume(volume: number): void;
  seekToLive(): void;
  /** @param position - seconds */
  seek(position: number): void;
  toggleFullscreen(): void;
  togglePictureInPicture(): void;
}

export function controlsTemplate(view: ControlsView, actions: ControlsActions): TemplateResult {
  const { paused, isFullscreen, isInPictureInPicture } = view;
  return html`<div class="bar" part="controls">
    ${view.position === null ? nothing : seekTemplate(view.position, view, actions)}
    ${button('play', paused ? 'Play' : 'Pause', paused ? 'play' : 'pause', 'k', actions.togglePlay)}
    ${view.hasAudio ? volumeTemplate(view, actions) : nothing}
    ${view.isLive ? liveTemplate(view, actions) : nothing}
    ${view.position === null ? nothing : timeTemplate(view.position, view)}
    <span class="space"></span>
    ${
      view.canPictureInPicture
        ? button(
            'pip',
            isInPictureInPicture ? 'Leave picture in picture' : 'Picture in picture',
            'pictureInPicture',
            null,
            actions.togglePictureInPicture,
          )
        : nothing
    }
    ${
      view.canFullscreen
        ? button(
            'fullscreen',
            isFullscreen ? 'Leave full screen' : 'Full screen',
            isFullscreen ? 'exitFullscreen' : 'enterFullscreen',
            'f',
            actions.toggleFullscreen,
          )
        : nothing
    }
  </div>`;
}

function seekTemplate(position: number, { duration }: ControlsView, actions: ControlsActions): TemplateResult {
  return html`<div class="seek">
    <input
      part="seek-slider"
      type="range"
      min="0"
      max=${duration}
      step="any"
      aria-label="Position"
      aria-valuetext=${`${formatTime(position)} of ${formatTime(duration)}`}
      .value=${String(position)}
      @input=${(event: Event) => actions.seek((event.target as HTMLInputElement).valueAsNumber)}
    />
  </div>`;
}

function timeTemplate(position: number, { duration }: ControlsView): TemplateResult {
  return html`<span class="time" part="time" aria-hidden="true">${formatTime(position)} / ${formatTime(duration)}</span>`;
}

/** `1:05`, `1:01:05`. */
export function formatTime(seconds: number): string {
  const whole = Math.floor(Math.max(0, seconds));
  const parts = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? `${part}` : String(part).padStart(2, '0'))).join(':');
}

function volumeTemplate(view: ControlsView, actions: ControlsActions): TemplateResult {
  const volume = view.muted ? 0 : view.volume;
  const percent = Math.round(volume * 100);
  const picture = volume === 0 ? 'soundOff' : volume < 0.5 ? 'soundLow' : 'soundHigh';
  return html`<div class="volume">
    ${button('mute', volume === 0 ? 'Unmute' : 'Mute', picture, 'm', actions.toggleMute)}
    <input
      part="volume-slider"
      type="range"
      min="0"
      max="100"
      step="5"
      aria-label="Volume"
      aria-valuetext=${`${percent} percent`}
      .value=${String(percent)}
      @input=${(event: Event) => actions.setVolume((event.target as HTMLInputElement).valueAsNumber / 100)}
    />
  </div>`;
}

function liveTemplate({ isAtLiveEdge }: ControlsView, actions: ControlsActions): TemplateResult {
  return html`<button
    type="button"
    part="button live-button"
    class=${isAtLiveEdge ? 'live edge' : 'live'}
    aria-label=${isAtLiveEdge ? 'Live' : 'Jump to live'}
    aria-keyshortcuts="l"
    title=${isAtLiveEdge ? 'Live' : 'Jump to live (l)'}
    @click=${actions.seekToLive}
  ><span class="dot"></span><span class="word">LIVE</span></button>`;
}

/** A button with a drawing; its name is for those who do not see it, and for the tooltip. */
function button(
  name: string,
  label: string,
  picture: IconName,
  key: string | null,
  onClick: () => void,
): TemplateResult {
  return html`<button
    type="button"
    part=${`button ${name}-button`}
    class=${name}
    aria-label=${label}
    aria-keyshortcuts=${key ?? nothing}
    title=${key === null ? label : `${label} (${key})`}
    @click=${onClick}
  >${icon(picture)}</button>`;
}
