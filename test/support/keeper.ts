/** Something that a test opened and has to end. */
export type Kept = { stop(): Promise<void> } | { close(): Promise<void> } | { remove(): Promise<void> };

/**
 * Makes a function that passes on what it is given and remembers it; at `hook`'s time (node:test's `after`, for example)
 * everything is ended, the last first.
 */
export function keeper(hook: (end: () => Promise<void>) => void): <T extends Kept>(opened: Promise<T>) => Promise<T> {
  const kept: Kept[] = [];
  hook(async () => {
    for (const thing of kept.reverse()) {
      if ('stop' in thing) await thing.stop();
      else if ('close' in thing) await thing.close();
      else await thing.remove();
    }
  });
  return async (opened) => {
    const thing = await opened;
    kept.push(thing);
    return thing;
  };
}
