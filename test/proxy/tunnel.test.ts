import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { makeCertificate } from '../support/certificate.js';
import { startCamera, startTestProxy, TestViewer, until, within } from './test-peers.js';

const silent = (): null => null;

async function closeOf(viewer: TestViewer): Promise<{ code: number; reason: string }> {
  return within(viewer.closed, 'The close');
}

describe('the raw tunnel', () => {
  test('carries bytes untouched in both directions, on each of its paths and subprotocols', async () => {
    const camera = await startCamera(silent);
    const proxy = await startTestProxy({ allow: [`127.0.0.1:${camera.port}`] });
    const request = `OPTIONS ${camera.url} RTSP/1.0\r\ncseq:   7\r\nX-Odd :\tkept \r\n\r\n`;
    const cases: [string, string[], string][] = [
      ['/rtsp', ['rtsp.onvif.org'], 'rtsp.onvif.org'],
      ['/rtsp-over-websocket', ['binary'], 'binary'],
      ['/rtspoverwebsocket', [], ''],
      ['/rtsp?x=1', ['binary', 'rtsp.onvif.org'], 'rtsp.onvif.org'],
    ];
    for (const [index, [path, protocols, protocol]] of cases.entries()) {
      const viewer = new TestViewer(proxy.port, path, { protocols });
      await viewer.opened;
      assert.equal(viewer.webSocket.protocol, protocol);
      // Any chunking of the first request, and bytes behind it.
      for (const byte of Buffer.from(request.slice(0, 9))) viewer.send(Uint8Array.of(byte));
      viewer.send(`${request.slice(9)}$\0\0\x02ab`);
      await until(() => camera.connections[index]?.bytesRead === request.length + 6, 'The bytes at the camera');
      const odd = Buffer.from(Array.from({ length: 300 }, (_, at) => at & 0xff));
      camera.connections[index]?.send(odd);
      await until(() => viewer.bytes.length === 300, 'The bytes at the viewer');
      assert.deepEqual(viewer.bytes, odd);
      await viewer.close();
      await within(camera.connections[index]?.closed ?? Promise.reject(new Error('none')), 'The end at the camera');
    }
    await proxy.stop();
    camera.stop();
  });

  test('sends what the viewer said last before it lets the camera go', async () => {
    const camera = await startCamera(silent);
    const proxy = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.opened;
    viewer.send(`OPTIONS ${camera.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
    await camera.request('OPTIONS');
    viewer.send(`TEARDOWN ${camera.url} RTSP/1.0\r\nCSeq: 2\r\n\r\n`);
    viewer.webSocket.close();
    await camera.request('TEARDOWN');
    await proxy.stop();
    camera.stop();
  });

  test('speaks TLS to rtsps:// cameras, and never to one that cannot be verified', async () => {
    const certificate = await makeCertificate();
    const tls = { key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) };
    const camera = await startCamera(undefined, { tls });
    const authorities = readFileSync(certificate.certificate, 'utf8');
    for (const host of ['127.0.0.1', 'localhost']) {
      const proxy = await startTestProxy({ allow: [host], certificateAuthorities: authorities });
      const viewer = new TestViewer(proxy.port, '/rtsp');
      const response = await viewer.request('OPTIONS', `rtsps://${host}:${camera.port}/1`);
      assert.equal(response.status, 200);
      await proxy.stop();
    }
    const strict = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = new TestViewer(strict.port, '/rtsp');
    await viewer.opened;
    viewer.send(`OPTIONS ${camera.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
    const { code, reason } = await closeOf(viewer);
    assert.equal(code, CloseCode.cameraRefused);
    assert.match(reason, /certificate cannot be verified/);
    await strict.stop();
    // The name has to fit as well.
    const wrongName = await startTestProxy({
      allow: ['camera.example', '127.0.0.1'],
      certificateAuthorities: authorities,
      lookup: async () => ['127.0.0.1'],
    });
    const other = new TestViewer(wrongName.port, '/rtsp');
    await other.opened;
    other.send(`OPTIONS rtsps://camera.example:${camera.port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
    assert.equal((await closeOf(other)).code, CloseCode.cameraRefused);
    await wrongName.stop();
    camera.stop();
    await certificate.remove();
  });

  test('dials the address that was checked, once looked up', async () => {
    const camera = await startCamera();
    const lookups: string[] = [];
    const answers = [['127.0.0.1'], ['10.255.255.1']];
    const proxy = await startTestProxy({
      allow: ['camera.example', '127.0.0.1'],
      lookup: async (name) => {
        lookups.push(name);
        return answers.shift() ?? [];
      },
    });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    const response = await viewer.request('OPTIONS', `rtsp://camera.example:${camera.port}/`);
    assert.equal(response.status, 200);
    assert.deepEqual(lookups, ['camera.example']);
    await proxy.stop();
    camera.stop();
  });

  test('tries the addresses of a name in turn', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({
      allow: ['camera.example', '127.0.0.0/8'],
      lookup: async () => ['127.0.0.77', '127.0.0.1'],
    });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    assert.equal((await viewer.request('OPTIONS', `rtsp://camera.example:${camera.port}/`)).status, 200);
    await proxy.stop();
    camera.stop();
  });
});

