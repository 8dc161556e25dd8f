import type { Credentials } from '../../shared/authentication.js';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import type { MediaDescription, MediaFormat, SessionDescription } from '../../shared/session-description.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { type DepacketizerClass, hasDepacketizer, loadDepacketizer } from '../depacketizer/registry.js';
import type { Report } from '../rtp/receiver-report.js';
import type { AccessTokens } from '../rtsp/access-token.js';
import { describedRange, type PlayResult, RtspSession } from '../rtsp/session.js';
import type { ByteTransport } from '../transport/byte-transport.js';
import type { MediaPosition } from './media-position.js';
import { TrackReceiver, type TrackReceiverHandlers } from './track-receiver.js';

/**
 * One connection to a camera: from its address to access units. Sets up the first video and the first audio track that it
 * has a depacketizer for, plays, and reports. Knows nothing of browsers; runs in Node as well.
 */

/** Between looks at what is due, milliseconds; data that arrives makes it look as well. */
const TICK_MS = 1_000;

export interface ReceiverOptions {
  transport: ByteTransport;
  /** rtsp:// or rtsps:// URL; credentials in it are used and taken out. */
  url: string;
  credentials?: Credentials | null;
  /** For the proxy. */
  tokens?: AccessTokens | null;
  clock: Clock;
  logger?: Logger;
}

/** From where to where stored media go, seconds of normal play time. */
export interface MediaRange {
  readonly start: number;
  readonly end: number;
}

export interface ReceiverHandlers {
  /**
   * The session description is known. `range`: of stored media, null for a live stream. What it returns is awaited before
   * play begins, and has the say on positions.
   */
  onDescription?(range: MediaRange | null): Promise<MediaPosition> | undefined;
  /** The session description is known, and which of its media will be received. Called once, before the first unit. */
  onTracks(tracks: readonly TrackReceiver[], description: SessionDescription): void;
  /** A PLAY of stored media was accepted: what comes next is from another position, or at another rate. */
  onPosition?(): void;
  /** A packet of a track has come; access units may follow from it. */
  onPacket?(track: TrackReceiver): void;
  /**
   * `time`: presentation time in seconds on a time line that all tracks share: from the start of play, or, of stored
   * media, normal play time (RFC 2326, 3.6).
   */
  onAccessUnit(track: TrackReceiver, unit: AccessUnit, time: number): void;
  /** The camera has ended all tracks (RTCP BYE). The connection is still there. */
  onEnd(): void;
  /** The connection is over; not called after `close()`. While `start()` is under way, that rejects as well. */
  onClose(error: StreamError | null): void;
}

/** A medium to be received, and the code that reads its format, which may still be on its way. */
interface Choice {
  media: MediaDescription;
  format: MediaFormat;
  depacketizer: Promise<DepacketizerClass>;
}

