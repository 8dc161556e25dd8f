/**
 * Turns the byte stream of one RTSP connection, at any chunking, into messages (RFC 2326, sections 4 to 8) and
 * interleaved frames (section 10.12). After junk it finds the next unit again.
 */
import { StreamError } from './errors.js';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADER_LINE_BYTES, MAX_HEADERS, MAX_RESYNC_BYTES } from './limits.js';
import {
  DOLLAR,
  decodeText,
  emptyBody,
  INTERLEAVED_HEADER_BYTES,
  parseHeaderLine,
  parseStartLine,
  RtspHeaders,
  type RtspMessage,
  type StartLine,
} from './rtsp-message.js';

/** The reader's bounds; each one's default is the constant of the same meaning in limits. */
export interface ReaderLimits {
  /** Bytes of a start line or of one header, its folded lines included, without line ends. */
  headerLineBytes: number;
  /** Header lines of one message; folded lines belong to the line before. */
  headers: number;
  /** Bytes of all header lines of one message, without line ends. */
  headerBytes: number;
  /** Bytes of a body. */
  bodyBytes: number;
  /** Bytes skipped between two good units. */
  resyncBytes: number;
}

/** Called synchronously from inside `push`, in the stream's order. */
export interface RtspReaderHandlers {
  /** The body may be a view of the chunk. */
  onMessage(message: RtspMessage): void;
  /**
   * @param payload - a view that is never overwritten later, so it may be held; of the chunk, or, for a frame that came
   * in several chunks, of memory that it shares with a few others of them
   */
  onInterleavedFrame(channel: number, payload: Uint8Array): void;
  /**
   * The stream cannot be read any further, once: `not-rtsp`, `message-too-large` or `malformed-message`. Later pushes
   * are ignored.
   */
  onError(error: StreamError): void;
}

/** Counters since the reader was made. */
export interface RtspReaderStats {
  messages: number;
  frames: number;
  /** Bytes pushed. */
  bytes: number;
  /** How often something else stood where a message or frame should begin. */
  resyncs: number;
  /** Bytes of no message and no frame; blank lines between them are not counted. */
  skippedBytes: number;
}

// States. Plain numbers, since a handler may change the state under the loop's feet.
/** Between two units: the next byte begins one, or is junk. */
const BETWEEN: number = 0;
const FRAME_PAYLOAD: number = 1;
const START_LINE: number = 2;
const HEADER_LINE: number = 3;
const BODY: number = 4;
/** Failed or closed. */
const ENDED: number = 5;

// What the bytes at the beginning of a unit can be.
/** More bytes are needed to tell. */
const UNDECIDED: number = 0;
const JUNK: number = 1;
const LINE_END: number = 2;
const FRAME: number = 3;
const MESSAGE: number = 4;
const HTTP: number = 5;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/** The longest method that is believed. */
const MAX_METHOD_BYTES = 32;
/** Bytes of memory taken at once for frames and bodies that span chunks: some twenty packets. */
const SPARE_BYTES = 32_768;
/** So many bytes always suffice to tell what a unit is: a method and the byte behind it. */
const PROBE_BYTES = MAX_METHOD_BYTES + 1;
/** Bytes that tell whether a frame holds RTP or RTCP: the frame's header and the first two bytes of the packet. */
const PLAUSIBLE_FRAME_BYTES = INTERLEAVED_HEADER_BYTES + 2;

/** After junk only these begin a request: any other capital letters are more likely to be text. */
const knownMethods: ReadonlySet<string> = new Set([
  'OPTIONS',
  'DESCRIBE',
  'ANNOUNCE',
  'SETUP',
  'PLAY',
  'PAUSE',
  'RECORD',
  'TEARDOWN',
  'GET_PARAMETER',
  'SET_PARAMETER',
  'REDIRECT',
]);

/**
 * Reads one connection's bytes. An explicit state machine with one loop: whatever the chunking, the same bytes give the
 * same calls. Frames that lie inside a chunk are found without copying; what is incomplete is kept, within the limits.
 */