describe('refusals of the raw tunnel', () => {
  async function refusal(
    first: string | Uint8Array | null,
    options: Parameters<typeof startTestProxy>[0] = { allow: ['127.0.0.1'] },
  ): Promise<{ code: number; reason: string }> {
    const proxy = await startTestProxy(options);
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.opened;
    if (first !== null) viewer.send(first);
    const close = await closeOf(viewer);
    await proxy.stop();
    assert.deepEqual(proxy.proxy.stats().closed, { [close.code]: 1 });
    assert.equal(proxy.proxy.stats().tunnels, 0);
    return close;
  }

  test('4403: no allowlist at all', async () => {
    const { code, reason } = await refusal(null, {});
    assert.equal(code, CloseCode.forbidden);
    assert.match(reason, /no allowlist/);
  });

  test('4403: a target that the allowlist does not have', async () => {
    const { code, reason } = await refusal('OPTIONS rtsp://10.0.0.1/ RTSP/1.0\r\n\r\n');
    assert.equal(code, CloseCode.forbidden);
    assert.match(reason, /may not connect to 10\.0\.0\.1 port 554/);
  });

  test('4403: a target by DNS rebinding', async () => {
    const rebinding = { allow: ['camera.example'], lookup: async () => ['127.0.0.1'] };
    assert.equal(
      (await refusal('OPTIONS rtsp://camera.example/ RTSP/1.0\r\n\r\n', rebinding)).code,
      CloseCode.forbidden,
    );
  });

  test('4400: not RTSP', async () => {
    for (const first of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', Uint8Array.of(0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5)]) {
      assert.equal((await refusal(first)).code, CloseCode.notRtsp);
    }
  });

  test('4400: a first request without a camera in its URL', async () => {
    for (const url of ['*', '/stream', 'http://10.0.0.1/', 'rtsp://']) {
      assert.equal((await refusal(`OPTIONS ${url} RTSP/1.0\r\n\r\n`)).code, CloseCode.notRtsp, url);
    }
  });

  test('4400: nothing within the time for the first request, or only a part of it', async () => {
    for (const first of [null, 'OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq:']) {
      const { code, reason } = await refusal(first, { allow: ['127.0.0.1'], timeouts: { firstRequestMs: 50 } });
      assert.equal(code, CloseCode.notRtsp);
      assert.match(reason, /within 50 ms/);
    }
  });

  test('4400: a header without an end', async () => {
    assert.equal(
      (await refusal(`OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nX: ${'x'.repeat(100_000)}`)).code,
      CloseCode.notRtsp,
    );
  });

  test('4400: text messages', async () => {
    const proxy = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.opened;
    viewer.webSocket.send('OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.notRtsp);
    await proxy.stop();
  });

  test('1009: a message beyond the limit', async () => {
    assert.equal((await rude(new Uint8Array(1_048_577))).code, 1009);
  });

  async function rude(bytes: Uint8Array): Promise<{ code: number }> {
    const proxy = await startTestProxy({ allow: ['127.0.0.1'] });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.opened;
    viewer.send(bytes);
    const close = await closeOf(viewer);
    await proxy.stop();
    return close;
  }

  test('4502: nobody listens there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    const { code, reason } = await refusal(`OPTIONS rtsp://127.0.0.1:${port}/ RTSP/1.0\r\n\r\n`);
    assert.equal(code, CloseCode.cameraRefused);
    assert.match(reason, /ECONNREFUSED/);
  });

  test('4502: the camera closes or resets the connection', async () => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const camera = await startCamera((_, connection) => {
        connection.socket[end]();
        return null;
      });
      const { code } = await refusal(`OPTIONS ${camera.url} RTSP/1.0\r\n\r\n`);
      assert.equal(code, CloseCode.cameraRefused, end);
      camera.stop();
    }
  });

  test('4504: a host that does not answer', async () => {
    // TLS to a server that never answers the handshake: black-holed addresses cannot be had on every machine.
    const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const { code, reason } = await refusal(`OPTIONS rtsps://127.0.0.1:${port}/ RTSP/1.0\r\n\r\n`, {
      allow: ['127.0.0.1'],
      timeouts: { connectMs: 60 },
    });
    assert.equal(code, CloseCode.cameraUnreachable);
    assert.match(reason, /did not answer within 60 ms/);
    // Resolves only when the connection has ended.
    await new Promise((resolve) => server.close(resolve));
  });

  test('4504: a name without an address', async () => {
    const lookup = async (): Promise<string[]> => {
      throw new Error('ENOTFOUND');
    };
    const { code } = await refusal('OPTIONS rtsp://camera.example/ RTSP/1.0\r\n\r\n', {
      allow: ['camera.example'],
      lookup,
    });
    assert.equal(code, CloseCode.cameraUnreachable);
  });
});

