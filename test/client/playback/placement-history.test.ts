import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PlacementHistory } from '../../../client/playback/placement-history.js';

test('tells the frame on screen, and how many are to come', () => {
  const history = new PlacementHistory();
  assert.equal(history.sourceAt(1), null);
  assert.equal(history.framesAfter(1), 0);
  history.add(1, 101);
  history.add(2, 102);
  history.add(3, 103);
  assert.equal(history.sourceAt(0.9), null);
  assert.equal(history.sourceAt(1), 101);
  assert.equal(history.sourceAt(2.5), 102);
  assert.equal(history.sourceAt(99), 103);
  assert.equal(history.framesAfter(0), 3);
  assert.equal(history.framesAfter(2), 1);
  assert.equal(history.framesAfter(99), 0);
});

test('agrees with a plain list of the last 1,024 frames', () => {
  const steps = fc.array(fc.double({ min: 0.001, max: 2, noNaN: true }), { minLength: 1, maxLength: 2_500 });
  fc.assert(
    fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), (gaps, share) => {
      const history = new PlacementHistory();
      let all: { place: number; source: number }[] = [];
      let place = 0;
      gaps.forEach((gap, index) => {
        place += gap;
        history.add(place, index);
        all.push({ place, source: index });
      });
      all = all.slice(-1_024);
      const asked = share * place;
      const before = all.filter((frame) => frame.place <= asked);
      assert.equal(history.sourceAt(asked), before.at(-1)?.source ?? null);
      assert.equal(history.framesAfter(asked), all.length - before.length);
    }),
    { numRuns: 50 },
  );
});
