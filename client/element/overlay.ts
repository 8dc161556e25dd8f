import { html, nothing, type TemplateResult } from 'lit/html.js';
import type { StreamError } from '../../shared/errors.js';
import { errorWords } from './error-words.js';
import { icon } from './icons.js';
import type { PlayerState } from './player-factory.js';

/** What is to be said over the picture. */
export interface OverlayView {
  readonly state: PlayerState;
  readonly error: StreamError | null;
  readonly hasSource: boolean;
  readonly paused: boolean;
  readonly hasControls: boolean;
  /** The picture stands because the next frame is not there yet. */
  readonly isStalled: boolean;
  readonly isSoundOnly: boolean;
  /** The browser allowed no sound without a gesture, so play went on muted. */
  readonly isMutedByBrowser: boolean;
}

export interface OverlayActions {
  play(): void;
  unmute(): void;
}

export function overlayTemplate(view: OverlayView, actions: OverlayActions): TemplateResult | typeof nothing {
  if (view.state === 'error') return errorTemplate(view.error, actions);
  if (view.paused) return pausedTemplate(view, actions);
  switch (view.state) {
    case 'connecting':
      return html`<div class="notice waiting" part="message">${spinner()}<p class="title">Connecting…</p></div>`;
    case 'reconnecting':
      return reconnectingTemplate(view.error);
    case 'playing':
      return playingTemplate(view, actions);
    default:
      return nothing;
  }
}

/** What a screen reader says when this becomes true; null while there is nothing worth interrupting for. */
export function announcement({ state, error, isMutedByBrowser }: OverlayView, wasInterrupted: boolean): string | null {
  switch (state) {
    case 'reconnecting':
      return 'Connection lost. Reconnecting.';
    case 'ended':
      return 'The stream has ended.';
    case 'error':
      return error === null ? 'Something went wrong.' : `${errorWords(error.code).title}. ${error.message}`;
    case 'playing':
      if (isMutedByBrowser) return 'Playing without sound.';
      return wasInterrupted ? 'Playing again.' : null;
    default:
      return null;
  }
}

function errorTemplate(error: StreamError | null, actions: OverlayActions): TemplateResult {
  const words = errorWords(error?.code ?? 'invalid-state');
  return html`<div class="notice panel" part="message error">
    ${icon(words.icon)}
    <p class="title">${words.title}</p>
    <p class="advice">${words.advice}</p>
    ${error === null ? nothing : html`<p class="detail" title=${error.message}>${error.message}</p>`}
    ${words.mayTryAgain ? wideButton('Try again', 'retry', actions.play) : nothing}
  </div>`;
}

function pausedTemplate(view: OverlayView, actions: OverlayActions): TemplateResult | typeof nothing {
  if (view.state === 'ended') {
    return html`<div class="notice panel" part="message">
      ${icon('ended')}
      <p class="title">The stream has ended</p>
      ${wideButton('Play again', 'retry', actions.play)}
    </div>`;
  }
  if (!view.hasSource || !view.hasControls) return nothing;
  return html`<button type="button" class="big-play" part="button big-play-button" aria-label="Play" @click=${actions.play}>
    ${icon('play')}
  </button>`;
}

function reconnectingTemplate(error: StreamError | null): TemplateResult {
  return html`<div class="notice pill" part="message">
    ${spinner()}
    <p class="title">Reconnecting…</p>
    ${error === null ? nothing : html`<p class="reason" title=${error.message}>${errorWords(error.code).title}</p>`}
  </div>`;
}

function playingTemplate(view: OverlayView, actions: OverlayActions): TemplateResult {
  return html`
    ${view.isSoundOnly ? html`<div class="notice sound" part="message">${icon('waves')}<p class="title">Sound only</p></div>` : nothing}
    ${view.isStalled ? html`<div class="notice late">${spinner()}</div>` : nothing}
    ${
      view.isMutedByBrowser
        ? html`<button type="button" class="unmute" part="button unmute-button" @click=${actions.unmute}>
            ${icon('soundOff')}<span>Tap to unmute</span>
          </button>`
        : nothing
    }
  `;
}

function spinner(): TemplateResult {
  return html`<span class="spinner" part="spinner"></span>`;
}

function wideButton(label: string, picture: 'retry', onClick: () => void): TemplateResult {
  return html`<button type="button" class="wide" part="button retry-button" @click=${onClick}>
    ${icon(picture)}<span>${label}</span>
  </button>`;
}
