import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TransitWindow } from '../../../client/playback/transit-window.js';

/** 25 frames a second whose delays are given, from `start` on; returns the time after the last. */
function feed(window: TransitWindow, delays: readonly number[], start = 0): number {
  delays.forEach((delay, index) => {
    window.add(start + index * 0.04, 1_000 + start + index * 0.04 + delay);
  });
  return start + delays.length * 0.04;
}

test('knows nothing before eight arrivals', () => {
  const window = new TransitWindow();
  feed(window, [0, 0.1, 0, 0.1, 0, 0.1, 0]);
  assert.equal(window.jitter(0.9), 0);
});

test('a quantile above the least, whatever the origin of the clocks', () => {
  const window = new TransitWindow();
  const delays = Array.from({ length: 200 }, (_, i) => (i % 10) * 0.01);
  feed(window, delays);
  assert.ok(Math.abs(window.jitter(0.5) - 0.05) < 0.011, `${window.jitter(0.5)}`);
  assert.ok(Math.abs(window.jitter(0.99) - 0.09) < 1e-6);
  assert.ok(Math.abs(window.minimum - 1_000) < 1e-6);
});

test('forgets jitter that is over for ten seconds', () => {
  const window = new TransitWindow();
  const end = feed(
    window,
    Array.from({ length: 250 }, (_, i) => (i % 4 === 0 ? 0.2 : 0)),
  );
  assert.ok(window.jitter(0.98) > 0.19);
  feed(window, new Array(260).fill(0), end);
  assert.ok(window.jitter(0.98) < 1e-6);
});

test('a stored group of pictures at the start is no jitter', () => {
  const window = new TransitWindow();
  for (let i = 0; i < 50; i++) window.add(i * 0.04, 1_002);
  const end = feed(window, new Array(60).fill(0), 2);
  assert.ok(end > 0);
  assert.ok(window.jitter(0.98) < 0.01, `${window.jitter(0.98)}`);
});

test('reset() forgets', () => {
  const window = new TransitWindow();
  feed(window, [0, 0.3, 0, 0.3, 0, 0.3, 0, 0.3, 0, 0.3]);
  window.reset();
  window.add(90_000, 5);
  assert.equal(window.jitter(1), 0);
  assert.equal(window.minimum, 5 - 90_000);
});

test('the jitter is never negative, and grows with the share', () => {
  const delays = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 1, maxLength: 600 });
  fc.assert(
    fc.property(delays, (values) => {
      const window = new TransitWindow();
      feed(window, values);
      const shares = [0, 0.5, 0.9, 0.98, 1].map((share) => window.jitter(share));
      for (let i = 0; i < shares.length; i++) assert.ok((shares[i] ?? -1) >= (shares[i - 1] ?? 0), `${shares}`);
      assert.ok((shares.at(-1) ?? 0) <= 2);
    }),
    { numRuns: 50 },
  );
});
