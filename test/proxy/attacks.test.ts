/**
 * The table of attacks on the proxy and what becomes of each, over real sockets. Every test here fails when the defence
 * that it names is taken out: see test/support/disable-defences.mjs.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { claims, hs256, nowSeconds, secret, unsigned } from './authorization/tokens.js';
import {
  type CameraScript,
  healthy,
  isAcknowledgement,
  startCamera,
  startTestProxy,
  type TestCamera,
  type TestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

const everything = ['0.0.0.0/0', '::/0', '*.example'];

async function closing(viewer: TestViewer): Promise<{ code: number; reason: string }> {
  viewer.opened.catch(() => {});
  return within(viewer.closed, 'The close');
}

function status(port: number, path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1', path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

/** Nothing of the viewer reached the camera: only what the proxy asks by itself, on a connection that ends with the viewer. */
async function heardNothing(camera: TestCamera): Promise<void> {
  await until(() => camera.connections.every(({ socket }) => socket.destroyed), 'The end at the camera');
  for (const { requests } of camera.connections) {
    for (const { method, url, headers } of requests) {
      assert.ok(method === 'OPTIONS' || method === 'DESCRIBE', method);
      assert.equal(url, camera.url);
      assert.ok(!headers.has('X'));
    }
  }
}

/** Runs against a proxy and a healthy camera `front`, and ends both. */
async function withProxy(
  options: RtspProxyOptions,
  run: (proxy: TestProxy, camera: TestCamera) => Promise<void>,
  script: CameraScript = healthy,
): Promise<void> {
  const camera = await startCamera(script);
  const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }], ...options });
  try {
    await run(proxy, camera);
  } finally {
    await proxy.stop();
    camera.stop();
  }
}

describe('other targets than those allowed', () => {
  let bystander: TestCamera;
  before(async () => {
    bystander = await startCamera();
  });
  after(() => bystander.stop());

  async function tunnel(options: RtspProxyOptions, url: string): Promise<number> {
    const proxy = await startTestProxy({ timeouts: { connectMs: 300 }, ...options });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    await viewer.opened;
    viewer.send(`OPTIONS ${url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);
    const result = await Promise.race([closing(viewer).then(({ code }) => code), viewer.response('1').then(() => 200)]);
    await proxy.stop();
    return result;
  }

  const notations: Record<string, string> = {
    'the address': '127.0.0.1',
    'a decimal number': '2130706433',
    'a hexadecimal number': '0x7f000001',
    'hexadecimal parts': '0x7f.0.0.1',
    'octal parts': '0177.0.0.1',
    'few parts': '127.1',
    'IPv4 mapped into IPv6': '[::ffff:127.0.0.1]',
    'the same in groups': '[::ffff:7f00:1]',
    'IPv4-compatible IPv6': '[::127.0.0.1]',
    NAT64: '[64:ff9b::7f00:1]',
    'IPv4-translated IPv6': '[::ffff:0:127.0.0.1]',
    '6to4': '[2002:7f00:1::1]',
    'this host': '0.0.0.0',
    'IPv6 loopback': '[::1]',
    'full-width digits': '１２７.0.0.1',
    'the metadata service': '169.254.169.254',
    'the same in decimal': '2852039166',
    'the same over IPv6': '[fd00:ec2::254]',
    'a link-local address': '[fe80::1]',
    localhost: 'localhost',
    'a name that leads there': 'inside.example',
  };
  for (const [what, host] of Object.entries(notations)) {
    test(`SSRF by URL: ${what}`, async () => {
      const lookup = async (): Promise<string[]> => ['127.0.0.1'];
      const code = await tunnel({ allow: everything, lookup }, `rtsp://${host}:${bystander.port}/`);
      assert.ok(code === CloseCode.forbidden || code === CloseCode.notRtsp, String(code));
      assert.equal(bystander.connections.length, 0);
    });
  }

  test('SSRF by a port that is not allowed', async () => {
    const code = await tunnel({ allow: ['127.0.0.1:1'] }, `rtsp://127.0.0.1:${bystander.port}/`);
    assert.equal(code, CloseCode.forbidden);
    assert.equal(bystander.connections.length, 0);
  });

  test('SSRF by redirect', async () => {
    const Location = `rtsp://127.0.0.1:${bystander.port}/secret`;
    await withProxy(
      { allow: everything },
      async (proxy) => {
        const viewer = new TestViewer(proxy.port, '/rtsp/front');
        await assert.rejects(viewer.request('DESCRIBE', 'rtsp://front/'), /4403/);
        assert.equal(bystander.connections.length, 0);
      },
      (request) => (request.method === 'DESCRIBE' ? { status: 302, headers: { Location } } : healthy(request)),
    );
  });

  test('DNS rebinding of a target: looked up once, and the address that was checked is dialled', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.1']];
    let asked = 0;
    const lookup = async (): Promise<string[]> => (asked++ === 0 ? ['192.0.2.1'] : (answers.shift() ?? ['127.0.0.1']));
    const code = await tunnel({ allow: ['*.example'], lookup }, `rtsp://rebinding.example:${bystander.port}/`);
    // Nobody is at the address that was checked.
    assert.ok(code === CloseCode.cameraUnreachable || code === CloseCode.cameraRefused, String(code));
    assert.equal(asked, 1);
    assert.equal(bystander.connections.length, 0);
  });

  test('DNS rebinding of the proxy itself', async () => {
    await withProxy({}, async (proxy, camera) => {
      const Host = `evil.example:${proxy.port}`;
      const headers = { Host, Origin: `http://${Host}` };
      assert.equal((await closing(new TestViewer(proxy.port, '/rtsp/front', { headers }))).code, CloseCode.forbidden);
      assert.equal(await status(proxy.port, '/cameras', headers), 403);
      assert.equal(await status(proxy.port, '/', headers), 403);
      assert.equal(camera.connections.length, 0);
    });
  });
});

