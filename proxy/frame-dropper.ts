/**
 * Decides what a viewer that is too slow for a live stream still gets: whole frames or none, and after a gap nothing
 * before a key frame, so that it never falls further behind.
 */
import { startsKeyFrame } from '../shared/key-frame.js';
import { LIVE_RESUME_BYTES, MAX_LIVE_BACKLOG_BYTES } from '../shared/limits.js';
import { looksLikeRtcp, parseRtpPacket, type RtpPacket } from '../shared/rtp-packet.js';
import type { MediaFormat } from '../shared/session-description.js';

interface ChannelState {
  /** Encoding names by payload type. */
  encodingNames: ReadonlyMap<number, string>;
  isDropping: boolean;
  /** RTP time of the frame that the last packet belonged to. */
  timestamp: number | null;
  /** Whether the beginning of a key frame with this time was dropped. */
  missesKeyFrame: boolean;
}

function startsKeyFrameOf(state: ChannelState, rtp: RtpPacket): boolean | null {
  const encodingName = state.encodingNames.get(rtp.payloadType);
  return encodingName === undefined ? null : startsKeyFrame(encodingName, rtp.payload);
}

export class FrameDropper {
  readonly #channels = new Map<number, ChannelState>();
  #isActive = false;
  #droppedFrames = 0;

  /** Tells what a channel carries, after SETUP. */
  addChannel(channel: number, formats: readonly MediaFormat[]): void {
    const encodingNames = new Map(formats.map((format) => [format.payloadType, format.encodingName]));
    this.#channels.set(channel, { encodingNames, isDropping: false, timestamp: null, missesKeyFrame: false });
  }

  /** Whether frames have to be shown to `accepts` at all; false for a viewer that keeps up. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Frames that were begun to be dropped, over all channels. */
  get droppedFrames(): number {
    return this.#droppedFrames;
  }

  /** The viewer has fallen behind: the frame under way is finished, the next one is not sent. */
  activate(): void {
    if (this.#isActive) return;
    this.#isActive = true;
    for (const channel of this.#channels.values()) {
      channel.isDropping = false;
      channel.timestamp = null;
    }
  }

  /**
   * Whether this packet goes out.
   * @param backlogBytes - what already waits for the viewer
   */
  accepts(channel: number, packet: Uint8Array, backlogBytes: number): boolean {
    if (backlogBytes > MAX_LIVE_BACKLOG_BYTES) return this.#refuseAll(channel, packet);
    const state = this.#channels.get(channel);
    // RTCP is little, and the viewer's clock needs it. Some cameras send it on the channel of RTP.
    if (state === undefined || looksLikeRtcp(packet)) return true;
    const rtp = parseRtpPacket(packet);
    if (rtp === null) return false;
    const isSameFrame = rtp.timestamp === state.timestamp;
    if (!isSameFrame) state.missesKeyFrame = false;
    if (!state.isDropping && (state.timestamp === null || isSameFrame)) {
      state.timestamp = rtp.timestamp;
      return true;
    }
    state.timestamp = rtp.timestamp;
    if (backlogBytes <= LIVE_RESUME_BYTES && this.#mayResume(state, rtp, isSameFrame)) {
      state.isDropping = false;
      this.#isActive = [...this.#channels.values()].some((other) => other.isDropping);
      return true;
    }
    if (startsKeyFrameOf(state, rtp) === true) state.missesKeyFrame = true;
    state.isDropping = true;
    if (!isSameFrame) this.#droppedFrames++;
    return false;
  }

  #mayResume(state: ChannelState, rtp: RtpPacket, isSameFrame: boolean): boolean {
    // Nothing of this channel is missing yet.
    if (!state.isDropping) return true;
    // Where key frames cannot be told, audio above all, any new frame will do. A key frame may begin behind a delimiter
    // of the same time, but not in its own middle.
    return (startsKeyFrameOf(state, rtp) ?? !isSameFrame) && !state.missesKeyFrame;
  }

  /** Even the rest of a frame and RTCP would be too much. */
  #refuseAll(channel: number, packet: Uint8Array): false {
    const state = this.#channels.get(channel);
    const rtp = state === undefined || looksLikeRtcp(packet) ? null : parseRtpPacket(packet);
    if (state === undefined || rtp === null) return false;
    if (rtp.timestamp !== state.timestamp) state.missesKeyFrame = false;
    if (rtp.timestamp !== state.timestamp || !state.isDropping) this.#droppedFrames++;
    if (startsKeyFrameOf(state, rtp) === true) state.missesKeyFrame = true;
    state.timestamp = rtp.timestamp;
    state.isDropping = true;
    return false;
  }
}