export class Receiver {
  readonly #clock: Clock;
  readonly #handlers: ReceiverHandlers;
  readonly #session: RtspSession;
  readonly #trackHandlers: TrackReceiverHandlers = {
    onAccessUnit: (track, unit, time) =>
      this.#handlers.onAccessUnit(track, unit, this.#position === null ? time : this.#position.reach(time)),
    onGoodbye: (track) => this.#onGoodbye(track),
    onFirstPacket: (track, ticks) => this.#anchor(track, ticks),
  };
  #tracks: TrackReceiver[] = [];
  #byMedia: (TrackReceiver | undefined)[] = [];
  readonly #ended = new Set<TrackReceiver>();
  readonly #startTimestamps = new Map<number, number>();
  #firstArrival = Number.NaN;
  /** Of stored media, where somebody wants to know. */
  #position: MediaPosition | null = null;
  #lastTick = 0;
  #cancelTick: (() => void) | null = null;
  #closed = false;
  #closeError: StreamError | null = null;

  constructor(options: ReceiverOptions, handlers: ReceiverHandlers) {
    this.#clock = options.clock;
    this.#handlers = handlers;
    this.#session = new RtspSession(
      {
        transport: options.transport,
        url: options.url,
        credentials: options.credentials ?? null,
        tokens: options.tokens ?? null,
        clock: options.clock,
        logger: options.logger ?? silentLogger,
      },
      {
        onPlay: (result) => this.#onPlay(result),
        onRtp: (mediaIndex, bytes) => this.#onRtp(mediaIndex, bytes),
        onRtcp: (mediaIndex, bytes) => this.#byMedia[mediaIndex]?.onRtcp(bytes),
        onClose: (error) => this.#onClose(error),
      },
    );
  }

  /** What is received; empty before `onTracks`. */
  get tracks(): readonly TrackReceiver[] {
    return this.#tracks;
  }

  /**
   * Connects, asks what there is, sets up and plays. Rejects with a StreamError, and is closed then.
   */
  async start(signal?: AbortSignal): Promise<void> {
    try {
      await this.#session.connect(signal);
      const description = await this.#session.describe(signal);
      const position = this.#handlers.onDescription?.(mediaRangeOf(description));
      // A failure is met where it is awaited.
      position?.catch(() => undefined);
      await this.#setUp(this.#choose(description), signal);
      if (position !== undefined) this.#position = await position;
      // The camera's part takes longer than ours, so it begins first.
      const played = this.play(signal);
      this.#handlers.onTracks(this.#tracks, description);
      await played;
      if (this.#closed) throw this.#closeError ?? new StreamError('aborted', 'The connection was closed.');
    } catch (thrown) {
      this.close();
      throw StreamError.from(thrown, 'request-failed', 'The camera could not be played.');
    }
    this.#tick();
  }

  /** RTSP PAUSE: the session stays. */
  async pause(signal?: AbortSignal): Promise<void> {
    await this.#session.pause(signal);
  }

  /** RTSP PLAY after `pause()`. */
  async resume(signal?: AbortSignal): Promise<void> {
    this.#position?.askToResume();
    await this.play(signal);
  }

  get session(): RtspSession {
    return this.#session;
  }

  /**
   * PLAY from where the position of stored media is asked for, if anywhere.
   * @param scale - 1 is as fast as it was taken; undefined: not to be mentioned
   */
  async play(signal?: AbortSignal, scale?: number): Promise<void> {
    const range = this.#position?.requestedRange;
    await this.#session.play({
      ...(range === undefined ? {} : { range }),
      ...(scale === undefined ? {} : { scale }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** UTC in milliseconds of a time on the time line, by the camera's sender reports; null while unknown. */
  utcAt(time: number): number | null {
    for (const track of this.#tracks) {
      const utc = track.clock.isAnchored ? track.clock.utcAt(this.#position?.sinceStart(time) ?? time) : null;
      if (utc !== null) return utc;
    }
    return null;
  }

  /** Ends the session politely; never rejects. */
  async teardown(): Promise<void> {
    this.#stop();
    await this.#session.teardown();
  }

  /** Ends the connection at once. */
  close(): void {
    this.#stop();
    this.#session.close();
  }

  /** The first medium of each kind that there is a depacketizer for, and its format. */
  #choose(description: SessionDescription): Choice[] {
    const choices: Choice[] = [];
    for (const kind of ['video', 'audio']) {
      for (const media of description.media) {
        // What the page would have to send: a backchannel.
        if (media.kind !== kind || media.direction === 'sendonly') continue;
        const format = media.formats.find(hasDepacketizer);
        if (format === undefined) continue;
        const depacketizer = loadDepacketizer(format);
        // A failure is met where it is awaited.
        depacketizer.catch(() => undefined);
        choices.push({ media, format, depacketizer });
        break;
      }
    }
    if (choices.length > 0) return choices;
    const offered = description.media.flatMap(({ formats }) => formats.map(({ encodingName }) => encodingName));
    throw new StreamError(
      'no-playable-track',
      offered.length === 0
        ? 'The camera offers neither picture nor sound.'
        : `The camera offers nothing that can be played (it offers ${[...new Set(offered)].slice(0, 5).join(', ')}).`,
    );
  }

  /** One track that the camera refuses does not end the others. */
  async #setUp(choices: readonly Choice[], signal?: AbortSignal): Promise<void> {
    let refusal: unknown = null;
    const tracks: TrackReceiver[] = [];
    for (const { media, format, depacketizer } of choices) {
      try {
        await this.#session.setup(media, signal);
        tracks.push(new TrackReceiver(media, format, await depacketizer, this.#clock, this.#trackHandlers));
      } catch (thrown) {
        if (this.#closed || this.#session.state === 'closed' || signal?.aborted) throw thrown;
        refusal ??= thrown;
      }
    }
    if (tracks.length === 0) throw refusal;
    this.#tracks = tracks;
    for (const track of tracks) this.#byMedia[track.media.index] = track;
    const audio = tracks.find(({ kind }) => kind === 'audio');
    const video = tracks.find(({ kind }) => kind === 'video');
    if (video !== undefined && audio !== undefined) video.reference = audio;
  }

  #onRtp(mediaIndex: number, bytes: Uint8Array): void {
    const track = this.#byMedia[mediaIndex];
    if (track === undefined || this.#closed || this.#position?.isOld(mediaIndex, bytes)) return;
    this.#ended.delete(track);
    this.#handlers.onPacket?.(track);
    track.onRtp(bytes);
    this.#tickIfDue();
  }

  #onPlay(result: PlayResult): void {
    if (this.#position?.onPlay(result, this.#tracks) === true) return;
    if (this.#position !== null) this.#handlers.onPosition?.();
    for (const track of this.#tracks) track.reset();
    this.#ended.clear();
    this.#firstArrival = Number.NaN;
    this.#startTimestamps.clear();
    for (const { mediaIndex, rtpTimestamp } of result.rtpInfo) {
      if (rtpTimestamp !== null) this.#startTimestamps.set(mediaIndex, rtpTimestamp);
    }
    // Half an answer would put the tracks further apart than none.
    if (!this.#tracks.every(({ media }) => this.#startTimestamps.has(media.index))) this.#startTimestamps.clear();
  }

  #anchor(track: TrackReceiver, ticks: number): void {
    const now = this.#clock.now();
    if (Number.isNaN(this.#firstArrival)) this.#firstArrival = now;
    const start = this.#startTimestamps.get(track.media.index) ?? null;
    // It holds for the start of play alone: a source that starts anew later does so where it is by then.
    this.#startTimestamps.delete(track.media.index);
    track.clock.anchor(ticks, start, (now - this.#firstArrival) / 1000);
  }

  #onGoodbye(track: TrackReceiver): void {
    this.#ended.add(track);
    if (this.#ended.size === this.#tracks.length && !this.#closed) this.#handlers.onEnd();
  }

  #onClose(error: StreamError | null): void {
    if (this.#closed) return;
    this.#closeError = error;
    this.#stop();
    this.#handlers.onClose(error);
  }

  #tickIfDue(): void {
    if (this.#clock.now() - this.#lastTick >= TICK_MS) this.#tick();
  }

  /** Sends the reports that are due. */
  #tick(): void {
    if (this.#closed) return;
    this.#lastTick = this.#clock.now();
    for (const track of this.#tracks) {
      const report = track.pollReport();
      if (report !== null) void this.#sendReport(track, report);
    }
    this.#cancelTick?.();
    this.#cancelTick = this.#clock.schedule(TICK_MS, () => this.#tick());
  }

  async #sendReport(track: TrackReceiver, report: Report): Promise<void> {
    try {
      const { writeReport } = await import('../rtp/report-writer.js');
      this.#session.sendRtcp(track.media.index, writeReport(report));
    } catch {
      // The code could not be loaded. A camera that minds will end the session, which is noticed.
    }
  }

  #stop(): void {
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelTick = null;
  }
}

/** Of stored media, null for a live stream; a start that is not told is 0. */
function mediaRangeOf(description: SessionDescription): MediaRange | null {
  const range = describedRange(description);
  if (range?.unit !== 'npt' || typeof range.end !== 'number') return null;
  const start = typeof range.start === 'number' ? range.start : 0;
  return range.end > start ? { start, end: range.end } : null;
}
