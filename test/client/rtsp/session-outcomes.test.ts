import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RtspSession } from '../../../client/rtsp/session.js';
import type { ByteTransport } from '../../../client/transport/byte-transport.js';
import { StreamError } from '../../../shared/errors.js';
import { ManualClock, settle } from '../../proxy/manual-clock.js';
import type { ScriptedConnection } from '../../support/scripted-camera.js';
import { advanceTo, openSession, rejectsWith, rtpFrame, type SessionFixture, sendText } from './session-fixture.js';

/**
 * Every request in its state × everything that can come instead of a good answer: each promise settles, with an error that
 * says what happened, and the session is where it should be.
 */

interface Step {
  method: string;
  state: 'init' | 'ready' | 'playing';
  run(session: RtspSession, signal?: AbortSignal): Promise<unknown>;
}

async function setUpFirst(session: RtspSession, signal?: AbortSignal): Promise<void> {
  const [medium] = (await session.describe()).media;
  assert.ok(medium !== undefined);
  await session.setup(medium, signal);
}

const steps: Step[] = [
  { method: 'DESCRIBE', state: 'init', run: (session, signal) => session.describe(signal) },
  { method: 'OPTIONS', state: 'init', run: (session, signal) => session.options(signal) },
  { method: 'SETUP', state: 'init', run: setUpFirst },
  { method: 'PLAY', state: 'ready', run: (session, signal) => session.play(signal === undefined ? {} : { signal }) },
  { method: 'PAUSE', state: 'playing', run: (session, signal) => session.pause(signal) },
  {
    method: 'PLAY',
    state: 'playing',
    run: (session, signal) => session.play({ range: 'npt=5-', ...(signal ? { signal } : {}) }),
  },
  { method: 'GET_PARAMETER', state: 'playing', run: (session, signal) => session.getParameter(['position'], signal) },
  { method: 'SET_PARAMETER', state: 'ready', run: (session, signal) => session.setParameter('a: b\r\n', signal) },
];

/** Starts a step whose answer is scripted; the request has arrived when this returns. */
async function startStep(
  context: TestContext,
  step: Step,
  respond: (connection: ScriptedConnection, request: Parameters<ScriptedConnection['reply']>[0]) => void,
  signal?: AbortSignal,
): Promise<SessionFixture & { pending: Promise<unknown> }> {
  let isArmed = false;
  const fixture = await openSession(context, {
    on: {
      [step.method]: (request, connection) => {
        if (!isArmed) return connection.answer(request);
        isArmed = false;
        respond(connection, request);
      },
    },
  });
  await advanceTo(fixture.session, step.state);
  const before = fixture.methods().filter((method) => method === step.method).length;
  isArmed = true;
  const pending = step.run(fixture.session, signal);
  pending.catch(() => {});
  await fixture.camera.waitForRequest(step.method, before + 1);
  return { ...fixture, pending };
}

