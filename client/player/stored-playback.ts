import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { SinkHandlers } from '../playback/sink.js';
import { StoredSink, type StoredSinkOptions } from '../playback/stored-sink.js';
import { MediaPosition } from './media-position.js';
import type { MediaRange } from './media-range.js';
import { type Pace, paceOf, showsKeyFramesAlone } from './pace.js';
import type { Receiver } from './receiver.js';
import { ReplayPiece } from './replay-piece.js';

/**
 * Stored media in a page: a sink that is a file to the browser, and the requests that bring another position or pace of it
 * from the server. What a recorder sends without rate control is asked for piece by piece.
 */

/** With more than this ahead of the playhead the server is asked to pause, seconds, and with less than that to go on. */
const MAX_LEAD_S = 30;
const RESUME_LEAD_S = 10;
/** Between two seeks the server has this long for the first packet of the former. Milliseconds. */
const MAX_ARRIVAL_MS = 300;
/** With less than this ahead of the playhead the next piece is asked for, seconds of its showing. */
const REFILL_LEAD_S = 2.5;
/** How much longer a piece is asked for behind one in which there was nothing. */
const GAP_GROWTH = 4;
/** Seconds. */
const OVERLAP_S = 0.25;
/** Backwards, what is this much later than what came before is none of it. Seconds. */
const MAX_STEP_FORWARD_S = 5;
/** So near to the end, in seconds, silence is the end: not every server says so. */
const END_TOLERANCE_S = 1;

export interface StoredPlaybackOptions extends Omit<StoredSinkOptions, 'start' | 'duration'> {
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
  /** The piece that the recorder was asked for last; null where the server keeps the pace. */
  #piece: ReplayPiece | null = null;
  /** Whether that was the last one, and all of it is there. */
  #isLastThere = false;
  /** The next PLAY is for another piece of what is shown. */
  #goesOn = false;
  /** How much longer pieces are asked for where one was empty: nothing may have been recorded for hours. */
  #gapFactor = 1;
  /** The recorder keeps its own pace, whatever it is asked for. */
  #isPaced = false;
  /** Of the newest position, the unit nearest to where play goes. */
  #reached: number | null = null;
  /** The same when the present piece began. */
  #reachedBefore: number | null = null;
  /** By the answer to the newest PLAY. */
  #shownRate = 1;
  readonly #clock: Clock;
  /** Of whoever waits for the next unit. */
  #onArrival: (() => void) | null = null;

