import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SenderClock } from '../../../client/rtp/sender-clock.js';

const RATE = 90_000;
const UTC = 1_700_000_000_000;

/** Ticks at a number of milliseconds of media time. */
function ticksAt(ms: number): number {
  return (ms * RATE) / 1000;
}

/** A report `ms` of media time in, whose UTC is off by `errorMs`; it arrives 30 ms later. */
function report(clock: SenderClock, ms: number, errorMs = 0): void {
  clock.onSenderReport(UTC + ms + errorMs, ticksAt(ms), ms + 30);
}

/** How far the clock's UTC is from the true one, at `ms` of media time. */
function errorAt(clock: SenderClock, ms: number): number {
  const utc = clock.utcOf(ticksAt(ms));
  assert.ok(utc !== null);
  return utc - (UTC + ms);
}

test('nothing is known before a report', () => {
  const clock = new SenderClock(RATE);
  assert.equal(clock.utcOf(0), null);
  assert.equal(clock.ticksOf(UTC), null);
  assert.equal(clock.isKnown, false);
});

test('the first report gives the time, provisionally; a second one confirms it', () => {
  const clock = new SenderClock(RATE);
  report(clock, 1_000);
  assert.equal(clock.utcOf(ticksAt(3_500)), UTC + 3_500);
  assert.equal(clock.utcOf(ticksAt(-500)), UTC - 500);
  assert.equal(clock.ticksOf(UTC + 3_500), ticksAt(3_500));
  assert.equal(clock.isKnown, true);
  assert.equal(clock.isConfirmed, false);
  report(clock, 6_000);
  assert.equal(clock.isConfirmed, true);
});

test('reports in one burst are one witness', () => {
  const clock = new SenderClock(RATE);
  clock.onSenderReport(UTC, 0, 0);
  clock.onSenderReport(UTC, 0, 1);
  clock.onSenderReport(UTC, 0, 2);
  assert.equal(clock.isConfirmed, false);
});

test('a report that differs a little is slewed in: no step where it came, all of it 5 s later', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  report(clock, 5_000, 20);
  assert.equal(errorAt(clock, 5_000), 0);
  assert.equal(errorAt(clock, 7_500), 10);
  assert.equal(errorAt(clock, 10_000), 20);
  assert.equal(errorAt(clock, 60_000), 20);
  // Frames that are still on their way to the screen keep their time.
  assert.equal(errorAt(clock, 4_000), 0);
});

test('a larger difference takes longer: the map never runs off by more than half a percent', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  report(clock, 5_000, 400);
  assert.ok(Math.abs(errorAt(clock, 6_000) - 5) < 1e-6);
  assert.ok(Math.abs(errorAt(clock, 5_000 + 80_000) - 400) < 1e-6);
});

test('a camera clock that drifts by 200 ppm is followed within 2 ms', () => {
  const clock = new SenderClock(RATE);
  for (let ms = 0; ms <= 600_000; ms += 5_000) {
    clock.onSenderReport(UTC + ms * 1.0002, ticksAt(ms), ms);
    const shown = clock.utcOf(ticksAt(ms + 2_500)) ?? 0;
    assert.ok(Math.abs(shown - (UTC + (ms + 2_500) * 1.0002)) < 2);
  }
  assert.equal(clock.ignoredReports, 0);
});

test('a report that is an hour off is ignored, and so are three that disagree with one another', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  report(clock, 5_000);
  report(clock, 10_000, 3_600_000);
  report(clock, 15_000, -90_000);
  report(clock, 20_000, 7_000);
  assert.equal(errorAt(clock, 21_000), 0);
  assert.equal(clock.ignoredReports, 3);
  assert.equal(clock.epoch, 0);
  report(clock, 25_000);
  assert.equal(errorAt(clock, 26_000), 0);
});

test('a camera clock that was set by an hour is followed when three reports in a row say so, at one step', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  report(clock, 5_000);
  report(clock, 10_000, 3_600_000);
  report(clock, 15_000, 3_600_000);
  assert.equal(errorAt(clock, 16_000), 0);
  report(clock, 20_000, 3_600_000);
  assert.equal(errorAt(clock, 21_000), 3_600_000);
  assert.equal(clock.epoch, 1);
  assert.equal(clock.isConfirmed, true);
});

