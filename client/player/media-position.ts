import { MAX_OLD_PACKETS } from '../../shared/limits.js';
import { unixMsFromNtp } from '../../shared/rtcp.js';
import { parseRtpPacket, type RtpHeaderExtension } from '../../shared/rtp-packet.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { CaptureTime } from '../rtp/capture-time.js';
import { formatRange } from '../rtsp/format-range.js';
import type { PlayOptions, PlayResult } from '../rtsp/session.js';
import type { MediaRange } from './media-range.js';
import { type Pace, paceHeaders, USUAL_PACE } from './pace.js';
import type { TrackReceiver } from './track-receiver.js';

/**
 * Where stored media are: seconds from the start of a PLAY → the position in them (see MediaRange), by what the server said
 * it plays. A recorder may say of each frame when it was taken (ONVIF Streaming Specification, 6.3: the replay header
 * extension): then that is its position, over gaps as well.
 */

/** A resumption this far from where the pause was is another position. Seconds. */
const MAX_RESUME_STEP_S = 1;

/** So near to each other two times are the same. Seconds. */
const SAME_TIME_S = 0.05;

/** The extension's profile, and its flags: a frame that does not follow the one sent before, the last frame. */
const REPLAY_EXTENSION = 0xabac;
const FLAG_DISCONTINUITY = 0x20;
const FLAG_TERMINAL = 0x10;
const REPLAY_EXTENSION_BYTES = 12;

/** When a unit was taken. */
interface Capture {
  readonly ticks: number;
  readonly utc: number;
  readonly isLast: boolean;
}

export class MediaPosition {
  readonly range: MediaRange;
  /** Normal play time at which the present PLAY began, seconds. */
  #origin: number;
  /** Where it was asked to begin; null: where the server has it begin. */
  #asked: number | null;
  #pace = USUAL_PACE;
  /** Where the present PLAY ends by our wish; null: where the media does. */
  #pieceEnd: number | null = null;
  /** Some servers refuse a Scale, whatever it says. */
  #saysPace = false;
  #hasPlayed = false;
  #scale = 1;
  #reached: number;
  #isResuming = false;
  /** The newest of each track. */
  readonly #captures = new Map<TrackReceiver, Capture>();
  /** By the index of the medium, the sequence number that the present PLAY begins with, where it was told. */
  readonly #firstPackets = new Map<number, number>();
  /** Media of which the first packet of the present PLAY has come. */
  readonly #begun = new Set<number>();
  /** By the index of the medium, the RTP time of the session's first PLAY, until something of it has come. */
  readonly #firstTimes = new Map<number, number>();
  /** The present PLAY was asked for while another one was under way, whose packets may have been held for its answer. */
  #hasOvertaken = false;
  /** Packets of the positions before that came behind the answer to a PLAY, and were dropped. */
  oldPackets = 0;

  /** @param startAt - seconds, null: the beginning */
  constructor(range: MediaRange, startAt: number | null, pace = USUAL_PACE) {
    this.range = range;
    // A recorder that is not told where to begin begins with its oldest recording.
    this.#asked = startAt ?? (range.counts === 'npt' ? null : range.start);
    this.#setPace(pace);
    this.#origin = startAt ?? range.start;
    this.#reached = this.#origin;
  }

  /** What the next PLAY says. Without a Range: the server's own beginning, or where it was. */
  get nextPlay(): PlayOptions {
    const asked = this.#asked;
    const { rate } = this.#pace;
    const headers = this.#saysPace ? paceHeaders(this.#pace) : [];
    if (asked === null) return { headers };
    const { counts, utc, start, end } = this.range;
    const last = rate < 0 ? start : end;
    if (counts === 'npt' || utc === null) {
      return { headers, range: formatRange({ unit: 'npt', start: asked, end: rate < 0 ? last : null }) };
    }
    // What was asked for before is of no use any more; by default it would be played to its end first.
    const holds = this.#overtakes;
    if (holds) headers.push(['Immediate', 'yes']);
    const until = this.#endOfPiece(asked) ?? last;
    const range = formatRange({ unit: 'clock', start: utc + 1000 * asked, end: utc + 1000 * until });
    return { headers, range, holds };
  }

