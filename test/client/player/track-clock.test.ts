import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrackClock } from '../../../client/player/track-clock.js';
import { SenderClock } from '../../../client/rtp/sender-clock.js';

const near = (actual: number | null, expected: number, tolerance = 1e-6) =>
  assert.ok(actual !== null && Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`);

/** As it is once a report has come. */
function reportedClock(clockRate: number): TrackClock {
  const clock = new TrackClock(clockRate);
  clock.sender = new SenderClock(clockRate);
  return clock;
}

/** A 90 kHz picture and an 8 kHz sound, both at their time 0. */
function pair() {
  const video = reportedClock(90_000);
  const audio = reportedClock(8_000);
  video.anchor(video.timeline.unwrap(0), null, 0);
  audio.anchor(audio.timeline.unwrap(0), null, 0);
  /** Two reports each: the first alone is not trusted with a step. */
  const report = (videoUtcMs: number, audioUtcMs: number) => {
    for (const at of [0, 1_000]) {
      video.sender?.onSenderReport(videoUtcMs + at, at * 90, at);
      audio.sender?.onSenderReport(audioUtcMs + at, at * 8, at);
    }
  };
  return { video, audio, report };
}

test('the first packet without RTP-Info stands where it arrived', () => {
  const clock = new TrackClock(90_000);
  assert.equal(clock.isAnchored, false);
  clock.anchor(clock.timeline.unwrap(4_000_000_000), null, 0.25);
  assert.equal(clock.isAnchored, true);
  near(clock.timeOf(4_000_000_000), 0.25);
  near(clock.timeOf(4_000_090_000), 1.25);
});

test('RTP-Info tells where the start of play is, over a wrap as well', () => {
  const clock = new TrackClock(90_000);
  const first = clock.timeline.unwrap(45_000 - 10);
  clock.anchor(first, 0xffff_ffff - 9, 3);
  near(clock.timeOf(first), 45_000 / 90_000);
});

test('an RTP-Info time that is far from the first packet is a mistake of the server', () => {
  const clock = new TrackClock(90_000);
  clock.anchor(clock.timeline.unwrap(90_000 * 1_000), 5, 0.5);
  near(clock.timeOf(90_000 * 1_000), 0.5);
});

test('UTC of a shared time, by the sender reports', () => {
  const clock = reportedClock(90_000);
  clock.anchor(clock.timeline.unwrap(900_000), null, 2);
  assert.equal(clock.captureAt(2), null);
  clock.sender?.onSenderReport(1_700_000_000_000, 900_000, 0);
  near(clock.captureAt(2)?.utc ?? null, 1_700_000_000_000, 0.01);
  near(clock.captureAt(3.5)?.utc ?? null, 1_700_000_001_500, 0.01);
  clock.reset();
  assert.equal(clock.isAnchored, false);
});

test('a picture that the reports have 200 ms later is moved there, at most 2 % faster', () => {
  const { video, audio, report } = pair();
  report(1_700_000_000_200, 1_700_000_000_000);
  let last = 0;
  for (let second = 0; second <= 20; second += 0.04) {
    const ticks = Math.round(second * 90_000);
    video.alignWith(audio, ticks);
    const time = video.timeOf(ticks);
    if (second > 0) assert.ok(time - last <= 0.04 * 1.021, `a step of ${time - last} s`);
    last = time;
  }
  near(video.timeOf(20 * 90_000), 20.2, 0.001);
});

test('a disagreement of seconds is settled at one step, once two reports of each say so', () => {
  const { video, audio, report } = pair();
  video.sender?.onSenderReport(1_700_000_003_000, 0, 0);
  audio.sender?.onSenderReport(1_700_000_000_000, 0, 0);
  video.alignWith(audio, 3_600);
  assert.ok(video.timeOf(3_600) < 0.05);
  report(1_700_000_003_000, 1_700_000_000_000);
  video.alignWith(audio, 7_200);
  near(video.timeOf(7_200), 3.08, 0.001);
});

test('reports of two clocks that have nothing to do with each other move nothing', () => {
  const { video, audio, report } = pair();
  report(1_700_000_000_000, 1_700_003_600_000);
  for (let ticks = 0; ticks < 900_000; ticks += 3_600) video.alignWith(audio, ticks);
  near(video.timeOf(900_000), 10);
});

test('without reports of both nothing moves', () => {
  const { video, audio } = pair();
  video.sender?.onSenderReport(1_700_000_000_200, 0, 0);
  video.alignWith(audio, 90_000);
  near(video.timeOf(90_000), 1);
});
