import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { heldBytes } from '../support/held-memory.js';
import {
  type CameraConnection,
  healthy,
  sdp,
  startCamera,
  startTestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

/** What a stuck viewer may cost the proxy, and what the kernels' buffers on the way may hold besides. */
const MAX_GROWTH_BYTES = 16_777_216;

/** Writes until the other end takes no more for `quietMs`, or `totalBytes` are gone; returns the bytes that were taken. */
async function flood(socket: Socket, piece: Uint8Array, totalBytes: number, quietMs = 400): Promise<number> {
  const before = socket.bytesWritten - socket.writableLength;
  let written = 0;
  let isStuck = false;
  while (written < totalBytes && !isStuck) {
    written += piece.length;
    if (socket.write(piece)) continue;
    isStuck = await Promise.race([
      once(socket, 'drain').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(true), quietMs)),
    ]);
  }
  return socket.bytesWritten - socket.writableLength - before;
}

/** RTP packets of one H.264 frame, as interleaved frames in one piece. */
function frame(timestamp: number, nalUnit: number, bytes: number): Buffer {
  const packets: Uint8Array[] = [];
  for (let left = bytes; left > 0; left -= 1_400) {
    const packet = Buffer.alloc(Math.min(left, 1_400) + 14);
    packet[0] = 0x80;
    packet[1] = 96;
    packet.writeUInt32BE(timestamp, 4);
    packet[12] = 0x7c;
    packet[13] = nalUnit | (packets.length === 0 ? 0x80 : 0);
    packets.push(serializeInterleaved(0, packet));
  }
  return Buffer.concat(packets);
}

function rtpTime(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(4);
}

async function pausedViewer(port: number, path: string): Promise<TestViewer> {
  const viewer = new TestViewer(port, path);
  await viewer.opened;
  return viewer;
}

function cameraOf(connections: CameraConnection[], index = 0): CameraConnection {
  const connection = connections[index];
  assert.ok(connection);
  return connection;
}

