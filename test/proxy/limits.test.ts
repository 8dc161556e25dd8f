import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ConnectionLimits, type Place } from '../../proxy/connection-limits.js';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { startRtspProxyServer } from '../../proxy/server.js';
import { addressGroup, parseNetworks, viewerAddress } from '../../proxy/viewer-address.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { ManualClock } from './manual-clock.js';
import {
  startCamera,
  startTestProxy,
  type TestCamera,
  type TestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

describe('places', () => {
  const place = (result: Place | string): Place => {
    assert.ok(typeof result === 'object', String(result));
    return result;
  };

  test('are counted for all, by address, viewer and camera, and given back once', () => {
    const limits = new ConnectionLimits(
      { connections: 3, connectionsPerAddress: 2, connectionsPerViewer: 1, connectionsPerCamera: 2 },
      new ManualClock(),
    );
    const first = place(limits.enter('10.0.0.1'));
    const second = place(limits.enter('10.0.0.1'));
    assert.match(String(limits.enter('10.0.0.1')), /This address has as many/);
    const third = place(limits.enter('10.0.0.2'));
    assert.match(String(limits.enter('10.0.0.3')), /The proxy has as many/);
    assert.equal(first.claim('alice', 'front'), null);
    assert.match(String(second.claim('alice', 'front')), /This viewer has as many/);
    assert.equal(third.claim('bob', 'front'), null);
    second.leave();
    second.leave();
    const fourth = place(limits.enter('10.0.0.1'));
    assert.match(String(fourth.claim('carol', 'front')), /This camera has as many/);
    first.leave();
    assert.equal(place(limits.enter('10.0.0.9')).claim('alice', 'front'), null);
  });

  test('handshakes have a rate, and bursts', async () => {
    const clock = new ManualClock();
    const limits = new ConnectionLimits({ handshakesPerSecond: 2 }, clock);
    const allowed = (address: string) =>
      Array.from({ length: 100 }, () => limits.allowsHandshake(address)).filter(Boolean).length;
    assert.equal(allowed('10.0.0.1'), 40);
    assert.equal(allowed('10.0.0.2'), 40);
    await clock.advance(1_000);
    assert.equal(allowed('10.0.0.1'), 2);
  });

  test('IPv6 addresses count by their first 64 bits', () => {
    assert.equal(addressGroup('2001:db8::1'), addressGroup('2001:db8::ffff:1:2:3'));
    assert.notEqual(addressGroup('2001:db8::1'), addressGroup('2001:db8:0:1::1'));
    assert.equal(addressGroup('10.0.0.1'), '10.0.0.1');
  });
});

describe('the viewer’s address', () => {
  const address = (remoteAddress: string, forwarded: string | undefined, trusted: string[]): string => {
    const request = { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } };
    return viewerAddress(
      request as unknown as Parameters<typeof viewerAddress>[0],
      parseNetworks(trusted, 'trustProxy'),
    );
  };

  test('is the socket’s, unless a trusted balancer says another one', () => {
    assert.equal(address('203.0.113.5', '198.51.100.1', []), '203.0.113.5');
    assert.equal(address('203.0.113.5', '198.51.100.1', ['10.0.0.0/8']), '203.0.113.5');
    assert.equal(address('10.0.0.1', '198.51.100.1', ['10.0.0.0/8']), '198.51.100.1');
    assert.equal(address('::ffff:10.0.0.1', '198.51.100.1', ['10.0.0.0/8']), '198.51.100.1');
    assert.equal(address('fd00::1', '2001:DB8::0:1', ['fd00::/8']), '2001:db8::1');
    // What the viewer wrote itself stands on the left.
    assert.equal(address('10.0.0.1', '127.0.0.1, 198.51.100.1, 10.0.0.2', ['10.0.0.0/8']), '198.51.100.1');
    assert.equal(address('10.0.0.1', undefined, ['10.0.0.0/8']), '10.0.0.1');
    for (const nonsense of ['', 'unknown', 'a, b', '198.51.100.1, evil']) {
      assert.equal(address('10.0.0.1', nonsense, ['10.0.0.0/8']), '10.0.0.1', nonsense);
    }
    assert.equal(address('10.0.0.1', '10.0.0.9', ['10.0.0.0/8']), '10.0.0.9');
  });
});

