import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { type Certificate, makeCertificate } from '../support/certificate.js';
import { type LineProcess, startLineProcess } from '../support/child-process.js';
import { asymmetric, claims, keys } from './authorization/tokens.js';
import {
  type CameraConnection,
  healthy,
  startCamera,
  startTestProxy,
  type TestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

// What goes wrong beside the proxy has an outcome that a viewer is told, and is felt by nobody else: through each fault,
// a neighbour looks at another camera.

const NEIGHBOUR = 'neighbour';

interface Scene {
  proxy: TestProxy;
  /** Fails unless the neighbour still gets frames, and answers. */
  checkNeighbour(): Promise<void>;
  /** How a viewer's stay ends that asks for the camera, or for the target of a raw tunnel. */
  outcome(target: string, method?: string): Promise<{ code: number; reason: string }>;
}

async function withNeighbour(options: RtspProxyOptions, use: (scene: Scene) => Promise<void>): Promise<void> {
  const camera = await startCamera();
  const cameras = [...(options.cameras ?? []), { name: NEIGHBOUR, url: camera.url }];
  const proxy = await startTestProxy({ ...options, cameras });
  const neighbour = new TestViewer(proxy.port, `/rtsp/${NEIGHBOUR}`, {
    headers: { Cookie: 'n=1', Origin: origin(proxy) },
  });
  await neighbour.play(NEIGHBOUR);
  const [connection] = camera.connections.slice(-1);
  try {
    await use({
      proxy,
      async checkNeighbour() {
        const frames = neighbour.frames.length;
        connection?.sendFrame(0, new Uint8Array(100));
        await until(() => neighbour.frames.length > frames, 'A frame for the neighbour', 1_000);
        assert.equal((await neighbour.request('GET_PARAMETER', `rtsp://${NEIGHBOUR}/`)).status, 200);
      },
      async outcome(target, method = 'DESCRIBE') {
        const isTunnel = target.includes('://');
        const viewer = new TestViewer(proxy.port, isTunnel ? '/rtsp' : `/rtsp/${target}`);
        await viewer.opened;
        const url = isTunnel ? target : `rtsp://${target}/`;
        viewer.send(`${method} ${url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
        return within(viewer.closed, 'The close');
      },
    });
  } finally {
    await proxy.stop();
    camera.stop();
  }
}

const origin = ({ port }: TestProxy): string => `http://127.0.0.1:${port}`;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('an address that swallows connections', () => {
  let hole: LineProcess;
  let port = 0;
  const fillers: Socket[] = [];

  before(async () => {
    const script =
      "const s=require('net').createServer().listen({host:'127.0.0.1',port:0,backlog:1},()=>console.log(s.address().port))";
    hole = startLineProcess(process.execPath, ['-e', script]);
    port = await hole.waitForLine((line) => Number(line) || null);
    hole.signal('SIGSTOP');
    await until(() => / T /.test(readFileSync(`/proc/${hole.pid}/stat`, 'latin1')), 'The stop');
    // Nobody takes what has come: when its queue is full, Linux drops what else comes.
    let taken = 0;
    for (let count = 0; count < 8; count++) {
      const socket = connect(port, '127.0.0.1', () => taken++);
      socket.on('error', () => {});
      fillers.push(socket);
    }
    await until(() => taken >= 2, 'A full queue');
  });
  after(async () => {
    for (const socket of fillers) socket.destroy();
    await hole.kill();
  });

  test('4504, after the time to connect', async () => {
    const url = `rtsp://127.0.0.1:${port}/`;
    const options = {
      cameras: [{ name: 'front', url }],
      allow: ['127.0.0.1'],
      timeouts: { connectMs: 150, holdMs: 400 },
    };
    await withNeighbour(options, async ({ outcome, checkNeighbour }) => {
      const ends = Promise.all(['front', 'front', url, url].map((target) => outcome(target)));
      await checkNeighbour();
      for (const { code, reason } of await ends) {
        assert.equal(code, CloseCode.cameraUnreachable);
        assert.match(reason, /did not answer within 150 ms/);
      }
      await checkNeighbour();
    });
  });

  test('a viewer that goes meanwhile takes its connection along', async () => {
    await withNeighbour(
      { allow: ['127.0.0.1'], timeouts: { connectMs: 60_000 } },
      async ({ proxy, checkNeighbour }) => {
        const viewer = new TestViewer(proxy.port, '/rtsp');
        await viewer.opened;
        viewer.send(`OPTIONS rtsp://127.0.0.1:${port}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
        await until(() => proxy.proxy.stats().tunnels === 1, 'The tunnel');
        const { closed } = viewer;
        viewer.webSocket.terminate();
        await closed;
        await until(() => proxy.proxy.stats().tunnels === 0, 'The end of the tunnel', 2_000);
        await checkNeighbour();
      },
    );
  });
});

describe('names', () => {
  /** By name; what is not there cannot be looked up. */
  type Names = Record<string, () => Promise<string[]>>;
  const cases: [what: string, answer: () => Promise<string[]>, words: RegExp][] = [
    ['that nobody knows', () => Promise.reject(new Error('ENOTFOUND')), /host name cannot be looked up/],
    ['for which nobody answers', () => new Promise(() => {}), /could not be looked up within 150 ms/],
    ['without an address', () => Promise.resolve([]), /has no address/],
    ['whose addresses are none', () => Promise.resolve(['300.1.1.1', 'example']), /has no address/],
  ];

  for (const [what, answer, words] of cases) {
    test(`${what}: 4504`, async () => {
      const names: Names = { 'camera.example': answer };
      const options: RtspProxyOptions = {
        cameras: [{ name: 'front', url: 'rtsp://camera.example/' }],
        allow: ['camera.example'],
        lookup: (name) => names[name]?.() ?? Promise.reject(new Error(name)),
        timeouts: { connectMs: 150, holdMs: 400 },
      };
      await withNeighbour(options, async ({ outcome, checkNeighbour }) => {
        const ends = Promise.all(['front', 'rtsp://camera.example/'].map((target) => outcome(target)));
        await checkNeighbour();
        for (const { code, reason } of await ends) {
          assert.equal(code, CloseCode.cameraUnreachable);
          assert.match(reason, words);
        }
      });
    });
  }

  test('that are known again bring the camera back, and nobody asks twice at a time', async () => {
    const camera = await startCamera();
    let asked = 0;
    let answer: (addresses: string[]) => void = () => {};
    const options: RtspProxyOptions = {
      cameras: [{ name: 'front', url: camera.url.replace('127.0.0.1', 'camera.example') }],
      allow: ['127.0.0.1', 'camera.example'],
      lookup: () => {
        asked++;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
      timeouts: { connectMs: 100 },
    };
    await withNeighbour(options, async ({ proxy, outcome, checkNeighbour }) => {
      const url = camera.url.replace('127.0.0.1', 'camera.example');
      const waiting = new TestViewer(proxy.port, '/rtsp/front');
      const described = waiting.request('DESCRIBE', 'rtsp://front/');
      const ends = await Promise.all([url, url, url].map((target) => outcome(target)));
      assert.deepEqual(new Set(ends.map(({ code }) => code)), new Set([CloseCode.cameraUnreachable]));
      assert.equal(asked, 1, 'the first question is not answered yet');
      answer(['127.0.0.1']);
      await until(() => asked > 1 || camera.connections.length > 0, 'The next attempt');
      answer(['127.0.0.1']);
      assert.equal((await described).status, 200);
      await checkNeighbour();
    });
    camera.stop();
  });

  test('take their part of the time to connect', async () => {
    const mute = createServer((socket) => socket.on('error', () => {}).resume());
    const port = await listen(mute);
    const lookup = (): Promise<string[]> => new Promise((resolve) => setTimeout(() => resolve(['127.0.0.1']), 300));
    const options = { allow: ['camera.example', '127.0.0.1'], lookup, timeouts: { connectMs: 500 } };
    await withNeighbour(options, async ({ outcome }) => {
      const start = performance.now();
      // TLS to whoever does not speak it: connected, and not ready.
      const { code } = await outcome(`rtsps://camera.example:${port}/`);
      const took = performance.now() - start;
      assert.equal(code, CloseCode.cameraUnreachable);
      assert.ok(took > 450 && took < 750, `${took} ms`);
    });
    mute.close();
  });
});

describe('TLS that does not fit', () => {
  let certificate: Certificate;
  let tls: TlsOptions;
  before(async () => {
    certificate = await makeCertificate();
    tls = { key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) };
  });
  after(() => certificate.remove());

  const cases: Record<
    string,
    { serve: () => Promise<[stop: () => void, url: string]>; code: CloseCode; words: RegExp }
  > = {
    'rtsps:// to a camera that speaks RTSP only': {
      serve: async () => {
        const server = createServer((socket) => {
          socket.on('error', () => {});
          socket.on('data', () => socket.end('RTSP/1.0 400 Bad Request\r\n\r\n'));
        });
        return [() => server.close(), `rtsps://127.0.0.1:${await listen(server)}/`];
      },
      code: CloseCode.cameraRefused,
      words: /does not speak TLS as expected/,
    },
    'rtsp:// to a camera that speaks TLS only': {
      serve: async () => {
        const camera = await startCamera(healthy, { tls });
        return [() => camera.stop(), camera.url.replace('rtsps', 'rtsp')];
      },
      // An alert is no RTSP.
      code: CloseCode.cameraRefused,
      words: /./,
    },
    'a handshake that is never answered': {
      serve: async () => {
        const server = createServer((socket) => socket.on('error', () => {}).resume());
        return [() => server.close(), `rtsps://127.0.0.1:${await listen(server)}/`];
      },
      code: CloseCode.cameraUnreachable,
      words: /did not answer within 200 ms/,
    },
    'a handshake that is cut off': {
      serve: async () => {
        const server = createServer((socket) => {
          socket.on('error', () => {});
          socket.once('data', () => socket.resetAndDestroy());
        });
        return [() => server.close(), `rtsps://127.0.0.1:${await listen(server)}/`];
      },
      code: CloseCode.cameraRefused,
      words: /reset the connection|hung up/,
    },
    "a certificate of another host's": {
      serve: async () => {
        const camera = await startCamera(healthy, { tls });
        return [() => camera.stop(), camera.url.replace('127.0.0.1', 'camera.example')];
      },
      code: CloseCode.cameraRefused,
      words: /certificate cannot be verified \(ERR_TLS_CERT_ALTNAME_INVALID\)/,
    },
    'a camera that wants a certificate of the proxy': {
      serve: async () => {
        const server = createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, () => {});
        server.on('tlsClientError', () => {});
        return [() => server.close(), `rtsps://127.0.0.1:${await listen(server)}/`];
      },
      code: CloseCode.cameraRefused,
      words: /./,
    },
  };

  for (const [what, { serve, code, words }] of Object.entries(cases)) {
    test(`${what}: ${code}`, async () => {
      const [stop, url] = await serve();
      const options: RtspProxyOptions = {
        cameras: [{ name: 'front', url }],
        allow: ['127.0.0.1', 'camera.example'],
        lookup: async () => ['127.0.0.1'],
        certificateAuthorities: readFileSync(certificate.certificate, 'utf8'),
        timeouts: { connectMs: 200, holdMs: 300, responseMs: 200 },
      };
      await withNeighbour(options, async ({ outcome, checkNeighbour }) => {
        for (const target of ['front', url]) {
          const end = await outcome(target);
          assert.deepEqual([target, end.code], [target, code], end.reason);
          assert.match(end.reason, words);
        }
        await checkNeighbour();
      });
      stop();
    });
  }
});

describe('a camera that resets the connection', () => {
  type Reset = (connection: CameraConnection, method: string) => boolean;
  const at =
    (wanted: string): Reset =>
    ({ socket }, method) => {
      if (method === wanted) socket.resetAndDestroy();
      return method === wanted;
    };
  const phases: Record<string, Reset> = {
    'before it has said anything': ({ socket }) => {
      socket.resetAndDestroy();
      return true;
    },
    'at DESCRIBE': at('DESCRIBE'),
    'at SETUP': at('SETUP'),
    'at PLAY': at('PLAY'),
    'in the middle of a reply': ({ socket }, method) => {
      if (method !== 'DESCRIBE') return false;
      socket.write('RTSP/1.0 200 OK\r\nContent-Length: 500\r\n\r\nv=0\r\n', () => socket.resetAndDestroy());
      return true;
    },
    'in the middle of a header': ({ socket }, method) => {
      if (method !== 'SETUP') return false;
      socket.write('RTSP/1.0 200 OK\r\nSess', () => socket.resetAndDestroy());
      return true;
    },
    'in the middle of a frame': ({ socket }, method) => {
      if (method !== 'GET_PARAMETER') return false;
      socket.write(Uint8Array.of(0x24, 0, 0x10, 0, 1, 2, 3), () => socket.resetAndDestroy());
      return true;
    },
  };

  for (const [phase, reset] of Object.entries(phases)) {
    for (const kind of ['a named camera', 'a raw tunnel'] as const) {
      test(`${phase}, of ${kind}: 4502; the same camera's other viewers stay, and new ones play when it is well`, async () => {
        let isIll = false;
        const ill = new Set<CameraConnection>();
        const spared = new Set<CameraConnection>();
        const camera = await startCamera((request, connection) => {
          if (!isIll && !ill.has(connection)) spared.add(connection);
          else if (!spared.has(connection)) {
            ill.add(connection);
            if (reset(connection, request.method)) return null;
          }
          return healthy(request);
        });
        const options: RtspProxyOptions = {
          cameras: [{ name: 'front', url: camera.url }],
          allow: ['127.0.0.1'],
          timeouts: { holdMs: 300 },
        };
        await withNeighbour(options, async ({ proxy, checkNeighbour }) => {
          const url = kind === 'a raw tunnel' ? camera.url : 'rtsp://front/';
          const path = kind === 'a raw tunnel' ? '/rtsp' : '/rtsp/front';
          const play = async (viewer: TestViewer): Promise<void> => {
            await viewer.request('DESCRIBE', url);
            const media = kind === 'a raw tunnel' ? `${url}/trackID=1` : `${url}0`;
            await viewer.request('SETUP', media, { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
            await viewer.request('PLAY', url);
          };
          const mate = new TestViewer(proxy.port, path);
          await play(mate);
          const [own] = camera.connections.slice(-1);
          isIll = true;
          const victim = new TestViewer(proxy.port, path);
          void play(victim)
            .then(() => victim.request('GET_PARAMETER', url))
            .catch(() => {});
          const { code, reason } = await within(victim.closed, 'The close');
          assert.equal(code, CloseCode.cameraRefused, reason);
          assert.notEqual(reason, '');
          await checkNeighbour();
          const frames = mate.frames.length;
          own?.sendFrame(0, new Uint8Array(100));
          await until(() => mate.frames.length > frames, "A frame for the camera's other viewer");

          isIll = false;
          const next = new TestViewer(proxy.port, path);
          await play(next);
          await until(
            () => proxy.proxy.stats().tunnels + proxy.proxy.stats().cameraSessions === 3,
            'The end of the victim',
          );
          await next.close();
          await mate.close();
        });
        camera.stop();
      });
    }
  }
});

describe('who decides', () => {
  let answer: RequestListener = () => {};
  const server = createHttpServer((request, response) => answer(request, response));
  let url = '';
  before(async () => {
    url = `http://127.0.0.1:${await listen(server)}/`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const lies: Record<string, RequestListener> = {
    'is down': (request) => request.socket.resetAndDestroy(),
    'is slow': () => {},
    'is slow in the middle of an answer': (request) => request.socket.write('HTTP/1.1 200 OK\r\nX-Slow'),
    'answers what is no HTTP': (request) => request.socket.end('+OK come in\r\n'),
    'answers with an error': (_request, response) => response.writeHead(502).end('<html>'),
    'answers 200 without an end': (request) => request.socket.write(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}`),
  };

  for (const [what, lie] of Object.entries(lies)) {
    test(`the portal ${what}: 1013 for those who come, those who are there stay, and all is well when it is`, async () => {
      answer = (_request, response) => response.writeHead(204).end();
      const camera = await startCamera();
      const options: RtspProxyOptions = {
        cameras: [{ name: 'front', url: camera.url }],
        authorization: { forward: { url, timeoutMs: 150, cacheMs: 0, recheckMs: 100 } },
      };
      await withNeighbour(options, async ({ outcome, proxy, checkNeighbour }) => {
        let asked = 0;
        answer = (request, response) => {
          asked++;
          lie(request, response);
        };
        const { code, reason } = await outcome('front');
        assert.equal(code, CloseCode.tryAgainLater, reason);
        // The neighbour has been asked about as well, and is given time.
        await until(() => asked >= 2, 'The question about the neighbour');
        await checkNeighbour();
        assert.equal((await fetch(`${origin(proxy)}/cameras`)).status, 503);
        assert.equal((await fetch(`${origin(proxy)}/healthz`)).status, 200);
        assert.equal(camera.connections.length, 0);
        answer = (_request, response) => response.writeHead(204).end();
        const viewer = new TestViewer(proxy.port, '/rtsp/front');
        await viewer.play('front');
        await checkNeighbour();
        await viewer.close();
      });
      camera.stop();
    });
  }

  const jwks = { keys: [{ ...keys.ES256.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }] };
  const stranger = { keys: [{ ...keys.RS256.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }] };
  const send =
    (body: string, status = 200): RequestListener =>
    (_request, response) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
  const keyLies: Record<string, [RequestListener, CloseCode]> = {
    'are not answered for': [() => {}, CloseCode.tryAgainLater],
    'are reset': [(request) => request.socket.resetAndDestroy(), CloseCode.tryAgainLater],
    'are a web page': [send('<html>'), CloseCode.tryAgainLater],
    'are an error': [send('{}', 500), CloseCode.tryAgainLater],
    'are no keys': [send('{"keys": "none"}'), CloseCode.tryAgainLater],
    "are none that fit the token's": [send('{"keys": []}'), CloseCode.tokenInvalid],
  };
  for (const [what, [lie, code]] of Object.entries(keyLies)) {
    test(`published keys ${what}: ${code}, and nobody is let in`, async () => {
      const camera = await startCamera();
      answer = lie;
      const proxy = await startTestProxy({
        cameras: [{ name: 'front', url: camera.url }],
        authorization: { jwt: { jwksUrl: url } },
        timeouts: { authorizationMs: 200 },
      });
      const token = asymmetric('ES256', claims(['front']), keys.ES256.privateKey, 'k');
      const headers = { Authorization: `Bearer ${token}` };
      const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers });
      await viewer.opened;
      viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
      assert.equal((await within(viewer.closed, 'The close')).code, code);
      assert.equal(camera.connections.length, 0);
      await proxy.stop();
      camera.stop();
    });
  }

  test('published keys of another kind than the token says let nobody in; the right ones do', async () => {
    const camera = await startCamera();
    for (const [body, isIn] of [
      [stranger, false],
      [jwks, true],
    ] as const) {
      answer = send(JSON.stringify(body));
      const proxy = await startTestProxy({
        cameras: [{ name: 'front', url: camera.url }],
        authorization: { jwt: { jwksUrl: url } },
      });
      const token = asymmetric('ES256', claims(['front']), keys.ES256.privateKey, 'k');
      const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers: { Authorization: `Bearer ${token}` } });
      const result = await viewer.request('OPTIONS', 'rtsp://front/').catch((error: Error) => error);
      assert.equal(!(result instanceof Error), isIn, String(result));
      await proxy.stop();
    }
    camera.stop();
  });
});
