// A camera made for load: serves the same made-up H.264 to any number of viewers, in a process of its own.
//   /live    25 frames a second at the asked rate, each frame spread over four writes
//   /flood   600 MB as quickly as the viewer takes them
//   /quiet   nothing at all
// Each frame of /live says in its first packet when it was made, so that viewers can tell its delay.
// Takes JSON { bitsPerSecond, spreadMs }; prints "listening on PORT".

import { randomFillSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { RtspHeaders, type RtspRequest, serializeResponse } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';

const FRAMES_PER_SECOND = 25;
const WRITES_PER_FRAME = 4;
const GROUP_FRAMES = 25;
const CLOCK_RATE = 90_000;
/** Of a packet: interleaved frame's head, RTP header, FU-A's two bytes. */
const OVERHEAD_BYTES = 4 + 12 + 2;
const MAX_PACKET_BYTES = 1_418;
const PAYLOAD_TYPE = 96;
const FLOOD_BYTES = 600_000_000;

const { bitsPerSecond, spreadMs } = JSON.parse(process.argv[2] ?? '{}') as { bitsPerSecond: number; spreadMs: number };
const frameBytes = Math.round(bitsPerSecond / 8 / FRAMES_PER_SECOND);
const packets = Math.ceil(frameBytes / MAX_PACKET_BYTES);
const payloadBytes = Math.floor(frameBytes / packets) - OVERHEAD_BYTES;

const sdp = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=load',
  't=0 0',
  'a=control:*',
  `m=video 0 RTP/AVP ${PAYLOAD_TYPE}`,
  'c=IN IP4 0.0.0.0',
  `a=rtpmap:${PAYLOAD_TYPE} H264/${CLOCK_RATE}`,
  `a=fmtp:${PAYLOAD_TYPE} packetization-mode=1;profile-level-id=4d401e;sprop-parameter-sets=Z01AHtoCgL/lwFqDAwNSgAAAAwCAAAAZR4sXUA==,aO88gA==`,
  'a=control:video',
  '',
].join('\r\n');

/** Makes one frame after the other: RTP packets (RFC 6184 FU-A), as they go over the RTSP connection. */
class FrameMaker {
  readonly #noise = randomFillSync(Buffer.alloc(frameBytes));
  #frame = 0;
  #sequence = 0;

  next(): Buffer {
    const isKeyFrame = this.#frame % GROUP_FRAMES === 0;
    const bytes = Buffer.allocUnsafe(packets * (payloadBytes + OVERHEAD_BYTES));
    const timestamp = (this.#frame * (CLOCK_RATE / FRAMES_PER_SECOND)) >>> 0;
    let at = 0;
    for (let i = 0; i < packets; i++) {
      bytes[at] = 0x24;
      bytes[at + 1] = 0;
      bytes.writeUInt16BE(OVERHEAD_BYTES - 4 + payloadBytes, at + 2);
      bytes[at + 4] = 0x80;
      bytes[at + 5] = PAYLOAD_TYPE | (i === packets - 1 ? 0x80 : 0);
      bytes.writeUInt16BE(this.#sequence++ & 0xffff, at + 6);
      bytes.writeUInt32BE(timestamp, at + 8);
      bytes.writeUInt32BE(0x10ad, at + 12);
      bytes[at + 16] = 0x60 | 28;
      bytes[at + 17] = (isKeyFrame ? 5 : 1) | (i === 0 ? 0x80 : 0) | (i === packets - 1 ? 0x40 : 0);
      this.#noise.copy(bytes, at + OVERHEAD_BYTES, i * payloadBytes, (i + 1) * payloadBytes);
      if (i === 0) bytes.writeDoubleBE(performance.timeOrigin + performance.now(), at + OVERHEAD_BYTES);
      at += OVERHEAD_BYTES + payloadBytes;
    }
    this.#frame++;
    return bytes;
  }
}

const liveViewers = new Set<Socket>();
/** Those who begin with the next frame. */
const newViewers = new Set<Socket>();

/** All viewers' frames at the same time, each in so many writes over `spreadMs`. */
function runLive(): void {
  const maker = new FrameMaker();
  const startMs = performance.now();
  let frame = maker.next();
  let count = 0;
  const step = () => {
    const part = count % WRITES_PER_FRAME;
    if (part === 0) {
      frame = maker.next();
      for (const viewer of newViewers) liveViewers.add(viewer);
      newViewers.clear();
    }
    const size = Math.ceil(frame.length / WRITES_PER_FRAME);
    const bytes = frame.subarray(part * size, (part + 1) * size);
    for (const viewer of liveViewers) viewer.write(bytes);
    count++;
    const nextPart = count % WRITES_PER_FRAME;
    const frameDue = startMs + (Math.floor(count / WRITES_PER_FRAME) * 1000) / FRAMES_PER_SECOND;
    const due = frameDue + (nextPart * spreadMs) / (WRITES_PER_FRAME - 1);
    setTimeout(step, Math.max(0, due - performance.now()));
  };
  step();
}

function flood(viewer: Socket): void {
  const maker = new FrameMaker();
  let sent = 0;
  const run = () => {
    while (sent < FLOOD_BYTES && !viewer.destroyed) {
      const bytes = maker.next();
      sent += bytes.length;
      if (!viewer.write(bytes)) {
        viewer.once('drain', run);
        return;
      }
    }
    process.stdout.write(`flooded ${sent}\n`);
  };
  run();
}

function answer(socket: Socket, request: RtspRequest): void {
  const headers = new RtspHeaders([['CSeq', request.headers.get('CSeq') ?? '0']]);
  let body = new Uint8Array();
  if (request.method === 'OPTIONS') headers.set('Public', 'OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER');
  if (request.method === 'DESCRIBE') {
    headers.set('Content-Type', 'application/sdp');
    headers.set('Content-Base', `${request.url}/`);
    body = new TextEncoder().encode(sdp);
  }
  if (request.method === 'SETUP') headers.set('Transport', 'RTP/AVP/TCP;unicast;interleaved=0-1');
  if (request.method !== 'OPTIONS' && request.method !== 'DESCRIBE') headers.set('Session', '1;timeout=60');
  socket.write(serializeResponse({ status: 200, headers, body }));
  if (request.method !== 'PLAY') return;
  if (request.url.includes('/flood')) flood(socket);
  else if (!request.url.includes('/quiet')) newViewers.add(socket);
}

const server = createServer((socket) => {
  socket.setNoDelay(true);
  const reader = new RtspReader({
    onMessage(message) {
      if (message.kind === 'request') answer(socket, message);
    },
    onInterleavedFrame() {},
    onError: () => socket.destroy(),
  });
  socket.on('data', (chunk) => reader.push(chunk));
  socket.on('error', () => {});
  socket.on('close', () => {
    reader.close();
    newViewers.delete(socket);
    liveViewers.delete(socket);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`);
});
process.stdin.on('end', () => process.exit()).resume();
runLive();
