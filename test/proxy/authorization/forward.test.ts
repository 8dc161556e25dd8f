import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { AccessQuestion } from '../../../proxy/authorization/authorizer.js';
import { ForwardAuthorizer } from '../../../proxy/authorization/forward.js';
import type { RtspProxyOptions } from '../../../proxy/proxy.js';
import { systemClock } from '../../../shared/clock.js';
import { CloseCode } from '../../../shared/proxy-protocol.js';
import { ManualClock } from '../manual-clock.js';
import { startCamera, startTestProxy, type TestCamera, type TestProxy, TestViewer, within } from '../test-peers.js';

/** A portal whose answer each test sets. */
class Portal {
  answer: RequestListener = (_, response) => response.writeHead(204).end();
  readonly asked: IncomingHttpHeaders[] = [];
  readonly #server = createServer((request, response) => {
    this.asked.push(request.headers);
    this.answer(request, response);
  });
  url = '';

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/auth`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function question(camera: string | null, headers: IncomingHttpHeaders = {}): AccessQuestion {
  const request = { headers, socket: {} } as AccessQuestion['request'];
  return { camera, token: null, address: '10.0.0.1', origin: null, request };
}

describe('the portal decides', () => {
  const portal = new Portal();
  let camera: TestCamera;
  before(async () => {
    await portal.start();
    camera = await startCamera();
  });
  after(() => {
    portal.stop();
    camera.stop();
  });

  function startProxy(options: RtspProxyOptions = {}, forward = {}): Promise<TestProxy> {
    return startTestProxy({
      cameras: [
        { name: 'front', url: camera.url },
        { name: 'yard', url: camera.url },
      ],
      authorization: { forward: { url: portal.url, cacheMs: 0, ...forward } },
      ...options,
    });
  }

  async function outcome(proxy: TestProxy, headers: Record<string, string> = {}): Promise<string> {
    const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers });
    try {
      const { status } = await viewer.request('OPTIONS', 'rtsp://front/');
      await viewer.close();
      return String(status);
    } catch (error) {
      return String(error).replace(/^Error: closed instead: /, '');
    }
  }

  test('by who the viewer is, and which camera it wants', async () => {
    const proxy = await startProxy({ trustProxy: ['127.0.0.0/8'], limits: { connectionsPerViewer: 1 } });
    portal.answer = (_, response) => response.writeHead(200, { 'Remote-User': 'alice' }).end('anything');
    const origin = `http://127.0.0.1:${proxy.port}`;
    const headers = {
      Cookie: 'session=abc',
      Origin: origin,
      'User-Agent': 'a browser',
      'X-Forwarded-For': '203.0.113.9',
      'X-Camera': 'yard',
    };
    assert.equal(await outcome(proxy, headers), '200');
    const asked = portal.asked.at(-1);
    assert.equal(asked?.cookie, 'session=abc');
    assert.equal(asked?.origin, origin);
    assert.equal(asked?.['x-camera'], 'front');
    assert.equal(asked?.['x-forwarded-uri'], '/rtsp/front');
    assert.equal(asked?.['x-forwarded-for'], '203.0.113.9');
    assert.equal(asked?.['x-forwarded-proto'], 'http');
    assert.equal(asked?.upgrade, undefined);
    // The name that the portal gave counts.
    const first = new TestViewer(proxy.port, '/rtsp/front', { headers });
    await first.request('OPTIONS', 'rtsp://front/');
    assert.match(await outcome(proxy, headers), /^4429 This viewer has as many connections/);
    await first.close();
    await proxy.stop();
  });

  test('401 and redirects mean a new sign-in, 403 no, everything else no answer', async () => {
    const proxy = await startProxy();
    const cases: [number, RegExp][] = [
      [204, /^200$/],
      [401, /^4401 The portal wants the viewer to sign in/],
      [302, /^4401/],
      [403, /^4403 The portal does not allow this/],
      [404, /^1013 .* answered with status 404/],
      [500, /^1013 .* answered with status 500/],
    ];
    const before = camera.connections.length;
    for (const [status, expected] of cases) {
      portal.answer = (_, response) => response.writeHead(status, { Location: '/login' }).end();
      assert.match(await outcome(proxy), expected, String(status));
    }
    assert.equal(camera.connections.length, before + 1, 'only the one that was let in reached the camera');
    await proxy.stop();
  });

  test('fails closed: down, slow, lying, endless', async () => {
    const proxy = await startProxy({}, { timeoutMs: 150 });
    const before = camera.connections.length;
    portal.answer = () => {};
    assert.match(await outcome(proxy), /^1013 .* did not answer within 150 ms/);
    portal.answer = (request) => request.socket.destroy();
    assert.match(await outcome(proxy), /^1013 .* cannot be reached/);
    portal.answer = (request) => request.socket.end('200 OK, come in\r\n\r\n');
    assert.match(await outcome(proxy), /^1013/);
    portal.answer = (request) => request.socket.write(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`);
    assert.match(await outcome(proxy), /^1013/);
    assert.equal(camera.connections.length, before);
    portal.answer = (_, response) => {
      response.writeHead(403);
      response.write('an endless explanation');
    };
    assert.match(await outcome(proxy), /^4403/);
    await proxy.stop();
    const nobody = await startProxy({}, { url: 'http://127.0.0.1:1/' });
    assert.match(await outcome(nobody), /^1013 .* cannot be reached/);
    await nobody.stop();
  });

  test('a verdict that takes too long is none, whoever is to blame', async () => {
    const proxy = await startProxy({ timeouts: { authorizationMs: 100 } });
    portal.answer = () => {};
    assert.match(await outcome(proxy), /^1013 Who may see this was not known within 100 ms/);
    await proxy.stop();
  });

  test('what the portal says is used again for a while, for the same viewer and camera', async () => {
    const clock = new ManualClock();
    const authorizer = new ForwardAuthorizer({ url: portal.url, cacheMs: 5_000 }, clock);
    portal.answer = (_, response) => response.writeHead(204).end();
    const start = portal.asked.length;
    const alice = { cookie: 'session=alice' };
    await Promise.all([authorizer.authorize(question('front', alice)), authorizer.authorize(question('front', alice))]);
    await authorizer.authorize(question('front', alice));
    assert.equal(portal.asked.length - start, 1, 'asked once');
    await authorizer.authorize(question('yard', alice));
    await authorizer.authorize(question('front', { cookie: 'session=bob' }));
    await authorizer.authorize({ ...question('front', alice), address: '10.0.0.2' });
    assert.equal(portal.asked.length - start, 4, 'others are others');
    await clock.advance(5_000);
    portal.answer = (_, response) => response.writeHead(403).end();
    assert.equal((await authorizer.authorize(question('front', alice))).kind, 'forbidden');
    assert.equal(portal.asked.length - start, 5);
  });

  test('a failure is not remembered', async () => {
    const authorizer = new ForwardAuthorizer({ url: portal.url }, systemClock);
    portal.answer = (_, response) => response.writeHead(500).end();
    assert.equal((await authorizer.authorize(question('front'))).kind, 'unavailable');
    portal.answer = (_, response) => response.writeHead(204).end();
    assert.equal((await authorizer.authorize(question('front'))).kind, 'allowed');
  });

  test('a running connection is asked about again', async () => {
    const proxy = await startProxy({}, { recheckMs: 200 });
    let answers = 0;
    portal.answer = (_, response) => response.writeHead(++answers < 4 ? 204 : 401).end();
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.request('OPTIONS', 'rtsp://front/');
    assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.tokenInvalid);
    assert.equal(answers, 4);
    await proxy.stop();
  });

  test('/cameras lists what the portal allows', async () => {
    const proxy = await startProxy();
    portal.answer = (request, response) => response.writeHead(request.headers['x-camera'] === 'yard' ? 204 : 403).end();
    const list = async () => fetch(`http://127.0.0.1:${proxy.port}/cameras`);
    assert.deepEqual(await (await list()).json(), [{ name: 'yard', title: 'yard', streams: ['main'] }]);
    portal.answer = (_, response) => response.writeHead(401).end();
    assert.equal((await list()).status, 401);
    portal.answer = (request, response) => response.writeHead(request.headers['x-camera'] === 'yard' ? 204 : 500).end();
    assert.equal((await list()).status, 503, 'rather nothing than a part');
    await proxy.stop();
  });
});
