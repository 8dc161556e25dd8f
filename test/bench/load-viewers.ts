// Viewers that cost next to nothing: sockets that speak as much WebSocket and RTSP as it takes to be sent media.
// Takes JSON (see LoadViewersOptions); prints "playing" when all are, then a line of JSON every 200 ms (see LoadReport).

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { RtspReader } from '../../shared/rtsp-reader.js';
import type { LoadReport, LoadViewersOptions } from './load.js';

const options = JSON.parse(process.argv[2] ?? '{}') as LoadViewersOptions;
const REPORT_MS = 200;
/** So many of them look at what they get, and tell the frames' delay. */
const SAMPLED_VIEWERS = 8;

let bytes = 0;
let playing = 0;
let closed = 0;
let longestGapMs = 0;
let delaysMs: number[] = [];
/** Interleaved frames carry an RTP header, FU-A's two bytes, and in a frame's first packet the time of its making. */
const TIME_OFFSET = 12 + 2;

/** Reads the delay of each frame out of what a viewer is sent. */
function delayReader(): RtspReader {
  return new RtspReader({
    onMessage() {},
    onInterleavedFrame(_channel, payload) {
      if (((payload[13] ?? 0) & 0x80) === 0 || payload.length < TIME_OFFSET + 8) return;
      const madeAt = new DataView(payload.buffer, payload.byteOffset).getFloat64(TIME_OFFSET);
      delaysMs.push(performance.timeOrigin + performance.now() - madeAt);
    },
    onError() {},
  });
}

/** One WebSocket message from a client (RFC 6455, 5.2), masked with zeros. */
function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = 0x80 | opcode;
  if (payload.length < 126) {
    head[1] = 0x80 | payload.length;
  } else {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  }
  return Buffer.concat([head, payload]);
}

class Viewer {
  readonly #socket: Socket;
  readonly #requests: string[];
  #upgraded = false;
  /** What is left of a frame's payload to pass over. */
  #remaining = 0;
  #isPing = false;
  #pending: Buffer = Buffer.alloc(0);
  #text = '';
  #cseq = 0;
  #isPlaying = false;
  #lastDataMs = 0;
  bytes = 0;
  readonly #delays: RtspReader | null;

  constructor(isSampled: boolean) {
    this.#delays = isSampled ? delayReader() : null;
    const { port, path, rtspUrl, subprotocol } = options;
    this.#requests = [
      `DESCRIBE ${rtspUrl}`,
      `SETUP ${rtspUrl.replace(/\/$/, '')}/${options.control}`,
      `PLAY ${rtspUrl}`,
    ];
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
        `${subprotocol === null ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`}\r\n`,
    );
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => closed++);
  }

  #onData(chunk: Buffer): void {
    if (!this.#upgraded) {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      const end = this.#pending.indexOf('\r\n\r\n');
      if (end < 0) return;
      const status = this.#pending.toString('latin1', 0, this.#pending.indexOf('\r\n'));
      if (!status.includes(' 101 ')) {
        process.stderr.write(`${status}\n`);
        this.#socket.destroy();
        return;
      }
      this.#upgraded = true;
      this.#request();
      chunk = this.#pending.subarray(end + 4);
      this.#pending = Buffer.alloc(0);
    }
    if (this.#isPlaying) this.#noteMedia(chunk.length);
    this.#walk(chunk);
  }

  #noteMedia(length: number): void {
    const now = performance.now();
    bytes += length;
    this.bytes += length;
    longestGapMs = Math.max(longestGapMs, now - this.#lastDataMs);
    this.#lastDataMs = now;
  }

  /** Finds the frames' heads; what is in them only matters until PLAY is answered. */
  #walk(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const part = chunk.subarray(at, at + this.#remaining);
        this.#remaining -= part.length;
        at += part.length;
        if (this.#isPing) this.#socket.write(clientFrame(10, part));
        else if (!this.#isPlaying) this.#onText(part);
        else this.#delays?.push(part);
        continue;
      }
      this.#pending =
        this.#pending.length === 0 ? chunk.subarray(at) : Buffer.concat([this.#pending, chunk.subarray(at)]);
      const head = this.#pending;
      const short = (head[1] ?? 0) & 0x7f;
      const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (head.length < headBytes) return;
      this.#remaining = short === 126 ? head.readUInt16BE(2) : short === 127 ? Number(head.readBigUInt64BE(2)) : short;
      const opcode = (head[0] ?? 0) & 0x0f;
      this.#isPing = opcode === 9;
      if (opcode === 8)
        process.stderr.write(
          `closed: ${JSON.stringify(head.toString('latin1', headBytes, headBytes + this.#remaining))}\n`,
        );
      chunk = head.subarray(headBytes);
      this.#pending = Buffer.alloc(0);
      at = 0;
      if (this.#isPing && this.#remaining === 0) this.#socket.write(clientFrame(10, chunk.subarray(0, 0)));
    }
  }

  #onText(part: Buffer): void {
    this.#text += part.toString('latin1');
    for (;;) {
      // Media may come before the response to PLAY.
      while (this.#text.startsWith('$')) {
        const length = 4 + this.#text.charCodeAt(2) * 256 + this.#text.charCodeAt(3);
        if (!(this.#text.length >= length)) return;
        this.#text = this.#text.slice(length);
      }
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [, length = '0'] = /^content-length:\s*(\d+)/im.exec(this.#text.slice(0, end)) ?? [];
      if (this.#text.length < end + 4 + Number(length)) return;
      if (!/^RTSP\/1\.0 200/.test(this.#text)) {
        process.stderr.write(`No RTSP response, or a refusal: ${JSON.stringify(this.#text.slice(0, 80))}\n`);
        this.#socket.destroy();
        return;
      }
      this.#text = this.#text.slice(end + 4 + Number(length));
      if (this.#requests.length > 0) {
        this.#request();
        continue;
      }
      this.#isPlaying = true;
      this.#lastDataMs = performance.now();
      playing++;
      if (options.isStuck) this.#socket.pause();
      if (playing === options.count) process.stdout.write('playing\n');
      return;
    }
  }

  #request(): void {
    const request = this.#requests.shift();
    if (request === undefined) return;
    const transport = request.startsWith('SETUP') ? 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n' : '';
    const session = request.startsWith('PLAY') ? 'Session: 1\r\n' : '';
    const text = `${request} RTSP/1.0\r\nCSeq: ${++this.#cseq}\r\nUser-Agent: load\r\n${transport}${session}\r\n`;
    this.#socket.write(clientFrame(2, Buffer.from(text)));
  }
}

const viewers = Array.from({ length: options.count }, (_, index) => new Viewer(index < SAMPLED_VIEWERS));
setInterval(() => {
  const bytesOfEach = viewers.map((viewer) => viewer.bytes);
  const report: LoadReport = { bytes, playing, closed, longestGapMs, bytesOfEach, delaysMs };
  longestGapMs = 0;
  delaysMs = [];
  process.stdout.write(`${JSON.stringify(report)}\n`);
}, REPORT_MS);
process.stdin.on('end', () => process.exit()).resume();
