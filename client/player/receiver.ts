import type { Credentials } from '../../shared/authentication.js';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import type { MediaDescription, MediaFormat, SessionDescription } from '../../shared/session-description.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { type DepacketizerClass, hasDepacketizer, loadDepacketizer } from '../depacketizer/registry.js';
import type { CaptureTime } from '../rtp/capture-time.js';
import type { Report } from '../rtp/receiver-report.js';
import type { AccessTokens } from '../rtsp/access-token.js';
import { describedRange, type PlayResult, RtspSession } from '../rtsp/session.js';
import type { ByteTransport } from '../transport/byte-transport.js';
import type { MediaPosition } from './media-position.js';
import type { MediaRange } from './media-range.js';
import { type TrackKind, TrackReceiver, type TrackReceiverHandlers, trackKindOf } from './track-receiver.js';

/**
 * One connection to a camera: from its address to access units. Sets up the first video and the first audio track that it
 * has a depacketizer for, plays, and reports. Knows nothing of browsers; runs in Node as well.
 */

/** Between looks at what is due, milliseconds; data that arrives makes it look as well. */
const TICK_MS = 1_000;

/** What the RTP clock of a camera may be off its nominal rate, as a share: quartz. */
const CLOCK_TOLERANCE = 0.0001;

export interface ReceiverOptions {
  transport: ByteTransport;
  /** rtsp:// or rtsps:// URL; credentials in it are used and taken out. */
  url: string;
  credentials?: Credentials | null;
  /** For the proxy. */
  tokens?: AccessTokens | null;
  /**
   * What to receive, by the first medium that fits of each kind: `video`, `audio` or `metadata`, a place in the session
   * description from 0 (`2`), or a payload format's name (`h265`). What comes first is preferred. Video and audio when absent.
   */
  tracks?: readonly string[];
  /** The media are a recorder's (ONVIF replay): the part that is wanted, as `start/end` in ISO 8601; either may be missing. */
  recording?: string | null;
  clock: Clock;
  logger?: Logger;
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
   * media, their position (see MediaRange).
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
  readonly #options: ReceiverOptions;
  #range: MediaRange | null = null;
  /** UTC of the start of play, by the camera's reply to PLAY; null when it does not say. */
  #playUtc: number | null = null;
  readonly #trackHandlers: TrackReceiverHandlers = {
    onAccessUnit: (track, unit, time) => {
      const position = this.#position;
      this.#handlers.onAccessUnit(track, unit, position === null ? time : position.reach(time, track, unit));
      if (position?.isLast(track, unit)) this.#onGoodbye(track);
    },
    onExtension: (track, extension, ticks) => this.#position?.onExtension(track, extension, ticks),
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
    this.#options = options;
    this.#session = new RtspSession(
      {
        transport: options.transport,
        url: options.url,
        credentials: options.credentials ?? null,
        tokens: options.tokens ?? null,
        // What is told in the URL what to play does not speak ONVIF's replay.
        require: options.recording == null || /[?&]starttime=/i.test(options.url) ? null : 'onvif-replay',
        clock: options.clock,
        logger: options.logger ?? silentLogger,
      },
      {
        onPlay: (result) => this.#onPlay(result),
        onRtp: (mediaIndex, bytes, wasHeld) => this.#onRtp(mediaIndex, bytes, wasHeld),
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
      this.#range = await this.#rangeOf(description);
      const position = this.#handlers.onDescription?.(this.#range);
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

  /** PLAY from where the position of stored media is asked for, if anywhere, and as it is asked for. */
  async play(signal?: AbortSignal): Promise<void> {
    await this.#session.play({ ...this.#position?.nextPlay, ...(signal && { signal }) });
  }

  /**
   * When the camera took what has a time on the time line; null while unknown. Of a recording by
   * its own times: the sender reports of stored media tell when they are sent. Of a live stream by the reply to PLAY, until two
   * sender reports agree: that is one point of time, from which the camera's RTP clock drifts away.
   */
  captureAt(time: number): CaptureTime | null {
    if (this.#range !== null) return this.#position?.captureAt(time) ?? null;
    const clocks = this.#tracks
      .map(({ clock }) => clock)
      .filter(({ isAnchored, sender }) => isAnchored && sender?.isKnown);
    const confirmed = clocks.find(({ sender }) => sender?.isConfirmed);
    if (confirmed === undefined && this.#playUtc !== null) {
      return { utc: this.#playUtc + 1000 * time, source: 'play-range', uncertainty: CLOCK_TOLERANCE * time };
    }
    return (confirmed ?? clocks[0])?.captureAt(time) ?? null;
  }

  /** The same, of which only the time is of interest. */
  utcAt(time: number): number | null {
    return this.captureAt(time)?.utc ?? null;
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

  /** Of stored media, null for a live stream. */
  async #rangeOf(description: SessionDescription): Promise<MediaRange | null> {
    const end = describedRange(description)?.end ?? 'now';
    const { url, recording = null } = this.#options;
    if (recording === null && end === 'now') return null;
    const { mediaRangeOf } = await import('./media-range.js');
    return mediaRangeOf(description, url, recording, this.#clock.utc());
  }

  /** Of each kind the first medium that is wanted and that there is a depacketizer for, and its format. */
  #choose(description: SessionDescription): Choice[] {
    const choices: Choice[] = [];
    const kinds = new Set<TrackKind>();
    for (const wanted of this.#options.tracks ?? ['video', 'audio']) {
      for (const media of description.media) {
        const kind = trackKindOf(media);
        // What the page would have to send: a backchannel.
        if (kinds.has(kind) || media.direction === 'sendonly') continue;
        const isWanted = (format: MediaFormat) =>
          [kind, String(media.index), format.encodingName.toLowerCase()].includes(wanted) && hasDepacketizer(format);
        const format = media.formats.find(isWanted);
        if (format === undefined) continue;
        kinds.add(kind);
        const depacketizer = loadDepacketizer(format);
        // A failure is met where it is awaited.
        depacketizer.catch(() => undefined);
        choices.push({ media, format, depacketizer });
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
    const trackOf = (kind: TrackKind) => tracks.find((track) => track.kind === kind) ?? null;
    const audio = trackOf('audio');
    const video = trackOf('video');
    const metadata = trackOf('metadata');
    if (video !== null) video.reference = audio;
    if (metadata !== null) metadata.reference = video ?? audio;
  }

  #onRtp(mediaIndex: number, bytes: Uint8Array, wasHeld?: boolean): void {
    const track = this.#byMedia[mediaIndex];
    if (track === undefined || this.#closed || this.#position?.isOld(mediaIndex, bytes, wasHeld)) return;
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
    const isMissing = ({ kind, media }: TrackReceiver) =>
      kind !== 'metadata' && !this.#startTimestamps.has(media.index);
    if (this.#tracks.some(isMissing)) this.#startTimestamps.clear();
    const { range } = result;
    this.#playUtc = range?.unit === 'clock' && this.#startTimestamps.size > 0 ? range.start : null;
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
    const isEnded = (other: TrackReceiver) => other.kind === 'metadata' || this.#ended.has(other);
    if (this.#tracks.every(isEnded) && !this.#closed) this.#handlers.onEnd();
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
      for (const packet of writeReport(report)) this.#session.sendRtcp(track.media.index, packet);
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
