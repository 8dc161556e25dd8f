import { html, type TemplateResult } from 'lit/html.js';

/** Paths on a grid of 24 × 24, drawn with a line of 2 that takes the text's colour. */
const paths = {
  play: 'M8 5.5v13l10.5-6.5z',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  soundHigh: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.2a8 8 0 0 1 0 11.6',
  soundLow: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6',
  soundOff: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  enterFullscreen: 'M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15',
  exitFullscreen: 'M9 4.5V9H4.5M19.5 9H15V4.5M15 19.5V15h4.5M4.5 15H9v4.5',
  pictureInPicture:
    'M20.5 10.5V6a1.5 1.5 0 0 0-1.5-1.5H5A1.5 1.5 0 0 0 3.5 6v11A1.5 1.5 0 0 0 5 18.5h4M12.5 13.5h8v6h-8z',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4.5V9H15',
  problem: 'M12 4.5 21 19.5H3zM12 10.5v3.5M12 16.8v.1',
  cameraOff:
    'M3.5 3.5l17 17M8 6.5h6a1.5 1.5 0 0 1 1.5 1.5v2.5l5-3v9.5M15.5 16a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 16V8',
  lock: 'M8 10.5V8a4 4 0 0 1 8 0v2.5M5.5 10.5h13v9h-13zM12 14.2v1.8',
  ended: 'M12 3.8a8.2 8.2 0 1 0 0 16.4 8.2 8.2 0 0 0 0-16.4zM8.5 12.2l2.4 2.4 4.6-5',
  waves: 'M4 10.5v3M8 7.5v9M12 4.5v15M16 7.5v9M20 10.5v3',
} as const;

export type IconName = keyof typeof paths;

/** A drawing beside or instead of a word; the word is given elsewhere, to those who cannot see it. */
export function icon(name: IconName): TemplateResult {
  return html`<svg class=${`icon ${name}`} viewBox="0 0 24 24" aria-hidden="true"><path d=${paths[name]} /></svg>`;
}
