interface Entry {
  readonly callback: VideoFrameRequestCallback;
  /** The video's own handle, while there is a video. */
  handle: number | null;
}

/** `requestVideoFrameCallback` for a video that may be exchanged: what is asked for follows to the next video. */
export class VideoFrameCallbacks {
  #video: HTMLVideoElement | null = null;
  #lastId = 0;
  readonly #entries = new Map<number, Entry>();

  /** The video that is showing from now on, or null. */
  follow(video: HTMLVideoElement | null): void {
    if (video === this.#video) return;
    for (const entry of this.#entries.values()) this.#withdraw(entry);
    this.#video = video;
    for (const [id, entry] of this.#entries) this.#ask(id, entry);
  }

  /** @returns an id for `cancel` */
  request(callback: VideoFrameRequestCallback): number {
    const entry: Entry = { callback, handle: null };
    this.#entries.set(++this.#lastId, entry);
    this.#ask(this.#lastId, entry);
    return this.#lastId;
  }

  cancel(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#withdraw(entry);
    this.#entries.delete(id);
  }

  #ask(id: number, entry: Entry): void {
    if (this.#video === null) return;
    entry.handle = this.#video.requestVideoFrameCallback((now, metadata) => {
      this.#entries.delete(id);
      entry.callback(now, metadata);
    });
  }

  #withdraw(entry: Entry): void {
    if (entry.handle !== null) this.#video?.cancelVideoFrameCallback(entry.handle);
    entry.handle = null;
  }
}