for (const step of steps) {
  const name = `${step.method} in state ${step.state}`;

  test(`${name}: an error status rejects, and the session stays as it was`, async (t) => {
    const { pending, session, events } = await startStep(t, step, (connection, request) => {
      connection.reply(request, { status: 500, reason: 'No luck' });
    });
    const error = await rejectsWith(pending, 'server-error', new RegExp(`\\(${step.method}: 500 No luck\\)`));
    assert.equal(error.status, 500);
    assert.equal(session.state, step.state);
    assert.deepEqual(
      events.filter(({ event }) => event === 'close'),
      [],
    );
  });

  test(`${name}: no answer is a time-out, and an answer that comes too late is ignored`, async (t) => {
    let answerLate = () => {};
    const { pending, session, clock, camera } = await startStep(t, step, (connection, request) => {
      answerLate = () => connection.answer(request);
    });
    await clock.advance(10_000);
    await rejectsWith(pending, 'timeout', new RegExp(`did not answer ${step.method} within 10 s`));
    assert.equal(session.state, step.state);
    answerLate();
    // The next request gets its own answer.
    assert.ok((await session.options()).has('PAUSE'));
    assert.equal(camera.connections.length, 1);
  });

  test(`${name}: abort rejects at once`, async (t) => {
    const controller = new AbortController();
    const { pending, session } = await startStep(t, step, () => {}, controller.signal);
    controller.abort(new Error('the user left'));
    const error = await rejectsWith(pending, 'aborted', new RegExp(step.method));
    assert.match(String(error.cause), /the user left/);
    assert.equal(session.state, step.state);
  });

  const endings: [string, (connection: ScriptedConnection) => void, string][] = [
    ['the camera hangs up', (connection) => connection.end(), 'connection-closed'],
    ['the connection is reset', (connection) => connection.reset(), 'connection-closed'],
    [
      'the connection ends in the middle of the answer',
      (connection) => {
        connection.send('RTSP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nv=0');
        connection.end();
      },
      'connection-closed',
    ],
    ['an answer in HTTP', (connection) => connection.send('HTTP/1.1 400 Bad Request\r\n\r\n'), 'not-rtsp'],
    [
      'an endless header',
      (connection) => connection.send(`RTSP/1.0 200 OK\r\nX: ${'x'.repeat(10_000)}`),
      'message-too-large',
    ],
    [
      'a body longer than the limit',
      (connection) => connection.send('RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n'),
      'message-too-large',
    ],
    [
      'a Content-Length that is none',
      (connection) => connection.send('RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n'),
      'malformed-message',
    ],
  ];
  for (const [ending, end, code] of endings) {
    test(`${name}: ${ending}`, async (t) => {
      const { pending, session, events, until, clock } = await startStep(t, step, (connection) => end(connection));
      const error = await rejectsWith(pending, code);
      await until((all) => all.some(({ event }) => event === 'close'));
      assert.deepEqual(
        events.filter(({ event }) => event === 'close'),
        [{ event: 'close', error }],
      );
      assert.equal(session.state, 'closed');
      // Whoever comes later is told the same, and no timer is left.
      assert.equal(await rejectsWith(session.options(), code), error);
      assert.equal(clock.pending, 0);
    });
  }

  test(`${name}: close by this end rejects what is under way`, async (t) => {
    const { pending, session, events, clock } = await startStep(t, step, () => {});
    session.close();
    session.close();
    await rejectsWith(pending, 'aborted');
    assert.deepEqual(
      events.filter(({ event }) => event === 'close'),
      [{ event: 'close', error: null }],
    );
    assert.equal(session.state, 'closed');
    assert.equal(clock.pending, 0);
    await rejectsWith(session.describe(), 'aborted');
  });

  test(`${name}: teardown while it is under way settles both`, async (t) => {
    const { pending, session, events, clock } = await startStep(t, step, () => {});
    const teardown = session.teardown();
    assert.equal(session.teardown(), teardown);
    if (step.state !== 'init') await clock.advance(0);
    await teardown;
    await rejectsWith(pending, 'aborted');
    assert.equal(events.filter(({ event }) => event === 'close').length, 1);
    assert.equal(session.state, 'closed');
    assert.equal(clock.pending, 0);
  });
}

test('what does not fit the state is refused without a request', async (t) => {
  const { session, methods } = await openSession(t);
  await rejectsWith(session.describe(), 'invalid-state', /DESCRIBE .*idle/);
  await rejectsWith(session.play(), 'invalid-state');
  session.sendRtcp(0, new Uint8Array(8));
  await session.connect();
  await rejectsWith(session.connect(), 'invalid-state');
  await rejectsWith(session.play(), 'invalid-state', /PLAY .*init/);
  await rejectsWith(session.pause(), 'invalid-state');
  session.sendRtcp(0, new Uint8Array(8));
  const { media } = await session.describe();
  await session.setup(media[0] as (typeof media)[0]);
  await rejectsWith(session.describe(), 'invalid-state');
  await session.pause();
  await session.play();
  await rejectsWith(session.setup(media[0] as (typeof media)[0]), 'invalid-state');
  assert.deepEqual(methods(), ['DESCRIBE', 'SETUP', 'PLAY']);
});

test('a session that was never opened closes and tears down quietly', async (t) => {
  const one = await openSession(t);
  one.session.close();
  assert.equal(one.session.state, 'closed');
  await rejectsWith(one.session.connect(), 'aborted');
  const other = await openSession(t);
  await other.session.teardown();
  assert.deepEqual([...one.events, ...other.events], []);
});

