import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timeline } from '../../../client/rtp/timeline.js';

const WRAP = 0x1_0000_0000;

test('the first time stamp is its own number of ticks', () => {
  assert.equal(new Timeline(90_000).unwrap(4_000_000_000), 4_000_000_000);
});

test('time goes on over the wrap, and back over it for a picture shown earlier', () => {
  const timeline = new Timeline(90_000);
  assert.equal(timeline.unwrap(0xffff_f000), 0xffff_f000);
  assert.equal(timeline.unwrap(0x0000_0e10), WRAP + 0xe10);
  assert.equal(timeline.unwrap(0xffff_fff0), 0xffff_fff0);
  assert.equal(timeline.unwrap(0x0000_1c20), WRAP + 0x1c20);
});

test('a picture shown before one with time stamp 0 has a negative time', () => {
  const timeline = new Timeline(90_000);
  assert.equal(timeline.unwrap(0), 0);
  assert.equal(timeline.unwrap(WRAP - 3600), -3600);
});

test('a look at a time near by does not move the time line', () => {
  const timeline = new Timeline(48_000);
  assert.equal(timeline.isAnchored, false);
  assert.equal(timeline.at(77), 77);
  timeline.unwrap(0xffff_ff00);
  assert.equal(timeline.isAnchored, true);
  assert.equal(timeline.at(0x100), WRAP + 0x100);
  assert.equal(timeline.unwrap(0xffff_ff80), 0xffff_ff80);
});

test('after a reset the next time stamp is a first one', () => {
  const timeline = new Timeline(90_000);
  timeline.unwrap(0xffff_ffff);
  timeline.unwrap(5);
  timeline.reset();
  assert.equal(timeline.isAnchored, false);
  assert.equal(timeline.unwrap(9), 9);
});

test('any walk in steps below half the range comes out as it was, over any number of wraps', () => {
  const step = fc.integer({ min: -0x7fff_ffff, max: 0x7fff_ffff });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: WRAP - 1 }), fc.array(step, { maxLength: 200 }), (start, steps) => {
      const timeline = new Timeline(90_000);
      let ticks = timeline.unwrap(start);
      assert.equal(ticks, start);
      for (const delta of steps) {
        ticks += delta;
        const sent = ((ticks % WRAP) + WRAP) % WRAP;
        assert.equal(timeline.at(sent), ticks);
        assert.equal(timeline.unwrap(sent), ticks);
      }
    }),
  );
});
