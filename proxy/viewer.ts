/**
 * One viewer's WebSocket as the rest of the proxy sees it: bytes in, bytes out with a backlog, a close code, signs of
 * life. The bytes are RTSP over WebSocket as ONVIF has it: binary messages whose boundaries mean nothing.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { MESSAGE_HEAD_BYTES, UPSTREAM_BUFFER_BYTES } from '../shared/limits.js';
import { CloseCode, closeReason } from '../shared/proxy-protocol.js';
import { redactUrl } from '../shared/redaction.js';
import type { TokenBucket } from './token-bucket.js';

export interface ViewerHandlers {
  /** @param bytes - never written to again */
  onData(bytes: Uint8Array): void;
  /** Everything that waited has gone out, after `isBackedUp` was true. */
  onDrain(): void;
  /** Once: the viewer has closed, vanished, or been closed. */
  onClose(): void;
}

/** How much a viewer may send; null is without limit. */
export interface ViewerRates {
  messages: TokenBucket | null;
  bytes: TokenBucket | null;
  /** In milliseconds. */
  now(): number;
}

/** RFC 6455, 7.4.1: the end that both sides wanted. */
const NORMAL_CLOSURE = 1000;
const FINAL_BINARY_FRAME = 0x82;

export class Viewer {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  #handlers: ViewerHandlers | null = null;
  #isClosed = false;
  #closeCode: number | null = null;
  #closeSentence: string | null = null;
  #isPaused = false;
  #bytesSent = 0;
  #bytesReceived = 0;
  /** What came before anybody listened; the viewer is paused then. */
  #early: Uint8Array[] = [];
  /** Stands between the viewer's bytes and the handlers: what it hands to `pass` goes on. */
  filter: ((bytes: Uint8Array) => void) | null = null;
  #rates: ViewerRates | null = null;
  /** Bytes both ways at the last look, and since when they are the same. */
  #lastActivity = { bytes: 0, since: 0 };
  /** Bytes received, and bytes gone out, at the last look. */
  #lastSigns = { received: 0, sent: 0 };