test('connect: aborted, closed meanwhile, nobody there', async (t) => {
  const aborted = await openSession(t);
  await rejectsWith(aborted.session.connect(AbortSignal.abort()), 'aborted');
  assert.equal(aborted.session.state, 'closed');

  const closed = await openSession(t);
  const connecting = closed.session.connect();
  closed.session.close();
  assert.equal(closed.session.state, 'closed');
  await rejectsWith(connecting, 'aborted');

  const { camera, session, events } = await openSession(t);
  await camera.stop();
  await rejectsWith(session.connect(), 'connection-failed');
  assert.equal(session.state, 'closed');
  assert.deepEqual(events, []);
});

test('connect: a refusal right behind the opening rejects it or is told by onClose, never both, never neither', async () => {
  const refusal = new StreamError('not-found', 'The proxy knows no camera of this name.');
  const outcomes = new Set<string>();
  for (let delay = 0; delay < 12; delay++) {
    const closes: (StreamError | null)[] = [];
    const transport: ByteTransport = {
      async open(handlers) {
        const closeAfter = (microtasks: number): void => {
          if (microtasks === 0) handlers.onClose(refusal);
          else queueMicrotask(() => closeAfter(microtasks - 1));
        };
        closeAfter(delay);
      },
      send: () => {},
      close: () => {},
    };
    const session = new RtspSession(
      { transport, url: 'rtsp://front/', clock: new ManualClock() },
      { onPlay() {}, onRtp() {}, onRtcp() {}, onClose: (error) => closes.push(error) },
    );
    const rejection = await session.connect().then(
      () => null,
      (error: unknown) => error,
    );
    await settle();
    assert.deepEqual(rejection === null ? closes : [rejection, ...closes], [refusal], `after ${delay} microtasks`);
    assert.equal(session.state, 'closed');
    outcomes.add(rejection === null ? 'told' : 'rejected');
  }
  assert.equal(outcomes.size, 2);
});

test('TEARDOWN is sent once; who does not answer it is not waited for longer than a second', async (t) => {
  const { session, clock, camera, events, methods } = await openSession(t, { on: { TEARDOWN: () => {} } });
  await advanceTo(session, 'playing');
  const teardown = session.teardown();
  const request = await camera.waitForRequest('TEARDOWN');
  assert.equal(request.headers.get('Session'), '12345678');
  await clock.advance(999);
  assert.notEqual(session.state, 'closed');
  await clock.advance(1);
  await teardown;
  await session.teardown();
  assert.equal(methods().filter((method) => method === 'TEARDOWN').length, 1);
  assert.deepEqual(events.at(-1), { event: 'close', error: null });
});

test('without a session there is no TEARDOWN', async (t) => {
  const { session, methods } = await openSession(t);
  await session.connect();
  await session.teardown();
  assert.deepEqual(methods(), []);
});

test('a connection that ends at any byte of the set-up settles everything', async (t) => {
  // A whole set-up is some 1,000 bytes from the camera.
  let wasPlaying = false;
  for (let bytes = 0; !wasPlaying; bytes += 41) {
    assert.ok(bytes < 10_000);
    const { session, until } = await openSession(t, { cutAfterBytes: bytes + 1 });
    try {
      await advanceTo(session, 'playing');
      wasPlaying = true;
    } catch (error) {
      await rejectsWith(Promise.reject(error), 'connection-closed');
    }
    if (!wasPlaying) await until((all) => all.some(({ event }) => event === 'close'));
    session.close();
  }
});

test('frames before, inside and behind answers change nothing', async (t) => {
  const { session, camera, events } = await openSession(t, {
    on: {
      GET_PARAMETER: (request, connection) => {
        connection.send(rtpFrame(0, 1));
        sendText(connection, request, ['RTSP/1.0 200 OK', 'CSeq: {cseq}', 'Content-Length: 13'], 'position: 10\n');
        connection.send(rtpFrame(0, 2));
      },
    },
  });
  await advanceTo(session, 'playing');
  camera.connections[0]?.stopMedia();
  assert.equal(await session.getParameter(['position']), 'position: 10\n');
  const sequence = events.flatMap((event) => (event.event === 'rtp' ? [event.bytes.at(-1)] : []));
  assert.ok(sequence.includes(1));
});
