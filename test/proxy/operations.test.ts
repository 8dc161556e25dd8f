import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startRtspProxyServer } from '../../proxy/server.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { secret } from './authorization/tokens.js';
import { runProgram } from './program.js';
import { startCamera, startTestProxy, TestViewer, until, within } from './test-peers.js';

const listen = { host: '127.0.0.1', port: 0 };

/** The values of a metric by its labels, as Prometheus reads them. */
function valuesOf(text: string, name: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /^[^ {]+(\{.*\})? (\S+)$/.exec(line) ?? [];
      return [labels, Number(value)];
    }),
  );
}

describe('metrics', () => {
  test('tell what the proxy does, and are counters where they only grow', async () => {
    const camera = await startCamera();
    const cameras = [
      { name: 'front', url: camera.url },
      { name: 'back', streams: { main: 'rtsp://127.0.0.1:9/', sub: 'rtsp://127.0.0.1:9/sub' } },
    ];
    const server = await startRtspProxyServer({ listen, cameras, metrics: true });
    const read = async () => (await fetch(server.metricsUrl ?? '')).text();
    const viewer = new TestViewer(server.port, '/rtsp/front');
    await viewer.play('front');
    const stranger = new TestViewer(server.port, '/rtsp/nobody');
    await within(stranger.closed, 'The close');
    await until(() => server.proxy.stats().closed[CloseCode.cameraUnknown] === 1, 'The end of the stranger');
    const text = await read();
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_ready'), { '': 1 });
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_viewers'), { '{kind="tunnel"}': 0, '{kind="camera"}': 1 });
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_viewers_total'), { '': 2 });
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_closed_total'), { '{code="4404"}': 1 });
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_camera_viewers'), {
      '{camera="front",stream="main"}': 1,
      '{camera="back",stream="main"}': 0,
      '{camera="back",stream="sub"}': 0,
    });
    assert.deepEqual(valuesOf(text, 'rtsp_proxy_camera_up'), { '{camera="front",stream="main"}': 1 });
    assert.ok((valuesOf(text, 'rtsp_proxy_camera_connect_seconds_count')[''] ?? 0) >= 1);
    const bytes = valuesOf(text, 'rtsp_proxy_bytes_total');
    assert.ok((bytes['{direction="to_viewers"}'] ?? 0) >= viewer.bytes.length, JSON.stringify(bytes));
    assert.match(text, /^# TYPE rtsp_proxy_bytes_total counter$/m);
    assert.match(text, /^nodejs_eventloop_lag_seconds /m);
    // Asking again counts nothing twice.
    assert.deepEqual(valuesOf(await read(), 'rtsp_proxy_viewers_total'), { '': 2 });
    assert.doesNotMatch(text, /secret-path|127\.0\.0\.1/);
    await viewer.close();
    await server.close();
    camera.stop();
  });

  test('are nowhere unless asked for, and at an address of their own when asked', async () => {
    const without = await startRtspProxyServer({ listen });
    assert.equal(without.metricsUrl, null);
    assert.equal((await fetch(`${without.urls[0]}metrics`)).status, 404);
    await without.close();
    const apart = await startRtspProxyServer({ listen, metrics: listen });
    assert.equal((await fetch(`${apart.urls[0]}metrics`)).status, 404);
    const response = await fetch(apart.metricsUrl ?? '');
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /^rtsp_proxy_ready 1$/m);
    assert.equal((await fetch((apart.metricsUrl ?? '').replace('metrics', 'cameras'))).status, 404);
    await apart.close();
    await assert.rejects(fetch(apart.metricsUrl ?? ''));
  });
});

