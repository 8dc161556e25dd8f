import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { CloseCode } from '../../shared/proxy-protocol.js';
import type { RtspRequest } from '../../shared/rtsp-message.js';
import {
  type CameraReply,
  type CameraScript,
  healthy,
  startCamera,
  startTestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

function digestScript(password: string): CameraScript & { attempts: string[] } {
  const attempts: string[] = [];
  const script = (request: RtspRequest): CameraReply => {
    const authorization = request.headers.get('Authorization');
    if (authorization !== null) attempts.push(authorization);
    const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(authorization ?? '')?.[1] ?? '';
    const secret = md5(`user:cam:${password}`);
    const expected = md5(`${secret}:n1:${md5(`${request.method}:${request.url}`)}`);
    const isRight = field('response') === expected && field('uri') === request.url;
    if (isRight) return healthy(request);
    return { status: 401, headers: { 'WWW-Authenticate': 'Digest realm="cam", nonce="n1"' } };
  };
  return Object.assign(script, { attempts });
}

const withPassword = (url: string, password: string): string => url.replace('//', `//user:${password}@`);

async function closeOf(viewer: TestViewer): Promise<{ code: number; reason: string }> {
  return within(viewer.closed, 'The close');
}

describe('credentials of a named camera', () => {
  test('are answered in the proxy, over the real URL', async () => {
    const script = digestScript('hunter2');
    const camera = await startCamera(script);
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: withPassword(camera.url, 'hunter2') }] });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    assert.ok(script.attempts.length > 0);
    assert.doesNotMatch(viewer.bytes.toString('latin1'), /digest|nonce|authenticate/i);
    await viewer.close();
    assert.match((await camera.request('TEARDOWN')).headers.get('Authorization') ?? '', /^Digest username="user"/);
    await proxy.stop();
    camera.stop();
  });

  test('4503 when they are wrong: one attempt for all viewers, and none more within a minute', async () => {
    const script = digestScript('right');
    const camera = await startCamera(script);
    const proxy = await startTestProxy({
      cameras: [
        { name: 'front', streams: { main: withPassword(camera.url, 'wrong'), sub: withPassword(camera.url, 'wrong') } },
      ],
    });
    const viewers = ['/rtsp/front', '/rtsp/front/sub', '/rtsp/front', '/rtsp/front/main'].map(
      (path) => new TestViewer(proxy.port, path),
    );
    for (const viewer of viewers) {
      await viewer.opened;
      viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    }
    for (const viewer of viewers) {
      assert.deepEqual(await closeOf(viewer), {
        code: CloseCode.cameraRejectsCredentials,
        reason: "The camera rejects the proxy's credentials.",
      });
    }
    const dials = camera.connections.length;
    const late = new TestViewer(proxy.port, '/rtsp/front');
    await late.opened;
    late.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(late)).code, CloseCode.cameraRejectsCredentials);
    assert.equal(camera.connections.length, dials);
    assert.equal(script.attempts.length, 1);
    await proxy.stop();
    camera.stop();
  });

  test('are tried again when the time for it has come', async () => {
    let password = 'other';
    const attempts: string[] = [];
    const camera = await startCamera((request, connection) => {
      const script = digestScript(password);
      const reply = script(request, connection);
      attempts.push(...script.attempts);
      return reply;
    });
    const proxy = await startTestProxy({
      cameras: [{ name: 'front', url: withPassword(camera.url, 'mine') }],
      timeouts: { rejectedCredentialsMs: 300 },
    });
    const first = new TestViewer(proxy.port, '/rtsp/front');
    await first.opened;
    first.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(first)).code, CloseCode.cameraRejectsCredentials);
    assert.equal(attempts.length, 1);
    password = 'mine';
    await new Promise((resolve) => setTimeout(resolve, 320));
    const second = new TestViewer(proxy.port, '/rtsp/front');
    assert.equal((await second.request('DESCRIBE', 'rtsp://front/')).status, 200);
    await proxy.stop();
    camera.stop();
  });

  test('4503 when the camera wants some and the proxy has none', async () => {
    const camera = await startCamera(digestScript('x'));
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }] });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.opened;
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.cameraRejectsCredentials);
    await proxy.stop();
    camera.stop();
  });

  test('that were right once are not doubted because one method is not allowed to them: 403', async () => {
    const script = digestScript('hunter2');
    const camera = await startCamera((request, connection) =>
      request.method === 'SET_PARAMETER'
        ? { status: 401, headers: { 'WWW-Authenticate': 'Digest realm="cam", nonce="n1"' } }
        : script(request, connection),
    );
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: withPassword(camera.url, 'hunter2') }] });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    assert.equal((await viewer.request('SET_PARAMETER', 'rtsp://front/')).status, 403);
    assert.equal((await viewer.request('PAUSE', 'rtsp://front/')).status, 200);
    await proxy.stop();
    camera.stop();
  });
});

