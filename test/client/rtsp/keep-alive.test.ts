import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeepAlive, type KeepAliveMethod } from '../../../client/rtsp/keep-alive.js';
import type { Clock } from '../../../shared/clock.js';
import { ManualClock } from '../../proxy/manual-clock.js';
import { advanceTo, openSession } from './session-fixture.js';

interface Options {
  /** Methods that the server lists; null when it lists none. */
  listed?: readonly KeepAliveMethod[] | null;
  /** What becomes of a method: accepted unless said otherwise. */
  outcome?: (method: KeepAliveMethod) => Promise<boolean>;
  clock?: Clock;
}

function makeKeepAlive({ listed = null, outcome = () => Promise.resolve(true), clock }: Options = {}) {
  const manual = new ManualClock();
  const sent: [method: KeepAliveMethod, atMs: number][] = [];
  const state = { timeoutMs: 60_000 };
  const keepAlive = new KeepAlive({
    clock: clock ?? manual,
    timeoutMs: () => state.timeoutMs,
    supports: (method) => listed?.includes(method) ?? null,
    send: (method) => {
      sent.push([method, manual.now()]);
      return outcome(method);
    },
  });
  return { keepAlive, clock: manual, sent, state };
}

test('GET_PARAMETER at half the session’s time-out, again and again', async () => {
  const { keepAlive, clock, sent } = makeKeepAlive();
  keepAlive.start();
  await clock.advance(29_999);
  assert.deepEqual(sent, []);
  await clock.advance(60_001);
  assert.deepEqual(sent, [
    ['GET_PARAMETER', 30_000],
    ['GET_PARAMETER', 60_000],
    ['GET_PARAMETER', 90_000],
  ]);
});

test('a time-out that shrinks or grows counts from then on', async () => {
  const { keepAlive, clock, sent, state } = makeKeepAlive();
  keepAlive.start();
  state.timeoutMs = 120_000;
  await clock.advance(59_999);
  assert.deepEqual(sent, []);
  await clock.advance(1);
  assert.equal(sent.length, 1);
  state.timeoutMs = 10_000;
  await clock.advance(4_999);
  keepAlive.poll();
  assert.equal(sent.length, 1);
  await clock.advance(1);
  keepAlive.poll();
  assert.equal(sent.length, 2);
});

test('a hidden page’s timers sleep: data that arrives sends what is due, once', async () => {
  let now = 0;
  // Timers that never run.
  const asleep: Clock = { now: () => now, utc: () => now, schedule: () => () => {} };
  const { keepAlive, sent } = makeKeepAlive({ clock: asleep });
  keepAlive.poll();
  keepAlive.start();
  now = 29_999;
  keepAlive.poll();
  assert.equal(sent.length, 0);
  now = 31_000;
  keepAlive.poll();
  keepAlive.poll();
  assert.equal(sent.length, 1);
  now = 61_000;
  keepAlive.poll();
  assert.equal(sent.length, 2);
});

test('a server that lists its methods without GET_PARAMETER gets OPTIONS', async () => {
  const { keepAlive, clock, sent } = makeKeepAlive({ listed: ['OPTIONS', 'SET_PARAMETER'] });
  keepAlive.start();
  await clock.advance(30_000);
  assert.deepEqual(sent, [['OPTIONS', 30_000]]);
});

test('EvoStream, Hipcam, TP-Link: what is refused or not answered makes way for the next method', async () => {
  const cases: [accepts: KeepAliveMethod, listed: readonly KeepAliveMethod[] | null][] = [
    ['GET_PARAMETER', ['OPTIONS']],
    ['GET_PARAMETER', ['SET_PARAMETER']],
    ['OPTIONS', null],
    ['OPTIONS', ['SET_PARAMETER', 'GET_PARAMETER']],
    ['SET_PARAMETER', null],
  ];
  for (const [accepts, listed] of cases) {
    for (const refuse of [() => Promise.resolve(false), () => Promise.reject(new Error('no answer'))]) {
      const outcome = (method: KeepAliveMethod) => (method === accepts ? Promise.resolve(true) : refuse());
      const { keepAlive, clock, sent } = makeKeepAlive({ listed, outcome });
      keepAlive.start();
      await clock.advance(150_000);
      assert.deepEqual(
        sent.slice(2).map(([method]) => method),
        [accepts, accepts, accepts],
        `${accepts} with ${listed}`,
      );
    }
  }
});

test('a server that accepts nothing is still asked, by each method in turn', async () => {
  const { keepAlive, clock, sent } = makeKeepAlive({ outcome: () => Promise.resolve(false) });
  keepAlive.start();
  await clock.advance(180_000);
  const methods = sent.map(([method]) => method);
  assert.deepEqual(methods, [...methods.slice(0, 3), ...methods.slice(0, 3)]);
  assert.equal(new Set(methods).size, 3);
});

test('stopped, it sends nothing and leaves no timer', async () => {
  const { keepAlive, clock, sent } = makeKeepAlive();
  keepAlive.start();
  keepAlive.stop();
  keepAlive.stop();
  keepAlive.poll();
  await clock.advance(100_000);
  assert.deepEqual(sent, []);
  assert.equal(clock.pending, 0);
});

test('in a session: at half its time-out, about the base URL, and a refusal is not fatal', async (t) => {
  const headers = { Session: '12345678;timeout=20' };
  const { session, camera, clock } = await openSession(t, {
    on: {
      PLAY: (request, connection) => connection.reply(request, { headers }),
      GET_PARAMETER: (request, connection) => connection.reply(request, { status: 454, headers }),
      SET_PARAMETER: (request, connection) => connection.reply(request, { headers }),
    },
  });
  await advanceTo(session, 'playing');
  await clock.advance(10_000);
  const refused = await camera.waitForRequest('GET_PARAMETER');
  assert.equal(refused.url, `${camera.url()}/`);
  assert.equal(refused.headers.get('Session'), '12345678');
  // The refusal has to arrive before the next one is due.
  await session.setParameter('');
  await clock.advance(10_000);
  await camera.waitForRequest('OPTIONS');
  assert.equal(session.state, 'playing');
});

test('some: no reply to a keep-alive holds up nothing', async (t) => {
  const { session, camera, clock } = await openSession(t, { on: { GET_PARAMETER: () => {} } });
  await advanceTo(session, 'playing');
  await clock.advance(30_000);
  await camera.waitForRequest('GET_PARAMETER');
  await session.pause();
  await session.play();
  await clock.advance(30_000);
  await camera.waitForRequest('OPTIONS');
  assert.equal(session.state, 'playing');
});

test('in a session whose timers sleep: data that arrives sends it', async (t) => {
  let now = 0;
  const asleep: Clock = { now: () => now, utc: () => now, schedule: () => () => {} };
  const { session, camera } = await openSession(t, {}, { clock: asleep });
  await advanceTo(session, 'playing');
  now = 30_001;
  // The camera sends its clip all the time.
  await camera.waitForRequest('GET_PARAMETER');
});

test('paused, the session is kept alive too; after TEARDOWN it is not', async (t) => {
  const { session, camera, clock, methods } = await openSession(t);
  await advanceTo(session, 'playing');
  await session.pause();
  await clock.advance(30_000);
  await camera.waitForRequest('GET_PARAMETER');
  await session.teardown();
  await clock.advance(100_000);
  assert.deepEqual(methods().slice(3), ['PAUSE', 'GET_PARAMETER', 'TEARDOWN']);
  assert.equal(clock.pending, 0);
});
