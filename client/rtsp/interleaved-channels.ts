import { MAX_EARLY_BYTES, MAX_EARLY_PACKETS } from '../../shared/limits.js';
import { looksLikeRtcp } from '../../shared/rtp-packet.js';

/**
 * Interleaved frames (RFC 2326, 10.12) → the RTP and RTCP packets of the media that were set up. Holds back, within a
 * bound, what comes before the reply to PLAY, since only that reply says where the media starts.
 */

/**
 * What to do with a packet now:
 * - `hold`: PLAY was not answered yet; some servers send before they answer, or before they are asked.
 * - `deliver`: hand it on at once.
 * - `drop`: the session is paused, and this is what was on the way.
 */
export type Delivery = 'hold' | 'deliver' | 'drop';

export interface InterleavedPacketHandlers {
  /** @param wasHeld - it came before the reply to PLAY */
  onRtp(mediaIndex: number, bytes: Uint8Array, wasHeld?: boolean): void;
  onRtcp(mediaIndex: number, bytes: Uint8Array): void;
}

export interface InterleavedChannelsStats {
  /** Packets held while PLAY was under way, and handed on after it. */
  heldPackets: number;
  /** Packets dropped: more than may be held, or on the way while paused. */
  droppedPackets: number;
  /** Packets on channels that were never set up. */
  strayPackets: number;
}

const NO_MEDIUM = -1;

export class InterleavedChannels {
  readonly stats: InterleavedChannelsStats = { heldPackets: 0, droppedPackets: 0, strayPackets: 0 };
  readonly #handlers: InterleavedPacketHandlers;
  /** Index of the medium, by channel. */
  readonly #mediaIndex = new Int32Array(256).fill(NO_MEDIUM);
  /** Channel that the server reads a medium's RTCP on, by index of the medium. */
  readonly #rtcpChannels = new Map<number, number>();
  #delivery: Delivery = 'hold';
  #held: { mediaIndex: number; bytes: Uint8Array }[] = [];
  #heldBytes = 0;
  #closed = false;

  constructor(handlers: InterleavedPacketHandlers) {
    this.#handlers = handlers;
  }

  /** Channels that were set up, with which the reader is told from junk. */
  get channels(): number[] {
    return [...this.#mediaIndex.keys()].filter((channel) => this.#mediaIndex[channel] !== NO_MEDIUM);
  }

  /**
   * Gives a medium its two channels.
   * @returns false, and changes nothing, when another medium has the RTP channel already
   */
  assign(mediaIndex: number, channels: { rtp: number; rtcp: number }): boolean {
    const owner = this.#mediaIndex[channels.rtp] ?? NO_MEDIUM;
    if (owner !== NO_MEDIUM && owner !== mediaIndex) return false;
    this.#mediaIndex[channels.rtp] = mediaIndex;
    // `interleaved=0-0` and the like: RTCP is told from RTP by its content in any case.
    if (this.#mediaIndex[channels.rtcp] === NO_MEDIUM) this.#mediaIndex[channels.rtcp] = mediaIndex;
    this.#rtcpChannels.set(mediaIndex, channels.rtcp);
    return true;
  }

  /** The channel for RTCP to the server, or null when the medium was not set up. */
  rtcpChannelOf(mediaIndex: number): number | null {
    return this.#rtcpChannels.get(mediaIndex) ?? null;
  }

  /** Changes what happens to packets; `deliver` hands over those held, in their order, before it returns. */
  set delivery(delivery: Delivery) {
    this.#delivery = delivery;
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    this.#heldBytes = 0;
    if (delivery !== 'deliver') {
      this.stats.droppedPackets += held.length;
      return;
    }
    for (const { mediaIndex, bytes } of held) this.#handOver(mediaIndex, bytes, true);
  }

  get delivery(): Delivery {
    return this.#delivery;
  }

  /** Takes an interleaved frame. */
  push(channel: number, bytes: Uint8Array): void {
    const mediaIndex = this.#mediaIndex[channel] ?? NO_MEDIUM;
    if (mediaIndex === NO_MEDIUM) {
      this.stats.strayPackets++;
      return;
    }
    if (this.#delivery === 'deliver') {
      this.#handOver(mediaIndex, bytes);
    } else if (this.#delivery === 'hold' && this.#mayHold(bytes)) {
      this.stats.heldPackets++;
      this.#heldBytes += bytes.length;
      this.#held.push({ mediaIndex, bytes });
    } else {
      this.stats.droppedPackets++;
    }
  }

  /** Forgets what is held; nothing is handed over any more. */
  close(): void {
    this.#closed = true;
    this.#held = [];
    this.#mediaIndex.fill(NO_MEDIUM);
    this.#rtcpChannels.clear();
  }

  #mayHold(bytes: Uint8Array): boolean {
    return this.#held.length < MAX_EARLY_PACKETS && this.#heldBytes + bytes.length <= MAX_EARLY_BYTES;
  }

  #handOver(mediaIndex: number, bytes: Uint8Array, wasHeld?: boolean): void {
    if (this.#closed) return;
    // Some servers send RTCP on the RTP channel, or the reverse: the packet itself tells (RFC 5761, 4).
    if (looksLikeRtcp(bytes)) this.#handlers.onRtcp(mediaIndex, bytes);
    else this.#handlers.onRtp(mediaIndex, bytes, wasHeld);
  }
}
