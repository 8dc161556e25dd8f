import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CDPSession } from 'puppeteer-core';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { delay } from '../support/child-process.js';
import { type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { pictureAgeMs, readChanges, readPlayer, waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// The same element, never reloaded, through every kind of failure. RECOVERY_ROUNDS=10 repeats each one ten times.

const rounds = Number(process.env.RECOVERY_ROUNDS ?? 1);
/** How long something stays dead. */
const outageMs = 2_000;
const freezeMs = 20_000;
/** The watchdog's 3 s, or a closed connection's no time at all, and a busy machine. */
const noticedWithinMs = 4_000;
const backWithinMs = 5_000;

const keep = keeper(after);
let camera: GStreamerCamera;
let proxy: ProxyProcess;
let pages: PageServer;
let browser: TestBrowser;

/** A page with one player, and what it holds on to. */
interface Subject {
  tab: TestPage;
  session: CDPSession;
  sockets: Set<string>;
}

declare const openMediaSources: Set<WeakRef<MediaSource>>;

before(
  async () => {
    camera = await keep(startGStreamerCamera({ mounts: [{ path: '/live', video: true, audio: true }] }));
    pages = await keep(startPageServer());
    proxy = await keep(
      startProxy({
        args: [
          ...['--camera', `front=${camera.url()}`, '--allow', `127.0.0.1:${camera.port}`],
          ...['--allow-origin', pages.origin],
        ],
      }),
    );
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

async function openSubject(src: string): Promise<Subject> {
  const counter = `<script>
    const openMediaSources = new Set();
    MediaSource = class extends MediaSource {
      constructor() { super(); openMediaSources.add(new WeakRef(this)); }
    };
  </script>`;
  const player = `<rtsp-player src="${src}" autoplay muted></rtsp-player>`;
  pages.set('/', counter + htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open('about:blank');
  const session = await tab.page.createCDPSession();
  const sockets = new Set<string>();
  session.on('Network.webSocketCreated', ({ requestId }) => sockets.add(requestId));
  session.on('Network.webSocketClosed', ({ requestId }) => sockets.delete(requestId));
  await session.send('Network.enable');
  await session.send('Performance.enable');
  await tab.page.goto(`${pages.origin}/`);
  await waitForState(tab.page, ['playing']);
  await waitForLive(tab, backWithinMs);
  return { tab, session, sockets };
}

/** Waits until the picture on screen was made within the last second. */
async function waitForLive(tab: TestPage, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let ageMs: number | null = null;
  while (performance.now() < deadline) {
    const { state } = await readPlayer(tab.page);
    ageMs = state === 'playing' ? await pictureAgeMs(tab.page) : null;
    if (ageMs !== null && ageMs < 1_000) return;
    await delay(50);
  }
  assert.fail(`No live picture within ${timeoutMs} ms (age ${ageMs}): ${JSON.stringify(await readChanges(tab.page))}`);
}

interface Resources {
  sockets: number;
  cameraConnections: number;
  sourceBuffers: number;
  listeners: number;
  nodes: number;
  heapBytes: number;
}

async function countResources({ tab, session, sockets }: Subject): Promise<Resources> {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const metric = (name: string) => metrics.find((entry) => entry.name === name)?.value ?? Number.NaN;
  const sourceBuffers = await tab.page.evaluate(() => {
    let count = 0;
    for (const reference of openMediaSources) count += reference.deref()?.sourceBuffers.length ?? 0;
    return count;
  });
  const sinceStart = camera.events.slice(camera.events.map(({ event }) => event).lastIndexOf('ready'));
  const count = (name: 'connected' | 'closed') => sinceStart.filter(({ event }) => event === name).length;
  return {
    sockets: sockets.size,
    cameraConnections: count('connected') - count('closed'),
    sourceBuffers,
    listeners: metric('JSEventListeners'),
    nodes: metric('Nodes'),
    heapBytes: metric('JSHeapUsedSize'),
  };
}

/** Makes something fail, waits until the player says so, undoes it, waits for a live picture; again and again. */
async function recoverFrom(
  t: { diagnostic(message: string): void },
  src: string,
  fail: () => Promise<void> | void,
  undo: () => Promise<void> | void,
  lengthMs: number,
): Promise<void> {
  const subject = await openSubject(src);
  const { tab } = subject;
  // The first round warms up what is made once.
  let before: Resources | null = null;
  for (let round = 0; round <= rounds; round++) {
    const failedAt = performance.now();
    await fail();
    let noticedMs: number;
    try {
      await waitForState(tab.page, ['reconnecting'], noticedWithinMs);
      noticedMs = performance.now() - failedAt;
      await delay(Math.max(0, failedAt + lengthMs - performance.now()));
    } finally {
      await undo();
    }
    const undoneAt = performance.now();
    await waitForLive(tab, backWithinMs);
    const backMs = performance.now() - undoneAt;
    t.diagnostic(`noticed after ${Math.round(noticedMs)} ms, live ${Math.round(backMs)} ms after the end of the cause`);
    await waitForFrames(tab.page, 10);
    if (round === 0) before = await countResources(subject);
  }
  const now = await countResources(subject);
  t.diagnostic(`before ${JSON.stringify(before)}`);
  t.diagnostic(`after ${JSON.stringify(now)}`);
  assert.ok(before !== null);
  assert.equal(now.sockets, 1);
  assert.ok(now.cameraConnections <= before.cameraConnections, `${now.cameraConnections} connections to the camera`);
  assert.ok(now.sourceBuffers <= before.sourceBuffers, `${now.sourceBuffers} SourceBuffers`);
  assert.ok(now.listeners <= before.listeners + 5, `${before.listeners} listeners became ${now.listeners}`);
  assert.ok(now.nodes <= before.nodes + 20, `${before.nodes} nodes became ${now.nodes}`);
  assert.ok(now.heapBytes <= before.heapBytes + 3e6, `${before.heapBytes} bytes became ${now.heapBytes}`);
  await tab.close();
}

// Through the proxy's own session with a camera that it knows by name, and through the bare tunnel.
for (const kind of ['named', 'tunnel'] as const) {
  const source = () => (kind === 'named' ? 'front' : camera.url());

  test(`${kind}: the camera's process is killed and started again`, {
    timeout: 60_000 + rounds * 20_000,
  }, async (t) => {
    await recoverFrom(
      t,
      source(),
      () => camera.kill(),
      () => camera.restart(),
      outageMs,
    );
  });

  test(`${kind}: the proxy is killed and started again`, { timeout: 60_000 + rounds * 20_000 }, async (t) => {
    await recoverFrom(
      t,
      source(),
      () => proxy.kill(),
      () => proxy.restart(),
      outageMs,
    );
  });

  test(`${kind}: the camera is frozen for 20 s`, { timeout: 90_000 + rounds * 40_000 }, async (t) => {
    await recoverFrom(
      t,
      source(),
      () => camera.freeze(),
      () => camera.thaw(),
      freezeMs,
    );
  });
}

test('the proxy is stopped in good order and started again', { timeout: 60_000 }, async () => {
  const { tab } = await openSubject('front');
  await proxy.stop();
  await waitForState(tab.page, ['reconnecting'], noticedWithinMs);
  assert.equal((await readChanges(tab.page)).at(-1)?.code, 'proxy-going-down');
  await proxy.restart();
  await waitForLive(tab, backWithinMs);
  await tab.close();
});
