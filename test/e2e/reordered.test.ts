import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { pictureAgeMs, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// Streams whose frames are not sent in the order in which they are shown, in Chromium.

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const camera = await keep(
      startGStreamerCamera({
        mounts: [
          { path: '/none', video: { profile: 'main' } },
          { path: '/pyramid', video: { bFrames: 3 } },
          { path: '/open', video: { bFrames: 2, openGroups: true, profile: 'high' } },
        ],
      }),
    );
    pages = await keep(startPageServer());
    const cameras = ['none', 'pyramid', 'open'].flatMap((name) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    proxy = await keep(startProxy({ args: [...cameras, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

const FRAMES = 150;

declare const pictureClock: typeof import('../support/picture-clock.mjs');

/** The picture clock's time of each frame that is put on screen, in order, with milliseconds. */
function readClocks(page: Page, count: number): Promise<(number | null)[]> {
  return page.$eval(
    'rtsp-player',
    (node, wanted) =>
      new Promise<(number | null)[]>((resolve) => {
        const { video } = node as RtspPlayerElement;
        if (video === null) throw new Error('There is no video.');
        const read = pictureClock.createVideoClockReader();
        const clocks: (number | null)[] = [];
        const onFrame = () => {
          clocks.push(read(video));
          if (clocks.length === wanted) resolve(clocks);
          else video.requestVideoFrameCallback(onFrame);
        };
        video.requestVideoFrameCallback(onFrame);
      }),
    count,
  );
}

/** What the encoder and reordering delay a stream by. */
for (const [name, delayMs] of [
  ['none', 0],
  ['pyramid', 5 * 40],
  ['open', 4 * 40],
] as const) {
  test(`${name}: the picture moves, in the right order, at the live edge`, { timeout: 60_000 }, async () => {
    pages.set(
      `/${name}`,
      htmlPage(`<rtsp-player src="${name}" autoplay muted></rtsp-player>`, [`${proxy.origin}/rtsp-player.js`]),
    );
    const tab = await browser.open(`${pages.origin}/${name}`);
    await waitForState(tab.page, ['playing']);
    const clocks = await readClocks(tab.page, FRAMES);
    for (const [index, clock] of clocks.entries()) {
      assert.ok(clock !== null, `frame ${index} has no clock in it`);
      const before = clocks[index - 1] ?? Number.NEGATIVE_INFINITY;
      assert.ok(clock > before, `frame ${index} was made ${before - clock} ms before the one shown before it`);
    }
    // A machine that is busy may lose some frames on the way to the screen.
    const span = (clocks.at(-1) ?? 0) - (clocks[0] ?? 0);
    assert.ok(span < 1.5 * FRAMES * 40, `${FRAMES} frames were made in ${span} ms`);
    const age = await pictureAgeMs(tab.page);
    assert.ok(age !== null && age > 0 && age < delayMs + 1_000, `the picture is ${age} ms old`);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