test('one good report in between stops the others from being believed', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  report(clock, 5_000);
  report(clock, 10_000, 60_000);
  report(clock, 15_000, 60_000);
  report(clock, 20_000);
  report(clock, 25_000, 60_000);
  assert.equal(errorAt(clock, 26_000), 0);
  assert.equal(clock.epoch, 0);
});

test('a wrong first report is overruled by two that agree', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0, -1_600_000_000_000);
  report(clock, 5_000);
  assert.equal(errorAt(clock, 5_000), -1_600_000_000_000);
  report(clock, 10_000);
  assert.equal(errorAt(clock, 11_000), 0);
  assert.equal(clock.epoch, 1);
});

test('after a reset nothing is known, and times do not compare with those before', () => {
  const clock = new SenderClock(RATE);
  report(clock, 0);
  clock.reset();
  assert.equal(clock.utcOf(0), null);
  assert.equal(clock.epoch, 1);
});

test('reports that are no numbers are ignored', () => {
  const clock = new SenderClock(RATE);
  clock.onSenderReport(Number.NaN, 0, 0);
  clock.onSenderReport(UTC, Number.POSITIVE_INFINITY, 0);
  assert.equal(clock.isKnown, false);
});

test('whatever the reports within the agreement say, the time runs steadily forward', () => {
  const reports = fc.array(
    fc.record({ gapMs: fc.integer({ min: 600, max: 20_000 }), errorMs: fc.integer({ min: -200, max: 200 }) }),
    {
      minLength: 1,
      maxLength: 50,
    },
  );
  fc.assert(
    fc.property(reports, (all) => {
      const clock = new SenderClock(RATE);
      let ms = 0;
      report(clock, ms);
      let last = clock.utcOf(ticksAt(ms)) ?? 0;
      for (const { gapMs, errorMs } of all) {
        for (let step = 1; step <= 10; step++) {
          const utc = clock.utcOf(ticksAt(ms + (gapMs * step) / 10)) ?? 0;
          const rate = (utc - last) / (gapMs / 10);
          assert.ok(rate > 0.9949 && rate < 1.0051, `ran at ${rate}`);
          last = utc;
        }
        ms += gapMs;
        report(clock, ms, errorMs);
        const after = clock.utcOf(ticksAt(ms)) ?? 0;
        assert.ok(Math.abs(after - last) < 0.001, 'stepped at a report');
      }
    }),
  );
});

test('how far it may be off is how far the newest reports were', () => {
  const clock = new SenderClock(RATE);
  const uncertainty = (): number => clock.captureAt(0)?.uncertainty ?? Number.NaN;
  assert.equal(clock.captureAt(0), null);
  report(clock, 0);
  assert.equal(uncertainty(), 0.5, 'a single one may be as wrong as reports may be');
  report(clock, 5_000);
  assert.equal(uncertainty(), 0);
  report(clock, 10_000, 40);
  assert.ok(Math.abs(uncertainty() - 0.04) < 1e-6);
  for (let ms = 15_000; ms < 120_000; ms += 5_000) report(clock, ms, 40);
  assert.ok(uncertainty() < 0.001, 'it is forgotten as others agree');
});

test('drift is told after a minute, and anew where RTP time begins anew', () => {
  const clock = new SenderClock(90_000);
  const report = (seconds: number, ticks: number) =>
    clock.onSenderReport(1_700_000_000_000 + seconds * 1_000, ticks, seconds * 1_000);
  for (let seconds = 0; seconds < 60; seconds += 5) report(seconds, seconds * 90_000 * 1.0003);
  assert.equal(clock.drift, null);
  report(60, 60 * 90_000 * 1.0003);
  assert.ok(Math.abs((clock.drift ?? 0) - 0.0003) < 1e-9, `${clock.drift}`);
  report(65, 0);
  assert.equal(clock.drift, null);
  report(130, 65 * 90_000 * 0.9999);
  assert.ok(Math.abs((clock.drift ?? 0) + 0.0001) < 1e-9, `${clock.drift}`);
  clock.reset();
  assert.equal(clock.drift, null);
});
