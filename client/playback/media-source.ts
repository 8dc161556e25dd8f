import { StreamError } from '../../shared/errors.js';

/** Safari on phones has only the managed kind, which is the same for a live stream. */
declare global {
  var ManagedMediaSource: typeof MediaSource | undefined;
}

/** The browser's Media Source, or null where there is none. */
export function mediaSourceConstructor(): typeof MediaSource | null {
  return globalThis.MediaSource ?? globalThis.ManagedMediaSource ?? null;
}

/** What a page is told where there is none. */
export function mediaSourceMissing(): StreamError {
  return new StreamError(
    'media-source-missing',
    'This browser has no Media Source Extensions, which live video needs.',
  );
}
