/**
 * A named camera's bytes → interleaved frames, by their places in memory, and RTSP messages. While frame follows frame
 * it only walks over their headers; for everything else, junk included, the shared reader is asked.
 */
import type { StreamError } from '../shared/errors.js';
import { DOLLAR, INTERLEAVED_HEADER_BYTES, type RtspMessage } from '../shared/rtsp-message.js';
import { RtspReader } from '../shared/rtsp-reader.js';

/** Receives a camera's interleaved frames, chunk by chunk. */
export interface FrameSink {
  /** @param memory - where the chunk lies; what is before a frame, `MESSAGE_HEAD_BYTES` at the least, may be written to */
  beginChunk(memory: Buffer): void;
  /** A frame with its header, from `start` to `end` of the memory. */
  onFrame(start: number, end: number): void;
  /** A frame that is not in the chunk as a whole. */
  onLooseFrame(channel: number, payload: Uint8Array): void;
  /** An RTSP message stands between the frames before and those that follow. */
  onMessage(): void;
  /**
   * @param position - behind the last frame or message
   * @param end - of the chunk
   * @param mayHold - whether frames may wait for what belongs to them
   * @returns where what is to come again begins: `position`, or before it
   */
  endChunk(position: number, end: number, mayHold: boolean): number;
  /** Whether the memory of the chunk that has ended is still in use. */
  readonly isMemoryInUse: boolean;
  /** Whether frames of it are to come again because they wait for what belongs to them. */
  readonly isHolding: boolean;
}

export interface CameraReaderHandlers {
  /** The body may be a view of the chunk's memory. */
  onMessage(message: RtspMessage): void;
  onError(error: StreamError): void;
}

export class CameraReader {
  readonly #reader: RtspReader;
  /** Whether the next byte is the shared reader's: it may be in the middle of something. */
  #asksReader = true;
  readonly #channels = new Uint8Array(256);
  #sink: FrameSink | null = null;
  #memory: Buffer | null = null;
  /** Where in it the chunk begins. */
  #chunkStart = 0;
  /** The end, in the memory, of what the reader reported last, if that was a frame; -1 otherwise. */
  #lastFrameEnd = -1;
  /** Bytes that the reader needs to complete the frame it is in, where that is known: then it is in nothing. 0 if not. */
  #owed = 0;
  #isClosed = false;

  constructor(handlers: CameraReaderHandlers) {
    this.#reader = new RtspReader({
      onMessage: (message) => {
        this.#lastFrameEnd = -1;
        this.#sink?.onMessage();
        handlers.onMessage(message);
      },
      onInterleavedFrame: (channel, payload) => this.#onReaderFrame(channel, payload),
      onError: (error) => handlers.onError(error),
    });
  }

  /** Tells which channels were set up: frames on others are looked at more closely. */
  setChannels(channels: Iterable<number>): void {
    this.#channels.fill(0);
    for (const channel of channels) this.#channels[channel] = 1;
    this.#reader.setChannels([...this.#channels.keys()].filter((channel) => this.#channels[channel] === 1));
  }

  /** No handler is called after this. */
  close(): void {
    this.#isClosed = true;
    this.#sink = null;
    this.#reader.close();
  }

  /**
   * Reads a chunk, from `start` to `end` of `memory`; handlers and the sink's methods are called inside.
   * @param sink - null drops frames
   * @param mayHold - whether the sink may hold frames back
   * @returns how many bytes at the chunk's end must come again: a frame's that is not complete yet, and what the sink holds
   */
  push(memory: Buffer, start: number, end: number, sink: FrameSink | null, mayHold: boolean): number {
    this.#sink = sink;
    this.#memory = memory;
    this.#chunkStart = start;
    sink?.beginChunk(memory);
    const position = this.#walk(memory, start, end);
    const unread = sink === null ? position : sink.endChunk(position, end, mayHold);
    this.#memory = null;
    this.#sink = null;
    return end - unread;
  }

  /** Returns the position behind the last byte that was used. */
  #walk(memory: Buffer, start: number, chunkEnd: number): number {
    let position = start;
    while (position < chunkEnd && !this.#isClosed) {
      if (this.#asksReader) {
        position = this.#ask(memory, position, chunkEnd);
        continue;
      }
      if (memory[position] === DOLLAR && chunkEnd - position < INTERLEAVED_HEADER_BYTES) return position;
      // Frames on other channels, and what is no frame, are for the reader to judge.
      if (!this.#isFrame(memory, position, chunkEnd)) {
        this.#asksReader = true;
        continue;
      }
      const end = frameEnd(memory, position);
      if (end > chunkEnd) return position;
      this.#sink?.onFrame(position, end);
      position = end;
    }
    return chunkEnd;
  }

  /** Lets the reader read, up to where it is known to be in nothing, or to the chunk's end. Returns that position. */
  #ask(memory: Buffer, start: number, chunkEnd: number): number {
    const end = this.#owed > 0 ? Math.min(start + this.#owed, chunkEnd) : chunkEnd;
    this.#lastFrameEnd = -1;
    this.#reader.push(memory.subarray(start, end));
    if (this.#owed > 0) {
      this.#owed -= end - start;
      this.#asksReader = this.#owed > 0;
      return end;
    }
    const position = this.#lastFrameEnd;
    if (position === end) this.#asksReader = false;
    else if (position >= 0 && this.#isFrame(memory, position, end)) this.#owed = frameEnd(memory, position) - end;
    return end;
  }

  /** Whether a frame's header stands here, on a channel that was set up. */
  #isFrame(memory: Buffer, position: number, chunkEnd: number): boolean {
    return (
      chunkEnd - position >= INTERLEAVED_HEADER_BYTES &&
      memory[position] === DOLLAR &&
      this.#channels[memory[position + 1] as number] === 1
    );
  }

  #onReaderFrame(channel: number, payload: Uint8Array): void {
    const memory = this.#memory;
    const start = memory === null ? -1 : payload.byteOffset - memory.byteOffset - INTERLEAVED_HEADER_BYTES;
    // Views that begin less than a header behind the chunk's beginning belong to a header in the chunk before.
    const isInChunk = memory !== null && payload.buffer === memory.buffer && start >= this.#chunkStart;
    const end = start + INTERLEAVED_HEADER_BYTES + payload.length;
    this.#lastFrameEnd = isInChunk ? end : -1;
    if (isInChunk) this.#sink?.onFrame(start, end);
    else this.#sink?.onLooseFrame(channel, payload);
  }
}

/** Where the frame ends whose header stands here. */
function frameEnd(memory: Buffer, position: number): number {
  const payloadLength = ((memory[position + 2] as number) << 8) | (memory[position + 3] as number);
  return position + INTERLEAVED_HEADER_BYTES + payloadLength;
}
