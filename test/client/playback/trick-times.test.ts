import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrickTimes } from '../../../client/playback/trick-times.js';

test('forwards, places are positions', () => {
  const times = new TrickTimes(0, 100, false);
  assert.equal(times.placeOf(42), 42);
  assert.equal(times.positionAt(42), 42);
  assert.deepEqual([times.add(10, 0), times.add(12, 0)], [10, 12]);
  assert.equal(times.pictureAt(11.9), 10);
});

test('backwards, what is later has the earlier place, and the way back leads to it', () => {
  const times = new TrickTimes(20, 100, true);
  assert.ok(times.placeOf(90) < times.placeOf(80));
  for (const position of [20, 33.3, 99])
    assert.ok(Math.abs(times.positionAt(times.placeOf(position)) - position) < 1e-9);
  // The first picture of the media is still seen, and nothing lies outside.
  assert.ok(times.placeOf(20) < 100);
  assert.deepEqual([times.positionAt(0), times.positionAt(1_000)], [100, 20]);
});

test('backwards, a picture that does not lie before the last one is none', () => {
  const times = new TrickTimes(0, 100, true);
  const [first, double, later, next] = [50, 50, 51, 49].map((position) => times.add(position, 0));
  assert.ok(first !== null && next !== null && next !== undefined && first !== undefined);
  assert.deepEqual([double, later], [null, null]);
  assert.ok(Math.abs(next - first - 1) < 1e-9);
});

test('the picture on screen is the last one that was reached', () => {
  const times = new TrickTimes(0, 100, true);
  const places = [50, 48, 46].map((position) => times.add(position, 0) ?? Number.NaN);
  assert.deepEqual(
    places.map((place) => times.pictureAt(place + 1.9)),
    [50, 48, 46],
  );
  // Those that were passed are forgotten, but not the one on screen.
  times.add(44, (places[1] ?? 0) + 0.5);
  assert.equal(times.pictureAt((places[1] ?? 0) + 0.5), 48);
});
