import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeadUp } from '../../../client/playback/lead-up.js';

/** Presentation and decoding times, frame by frame, and what comes of each. */
function push(...frames: readonly (readonly [time: number, decodeTime: number])[]): (number | null)[] {
  const leadUp = new LeadUp();
  leadUp.begin();
  return frames.map(([time, decodeTime]) => leadUp.push(time, decodeTime));
}

test('behind frames at one time, the one that is shown next, not the one that is decoded next', () => {
  const shown = push(
    [10, 9.92],
    [10, 9.96],
    [10, 10],
    [10.16, 10.001],
    [10.08, 10.002],
    [10.04, 10.04],
    [10.12, 10.08],
  );
  assert.deepEqual(shown, [null, null, null, null, null, 10.040_002, null]);
});

test('frames in their own order show the first at once, whatever follows', () => {
  assert.deepEqual(push([10, 10], [10, 10], [10, 10], [10.04, 10.04]), [10.003, null, null, null]);
});

test('a key frame among reordered ones shows itself, once it is known that nothing leads up to it', () => {
  assert.deepEqual(push([10, 9.92], [10.12, 9.96], [10.04, 10], [10.08, 10.04]), [null, 10.003, null, null]);
});

test('what ends before it is known shows the first', () => {
  const leadUp = new LeadUp();
  leadUp.begin();
  assert.equal(leadUp.end(), null);
  leadUp.push(10, 9.92);
  leadUp.push(10, 9.96);
  assert.equal(leadUp.end(), 10.003);
  assert.equal(leadUp.end(), null);
});

test('a server that has one time for all frames does not hold up the picture', () => {
  const shown = push(...Array.from({ length: 700 }, () => [10, 9.92] as const));
  assert.deepEqual(
    shown.filter((time) => time !== null),
    [10.003],
  );
});

test('each position anew', () => {
  const leadUp = new LeadUp();
  leadUp.begin();
  leadUp.push(10, 9.9);
  leadUp.push(10, 10);
  leadUp.begin();
  assert.equal(leadUp.push(20, 19.9), null);
  assert.equal(leadUp.push(20.04, 20.05), 20.003);
});
