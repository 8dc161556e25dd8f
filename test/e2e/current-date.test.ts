import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { type Mount, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// `currentDate` beside the time that the camera paints into each frame when it takes it.

declare const pictureClock: typeof import('../support/picture-clock.mjs');

const FRAME_MS = 40;
/** A run of five minutes has to pass as well. */
const SECONDS = Number(process.env.CURRENT_DATE_SECONDS ?? 20);
const kinds: readonly (readonly [string, Omit<Mount, 'path'>])[] = [
  ['picture', { video: true }],
  ['picture and sound', { video: true, audio: {} }],
];

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const mounts = kinds.map(([, tracks], index) => ({ path: `/${index}`, ...tracks }));
    const camera = await keep(startGStreamerCamera({ mounts }));
    pages = await keep(startPageServer());
    const named = mounts.flatMap(({ path }) => ['--camera', `camera${path.slice(1)}=${camera.url(path)}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

for (const [index, [kind, tracks]] of kinds.entries()) {
  test(`of ${kind}: when the frame on screen was taken`, { timeout: (SECONDS + 60) * 1_000 }, async () => {
    const muted = 'audio' in tracks ? '' : 'muted';
    pages.set(
      '/page',
      htmlPage(`<rtsp-player src="camera${index}" autoplay ${muted}></rtsp-player>`, [
        `${proxy.origin}/rtsp-player.js`,
      ]),
    );
    const { page, close } = await browser.open(`${pages.origin}/page`);
    assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
    const { errors, stats } = await page.$eval(
      'rtsp-player',
      async (node, seconds) => {
        const player = node as RtspPlayerElement;
        const read = pictureClock.createVideoClockReader();
        const found: number[] = [];
        // The first sender report comes within some seconds.
        while (player.currentDate === null) await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
        const end = performance.now() + seconds * 1_000;
        while (performance.now() < end) {
          await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
          const { video, currentDate } = player;
          const painted = video === null ? null : read(video);
          if (painted !== null && currentDate !== null) found.push(currentDate.getTime() - painted);
        }
        return { errors: found, stats: player.getStats() };
      },
      SECONDS,
    );
    await close();
    const sizes = errors.map(Math.abs).sort((a, b) => a - b);
    const at = (share: number) => sizes[Math.floor(share * (sizes.length - 1))] ?? Number.NaN;
    const told = `p50 ${at(0.5).toFixed(1)}, p95 ${at(0.95).toFixed(1)}, most ${at(1).toFixed(1)} ms of ${sizes.length} frames`;
    assert.ok(sizes.length > SECONDS * 15, told);
    assert.ok(at(0.95) <= FRAME_MS + 10, told);
    assert.equal(stats?.dateSource, 'sender-report');
    const uncertainty = stats.dateUncertainty ?? Number.NaN;
    assert.ok(uncertainty >= 0 && uncertainty <= 0.5, `${uncertainty} s`);
    if (process.env.CURRENT_DATE_SECONDS !== undefined) process.stdout.write(`${kind}: ${told}\n`);
  });
}
