import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { type Impairment, startImpairedNetwork } from './impaired-network.js';

const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends.reverse()) await end();
});

/** An interleaved RTP packet whose time stamp and first payload byte are `number`. */
function packet(channel: number, number: number): Buffer {
  const bytes = Buffer.alloc(4 + 13);
  bytes[0] = 0x24;
  bytes[1] = channel;
  bytes.writeUInt16BE(13, 2);
  bytes[4] = 0x80;
  bytes.writeUInt32BE(number, 8);
  bytes[16] = number;
  return bytes;
}

/** Sends `chunks` from a camera through the network; gives what arrived and when, until `count` bytes are there. */
async function send(impairment: Impairment, chunks: readonly Buffer[], count: number) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const network = await startImpairedNetwork((server.address() as AddressInfo).port, impairment);
  ends.push(() => network.stop());
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const viewer = connect(network.port, '127.0.0.1');
  const [camera] = await accepted;
  const startMs = performance.now();
  for (const chunk of chunks) camera.write(chunk);
  let received = Buffer.alloc(0);
  for await (const chunk of viewer) {
    received = Buffer.concat([received, chunk as Buffer]);
    if (received.length >= count) break;
  }
  return { received, ms: performance.now() - startMs };
}

test('jitter delays access units and keeps their order, at any chunking', async () => {
  const response = Buffer.from('RTSP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n$$$$');
  const packets = Array.from({ length: 20 }, (_, i) => packet(0, i + 1));
  const all = Buffer.concat([response, ...packets]);
  const chunks = [all.subarray(0, 30), all.subarray(30, 61), all.subarray(61)];
  const { received, ms } = await send({ jitterMs: 60 }, chunks, all.length);
  assert.deepEqual(received, all);
  assert.ok(ms > 20, `${ms} ms`);
});

test('late sound is overtaken by the picture', async () => {
  const all = Buffer.concat([packet(0, 1), packet(2, 2), packet(0, 3)]);
  const { received, ms } = await send({ sound: 'late' }, [all], all.length);
  assert.deepEqual(received, Buffer.concat([packet(0, 1), packet(0, 3), packet(2, 2)]));
  assert.ok(ms >= 299, `${ms} ms`);
});

test('sound that is never sent leaves the picture alone', async () => {
  const all = Buffer.concat([packet(2, 1), packet(0, 2), packet(3, 3), packet(0, 4)]);
  const { received } = await send({ sound: 'never' }, [all], 34);
  assert.deepEqual(received, Buffer.concat([packet(0, 2), packet(0, 4)]));
});
