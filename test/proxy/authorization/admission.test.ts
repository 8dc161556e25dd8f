import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import type { RtspProxyOptions } from '../../../proxy/proxy.js';
import { CloseCode } from '../../../shared/proxy-protocol.js';
import { RtspHeaders, serializeRequest } from '../../../shared/rtsp-message.js';
import {
  startCamera,
  startTestProxy,
  type TestCamera,
  type TestProxy,
  TestViewer,
  until,
  within,
} from '../test-peers.js';
import { claims, hs256, nowSeconds, secret } from './tokens.js';

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, headers, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject).end();
  });
}

const bearer = (token: string): Record<string, string> => ({ 'Proxy-Authorization': `Bearer ${token}` });

describe('tokens let in', () => {
  let camera: TestCamera;
  let proxy: TestProxy;
  let origin = '';
  before(async () => {
    camera = await startCamera();
    proxy = await startProxy();
    origin = `http://127.0.0.1:${proxy.port}`;
  });
  after(async () => {
    await proxy.stop();
    camera.stop();
  });

  function startProxy(options: RtspProxyOptions = {}): Promise<TestProxy> {
    return startTestProxy({
      cameras: [
        { name: 'front', url: camera.url },
        { name: 'yard', url: camera.url },
      ],
      allow: [`127.0.0.1:${camera.port}`],
      authorization: { jwt: { secret, clockToleranceSeconds: 0 } },
      ...options,
    });
  }

  async function closing(viewer: TestViewer): Promise<number> {
    return (await within(viewer.closed, 'The close')).code;
  }

  test('in the first RTSP request, and the camera does not get it', async () => {
    const token = hs256(claims(['front']));
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    const response = await viewer.request('DESCRIBE', 'rtsp://front/', bearer(token));
    assert.equal(response.status, 200);
    const described = await camera.request('DESCRIBE');
    assert.equal(described.headers.get('Proxy-Authorization'), null);
    assert.ok(!JSON.stringify([...described.headers]).includes(token));
    await viewer.close();
    await until(() => proxy.log.some((line) => line.includes('"name":"alice"')), 'The line in the log');
    assert.ok(!proxy.log.join('\n').includes(token));
  });

  test('requests behind the first one wait for the verdict, in order', async () => {
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.opened;
    const token = hs256(claims(['front']));
    const requests = [1, 2, 3].map((cseq) => {
      const headers = new RtspHeaders([['CSeq', String(cseq)]]);
      if (cseq === 1) headers.append('Proxy-Authorization', `Bearer ${token}`);
      return serializeRequest({ method: 'OPTIONS', url: 'rtsp://front/', headers });
    });
    const bytes = Buffer.concat(requests);
    // Cut where it hurts.
    viewer.send(bytes.subarray(0, 37));
    viewer.send(bytes.subarray(37, 190));
    viewer.send(bytes.subarray(190));
    for (const cseq of ['1', '2', '3']) assert.equal((await viewer.response(cseq)).status, 200);
    await viewer.close();
  });

  test('in a cookie, with the page’s own origin', async () => {
    const Cookie = `a=b; rtsp_token=${hs256(claims(['front']))}; c=d`;
    const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers: { Cookie, Origin: origin } });
    assert.equal((await viewer.request('OPTIONS', 'rtsp://front/')).status, 200);
    await viewer.close();
    const foreign = new TestViewer(proxy.port, '/rtsp/front', { headers: { Cookie, Origin: 'https://evil.example' } });
    assert.equal(await closing(foreign), CloseCode.forbidden);
    const nowhere = new TestViewer(proxy.port, '/rtsp/front', { headers: { Cookie } });
    assert.equal(await closing(nowhere), CloseCode.forbidden);
  });

  test('a stale cookie is no obstacle for a good token', async () => {
    const Cookie = `rtsp_token=${hs256(claims(['front'], { exp: nowSeconds() - 10 }))}`;
    const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers: { Cookie, Origin: origin } });
    assert.equal((await viewer.request('OPTIONS', 'rtsp://front/', bearer(hs256(claims(['front']))))).status, 200);
    await viewer.close();
  });

  test('in the URL, for a minute', async () => {
    const fresh = new TestViewer(proxy.port, `/rtsp/front?token=${hs256(claims(['front']))}`);
    assert.equal((await fresh.request('OPTIONS', 'rtsp://front/')).status, 200);
    await fresh.close();
    const replayed = hs256(claims(['front'], { iat: nowSeconds() - 90 }));
    assert.equal(await closing(new TestViewer(proxy.port, `/rtsp/front?token=${replayed}`)), CloseCode.tokenInvalid);
  });

  test('a wrong one, or none, is 4401, and the camera hears nothing of it', async () => {
    const before = camera.connections.length;
    for (const token of [null, 'nonsense', hs256(claims(['front'], { exp: nowSeconds() - 10 }))]) {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await assert.rejects(viewer.request('OPTIONS', 'rtsp://front/', token === null ? {} : bearer(token)), /4401/);
    }
    assert.equal(camera.connections.length, before);
  });

  test('another camera’s is 4403, whether that camera exists or not', async () => {
    for (const name of ['yard', 'nowhere']) {
      const viewer = new TestViewer(proxy.port, `/rtsp/${name}`);
      await assert.rejects(
        viewer.request('OPTIONS', `rtsp://${name}/`, bearer(hs256(claims(['front'])))),
        /4403 The access token does not allow this camera/,
      );
    }
    const anything = new TestViewer(proxy.port, '/rtsp/nowhere');
    await assert.rejects(anything.request('OPTIONS', 'rtsp://nowhere/', bearer(hs256(claims(['*'])))), /4404/);
  });

  test('a viewer that says nothing is closed in time', async () => {
    const impatient = await startProxy({ timeouts: { firstRequestMs: 100 } });
    const viewer = new TestViewer(impatient.port, '/rtsp/front');
    assert.equal(await closing(viewer), CloseCode.notRtsp);
    await impatient.stop();
  });

  test('raw tunnels: the token is stripped, all else arrives', async () => {
    const viewer = new TestViewer(proxy.port, '/rtsp');
    const url = `rtsp://127.0.0.1:${camera.port}/stream`;
    const token = hs256(claims([], { tunnel: true }));
    const headers = { ...bearer(token), Authorization: 'Basic dXNlcjpwYXNz', 'X-Other': 'stays' };
    assert.equal((await viewer.request('SET_PARAMETER', url, headers, 'a: b')).status, 200);
    const received = await camera.request('SET_PARAMETER');
    assert.equal(received.headers.get('Proxy-Authorization'), null);
    assert.equal(received.headers.get('Authorization'), 'Basic dXNlcjpwYXNz');
    assert.equal(received.headers.get('X-Other'), 'stays');
    assert.equal(Buffer.from(received.body).toString(), 'a: b');
    viewer.send(Uint8Array.of(0x24, 1, 0, 4, 0x81, 0xc9, 0, 0));
    await until(() => camera.connections.at(-1)?.frames.length === 1, 'The frame');
    // A renewed one, later, is stripped as well.
    const next = hs256(claims([], { tunnel: true, jti: 'next' }));
    await viewer.request('GET_PARAMETER', url, bearer(next));
    assert.equal((await camera.request('GET_PARAMETER')).headers.get('Proxy-Authorization'), null);
    await viewer.close();
    const other = new TestViewer(proxy.port, '/rtsp');
    await assert.rejects(other.request('OPTIONS', url, bearer(hs256(claims(['*'])))), /4403/);
  });

  test('expiry ends a running connection', async () => {
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.request('OPTIONS', 'rtsp://front/', bearer(hs256(claims(['front'], { exp: nowSeconds() + 2 }))));
    const { code, reason } = await within(viewer.closed, 'The close');
    assert.equal(code, CloseCode.tokenInvalid);
    assert.equal(reason, 'The access token has expired.');
  });

  test('a renewed token lets it go on; a bad one in between changes nothing', async () => {
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    const url = 'rtsp://front/';
    const end = nowSeconds() + 2;
    await viewer.request('OPTIONS', url, bearer(hs256(claims(['front'], { exp: end }))));
    await viewer.request('GET_PARAMETER', url, bearer(hs256(claims(['front'], { exp: end + 3 }))));
    await viewer.request('GET_PARAMETER', url, bearer('nonsense'));
    const { code } = await within(viewer.closed, 'The close');
    assert.equal(code, CloseCode.tokenInvalid);
    assert.ok(Date.now() / 1_000 >= end + 2.5, 'it went on until the second one expired');
  });

  test('a renewal that takes the camera away, or is somebody else’s, ends it', async () => {
    for (const [others, sentence] of [
      [{ cameras: ['yard'] }, /does not allow this camera/],
      [{ sub: 'mallory' }, /another viewer's/],
    ] as const) {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.request('OPTIONS', 'rtsp://front/', bearer(hs256(claims(['front']))));
      viewer.request('OPTIONS', 'rtsp://front/', bearer(hs256(claims(['front'], others)))).catch(() => null);
      const { code, reason } = await within(viewer.closed, 'The close');
      assert.equal(code, CloseCode.forbidden);
      assert.match(reason, sentence);
    }
  });

  test('/cameras lists what the token names', async () => {
    const list = async (headers: Record<string, string>, path = '/cameras') => {
      const { status, body } = await get(proxy.port, path, headers);
      return status === 200 ? (JSON.parse(body) as { name: string }[]).map((item) => item.name) : status;
    };
    const token = hs256(claims(['y*']));
    assert.deepEqual(await list({ Authorization: `Bearer ${token}` }), ['yard']);
    assert.deepEqual(await list({ Cookie: `rtsp_token=${token}` }), ['yard']);
    assert.deepEqual(await list({}, `/cameras?token=${token}`), ['yard']);
    assert.deepEqual(await list({ Authorization: `Bearer ${hs256(claims(['*']))}` }), ['front', 'yard']);
    assert.deepEqual(await list({ Authorization: `Bearer ${hs256(claims([]))}` }), []);
    assert.equal(await list({}), 401);
    assert.equal(await list({ Authorization: 'Bearer nonsense' }), 401);
    assert.equal((await get(proxy.port, '/cameras')).headers['www-authenticate'], 'Bearer');
  });

  test('pages of allowed origins may ask for the list with a token or with cookies', async () => {
    const portal = await startProxy({ allowOrigins: ['https://portal.example'] });
    const from = (page: string) =>
      get(portal.port, '/cameras', { Origin: page, 'Access-Control-Request-Headers': 'authorization' }, 'OPTIONS');
    const { status, headers } = await from('https://portal.example');
    assert.equal(status, 204);
    assert.equal(headers['access-control-allow-origin'], 'https://portal.example');
    assert.equal(headers['access-control-allow-headers'], 'Authorization');
    assert.equal(headers['access-control-allow-credentials'], 'true');
    const evil = await from('https://evil.example');
    assert.equal(evil.status, 403);
    assert.equal(evil.headers['access-control-allow-origin'], undefined);
    await portal.stop();
  });
});