describe('a viewer that stops reading', () => {
  test('on a raw tunnel makes the camera wait, costs little memory, and loses nothing', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = await pausedViewer(proxy.port, '/rtsp');
    await viewer.request('OPTIONS', camera.url);
    const received = viewer.bytes.length;
    viewer.webSocket.pause();
    const { socket } = cameraOf(camera.connections);
    const piece = Buffer.alloc(65_536, 'x');
    const before = process.memoryUsage().rss;
    const taken = await flood(socket, piece, 600_000_000);
    // The kernel's buffers of two connections are in this, too.
    assert.ok(taken < 2 * MAX_GROWTH_BYTES, `${taken} bytes were taken`);
    assert.ok(process.memoryUsage().rss - before < MAX_GROWTH_BYTES + piece.length, 'memory');
    // Others do not notice.
    const other = await pausedViewer(proxy.port, '/rtsp');
    assert.equal((await other.request('OPTIONS', camera.url)).status, 200);

    const written = socket.bytesWritten;
    viewer.webSocket.resume();
    await until(() => socket.writableLength === 0, 'The rest');
    assert.ok(socket.bytesWritten >= written);
    await until(() => viewer.messages.reduce((sum, { length }) => sum + length, 0) - received >= taken, 'All bytes');
    await proxy.stop();
    camera.stop();
  });

  test('on a named camera with stored media makes the camera wait', async () => {
    const camera = await startCamera((request) =>
      request.method === 'DESCRIBE' ? { body: sdp.replace('t=0 0', 't=0 0\r\na=range:npt=0-60.5') } : healthy(request),
    );
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }] });
    const viewer = await pausedViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    viewer.webSocket.pause();
    const taken = await flood(cameraOf(camera.connections).socket, frame(1, 1, 20_000), 200_000_000);
    assert.ok(taken < 2 * MAX_GROWTH_BYTES, `${taken} bytes were taken`);
    assert.equal(proxy.proxy.stats().droppedFrames, 0);
    viewer.webSocket.resume();
    const { socket } = cameraOf(camera.connections);
    await until(() => socket.writableLength === 0, 'The rest');
    // In order and whole: the reader finds no junk, and the frames are of one size.
    await until(
      () => viewer.frames.reduce((sum, { payload }) => sum + payload.length + 4, 0) >= taken - 70_000,
      'All frames',
    );
    await viewer.close();
    await proxy.stop();
    camera.stop();
  });

  test('on a live named camera loses whole frames up to a key frame; replies and RTCP get through', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }] });
    const viewer = await pausedViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    viewer.webSocket.pause();
    const connection = cameraOf(camera.connections);
    // Key frames at every tenth time.
    let timestamp = 0;
    const before = await heldBytes();
    for (; timestamp < 3_000; timestamp++) {
      const bytes = frame(timestamp, timestamp % 10 === 0 ? 5 : 1, 20_000);
      if (!connection.socket.write(bytes)) await within(once(connection.socket, 'drain'), 'The proxy reads on');
    }
    connection.sendFrame(1, Uint8Array.of(0x80, 200, 0, 6));
    await until(() => proxy.proxy.stats().droppedFrames > 0, 'Dropped frames');
    const growth = (await heldBytes()) - before;
    assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes more are held`);
    const response = viewer.request('GET_PARAMETER', 'rtsp://front/');
    await camera.request('GET_PARAMETER');
    viewer.webSocket.resume();
    assert.equal((await response).status, 200);
    await until(() => viewer.frames.some(({ channel }) => channel === 1), 'The report');
    const last = viewer.frames.length;
    // The next key frame, and what follows it, arrive.
    for (; timestamp <= 3_011; timestamp++) connection.send(frame(timestamp, timestamp % 10 === 0 ? 5 : 1, 20_000));
    await until(
      () => viewer.frames.some(({ payload }) => payload.length > 12 && rtpTime(payload) === 3_011),
      'The last frame',
    );

    // Whole frames: each has all of its packets, and after a gap comes a key frame.
    const packets = new Map<number, number>();
    for (const { channel, payload } of viewer.frames) {
      if (channel === 0) packets.set(rtpTime(payload), (packets.get(rtpTime(payload)) ?? 0) + 1);
    }
    const times = [...packets.keys()];
    assert.ok(times.length < 3_000, 'some are missing');
    assert.ok(last < viewer.frames.length);
    for (const [index, time] of times.entries()) {
      if (time !== times.at(-1)) assert.equal(packets.get(time), 15, `packets of ${time}`);
      const previous = times[index - 1];
      if (previous !== undefined && time !== previous + 1)
        assert.equal(time % 10, 0, `${previous} is followed by ${time}`);
    }
    await proxy.stop();
    camera.stop();
  });

  test('is ended when it neither reads nor answers', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { pingMs: 150 } });
    const viewer = await pausedViewer(proxy.port, '/rtsp');
    await viewer.request('OPTIONS', camera.url);
    viewer.webSocket.pause();
    const connection = cameraOf(camera.connections);
    connection.socket.write(Buffer.alloc(64_000_000));
    await within(connection.closed, 'The end of the camera');
    viewer.webSocket.terminate();
    await proxy.stop();
    camera.stop();
  });
});

describe('a camera that stops reading', () => {
  test('makes the viewer wait, and is ended after the time for silence', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { silenceMs: 600 } });
    const viewer = await pausedViewer(proxy.port, '/rtsp');
    await viewer.request('OPTIONS', camera.url);
    cameraOf(camera.connections).socket.pause();
    const piece = Buffer.alloc(200_000, 'x');
    let taken = 0;
    for (let index = 0; index < 500; index++) {
      viewer.webSocket.send(piece, () => {
        taken += piece.length;
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(taken < 2 * MAX_GROWTH_BYTES, `${taken} bytes were taken`);
    const { code } = await within(viewer.closed, 'The close');
    assert.equal(code, 4504);
    await proxy.stop();
    camera.stop();
  });
});

describe('reads of a camera', () => {
  test('bytes that wait for a slow viewer are not overwritten by the next read', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = await pausedViewer(proxy.port, '/rtsp');
    await viewer.request('OPTIONS', camera.url);
    const offset = viewer.bytes.length;
    const { socket } = cameraOf(camera.connections);
    const total = 40_000_000;
    const expected = (at: number): number => (at * 31 + (at >> 12)) & 0xff;
    let isReading = false;
    const timer = setInterval(() => {
      isReading = !isReading;
      if (isReading) viewer.webSocket.resume();
      else viewer.webSocket.pause();
    }, 15);
    for (let at = 0; at < total; ) {
      const size = Math.min(total - at, 1 + ((at * 7) % 90_000));
      const piece = Buffer.allocUnsafe(size);
      for (let index = 0; index < size; index++) piece[index] = expected(at + index);
      at += size;
      if (!socket.write(piece)) await within(once(socket, 'drain'), 'The proxy reads on');
    }
    clearInterval(timer);
    viewer.webSocket.resume();
    await until(
      () => viewer.messages.reduce((sum, { length }) => sum + length, 0) === offset + total,
      'All bytes',
      20_000,
    );
    const { bytes } = viewer;
    let wrong = -1;
    for (let at = 0; at < total && wrong < 0; at++) if (bytes[offset + at] !== expected(at)) wrong = at;
    assert.equal(wrong, -1);
    await proxy.stop();
    camera.stop();
  });

  for (const [load, utilization] of [
    ['idle', 0],
    ['busy', 1],
  ] as const)
    test(`frames of a named camera arrive as they were sent, at any chunking, by a proxy that is ${load}`, async () => {
      const camera = await startCamera();
      const proxy = await startTestProxy({
        cameras: [{ name: 'front', url: camera.url }],
        utilization: () => utilization,
      });
      const viewer = await pausedViewer(proxy.port, '/rtsp/front');
      await viewer.play('front');
      const connection = cameraOf(camera.connections);
      connection.socket.setNoDelay(true);
      const before = viewer.bytes.length;
      const reply = 'OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n';
      const parts: Buffer[] = [];
      const frames: Buffer[] = [];
      /** Where in the stream each ends. */
      const ends: number[] = [];
      let length = 0;
      for (let index = 0; index < 60; index++) {
        const payload = Buffer.alloc(12 + ((index * 379) % 3_000), index);
        payload[0] = 0x80;
        payload[1] = 96;
        const bytes = Buffer.from(serializeInterleaved(0, payload));
        frames.push(bytes);
        parts.push(bytes);
        // Requests of the camera and blank lines in between do not reach the viewer.
        if (index % 7 === 0) parts.push(Buffer.from(reply));
        if (index % 11 === 0) parts.push(Buffer.from('\r\n'));
        ends.push(length + bytes.length);
        length = parts.reduce((sum, part) => sum + part.length, 0);
      }
      const stream = Buffer.concat(parts);
      for (let at = 0, step = 0; at < stream.length; step++) {
        const size = 1 + ((step * 997) % 4_000);
        connection.send(stream.subarray(at, at + size));
        at += size;
        // Each piece is a read of its own, mostly.
        await new Promise((resolve) => setImmediate(resolve));
        if (step % 5 !== 0) continue;
        // What is held back is let go, with a part of the next frame behind it.
        const complete = Buffer.concat(frames.slice(0, ends.filter((end) => end <= at).length)).length;
        await until(() => viewer.bytes.length - before >= complete, `The frames of ${at} bytes`);
      }
      const expected = Buffer.concat(frames);
      // The last frames are not complete, and nothing follows.
      connection.socket.end();
      await until(() => viewer.bytes.length - before >= expected.length, 'All frames');
      assert.ok(viewer.bytes.subarray(before).equals(expected));
      await proxy.stop();
      camera.stop();
    });
});

test('10 rude viewers a phase leave nothing behind', async () => {
  const camera = await startCamera();
  const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }], allow: ['127.0.0.1'] });
  for (let phase = 0; phase < 4; phase++) {
    for (let index = 0; index < 10; index++) {
      if (phase === 0) {
        const socket = connect(proxy.port, '127.0.0.1');
        await once(socket, 'connect');
        socket.write('GET /rtsp HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr');
        socket.resetAndDestroy();
        continue;
      }
      const viewer = new TestViewer(proxy.port, index % 2 === 0 ? '/rtsp/front' : '/rtsp');
      await viewer.opened;
      if (phase === 2) viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
      if (phase === 3 && index % 2 === 0) await viewer.play('front');
      viewer.webSocket.terminate();
    }
  }
  await until(() => proxy.proxy.stats().cameraSessions + proxy.proxy.stats().tunnels === 0, 'The end of all');
  await until(() => camera.connections.every(({ socket }) => socket.destroyed), 'The end at the camera');
  await proxy.stop();
  camera.stop();
});