describe('what reaches a named camera', () => {
  const pieces: Record<string, string> = {
    'two lengths': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 0\r\nContent-Length: 61\r\n\r\n',
    'two lengths, the other way':
      'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nContent-Length: 61\r\nContent-Length: 0\r\n\r\n',
    'a folded header': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nRange: npt=0-\r\n ANNOUNCE\r\n\r\n',
    'a bare CR in a header': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nRange: a\rANNOUNCE: b\r\n\r\n',
    'a bare LF in a header': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nRange: a\nANNOUNCE: b\r\n\r\n',
    'a NUL in a header': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nRange: a\0ANNOUNCE\r\n\r\n',
    'a length with a sign': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nContent-Length: +61\r\n\r\n',
    'a chunked body': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a line break in the URL': 'GET_PARAMETER rtsp://front/\rANNOUNCE RTSP/1.0\r\nCSeq: 9\r\n\r\n',
  };
  for (const [what, piece] of Object.entries(pieces)) {
    test(`request smuggling: ${what}`, async () => {
      await withProxy({}, async (proxy, camera) => {
        const viewer = new TestViewer(proxy.port, '/rtsp/front');
        await viewer.play('front');
        const smuggled = 'ANNOUNCE rtsp://10.0.0.1/x RTSP/1.0\r\nCSeq: 1\r\nSession: other\r\n\r\n';
        viewer.send(piece + smuggled);
        const probe = viewer.request('OPTIONS', 'rtsp://front/').then(
          () => 'answered',
          () => 'closed',
        );
        await within(probe, 'An answer or the end');
        for (const { method, url, headers, body } of camera.connections.flatMap(({ requests }) => requests)) {
          assert.notEqual(method, 'ANNOUNCE');
          assert.ok(url.startsWith(camera.url), url);
          assert.doesNotMatch(JSON.stringify([...headers.getAll('Session')]), /other/);
          for (const [name, value] of headers) {
            assert.doesNotMatch(name, /ANNOUNCE/);
            assert.doesNotMatch(value, /[\r\n\0]/);
          }
          assert.ok(headers.getAll('Content-Length').length <= 1);
          assert.ok(!headers.has('Transfer-Encoding'));
          assert.equal(Number(headers.get('Content-Length') ?? 0), body.length);
        }
      });
    });
  }

  test('path traversal, and other URLs', async () => {
    await withProxy({}, async (proxy, camera) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.request('DESCRIBE', 'rtsp://front/');
      const before = camera.methods().length;
      const others = [
        'rtsp://front/../admin',
        'rtsp://front/%2e%2e/admin',
        'rtsp://front/0/../../admin',
        'rtsp://front/7',
        'rtsp://front/admin',
        'rtsp://other/',
        `rtsp://127.0.0.1:${camera.port}/secret-path`,
        'rtsp://front.evil.example/',
        'rtsp://front@evil.example/',
        'http://front/',
        '/etc/passwd',
      ];
      for (const url of others) assert.equal((await viewer.request('DESCRIBE', url)).status, 404, url);
      assert.equal(camera.methods().length, before);
      await viewer.close();
    });
  });

  test('query parameters that are not listed', async () => {
    await withProxy({}, async (proxy, camera) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.request('DESCRIBE', 'rtsp://front/?cmd=reboot&user=admin');
      assert.equal((await camera.request('DESCRIBE')).url, camera.url);
      await viewer.close();
    });
  });

  test('methods and headers that are not for viewers', async () => {
    await withProxy({}, async (proxy, camera) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      for (const method of ['ANNOUNCE', 'RECORD', 'REDIRECT', 'REBOOT']) {
        assert.ok([405, 501].includes((await viewer.request(method, 'rtsp://front/')).status), method);
      }
      const headers = { Authorization: 'Basic eA==', Session: 'of-another', 'X-Exec': 'reboot', Via: 'x' };
      await viewer.request('DESCRIBE', 'rtsp://front/', headers);
      const names = [...(await camera.request('DESCRIBE')).headers].map(([name]) => name.toLowerCase());
      assert.deepEqual(
        names.filter((name) => !['cseq', 'user-agent', 'accept'].includes(name)),
        [],
      );
      assert.ok(!camera.methods().some((method) => /ANNOUNCE|RECORD|REDIRECT|REBOOT/.test(method)));
      await viewer.close();
    });
  });

  test('interleaved data on channels that are not its own', async () => {
    await withProxy({}, async (proxy, camera) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.play('front');
      const report = [0x81, 0xc9, 0, 1, 0, 0, 0, 1];
      const frame = (channel: number, payload: number[]) => Uint8Array.of(0x24, channel, 0, payload.length, ...payload);
      // The media channel, others' channels, and no report on the channel of reports.
      for (const channel of [0, 2, 3, 255]) viewer.send(frame(channel, report));
      viewer.send(frame(1, [0x80, 0x60, 0, 1]));
      viewer.send(frame(1, report));
      const connection = camera.connections.at(-1);
      const passed = () => connection?.frames.filter((each) => !isAcknowledgement(each)) ?? [];
      await until(() => passed().length > 0, 'The report');
      await viewer.request('OPTIONS', 'rtsp://front/');
      assert.deepEqual(
        passed().map(({ channel }) => channel),
        [1],
      );
      assert.deepEqual(new Set(connection?.frames.map(({ channel }) => channel)), new Set([1]));
      assert.equal(proxy.proxy.stats().rejectedFrames, 5);
      await viewer.close();
    });
  });

  test('header injection through the camera’s name', async () => {
    const asked: (string | null)[] = [];
    const authorize = ({ camera }: { camera: string | null }): boolean => {
      asked.push(camera);
      return true;
    };
    await withProxy({ authorize }, async (proxy, camera) => {
      const names = ['front%0d%0aX-Evil:%201', 'front%00', '..%2ffront', 'FRONT', 'front%20', `${'a'.repeat(64)}`, '*'];
      for (const name of names) {
        const { code, reason } = await closing(new TestViewer(proxy.port, `/rtsp/${name}`));
        assert.equal(code, CloseCode.cameraUnknown, name);
        assert.doesNotMatch(reason, /Evil|%0d/i);
      }
      assert.deepEqual(asked, []);
      assert.equal(camera.connections.length, 0);
      assert.doesNotMatch(proxy.log.join('\n'), /Evil/);
    });
  });
});

