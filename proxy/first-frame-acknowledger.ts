/**
 * Answers the reply to PLAY, and every read up to the end of the first frame, with a receiver report that tells nothing.
 *
 * Linux takes a connection on which requests and answers alternate for a dialogue, and delays its acknowledgements by 40 ms,
 * so that the next request can carry them. A camera that uses Nagle's algorithm, as GStreamer's server does, writes the
 * first small packet and then keeps the frame back for that long, after each PLAY. The read that brings the frame's end is
 * not answered: once an acknowledgement was late, the kernel takes the connection for a stream, and delays no more.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { serializeReceiverCompound } from '../shared/rtcp-writer.js';
import { INTERLEAVED_HEADER_BYTES, serializeInterleaved } from '../shared/rtsp-message.js';
import type { FrameSink } from './camera-reader.js';

/** A first frame that comes in more pieces than these gains nothing any more. */
const MAX_ANSWERS = 8;
const MARKER = 0x80;

/** Which channels of the session are meant. */
export interface FirstFrameChannels {
  /** RTP of the medium whose first frame counts. */
  rtp: number;
  rtcp: number;
}

/** Stands before a sink until its first frame is complete. */
export class FirstFrameAcknowledger implements FrameSink {
  readonly #sink: FrameSink;
  readonly #channels: FirstFrameChannels;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #onDone: () => void;
  readonly #answer: Uint8Array;
  #answers = 0;
  #memory: Buffer | null = null;
  #isComplete = false;

  /**
   * @param sink - gets everything
   * @param write - sends to the camera
   * @param onDone - no more is to be seen here
   */
  constructor(sink: FrameSink, channels: FirstFrameChannels, write: (bytes: Uint8Array) => void, onDone: () => void) {
    this.#sink = sink;
    this.#channels = channels;
    this.#write = write;
    this.#onDone = onDone;
    const report = { ssrc: randomInt(2 ** 32), cname: randomBytes(12).toString('base64') };
    this.#answer = serializeInterleaved(channels.rtcp, serializeReceiverCompound(report));
    this.#acknowledge();
  }

  get isMemoryInUse(): boolean {
    return this.#sink.isMemoryInUse;
  }

  get isHolding(): boolean {
    return this.#sink.isHolding;
  }

  beginChunk(memory: Buffer): void {
    this.#memory = memory;
    this.#sink.beginChunk(memory);
  }

  onFrame(start: number, end: number): void {
    this.#look(this.#memory?.[start + 1], this.#memory?.[start + INTERLEAVED_HEADER_BYTES + 1]);
    this.#sink.onFrame(start, end);
  }

  onLooseFrame(channel: number, payload: Uint8Array): void {
    this.#look(channel, payload[1]);
    this.#sink.onLooseFrame(channel, payload);
  }

  onMessage(): void {
    this.#sink.onMessage();
  }

  endChunk(position: number, end: number, mayHold: boolean): number {
    this.#memory = null;
    const unread = this.#sink.endChunk(position, end, mayHold);
    if (this.#isComplete || this.#answers === MAX_ANSWERS) this.#onDone();
    else this.#acknowledge();
    return unread;
  }

  #acknowledge(): void {
    this.#answers++;
    this.#write(this.#answer);
  }

  /** The marker bit is on a frame's last packet (RFC 3551, 4.1, and the payload formats of video). */
  #look(channel: number | undefined, second = 0): void {
    if (channel === this.#channels.rtp && (second & MARKER) !== 0) this.#isComplete = true;
  }
}
