import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holder, WriteCoalescer } from '../../proxy/write-coalescer.js';
import { MAX_HOLD_MS } from '../../shared/limits.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { ManualClock } from './manual-clock.js';
import { startCamera, startTestProxy, TestViewer, until } from './test-peers.js';

test('the busier the process, the longer the wait, up to its limit', () => {
  const clock = new ManualClock();
  let utilization = 0;
  const coalescer = new WriteCoalescer(clock, () => utilization);
  const waits = [0, 0.02, 0.1, 0.2, 1].map((share) => {
    utilization = share;
    clock.set(clock.now() + 500);
    return coalescer.holdMs;
  });
  assert.deepEqual(waits, [0, 0, MAX_HOLD_MS / 2, MAX_HOLD_MS, MAX_HOLD_MS]);
});

test('everyone is released at their own time, by one timer', async () => {
  const clock = new ManualClock();
  const coalescer = new WriteCoalescer(clock, () => 1);
  clock.set(500);
  assert.equal(coalescer.holdMs, MAX_HOLD_MS);
  const released: [string, number][] = [];
  const holder = (name: string): Holder => ({ release: () => released.push([name, clock.now() - 500]) });
  coalescer.add(holder('a'));
  coalescer.add(holder('b'));
  clock.set(503);
  coalescer.add(holder('c'));
  assert.equal(clock.pending, 1);
  await clock.advance(MAX_HOLD_MS * 2);
  assert.deepEqual(released, [
    ['a', MAX_HOLD_MS],
    ['b', MAX_HOLD_MS],
    ['c', MAX_HOLD_MS + 3],
  ]);
  assert.equal(clock.pending, 0);
});

const MARKER = 0x80;

function packet(marker: 0 | typeof MARKER, fill: number): Buffer {
  const bytes = Buffer.alloc(800, fill);
  bytes[0] = 0x80;
  bytes[1] = 96 | marker;
  return Buffer.from(serializeInterleaved(0, bytes));
}

test('a busy proxy sends a frame in one message when its end comes in time, and what there is of it otherwise', async () => {
  const clock = new ManualClock();
  const camera = await startCamera();
  const cameras = [{ name: 'front', url: camera.url }];
  const proxy = await startTestProxy({ cameras, clock, utilization: () => 1 });
  const viewer = new TestViewer(proxy.port, '/rtsp/front');
  await viewer.play('front');
  const [connection] = camera.connections;
  assert.ok(connection !== undefined);
  connection.socket.setNoDelay(true);
  // The share of its time is looked at twice a second.
  clock.set(clock.now() + 500);
  const sent = [packet(0, 1), packet(0, 2), packet(MARKER, 3), packet(0, 4)];
  const [first, second, last, next] = sent as [Buffer, Buffer, Buffer, Buffer];
  const messages = () => viewer.messages.slice(before).map((message) => message.length);
  const before = viewer.messages.length;
  const timers = clock.pending;

  connection.send(first);
  await until(() => clock.pending > timers, 'Holding the first packet back');
  connection.send(second);
  connection.send(last);
  await until(() => messages().length > 0, 'The frame');
  assert.deepEqual(messages(), [first.length + second.length + last.length]);

  await clock.advance(MAX_HOLD_MS);
  connection.send(next);
  await until(() => clock.pending > timers, 'Holding the next frame back');
  assert.equal(messages().length, 1);
  await clock.advance(MAX_HOLD_MS);
  await until(() => messages().length > 1, 'The beginning of the next frame');
  assert.deepEqual(Buffer.concat(viewer.messages.slice(before)), Buffer.concat(sent));
  await proxy.stop();
  camera.stop();
});
