import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Reconnect } from '../../../client/player/reconnect.js';
import { ManualClock } from '../../proxy/manual-clock.js';

function fixture(random: () => number = () => 1) {
  const clock = new ManualClock();
  const attempts: number[] = [];
  const reconnect = new Reconnect(clock, () => attempts.push(clock.now()), random);
  return { clock, attempts, reconnect };
}

test('waits longer after each failure, up to 3 s, and up to 10 s after two minutes', async () => {
  const { clock, attempts, reconnect } = fixture();
  const delays: (number | null)[] = [];
  for (let i = 0; i < 6; i++) {
    const delay = reconnect.plan('back-off');
    delays.push(delay);
    await clock.advance(delay ?? 0);
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 3_000, 3_000, 3_000]);
  assert.equal(attempts.length, 6);
  await clock.advance(120_000);
  assert.equal(reconnect.plan('back-off'), 10_000);
  reconnect.succeeded();
  assert.equal(reconnect.failures, 0);
  assert.equal(reconnect.plan('back-off'), 500);
});

test('a wait is at random between half of it and all', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40), (random, failures) => {
      const { reconnect } = fixture(() => random);
      for (let i = 0; i < failures; i++) reconnect.plan('back-off');
      const longest = Math.min(3_000, 500 * 2 ** failures);
      const delay = reconnect.plan('back-off');
      assert.ok(delay !== null && delay >= longest / 2 && delay <= longest, `${delay} of ${longest}`);
    }),
  );
});

test('goes at once where the other end went away in good order, but not for ever', () => {
  const { reconnect } = fixture();
  assert.equal(reconnect.plan('at-once'), 300);
  assert.equal(reconnect.plan('at-once'), 1_000);
});

test('plans nothing where trying again makes no sense, and gives up what was planned', async () => {
  const { clock, attempts, reconnect } = fixture();
  for (const policy of ['never', 'new-token'] as const) {
    reconnect.plan('back-off');
    assert.equal(reconnect.plan(policy), null);
    assert.equal(reconnect.isWaiting, false);
  }
  await clock.advance(60_000);
  assert.deepEqual(attempts, []);
  assert.equal(clock.pending, 0);
});

test('hurry() makes a planned attempt now and only once; without a plan it does nothing', async () => {
  const { clock, attempts, reconnect } = fixture();
  reconnect.hurry();
  assert.deepEqual(attempts, []);
  reconnect.plan('back-off');
  reconnect.hurry();
  reconnect.hurry();
  assert.deepEqual(attempts, [0]);
  await clock.advance(60_000);
  assert.deepEqual(attempts, [0]);
});

test('cancel() may be called twice and leaves no timer', async () => {
  const { clock, attempts, reconnect } = fixture();
  reconnect.plan('back-off');
  reconnect.cancel();
  reconnect.cancel();
  assert.equal(clock.pending, 0);
  await clock.advance(60_000);
  assert.deepEqual(attempts, []);
});

test('an attempt may plan the next one', async () => {
  const clock = new ManualClock();
  let attempts = 0;
  const reconnect: Reconnect = new Reconnect(
    clock,
    () => {
      attempts++;
      reconnect.plan('back-off');
    },
    () => 1,
  );
  reconnect.plan('back-off');
  await clock.advance(6_600);
  assert.equal(attempts, 4);
  assert.equal(clock.pending, 1);
});