  /** Throws media-source-missing where the browser has no Media Source Extensions. */
  constructor(options: StoredPlaybackOptions, handlers: StoredPlaybackHandlers) {
    this.range = options.range;
    this.#wantsPlay = options.wantsPlay;
    this.#clock = options.clock;
    this.#handlers = handlers;
    const { start, end } = options.range;
    this.sink = new StoredSink({ ...options, start, duration: end }, handlers);
    const { signal } = this.#abort;
    const { video } = this.sink;
    video.addEventListener('seeked', () => this.#onSeeked(), { signal });
    video.addEventListener('ended', () => handlers.onEnded(), { signal });
    video.addEventListener('timeupdate', () => this.#throttle(), { signal });
    video.addEventListener('waiting', () => this.#throttle(), { signal });
  }

  /** The position on screen, or on its way there, seconds. */
  get position(): number {
    return this.sink.position;
  }

  /** From when to when the media were taken; null where they tell no time of day. */
  get dates(): { start: Date; end: Date } | null {
    const { utc, start, end } = this.range;
    return utc === null ? null : { start: new Date(utc + 1000 * start), end: new Date(utc + 1000 * end) };
  }

  /** The position of what was taken at a time, seconds; null where the media tell no time of day. */
  positionAt(date: Date): number | null {
    const { utc } = this.range;
    return utc === null ? null : (date.getTime() - utc) / 1000;
  }

  /** Whether requests are made, or will be, as they are needed: pause and resumption need none of their own. */
  get asksByItself(): boolean {
    return this.#isSeeking || this.#piece !== null;
  }

  /** Whether everything that the server has was sent. */
  get isComplete(): boolean {
    const { start, end } = this.range;
    if (this.#reached === null) return false;
    return this.#rate < 0 ? this.#reached <= start + END_TOLERANCE_S : this.#reached >= end - END_TOLERANCE_S;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Plays from here on at another pace, negative: backwards, if the server has it: `onRateChange` tells when it is known. */
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
    this.#media = new MediaPosition(this.range, startAt, startAt === null ? undefined : this.#pace);
    if (startAt !== null) this.sink.seek(startAt, this.#rate < 0);
    return this.#media;
  }

  /** The connection is over. */
  disconnect(): void {
    this.#receiver = null;
    this.#target = null;
    this.#goesOn = false;
    this.#dropPiece();
    this.#isThrottled = false;
  }

  /** Has the server go on where it was paused. Rejects when it does not; a new connection may. */
  async resume(receiver: Receiver): Promise<void> {
    const reached = this.#reached;
    if (this.range.counts !== 'replay' || reached === null) {
      await receiver.resume();
      return;
    }
    // Meanwhile GStreamer's recorder has gone on in silence.
    this.#goOnBehind(reached);
  }

  /** Goes to a position; of those asked for in quick succession, to the last. */
  seek(position: number): void {
    const target = this.#within(position);
    this.#reached = null;
    this.#goesOn = false;
    this.#gapFactor = 1;
    this.sink.seek(target, this.#rate < 0);
    this.#target = target;
    this.#askServer();
  }

  /** The server has accepted a PLAY. */
  onPosition(): void {
    const media = this.#media;
    if (this.#target !== null || media === null) return;
    this.#dropPiece();
    this.#isLastThere = false;
    this.#reachedBefore = this.#reached;
    if (media.pieceEnd !== null) {
      const { pieceEnd: end, rate } = media;
      this.#piece = new ReplayPiece({ end, rate, clock: this.#clock }, () => this.#throttle());
    }
    if (this.#goesOn) {
      this.sink.goOn();
      return;
    }
    const { rate } = media;
    if (this.#rate < 0 && rate !== this.#rate) {
      this.#giveUpRate();
      return;
    }
    const isOther = rate !== this.#shownRate || rate !== this.#rate;
    this.#rate = rate;
    this.#shownRate = rate;
    this.sink.begin({
      speed: Math.abs(rate),
      isReverse: rate < 0,
      keyFramesAlone: showsKeyFramesAlone(this.#pace),
    });
    if (isOther) this.#handlers.onRateChange();
  }

  /** A unit has come; `time`: of the media, seconds. */
  onUnit(time: number): void {
    this.#onArrival?.();
    if (this.#target !== null) return;
    const reached = this.#reached ?? time;
    if (this.#rate < 0 && time > reached + MAX_STEP_FORWARD_S) {
      // It does not go backwards, whatever it answers.
      this.#giveUpRate();
      return;
    }
    this.#reached = this.#rate < 0 ? Math.min(reached, time) : Math.max(reached, time);
    this.#piece?.onUnit(time);
    this.#throttle();
  }

  /** The server says that nothing follows. */
  end(): void {
    if (this.#piece === null) this.sink.end();
    else this.#piece.finish();
  }

  close(): void {
    this.#abort.abort();
    this.#dropPiece();
    this.#receiver = null;
    this.sink.close();
  }

  get #pace(): Pace {
    const pace = paceOf(this.#rate, this.range.counts === 'replay' && !this.#isPaced);
    return pace.piece === null ? pace : { ...pace, piece: pace.piece * this.#gapFactor };
  }

  #askServer(): void {
    if (!this.#isSeeking && this.#receiver !== null) void this.#run(this.#receiver);
  }

  async #run(receiver: Receiver): Promise<void> {
    this.#isSeeking = true;
    if (this.#wantsPlay()) this.#setThrottled(false);
    this.#isThrottled = false;
    try {
      while (this.#target !== null && receiver === this.#receiver) {
        const target = this.#target;
        this.#target = null;
        await this.#playFrom(receiver, target);
        if (this.#target !== null) await this.#arrival();
      }
    } catch (thrown) {
      if (receiver === this.#receiver)
        this.#onRefused(StreamError.from(thrown, 'request-failed', 'The server does not go there.'), receiver);
    } finally {
      this.#isSeeking = false;
    }
    if (this.#target !== null) this.#askServer();
    // The picture may have come before the answer.
    else this.#onSeeked();
  }

  /** What a server refuses at another pace it may give at the usual one. */
  #onRefused(error: StreamError, receiver: Receiver): void {
    if (this.#rate === 1 || receiver.session.state === 'closed') this.#handlers.onRefused(error);
    else this.#giveUpRate();
  }

  #giveUpRate(): void {
    this.#rate = 1;
    this.#shownRate = Number.NaN;
    this.seek(this.position);
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
    // A PLAY while playing is queued by some servers (RFC 2326, 10.5), but not by recorders, which are told `Immediate` (behind a
    // PAUSE GStreamer's does not answer); one that does not pause may still take it.
    const mayQueue = this.range.counts !== 'replay' && session.state === 'playing';
    if (mayQueue && session.supports('PAUSE') !== false) await session.pause().catch(() => undefined);
    this.#media?.ask(position, this.#pace);
    await receiver.play();
  }

  /** A frame of the new position is on screen: without play there is no need of more. */
  #onSeeked(): void {
    if (this.#wantsPlay() || this.asksByItself || this.#receiver === null || this.sink.isArriving) return;
    this.#receiver.pause().catch(() => undefined);
  }

  #throttle(): void {
    const receiver = this.#receiver;
    if (receiver === null || this.#isSeeking) return;
    if (this.#piece !== null) {
      this.#lookForNext(this.#piece);
      return;
    }
    if (!this.#wantsPlay()) return;
    const { lead } = this.sink;
    if (!this.#isThrottled && lead > MAX_LEAD_S) {
      this.#setThrottled(true);
      receiver.pause().catch(() => undefined);
    } else if (this.#isThrottled && lead < RESUME_LEAD_S) {
      this.#setThrottled(false);
      this.resume(receiver).catch((thrown: unknown) => {
        this.#handlers.onRefused(StreamError.from(thrown, 'request-failed', 'The server does not go on.'));
      });
    }
  }

  /** Asks for the piece behind the present one, once that is there and what is ahead of the playhead has become little. */
  #lookForNext(piece: ReplayPiece): void {
    if (piece.isSlow && !this.#isPaced) {
      this.#isPaced = true;
      this.seek(this.position);
      return;
    }
    if (!piece.isDone) return;
    if (piece.end === (this.#rate < 0 ? this.range.start : this.range.end)) {
      this.#setThrottled(true);
      if (!this.#isLastThere) this.sink.end();
      this.#isLastThere = true;
      return;
    }
    const isEnough = this.sink.fedLead > REFILL_LEAD_S * Math.abs(this.#rate);
    if (isEnough || !this.#wantsPlay()) {
      this.#setThrottled(true);
      return;
    }
    this.#setThrottled(false);
    const reached = this.#reached ?? piece.end;
    if (reached !== this.#reachedBefore) {
      this.#gapFactor = 1;
      this.#goOnBehind(reached);
    } else {
      // Nothing was recorded there.
      this.#gapFactor *= GAP_GROWTH;
      this.#goOnFrom(this.#rate < 0 ? Math.min(reached, piece.end) : Math.max(reached, piece.end));
    }
  }

  /**
   * Asks for what follows the last unit, and some of what is there once more, since what follows that unit directly may have
   * been left out. What comes doubled the sink leaves out.
   */
  #goOnBehind(reached: number): void {
    this.#goOnFrom(this.#rate < 0 ? reached : reached - OVERLAP_S);
  }

  /** Asks for what is to stand beside what is there. */
  #goOnFrom(position: number): void {
    this.#target = this.#within(position);
    this.#goesOn = true;
    this.#askServer();
  }

  #within(position: number): number {
    return Math.max(this.range.start, Math.min(this.range.end, position));
  }

  #setThrottled(isThrottled: boolean): void {
    if (isThrottled === this.#isThrottled) return;
    this.#isThrottled = isThrottled;
    this.#handlers.onThrottle(isThrottled);
  }

  #dropPiece(): void {
    this.#piece?.close();
    this.#piece = null;
  }
}