describe('whoever may not enter', () => {
  const authorization = { jwt: { secret, clockToleranceSeconds: 0 } };
  const bearer = (token: string): Record<string, string> => ({ 'Proxy-Authorization': `Bearer ${token}` });

  test('cross-site WebSocket hijack', async () => {
    await withProxy({ authorization }, async (proxy, camera) => {
      const Cookie = `rtsp_token=${hs256(claims(['*']))}`;
      for (const Origin of [
        'https://evil.example',
        'null',
        'http://127.0.0.1.evil.example',
        'http://127.0.0.1',
        null,
      ]) {
        const headers = Origin === null ? { Cookie } : { Cookie, Origin };
        const viewer = new TestViewer(proxy.port, '/rtsp/front', { headers });
        assert.equal((await closing(viewer)).code, CloseCode.forbidden, String(Origin));
      }
      assert.equal(camera.connections.length, 0);
    });
  });

  const refused: Record<string, { token: string; inUrl?: boolean }> = {
    'alg: none': { token: unsigned(claims(['*'])) },
    'an expired token': { token: hs256(claims(['*'], { exp: nowSeconds() - 1 })) },
    'a replayed URL': { token: hs256(claims(['*'], { iat: nowSeconds() - 120 })), inUrl: true },
    'another secret': { token: hs256(claims(['*']), randomBytes(32)) },
  };
  for (const [what, { token, inUrl = false }] of Object.entries(refused)) {
    test(`tokens: ${what}`, async () => {
      await withProxy({ authorization }, async (proxy, camera) => {
        const viewer = new TestViewer(proxy.port, `/rtsp/front${inUrl ? `?token=${token}` : ''}`);
        const outcome = viewer.request('OPTIONS', 'rtsp://front/', inUrl ? {} : bearer(token));
        await assert.rejects(outcome, /4401/);
        assert.equal(camera.connections.length, 0);
      });
    });
  }

  test('a token outlives its expiry on a running connection', async () => {
    await withProxy({ authorization }, async (proxy) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.request('OPTIONS', 'rtsp://front/', bearer(hs256(claims(['*'], { exp: nowSeconds() + 1 }))));
      assert.equal((await closing(viewer)).code, CloseCode.tokenInvalid);
    });
  });

  test('the token reaches the camera, or a log', async () => {
    const token = hs256(claims(['*'], { tunnel: true }));
    await withProxy({ authorization, allow: ['127.0.0.1'] }, async (proxy, camera) => {
      for (const [path, url] of [
        ['/rtsp/front', 'rtsp://front/'],
        ['/rtsp', camera.url],
      ] as const) {
        const viewer = new TestViewer(proxy.port, path);
        assert.equal((await viewer.request('OPTIONS', url, bearer(token))).status, 200);
        await viewer.close();
        const inUrl = new TestViewer(proxy.port, `${path}?token=${token}`);
        assert.equal((await inUrl.request('OPTIONS', url)).status, 200);
        await inUrl.close();
        await assert.rejects(new TestViewer(proxy.port, path).request('OPTIONS', url, bearer(`${token}x`)), /4401/);
      }
      await until(() => proxy.log.filter((line) => line.includes('has left')).length === 6, 'The log');
      const emitted = [
        ...proxy.log,
        ...camera.connections.flatMap(({ requests }) =>
          requests.map(({ url, headers }) => `${url} ${JSON.stringify([...headers])}`),
        ),
        JSON.stringify(proxy.proxy.stats()),
      ].join('\n');
      for (const part of token.split('.')) assert.ok(!emitted.includes(part), emitted);
    });
  });

  test('names of cameras are found out by trying', async () => {
    await withProxy({ authorization }, async (proxy) => {
      const answers = await Promise.all(
        ['front', 'nowhere'].map(async (name) => {
          const viewer = new TestViewer(proxy.port, `/rtsp/${name}`);
          const request = viewer.request('OPTIONS', `rtsp://${name}/`, bearer(hs256(claims(['other']))));
          return request.catch((error: unknown) => String(error));
        }),
      );
      assert.match(String(answers[0]), /4403/);
      assert.equal(answers[0], answers[1]);
    });
  });
});