describe('draining', () => {
  test('viewers are sent away one after the other, within the time given', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }] });
    const viewers = Array.from({ length: 5 }, () => new TestViewer(proxy.port, '/rtsp/front'));
    await Promise.all(viewers.map((viewer) => viewer.play('front')));
    const start = performance.now();
    const closes = viewers.map((viewer) => viewer.closed.then(({ code }) => ({ code, at: performance.now() - start })));
    const closed = proxy.proxy.close(500);
    assert.equal(proxy.proxy.isReady, false);
    assert.equal((await fetch(`http://127.0.0.1:${proxy.port}/readyz`)).status, 503);
    const late = new TestViewer(proxy.port, '/rtsp/front');
    assert.equal((await within(late.closed, 'The close')).code, CloseCode.goingDown);
    const ends = await Promise.all(closes);
    await closed;
    assert.ok(ends.every(({ code }) => code === CloseCode.goingDown));
    const times = ends.map(({ at }) => at).sort((a, b) => a - b);
    // 0, 100, 200, 300 and 400 ms, give or take what the machine does besides.
    assert.ok((times[4] ?? 0) - (times[0] ?? 0) > 250, times.join(' '));
    await proxy.stop();
    camera.stop();
  });
});

describe('settings that change while it runs', () => {
  test('viewers of cameras that stay the same stay; the others are told to come again, or that it is gone', async () => {
    const camera = await startCamera();
    const other = await startCamera();
    const proxy = await startTestProxy({
      cameras: ['same', 'moved', 'gone'].map((name) => ({ name, url: camera.url })),
      allow: ['127.0.0.1'],
    });
    const [same, moved, gone] = await Promise.all(
      ['same', 'moved', 'gone'].map(async (name) => {
        const viewer = new TestViewer(proxy.port, `/rtsp/${name}`);
        await viewer.play(name);
        return viewer;
      }),
    );
    assert.ok(same !== undefined && moved !== undefined && gone !== undefined);
    proxy.proxy.reconfigure({
      cameras: [
        { name: 'same', url: camera.url },
        { name: 'moved', url: other.url },
        { name: 'new', url: other.url },
      ],
    });
    assert.equal((await within(moved.closed, 'The close')).code, CloseCode.tryAgainLater);
    assert.equal((await within(gone.closed, 'The close')).code, CloseCode.cameraUnknown);
    assert.equal((await same.request('GET_PARAMETER', 'rtsp://same/')).status, 200);
    for (const name of ['moved', 'new']) {
      const viewer = new TestViewer(proxy.port, `/rtsp/${name}`);
      await viewer.play(name);
      await viewer.close();
    }
    assert.ok(other.methods().includes('PLAY'));
    // The allowlist is another one as well.
    const tunnel = new TestViewer(proxy.port, '/rtsp');
    assert.equal((await within(tunnel.closed, 'The close')).code, CloseCode.forbidden);
    const list = await fetch(`http://127.0.0.1:${proxy.port}/cameras`);
    assert.deepEqual(
      ((await list.json()) as { name: string }[]).map(({ name }) => name),
      ['same', 'moved', 'new'],
    );
    await same.close();
    await proxy.stop();
    camera.stop();
    other.stop();
  });

  test('settings that make no sense change nothing', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }] });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.play('front');
    assert.throws(() => proxy.proxy.reconfigure({ cameras: [{ name: 'Front!', url: camera.url }] }), /Front!/);
    assert.equal((await viewer.request('GET_PARAMETER', 'rtsp://front/')).status, 200);
    await viewer.close();
    await proxy.stop();
    camera.stop();
  });

  test('a raw tunnel whose target is not allowed any more is closed; the others stay', async () => {
    const camera = await startCamera();
    const other = await startCamera();
    const proxy = await startTestProxy({
      allow: [`127.0.0.1:${camera.port}`, `*.example:${other.port}`, '127.0.0.1'],
      lookup: async () => ['127.0.0.1'],
    });
    const tunnel = async (url: string): Promise<TestViewer> => {
      const viewer = new TestViewer(proxy.port, '/rtsp');
      assert.equal((await viewer.request('OPTIONS', url)).status, 200);
      return viewer;
    };
    const stays = await tunnel(camera.url);
    const goes = await tunnel(other.url);
    const named = await tunnel(other.url.replace('127.0.0.1', 'camera.example'));
    // Nobody has said yet where it leads to.
    const undecided = new TestViewer(proxy.port, '/rtsp');
    await undecided.opened;
    proxy.proxy.reconfigure({ allow: [`127.0.0.0/8:${camera.port}`, `*.example:${other.port}`] });
    for (const viewer of [goes, named]) {
      const { code, reason } = await within(viewer.closed, 'The close');
      assert.equal(code, CloseCode.forbidden);
      assert.match(reason, /does not have the target any more/);
    }
    await until(() => other.connections.every(({ socket }) => socket.destroyed), 'The end of its connections');
    assert.equal((await stays.request('OPTIONS', camera.url)).status, 200);
    assert.equal((await undecided.request('OPTIONS', camera.url)).status, 200);
    await proxy.stop();
    camera.stop();
    other.stop();
  });

  test('a tunnel that is on its way when its target is taken off the list does not get there', async () => {
    const camera = await startCamera();
    let answer: (addresses: string[]) => void = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = () => resolve();
    });
    let lookUp: (addresses: string[]) => void = () => {};
    const proxy = await startTestProxy({
      allow: ['camera.example', '127.0.0.1'],
      lookup: () =>
        new Promise((resolve) => {
          lookUp = resolve;
          answer([]);
        }),
    });
    const viewer = new TestViewer(proxy.port, '/rtsp');
    void viewer.request('OPTIONS', camera.url.replace('127.0.0.1', 'camera.example')).catch(() => {});
    await within(asked, 'The look-up');
    proxy.proxy.reconfigure({ allow: ['10.0.0.0/8'] });
    lookUp(['127.0.0.1']);
    assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.forbidden);
    assert.equal(camera.connections.length, 0);
    await proxy.stop();
    camera.stop();
  });

  test('nothing read again lets in whoever comes where viewers were asked who they are', async () => {
    const authorization = { jwt: { secret } };
    const camera = await startCamera();
    const cameras = [{ name: 'front', url: camera.url }];
    for (const host of ['0.0.0.0', '127.0.0.1']) {
      const server = await startRtspProxyServer({ listen: { host, port: 0 }, authorization, cameras });
      const refused = async (): Promise<void> => {
        const viewer = new TestViewer(server.port, '/rtsp/front');
        void viewer.request('OPTIONS', 'rtsp://front/').catch(() => {});
        assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.tokenInvalid);
      };
      assert.throws(() => server.reconfigure({ cameras }), /would not be any more/);
      assert.throws(() => server.reconfigure({ cameras }, true), /would not be any more/);
      await refused();
      server.reconfigure({ cameras, authorization: { jwt: { secret: `another ${secret}` } } });
      await refused();
      await server.close();
    }
    // One that was open may be closed, but then stays so.
    const open = await startRtspProxyServer({ listen: { host: '0.0.0.0', port: 0 }, insecurePublic: true });
    assert.throws(() => open.reconfigure({ cameras }, false), /whoever reaches it sees every camera/);
    open.reconfigure({ cameras });
    open.reconfigure({ cameras, authorization });
    assert.throws(() => open.reconfigure({ cameras }), /would not be any more/);
    await open.close();
    camera.stop();
  });

  test('SIGHUP with a file that has lost its authorization is refused, by one process and by several', async () => {
    for (const workers of [1, 2]) {
      const path = join(folder, `open-${workers}.json`);
      const settings = { listen: '0.0.0.0:0', workers, cameras: [{ name: 'front', url: 'rtsp://10.0.0.7/' }] };
      await writeFile(path, JSON.stringify({ ...settings, authorization: { jwt: { secret } } }));
      const program = runProgram('cli', '--config', path, '--log-format', 'json');
      const port = await program.says(/Open http:\/\/localhost:(\d+)\//);
      assert.equal((await fetch(`http://127.0.0.1:${port}/cameras`)).status, 401);
      await writeFile(path, JSON.stringify({ ...settings, insecurePublic: true }));
      program.kill('SIGHUP');
      await program.says(/would not be any more.*The new settings cannot be used/);
      for (let count = 0; count < workers * 2; count++) {
        const response = await fetch(`http://127.0.0.1:${port}/cameras`, { headers: { Connection: 'close' } });
        assert.equal(response.status, 401);
      }
      program.kill('SIGTERM');
      assert.equal(await program.exit, 0);
    }
  });

  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rtsp-settings-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('SIGHUP reads the file again; a bad one is named, without its secrets, and changes nothing', async () => {
    const camera = await startCamera();
    const path = join(folder, 'config.json');
    const write = (...names: string[]) =>
      writeFile(path, JSON.stringify({ cameras: names.map((name) => ({ name, url: camera.url })) }));
    await write('one');
    const program = runProgram('cli', '--config', path, '--listen', '127.0.0.1:0');
    const port = await program.port();
    const viewer = new TestViewer(port, '/rtsp/one');
    await viewer.play('one');
    await write('one', 'two');
    program.kill('SIGHUP');
    await program.says(/"cameras":2.*The settings were read again/);
    const list = await fetch(`http://127.0.0.1:${port}/cameras`);
    assert.equal(((await list.json()) as unknown[]).length, 2);
    assert.doesNotMatch(program.stderr(), /count only when/);
    await writeFile(path, JSON.stringify({ cameras: [{ name: 'one', url: camera.url }], drainMs: 5, workers: 3 }));
    program.kill('SIGHUP');
    await program.says(/"settings":"workers, drainMs".*Settings have changed that count only when the proxy starts/);
    await writeFile(path, '{"cameras":[{"name":"one","url":"http://user:hunter2@10.0.0.7/"}]}');
    program.kill('SIGHUP');
    await program.says(/cameras\[0\]\.url.*The new settings cannot be used/);
    assert.doesNotMatch(program.stderr(), /hunter2/);
    assert.equal((await viewer.request('GET_PARAMETER', 'rtsp://one/')).status, 200);
    program.kill('SIGTERM');
    assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.goingDown);
    assert.equal(await program.exit, 0);
    camera.stop();
  });
});

