import { css } from '@lit/reactive-element';

/** Reaches the shadow root through adoptedStyleSheets, so that it needs no 'unsafe-inline' in the page's CSP. */
export const styles = css`
  :host {
    --_color: var(--rtsp-player-color, #fff);
    --_accent: var(--rtsp-player-accent, #7cc4ff);
    --_live: var(--rtsp-player-live, #ff3b3b);
    --_scrim: var(--rtsp-player-scrim, rgb(9 11 15 / 0.78));
    --_glass: rgb(16 19 24 / 0.72);
    display: block;
    position: relative;
    aspect-ratio: var(--rtsp-player-aspect-ratio, 16 / 9);
    min-width: 0;
    overflow: hidden;
    border-radius: var(--rtsp-player-radius, 0);
    background: var(--rtsp-player-background, #000);
    color: var(--_color);
    font: 400 14px/1.4 var(--rtsp-player-font, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif);
    -webkit-tap-highlight-color: transparent;
    user-select: none;
    -webkit-user-select: none;
  }
  :host([hidden]) {
    display: none;
  }
  :host(:fullscreen) {
    width: 100%;
    height: 100%;
    border-radius: 0;
  }

  *,
  ::before,
  ::after {
    box-sizing: border-box;
  }

  .frame {
    position: absolute;
    inset: 0;
    container: frame / size;
    outline: none;
  }

  .screen,
  .screen > video,
  .still,
  .poster {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
    object-fit: var(--rtsp-player-object-fit, contain);
  }
  .still,
  .poster {
    pointer-events: none;
  }
  [hidden] {
    display: none;
  }

  slot {
    display: block;
    position: absolute;
    inset: 0;
    pointer-events: none;
  }
  ::slotted(*) {
    pointer-events: auto;
  }

  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;
