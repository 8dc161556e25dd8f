import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplayPiece } from '../../../client/player/replay-piece.js';
import { ManualClock } from '../../proxy/manual-clock.js';

function start(end: number, rate: number) {
  const clock = new ManualClock();
  let done = 0;
  const piece = new ReplayPiece({ end, rate, clock }, () => done++);
  return {
    clock,
    piece,
    take: (...times: number[]) => {
      for (const time of times) piece.onUnit(time);
    },
    get done() {
      return done;
    },
  };
}

test('it is there with the frame before its end', () => {
  for (const [end, isDone] of [
    [9.99, true],
    // There may be one right at its end.
    [10, false],
  ] as const) {
    const { piece, take } = start(end, 1);
    take(9.84, 9.88, 9.92);
    assert.equal(piece.isDone, false);
    take(9.96);
    assert.equal(piece.isDone, isDone);
  }
});

test('backwards it is there with the key frame at its end, or before', () => {
  for (const last of [5, 4.6]) {
    const { piece, take } = start(5, -1);
    take(8, 7, 6);
    assert.equal(piece.isDone, false);
    take(last);
    assert.equal(piece.isDone, true);
  }
});

test('a gap on the way does not make the rest seem short', () => {
  const { piece, take } = start(5, -1);
  take(70, 69, 9);
  assert.equal(piece.isDone, false);
  take(8, 7, 6, 5);
  assert.equal(piece.isDone, true);
});

test('silence ends it, once, and what comes later changes nothing', async () => {
  const setting = start(10, 1);
  const { clock, piece, take } = setting;
  take(3, 4);
  await clock.advance(600);
  take(5);
  await clock.advance(600);
  assert.equal(piece.isDone, false);
  await clock.advance(200);
  assert.equal(piece.isDone, true);
  take(6, 10);
  piece.finish();
  assert.equal(setting.done, 1);
});

test('where nothing comes it is over after a while', async () => {
  const empty = start(10, 1);
  await empty.clock.advance(1_900);
  assert.equal(empty.piece.isDone, false);
  await empty.clock.advance(200);
  assert.deepEqual([empty.piece.isDone, empty.done], [true, 1]);
});

test('what comes as fast as it was taken is slow, and what comes at once is not', async () => {
  for (const [step, isSlow] of [
    [0.1, true],
    [0.5, false],
  ] as const) {
    const { clock, piece } = start(1_000, 1);
    for (let count = 1; count <= 40; count++) {
      await clock.advance(100);
      piece.onUnit(count * step);
    }
    assert.equal(piece.isSlow, isSlow);
  }
});

test('one that is given up says nothing more', async () => {
  const setting = start(10, 1);
  setting.piece.close();
  await setting.clock.advance(5_000);
  assert.equal(setting.done, 0);
});
