import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holder, WriteCoalescer } from '../../proxy/write-coalescer.js';
import { HOLD_TRIAL_INTERVAL_MS, MAX_HOLD_MS } from '../../shared/limits.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { ManualClock } from './manual-clock.js';
import { startCamera, startTestProxy, TestViewer, until } from './test-peers.js';

test('the busier the process, the longer the wait, up to its limit', () => {
  const clock = new ManualClock();
  let utilization = 0;
  const coalescer = new WriteCoalescer(clock, () => utilization);
  const waits = [0, 0.01, 0.05, 0.1, 1].map((share) => {
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
  const holder = (name: string): Holder => ({
    release() {
      released.push([name, clock.now() - 500]);
      return false;
    },
  });
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

test('waits that are in vain end for a while', async () => {
  const clock = new ManualClock();
  const coalescer = new WriteCoalescer(clock, () => 1);
  const wait = async (count: number, isVain: boolean) => {
    for (let i = 0; i < count; i++) coalescer.add({ release: () => isVain });
    await clock.advance(500);
  };
  assert.equal(coalescer.holdMs, MAX_HOLD_MS);
  await wait(6, true);
  await wait(4, false);
  // Two in three at most.
  assert.equal(coalescer.holdMs, MAX_HOLD_MS);
  await wait(7, true);
  assert.equal(coalescer.holdMs, 0);
  await clock.advance(HOLD_TRIAL_INTERVAL_MS - 500);
  assert.equal(coalescer.holdMs, 0);
  await clock.advance(500);
  assert.equal(coalescer.holdMs, MAX_HOLD_MS);
});

const MARKER = 0x80;

function packet(marker: 0 | typeof MARKER, fill: number): Buffer {
  const bytes = Buffer.alloc(800, fill);
  bytes[0] = 0x80;
  bytes[1] = 96 | marker;
  return Buffer.from(serializeInterleaved(0, bytes));
}

/** A viewer who plays, through a proxy that is told to be busy. */
async function startBusyProxy() {
  const clock = new ManualClock();
  const camera = await startCamera();
  const cameras = [{ name: 'front', url: camera.url }];
  const proxy = await startTestProxy({ cameras, clock, utilization: () => 1 });
  const viewer = new TestViewer(proxy.port, '/rtsp/front');
  await viewer.play('front');
  const [connection] = camera.connections;
  assert.ok(connection !== undefined);
  connection.socket.setNoDelay(true);
  // Until it has seen frames begin where packets do, all that comes goes on at once.
  const first = packet(MARKER, 0);
  const before = viewer.messages.length;
  connection.send(first);
  await until(() => viewer.messages.length > before, 'The first frame');
  const stop = async () => {
    await proxy.stop();
    camera.stop();
  };
  return { clock, connection, viewer, stop };
}

test('a busy proxy sends a frame in one message when its end comes in time, and what there is of it otherwise', async () => {
  const { clock, connection, viewer, stop } = await startBusyProxy();
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
  await stop();
});

test('what is let go with the beginning of a packet behind it leaves that where it is completed', async () => {
  const { clock, connection, viewer, stop } = await startBusyProxy();
  const before = viewer.messages.length;
  const timers = clock.pending;
  const whole = packet(0, 1);
  const split = packet(0, 2);
  const last = packet(MARKER, 3);
  connection.send(Buffer.concat([whole, split.subarray(0, 500)]));
  await until(() => clock.pending > timers, 'Holding the first packet back');
  await clock.advance(MAX_HOLD_MS);
  await until(() => viewer.messages.length > before, 'The first packet');
  connection.send(Buffer.concat([split.subarray(500), last]));
  await until(() => viewer.messages.length > before + 1, 'The others');
  assert.deepEqual(viewer.messages.slice(before), [whole, Buffer.concat([split, last])]);
  await stop();
});