export class RtspReader {
  readonly stats: RtspReaderStats = { messages: 0, frames: 0, bytes: 0, resyncs: 0, skippedBytes: 0 };
  readonly #handlers: RtspReaderHandlers;
  readonly #limits: ReaderLimits;
  #state = BETWEEN;

  /** Whether the bytes so far were read without doubt; false from the first byte of junk to the next unit. */
  #inSync = true;
  /** Whether this peer has sent an RTSP message. */
  #spokeRtsp = false;
  /** Bytes between units since the last good one. */
  #bytesBetween = 0;
  /** Channels that were set up, by number; meaningful only when there are any. */
  readonly #channels = new Uint8Array(256);
  #hasChannels = false;

  /** The beginning of a unit that a chunk's end has cut off. */
  readonly #probe = new Uint8Array(PROBE_BYTES);
  #probeLength = 0;

  /** A frame's payload or a body that spans chunks, at exactly its size. */
  #block: Uint8Array = emptyBody;
  /** Memory for the next ones: a piece for each by itself costs more than all the rest of reading it. */
  #spare: Uint8Array = emptyBody;
  #blockLength = 0;
  #blockFill = 0;
  #channel = 0;

  /** A line that spans chunks; made when first needed. */
  #line: Uint8Array = emptyBody;
  #lineFill = 0;

  #startLine: StartLine | null = null;
  /** Header lines in order, unfolded. */
  #headerLines: string[] = [];
  #headerBytes = 0;
  /** Bytes of the last header line with what was folded into it. */
  #lastHeaderBytes = 0;
  #headers = new RtspHeaders();