  /**
   * @param webSocket - open, and nobody else's
   * @param socket - the one underneath, for its backlog
   */
  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.on('message', (data: Buffer, isBinary) => {
      if (this.#closeCode !== null) return;
      this.#bytesReceived += data.length;
      if (!this.#isWithinRates(data.length)) return;
      if (!isBinary) this.close(CloseCode.notRtsp, 'RTSP over WebSocket has binary messages only (got text).');
      else if (this.filter === null) this.pass(data);
      else this.filter(data);
    });
    webSocket.on('ping', (data: Buffer) => this.#isWithinRates(data.length));
    // The reason is in the close event that follows.
    webSocket.on('error', () => {});
    webSocket.on('close', () => this.#ended());
    socket.on('drain', () => this.#handlers?.onDrain());
  }

  /** Starts to listen; when the viewer has gone already, `onClose` is called soon. */
  attach(handlers: ViewerHandlers): void {
    this.#handlers = handlers;
    if (this.#isClosed) {
      queueMicrotask(() => handlers.onClose());
      return;
    }
    if (this.#isPaused) this.resume();
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) handlers.onData(bytes);
  }

  /** Hands bytes to the handlers, at once or when there are some. */
  pass(bytes: Uint8Array): void {
    if (this.#closeCode !== null) return;
    if (this.#handlers !== null) {
      this.#handlers.onData(bytes);
      return;
    }
    this.#early.push(bytes);
    if (!this.#isPaused) this.pause();
  }

  /** Bounds what the viewer may send; beyond it, it is closed with 4429. */
  limitRates(rates: ViewerRates): void {
    this.#rates = rates;
  }

  #isWithinRates(length: number): boolean {
    const rates = this.#rates;
    if (rates === null || this.#closeCode !== null) return true;
    const now = rates.now();
    const isWithin = (rates.messages?.take(1, now) ?? true) && (rates.bytes?.take(length, now) ?? true);
    if (!isWithin) this.close(CloseCode.limitReached, 'The viewer sends more than it may.');
    return isWithin;
  }

  /** Whether bytes can still be sent. */
  get isOpen(): boolean {
    return this.#closeCode === null && !this.#isClosed;
  }

  /** The code it was closed with by the proxy; null when it was not. */
  get closeCode(): number | null {
    return this.#closeCode;
  }

  /** The sentence that went with it, without credentials. */
  get closeSentence(): string | null {
    return this.#closeSentence;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Bytes that the kernel did not take yet, since the viewer reads too slowly. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  /** Whether so much waits that `onDrain` will be called when it has gone out. */
  get isBackedUp(): boolean {
    return this.#socket.writableLength >= this.#socket.writableHighWaterMark;
  }

  /**
   * Sends one message.
   * @returns whether the memory of `bytes` is still in use
   */
  send(bytes: Uint8Array): boolean {
    if (!this.isOpen) return false;
    this.#bytesSent += bytes.length;
    const { backlogBytes } = this;
    // A short view of a long buffer that has to wait would keep all of the buffer.
    const copies = backlogBytes > 0 && bytes.length <= UPSTREAM_BUFFER_BYTES / 4;
    this.#webSocket.send(copies ? Buffer.from(bytes) : bytes);
    return !copies && this.#socket.writableLength > 0;
  }

  /**
   * Sends the bytes from `start` to `end` as one message. Its head is written into the memory before them, of which
   * `MESSAGE_HEAD_BYTES` are free, so that a message is one piece for the socket.
   * @returns whether the memory is still in use
   */
  sendFrom(memory: Buffer, start: number, end: number): boolean {
    // What waits may lie where the head would go.
    if (this.backlogBytes > 0) return this.send(memory.subarray(start, end));
    // Behind its own close frame nothing may follow; ws sends that one by itself when the viewer closes.
    if (!this.isOpen || this.#webSocket.readyState !== WebSocket.OPEN) return false;
    this.#bytesSent += end - start;
    const head = writeMessageHead(memory, start, end - start);
    this.#socket.write(memory.subarray(head, end));
    return this.#socket.writableLength > 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Leaves the viewer's further bytes in its own hands. */
  pause(): void {
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#webSocket.resume();
  }

  /**
   * Looks whether the viewer lives: it does if anything came from it (an answer to the last ping, at the least) or went
   * out to it since the last look. If not, ends it. A paused viewer cannot be heard, and is judged by what it reads.
   */
  checkLife(): void {
    if (!this.isOpen) return;
    const received = this.#socket.bytesRead;
    const waiting = this.#socket.writableLength;
    const sent = this.#socket.bytesWritten - waiting;
    const last = this.#lastSigns;
    this.#lastSigns = { received, sent };
    const lives = received !== last.received || (waiting > 0 && sent !== last.sent);
    if (!lives && (!this.#isPaused || waiting > 0)) this.#webSocket.terminate();
    else if (!this.#isPaused) this.#webSocket.ping();
  }

  /** Closes a viewer that nothing has come from or gone to, pings apart, for so long. */
  checkIdle(now: number, timeoutMs: number): void {
    const bytes = this.#bytesSent + this.#bytesReceived;
    const last = this.#lastActivity;
    if (bytes !== last.bytes || last.since === 0) this.#lastActivity = { bytes, since: now };
    else if (now - last.since >= timeoutMs) {
      this.close(CloseCode.limitReached, `Nothing was sent or received for ${timeoutMs} ms.`);
    }
  }

  /** Closes with one of the proxy's codes and a sentence for a person, cut to what fits. Only the first call counts. */
  close(code: CloseCode | typeof NORMAL_CLOSURE, sentence: string): void {
    if (!this.isOpen) return;
    this.#closeCode = code;
    // The viewer's half of the closing handshake has to be read.
    if (this.#isPaused) this.resume();
    this.#closeSentence = redactUrl(sentence);
    this.#webSocket.close(code, closeReason(this.#closeSentence));
    this.#ended();
  }

  /** Closes without a word, for a session that both sides have ended. */
  finish(): void {
    this.close(NORMAL_CLOSURE, '');
  }

  /** Ends the connection now. */
  terminate(): void {
    this.#webSocket.terminate();
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers?.onClose();
  }
}

/**
 * Writes the head of a binary message in one frame, as servers send it (RFC 6455, 5.2), so that it ends at `end`.
 * @returns where it starts
 */
function writeMessageHead(memory: Buffer, end: number, payloadLength: number): number {
  let start = end - 2;
  if (payloadLength < 126) {
    memory[start + 1] = payloadLength;
  } else if (payloadLength < 65_536) {
    start = end - 4;
    memory[start + 1] = 126;
    memory.writeUInt16BE(payloadLength, start + 2);
  } else {
    start = end - MESSAGE_HEAD_BYTES;
    memory[start + 1] = 127;
    memory.writeUInt32BE(0, start + 2);
    memory.writeUInt32BE(payloadLength, start + 6);
  }
  memory[start] = FINAL_BINARY_FRAME;
  return start;
}