describe('silence on the raw tunnel', () => {
  test('4504: a camera that plays and sends nothing any more', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { silenceMs: 120 } });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.request('PLAY', camera.url);
    const { code, reason } = await closeOf(viewer);
    assert.equal(code, CloseCode.cameraUnreachable);
    assert.match(reason, /silent for 120 ms/);
    await proxy.stop();
    camera.stop();
  });

  test('a paused session, and one that has not begun to play, may be silent', async () => {
    for (const methods of [['OPTIONS'], ['PLAY', 'PAUSE'], ['PLAY', 'PAUSE', 'GET_PARAMETER']]) {
      const camera = await startCamera();
      const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { silenceMs: 30 } });
      const viewer = new TestViewer(proxy.port, '/rtsp');
      for (const method of methods) await viewer.request(method, camera.url);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal((await viewer.request('GET_PARAMETER', camera.url)).status, 200, methods.join(' '));
      await proxy.stop();
      camera.stop();
    }
  });
});

describe('a viewer that is gone', () => {
  test('is ended when it does not answer pings, and its camera with it', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { pingMs: 40 } });
    const socket = connect(proxy.port, '127.0.0.1');
    const key = Buffer.alloc(16).toString('base64');
    socket.write(
      `GET /rtsp HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    const request = Buffer.from(`OPTIONS ${camera.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
    socket.write(Buffer.concat([Uint8Array.of(0x82, 0x80 | request.length, 0, 0, 0, 0), request]));
    await camera.request('OPTIONS');
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    await within(once(socket, 'close'), 'The end of the viewer');
    assert.ok(Buffer.concat(received).includes(Buffer.of(0x89, 0)), 'it was pinged');
    await within(camera.connections[0]?.closed ?? Promise.reject(new Error('none')), 'The end of the camera');
    await proxy.stop();
    camera.stop();
  });

  test('is not one that answers them', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ allow: ['127.0.0.1'], timeouts: { pingMs: 250 } });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.request('OPTIONS', camera.url);
    let pings = 0;
    viewer.webSocket.on('ping', () => pings++);
    await until(() => pings >= 3, 'Three pings');
    assert.equal((await viewer.request('OPTIONS', camera.url)).status, 200);
    await proxy.stop();
    camera.stop();
  });
});
