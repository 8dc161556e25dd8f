import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { RequestGuard } from '../../proxy/request-guard.js';
import { startRtspProxyServer } from '../../proxy/server.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { startTestProxy, TestViewer, until, within } from './test-peers.js';

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

async function get(port: number, path: string, options: RequestOptions = {}): Promise<Answer> {
  const request = httpRequest({ port, host: '127.0.0.1', path, agent: false, ...options }).end();
  const [response] = (await within(once(request, 'response'), `A response to ${path}`)) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

const cameras = [
  { name: 'front', title: 'Front door', url: 'rtsp://user:hunter2@10.0.0.7/secret-path' },
  { name: 'yard', streams: { main: 'rtsp://10.0.0.8/1', sub: 'rtsp://10.0.0.8/2' } },
];

describe('pages', () => {
  test('/cameras lists names, titles and streams, and nothing else', async () => {
    const proxy = await startTestProxy({ cameras });
    const { status, headers, body } = await get(proxy.port, '/cameras?x');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body.toString()), [
      { name: 'front', title: 'Front door', streams: ['main'] },
      { name: 'yard', title: 'yard', streams: ['main', 'sub'] },
    ]);
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['access-control-allow-origin'], undefined);
    await proxy.stop();
  });

  test('/cameras is for the proxy’s own pages and those of allowed origins', async () => {
    const proxy = await startTestProxy({ cameras, allowOrigins: ['https://portal.example'] });
    const from = (origin: string) => get(proxy.port, '/cameras', { headers: { Origin: origin } });
    const allowed = await from('https://portal.example');
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers['access-control-allow-origin'], 'https://portal.example');
    assert.equal(allowed.headers.vary, 'Origin');
    assert.equal((await from(`http://127.0.0.1:${proxy.port}`)).status, 200);
    for (const origin of [
      'https://evil.example',
      'null',
      'http://portal.example',
      'https://portal.example.evil.example',
      '',
    ]) {
      const { status, headers, body } = await from(origin);
      assert.equal(status, 403, origin);
      assert.equal(headers['access-control-allow-origin'], undefined);
      assert.doesNotMatch(body.toString(), /front/);
    }
    await proxy.stop();
  });

  test('/ is the wall, under a strict policy', async () => {
    const proxy = await startTestProxy({ cameras });
    const { status, headers, body } = await get(proxy.port, '/');
    assert.equal(status, 200);
    assert.match(body.toString(), /<!doctype html>/i);
    const policy = headers['content-security-policy'] ?? '';
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      assert.ok(String(policy).includes(part), part);
    }
    assert.doesNotMatch(String(policy), /unsafe|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    // Everything that the page loads from here is served.
    for (const [, path] of body.toString().matchAll(/(?:href|src)="\.?\/?([\w./-]+\.(?:css|js|svg|ico|png))"/g)) {
      if (path === 'rtsp-player.js') continue;
      assert.equal((await get(proxy.port, `/${path}`)).status, 200, path);
    }
    await proxy.stop();
  });

  test('files are compressed, and not sent again when the page has them', async () => {
    const proxy = await startTestProxy();
    const plain = await get(proxy.port, '/');
    const compressed = await get(proxy.port, '/', { headers: { 'Accept-Encoding': 'gzip, br' } });
    assert.equal(compressed.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(compressed.body), plain.body);
    for (const { headers } of [plain, compressed]) {
      assert.match(headers.etag ?? '', /^"[\w-]+"$/);
      const encoding = headers['content-encoding'] ?? 'identity';
      const again = await get(proxy.port, '/', {
        headers: { 'If-None-Match': headers.etag ?? '', 'Accept-Encoding': encoding },
      });
      assert.equal(again.status, 304);
      assert.equal(again.body.length, 0);
    }
    assert.notEqual(plain.headers.etag, compressed.headers.etag);
    const head = await get(proxy.port, '/', { method: 'HEAD' });
    assert.equal(head.headers['content-length'], String(plain.body.length));
    assert.equal(head.body.length, 0);
    await proxy.stop();
  });

  test('paths that are not the proxy’s are left to the host server', async () => {
    const proxy = await startTestProxy();
    for (const path of ['/other', '/index.html', '/../config.ts', '/%2e%2e/package.json', '/wall/', '//', '/rtsp']) {
      const { status, body, headers } = await get(proxy.port, path);
      assert.equal(`${status} ${body}`, '404 nothing here', path);
      assert.equal(headers['x-content-type-options'], undefined);
    }
    await proxy.stop();
  });

  test('only GET and HEAD', async () => {
    const proxy = await startTestProxy();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await get(proxy.port, '/cameras', { method });
      assert.equal(status, 405);
      assert.equal(headers.allow, 'GET, HEAD');
    }
    await proxy.stop();
  });

  test('names that are not the proxy’s get nothing (DNS rebinding of the proxy)', async () => {
    const proxy = await startTestProxy({ cameras, publicHosts: ['portal.example'] });
    const as = async (host: string, path = '/cameras') =>
      (await get(proxy.port, path, { headers: { Host: host } })).status;
    for (const host of [
      'portal.example',
      'PORTAL.example:8080',
      'localhost:1',
      '192.168.0.1:8080',
      '[fd00::1]:80',
      '[::1]',
    ]) {
      assert.equal(await as(host), 200, host);
    }
    for (const host of [
      'evil.example',
      'portal.example.evil.example',
      'localhost.evil.example',
      'user@localhost',
      'a b',
      '127.0.0.1.nip.io',
    ]) {
      assert.equal(await as(host), 403, host);
      assert.equal(await as(host, '/'), 403, host);
    }
    // Health checks come under any name.
    assert.equal(await as('evil.example', '/healthz'), 200);
    await proxy.stop();
  });

  test('/readyz says when the proxy goes down, /healthz does not', async () => {
    const proxy = await startTestProxy();
    assert.equal((await get(proxy.port, '/healthz')).status, 200);
    assert.equal((await get(proxy.port, '/readyz')).status, 200);
    await proxy.proxy.close();
    assert.equal((await get(proxy.port, '/healthz')).status, 200);
    assert.equal((await get(proxy.port, '/readyz')).status, 503);
    await proxy.stop();
  });
});