describe('limits', () => {
  let camera: TestCamera;
  before(async () => {
    camera = await startCamera();
  });
  after(() => camera.stop());

  const startProxy = (options: RtspProxyOptions): Promise<TestProxy> =>
    startTestProxy({ cameras: [{ name: 'front', url: camera.url }], ...options });

  const closing = async (viewer: TestViewer) => within(viewer.closed, 'The close');

  test('of connections close with 4429, and others go on', async () => {
    const proxy = await startProxy({ limits: { connectionsPerAddress: 2 } });
    const viewers = [1, 2].map(() => new TestViewer(proxy.port, '/rtsp/front'));
    for (const viewer of viewers) await viewer.request('OPTIONS', 'rtsp://front/');
    const third = await closing(new TestViewer(proxy.port, '/rtsp/front'));
    assert.deepEqual(third, {
      code: CloseCode.limitReached,
      reason: 'This address has as many connections as it may.',
    });
    assert.equal((await viewers[0]?.request('OPTIONS', 'rtsp://front/'))?.status, 200);
    await viewers[0]?.close();
    await until(() => proxy.proxy.stats().cameraSessions === 1, 'The end of the first');
    const next = new TestViewer(proxy.port, '/rtsp/front');
    assert.equal((await next.request('OPTIONS', 'rtsp://front/')).status, 200);
    await proxy.stop();
  });

  test('of handshakes answer 429, before the WebSocket, without harm to others behind the same balancer', async () => {
    const proxy = await startProxy({ limits: { handshakesPerSecond: 1 }, trustProxy: ['127.0.0.1'] });
    const flood = { 'X-Forwarded-For': '203.0.113.1' };
    const results = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers: flood });
        return viewer.opened.then(
          () => 'open',
          (error) => String(error),
        );
      }),
    );
    assert.ok(results.filter((result) => result.includes('429')).length >= 35, results.join());
    const other = new TestViewer(proxy.port, '/rtsp/front', { headers: { 'X-Forwarded-For': '203.0.113.2' } });
    assert.equal((await other.request('OPTIONS', 'rtsp://front/')).status, 200);
    await proxy.stop();
  });

  test('of what a viewer sends: messages, bytes, pings, one message', async () => {
    const proxy = await startProxy({ limits: { messagesPerSecond: 10, bytesPerSecond: 100_000 } });
    const frame = Uint8Array.of(0x24, 1, 0, 0);
    const tries: Record<string, (viewer: TestViewer) => void> = {
      messages: (viewer) => {
        for (let index = 0; index < 60; index++) viewer.send(frame);
      },
      bytes: (viewer) => {
        for (let index = 0; index < 8; index++) viewer.send(new Uint8Array(60_000).fill(0x0a));
      },
      pings: (viewer) => {
        for (let index = 0; index < 60; index++) viewer.webSocket.ping();
      },
    };
    for (const [what, act] of Object.entries(tries)) {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.opened;
      act(viewer);
      assert.deepEqual(
        await closing(viewer),
        { code: CloseCode.limitReached, reason: 'The viewer sends more than it may.' },
        what,
      );
    }
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.opened;
    viewer.send(new Uint8Array(2_000_000));
    // RFC 6455, 7.4.1: message too big.
    assert.equal((await closing(viewer)).code, 1009);
    await proxy.stop();
  });

  test('of idleness: neither asking nor getting anything', async () => {
    const proxy = await startProxy({ timeouts: { idleMs: 100 } });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.request('OPTIONS', 'rtsp://front/');
    const { code, reason } = await closing(viewer);
    assert.equal(code, CloseCode.limitReached);
    assert.match(reason, /Nothing was sent or received for 100 ms/);
    await proxy.stop();
  });

  test('of patience with those who never finish their HTTP request', async () => {
    const server = await startRtspProxyServer({ listen: { host: '127.0.0.1', port: 0 } });
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    const ended = within(once(socket, 'close'), 'The end', 20_000);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => socket.write('X: y\r\n'), 500);
    await ended;
    clearInterval(drip);
    assert.match(answer, /^HTTP\/1\.1 408 /);
    await server.close();
  });
});

describe('listening beyond loopback', () => {
  const listen = { host: '0.0.0.0', port: 0 };

  test('is refused without authorization, with the reason', async () => {
    for (const host of ['0.0.0.0', '::', '10.255.255.1', 'some-name']) {
      await assert.rejects(
        startRtspProxyServer({ listen: { host, port: 0 } }),
        /Refusing to listen on .* nobody would be asked who they are.*--insecure-public/s,
        host,
      );
    }
  });

  test('goes with it, or where the administrator says so', async () => {
    const jwt = { secret: 'a secret of more than thirty-two bytes' };
    for (const options of [{ authorization: { jwt } }, { authorize: () => true }, { insecurePublic: true }]) {
      const server = await startRtspProxyServer({ listen, ...options });
      assert.equal(server.isPublic, true);
      await server.close();
    }
  });
});