  /** Where the present PLAY ends by our wish, seconds; null: where the media does. */
  get pieceEnd(): number | null {
    return this.#pieceEnd;
  }

  /** How many times as fast as it was taken, negative: backwards, the media can be shown by what the server sends. */
  get rate(): number {
    const { rate, piece } = this.#pace;
    if (piece === null) return this.#scale;
    return Math.sign(this.#scale) === Math.sign(rate) ? rate : 1;
  }

  /** The next PLAY is to begin here, seconds, and to go so. */
  ask(position: number, pace = USUAL_PACE): void {
    this.#asked = position;
    this.#setPace(pace);
    this.#isResuming = false;
  }

  /** The next PLAY is to go on where the media was paused. */
  askToResume(): void {
    this.#asked = null;
    this.#isResuming = true;
  }

  /**
   * A PLAY was accepted.
   * @returns whether what comes goes on from what came before, so that nothing has to begin anew
   */
  onPlay(result: PlayResult, tracks: readonly TrackReceiver[]): boolean {
    const continues = this.#isResuming && this.#continues(result, tracks);
    this.#isResuming = false;
    const asked = this.#asked;
    this.#hasOvertaken = asked !== null && this.#overtakes;
    this.#asked = null;
    const isFirst = !this.#hasPlayed;
    this.#hasPlayed = true;
    this.#pieceEnd = asked === null ? null : this.#endOfPiece(asked);
    this.#firstPackets.clear();
    this.#firstTimes.clear();
    this.#begun.clear();
    if (continues) return true;
    this.#captures.clear();
    for (const { mediaIndex, sequenceNumber, rtpTimestamp } of result.rtpInfo) {
      if (isFirst && rtpTimestamp !== null) this.#firstTimes.set(mediaIndex, rtpTimestamp);
      // Some send 0 or 1 always.
      if (sequenceNumber !== null && sequenceNumber > 1) this.#firstPackets.set(mediaIndex, sequenceNumber);
    }
    this.#origin = this.#startOf(result) ?? asked ?? this.#reached;
    this.#reached = this.#origin;
    // Recorders need not repeat what they were asked for: times of the frames tell.
    this.#scale = result.scale ?? (this.#pace.piece === null ? 1 : Math.sign(this.#pace.rate));
    return false;
  }

  /** A packet of a track has a header extension, which belongs to the unit that has its time. */
  onExtension(track: TrackReceiver, { profile, data }: RtpHeaderExtension, ticks: number): void {
    if (profile !== REPLAY_EXTENSION || data.length < REPLAY_EXTENSION_BYTES) return;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const utc = unixMsFromNtp(view.getUint32(0), view.getUint32(4));
    this.#captures.set(track, { ticks, utc, isLast: (view.getUint8(8) & FLAG_TERMINAL) !== 0 });
  }

  /**
   * Whether an RTP packet is one of the position before. GStreamer sends some 20 or 100 of them ahead of its answer; its recorder
   * names the packet there that it has come to by then, not the first, which has an extension that tells.
   * @param wasHeld - it came before the answer
   */
  isOld(mediaIndex: number, packet: Uint8Array, wasHeld = false): boolean {
    if (this.#begun.has(mediaIndex)) return false;
    const first = this.#firstPackets.get(mediaIndex) ?? null;
    const sequenceNumber = ((packet[2] ?? 0) << 8) | (packet[3] ?? 0);
    const begins = sequenceNumber === first || isDiscontinuous(packet);
    const isBefore = first !== null && ((first - 1 - sequenceNumber) & 0xffff) < MAX_OLD_PACKETS;
    if (!begins && (isBefore || (wasHeld && this.#hasOvertaken))) {
      this.oldPackets++;
      return true;
    }
    this.#begun.add(mediaIndex);
    return false;
  }

  /**
   * The position of a unit, seconds.
   * @param time - from the start of play, seconds
   */
  reach(time: number, track: TrackReceiver, unit: AccessUnit): number {
    const capture = this.#captures.get(track);
    const { utc } = this.range;
    const since = this.#startsAnew(track, unit) ? 0 : time;
    if (capture === undefined || utc === null) this.#reached = this.#origin + this.#scale * since;
    else {
      const sinceCapture = (this.#scale * (unit.presentationTime - capture.ticks)) / track.format.clockRate;
      this.#reached = (capture.utc - utc) / 1000 + sinceCapture;
    }
    return this.#reached;
  }

  /** When what is at a position was taken; null where the media tell no time of day. */
  captureAt(position: number): CaptureTime | null {
    const { utc } = this.range;
    if (utc === null) return null;
    const time = utc + 1000 * position;
    if (this.#captures.size > 0) return { utc: time, source: 'replay-extension', uncertainty: 0 };
    return { utc: time, source: 'play-range', uncertainty: null };
  }

  /** Whether the recorder has said that nothing follows. */
  isLast(track: TrackReceiver, { presentationTime }: AccessUnit): boolean {
    const capture = this.#captures.get(track);
    return capture?.isLast === true && capture.ticks === presentationTime;
  }

  /**
   * GStreamer 1.22 answers a session's first PLAY, if that does not begin at 0, with the RTP time of position 0 for the
   * picture beside a sound: its first frame would be as far behind the beginning as that is behind 0.
   */
  #startsAnew({ media, format, clock }: TrackReceiver, { presentationTime }: AccessUnit): boolean {
    const start = this.#firstTimes.get(media.index);
    if (start === undefined) return false;
    this.#firstTimes.delete(media.index);
    const late = (presentationTime - clock.timeline.at(start)) / format.clockRate;
    if (late < SAME_TIME_S || Math.abs(late - this.#origin) > SAME_TIME_S) return false;
    clock.anchor(presentationTime, null, 0);
    return true;
  }

  #continues(result: PlayResult, tracks: readonly TrackReceiver[]): boolean {
    if (result.scale !== null && result.scale !== this.#scale) return false;
    const start = this.#startOf(result) ?? this.#reached;
    if (Math.abs(start - this.#reached) > MAX_RESUME_STEP_S) return false;
    return tracks.every(({ media, clock }) => {
      const rtpTimestamp = result.rtpInfo.find(({ mediaIndex }) => mediaIndex === media.index)?.rtpTimestamp ?? null;
      if (rtpTimestamp === null || !clock.isAnchored) return clock.isAnchored;
      const time = this.#origin + this.#scale * clock.timeOf(clock.timeline.at(rtpTimestamp));
      return Math.abs(time - start) <= MAX_RESUME_STEP_S;
    });
  }

  #startOf({ range }: PlayResult): number | null {
    if (typeof range?.start !== 'number') return null;
    const { counts, utc } = this.range;
    if (range.unit === 'npt') return counts === 'npt' ? range.start : null;
    return utc === null ? null : (range.start - utc) / 1000;
  }

  /** Whether a recorder is asked to leave what it plays at once. */
  get #overtakes(): boolean {
    return this.range.counts === 'replay' && this.#hasPlayed;
  }

  #setPace(pace: Pace): void {
    this.#pace = pace;
    this.#saysPace ||= pace.rate !== 1;
  }

  #endOfPiece(asked: number): number | null {
    const { rate, piece } = this.#pace;
    if (piece === null) return null;
    return rate < 0 ? Math.max(this.range.start, asked - piece) : Math.min(this.range.end, asked + piece);
  }
}

/** Whether an RTP packet begins something, by a recorder's extension. */
function isDiscontinuous(packet: Uint8Array): boolean {
  const parsed = parseRtpPacket(packet);
  if (parsed?.extension?.profile !== REPLAY_EXTENSION) return false;
  return ((parsed.extension.data[8] ?? 0) & FLAG_DISCONTINUITY) !== 0;
}
