import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { latencyPolicy } from '../../../client/playback/latency.js';
import { LiveEdge } from '../../../client/playback/live-edge.js';

/** Displacement of every second frame in `low`. */
const CADENCE_S = 0.011;

/** A media element: its playhead runs at rate 1 from the first frame on, unless it is held. */
class Viewer {
  now = 5_000;
  playhead = 0;
  isHeld = false;
  readonly places: number[] = [];

  constructor(readonly edge: LiveEdge) {}

  advance(seconds: number): void {
    this.now += seconds;
    if (!this.isHeld && this.places.length > 0) this.playhead += seconds;
  }

  place(sourceTime: number): number {
    const place = this.edge.place(sourceTime, this.now, this.playhead);
    this.places.push(place);
    return place;
  }

  /** Frames of 40 ms in camera time, each of which arrives `delay(i)` late; returns how long each then waits. */
  run(count: number, from: number, delay: (index: number) => number = () => 0, rate = 1): number[] {
    const start = this.now;
    const arrivals = Array.from({ length: count }, (_, i) => ({ i, at: start + (i * 0.04) / rate + delay(i) }));
    const waits: number[] = [];
    let earliest = start;
    for (const { i, at } of arrivals) {
      // TCP: none overtakes another.
      earliest = Math.max(earliest, at);
      this.advance(Math.max(0, earliest - this.now));
      waits.push(this.place(from + i * 0.04) - this.playhead);
    }
    return waits;
  }
}

const viewer = (latency: Parameters<typeof latencyPolicy>[0]) => new Viewer(new LiveEdge(latencyPolicy(latency)));
const maximum = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const minimum = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Numbers from 0 to 1 that are the same in each run. */
function pseudoRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function assertSteps(places: readonly number[], greatest = 1.9): void {
  for (let i = 1; i < places.length; i++) {
    const step = (places[i] ?? 0) - (places[i - 1] ?? 0);
    assert.ok(step > 0 && step <= greatest + 1e-9, `step ${step} at frame ${i}`);
  }
}

test('the first frame shows at once, whatever the delay: nothing starts in a gap', () => {
  for (const latency of ['low', 'balanced', 'smooth', 0, 1_500, 30_000] as const) {
    const { edge } = viewer(latency);
    assert.equal(edge.place(77, 1, 0), 0, `${latency}`);
  }
});

test('on an even network a frame waits for the margin alone', () => {
  const low = viewer('low').run(250, 10).slice(50);
  assert.ok(maximum(low) <= CADENCE_S + 1e-6 && minimum(low) >= -1e-6, `${minimum(low)} to ${maximum(low)}`);
  const balanced = viewer('balanced').run(250, 10).slice(50);
  assert.ok(Math.abs(maximum(balanced) - 0.06) < 1e-6 && Math.abs(minimum(balanced) - 0.06) < 1e-6);
  const exact = viewer(800).run(250, 10).slice(50);
  assert.ok(Math.abs(mean(exact) - 0.8) < 1e-6, `${mean(exact)}`);
});

test('in low, every second frame is out of step by two thirds of a refresh', () => {
  const subject = viewer('low');
  subject.run(100, 0);
  const steps = subject.places.slice(50).map((place, i, all) => (i === 0 ? 0.04 : place - (all[i - 1] ?? 0)));
  for (const step of steps.slice(1)) {
    assert.ok(Math.abs(Math.abs(step - 0.04) - CADENCE_S) < 1e-6, `${step}`);
  }
});

test('the stored group of pictures of a server collapses to the edge', () => {
  const subject = viewer('low');
  for (let i = 0; i < 75; i++) subject.place(i * 0.04);
  assert.ok((subject.places.at(-1) ?? 1) < 0.15, `${subject.places.at(-1)}`);
  const waits = subject.run(100, 3);
  assert.ok(maximum(waits.slice(75)) < 0.03, `${maximum(waits.slice(75))}`);
  assertSteps(subject.places);
});

test('a burst after a stall collapses to the edge, and what follows is on time', () => {
  const subject = viewer('low');
  subject.run(250, 0);
  // 2 s of silence, in which the playhead stops after the last frame's declared second.
  subject.advance(1);
  subject.isHeld = true;
  subject.advance(1);
  subject.isHeld = false;
  for (let i = 0; i < 50; i++) subject.place(10 + i * 0.04);
  const last = (subject.places.at(-1) ?? 0) - subject.playhead;
  assert.ok(last <= 0.26 && last > -1, `the newest frame is ${last} s ahead`);
  const waits = subject.run(500, 12);
  assert.ok(maximum(waits.slice(-100)) < 0.1, `${maximum(waits.slice(-100))}`);
  assertSteps(subject.places);
});

