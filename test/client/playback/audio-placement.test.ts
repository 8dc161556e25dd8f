import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AudioPlacement, START_LEAD_S } from '../../../client/playback/audio-placement.js';
import { latencyPolicy } from '../../../client/playback/latency.js';

/** AAC at 48 kHz. */
const UNIT = 1_024 / 48_000;

const placement = (latency: Parameters<typeof latencyPolicy>[0] = 'low') =>
  new AudioPlacement(UNIT, latencyPolicy(latency));

test('the first unit comes after enough silence for Chromium to start', () => {
  const subject = placement();
  const { silentUnits, silenceAt, at } = subject.place(1_000, 0);
  assert.equal(silenceAt, 0);
  assert.equal(at, silentUnits);
  assert.ok(subject.end >= START_LEAD_S && subject.end < START_LEAD_S + UNIT, `${subject.end}`);
  assert.ok(Math.abs(subject.offset - (silentUnits * UNIT - 1_000)) < 1e-9);
});

test('a longer lead is there from the start', () => {
  const subject = placement(2_000);
  subject.place(0, 0);
  assert.ok(subject.end >= 2 + UNIT && subject.end < 2 + 2 * UNIT, `${subject.end}`);
});

test('units are placed by count, whatever the rounding of their times', () => {
  const subject = placement();
  const first = subject.place(0, 0).at ?? 0;
  for (let i = 1; i < 10_000; i++) {
    // An 8 kHz RTP clock, rounded, that is off by up to half a unit now and then.
    const time = Math.round(i * UNIT * 8_000) / 8_000 + (i % 7 === 0 ? 0.5 * UNIT : 0);
    const { silentUnits, at } = subject.place(time, 0.04 + i * UNIT);
    assert.equal(silentUnits, 0);
    assert.equal(at, first + i);
  }
});

test('lost units become as many silent ones', () => {
  const subject = placement();
  const first = subject.place(0, 0).at ?? 0;
  const { silentUnits, silenceAt, at } = subject.place(6 * UNIT, 0.01);
  assert.deepEqual({ silentUnits, silenceAt, at }, { silentUnits: 5, silenceAt: first + 1, at: first + 6 });
});

test('a jump of the time stamps is a new time line, not a gap', () => {
  for (const jump of [40_000, -40_000, 3.5]) {
    const subject = placement();
    subject.place(50_000, 0);
    const end = subject.end;
    const { silentUnits } = subject.place(50_000 + UNIT + jump, end - 0.2);
    assert.ok(silentUnits <= 1, `${silentUnits}`);
  }
});

test('what comes when its place is taken is dropped; if that goes on, the places move', () => {
  const subject = placement();
  let playhead = 0;
  for (let i = 0; i < 50; i++) subject.place(i * UNIT, playhead);
  // The sound stops; silence goes on.
  playhead = subject.end + 0.3;
  const { silentUnits } = subject.keepAhead(playhead);
  assert.ok(silentUnits > 10);
  const before = subject.offset;
  let dropped = 0;
  let taken = 0;
  for (let i = 50; i < 120; i++) {
    const { at } = subject.place(i * UNIT, playhead);
    if (at === null) dropped++;
    else taken++;
    playhead += UNIT;
    subject.keepAhead(playhead);
  }
  assert.ok(dropped >= 15 && dropped <= 26, `${dropped} dropped`);
  assert.ok(taken > 40);
  assert.ok(subject.end - playhead >= 0.1, 'it is ahead of the playhead again');
  assert.ok(subject.offset >= before);
});

test('a burst that comes after silence took its place is dropped, and what follows is in place', () => {
  const subject = placement();
  for (let i = 0; i < 50; i++) subject.place(i * UNIT, 0.01);
  const end = subject.end;
  subject.keepAhead(end + 0.1);
  const offset = subject.offset;
  const gone = Math.round((subject.end - end) / UNIT);
  for (let i = 0; i < gone; i++) assert.equal(subject.place((50 + i) * UNIT, end).at, null);
  const { silentUnits, at } = subject.place((50 + gone) * UNIT, end);
  assert.equal(silentUnits, 0);
  assert.notEqual(at, null);
  assert.equal(subject.offset, offset);
});

test('keepAhead() adds nothing while enough is there, and enough when it is not', () => {
  const subject = placement();
  subject.place(0, 0);
  assert.equal(subject.keepAhead(subject.end - 0.13).silentUnits, 0);
  const playhead = subject.end - 0.1;
  const before = subject.end;
  const { silentUnits, silenceAt } = subject.keepAhead(playhead);
  assert.ok(silentUnits > 0);
  assert.ok(Math.abs(silenceAt * UNIT - before) < 1e-9);
  assert.ok(subject.end - playhead >= 0.14 && subject.end - playhead < 0.2);
});