  constructor(handlers: RtspReaderHandlers, options: { limits?: Partial<ReaderLimits> } = {}) {
    this.#handlers = handlers;
    this.#limits = {
      headerLineBytes: MAX_HEADER_LINE_BYTES,
      headers: MAX_HEADERS,
      headerBytes: MAX_HEADER_BYTES,
      bodyBytes: MAX_BODY_BYTES,
      resyncBytes: MAX_RESYNC_BYTES,
      ...options.limits,
    };
  }

  /**
   * Tells which channels were set up. Until the stream loses its sync any frame is believed whose channel is among
   * them; others must look like RTP or RTCP, and after junk all must. Empty: any channel.
   */
  setChannels(channels: Iterable<number>): void {
    this.#channels.fill(0);
    this.#hasChannels = false;
    for (const channel of channels) {
      this.#channels[channel] = 1;
      this.#hasChannels = true;
    }
  }

  /** No handler is called after this, even when it is called from inside a handler. */
  close(): void {
    this.#end();
  }

  /**
   * Takes the next bytes. Handlers run inside; they may call `close` and `setChannels`, which act from the next unit on.
   * @param chunk - views of it are handed out: its memory must not be written to any more
   */
  push(chunk: Uint8Array): void {
    if (this.#state === ENDED) return;
    this.stats.bytes += chunk.length;
    this.#run(chunk);
  }

  #run(bytes: Uint8Array): void {
    let position = 0;
    while (position < bytes.length) {
      switch (this.#state) {
        case BETWEEN:
          position = this.#probeLength > 0 ? this.#readProbe(bytes, position) : this.#readBetween(bytes, position);
          break;
        case FRAME_PAYLOAD:
        case BODY:
          position = this.#readBlock(bytes, position);
          break;
        case START_LINE:
        case HEADER_LINE:
          position = this.#readLine(bytes, position);
          break;
        default:
          return;
      }
    }
  }

  /** State BETWEEN. Like all of these, returns the position of the first byte that it did not use. */
  #readBetween(bytes: Uint8Array, start: number): number {
    // The path of nearly all bytes: frames without doubt that are complete, one after the other. It does what the states
    // do, in one step.
    const end = bytes.length;
    let position = start;
    while (this.#inSync && end - position >= INTERLEAVED_HEADER_BYTES && bytes[position] === DOLLAR) {
      const channel = bytes[position + 1] as number;
      const from = position + INTERLEAVED_HEADER_BYTES;
      const to = from + (((bytes[position + 2] as number) << 8) | (bytes[position + 3] as number));
      if (to > end || (this.#hasChannels && this.#channels[channel] !== 1)) break;
      position = to;
      this.#bytesBetween = 0;
      this.stats.frames++;
      this.#handlers.onInterleavedFrame(channel, bytes.subarray(from, to));
      if (this.#state !== BETWEEN) break;
    }
    return position > start ? position : this.#beginUnit(bytes, start);
  }

  /** State BETWEEN, byte for byte. */
  #beginUnit(bytes: Uint8Array, start: number): number {
    switch (this.#classify(bytes, start, bytes.length)) {
      case UNDECIDED:
        this.#probe.set(bytes.subarray(start));
        this.#probeLength = bytes.length - start;
        return bytes.length;
      case FRAME:
        this.#inSync = true;
        this.#channel = bytes[start + 1] as number;
        this.#state = FRAME_PAYLOAD;
        this.#beginBlock(((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number));
        return start + INTERLEAVED_HEADER_BYTES;
      case MESSAGE:
        this.#state = START_LINE;
        return start;
      case HTTP:
        this.#failHttp();
        return start;
      case LINE_END:
        // Some cameras send line ends before a message or a frame.
        this.#countBetween(1);
        return start + 1;
      default:
        this.#skipJunk(1, bytes[start] as number);
        return start + 1;
    }
  }

  /** State BETWEEN, when the unit's first bytes came in an earlier chunk: adds bytes until it is clear what it is. */
  #readProbe(bytes: Uint8Array, start: number): number {
    let position = start;
    while (position < bytes.length) {
      this.#probe[this.#probeLength++] = bytes[position++] as number;
      if (this.#classify(this.#probe, 0, this.#probeLength) === UNDECIDED) continue;
      const pending = this.#probe.slice(0, this.#probeLength);
      this.#probeLength = 0;
      // One level deep: the probe is filled again only by the very last of these bytes.
      this.#run(pending);
      break;
    }
    return position;
  }

  /**
   * Tells what begins at `start`, from as few bytes as possible, so that the answer does not depend on the chunking.
   * UNDECIDED only when fewer than PROBE_BYTES are there.
   */
  #classify(bytes: Uint8Array, start: number, end: number): number {
    const first = bytes[start] as number;
    if (first === DOLLAR) return this.#classifyFrame(bytes, start, end);
    if (first === CR || first === LF) return LINE_END;
    if (!isMethodByte(first)) return JUNK;

    const limit = Math.min(end, start + MAX_METHOD_BYTES);
    let position = start + 1;
    while (position < limit && isMethodByte(bytes[position] as number)) position++;
    if (position === end) return UNDECIDED;
    const next = bytes[position];
    if (next === SPACE) {
      if (this.#inSync) return MESSAGE;
      return knownMethods.has(decodeText(bytes.subarray(start, position))) ? MESSAGE : JUNK;
    }
    if (next === 0x2f /* slash */) {
      if (matches(bytes, start, position, 'RTSP')) {
        if (end - position < 3) return UNDECIDED;
        return matches(bytes, position, position + 3, '/1.') ? MESSAGE : JUNK;
      }
      if (this.#inSync && matches(bytes, start, position, 'HTTP')) return HTTP;
    }
    return JUNK;
  }

  #classifyFrame(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < INTERLEAVED_HEADER_BYTES) return UNDECIDED;
    const isSetUp = !this.#hasChannels || this.#channels[bytes[start + 1] as number] === 1;
    if (this.#inSync && isSetUp) return FRAME;
    // Some servers send on channels that were never set up; in sync, such frames are still frames.
    if (!this.#inSync && !isSetUp) return JUNK;
    if (end - start < PLAUSIBLE_FRAME_BYTES) return UNDECIDED;
    const length = ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number);
    return isPlausiblePacket(length, bytes[start + 4] as number, bytes[start + 5] as number) ? FRAME : JUNK;
  }

  /** Goes on with a payload or body of so many bytes. */
  #beginBlock(length: number): void {
    this.#blockLength = length;
    this.#blockFill = 0;
    if (length === 0) this.#finishBlock(emptyBody);
  }

  /** States FRAME_PAYLOAD and BODY. */
  #readBlock(bytes: Uint8Array, start: number): number {
    const length = this.#blockLength;
    const stop = Math.min(bytes.length, start + length - this.#blockFill);
    if (stop - start === length) {
      this.#finishBlock(bytes.subarray(start, stop));
      return stop;
    }
    if (this.#blockFill === 0) {
      if (length > this.#spare.length) this.#spare = new Uint8Array(SPARE_BYTES + length);
      this.#block = this.#spare.subarray(0, length);
      this.#spare = this.#spare.subarray(length);
    }
    this.#block.set(bytes.subarray(start, stop), this.#blockFill);
    this.#blockFill += stop - start;
    if (this.#blockFill === length) this.#finishBlock(this.#block);
    return stop;
  }

  #finishBlock(block: Uint8Array): void {
    this.#block = emptyBody;
    this.#bytesBetween = 0;
    const wasFrame = this.#state === FRAME_PAYLOAD;
    this.#state = BETWEEN;
    if (wasFrame) {
      this.stats.frames++;
      this.#handlers.onInterleavedFrame(this.#channel, block);
      return;
    }
    const startLine = this.#startLine;
    const headers = this.#headers;
    this.#startLine = null;
    if (startLine === null) return;
    this.stats.messages++;
    this.#spokeRtsp = true;
    this.#handlers.onMessage({ ...startLine, headers, body: block });
  }

  /** States START_LINE and HEADER_LINE: takes bytes up to the end of the line. */
  #readLine(bytes: Uint8Array, start: number): number {
    const limit = this.#limits.headerLineBytes;
    const lineEnd = bytes.indexOf(LF, start);
    const stop = lineEnd < 0 ? bytes.length : lineEnd;
    const length = this.#lineFill + stop - start;
    // One byte more than the limit, for a CR that may turn out to belong to the line end.
    if (length > limit + 1) {
      this.#failLine();
      return stop;
    }
    let line = bytes.subarray(start, stop);
    if (lineEnd < 0 || this.#lineFill > 0) {
      if (this.#line.length === 0) this.#line = new Uint8Array(limit + 1);
      this.#line.set(line, this.#lineFill);
      this.#lineFill = length;
      if (lineEnd < 0) return stop;
      line = this.#line.subarray(0, length);
      this.#lineFill = 0;
    }
    if (line[length - 1] === CR) line = line.subarray(0, length - 1);
    if (line.length > limit) this.#failLine();
    else if (this.#state === START_LINE) this.#finishStartLine(decodeText(line), length + 1);
    else this.#finishHeaderLine(line);
    return stop + 1;
  }

  /** @param byteLength - with the line end */
  #finishStartLine(line: string, byteLength: number): void {
    const startLine = parseStartLine(line);
    if (startLine === null) {
      if (/ HTTP\/\d/.test(line)) {
        this.#failHttp();
        return;
      }
      this.#state = BETWEEN;
      this.#skipJunk(byteLength, line);
      return;
    }
    this.#inSync = true;
    this.#startLine = startLine;
    this.#headerLines = [];
    this.#headerBytes = 0;
    this.#lastHeaderBytes = 0;
    this.#state = HEADER_LINE;
  }

  #finishHeaderLine(line: Uint8Array): void {
    if (line.length === 0) {
      this.#finishHeaders();
      return;
    }
    const limits = this.#limits;
    this.#headerBytes += line.length;
    if (this.#headerBytes > limits.headerBytes) {
      this.#failTooLarge('header', limits.headerBytes, 'bytes');
      return;
    }
    const text = decodeText(line);
    const lines = this.#headerLines;
    if (line[0] === SPACE || line[0] === 0x09) {
      // Folded, as some recorders send WWW-Authenticate. Bounded like a line, or it would be one without end.
      this.#lastHeaderBytes += line.length;
      if (this.#lastHeaderBytes > limits.headerLineBytes) {
        this.#failTooLarge('folded header line', limits.headerLineBytes, 'bytes');
      } else if (lines.length > 0) {
        lines[lines.length - 1] += ` ${text.trim()}`;
      }
      return;
    }
    this.#lastHeaderBytes = line.length;
    if (lines.length === limits.headers) {
      this.#failTooLarge('header', limits.headers, 'lines');
      return;
    }
    lines.push(text);
  }

  #finishHeaders(): void {
    const headers = new RtspHeaders();
    for (const line of this.#headerLines) {
      const header = parseHeaderLine(line);
      if (header !== null) headers.append(header[0], header[1]);
    }
    this.#headerLines = [];
    this.#headers = headers;
    const length = contentLength(headers.getAll('Content-Length'));
    if (length === null) {
      const value = headers.getAll('Content-Length').join(', ').slice(0, 40);
      this.#fail('malformed-message', `Content-Length is no number of bytes (got ${JSON.stringify(value)}).`);
      return;
    }
    if (length > this.#limits.bodyBytes) {
      this.#failTooLarge('body', this.#limits.bodyBytes, 'bytes');
      return;
    }
    this.#state = BODY;
    this.#beginBlock(length);
  }

  /** Skips bytes that are no unit's. @param found - the byte or the line, for the error */
  #skipJunk(byteLength: number, found: number | string): void {
    if (!this.#spokeRtsp) {
      const words =
        typeof found === 'string' ? JSON.stringify(harmlessStart(found)) : `the byte 0x${found.toString(16)}`;
      this.#fail('not-rtsp', `The other end does not speak RTSP (got ${words}, expected an RTSP message).`);
      return;
    }
    if (this.#inSync) this.stats.resyncs++;
    this.#inSync = false;
    this.stats.skippedBytes += byteLength;
    this.#countBetween(byteLength);
  }

  #countBetween(byteLength: number): void {
    this.#bytesBetween += byteLength;
    const limit = this.#limits.resyncBytes;
    if (this.#bytesBetween > limit) {
      this.#fail('not-rtsp', `The other end has sent neither an RTSP message nor a frame in ${limit} bytes.`);
    }
  }

  #failHttp(): void {
    this.#fail('not-rtsp', 'The other end speaks HTTP; RTSP was expected.');
  }

  #failLine(): void {
    const part = this.#state === START_LINE ? 'first line' : 'header line';
    this.#failTooLarge(part, this.#limits.headerLineBytes, 'bytes');
  }

  #failTooLarge(part: string, limit: number, unit: string): void {
    this.#fail('message-too-large', `The ${part} of an RTSP message is longer than ${limit} ${unit}.`);
  }

  #fail(code: 'not-rtsp' | 'message-too-large' | 'malformed-message', sentence: string): void {
    this.#end();
    this.#handlers.onError(new StreamError(code, sentence));
  }

  #end(): void {
    this.#state = ENDED;
    this.#block = emptyBody;
    this.#line = emptyBody;
    this.#headerLines = [];
    this.#probeLength = 0;
  }
}

/** Bytes of an extension method as well as of a known one: capital letters, digits, `_` and `-`. */
function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x5f || byte === 0x2d || (byte >= 0x30 && byte <= 0x39);
}

function matches(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** RTP or RTCP of version 2, by its first two bytes, and long enough for its fixed header (RFC 3550, 5.1 and 6.4). */
function isPlausiblePacket(length: number, first: number, second: number): boolean {
  if (first >> 6 !== 2) return false;
  const isRtcp = second >= 200 && second <= 204;
  return isRtcp ? length >= 4 && length % 4 === 0 : length >= 12;
}

/** The body's length; 0 when it is not given, null when the values are no length or contradict each other. */
function contentLength(values: readonly string[]): number | null {
  let length: number | null = null;
  for (const value of values.flatMap((line) => line.split(','))) {
    const text = value.trim();
    if (text === '') continue;
    if (!/^\d+$/.test(text)) return null;
    if (length !== null && length !== Number(text)) return null;
    length = Number(text);
  }
  return length ?? 0;
}

/** Up to what could be in front of a password, or a URL. */
function harmlessStart(line: string): string {
  return /^[\w ./-]{0,40}/.exec(line)?.[0] ?? '';
}
