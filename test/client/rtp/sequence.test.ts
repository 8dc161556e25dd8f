import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SequenceTracker } from '../../../client/rtp/sequence.js';

/** Pushes all and returns what was made of each. */
function pushAll(tracker: SequenceTracker, numbers: readonly number[]) {
  return numbers.map((number) => tracker.push(number));
}

const inOrder = { lost: 0, restarted: false };

test('packets in order are handed on, over the wrap too', () => {
  const tracker = new SequenceTracker();
  assert.deepEqual(pushAll(tracker, [65_534, 65_535, 0, 1]), [inOrder, inOrder, inOrder, inOrder]);
  assert.equal(tracker.extendedHighest, 65_537);
  assert.equal(tracker.expected, 4);
  assert.equal(tracker.received, 4);
  assert.equal(tracker.lost, 0);
});

test('a gap says how many packets are missing', () => {
  const tracker = new SequenceTracker();
  assert.deepEqual(pushAll(tracker, [10, 14]), [inOrder, { lost: 3, restarted: false }]);
  assert.equal(tracker.lost, 3);
  assert.equal(tracker.expected, 5);
  assert.equal(tracker.received, 2);
});

test('a packet that comes twice is a duplicate, an older one is late', () => {
  const tracker = new SequenceTracker();
  assert.deepEqual(pushAll(tracker, [10, 11, 11, 9, 10, 12]), [inOrder, inOrder, 'duplicate', 'late', 'late', inOrder]);
});

test('a single packet from far off is dropped; two in a row are a restart (RFC 3550, A.1)', () => {
  const tracker = new SequenceTracker();
  assert.deepEqual(pushAll(tracker, [10, 40_000, 11, 40_001]), [inOrder, 'suspect', inOrder, 'suspect']);
  assert.deepEqual(pushAll(tracker, [40_002, 40_003]), [{ lost: 1, restarted: true }, inOrder]);
  assert.equal(tracker.extendedHighest, 40_003);
  assert.equal(tracker.expected, 2);
});

test('a sender that starts again at the same number as before is a restart', () => {
  const tracker = new SequenceTracker();
  pushAll(tracker, [1_000, 1_001, 1_002, 1_003]);
  pushAll(
    tracker,
    Array.from({ length: 500 }, (_, index) => 1_004 + index),
  );
  assert.deepEqual(pushAll(tracker, [1_000, 1_001, 1_002]), ['suspect', { lost: 1, restarted: true }, inOrder]);
});

test('the bounds between loss, restart and lateness are those of RFC 3550', () => {
  const steps: [step: number, expected: unknown][] = [
    [2_999, { lost: 2_998, restarted: false }],
    [3_000, 'suspect'],
    [65_536 - 100, 'suspect'],
    [65_536 - 99, 'late'],
  ];
  for (const [step, expected] of steps) {
    const tracker = new SequenceTracker();
    tracker.push(500);
    assert.deepEqual(tracker.push((500 + step) % 65_536), expected, `a step of ${step}`);
  }
});

test('after a reset the next packet is a first one, and counters go on', () => {
  const tracker = new SequenceTracker();
  pushAll(tracker, [10, 14]);
  tracker.reset();
  assert.equal(tracker.expected, 0);
  assert.deepEqual(tracker.push(50_000), inOrder);
  assert.equal(tracker.expected, 1);
  assert.equal(tracker.lost, 3);
});

/** What a network may do to packets that were sent in order: leave some out, double some. */
const damaged = fc.record({
  first: fc.integer({ min: 0, max: 65_535 }),
  // Gaps below the bound, duplicates at once or a little later.
  gaps: fc.array(
    fc.record({
      skipped: fc.integer({ min: 0, max: 2_998 }),
      copies: fc.integer({ min: 0, max: 2 }),
      late: fc.boolean(),
    }),
    { minLength: 1, maxLength: 300 },
  ),
});

test('loss and duplicates, over wraps: each packet is handed on once, and the losses add up', () => {
  fc.assert(
    fc.property(damaged, ({ first, gaps }) => {
      const tracker = new SequenceTracker();
      tracker.push(first);
      let sent = first;
      let lost = 0;
      let received = 1;
      for (const { skipped, copies, late } of gaps) {
        sent += skipped + 1;
        lost += skipped;
        received++;
        assert.deepEqual(tracker.push(sent % 65_536), { lost: skipped, restarted: false });
        for (let copy = 0; copy < copies; copy++) {
          assert.equal(tracker.push(sent % 65_536), 'duplicate');
          received++;
        }
        if (late && skipped > 0 && skipped < 99) {
          assert.equal(tracker.push((sent - 1) % 65_536), 'late');
          received++;
        }
      }
      assert.equal(tracker.lost, lost);
      assert.equal(tracker.extendedHighest, sent);
      assert.equal(tracker.expected, sent - first + 1);
      assert.equal(tracker.received, received);
    }),
  );
});

test('any numbers at all: never throws, a number is handed on at most once in a row, and a run in order is always followed', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 300 }), (numbers) => {
      const tracker = new SequenceTracker();
      for (const number of numbers) {
        const step = tracker.push(number);
        if (typeof step !== 'string') assert.ok(step.lost >= 0 && step.lost < 3_000);
        assert.ok(tracker.expected >= 0 && tracker.extendedHighest >= 0);
      }
      // Whatever came before: at most one packet of a new run, far off, is dropped.
      const start = tracker.extendedHighest + 20_000;
      const run = [0, 1, 2, 3].map((index) => tracker.push((start + index) % 65_536));
      assert.ok(run[0] === 'suspect' || typeof run[0] === 'object');
      assert.deepEqual(run.slice(2), [inOrder, inOrder]);
    }),
  );
});
