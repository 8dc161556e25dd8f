import type { PlayResult } from '../rtsp/session.js';
import type { MediaRange } from './receiver.js';
import type { TrackReceiver } from './track-receiver.js';

/**
 * Where stored media are: seconds from the start of a PLAY → normal play time (RFC 2326, 3.6), by what the server said it
 * plays.
 */

/** Packets of the position before that may come yet; a sequence number further back is a mistake of the server. */
const MAX_OLD_PACKETS = 3_000;
/** A resumption this far from where the pause was is another position. Seconds. */
const MAX_RESUME_STEP_S = 1;

export class MediaPosition {
  readonly range: MediaRange;
  /** Normal play time at which the present PLAY began, seconds. */
  #origin: number;
  /** Where it was asked to begin; null: where the server has it begin. */
  #asked: number | null;
  #scale = 1;
  #reached: number;
  #isResuming = false;
  /** By the index of the medium, the sequence number that the present PLAY begins with, until it has come. */
  #firstPackets = new Map<number, number>();

  /** @param startAt - seconds of normal play time, null: the beginning */
  constructor(range: MediaRange, startAt: number | null) {
    this.range = range;
    this.#asked = startAt;
    this.#origin = startAt ?? range.start;
    this.#reached = this.#origin;
  }

  /** Value of the Range header of the next PLAY; undefined: the server's own beginning, or where it was. */
  get requestedRange(): string | undefined {
    return this.#asked === null ? undefined : `npt=${this.#asked.toFixed(3)}-`;
  }

  /** Seconds of the media in a second of RTP time. */
  get scale(): number {
    return this.#scale;
  }

  /** The next PLAY is to begin here, seconds of normal play time. */
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
    for (const { mediaIndex, sequenceNumber } of result.rtpInfo) {
      // Some send 0 or 1 always.
      if (sequenceNumber !== null && sequenceNumber > 1) this.#firstPackets.set(mediaIndex, sequenceNumber);
    }
    this.#origin = startOf(result) ?? asked ?? this.#reached;
    this.#reached = this.#origin;
    this.#scale = result.scale ?? 1;
    return false;
  }

  /** Whether an RTP packet is one of the position before (GStreamer sends some 20 or 100 of them ahead of its answer). */
  isOld(mediaIndex: number, packet: Uint8Array): boolean {
    const first = this.#firstPackets.get(mediaIndex);
    if (first === undefined) return false;
    const sequenceNumber = ((packet[2] ?? 0) << 8) | (packet[3] ?? 0);
    if (((first - 1 - sequenceNumber) & 0xffff) < MAX_OLD_PACKETS) return true;
    this.#firstPackets.delete(mediaIndex);
    return false;
  }

  /**
   * Normal play time of a unit, seconds.
   * @param time - from the start of play, seconds
   */
  reach(time: number): number {
    this.#reached = this.#origin + this.#scale * time;
    return this.#reached;
  }

  /** Seconds from the start of play at which the media has, or had, a position. */
  sinceStart(position: number): number {
    return (position - this.#origin) / this.#scale;
  }

  #continues(result: PlayResult, tracks: readonly TrackReceiver[]): boolean {
    if (result.scale !== null && result.scale !== this.#scale) return false;
    const start = startOf(result) ?? this.#reached;
    if (Math.abs(start - this.#reached) > MAX_RESUME_STEP_S) return false;
    return tracks.every(({ media, clock }) => {
      const rtpTimestamp = result.rtpInfo.find(({ mediaIndex }) => mediaIndex === media.index)?.rtpTimestamp ?? null;
      if (rtpTimestamp === null || !clock.isAnchored) return clock.isAnchored;
      const time = this.#origin + this.#scale * clock.timeOf(clock.timeline.at(rtpTimestamp));
      return Math.abs(time - start) <= MAX_RESUME_STEP_S;
    });
  }
}

function startOf({ range }: PlayResult): number | null {
  return range?.unit === 'npt' && typeof range.start === 'number' ? range.start : null;
}