test('a camera whose clock drifts by 200 ppm stays at the edge for an hour, without a step to be seen', () => {
  for (const rate of [1.0002, 0.9998]) {
    const subject = viewer('balanced');
    const waits = subject.run(90_000, 0, () => 0, rate).slice(100);
    assert.ok(maximum(waits) < 0.08 && minimum(waits) > 0.04, `${rate}: ${minimum(waits)} to ${maximum(waits)}`);
    const steps = subject.places.slice(100).map((place, i, all) => (i === 0 ? 0.04 : place - (all[i - 1] ?? 0)));
    assert.ok(maximum(steps) < 0.042 && minimum(steps) > 0.038);
  }
});

test('jitter of 0 to 150 ms is paid for with about its quantile, and given back within ten seconds', () => {
  const random = pseudoRandom();
  const jitter = () => 0.15 * random();
  const { edge } = viewer('low');
  const subject = new Viewer(edge);
  subject.run(500, 0, jitter);
  assert.ok(edge.delay > 0.11 && edge.delay < 0.155, `${edge.delay}`);
  const jittered = subject.run(250, 20, jitter);
  const late = jittered.filter((wait) => wait < -0.005).length / jittered.length;
  assert.ok(late < 0.2, `${late} of the frames come after their time`);
  const calm = subject.run(400, 30);
  assert.ok(edge.delay < 0.005, `${edge.delay}`);
  assert.ok(maximum(calm.slice(-100)) < 0.03, `${maximum(calm.slice(-100))}`);
  assertSteps(subject.places);
});

test('time stamps that begin anew, hours off or at 0, are placed at the edge at once', () => {
  for (const restart of [0, 50_000]) {
    const subject = viewer('low');
    subject.run(100, 1_000);
    const waits = subject.run(100, restart);
    assert.ok(maximum(waits) < 0.06 && minimum(waits) > -0.06, `${minimum(waits)} to ${maximum(waits)}`);
    assertSteps(subject.places);
  }
});

test('while the playhead is held, frames gather in front of it, in order', () => {
  const subject = viewer('low');
  subject.run(100, 0);
  subject.isHeld = true;
  subject.run(250, 4);
  assert.ok((subject.places.at(-1) ?? 9) - subject.playhead < 0.4);
  subject.isHeld = false;
  const waits = subject.run(400, 14);
  assert.ok(maximum(waits.slice(-50)) < 0.05, `${maximum(waits.slice(-50))}`);
  assertSteps(subject.places);
});

test('a frame every 5 s keeps up with the playhead: the declared duration grows with the interval', () => {
  const subject = viewer('low');
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    waits.push(subject.place(i * 5) - subject.playhead);
    const end = (subject.places.at(-1) ?? 0) + subject.edge.duration;
    subject.advance(5);
    subject.playhead = Math.min(subject.playhead, end);
  }
  assert.equal(subject.edge.duration, 20);
  assert.ok(Math.abs(waits.at(-1) ?? 9) < 0.1, `${waits}`);
});

test('in step with the sound, the target is kept to, and a jump of it is followed', () => {
  const edge = new LiveEdge(latencyPolicy('balanced'));
  const placeAt = (i: number, soundOffset: number) =>
    edge.placeAt(i * 0.04, i * 0.04, i * 0.04, i * 0.04 + soundOffset);
  assert.equal(placeAt(0, 0.26), 0);
  for (let i = 1; i < 100; i++) assert.ok(Math.abs(placeAt(i, 0.26) - (i * 0.04 + 0.26)) < 1e-9);
  assert.ok(Math.abs(placeAt(100, 0.5) - 4.5) < 1e-9);
});

test('places always grow, and never by more than Chromium takes, whatever camera and network do', () => {
  const frame = fc.record({
    source: fc.oneof(
      { weight: 8, arbitrary: fc.constant(0.04) },
      { weight: 2, arbitrary: fc.double({ min: -5, max: 40, noNaN: true }) },
    ),
    wait: fc.oneof(
      { weight: 8, arbitrary: fc.constant(0.04) },
      { weight: 2, arbitrary: fc.double({ min: 0, max: 20, noNaN: true }) },
    ),
    held: fc.boolean(),
  });
  const frames = fc.array(frame, { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(frames, fc.constantFrom('low', 'balanced', 'smooth', 2_500), (events, latency) => {
      const subject = viewer(latency as 'low');
      let source = 0;
      let duration = 1;
      let last = Number.NaN;
      for (const event of events) {
        source += event.source;
        subject.isHeld = event.held;
        subject.advance(event.wait);
        const place = subject.place(source);
        assert.ok(Number.isFinite(place));
        if (!Number.isNaN(last)) assert.ok(place > last && place - last <= 1.9 * duration + 1e-6, `${last} ${place}`);
        last = place;
        duration = subject.edge.duration;
      }
    }),
    { numRuns: 200 },
  );
});
