import { css } from '@lit/reactive-element';

/** Of the messages, the name and the controls. */
export const styles = css`
  .interface {
    display: contents;
  }
  .frame.asleep.playing {
    cursor: none;
  }

  /* Messages */
  .overlay {
    position: absolute;
    inset: 0;
    display: grid;
    place-items: center;
    pointer-events: none;
  }
  .overlay > * {
    grid-area: 1 / 1;
  }
  .overlay button {
    pointer-events: auto;
  }
  p {
    margin: 0;
  }
  .notice {
    display: flex;
    align-items: center;
    text-align: center;
    animation: appear 0.25s 0.15s ease-out backwards;
  }
  .title {
    font-weight: 600;
  }
  .waiting,
  .sound {
    flex-direction: column;
    gap: 12px;
    text-shadow: 0 1px 3px rgb(0 0 0 / 0.8);
  }
  .late {
    animation-delay: 0.6s;
  }
  .sound {
    opacity: 0.8;
  }
  .sound .icon {
    width: 48px;
    height: 48px;
  }

  .reconnecting .screen,
  .reconnecting .still {
    opacity: 0.55;
    transition: opacity 0.3s;
  }
  .pill {
    gap: 10px;
    max-width: calc(100% - 16px);
    padding: 9px 16px 9px 12px;
    border-radius: 99px;
    background: var(--_glass);
    box-shadow: 0 0 0 1px rgb(255 255 255 / 0.1), 0 6px 24px rgb(0 0 0 / 0.4);
    white-space: nowrap;
  }
  .pill .spinner {
    flex: none;
    width: 18px;
    height: 18px;
    border-width: 2px;
  }
  .reason {
    overflow: hidden;
    text-overflow: ellipsis;
    padding-left: 10px;
    border-left: 1px solid rgb(255 255 255 / 0.25);
    opacity: 0.8;
  }

  .panel {
    position: absolute;
    inset: 0;
    flex-direction: column;
    justify-content: center;
    gap: 4px;
    padding: 12px 20px;
    background: var(--_scrim);
  }
  .panel .icon {
    width: 40px;
    height: 40px;
    margin-bottom: 8px;
    stroke-width: 1.5;
    opacity: 0.9;
  }
  .panel .title {
    font-size: 17px;
    text-wrap: balance;
  }
  .advice {
    max-width: 44ch;
    opacity: 0.85;
    text-wrap: balance;
  }
  .detail {
    display: -webkit-box;
    max-width: min(60ch, 100%);
    overflow: hidden;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    margin-top: 4px;
    font-size: 12px;
    overflow-wrap: anywhere;
    text-wrap: balance;
    opacity: 0.65;
    user-select: text;
    -webkit-user-select: text;
    pointer-events: auto;
  }

  .spinner {
    width: 36px;
    height: 36px;
    border: 3px solid rgb(255 255 255 / 0.22);
    border-top-color: currentcolor;
    border-radius: 50%;
    animation: turn 0.9s linear infinite;
  }
  @keyframes turn {
    to {
      rotate: 1turn;
    }
  }
  @keyframes appear {
    from {
      opacity: 0;
    }
  }

  /* Buttons */
  button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    flex: none;
    gap: 6px;
    min-width: 36px;
    height: 36px;
    padding: 0;
    border: 0;
    border-radius: 8px;
    background: none;
    color: inherit;
    font: inherit;
    cursor: pointer;
    transition: background-color 0.12s;
  }
  button:hover {
    background: rgb(255 255 255 / 0.16);
  }
  button:active {
    background: rgb(255 255 255 / 0.26);
  }
  button:focus-visible,
  input:focus-visible {
    outline: 2px solid var(--_accent);
    outline-offset: -2px;
  }
  .icon {
    flex: none;
    width: 22px;
    height: 22px;
    fill: none;
    stroke: currentcolor;
    stroke-width: 1.8;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .icon.play,
  .bar .icon.pause {
    fill: currentcolor;
  }
  .icon.pause {
    stroke-width: 3;
  }

  .wide {
    margin-top: 12px;
    padding: 0 16px 0 12px;
    border-radius: 99px;
    background: rgb(255 255 255 / 0.94);
    color: #101318;
    font-weight: 600;
  }
  .wide .icon {
    width: 18px;
    height: 18px;
    margin: 0;
    stroke-width: 2.2;
    opacity: 1;
  }
  .wide:hover {
    background: #fff;
  }
  .wide:active {
    background: rgb(255 255 255 / 0.8);
  }
  .wide:focus-visible,
  .big-play:focus-visible,
  .unmute:focus-visible {
    outline-offset: 2px;
  }

  .big-play {
    width: 72px;
    height: 72px;
    border-radius: 50%;
    background: var(--_glass);
    box-shadow: 0 0 0 1px rgb(255 255 255 / 0.14), 0 8px 32px rgb(0 0 0 / 0.45);
    transition: background-color 0.12s, scale 0.12s;
  }
  .big-play:hover {
    background: rgb(40 46 56 / 0.86);
    scale: 1.05;
  }
  .big-play .icon {
    width: 38px;
    height: 38px;
  }

  .unmute {
    place-self: start end;
    margin: 10px;
    padding: 0 14px 0 10px;
    border-radius: 99px;
    background: rgb(255 255 255 / 0.94);
    color: #101318;
    font-weight: 600;
    box-shadow: 0 4px 18px rgb(0 0 0 / 0.4);
  }
  .unmute:hover {
    background: #fff;
  }

  /* The name and the control bar */
  .label,
  .bar {
    position: absolute;
    inset-inline: 0;
    transition: opacity 0.2s;
  }
  .asleep .label,
  .asleep .bar {
    opacity: 0;
    pointer-events: none;
  }
  .label {
    top: 0;
    padding: 12px 14px 28px;
    background: linear-gradient(rgb(0 0 0 / 0.62), transparent);
    font-weight: 600;
    text-shadow: 0 1px 2px rgb(0 0 0 / 0.6);
    pointer-events: none;
  }
  .label span {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .error .label,
  .ended .label {
    background: none;
  }
  .bar {
    bottom: 0;
    display: flex;
    align-items: center;
    gap: 2px;
    padding: 26px 8px 6px;
    background: linear-gradient(transparent, rgb(0 0 0 / 0.72));
    pointer-events: none;
  }
  .awake .bar > :not(.space) {
    pointer-events: auto;
  }
  .space {
    flex: 1;
  }
  .seek {
    position: absolute;
    inset-inline: 10px;
    top: 0;
    display: flex;
  }
  .seek input {
    width: 100%;
    height: 24px;
    opacity: 1;
  }
  .time {
    padding-inline: 8px;
    font-size: 13px;
    font-variant-numeric: tabular-nums;
  }

  .volume {
    display: flex;
    align-items: center;
    border-radius: 8px;
  }
  input {
    width: 0;
    height: 36px;
    margin: 0;
    border-radius: 8px;
    background: none;
    color: inherit;
    opacity: 0;
    appearance: none;
    -webkit-appearance: none;
    cursor: pointer;
    transition: width 0.18s, opacity 0.18s, margin 0.18s;
  }
  .volume:hover input,
  .volume:focus-within input {
    width: 76px;
    margin-right: 8px;
    opacity: 1;
  }
  input::-webkit-slider-runnable-track {
    height: 4px;
    border-radius: 2px;
    background: linear-gradient(
      to right,
      currentcolor var(--level, 100%),
      rgb(255 255 255 / 0.32) var(--level, 100%)
    );
  }
  input::-moz-range-track {
    height: 4px;
    border-radius: 2px;
    background: linear-gradient(
      to right,
      currentcolor var(--level, 100%),
      rgb(255 255 255 / 0.32) var(--level, 100%)
    );
  }
  input::-webkit-slider-thumb {
    width: 14px;
    height: 14px;
    margin-top: -5px;
    border: 0;
    border-radius: 50%;
    background: #fff;
    -webkit-appearance: none;
  }
  input::-moz-range-thumb {
    width: 14px;
    height: 14px;
    border: 0;
    border-radius: 50%;
    background: #fff;
  }

  .live {
    gap: 7px;
    padding: 0 10px;
    font-size: 12px;
    font-weight: 700;
    letter-spacing: 0.06em;
  }
  .dot {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: rgb(255 255 255 / 0.55);
  }
  .edge .dot {
    background: var(--_live);
    box-shadow: 0 0 0 3px color-mix(in srgb, var(--_live) 30%, transparent);
  }

  /* Tiles */
  @container frame (width < 480px) {
    .reason {
      display: none;
    }
  }
  @container frame (width < 420px) {
    .detail {
      display: none;
    }
    .panel .title {
      font-size: 15px;
    }
  }
  @container frame (width < 320px) {
    .volume:hover input,
    .volume:focus-within input {
      width: 52px;
    }
    .pip {
      display: none;
    }
    .bar {
      gap: 0;
      padding: 20px 4px 2px;
    }
    .label {
      padding: 8px 10px 22px;
      font-size: 13px;
    }
    .unmute span {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
    .unmute {
      margin: 6px;
      padding: 0;
    }
  }
  @container frame (width < 240px) or (height < 150px) {
    .advice,
    .panel > .icon,
    .error .label,
    .ended .label,
    .connecting .label,
    .reconnecting .label {
      display: none;
    }
    .panel {
      padding: 8px 10px;
    }
    .panel .title {
      font-size: 13px;
      line-height: 1.25;
    }
    .wide {
      height: 32px;
      margin-top: 6px;
    }
    .waiting .title {
      font-size: 12px;
    }
    .waiting {
      gap: 6px;
    }
    .waiting .spinner {
      width: 24px;
      height: 24px;
    }
    .pill {
      padding: 6px 12px 6px 8px;
      font-size: 12px;
    }
    .big-play {
      width: 48px;
      height: 48px;
    }
    .big-play .icon {
      width: 26px;
      height: 26px;
    }
    .bar button {
      min-width: 32px;
      height: 32px;
    }
    .live {
      padding: 0 6px;
    }
  }
  @container frame (width < 200px) {
    .live .word,
    .volume input,
    .connecting .bar,
    .reconnecting .bar,
    .big-play {
      display: none;
    }
    .label,
    .panel .title {
      font-size: 12px;
    }
    .panel {
      padding: 4px 6px;
    }
    .pill {
      gap: 6px;
      padding: 5px 10px 5px 6px;
    }
  }
  @container frame (width >= 1100px) {
    .panel .title {
      font-size: 20px;
    }
    .bar {
      padding: 40px 16px 12px;
    }
    .label {
      padding: 18px 22px 36px;
      font-size: 17px;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .spinner {
      animation: none;
      border-style: dotted;
      border-color: currentcolor;
      opacity: 0.8;
    }
    *,
    .notice {
      animation-duration: 0.01s;
      transition: none;
    }
  }
  @media (forced-colors: active) {
    button {
      border: 1px solid ButtonText;
    }
    .edge .dot {
      forced-color-adjust: none;
    }
  }
`;