describe('upgrades', () => {
  test('foreign paths are left to the host server, untouched', async () => {
    const proxy = await startTestProxy({ cameras });
    for (const path of ['/', '/other', '/rtspx', '/RTSP', '/rtsp-over-websocket/x', '/%72tsp']) {
      const viewer = new TestViewer(proxy.port, path);
      await assert.rejects(within(viewer.opened, 'The refusal'), /418/, path);
    }
    assert.equal(proxy.proxy.stats().viewers, 0);
    await proxy.stop();
  });

  test('4403: a page of another site, or of no site', async () => {
    const proxy = await startTestProxy({ cameras, allowOrigins: ['https://portal.example'] });
    const codeFor = async (headers: Record<string, string>): Promise<number> => {
      const viewer = new TestViewer(proxy.port, '/rtsp/none', { headers });
      return (await within(viewer.closed, 'The close')).code;
    };
    for (const origin of [
      'https://evil.example',
      'null',
      'http://portal.example',
      'https://portal.example:8443',
      'file://',
      'x',
    ]) {
      assert.equal(await codeFor({ Origin: origin }), CloseCode.forbidden, origin);
    }
    // Those who may enter are told that there is no such camera.
    for (const origin of [
      'https://portal.example',
      `http://127.0.0.1:${proxy.port}`,
      `https://127.0.0.1:${proxy.port}`,
    ]) {
      assert.equal(await codeFor({ Origin: origin }), CloseCode.cameraUnknown, origin);
    }
    assert.equal(await codeFor({}), CloseCode.cameraUnknown);
    assert.equal(await codeFor({ Host: 'evil.example', Origin: 'http://evil.example' }), CloseCode.forbidden);
    await until(() => proxy.proxy.stats().closed[CloseCode.forbidden] === 7, 'Seven refusals');
    await proxy.stop();
  });

  test('default ports of an origin count as none', () => {
    const guard = new RequestGuard({ allowOrigins: [], publicHosts: ['portal.example'] });
    const judge = (origin: string, host: string) => guard.judgeOrigin({ headers: { origin, host } } as IncomingMessage);
    assert.equal(judge('https://portal.example', 'portal.example:443'), 'same');
    assert.equal(judge('http://portal.example', 'portal.example:80'), 'same');
    assert.equal(judge('https://portal.example', 'portal.example'), 'same');
    assert.equal(judge('https://portal.example', 'portal.example:8443'), 'refused');
    assert.equal(judge('http://[::1]:8080', '[::1]:8080'), 'same');
  });

  test('what is no WebSocket handshake gets HTTP’s answer', async () => {
    const proxy = await startTestProxy({ cameras });
    const request = httpRequest({
      port: proxy.port,
      host: '127.0.0.1',
      path: '/rtsp',
      headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'x' },
    }).end();
    const [response] = (await within(once(request, 'response'), 'The answer')) as [IncomingMessage];
    assert.equal(response.statusCode, 400);
    response.resume();
    await proxy.stop();
  });
});

describe('the proxy’s own server', () => {
  test('serves pages, refuses the rest, and ends with its viewers', async () => {
    const server = await startRtspProxyServer({ cameras, listen: { host: '127.0.0.1', port: 0 } });
    assert.deepEqual(server.urls, [`http://127.0.0.1:${server.port}/`]);
    assert.equal(server.isPublic, false);
    assert.equal((await get(server.port, '/cameras')).status, 200);
    assert.equal((await get(server.port, '/nothing')).status, 404);
    const foreign = new TestViewer(server.port, '/other');
    await assert.rejects(within(foreign.opened, 'The refusal'), /404/);
    const viewer = new TestViewer(server.port, '/rtsp/front');
    await viewer.opened;
    await within(server.close(), 'The end');
    assert.equal((await viewer.closed).code, CloseCode.goingDown);
  });

  test('an address that is taken', async () => {
    const server = await startRtspProxyServer({ listen: { host: '127.0.0.1', port: 0 } });
    await assert.rejects(startRtspProxyServer({ listen: { host: '127.0.0.1', port: server.port } }), {
      code: 'invalid-argument',
      message: `Cannot listen on 127.0.0.1 port ${server.port} (EADDRINUSE).`,
    });
    await server.close();
  });

  test('says when others can reach it', async () => {
    const server = await startRtspProxyServer({ listen: { host: '0.0.0.0', port: 0 }, insecurePublic: true });
    assert.equal(server.isPublic, true);
    assert.equal(server.urls[0], `http://localhost:${server.port}/`);
    await server.close();
  });
});
