import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { sum } from '../bench/statistics.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { runProgram } from '../support/child-process.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// The shipped configurations of HAProxy and nginx, with addresses of this machine in them: two proxies, of which one is killed.

const VIEWERS = 6;
/** Within which every viewer has to be back. */
const BACK_MS = 5_000;

const keep = keeper(after);
let folder: string;
let browser: TestBrowser;
let pages: PageServer;
let cameraUrl: string;

before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'rtsp-balancer-'));
    const camera = await keep(startGStreamerCamera({ mounts: [{ path: '/live', video: {}, shared: true }] }));
    cameraUrl = camera.url('/live');
    pages = await keep(startPageServer());
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

const deployFile = (name: string) => readFile(new URL(`../../proxy/deploy/${name}`, import.meta.url), 'utf8');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function addressed(text: string, ports: readonly number[]): string {
  return text.replace('10.0.0.11:8080', `127.0.0.1:${ports[0]}`).replace('10.0.0.12:8080', `127.0.0.1:${ports[1]}`);
}

interface Balancer {
  command: string;
  args: string[];
}

const balancers: Readonly<Record<string, (port: number, proxies: readonly number[]) => Promise<Balancer>>> = {
  async haproxy(port, proxies) {
    const text = addressed(await deployFile('haproxy.cfg'), proxies);
    const path = join(folder, 'haproxy.cfg');
    await writeFile(path, text.replace(/bind :8443 .*/, `bind 127.0.0.1:${port}`));
    await runProgram('haproxy', ['-c', '-f', path]);
    return { command: 'haproxy', args: ['-db', '-f', path] };
  },
  async nginx(port, proxies) {
    const text = addressed(await deployFile('nginx.conf'), proxies)
      .replace('listen 8443 ssl;', `listen 127.0.0.1:${port};`)
      .replace(/ *ssl_certificate.*\n/g, '')
      .replace('http {', `http {\n    access_log off;\n    client_body_temp_path ${folder};\n`);
    const path = join(folder, 'nginx.conf');
    await writeFile(path, text);
    const here = `pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;`;
    await runProgram('nginx', ['-t', '-q', '-e', `${folder}/nginx.log`, '-g', here, '-c', path]);
    return { command: 'nginx', args: ['-e', `${folder}/nginx.log`, '-g', `${here} daemon off;`, '-c', path] };
  },
};

async function viewersOf(proxy: ProxyProcess): Promise<number> {
  const text = await (await fetch(`${proxy.origin}/metrics`)).text();
  return Number(/^rtsp_proxy_viewers\{kind="camera"\} (\d+)$/m.exec(text)?.[1]);
}

async function reachable(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const isThere = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} does not answer`);
}

for (const [name, configure] of Object.entries(balancers)) {
  test(`${name}: viewers are spread over two proxies, and come back when one is killed`, {
    timeout: 90_000,
  }, async () => {
    const args = ['--camera', `front=${cameraUrl}`, '--allow-origin', pages.origin, '--metrics'];
    const trusted = ['--trust-proxy', '127.0.0.1'];
    const proxies = await Promise.all([1, 2].map(() => keep(startProxy({ args: [...args, ...trusted] }))));
    const [first, second] = proxies as [ProxyProcess, ProxyProcess];
    const port = await freePort();
    const { command, args: commandArgs } = await configure(
      port,
      proxies.map((proxy) => proxy.port),
    );
    const balancer = spawn(command, commandArgs, { stdio: 'ignore' });
    const ended = new Promise((resolve) => balancer.once('exit', resolve));
    try {
      const origin = `http://127.0.0.1:${port}`;
      await reachable(`${origin}/readyz`);
      const players = '<rtsp-player src="front" autoplay muted></rtsp-player>'.repeat(VIEWERS);
      pages.set(`/${name}`, htmlPage(players, [`${origin}/rtsp-player.js`]));
      const tab = await browser.open(`${pages.origin}/${name}`);
      /** Waits until every player shows other frames than before; returns how long that took. */
      const allPlay = () =>
        tab.page.$$eval('rtsp-player', async (nodes) => {
          const start = performance.now();
          await Promise.all(
            nodes.map(async (node) => {
              const player = node as RtspPlayerElement;
              while (player.state !== 'playing') {
                await new Promise((resolve) => player.addEventListener('statechange', resolve, { once: true }));
              }
              await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
            }),
          );
          return performance.now() - start;
        });
      await allPlay();
      const spread = await Promise.all(proxies.map(viewersOf));
      assert.equal(sum(spread), VIEWERS);
      // The balancers count the connections for the player's files as well, while they are open.
      assert.ok(Math.min(...spread) >= VIEWERS / 2 - 1, `spread evenly: ${spread.join(' and ')}`);
      const lost = tab.page.$$eval('rtsp-player', (nodes) =>
        Promise.race(nodes.map((node) => new Promise((resolve) => node.addEventListener('statechange', resolve)))),
      );
      await first.kill();
      await lost;
      const took = await allPlay();
      assert.ok(took < BACK_MS, `${took} ms`);
      assert.equal(await viewersOf(second), VIEWERS);
      await tab.close();
    } finally {
      balancer.kill('SIGTERM');
      await ended;
    }
  });
}
