import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from '../../../client/player/watchdog.js';
import { ManualClock } from '../../proxy/manual-clock.js';

function fixture() {
  const clock = new ManualClock();
  const silences: { at: number; silentMs: number }[] = [];
  const watchdog = new Watchdog(clock, (silentMs) => silences.push({ at: clock.now(), silentMs }));
  let mediaMs = 0;
  /** `count` frames, the first right now; by the camera's clock they are `mediaIntervalMs` apart. */
  const frames = async (count: number, intervalMs: number, mediaIntervalMs = intervalMs) => {
    for (let i = 0; i < count; i++) {
      if (i > 0) await clock.advance(intervalMs);
      mediaMs += mediaIntervalMs;
      watchdog.onPacket();
      watchdog.onFrame(mediaMs / 1_000);
    }
  };
  return { clock, silences, watchdog, frames };
}

test('a camera at 25 frames a second that falls silent is noticed after 3 s, once', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(100, 40);
  const last = clock.now();
  await clock.advance(2_900);
  assert.equal(silences.length, 0);
  await clock.advance(60_000);
  assert.equal(silences.length, 1);
  const late = (silences[0]?.at ?? 0) - last;
  assert.ok(late >= 3_000 && late <= 3_100, `noticed after ${late} ms`);
  assert.equal(clock.pending, 0);
});

test('the first packet may take 10 s', async () => {
  const { clock, silences, watchdog } = fixture();
  watchdog.start();
  await clock.advance(9_900);
  assert.deepEqual(silences, []);
  await clock.advance(200);
  assert.equal(silences.length, 1);
});

test('a camera with a frame every 5 s is not taken for silent, from its first frames on', async () => {
  const { silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(20, 5_000);
  assert.deepEqual(silences, []);
  assert.equal(watchdog.limitMs, 25_000);
});

test('the interval of frames that come in one burst is told by their times', async () => {
  const { silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(10, 1, 5_000);
  assert.equal(watchdog.limitMs, 25_000);
  await frames(10, 5_000);
  assert.deepEqual(silences, []);
});

test('a camera that falls silent after two frames is noticed as soon as one after many', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(2, 40);
  await clock.advance(3_100);
  assert.equal(silences.length, 1);
});

test('one long gap teaches nothing: the old key frame of a frozen camera, then live pictures', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(1, 0);
  await clock.advance(9_000);
  await frames(1, 0, 20_000);
  await clock.advance(40);
  await frames(3, 40);
  assert.equal(watchdog.limitMs, 3_000);
  await clock.advance(3_100);
  assert.equal(silences.length, 1);
});

test('times that stand still or jump back are no intervals', async () => {
  const { watchdog, frames } = fixture();
  watchdog.start();
  await frames(10, 2_000, -3_600_000);
  assert.equal(watchdog.limitMs, 10_000);
});

test('a camera with a frame every 25 s costs two connections, and the third one waits', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  for (const silence of [10_000, 20_000]) {
    watchdog.start();
    await frames(1, 0);
    await clock.advance(25_000);
    assert.ok(Math.abs((silences.at(-1)?.silentMs ?? 0) - silence) < 100);
  }
  watchdog.start();
  await frames(10, 25_000);
  assert.equal(silences.length, 2);
});

test('an interval is forgotten within five frames when frames come often again', async () => {
  const { clock, watchdog, frames } = fixture();
  watchdog.start();
  await frames(5, 5_000);
  await frames(4, 40);
  assert.equal(watchdog.limitMs, 3_000);
  assert.equal(clock.pending, 1);
});

test('packets without a complete frame are signs of life: a key frame is awaited', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  watchdog.start();
  await frames(10, 40);
  for (let i = 0; i < 200; i++) {
    await clock.advance(100);
    watchdog.onPacket();
  }
  assert.deepEqual(silences, []);
});

test('stop() leaves no timer; data after it does not start it', async () => {
  const { clock, silences, watchdog, frames } = fixture();
  watchdog.start();
  watchdog.stop();
  watchdog.stop();
  await frames(2, 40);
  assert.equal(clock.pending, 0);
  await clock.advance(60_000);
  assert.deepEqual(silences, []);
});
