import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { SinkHandlers } from '../playback/sink.js';
import { StoredSink, type StoredSinkOptions } from '../playback/stored-sink.js';
import { MediaPosition } from './media-position.js';
import type { MediaRange } from './media-range.js';
import type { Receiver } from './receiver.js';

/**
 * Stored media in a page: a sink that is a file to the browser, and the requests that bring another position or pace of it
 * from the server.
 */

/** With more than this ahead of the playhead the server is asked to pause, seconds, and with less than that to go on. */
const MAX_LEAD_S = 30;
const RESUME_LEAD_S = 10;
/** Between two seeks the server has this long for the first packet of the former. Milliseconds. */
const MAX_ARRIVAL_MS = 300;
/** So near to the end, in seconds, silence is the end: not every server says so. */
const END_TOLERANCE_S = 1;

export interface StoredPlaybackOptions extends Omit<StoredSinkOptions, 'duration'> {
  range: MediaRange;
  /** Whether the page wants the picture to move. */
  wantsPlay(): boolean;
}

export interface StoredPlaybackHandlers extends SinkHandlers {
  /** The server does not give what was asked for; another connection may. */
  onRefused(error: StreamError): void;
  /** The server was asked to pause since enough is there, or to go on. */
  onThrottle(isThrottled: boolean): void;
  /** The last frame was shown. */
  onEnded(): void;
  onRateChange(): void;
}

export class StoredPlayback {
  readonly sink: StoredSink;
  readonly range: MediaRange;
  readonly #wantsPlay: () => boolean;
  readonly #handlers: StoredPlaybackHandlers;
  readonly #abort = new AbortController();
  #receiver: Receiver | null = null;
  /** Of the newest connection. */
  #media: MediaPosition | null = null;
  /** Where to go next; null when the server was told the newest wish. */
  #target: number | null = null;
  #isSeeking = false;
  #isThrottled = false;
  /** As the page wants it. */
  #rate = 1;
  #isRateAsked = false;
  #reached = 0;
  readonly #clock: Clock;
  /** Of whoever waits for the next unit. */
  #onArrival: (() => void) | null = null;

  /** Throws media-source-missing where the browser has no Media Source Extensions. */
  constructor(options: StoredPlaybackOptions, handlers: StoredPlaybackHandlers) {
    this.range = options.range;
    this.#wantsPlay = options.wantsPlay;
    this.#clock = options.clock;
    this.#handlers = handlers;
    this.sink = new StoredSink({ ...options, duration: options.range.end }, handlers);
    const { signal } = this.#abort;
    const { video } = this.sink;
    video.addEventListener('seeked', () => this.#onSeeked(), { signal });
    video.addEventListener('ended', () => handlers.onEnded(), { signal });
    video.addEventListener('timeupdate', () => this.#throttle(), { signal });
  }

  /** The position on screen, or on its way there, seconds. */
  get position(): number {
    return this.sink.position;
  }

  get isSeeking(): boolean {
    return this.#isSeeking;
  }

  /** Whether everything that the server has was sent. */
  get isComplete(): boolean {
    return this.#reached >= this.range.end - END_TOLERANCE_S;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Plays from here on at another pace, if the server has it: `onRateChange` tells when it is known. */
  set rate(rate: number) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    if (this.#receiver !== null) this.seek(this.position);
  }

  /** Takes a new connection, which begins where the one before was. */
  connect(receiver: Receiver): MediaPosition {
    const startAt = this.#media === null ? null : this.position;
    this.#receiver = receiver;
    this.#target = null;
    this.#media = new MediaPosition(this.range, startAt);
    if (startAt !== null) this.sink.seek(startAt);
    return this.#media;
  }

  /** The connection is over. */
  disconnect(): void {
    this.#receiver = null;
    this.#target = null;
    this.#isThrottled = false;
  }

  /** Goes to a position; of those asked for in quick succession, to the last. */
  seek(position: number): void {
    const target = Math.max(this.range.start, Math.min(this.range.end, position));
    this.#reached = 0;
    this.sink.seek(target);
    this.#target = target;
    if (!this.#isSeeking && this.#receiver !== null) void this.#run(this.#receiver);
  }

  /** The server has accepted a PLAY. */
  onPosition(): void {
    if (this.#target !== null) return;
    const rate = this.#media?.scale ?? 1;
    const isOther = rate !== this.sink.rate || rate !== this.#rate;
    this.#rate = rate;
    this.sink.rate = rate;
    this.sink.begin();
    if (isOther) this.#handlers.onRateChange();
  }

  /** A unit has come; `time`: of the media, seconds. */
  onUnit(time: number): void {
    this.#reached = Math.max(this.#reached, time);
    this.#onArrival?.();
    this.#throttle();
  }

  close(): void {
    this.#abort.abort();
    this.#receiver = null;
    this.sink.close();
  }

  async #run(receiver: Receiver): Promise<void> {
    this.#isSeeking = true;
    this.#isThrottled = false;
    try {
      while (this.#target !== null && receiver === this.#receiver) {
        const target = this.#target;
        this.#target = null;
        await this.#playFrom(receiver, target);
        if (this.#target !== null) await this.#arrival();
      }
    } catch (thrown) {
      if (receiver === this.#receiver) {
        this.#handlers.onRefused(StreamError.from(thrown, 'request-failed', 'The server does not go there.'));
      }
    } finally {
      this.#isSeeking = false;
    }
    // The picture may have come before the answer.
    if (!this.sink.video.seeking) this.#onSeeked();
  }

  /** Something of the new position, or long enough for it: GStreamer's server gets stuck when it is sent on right away. */
  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const arrive = (): void => {
        cancel();
        this.#onArrival = null;
        resolve();
      };
      const cancel = this.#clock.schedule(MAX_ARRIVAL_MS, arrive);
      this.#onArrival = arrive;
    });
  }

  async #playFrom(receiver: Receiver, position: number): Promise<void> {
    const { session } = receiver;
    // A PLAY while playing is queued by some servers (RFC 2326, 10.5); one that does not pause may still take it.
    if (session.state === 'playing' && session.supports('PAUSE') !== false)
      await session.pause().catch(() => undefined);
    this.#media?.ask(position);
    // Some servers refuse a Scale, whatever it says.
    this.#isRateAsked ||= this.#rate !== 1;
    await receiver.play(undefined, this.#isRateAsked ? this.#rate : undefined);
  }

  /** A frame of the new position is on screen: without play there is no need of more. */
  #onSeeked(): void {
    if (this.#wantsPlay() || this.#isSeeking || this.#receiver === null) return;
    this.#receiver.pause().catch(() => undefined);
  }

  #throttle(): void {
    const receiver = this.#receiver;
    if (receiver === null || this.#isSeeking || !this.#wantsPlay()) return;
    const { lead } = this.sink;
    if (!this.#isThrottled && lead > MAX_LEAD_S) {
      this.#isThrottled = true;
      this.#handlers.onThrottle(true);
      receiver.pause().catch(() => undefined);
    } else if (this.#isThrottled && lead < RESUME_LEAD_S) {
      this.#isThrottled = false;
      this.#handlers.onThrottle(false);
      receiver.resume().catch((thrown: unknown) => {
        this.#handlers.onRefused(StreamError.from(thrown, 'request-failed', 'The server does not go on.'));
      });
    }
  }
}
