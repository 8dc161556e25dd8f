import { MAX_OLD_PACKETS } from '../../shared/limits.js';
import { unixMsFromNtp } from '../../shared/rtcp.js';
import type { RtpHeaderExtension } from '../../shared/rtp-packet.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { formatRange } from '../rtsp/format-range.js';
import type { PlayResult } from '../rtsp/session.js';
import type { MediaRange } from './media-range.js';
import type { TrackReceiver } from './track-receiver.js';

/**
 * Where stored media are: seconds from the start of a PLAY → the position in them (see MediaRange), by what the server said
 * it plays. A recorder may say of each frame when it was taken (ONVIF Streaming Specification, 6.3: the replay header
 * extension): then that is its position, over gaps as well.
 */

/** A resumption this far from where the pause was is another position. Seconds. */
const MAX_RESUME_STEP_S = 1;

/** The extension's profile, and its flags: the last frame of the recording. */
const REPLAY_EXTENSION = 0xabac;
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
  #scale = 1;
  #reached: number;
  #isResuming = false;
  /** The newest of each track. */
  readonly #captures = new Map<TrackReceiver, Capture>();
  /** By the index of the medium, the sequence number that the present PLAY begins with, until it has come. */
  #firstPackets = new Map<number, number>();
  /** Packets of the positions before that came behind the answer to a PLAY, and were dropped. */
  oldPackets = 0;

  /** @param startAt - seconds, null: the beginning */
  constructor(range: MediaRange, startAt: number | null) {
    this.range = range;
    // A recorder that is not told where to begin begins with its oldest recording.
    this.#asked = startAt ?? (range.utc === null ? null : range.start);
    this.#origin = startAt ?? range.start;
    this.#reached = this.#origin;
  }

  /** Value of the Range header of the next PLAY; undefined: the server's own beginning, or where it was. */
  get requestedRange(): string | undefined {
    const asked = this.#asked;
    if (asked === null) return undefined;
    const { utc, end } = this.range;
    if (utc === null) return formatRange({ unit: 'npt', start: asked, end: null });
    return formatRange({ unit: 'clock', start: utc + 1000 * asked, end: utc + 1000 * end });
  }

  /** Seconds of the media in a second of RTP time. */
  get scale(): number {
    return this.#scale;
  }

  /** The next PLAY is to begin here, seconds. */
  ask(position: number): void {
    this.#asked = position;
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
    this.#asked = null;
    this.#firstPackets.clear();
    if (continues) return true;
    this.#captures.clear();
    for (const { mediaIndex, sequenceNumber } of result.rtpInfo) {
      // Some send 0 or 1 always.
      if (sequenceNumber !== null && sequenceNumber > 1) this.#firstPackets.set(mediaIndex, sequenceNumber);
    }
    this.#origin = this.#startOf(result) ?? asked ?? this.#reached;
    this.#reached = this.#origin;
    this.#scale = result.scale ?? 1;
    return false;
  }

  /** A packet of a track has a header extension, which belongs to the unit that has its time. */
  onExtension(track: TrackReceiver, { profile, data }: RtpHeaderExtension, ticks: number): void {
    if (profile !== REPLAY_EXTENSION || data.length < REPLAY_EXTENSION_BYTES) return;
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const utc = unixMsFromNtp(view.getUint32(0), view.getUint32(4));
    this.#captures.set(track, { ticks, utc, isLast: (view.getUint8(8) & FLAG_TERMINAL) !== 0 });
  }

  /** Whether an RTP packet is one of the position before (GStreamer sends some 20 or 100 of them ahead of its answer). */
  isOld(mediaIndex: number, packet: Uint8Array): boolean {
    const first = this.#firstPackets.get(mediaIndex);
    if (first === undefined) return false;
    const sequenceNumber = ((packet[2] ?? 0) << 8) | (packet[3] ?? 0);
    if (((first - 1 - sequenceNumber) & 0xffff) < MAX_OLD_PACKETS) {
      this.oldPackets++;
      return true;
    }
    this.#firstPackets.delete(mediaIndex);
    return false;
  }

  /**
   * The position of a unit, seconds.
   * @param time - from the start of play, seconds
   */
  reach(time: number, track: TrackReceiver, unit: AccessUnit): number {
    const capture = this.#captures.get(track);
    const { utc } = this.range;
    if (capture === undefined || utc === null) this.#reached = this.#origin + this.#scale * time;
    else {
      const since = (this.#scale * (unit.presentationTime - capture.ticks)) / track.format.clockRate;
      this.#reached = (capture.utc - utc) / 1000 + since;
    }
    return this.#reached;
  }

  /** Whether the recorder has said that nothing follows. */
  isLast(track: TrackReceiver, { presentationTime }: AccessUnit): boolean {
    const capture = this.#captures.get(track);
    return capture?.isLast === true && capture.ticks === presentationTime;
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
    if (range.unit === 'npt') return this.range.utc === null ? range.start : null;
    return this.range.utc === null ? null : (range.start - this.range.utc) / 1000;
  }
}
