import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { type RefusalReason, refusalReasons } from '../../proxy/refusals.js';
import { startRtspProxyServer } from '../../proxy/server.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { claims, hs256, nowSeconds, secret } from './authorization/tokens.js';
import {
  startCamera,
  startTestProxy,
  type TestCamera,
  type TestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

interface Case {
  reason: RefusalReason;
  path?: string;
  headers?: Record<string, string>;
  /** What is sent when it is open. */
  says?: string | Uint8Array;
  options?: RtspProxyOptions;
  code: CloseCode;
  /** Of `/cameras`, asked with the same headers; null: it is not asked. */
  status: number | null;
}

const expired = (): string => hs256(claims(['front'], { exp: nowSeconds() - 60, iat: nowSeconds() - 120 }));
const request = 'OPTIONS rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n';
const jwt: RtspProxyOptions = { authorization: { jwt: { secret } } };

describe('who is turned away', () => {
  let camera: TestCamera;
  before(async () => {
    camera = await startCamera();
  });
  after(() => camera.stop());

  const start = (options: RtspProxyOptions = {}): Promise<TestProxy> =>
    startTestProxy({ cameras: [{ name: 'front', url: camera.url }], ...options });

  /** The reasons that were counted, and how often. */
  const counted = ({ proxy }: TestProxy): Record<string, number> =>
    Object.fromEntries(Object.entries(proxy.stats().refusals).filter(([, count]) => count > 0));

  const cases: Record<string, Case> = {
    "a foreign page's name": { reason: 'host', headers: { Host: 'evil.example' }, code: 4403, status: 403 },
    'a foreign page': { reason: 'origin', headers: { Origin: 'https://evil.example' }, code: 4403, status: 403 },
    'cookies without a page': { reason: 'origin', headers: { Cookie: 'session=1' }, code: 4403, status: null },
    'nobody who is known': { reason: 'no_token', options: jwt, says: request, code: 4401, status: 401 },
    'a bad token': {
      reason: 'bad_token',
      options: jwt,
      headers: { Authorization: `Bearer ${hs256(claims(['front']), 'another secret, just as long as it has to be')}` },
      code: 4401,
      status: 401,
    },
    'an old token': {
      reason: 'expired',
      options: jwt,
      headers: { Authorization: `Bearer ${expired()}` },
      code: 4401,
      status: 401,
    },
    'an old token in the first request': {
      reason: 'expired',
      options: jwt,
      says: request.replace('\r\n\r\n', `\r\nProxy-Authorization: Bearer ${expired()}\r\n\r\n`),
      code: 4401,
      status: null,
    },
    'a token for another camera': {
      reason: 'forbidden',
      options: jwt,
      headers: { Authorization: `Bearer ${hs256(claims(['yard']))}` },
      code: 4403,
      status: null,
    },
    'whoever comes while nobody can decide': {
      reason: 'unavailable',
      options: { authorization: { forward: { url: 'http://127.0.0.1:9/' } } },
      code: 1013,
      status: 503,
    },
    'an unknown camera': { reason: 'unknown_camera', path: '/rtsp/yard', code: 4404, status: null },
    'a name that can be none': { reason: 'unknown_camera', path: '/rtsp/a/b/c', code: 4404, status: null },
    'an unknown stream': { reason: 'unknown_camera', path: '/rtsp/front/sub', code: 4404, status: null },
    'a tunnel where there is no allowlist': { reason: 'target', path: '/rtsp', code: 4403, status: null },
    'a tunnel to elsewhere': {
      reason: 'target',
      path: '/rtsp',
      options: { allow: ['10.0.0.0/8'] },
      says: request.replace('front', '127.0.0.1'),
      code: 4403,
      status: null,
    },
    'what is not RTSP': { reason: 'not_rtsp', says: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', code: 4400, status: null },
    'what is not RTSP, before a token': {
      reason: 'not_rtsp',
      options: jwt,
      says: '\0\0\0\0'.repeat(50_000),
      code: 4400,
      status: null,
    },
    'who says nothing': { reason: 'not_rtsp', options: { timeouts: { firstRequestMs: 50 } }, code: 4400, status: null },
    'who says nothing, and would need a token': {
      reason: 'not_rtsp',
      options: { ...jwt, timeouts: { firstRequestMs: 50 } },
      code: 4400,
      status: null,
    },
  };

  for (const [name, { reason, path = '/rtsp/front', headers = {}, says, options, code, status }] of Object.entries(
    cases,
  )) {
    test(`${name}: ${reason}`, async () => {
      const proxy = await start(options);
      const viewer = new TestViewer(proxy.port, path, { headers });
      if (says !== undefined) void viewer.opened.then(() => viewer.send(says));
      assert.equal((await within(viewer.closed, 'The close')).code, code);
      await until(() => Object.keys(counted(proxy)).length > 0, 'The count');
      assert.deepEqual(counted(proxy), { [reason]: 1 });
      if (status !== null) {
        assert.equal(await get(proxy.port, '/cameras', headers), status);
        assert.deepEqual(counted(proxy), { [reason]: 2 });
      }
      await proxy.stop();
    });
  }

  for (const name of ['connections', 'connectionsPerAddress', 'connectionsPerCamera'] as const) {
    test(`one more than ${name} allows: limit`, async () => {
      const proxy = await start({ limits: { [name]: 1 } });
      const guest = new TestViewer(proxy.port, '/rtsp/front');
      await guest.play('front');
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.limitReached);
      assert.deepEqual(counted(proxy), { limit: 1 });
      await guest.close();
      await proxy.stop();
    });
  }

  test('who comes while the proxy goes down: going_down', async () => {
    const proxy = await start();
    const guest = new TestViewer(proxy.port, '/rtsp/front');
    await guest.play('front');
    const closed = proxy.proxy.close();
    const late = new TestViewer(proxy.port, '/rtsp/front');
    assert.equal((await within(late.closed, 'The close')).code, CloseCode.goingDown);
    await closed;
    assert.deepEqual(counted(proxy), { going_down: 1 }, 'and not the guest that was there');
    await proxy.stop();
  });

  test('too many handshakes in a second: limit, over HTTP', async () => {
    const proxy = await start({ limits: { handshakesPerSecond: 1 } });
    // What is allowed over some seconds may come at once.
    const statuses = await Promise.all(
      Array.from({ length: 30 }, () => get(proxy.port, '/rtsp/front', { ...upgrade, Host: 'evil.example' })),
    );
    const late = statuses.filter((status) => status === 429).length;
    assert.ok(late >= 5 && late < 30, `${late} of 30`);
    assert.deepEqual(counted(proxy), { host: 30 - late, limit: late });
    await proxy.stop();
  });

  test('pages of foreign sites that ask first: origin', async () => {
    const proxy = await start();
    assert.equal(await get(proxy.port, '/cameras', { Origin: 'https://evil.example' }, 'OPTIONS'), 403);
    assert.deepEqual(counted(proxy), { origin: 1 });
    assert.equal(await get(proxy.port, '/', { Host: 'evil.example' }), 403);
    assert.deepEqual(counted(proxy), { origin: 1, host: 1 });
    await proxy.stop();
  });

  test('nobody who is let in, nor a camera that fails, nor a token that ends later', async () => {
    const portal = createServer((_request, response) => response.writeHead(204).end()).listen(0, '127.0.0.1');
    await new Promise<void>((resolve) => portal.once('listening', () => resolve()));
    const url = `http://127.0.0.1:${(portal.address() as AddressInfo).port}/`;
    const cameras = [
      { name: 'front', url: camera.url },
      { name: 'away', url: 'rtsp://127.0.0.1:9/' },
    ];
    const proxy = await start({ cameras, authorization: { forward: { url } }, timeouts: { holdMs: 100 } });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    await viewer.close();
    const other = new TestViewer(proxy.port, '/rtsp/away');
    void other.request('OPTIONS', 'rtsp://away/').catch(() => {});
    void other.request('DESCRIBE', 'rtsp://away/').catch(() => {});
    assert.ok((await within(other.closed, 'The close')).code >= 4500);
    await until(() => proxy.proxy.stats().cameraSessions === 0, 'The end of both');
    assert.deepEqual(counted(proxy), {});
    await proxy.stop();
    portal.closeAllConnections();
    portal.close();
    const late = await start({ authorization: { jwt: { secret, clockToleranceSeconds: 0 } } });
    const token = hs256(claims(['front'], { exp: nowSeconds() + 2 }));
    const guest = new TestViewer(late.port, '/rtsp/front', { headers: { Authorization: `Bearer ${token}` } });
    await guest.play('front');
    assert.equal((await within(guest.closed, 'The close')).code, CloseCode.tokenInvalid);
    assert.deepEqual(counted(late), {});
    await late.stop();
  });

  test('is a metric, with every reason from the start', async () => {
    const server = await startRtspProxyServer({ listen: { host: '127.0.0.1', port: 0 }, metrics: true });
    const stranger = new TestViewer(server.port, '/rtsp/nobody');
    await within(stranger.closed, 'The close');
    const text = await (await fetch(server.metricsUrl ?? '')).text();
    for (const reason of refusalReasons) {
      const count = reason === 'unknown_camera' ? 1 : 0;
      assert.ok(text.includes(`rtsp_proxy_refusals_total{reason="${reason}"} ${count}\n`), reason);
    }
    assert.match(text, /^# TYPE rtsp_proxy_refusals_total counter$/m);
    await server.close();
  });
});

const upgrade = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** The status of an answer; `fetch` would not send these headers. */
function get(port: number, path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({ port, host: '127.0.0.1', path, headers, method, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asking.on('upgrade', ({ statusCode = 0 }, socket) => {
      socket.destroy();
      resolve(statusCode);
    });
    asking.on('error', reject).end();
  });
}
