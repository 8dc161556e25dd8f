import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Metrics, SummedMetrics } from '../../proxy/metrics.js';
import { noRefusals } from '../../proxy/refusals.js';
import { shareOf } from '../../proxy/worker-share.js';
import { forEachLine, restartDelayMs } from '../../proxy/workers.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { type Program, runProgram } from './program.js';
import { startCamera, TestViewer, until, within } from './test-peers.js';

/** Of the processes that it has started, by Linux's word. */
function workersOf({ pid }: Program): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** How many TCP sockets of a process listen, by Linux's word. */
function listenersOf(pid: number): number {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).map((name) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`))?.[1]),
  );
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, ...rest]) => state === '0A' && own.has(rest[5])).length;
}

/** Empty for one that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The log's lines whose message begins so. */
function logged(program: Program, text: string): Record<string, unknown>[] {
  return program
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ message }) => String(message).startsWith(text));
}

/** The value of the metric with these labels, or the sum over all labels. */
function sumOf(text: string, name: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const read = async (url: string): Promise<string> => (await fetch(url)).text();

async function play(port: number, name: string): Promise<TestViewer> {
  const viewer = new TestViewer(port, `/rtsp/${name}`);
  await viewer.play(name);
  return viewer;
}

describe('workers', () => {
  test('share viewers and settings, are replaced, and go down in good order', { timeout: 90_000 }, async (t) => {
    const camera = await startCamera();
    const folder = mkdtempSync(join(tmpdir(), 'rtsp-workers-'));
    const file = join(folder, 'config.json');
    const write = (...names: string[]): void => {
      const cameras = names.map((name) => ({ name, url: camera.url }));
      const settings = { listen: '127.0.0.1:0', metricsListen: '127.0.0.1:0', drainMs: 200, workers: 2 };
      writeFileSync(file, JSON.stringify({ ...settings, cameras }));
    };
    write('front');
    const program = runProgram('cli', '--config', file);
    t.after(() => {
      program.kill('SIGKILL');
      camera.stop();
      rmSync(folder, { recursive: true });
    });
    const port = await program.port();
    const metricsUrl = await program.says(/Metrics at (\S+)/);
    await program.says(/All workers listen/);
    assert.equal(program.stdout().match(/Open/g)?.length, 1, 'the URL is printed once');

    const viewers: TestViewer[] = [];
    for (let count = 0; count < 6; count++) viewers.push(await play(port, 'front'));
    const text = await read(metricsUrl);
    assert.equal(sumOf(text, 'rtsp_proxy_viewers{kind="camera"}'), 6);
    assert.equal(sumOf(text, 'rtsp_proxy_viewers_total'), 6);
    assert.equal(sumOf(text, 'rtsp_proxy_camera_viewers{camera="front",stream="main"}'), 6);
    assert.equal(sumOf(text, 'rtsp_proxy_camera_up{camera="front",stream="main"}'), 1);
    assert.equal(sumOf(text, 'rtsp_proxy_ready'), 1);
    assert.equal(sumOf(text, 'rtsp_proxy_workers'), 2);
    assert.doesNotMatch(text, / (?:null|undefined|NaN?)$/m);

    // One is killed: its viewers are lost, the others see nothing of it, and another one takes its place.
    const before = workersOf(program);
    assert.equal(before.length, 2);
    const lost = new Set<TestViewer>();
    for (const viewer of viewers) void viewer.closed.then(() => lost.add(viewer));
    process.kill(before[0] ?? 0, 'SIGKILL');
    await program.says(/"signal":"SIGKILL".*A worker has ended/);
    await program.says(/The worker listens again/);
    await until(() => lost.size > 0, 'The end of its viewers');
    const stayers = viewers.filter((viewer) => !lost.has(viewer));
    assert.ok(stayers.length > 0, 'the other worker had some');
    for (const viewer of stayers) {
      assert.equal((await viewer.request('GET_PARAMETER', 'rtsp://front/')).status, 200);
    }
    assert.equal(workersOf(program).length, 2);
    const later = await read(metricsUrl);
    assert.equal(sumOf(later, 'rtsp_proxy_viewers{kind="camera"}'), stayers.length);
    assert.equal(sumOf(later, 'rtsp_proxy_viewers_total'), 6, 'what the dead one has counted stays');
    assert.equal(sumOf(later, 'rtsp_proxy_worker_restarts_total'), 1);

    // Bad settings are named once, and change nothing; good ones reach both.
    writeFileSync(file, '{"cameras": [{"name": "front", "url": "http://user:hunter2@h/"}]}');
    program.kill('SIGHUP');
    await program.says(/cameras\[0\]\.url.*The new settings cannot be used/);
    assert.equal(sumOf(await read(metricsUrl), 'rtsp_proxy_config_last_reload_successful'), 0);
    write('front', 'yard');
    program.kill('SIGHUP');
    await until(() => logged(program, 'The settings were read again').length === 2, 'The settings in both');
    assert.equal(logged(program, 'The new settings cannot be used').length, 1);
    const more: TestViewer[] = [];
    for (let count = 0; count < 4; count++) more.push(await play(port, 'yard'));
    const reloaded = await read(metricsUrl);
    assert.equal(sumOf(reloaded, 'rtsp_proxy_camera_viewers{camera="yard",stream="main"}'), 4);
    assert.equal(sumOf(reloaded, 'rtsp_proxy_config_last_reload_successful'), 1);

    program.kill('SIGTERM');
    for (const viewer of [...stayers, ...more]) {
      assert.equal((await within(viewer.closed, 'The goodbye')).code, CloseCode.goingDown);
    }
    assert.equal(await program.exit, 0);
    const numbers = logged(program, 'A viewer has left').map(({ worker }) => worker);
    assert.equal(numbers.length, stayers.length + more.length);
    assert.deepEqual([...new Set(numbers)].sort(), [1, 2]);
    assert.doesNotMatch(program.stderr(), /hunter2/);
  });

  test('have one demo camera, and each of them shows the numbers of all', { timeout: 60_000 }, async (t) => {
    const program = runProgram('cli', '--workers', '2', '--demo', '--metrics', '--listen', '127.0.0.1:0');
    t.after(() => program.kill('SIGKILL'));
    const port = await program.port();
    const viewers: TestViewer[] = [];
    for (let count = 0; count < 4; count++) viewers.push(await play(port, 'demo'));
    for (let count = 0; count < 4; count++) {
      // Each on a connection of its own, so that both workers are asked.
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { Connection: 'close' } });
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      assert.equal(sumOf(await response.text(), 'rtsp_proxy_viewers{kind="camera"}'), 4);
    }
    // The proxy's address and the demo camera's; a camera of a worker's own would be another one.
    assert.equal(listenersOf(program.pid), 2);
    assert.deepEqual(workersOf(program).map(listenersOf), [0, 0]);
    program.kill('SIGTERM');
    for (const viewer of viewers) assert.equal((await viewer.closed).code, CloseCode.goingDown);
    assert.equal(await program.exit, 0);
  });

  test('that cannot be replaced just now are tried again, and the others go on', { timeout: 60_000 }, async (t) => {
    const camera = await startCamera();
    const folder = mkdtempSync(join(tmpdir(), 'rtsp-workers-'));
    const secret = join(folder, 'password');
    writeFileSync(secret, 'hunter2');
    const settings = {
      listen: '127.0.0.1:0',
      workers: 2,
      cameras: [{ name: 'front', url: camera.url, username: 'viewer', password: { file: secret } }],
    };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(settings));
    const program = runProgram('cli', '--config', join(folder, 'config.json'));
    t.after(() => {
      program.kill('SIGKILL');
      camera.stop();
      rmSync(folder, { recursive: true });
    });
    const port = await program.port();
    await program.says(/All workers listen/);
    rmSync(secret);
    process.kill(workersOf(program)[0] ?? 0, 'SIGKILL');
    await program.says(/"reason":"[^"]*password.*ENOENT.*A worker cannot start/);
    for (let count = 0; count < 3; count++) await (await play(port, 'front')).close();
    writeFileSync(secret, 'hunter2');
    await program.says(/The worker listens again/);
    assert.equal(workersOf(program).length, 2);
    // Each attempt has waited for longer than the one before.
    const waits = logged(program, 'A worker has ended').map(({ delayMs }) => Number(delayMs));
    assert.ok(waits.length >= 2 && (waits.at(-1) ?? 0) > (waits[0] ?? 0), waits.join(' '));
    program.kill('SIGTERM');
    assert.equal(await program.exit, 0);
    assert.doesNotMatch(program.stderr(), /hunter2/);
  });

  test('that hang are killed and replaced; those that are busy for a moment are not', {
    timeout: 60_000,
  }, async (t) => {
    const camera = await startCamera();
    const args = ['--workers', '2', '--camera', `front=${camera.url}`, '--timeout-worker', '3000'];
    const program = runProgram('cli', ...args, '--listen', '127.0.0.1:0');
    t.after(() => {
      program.kill('SIGKILL');
      camera.stop();
    });
    const port = await program.port();
    await program.says(/All workers listen/);
    const viewers: TestViewer[] = [];
    for (let count = 0; count < 4; count++) viewers.push(await play(port, 'front'));
    const [hanging = 0, other = 0] = workersOf(program);
    process.kill(other, 'SIGSTOP');
    process.kill(hanging, 'SIGSTOP');
    // Shorter than what is allowed, so it goes on where it was.
    await delay(300);
    process.kill(other, 'SIGCONT');
    await program.says(/A worker does not answer, and is killed/);
    await program.says(/The worker listens again/);
    const now = workersOf(program);
    assert.ok(now.includes(other) && !now.includes(hanging) && now.length === 2, `${now}`);
    assert.equal(logged(program, 'A worker does not answer').length, 1);
    for (let count = 0; count < 4; count++) await (await play(port, 'front')).close();
    program.kill('SIGTERM');
    assert.equal(await program.exit, 0);
  });

  test('of which none can begin end the program with words', { timeout: 60_000 }, async () => {
    const camera = await startCamera();
    const program = runProgram('cli', '--workers', '2', '--listen', `127.0.0.1:${camera.port}`);
    assert.equal(await program.exit, 2);
    assert.match(program.stderr(), /rtsp-player-proxy: Cannot listen on 127\.0\.0\.1 port \d+ \(EADDRINUSE\)/);
    assert.doesNotMatch(program.stderr(), /takes its place/);
    camera.stop();
    const wrong = runProgram('cli', '--workers', '0');
    assert.equal(await wrong.exit, 2);
    assert.match(wrong.stderr(), /workers.*a whole number from 1 to 64/);
  });

  test('end with the process that has started them', { timeout: 60_000 }, async () => {
    const program = runProgram('cli', '--workers', '2', '--listen', '127.0.0.1:0');
    await program.says(/All workers listen/);
    const pids = workersOf(program);
    assert.equal(pids.length, 2);
    program.kill('SIGKILL');
    const lives = (pid: number): boolean => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    await until(() => !pids.some(lives), 'The end of the workers');
  });

  test('do not hear signals themselves: a terminal sends them to all processes', { timeout: 60_000 }, async () => {
    const program = runProgram('cli', '--workers', '2', '--demo', '--listen', '127.0.0.1:0');
    const port = await program.port();
    await program.says(/All workers listen/);
    const viewer = await play(port, 'demo');
    for (const pid of workersOf(program)) {
      process.kill(pid, 'SIGINT');
      process.kill(pid, 'SIGHUP');
    }
    assert.equal((await viewer.request('GET_PARAMETER', 'rtsp://demo/')).status, 200);
    program.kill('SIGINT');
    assert.equal((await within(viewer.closed, 'The goodbye')).code, CloseCode.goingDown);
    assert.equal(await program.exit, 0);
    assert.doesNotMatch(program.stderr(), /takes its place/);
  });
});

describe("a worker's share", () => {
  test('of limits that are about all is a part, rounded up; what is about one connection is the same', () => {
    const limits = { connections: 9, connectionsPerViewer: 1, connectionsPerCamera: null, messagesPerSecond: 7 };
    const share = shareOf({ limits, timeouts: { connectMs: 5 } }, 4);
    assert.deepEqual(share.limits, {
      connections: 3,
      connectionsPerAddress: 500,
      connectionsPerViewer: 1,
      connectionsPerCamera: null,
      handshakesPerSecond: 50,
      messagesPerSecond: 7,
      bytesPerSecond: 8_388_608,
    });
    // Four that each try a rejected password every four minutes are one a minute.
    assert.deepEqual(share.timeouts, { connectMs: 5, rejectedCredentialsMs: 240_000 });
    assert.deepEqual(shareOf({ limits }, 1), { limits });
  });
});

describe('a worker that dies', () => {
  test('at once is started again in growing intervals, a steady one at once', () => {
    const delays = [0, 1, 2, 3, 5, 6, 100].map((quickEnds) => restartDelayMs(quickEnds, 0));
    assert.deepEqual(delays, [0, 1_000, 2_000, 4_000, 16_000, 30_000, 30_000]);
    assert.equal(restartDelayMs(1, 400), 600);
    assert.equal(restartDelayMs(1, 5_000), 0);
  });
});

describe("a worker's lines", () => {
  test('are whole, however they come, and bounded', async () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    forEachLine(stream, (line) => lines.push(line));
    for (const text of ['{"a":', '1}\n{"b":2}', '\n', 'x'.repeat(70_000), 'y\nrest']) stream.write(text);
    stream.end();
    await new Promise((resolve) => stream.once('close', resolve));
    assert.deepEqual(lines.slice(0, 2), ['{"a":1}', '{"b":2}']);
    assert.deepEqual(
      lines.slice(2).map((line) => line.length),
      [70_000, 1, 4],
    );
  });
});

describe('numbers of several workers', () => {
  const source = (viewers: number) => ({
    isReady: true,
    cameraStates: () => [],
    stats: () => ({
      tunnels: viewers,
      cameraSessions: 0,
      viewers,
      closed: { 4404: viewers },
      bytesToViewers: 0,
      bytesFromViewers: 0,
      droppedFrames: 0,
      rejectedFrames: 0,
      refusals: noRefusals(),
    }),
  });

  test('are added up; one that does not answer counts with what it said last, one that has ended with what it counted', async () => {
    const workers = new Map([1, 2, 3].map((id) => [id, new Metrics(source(id))] as const));
    const silent = new Set<number>();
    const sums = new SummedMetrics({
      ask: () => {
        for (const [id, metrics] of workers) {
          if (!silent.has(id)) void metrics.snapshot().then((snapshot) => sums.take(id, snapshot));
        }
        return [...workers.keys()];
      },
      timeoutMs: 200,
      workers: () => workers.size,
      restarts: () => 0,
      lostLogLines: () => 0,
      areSettingsCurrent: () => true,
    });
    workers.get(1)?.onCameraConnected(0.2);
    const total = async (name: string): Promise<number> => sumOf(await sums.text(), name);
    assert.equal(await total('rtsp_proxy_viewers_total'), 6);
    silent.add(3);
    assert.equal(await total('rtsp_proxy_viewers_total'), 6);
    workers.delete(1);
    sums.leave(1);
    assert.equal(await total('rtsp_proxy_viewers_total'), 6);
    assert.equal(await total('rtsp_proxy_closed_total{code="4404"}'), 6);
    assert.equal(await total('rtsp_proxy_camera_connect_seconds_count'), 1);
    assert.equal(await total('rtsp_proxy_viewers{kind="tunnel"}'), 5, 'but not with what it was doing');
    assert.equal(await total('rtsp_proxy_workers'), 2);
  });
});
