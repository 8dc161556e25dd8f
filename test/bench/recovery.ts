// benchmark: how soon the picture is live again after the camera or the proxy died or froze, and what is left behind

import { readdirSync, readlinkSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Page } from 'puppeteer-core';
import type { TestPage } from '../support/browser.js';
import { delay } from '../support/child-process.js';
import { type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import type { PlayerChange } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { type BenchPages, type PageBench, startBenchPages } from './bench-page.js';
import { startGStreamerClient } from './gstreamer-client.js';
import { installResourceCounter, type PageResources } from './page/resource-counter.js';
import { type Cell, printTable, say } from './report.js';
import { quantile } from './statistics.js';
import { startTunnel } from './tunnel-process.js';

/*
 * One page with one element plays all the while. Something happens to the camera or the proxy, again and again; each time
 * it is noted when the element says that it reconnects, and when, after the cause's end, a frame is on screen that the
 * camera made after it. For comparison: GStreamer's client started anew at that moment, and the peer's page.
 */

const help = `npm run bench -- recovery [OPTIONS]
  --times N        of each cause (10)
  --only CAUSE     camera-killed, proxy-killed or camera-frozen; may be repeated
  --frozen N       seconds that the camera is frozen (20)
  --sound          a camera with sound, unmuted
  --quick          3 times, frozen for 8 seconds`;

const { values: options } = parseArgs({
  options: {
    times: { type: 'string' },
    only: { type: 'string', multiple: true },
    frozen: { type: 'string' },
    sound: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const times = Number(options.times ?? (options.quick ? 3 : 10));
const frozenMs = Number(options.frozen ?? (options.quick ? 8 : 20)) * 1000;
/** How long a killed process stays away, in turn: longer than the first waits between attempts, too. */
const DOWN_MS = [1_000, 3_000, 10_000];
const GIVE_UP_MS = 15_000;
/** A picture this old is not live. */
const LIVE_MS = 1_000;

declare const bench: PageBench;
declare const playerChanges: PlayerChange[];
declare const countResources: () => PageResources;

interface Stage {
  camera: GStreamerCamera;
  proxy: ProxyProcess;
  pages: BenchPages;
}

interface Cause {
  name: string;
  /** Lets it happen; resolves at its end. */
  happen(stage: Stage, round: number): Promise<void>;
}

const allCauses: Cause[] = [
  {
    name: 'camera-killed',
    async happen({ camera }, round) {
      await camera.kill();
      await delay(DOWN_MS[round % DOWN_MS.length] ?? 0);
      await camera.restart();
    },
  },
  {
    name: 'proxy-killed',
    async happen({ proxy }, round) {
      await proxy.kill();
      await delay(DOWN_MS[round % DOWN_MS.length] ?? 0);
      await proxy.restart();
    },
  },
  {
    name: 'camera-frozen',
    async happen({ camera }) {
      camera.freeze();
      await delay(frozenMs);
      camera.thaw();
    },
  },
];

interface Recovery {
  /** From the cause to the element's saying so; NaN when it never did. */
  noticedMs: number;
  /** From the cause's end to a live frame on screen; infinite when there was none in time. */
  liveMs: number;
}

/** From `endMs` (wall clock) until the page shows a frame that is younger than that. */
async function waitUntilLive(page: Page, endMs: number): Promise<number> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (performance.now() < deadline) {
    const shownMs = await page.evaluate(
      (end, live) => {
        const { frames } = bench.takeRecording();
        const found = frames.find(({ captureMs, presentedMs }) => captureMs >= end && presentedMs - captureMs < live);
        return found?.presentedMs ?? null;
      },
      endMs,
      LIVE_MS,
    );
    if (shownMs !== null) return shownMs - endMs;
    await delay(50);
  }
  return Number.POSITIVE_INFINITY;
}

async function recover(stage: Stage, tab: TestPage, cause: Cause, round: number): Promise<Recovery> {
  const startMs = Date.now();
  await cause.happen(stage, round);
  const endMs = Date.now();
  const liveMs = await waitUntilLive(tab.page, endMs);
  const noticedMs = await tab.page.evaluate(
    (start) => playerChanges.find(({ state, timeMs }) => timeMs >= start && state === 'reconnecting')?.timeMs ?? null,
    startMs,
  );
  // Some play in between, as in life; and the next waits between attempts start anew.
  await delay(3_000);
  return { noticedMs: noticedMs === null ? Number.NaN : noticedMs - startMs, liveMs };
}

interface Held extends PageResources {
  /** Of the proxy's process. */
  proxySockets: number;
  listeners: number;
  nodes: number;
  heapMegabytes: number;
}

async function countHeld(tab: TestPage, proxy: ProxyProcess): Promise<Held> {
  const session = await tab.page.createCDPSession();
  try {
    await tab.page.evaluate(() => {
      bench.takeRecording().frames.length = 0;
    });
    // Twice: what the first collection finalises, the second frees.
    for (let i = 0; i < 2; i++) await session.send('HeapProfiler.collectGarbage');
    await session.send('Performance.enable');
    const { metrics } = await session.send('Performance.getMetrics');
    const metric = (name: string) => metrics.find((each) => each.name === name)?.value ?? Number.NaN;
    return {
      ...(await tab.page.evaluate(() => countResources())),
      proxySockets: socketsOf(proxy.pid),
      listeners: metric('JSEventListeners'),
      nodes: metric('Nodes'),
      heapMegabytes: metric('JSHeapUsedSize') / 1e6,
    };
  } finally {
    await session.detach();
  }
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith('socket:');
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

async function openPlayer(stage: Stage): Promise<TestPage> {
  const tab = await stage.pages.open('ours');
  await tab.page.evaluateOnNewDocument(installResourceCounter);
  await tab.page.reload();
  await tab.page.waitForFunction(() => typeof bench === 'object');
  const { proxy, camera } = stage;
  const showing = {
    proxyOrigin: proxy.origin,
    cameraName: 'cam',
    cameraUrl: camera.url(),
    tunnelUrl: '',
    latency: 'low',
  };
  await tab.page.evaluate((given) => bench.record(bench.module, given), { ...showing, muted: !options.sound });
  if (!Number.isFinite(await waitUntilLive(tab.page, Date.now()))) throw new Error('Ours showed no picture at all.');
  return tab;
}

/** GStreamer's client, started at the cause's end: what a fresh connection takes. */
async function recoverFloor(stage: Stage, cause: Cause): Promise<number> {
  await cause.happen(stage, 0);
  const client = startGStreamerClient(stage.camera.url(), { pictures: false });
  const ms = await client.firstFrameMs;
  await client.stop();
  return ms;
}

async function recoverPeer(stage: Stage, cause: Cause): Promise<number> {
  let tunnel = await startTunnel('peer');
  const tab = await stage.pages.open('peer');
  try {
    const tunnelUrl = `ws://127.0.0.1:${tunnel.port}/`;
    const showing = {
      proxyOrigin: '',
      cameraName: '',
      cameraUrl: stage.camera.url(),
      tunnelUrl,
      latency: '',
      muted: true,
    };
    await tab.page.evaluate((given) => bench.record(bench.module, given), showing);
    if (!Number.isFinite(await waitUntilLive(tab.page, Date.now()))) return Number.NaN;
    if (cause.name === 'proxy-killed') {
      await tunnel.process.kill();
      tunnel = await startTunnel('peer', tunnel.port);
    } else {
      await cause.happen(stage, 0);
    }
    return await waitUntilLive(tab.page, Date.now());
  } finally {
    await tab.close();
    await tunnel.stop();
  }
}

async function main(): Promise<void> {
  const causes = allCauses.filter(({ name }) => options.only?.includes(name) ?? true);
  const pages = await startBenchPages();
  const camera = await startGStreamerCamera({
    mounts: [{ path: '/live', video: true, ...(options.sound ? { audio: true as const } : {}) }],
  });
  const proxy = await startProxy({ args: ['--camera', `cam=${camera.url()}`, '--allow-origin', pages.origin] });
  const stage: Stage = { camera, proxy, pages };
  const rows: Record<string, Cell>[] = [];
  const heldRows: Record<string, Cell>[] = [];
  const ms = (value: number) => (Number.isNaN(value) ? '–' : Number.isFinite(value) ? Math.round(value) : 'never');
  try {
    await pages.add('ours');
    await pages.add('peer');
    const tab = await openPlayer(stage);
    for (const cause of causes) {
      const floorMs = await recoverFloor(stage, cause);
      if (!Number.isFinite(await waitUntilLive(tab.page, Date.now()))) throw new Error('Ours did not come back.');
      await delay(3_000);
      const before = await countHeld(tab, proxy);
      const recoveries: Recovery[] = [];
      for (let round = 0; round < times; round++) {
        const recovery = await recover(stage, tab, cause, round);
        recoveries.push(recovery);
        say(
          `${cause.name} ${round + 1}: noticed after ${ms(recovery.noticedMs)} ms, live ${ms(recovery.liveMs)} ms after its end`,
        );
      }
      const after = await countHeld(tab, proxy);
      const live = recoveries.map(({ liveMs }) => liveMs);
      const noticed = recoveries.map(({ noticedMs }) => noticedMs);
      rows.push({
        cause: cause.name,
        times,
        'live again, median ms': ms(quantile(live, 0.5)),
        'most ms': ms(quantile(live, 1)),
        'within 5 s': `${live.filter((value) => value <= 5_000).length} of ${times}`,
        'noticed, most ms': ms(quantile(noticed, 1)),
        'GStreamer started then ms': ms(floorMs),
      });
      const change = (key: keyof Held) => `${before[key]} → ${after[key]}`;
      heldRows.push({
        cause: cause.name,
        'page WebSockets': change('webSockets'),
        'proxy sockets': change('proxySockets'),
        SourceBuffers: change('sourceBuffers'),
        MediaSources: change('mediaSources'),
        videos: change('videos'),
        listeners: change('listeners'),
        nodes: change('nodes'),
        'JS heap MB': `${before.heapMegabytes.toFixed(1)} → ${after.heapMegabytes.toFixed(1)}`,
      });
    }
    await tab.close();
    // Not beside ours: of two tabs one is hidden, and shows no frames.
    for (const [i, cause] of causes.entries()) {
      const peerMs = await recoverPeer(stage, cause);
      Object.assign(rows[i] ?? {}, { 'peer ms': ms(peerMs) });
    }
  } finally {
    await pages.stop();
    await proxy.kill();
    await camera.stop();
  }
  printTable('From the end of the cause to a live picture', rows);
  printTable(`Held before and after ${times} times`, heldRows);
}

if (options.help) say(help);
else await main();
