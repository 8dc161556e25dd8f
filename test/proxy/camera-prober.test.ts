import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CameraProber } from '../../proxy/camera-prober.js';
import { CredentialsGate } from '../../proxy/credentials-gate.js';
import { StreamError } from '../../shared/errors.js';
import { ManualClock, settle } from './manual-clock.js';

const refused = (): StreamError => new StreamError('camera-refused', 'refused');

/** A camera that is switched on and off; connections are numbers. */
class FakeCamera {
  isOn = true;
  answers = true;
  failure = refused();
  dials = 0;
  verified: number[] = [];
  discarded: number[] = [];
  reports: (string | null)[] = [];

  report(failure: StreamError | null): void {
    this.reports.push(failure?.code ?? null);
  }

  async connect(): Promise<number> {
    this.dials++;
    if (!this.isOn) throw this.failure;
    return this.dials;
  }

  async verify(connection: number): Promise<void> {
    if (!this.answers) throw new StreamError('timeout', 'no answer');
    this.verified.push(connection);
  }

  discard(connection: number): void {
    this.discarded.push(connection);
  }
}

function start(): { camera: FakeCamera; clock: ManualClock; prober: CameraProber<number> } {
  const camera = new FakeCamera();
  const clock = new ManualClock();
  return { camera, clock, prober: new CameraProber(camera, clock) };
}

const signal = new AbortController().signal;
const outcome = (promise: Promise<number>): Promise<string> =>
  promise.then(
    (connection) => `connected ${connection}`,
    (error: StreamError) => error.code,
  );

describe('a camera and its viewers', () => {
  test('the first viewer’s connection is a probe, which others wait for; later ones dial for themselves', async () => {
    const { camera, prober } = start();
    const first = [1, 2, 3].map(() => outcome(prober.connect(1_000, signal)));
    assert.equal(camera.dials, 0);
    assert.deepEqual(await Promise.all(first), ['connected 1', 'connected 2', 'connected 3']);
    assert.deepEqual(camera.verified, [1]);
    assert.equal(await outcome(prober.connect(1_000, signal)), 'connected 4');
    assert.deepEqual(camera.verified, [1]);
  });

  test('a dead camera is probed once for all, with a back-off, and each viewer is told in its own time', async () => {
    const { camera, clock, prober } = start();
    camera.isOn = false;
    const results: string[] = [];
    for (let viewer = 0; viewer < 100; viewer++) {
      void outcome(prober.connect(1_000 + 100 * viewer, new AbortController().signal)).then((result) =>
        results.push(result),
      );
    }
    await clock.advance(999);
    assert.equal(results.length, 0);
    // At 0, 250 and 750 ms.
    assert.equal(camera.dials, 3);
    await clock.advance(1_001);
    assert.equal(results.length, 11);
    await clock.advance(20_000);
    assert.equal(results.length, 100);
    assert.deepEqual([...new Set(results)], ['camera-refused']);
    assert.ok(camera.dials <= 10, `${camera.dials} dials`);
    assert.equal(clock.pending, 0);
  });

  test('those who wait are connected when it is back, and only the probe asks it something', async () => {
    const { camera, clock, prober } = start();
    camera.isOn = false;
    const results = [1, 2, 3].map(() => outcome(prober.connect(8_000, signal)));
    await clock.advance(3_000);
    const before = camera.dials;
    camera.isOn = true;
    await clock.advance(2_000);
    assert.deepEqual(
      await Promise.all(results),
      [1, 2, 3].map((n) => `connected ${before + n}`),
    );
    assert.deepEqual(camera.verified, [before + 1]);
    assert.deepEqual(camera.reports, ['camera-refused', null]);
    assert.equal(clock.pending, 0);
  });

  test('a camera that takes connections but does not answer is as dead', async () => {
    const { camera, clock, prober } = start();
    camera.answers = false;
    const results = [1, 2, 3].map(() => outcome(prober.connect(1_000, signal)));
    await clock.advance(1_000);
    assert.deepEqual(await Promise.all(results), ['timeout', 'timeout', 'timeout']);
    assert.deepEqual(
      camera.discarded,
      Array.from({ length: camera.dials }, (_, index) => index + 1),
    );
  });

  test('a viewer that meets a failure is held like the others', async () => {
    const { camera, clock, prober } = start();
    await prober.connect(1_000, signal);
    camera.isOn = false;
    const result = outcome(prober.connect(5_000, signal));
    await clock.advance(500);
    camera.isOn = true;
    await clock.advance(3_000);
    assert.match(await result, /^connected/);
  });

  test('a camera that closed a connection is probed by the next viewer, without waiting', async () => {
    const { camera, prober } = start();
    await prober.connect(1_000, signal);
    prober.doubt();
    await Promise.all([prober.connect(1_000, signal), prober.connect(1_000, signal)]);
    assert.deepEqual(camera.verified, [1, 2]);
  });

  test('what no waiting helps is told at once', async () => {
    const { camera, clock, prober } = start();
    camera.isOn = false;
    camera.failure = new StreamError('camera-rejects-credentials', 'rejected');
    const results = [1, 2].map(() => outcome(prober.connect(8_000, signal)));
    await clock.advance(0);
    assert.deepEqual(await Promise.all(results), ['camera-rejects-credentials', 'camera-rejects-credentials']);
    assert.equal(camera.dials, 1);
  });

  test('a viewer that goes away is forgotten, and its probe is not kept open', async () => {
    const { camera, clock, prober } = start();
    const abort = new AbortController();
    const result = outcome(prober.connect(8_000, abort.signal));
    abort.abort();
    assert.equal(await result, 'aborted');
    await clock.advance(1_000);
    assert.deepEqual(camera.discarded, camera.dials === 0 ? [] : [1]);
    assert.equal(await outcome(prober.connect(8_000, abort.signal)), camera.dials === 0 ? 'aborted' : 'connected 2');
  });
});

describe('credentials', () => {
  test('that are not known to be right are tried by one at a time', async () => {
    const gate = new CredentialsGate(new ManualClock(), 60_000);
    assert.equal(await gate.enter(), true);
    const others: boolean[] = [];
    void gate.enter().then((isTest) => others.push(isTest));
    void gate.enter().then((isTest) => others.push(isTest));
    await settle();
    assert.deepEqual(others, []);
    gate.abandon();
    await settle();
    assert.deepEqual(others, [true]);
    gate.accept();
    await settle();
    assert.deepEqual(others, [true, false]);
    assert.equal(await gate.enter(), false);
    gate.doubt();
    assert.equal(await gate.enter(), true);
  });

  test('that were rejected are not tried again for a minute', async () => {
    const clock = new ManualClock();
    const gate = new CredentialsGate(clock, 60_000);
    await gate.enter();
    const waiting = gate.enter();
    gate.reject();
    await assert.rejects(waiting, { code: 'camera-rejects-credentials' });
    await clock.advance(59_999);
    await assert.rejects(gate.enter(), { code: 'camera-rejects-credentials' });
    assert.notEqual(gate.rejection, null);
    await clock.advance(1);
    assert.equal(gate.rejection, null);
    assert.equal(await gate.enter(), true);
  });
});