/** Plays for `seconds` of wall clock; the sound's lead at the end, with the units that were left out. */
function play(subject: AudioPlacement, seconds: number, playhead: number) {
  let position = playhead;
  let rate = 1;
  let leftOut = 0;
  const count = Math.round(seconds / UNIT);
  for (let i = 1; i <= count; i++) {
    position += UNIT * rate;
    if (subject.place(i * UNIT, position).at === null) leftOut++;
    subject.keepAhead(position);
    rate = subject.rate(position, i * UNIT);
    assert.ok(rate === 1 || Math.abs(rate - 1) <= 0.0101, `${rate}`);
  }
  return { lead: subject.end - position, leftOut, rate };
}

test('a lead that is a little too long is shortened by speed alone', () => {
  const subject = placement();
  subject.place(0, 0);
  const { lead, leftOut } = play(subject, 30, subject.end - 0.2);
  assert.equal(leftOut, 0);
  assert.ok(Math.abs(lead - 0.155) < 0.035, `${lead}`);
});

test('a lead that is much too long, after a late start, is shortened at once by leaving units out', () => {
  const late = placement();
  late.place(0, 0);
  // The playhead started 400 ms later than the sound was placed for.
  const { lead, leftOut } = play(late, 3, late.end - 0.6);
  assert.ok(leftOut >= 15 && leftOut <= 22, `${leftOut} left out`);
  assert.ok(lead < 0.22, `${lead}`);
});

test('units of 128 ms (AAC at 8 kHz) leave as much ahead as short ones, and need no silence', () => {
  for (const unit of [1_024 / 8_000, 1_024 / 16_000, UNIT]) {
    const subject = new AudioPlacement(unit, latencyPolicy('low'));
    let playhead = 0;
    let rate = 1;
    let least = Number.POSITIVE_INFINITY;
    subject.place(0, 0);
    for (let now = 0.02; now < 60; now += 0.02) {
      playhead += 0.02 * rate;
      const count = Math.floor(now / unit);
      if (count > Math.floor((now - 0.02) / unit)) {
        subject.place(count * unit, playhead);
        rate = subject.rate(playhead, now);
      }
      const { silentUnits } = subject.keepAhead(playhead);
      if (now < 10) continue;
      assert.equal(silentUnits, 0);
      least = Math.min(least, subject.end - playhead);
    }
    assert.ok(Math.abs(least - 0.134) < 0.03, `${least}`);
  }
});

test('before the playhead moves there is no lead to correct', () => {
  const subject = placement();
  subject.place(0, 0);
  for (let i = 1; i < 100; i++) {
    subject.place(i * UNIT, 0);
    assert.equal(subject.rate(0, i * UNIT), 1);
  }
});

test('places never overlap and never leave a hole, whatever comes', () => {
  const event = fc.record({
    step: fc.oneof(
      { weight: 6, arbitrary: fc.constant(UNIT) },
      { weight: 2, arbitrary: fc.double({ min: -6, max: 6, noNaN: true }) },
    ),
    play: fc.double({ min: 0, max: 0.5, noNaN: true }),
    action: fc.constantFrom('place', 'place', 'place', 'keepAhead', 'reset', 'rate'),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      const subject = placement();
      let source = 0;
      let playhead = 0;
      let now = 0;
      let next = 0;
      const take = (silentUnits: number, silenceAt: number, at: number | null, isUnit: boolean) => {
        assert.ok(Number.isInteger(silentUnits) && silentUnits >= 0);
        assert.equal(silenceAt, next);
        next += silentUnits;
        if (!isUnit || at === null) return;
        assert.equal(at, next);
        next++;
      };
      for (const { step, play: played, action } of events) {
        source += step;
        now += played;
        playhead = Math.max(playhead, Math.min(playhead + played, subject.end));
        if (action === 'reset') subject.reset();
        else if (action === 'rate') assert.ok(Math.abs(subject.rate(playhead, now) - 1) <= 0.0101);
        else if (action === 'keepAhead') {
          const { silentUnits, silenceAt } = subject.keepAhead(playhead);
          take(silentUnits, silenceAt, null, false);
          assert.ok(subject.end - playhead >= 0.114);
        } else {
          const { silentUnits, silenceAt, at } = subject.place(source, playhead);
          take(silentUnits, silenceAt, at, true);
        }
        assert.ok(Math.abs(subject.end - next * UNIT) < 1e-6);
      }
    }),
    { numRuns: 200 },
  );
});
