/**
 * A named camera's bytes → interleaved frames, by their places in the chunk, and RTSP messages. While frame follows frame
 * it only walks over their headers; for everything else, junk included, the shared reader is asked.
 */
import type { StreamError } from '../shared/errors.js';
import { DOLLAR, INTERLEAVED_HEADER_BYTES, type RtspMessage } from '../shared/rtsp-message.js';
import { RtspReader } from '../shared/rtsp-reader.js';

/** Receives a camera's interleaved frames, chunk by chunk. */
export interface FrameSink {
  beginChunk(chunk: Buffer): void;
  /** A frame with its header, from `start` to `end` of the chunk. */
  onFrame(start: number, end: number): void;
  /** A frame that is not in the chunk as a whole. */
  onLooseFrame(channel: number, payload: Uint8Array): void;
  /** An RTSP message stands between the frames before and those that follow. */
  onMessage(): void;
  endChunk(): void;
  /** Whether the memory of the chunk that has ended is still in use. */
  readonly isChunkInUse: boolean;
}

export interface CameraReaderHandlers {
  /** The body may be a view of the chunk. */
  onMessage(message: RtspMessage): void;
  onError(error: StreamError): void;
}

export class CameraReader {
  readonly #reader: RtspReader;
  /** Whether the next byte is the shared reader's: it may be in the middle of something. */
  #asksReader = true;
  readonly #channels = new Uint8Array(256);
  #sink: FrameSink | null = null;
  #chunk: Buffer | null = null;
  /** The end, in the chunk, of what the reader reported last, if that was a frame; -1 otherwise. */
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
   * Reads a chunk; handlers and the sink's methods are called inside.
   * @param sink - null drops frames
   * @returns how many bytes at the chunk's end are a frame's that is not complete yet, and must come again
   */
  push(chunk: Buffer, sink: FrameSink | null): number {
    this.#sink = sink;
    this.#chunk = chunk;
    sink?.beginChunk(chunk);
    const position = this.#walk(chunk);
    sink?.endChunk();
    this.#chunk = null;
    this.#sink = null;
    return chunk.length - position;
  }

  /** Returns the position behind the last byte that was used. */
  #walk(chunk: Buffer): number {
    const { length } = chunk;
    let position = 0;
    while (position < length && !this.#isClosed) {
      if (this.#asksReader) {
        position = this.#ask(chunk, position);
        continue;
      }
      if (chunk[position] === DOLLAR && length - position < INTERLEAVED_HEADER_BYTES) return position;
      // Frames on other channels, and what is no frame, are for the reader to judge.
      if (!this.#isFrame(chunk, position)) {
        this.#asksReader = true;
        continue;
      }
      const end = frameEnd(chunk, position);
      if (end > length) return position;
      this.#sink?.onFrame(position, end);
      position = end;
    }
    return length;
  }

  /** Lets the reader read, up to where it is known to be in nothing, or to the chunk's end. Returns that position. */
  #ask(chunk: Buffer, start: number): number {
    const end = this.#owed > 0 ? Math.min(start + this.#owed, chunk.length) : chunk.length;
    this.#lastFrameEnd = -1;
    this.#reader.push(chunk.subarray(start, end));
    if (this.#owed > 0) {
      this.#owed -= end - start;
      this.#asksReader = this.#owed > 0;
      return end;
    }
    const position = this.#lastFrameEnd;
    if (position === end) this.#asksReader = false;
    else if (position >= 0 && this.#isFrame(chunk, position)) this.#owed = frameEnd(chunk, position) - end;
    return end;
  }

  /** Whether a frame's header stands here, on a channel that was set up. */
  #isFrame(chunk: Buffer, position: number): boolean {
    return (
      chunk.length - position >= INTERLEAVED_HEADER_BYTES &&
      chunk[position] === DOLLAR &&
      this.#channels[chunk[position + 1] as number] === 1
    );
  }

  #onReaderFrame(channel: number, payload: Uint8Array): void {
    const chunk = this.#chunk;
    const start = chunk === null ? -1 : payload.byteOffset - chunk.byteOffset - INTERLEAVED_HEADER_BYTES;
    // Views that begin less than a header behind the chunk's beginning belong to a header in the chunk before.
    const isInChunk = chunk !== null && payload.buffer === chunk.buffer && start >= 0;
    const end = start + INTERLEAVED_HEADER_BYTES + payload.length;
    this.#lastFrameEnd = isInChunk ? end : -1;
    if (isInChunk) this.#sink?.onFrame(start, end);
    else this.#sink?.onLooseFrame(channel, payload);
  }
}

/** Where the frame ends whose header stands here. */
function frameEnd(chunk: Buffer, position: number): number {
  const payloadLength = ((chunk[position + 2] as number) << 8) | (chunk[position + 3] as number);
  return position + INTERLEAVED_HEADER_BYTES + payloadLength;
}
