import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measureFloor, measureRecording } from './latency-measurement.js';
import type { Recording } from './page/recorder.js';

const FRAME_MS = 40;
const start = 1_700_000_000_000;
const window = { skipSeconds: 1, seconds: 4 };

/** A frame every 40 ms from `start` on, each `latency(i)` ms old when presented; null: not shown. */
function recordingOf(count: number, latency: (i: number) => number | null): Recording {
  const frames = Array.from({ length: count }, (_, i) => i).flatMap((i) => {
    const late = latency(i);
    if (late === null) return [];
    const captureMs = start + i * FRAME_MS;
    const presentedMs = captureMs + late;
    const displayMs = presentedMs + 16;
    return [{ captureMs, presentedMs, displayMs, callbackMs: presentedMs, mediaTime: i, presentedFrames: i, video: 0 }];
  });
  return { frames, unreadable: 0, events: [], samples: [], ticks: [], outputDelayMs: 0, startedMs: start };
}

test('a steady player has its latency at every quantile, and nothing else', () => {
  const found = measureRecording(
    recordingOf(200, () => 50),
    window,
    [],
    null,
  );
  assert.deepEqual(
    { p50: found.p50, p95: found.p95, max: found.max, visibleP50: found.visibleP50, frames: found.frames },
    { p50: 50, p95: 50, max: 50, visibleP50: 66, frames: 100 },
  );
  assert.deepEqual([found.notShown, found.freezes, found.waiting, found.dropped], [0, 0, 0, 0]);
  assert.equal(found.longestGap, FRAME_MS);
});

test('the floor is measured like a player', () => {
  const frames = Array.from({ length: 200 }, (_, i) => ({
    captureMs: start + i * FRAME_MS,
    arrivalMs: start + i * FRAME_MS + (i % 10 === 0 ? 90 : 10),
  }));
  const found = measureFloor(frames, window, []);
  assert.deepEqual([found.p50, found.p95, found.max], [10, 90, 90]);
});

test('frames that were never shown are counted, and the gap they leave', () => {
  const found = measureRecording(
    recordingOf(200, (i) => (i >= 50 && i < 55 ? null : 50)),
    window,
    [],
    null,
  );
  assert.equal(found.notShown, 5 * 15);
  assert.equal(found.longestGap, 6 * FRAME_MS);
  assert.equal(found.freezes, 15);
});

test('a picture that stops for good is a gap to the end of the window', () => {
  const found = measureRecording(
    recordingOf(51, () => 50),
    window,
    [],
    null,
  );
  assert.equal(found.longestGap, 3_000);
});

test('waiting is told apart by whether the network stood still', () => {
  const recording = recordingOf(200, () => 50);
  const stallEnd = start + 3_000;
  for (const ms of [500, 2_900, 4_500]) recording.events.push({ type: 'waiting', ms: start + ms, video: 0 });
  const found = measureRecording(recording, window, [stallEnd], null);
  assert.deepEqual([found.waiting, found.waitingBeyondStalls], [30, 15]);
});

test('dropped frames are counted across a change of the video', () => {
  const recording = recordingOf(200, () => 50);
  const sample = { currentTime: 0, playbackRate: 1, buffered: 0, totalFrames: 0, audioBytes: 0, stats: null };
  const counts: [number, number, number][] = [
    [500, 0, 2],
    [1_500, 0, 3],
    [2_500, 0, 5],
    [3_500, 1, 1],
    [4_500, 1, 1],
  ];
  for (const [ms, video, droppedFrames] of counts)
    recording.samples.push({ ...sample, ms: start + ms, video, droppedFrames });
  assert.equal(measureRecording(recording, window, [], null).dropped, 3 * 15);
});

test('the way back after a stall ends where half a second is as quick as usual', () => {
  const stallEnd = start + 2_000;
  const found = measureRecording(
    recordingOf(200, (i) => (i >= 50 && i < 70 ? 250 : 50)),
    window,
    [stallEnd],
    null,
  );
  const [recovery = Number.NaN] = found.recoveries;
  // The late frames are presented up to 3,010 ms; the half second before that has more of them than of the others.
  assert.ok(recovery > 500 && recovery <= 1_010, `${recovery} ms`);
});

test('the sound is compared with the picture of the same moment', () => {
  const recording = recordingOf(400, () => 50);
  const phase = 123;
  recording.outputDelayMs = 64;
  for (let second = 6; second < 12; second++) {
    recording.ticks.push(start + second * 1000 + phase + 50 + 170 - recording.outputDelayMs);
  }
  const found = measureRecording(recording, window, [], (start + phase) % 1000);
  assert.ok(Math.abs((found.soundBehind ?? 0) - 170) < 0.001, `${found.soundBehind} ms`);
});