describe('the log', () => {
  test('has a line for each connection', async () => {
    const camera = await startCamera();
    const program = runProgram('cli', '--listen', '127.0.0.1:0', '--camera', `front=${camera.url}`);
    const port = await program.port();
    for (let count = 0; count < 3; count++) {
      const viewer = new TestViewer(port, '/rtsp/front');
      await viewer.play('front');
      await viewer.close();
    }
    const line = await program.says(/\{.*"message":"A viewer has left\."\}/);
    const { time, level, camera: name, viewer, bytes, seconds } = JSON.parse(line);
    assert.ok(!Number.isNaN(Date.parse(time)));
    assert.deepEqual([level, name, viewer, seconds], ['info', 'front', '127.0.0.1', 0]);
    assert.ok(bytes > 0);
    program.kill('SIGTERM');
    assert.equal(await program.exit, 0);
    camera.stop();
  });

  test('holds up nobody when it is not read, and not the end either', async () => {
    const camera = await startCamera();
    const program = runProgram('cli', '--listen', '127.0.0.1:0', '--camera', `front=${camera.url}`);
    const port = await program.port();
    program.pauseErrors();
    // More than a pipe holds: each line has the longest name of a camera that is none, and 4404 with its sentence.
    for (let round = 0; round < 30; round++) {
      const viewers = Array.from({ length: 20 }, () => new TestViewer(port, '/rtsp/nobody'));
      await Promise.all(viewers.map(({ closed }) => within(closed, 'The close')));
    }
    const viewer = new TestViewer(port, '/rtsp/front');
    await viewer.play('front');
    await viewer.close();
    program.kill('SIGTERM');
    assert.equal(await program.exit, 0);
    camera.stop();
  });
});