describe('too much of everything', () => {
  const big: Record<string, string> = {
    'a header line': `OPTIONS rtsp://front/ RTSP/1.0\r\nX: ${'a'.repeat(100_000)}`,
    'headers without end': `OPTIONS rtsp://front/ RTSP/1.0\r\n${'X: y\r\n'.repeat(10_000)}`,
    'a URL': `OPTIONS rtsp://front/${'a'.repeat(100_000)}`,
    'a body': 'GET_PARAMETER rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n',
    'no RTSP at all': `GET / HTTP/1.1\r\nHost: front\r\n\r\n`,
    'a proxy token': `OPTIONS rtsp://front/ RTSP/1.0\r\nProxy-Authorization: Bearer ${'a'.repeat(8_300)}\r\n\r\n`,
  };
  for (const [what, text] of Object.entries(big)) {
    test(`oversized: ${what}`, async () => {
      await withProxy({}, async (proxy, camera) => {
        const viewer = new TestViewer(proxy.port, '/rtsp/front');
        await viewer.opened;
        viewer.send(text);
        assert.equal((await closing(viewer)).code, CloseCode.notRtsp);
        await heardNothing(camera);
      });
    });
  }

  test('oversized: one message', async () => {
    await withProxy({}, async (proxy) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.opened;
      viewer.send(new Uint8Array(1_100_000));
      assert.equal((await closing(viewer)).code, 1009);
    });
  });

  test('compression bombs: compression is not spoken', async () => {
    await withProxy({}, async (proxy) => {
      const socket = connect({ port: proxy.port, host: '127.0.0.1' });
      let answer = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk]);
      });
      const key = randomBytes(16).toString('base64');
      socket.write(
        `GET /rtsp/front HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
      );
      await until(() => answer.includes('\r\n\r\n'), 'The handshake');
      assert.doesNotMatch(answer.toString('latin1'), /Sec-WebSocket-Extensions/i);
      const head = answer.length;
      // A binary frame with RSV1, "compressed" (RFC 7692), masked with zeros.
      socket.write(Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0x00]));
      await within(once(socket, 'close'), 'The end');
      // A close frame: 1002, protocol error.
      assert.deepEqual([...answer.subarray(head, head + 4)], [0x88, answer[head + 1], 0x03, 0xea]);
    });
  });

  test('slow loris: a first request that never ends', async () => {
    await withProxy({ timeouts: { firstRequestMs: 300 } }, async (proxy, camera) => {
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.opened;
      const text = 'OPTIONS rtsp://front/ RTSP/1.0\r\nX: ';
      let sent = 0;
      const drip = setInterval(() => viewer.send(text[sent++] ?? 'a'), 20);
      const { code } = await closing(viewer);
      clearInterval(drip);
      assert.equal(code, CloseCode.notRtsp);
      await heardNothing(camera);
    });
  });

  test('a flood of requests that wait', async () => {
    await withProxy(
      {},
      async (proxy) => {
        const viewer = new TestViewer(proxy.port, '/rtsp/front');
        await viewer.opened;
        for (let cseq = 1; cseq <= 40; cseq++) viewer.send(`DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: ${cseq}\r\n\r\n`);
        assert.equal((await closing(viewer)).code, CloseCode.limitReached);
      },
      () => null,
    );
  });

  test('a flood of handshakes from one address', async () => {
    await withProxy({ limits: { handshakesPerSecond: 1 } }, async (proxy) => {
      const results = await Promise.all(
        Array.from({ length: 40 }, () =>
          new TestViewer(proxy.port, '/rtsp/front').opened.then(
            () => 'open',
            () => 'refused',
          ),
        ),
      );
      assert.ok(results.filter((result) => result === 'refused').length >= 15);
    });
  });
});
