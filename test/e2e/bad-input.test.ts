import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ErrorCode } from '../../shared/errors.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { h264Clip } from '../support/h264-clip.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { type PlayerChange, readPlayer, waitForFailure, waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import {
  clipDescription,
  type ScriptedCamera,
  type ScriptedCameraOptions,
  startScriptedCamera,
} from '../support/scripted-camera.js';

// What comes in by a socket or an attribute and makes no sense: the element ends in a defined state, with a code and a
// sentence. `error` where trying again is pointless, `reconnecting` where it is not.

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
/** Has an open allowlist for this machine, and no cameras. */
let tunnel: ProxyProcess;
let pageCount = 0;

before(
  async () => {
    pages = await keep(startPageServer());
    tunnel = await keep(startProxy({ args: ['--allow', '127.0.0.1', '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

/** Opens a page with one player. */
function openPlayer(attributes: string, proxy: ProxyProcess = tunnel): Promise<TestPage> {
  const path = `/${++pageCount}`;
  const player = `<rtsp-player ${attributes} autoplay muted controls></rtsp-player>`;
  pages.set(path, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  return browser.open(`${pages.origin}${path}`);
}

interface Expectation {
  state: 'error' | 'reconnecting';
  code: ErrorCode;
  sentence: RegExp;
}

/** Checks how a player fails: its state, its code, its sentence, and that a person is told. */
async function expectFailure(tab: TestPage, expected: Expectation, timeoutMs = 15_000): Promise<PlayerChange> {
  const failure = await waitForFailure(tab.page, timeoutMs);
  assert.deepEqual({ state: failure.state, code: failure.code }, { state: expected.state, code: expected.code });
  assert.match(failure.message ?? '', expected.sentence);
  assert.doesNotMatch(failure.message ?? '', /secret/);
  // What says it is loaded when there is something to say.
  await tab.page.$eval('rtsp-player', async (player) => {
    await player.loadInterface();
    await player.updateComplete;
  });
  const report = await readPlayer(tab.page);
  assert.notEqual(report.text, '', 'nothing is said over the picture');
  assert.doesNotMatch(report.text, /secret/);
  if (expected.state === 'error') assert.equal(report.error?.code, expected.code);
  return failure;
}

async function failing(
  options: ScriptedCameraOptions,
  expected: Expectation,
  attributes = '',
): Promise<ScriptedCamera> {
  const camera = await startScriptedCamera(options);
  try {
    const tab = await openPlayer(`src="${camera.url()}" ${attributes}`);
    await expectFailure(tab, expected);
    if (expected.state === 'error') assert.equal(camera.connections.length, 1, 'it tried again');
    await tab.close();
  } finally {
    await camera.stop();
  }
  return camera;
}

// Attributes.

for (const [src, sentence] of [
  ['rtsp://', /not a usable RTSP URL/],
  ['rtsp://camera:99999/stream', /its host or port/],
  ['rtsp://user:secret@:554/', /its host or port/],
  ['http://127.0.0.1/stream', /neither/],
  ['Front Door!', /neither/],
  ['a/b/c', /neither/],
] as const) {
  test(`src="${src.replace('secret', '…')}" is not usable`, { timeout: 30_000 }, async () => {
    const tab = await openPlayer(`src="${src}"`);
    await expectFailure(tab, { state: 'error', code: 'invalid-url', sentence });
    await tab.close();
  });
}

test('proxy="ftp://nowhere" is not usable', { timeout: 30_000 }, async () => {
  const tab = await openPlayer('src="front" proxy="ftp://nowhere"');
  await expectFailure(tab, { state: 'error', code: 'invalid-url', sentence: /not a WebSocket URL/ });
  await tab.close();
});

test('a proxy that is not there', { timeout: 30_000 }, async () => {
  const tab = await openPlayer('src="front" proxy="ws://127.0.0.1:9/rtsp"');
  await expectFailure(tab, { state: 'reconnecting', code: 'connection-failed', sentence: /\S/ });
  await tab.close();
});

test('latency="soon" is ignored with a warning, and the camera plays', { timeout: 30_000 }, async () => {
  const camera = await startScriptedCamera();
  const tab = await openPlayer(`src="${camera.url()}" latency="soon"`);
  const warnings: string[] = [];
  tab.page.on('console', (message) => {
    if (message.type() === 'warn') warnings.push(message.text());
  });
  await waitForState(tab.page, ['playing']);
  await waitForFrames(tab.page, 10);
  await tab.page.$eval('rtsp-player', (player) => player.setAttribute('latency', '-5 bananas'));
  await waitForFrames(tab.page, 10);
  assert.match(warnings.join('\n'), /-5 bananas/);
  assert.deepEqual(tab.errors, []);
  await tab.close();
  await camera.stop();
});

test('no src at all is idle, not an error', { timeout: 30_000 }, async () => {
  const tab = await openPlayer('');
  assert.equal(await waitForState(tab.page, ['idle']), 'idle');
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

// The proxy.

test('a camera that the proxy does not know', { timeout: 30_000 }, async () => {
  const tab = await openPlayer('src="nobody"');
  await expectFailure(tab, { state: 'error', code: 'not-found', sentence: /nobody|camera/i });
  await tab.close();
});

test('a target that the proxy does not allow', { timeout: 30_000 }, async () => {
  const tab = await openPlayer('src="rtsp://192.0.2.1/stream"');
  await expectFailure(tab, { state: 'error', code: 'forbidden', sentence: /allow/i });
  await tab.close();
});

test('a port where nobody listens', { timeout: 30_000 }, async () => {
  const camera = await startScriptedCamera();
  await camera.stop();
  const tab = await openPlayer(`src="${camera.url()}"`);
  await expectFailure(tab, { state: 'reconnecting', code: 'camera-refused', sentence: /refused|closed/i });
  await tab.close();
});

// Statuses.

const statuses: [status: number, expected: Expectation][] = [
  [404, { state: 'error', code: 'not-found', sentence: /404/ }],
  [403, { state: 'error', code: 'forbidden', sentence: /403/ }],
  [500, { state: 'reconnecting', code: 'server-error', sentence: /500/ }],
  [503, { state: 'reconnecting', code: 'limit-reached', sentence: /503/ }],
];
for (const [status, expected] of statuses) {
  for (const method of ['DESCRIBE', 'SETUP', 'PLAY']) {
    test(`a camera that answers ${method} with ${status}`, { timeout: 30_000 }, async () => {
      await failing({ on: { [method]: (request, connection) => connection.reply(request, { status }) } }, expected);
    });
  }
}

test('a camera that sends no RTP over TCP (461)', { timeout: 30_000 }, async () => {
  await failing(
    { on: { SETUP: (request, connection) => connection.reply(request, { status: 461 }) } },
    { state: 'error', code: 'transport-unsupported', sentence: /TCP|interleaved/i },
  );
});

test("GStreamer's 461 for a mount that is UDP only", { timeout: 30_000 }, async () => {
  const camera = await startGStreamerCamera({ mounts: [{ path: '/live', video: true, udpOnly: true }] });
  const tab = await openPlayer(`src="${camera.url()}"`);
  await expectFailure(tab, { state: 'error', code: 'transport-unsupported', sentence: /TCP|interleaved/i });
  await tab.close();
  await camera.stop();
});

for (const scheme of ['basic', 'digest'] as const) {
  test(`a wrong password (${scheme})`, { timeout: 30_000 }, async () => {
    const camera = await startGStreamerCamera({ users: { scheme, username: 'viewer', password: 'right' } });
    const tab = await openPlayer(`src="${camera.url()}" username="viewer" password="secret"`);
    await expectFailure(tab, { state: 'error', code: 'unauthorized', sentence: /credentials|password|user/i });
    await tab.close();
    const bare = await openPlayer(`src="${camera.url()}"`);
    await expectFailure(bare, { state: 'error', code: 'unauthorized', sentence: /credentials|password|user/i });
    await bare.close();
    await camera.stop();
  });
}

// Session descriptions.

const unplayable: [what: string, sdp: (clip: string) => string][] = [
  ['only a codec that no browser plays', (clip) => clip.replace('H264/90000', 'MP4V-ES/90000')],
  ['only metadata', (clip) => clip.replace('m=video', 'm=application').replace('H264/', 'vnd.onvif.metadata/')],
];
for (const [what, change] of unplayable) {
  test(`a camera that offers ${what}`, { timeout: 30_000 }, async () => {
    await failing(
      { sdp: change(clipDescription(await h264Clip())) },
      { state: 'error', code: 'no-playable-track', sentence: /\S/ },
    );
  });
}

test('a session description without media', { timeout: 30_000 }, async () => {
  await failing(
    { sdp: 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n' },
    { state: 'reconnecting', code: 'malformed-message', sentence: /media|description/i },
  );
});

// Bytes.

test('a server that talks HTTP', { timeout: 30_000 }, async () => {
  await failing(
    {
      onConnection: ({ socket, send }) => {
        socket.once('data', () => send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
      },
    },
    { state: 'error', code: 'not-rtsp', sentence: /RTSP/ },
  );
});

test('a server that talks something else', { timeout: 30_000 }, async () => {
  await failing(
    { onConnection: ({ send }) => send('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n') },
    { state: 'error', code: 'not-rtsp', sentence: /RTSP/ },
  );
});

test('a header that does not end', { timeout: 30_000 }, async () => {
  await failing(
    {
      on: {
        DESCRIBE: (request, { send }) =>
          send(`RTSP/1.0 200 OK\r\nCSeq: ${request.headers.get('CSeq')}\r\nX-Long: ${'x'.repeat(100_000)}`),
      },
    },
    { state: 'reconnecting', code: 'message-too-large', sentence: /header/i },
  );
});

test('headers without end', { timeout: 30_000 }, async () => {
  await failing(
    {
      on: {
        DESCRIBE: (request, { send }) =>
          send(`RTSP/1.0 200 OK\r\nCSeq: ${request.headers.get('CSeq')}\r\n${'X-More: 1\r\n'.repeat(20_000)}`),
      },
    },
    { state: 'reconnecting', code: 'message-too-large', sentence: /header/i },
  );
});

test('a body longer than the limit', { timeout: 30_000 }, async () => {
  await failing(
    {
      on: {
        DESCRIBE: (request, connection) =>
          connection.reply(request, { headers: { 'Content-Type': 'application/sdp' }, body: 'a=x\r\n'.repeat(30_000) }),
      },
    },
    { state: 'reconnecting', code: 'message-too-large', sentence: /body|150000|150,000/i },
  );
});

for (const length of ['-1', '99999999999999999999', 'twelve']) {
  test(`Content-Length: ${length}`, { timeout: 30_000 }, async () => {
    const camera = await startScriptedCamera({
      on: {
        DESCRIBE: (request, { send }) =>
          send(`RTSP/1.0 200 OK\r\nCSeq: ${request.headers.get('CSeq')}\r\nContent-Length: ${length}\r\n\r\nv=0\r\n`),
      },
    });
    const tab = await openPlayer(`src="${camera.url()}"`);
    const { state, code, message } = await waitForFailure(tab.page);
    assert.equal(state, 'reconnecting');
    assert.match(code ?? '', /^(malformed-message|message-too-large)$/);
    assert.notEqual(message, '');
    await tab.close();
    await camera.stop();
  });
}

test('a Content-Length that is larger than the body, and a close', { timeout: 30_000 }, async () => {
  await failing(
    {
      on: {
        DESCRIBE: (request, connection) => {
          connection.send(
            `RTSP/1.0 200 OK\r\nCSeq: ${request.headers.get('CSeq')}\r\nContent-Length: 5000\r\n\r\nv=0\r\n`,
          );
          connection.end();
        },
      },
    },
    { state: 'reconnecting', code: 'camera-refused', sentence: /closed/i },
  );
});

// Each takes a time-out, so they take it together.
describe('a camera that falls silent', { concurrency: true }, () => {
  test('a Content-Length that is larger than the body, and silence', { timeout: 40_000 }, async () => {
    await failing(
      {
        on: {
          DESCRIBE: (request, { send }) =>
            send(`RTSP/1.0 200 OK\r\nCSeq: ${request.headers.get('CSeq')}\r\nContent-Length: 5000\r\n\r\nv=0\r\n`),
        },
      },
      { state: 'reconnecting', code: 'timeout', sentence: /DESCRIBE|answer/i },
    );
  });

  for (const method of ['DESCRIBE', 'SETUP', 'PLAY']) {
    test(`a camera that does not answer ${method}`, { timeout: 40_000 }, async () => {
      await failing({ on: { [method]: () => {} } }, { state: 'reconnecting', code: 'timeout', sentence: /answer/i });
    });
  }

  test('a camera that plays without sending anything', { timeout: 40_000 }, async () => {
    await failing(
      { on: { PLAY: (request, connection) => connection.reply(request, {}) } },
      { state: 'reconnecting', code: 'no-data', sentence: /sent nothing/ },
    );
  });
});

// A connection that ends.

test('a socket that closes at every point of the set-up', { timeout: 240_000 }, async (t) => {
  // How many bytes a healthy set-up takes, and where its replies begin.
  const ends: number[] = [];
  const healthy = await startScriptedCamera({
    onConnection: ({ socket }) => {
      socket.on('data', () => ends.push(socket.bytesWritten));
    },
  });
  const tab = await openPlayer(`src="${healthy.url()}"`);
  await waitForState(tab.page, ['playing']);
  await tab.close();
  await healthy.stop();
  const replies = [...new Set(ends)].filter((bytes) => bytes < 3_000);
  const points = new Set([0, 1]);
  for (const [index, bytes] of replies.entries()) {
    const next = replies[index + 1] ?? bytes + 400;
    // Between messages, in a start line, in a header, in a body or an interleaved frame, before the last byte.
    for (const point of [bytes, bytes + 5, bytes + 40, Math.floor((bytes + next) / 2), next - 1]) points.add(point);
  }
  t.diagnostic(`${points.size} points: ${[...points].join(', ')}`);
  for (const cutAfterBytes of points) {
    const camera = await startScriptedCamera({ cutAfterBytes });
    const cut = await openPlayer(`src="${camera.url()}"`);
    const { state, code, message } = await waitForFailure(cut.page);
    assert.equal(state, 'reconnecting', `after ${cutAfterBytes} bytes`);
    assert.match(code ?? '', /^(camera-refused|connection-closed)$/, `after ${cutAfterBytes} bytes`);
    assert.match(message ?? '', /closed|reset/i);
    await cut.close();
    await camera.stop();
  }
});

test('a camera that resets the connection in play, once', { timeout: 60_000 }, async () => {
  const camera = await startScriptedCamera({
    onConnection: (connection, count) => {
      if (count === 1) setTimeout(() => connection.reset(), 1_500);
    },
  });
  const tab = await openPlayer(`src="${camera.url()}"`);
  await waitForState(tab.page, ['playing']);
  await expectFailure(tab, { state: 'reconnecting', code: 'camera-refused', sentence: /closed|reset/i });
  await waitForState(tab.page, ['playing']);
  await waitForFrames(tab.page, 25);
  assert.equal(camera.connections.length, 2);
  await tab.close();
  await camera.stop();
});

// Cameras that the proxy knows by name: the same, told by the proxy.

const named: [what: string, options: ScriptedCameraOptions, expected: Expectation][] = [
  [
    'that rejects the credentials of the proxy',
    {
      on: {
        DESCRIBE: (request, connection) =>
          connection.reply(request, { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="camera"' } }),
      },
    },
    { state: 'error', code: 'camera-rejects-credentials', sentence: /credentials/i },
  ],
  [
    'that answers DESCRIBE with 404',
    { on: { DESCRIBE: (request, connection) => connection.reply(request, { status: 404 }) } },
    { state: 'error', code: 'not-found', sentence: /404/ },
  ],
  [
    'that answers SETUP with 461',
    { on: { SETUP: (request, connection) => connection.reply(request, { status: 461 }) } },
    { state: 'error', code: 'transport-unsupported', sentence: /TCP|interleaved/i },
  ],
  [
    'that answers PLAY with 503',
    { on: { PLAY: (request, connection) => connection.reply(request, { status: 503 }) } },
    { state: 'reconnecting', code: 'limit-reached', sentence: /503/ },
  ],
  [
    'that talks HTTP',
    {
      onConnection: ({ socket, send }) => {
        socket.once('data', () => send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
      },
    },
    { state: 'error', code: 'not-rtsp', sentence: /RTSP/ },
  ],
  [
    'that closes after DESCRIBE',
    { on: { DESCRIBE: (_request, connection) => connection.end() } },
    { state: 'reconnecting', code: 'camera-refused', sentence: /closed/i },
  ],
];
for (const [what, options, expected] of named) {
  test(`a named camera ${what}`, { timeout: 30_000 }, async () => {
    const camera = await startScriptedCamera(options);
    const url = camera.url().replace('//', '//viewer:secret@');
    const proxy = await startProxy({ args: ['--camera', `front=${url}`, '--allow-origin', pages.origin] });
    const tab = await openPlayer('src="front"', proxy);
    await expectFailure(tab, expected);
    assert.doesNotMatch(proxy.lines.join('\n') + proxy.errors, /secret/);
    await tab.close();
    await proxy.stop();
    await camera.stop();
  });
}

test('a named camera where nobody listens', { timeout: 30_000 }, async () => {
  const camera = await startScriptedCamera();
  await camera.stop();
  const proxy = await startProxy({ args: ['--camera', `front=${camera.url()}`, '--allow-origin', pages.origin] });
  const tab = await openPlayer('src="front"', proxy);
  await expectFailure(tab, { state: 'reconnecting', code: 'camera-refused', sentence: /refused/i });
  await tab.close();
  await proxy.stop();
});

/** A camera that says that it is elsewhere now. */
const movedTo = (location: () => string): ScriptedCameraOptions => ({
  on: {
    DESCRIBE: (request, connection) => connection.reply(request, { status: 302, headers: { Location: location() } }),
  },
});

test('a camera that has moved is followed, with its credentials on the same host alone', {
  timeout: 60_000,
}, async (t) => {
  const demanding: ScriptedCameraOptions = {
    on: {
      DESCRIBE: (request, connection) => {
        if (request.headers.get('Authorization') !== null) connection.answer(request);
        else connection.reply(request, { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="cam"' } });
      },
    },
  };
  const there = await startScriptedCamera(demanding);
  const here = await startScriptedCamera(movedTo(() => there.url()));
  const proxy = await startProxy({
    args: ['--allow', '127.0.0.1', '--allow', 'localhost', '--allow-origin', pages.origin],
  });
  t.after(async () => {
    await Promise.all([there.stop(), here.stop(), proxy.stop()]);
  });
  const attributes = 'username="viewer" password="secret"';
  const followed = await openPlayer(`src="${here.url()}" ${attributes}`, proxy);
  await waitForFrames(followed.page, 5);
  await followed.close();
  const before = there.connections.length;
  const elsewhere = await openPlayer(`src="rtsp://localhost:${here.port}/live" ${attributes}`, proxy);
  await expectFailure(elsewhere, { state: 'error', code: 'unauthorized', sentence: /password/i });
  const asked = there.connections.slice(before).flatMap(({ requests }) => requests);
  assert.ok(asked.length > 0 && asked.every(({ headers }) => headers.get('Authorization') === null));
  await elsewhere.close();
});

test('cameras that send each other the viewer in a circle', { timeout: 60_000 }, async (t) => {
  const cameras: ScriptedCamera[] = [];
  for (const next of [1, 0]) cameras.push(await startScriptedCamera(movedTo(() => cameras[next]?.url() ?? '')));
  t.after(async () => {
    await Promise.all(cameras.map((camera) => camera.stop()));
  });
  const tab = await openPlayer(`src="${cameras[0]?.url()}"`);
  await waitForState(tab.page, ['error'], 15_000);
  assert.equal((await readPlayer(tab.page)).error?.code, 'redirected');
  assert.equal(cameras.flatMap(({ connections }) => connections).length, 4);
  await tab.close();
});
