/**
 * Counts what a page holds open. Runs before the page's own scripts, as text, so it may use nothing from outside.
 * Leaves `globalThis.countResources`.
 */
export function installResourceCounter(): void {
  const sockets: WeakRef<WebSocket>[] = [];
  const mediaSources: WeakRef<MediaSource>[] = [];
  const counted = <C extends abstract new (...args: never[]) => object>(
    original: C,
    list: WeakRef<InstanceType<C>>[],
  ): C =>
    new Proxy(original, {
      construct(target, args, newTarget) {
        const made: InstanceType<C> = Reflect.construct(target, args, newTarget);
        list.push(new WeakRef(made));
        return made;
      },
    });
  globalThis.WebSocket = counted(WebSocket, sockets);
  globalThis.MediaSource = counted(MediaSource, mediaSources);
  const videos = (root: ParentNode): number => {
    let count = root.querySelectorAll('video').length;
    for (const element of root.querySelectorAll('*'))
      if (element.shadowRoot !== null) count += videos(element.shadowRoot);
    return count;
  };
  Object.assign(globalThis, {
    countResources: (): PageResources => ({
      webSockets: sockets.filter((ref) => (ref.deref()?.readyState ?? WebSocket.CLOSED) < WebSocket.CLOSED).length,
      sourceBuffers: mediaSources.reduce((sum, ref) => sum + (ref.deref()?.sourceBuffers.length ?? 0), 0),
      mediaSources: mediaSources.filter((ref) => ref.deref() !== undefined).length,
      videos: videos(document),
    }),
  });
}

export interface PageResources {
  /** Not closed yet. */
  webSockets: number;
  sourceBuffers: number;
  /** Not collected yet. */
  mediaSources: number;
  /** `<video>` elements in the document, shadow trees included. */
  videos: number;
}