describe('a named camera that is away', () => {
  test('4502 after the time that its viewers are held; few attempts for all of them', async () => {
    const camera = await startCamera((_, connection) => {
      connection.socket.destroy();
      return null;
    });
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }], timeouts: { holdMs: 400 } });
    const viewers = Array.from({ length: 20 }, () => new TestViewer(proxy.port, '/rtsp/front'));
    for (const viewer of viewers) {
      await viewer.opened;
      viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    }
    for (const viewer of viewers) assert.equal((await closeOf(viewer)).code, CloseCode.cameraRefused);
    assert.ok(camera.connections.length <= 4, `${camera.connections.length} attempts`);
    await proxy.stop();
    camera.stop();
  });

  test('viewers that are held play when it is back', async () => {
    const gone = await startCamera();
    const { port, url } = gone;
    gone.stop();
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url }] });
    const viewers = Array.from({ length: 5 }, () => new TestViewer(proxy.port, '/rtsp/front'));
    const described = viewers.map((viewer) => viewer.request('DESCRIBE', 'rtsp://front/'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const camera = await startCamera(healthy, { port });
    for (const response of described) assert.equal((await response).status, 200);
    assert.deepEqual(camera.connections.map((connection) => connection.methods().join()).sort(), [
      'DESCRIBE',
      'DESCRIBE',
      'DESCRIBE',
      'DESCRIBE',
      'OPTIONS,DESCRIBE',
    ]);
    await proxy.stop();
    camera.stop();
  });

  test('4504 when it takes connections and never answers', async () => {
    const camera = await startCamera(() => null);
    const proxy = await startTestProxy({
      cameras: [{ name: 'front', url: camera.url }],
      timeouts: { holdMs: 150, responseMs: 50 },
    });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.opened;
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.cameraUnreachable);
    await proxy.stop();
    camera.stop();
  });
});

describe('redirects of a named camera', () => {
  const redirect =
    (location: (url: string) => string, status = 302): CameraScript =>
    (request) =>
      request.method === 'DESCRIBE' ? { status, headers: { Location: location(request.url) } } : healthy(request);

  async function describeThrough(
    script: CameraScript,
    allow: (port: number) => string[],
    password: string | null = null,
  ) {
    const target = await startCamera(
      password === null
        ? healthy
        : (request) =>
            request.headers.has('Authorization')
              ? healthy(request)
              : { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="cam"' } },
    );
    const camera = await startCamera((request, connection) => {
      const reply = script(request, connection);
      if (reply?.headers?.Location === undefined) return reply;
      return { ...reply, headers: { Location: reply.headers.Location.replace('TARGET', String(target.port)) } };
    });
    const url = password === null ? camera.url : withPassword(camera.url, password);
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url }], allow: allow(target.port) });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.opened;
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    const end = await Promise.race([within(viewer.response(), 'The response').catch(() => null), viewer.closed]);
    return {
      end,
      viewer,
      camera,
      target,
      async stop() {
        await proxy.stop();
        camera.stop();
        target.stop();
      },
    };
  }

  test('are followed to where the allowlist lets them', async () => {
    for (const status of [301, 302]) {
      const { end, target, camera, viewer, stop } = await describeThrough(
        redirect(() => 'rtsp://127.0.0.1:TARGET/elsewhere', status),
        (port) => [`127.0.0.1:${port}`],
      );
      assert.ok(end !== null && 'status' in end && end.status === 200);
      assert.equal((await target.request('DESCRIBE')).url, `rtsp://127.0.0.1:${target.port}/elsewhere`);
      await within(
        camera.connections[0]?.closed ?? Promise.reject(new Error('none')),
        'The end of the first connection',
      );
      await viewer.request('SETUP', 'rtsp://front/0', { Transport: 'RTP/AVP/TCP;interleaved=0-1' });
      target.connections[0]?.sendFrame(0, Uint8Array.of(1));
      await until(() => viewer.frames.length === 1, 'A frame');
      await stop();
    }
  });

  test('4403 where it does not: another host or port of the network', async () => {
    const { end, target, stop } = await describeThrough(
      redirect(() => 'rtsp://127.0.0.1:TARGET/elsewhere'),
      () => ['10.0.0.0/8'],
    );
    assert.ok(end !== null && 'code' in end);
    assert.equal(end.code, CloseCode.forbidden);
    assert.doesNotMatch(end.reason, /127\.0\.0\.1/);
    assert.equal(target.connections.length, 0);
    await stop();
  });

  test('credentials go along to the same host', async () => {
    const { end, stop } = await describeThrough(
      redirect(() => 'rtsp://127.0.0.1:TARGET/elsewhere'),
      (port) => [`127.0.0.1:${port}`],
      'hunter2',
    );
    assert.ok(end !== null && 'status' in end && end.status === 200);
    await stop();
  });

  test('credentials do not go along to another host', async () => {
    const { end, target, stop } = await describeThrough(
      redirect(() => 'rtsp://user:hunter2@localhost:TARGET/elsewhere'),
      (port) => [`localhost:${port}`],
      'hunter2',
    );
    assert.ok(end !== null && 'code' in end && end.code === CloseCode.cameraRejectsCredentials);
    assert.ok(
      target.connections.every(({ requests }) => requests.every(({ headers }) => !headers.has('Authorization'))),
    );
    await stop();
  });

  test('4502 when they never end, or lead to what is no URL', async () => {
    for (const location of [(url: string) => url, () => 'http://127.0.0.1/', () => '']) {
      const { end, camera, stop } = await describeThrough(redirect(location), () => []);
      assert.ok(end !== null && 'code' in end);
      assert.equal(end.code, CloseCode.cameraRefused);
      assert.ok(camera.connections.length <= 4);
      await stop();
    }
  });
});
