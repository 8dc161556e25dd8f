/** Safari on phones has only the managed kind, which is the same for a live stream. */
declare global {
  var ManagedMediaSource: typeof MediaSource | undefined;
}

/** The browser's Media Source, or null where there is none. */
export function mediaSourceConstructor(): typeof MediaSource | null {
  return globalThis.MediaSource ?? globalThis.ManagedMediaSource ?? null;
}
