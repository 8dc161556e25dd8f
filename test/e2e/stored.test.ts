import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { type GStreamerCamera, type Mount, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import type { MediaFile } from '../support/media-file.js';
import { FILM_BITS, makeNumberedFilm, readFilmFrame } from '../support/numbered-film.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// Stored media: GStreamer's server with a file → the proxy → the element, which is to a page what a <video> with a file is.

const SECONDS = 40;
const FRAME_RATE = 25;
/** A frame, and the rounding of times on the way. */
const FRAME_S = 1 / FRAME_RATE + 0.002;

const keep = keeper(after);
let camera: GStreamerCamera;
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const options = { frameRate: FRAME_RATE, keyInterval: 25 };
    const [plain, reordered, short] = await Promise.all([
      keep(makeNumberedFilm({ ...options, seconds: SECONDS })),
      keep(makeNumberedFilm({ ...options, seconds: SECONDS, bFrames: 2 })),
      keep(makeNumberedFilm({ ...options, seconds: 3 })),
    ]);
    const mount = (path: string, film: MediaFile): Mount => ({
      path,
      file: { path: film.path, tracks: ['video', 'audio'] },
    });
    camera = await keep(
      startGStreamerCamera({
        mounts: [mount('/plain', plain), mount('/reordered', reordered), mount('/short', short)],
      }),
    );
    pages = await keep(startPageServer());
    const named = ['plain', 'reordered', 'short'].flatMap((name) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 120_000 },
);

async function open(name: string, attributes = ''): Promise<TestPage> {
  const path = `/${name}-${Math.random()}`;
  pages.set(
    path,
    htmlPage(`<rtsp-player src="${name}" autoplay muted controls ${attributes}></rtsp-player>`, [
      `${proxy.origin}/rtsp-player.js`,
    ]),
  );
  const tab = await browser.open(`${pages.origin}${path}`);
  await tab.page.evaluate(`window.readFilmFrame = ${readFilmFrame.toString()}`);
  return tab;
}

interface OnScreen {
  time: number;
  frame: number;
}

/** What the page gives, or, when it gives nothing for long, an error that says what state the player is in. */
async function bounded<T>(page: Page, what: string, result: Promise<T>): Promise<T> {
  const silence = new AbortController();
  const stuck = delay(30_000, undefined, { signal: silence.signal }).then(async () => {
    const report = await page.$eval('rtsp-player', (node) => {
      const player = node as RtspPlayerElement;
      const { state, paused, seeking, currentTime, readyState, buffered, video } = player;
      const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
      const stats = player.getStats();
      return JSON.stringify({
        state,
        paused,
        seeking,
        currentTime,
        readyState,
        ranges,
        rate: video?.playbackRate,
        stats,
      });
    });
    throw new Error(`${what} has not come: ${report}`);
  });
  try {
    return await Promise.race([result, stuck]);
  } finally {
    silence.abort();
    stuck.catch(() => undefined);
  }
}

/** The time and the number of the frame that is drawn next. */
function nextFrame(page: Page): Promise<OnScreen> {
  return bounded(page, 'A frame', pageFrame(page));
}

function pageFrame(page: Page): Promise<OnScreen> {
  return page.$eval(
    'rtsp-player',
    (node, bits) => {
      const player = node as RtspPlayerElement;
      const read = (globalThis as unknown as { readFilmFrame: typeof readFilmFrame }).readFilmFrame;
      return new Promise<OnScreen>((resolve) => {
        player.requestVideoFrameCallback((_now, { mediaTime }) => {
          resolve({ time: mediaTime, frame: read(player.video as HTMLVideoElement, bits) });
        });
      });
    },
    FILM_BITS,
  );
}

/** Sets `currentTime`, and waits until the new position is on screen. */
function seek(page: Page, position: number): Promise<OnScreen & { events: string[] }> {
  return bounded(page, `The end of a seek to ${position}`, pageSeek(page, position));
}

function pageSeek(page: Page, position: number): Promise<OnScreen & { events: string[] }> {
  return page.$eval(
    'rtsp-player',
    async (node, target, bits) => {
      const player = node as RtspPlayerElement;
      const read = (globalThis as unknown as { readFilmFrame: typeof readFilmFrame }).readFilmFrame;
      const events: string[] = [];
      const listening = new AbortController();
      const { signal } = listening;
      for (const type of ['seeking', 'seeked']) player.addEventListener(type, () => events.push(type), { signal });
      // Of an earlier seek there may be one on its way.
      const isThere = () => !player.seeking && Math.abs(player.currentTime - target) < 2;
      player.currentTime = target;
      do await new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
      while (!isThere());
      listening.abort();
      return new Promise<OnScreen & { events: string[] }>((resolve) => {
        const look = () => {
          const video = player.video as HTMLVideoElement;
          resolve({ time: player.currentTime, frame: read(video, bits), events });
        };
        // In a paused video the frame may have been drawn already.
        if (player.paused) requestAnimationFrame(() => requestAnimationFrame(look));
        else player.requestVideoFrameCallback(look);
      });
    },
    position,
    FILM_BITS,
  );
}

interface HeldObjects {
  listeners: number;
  nodes: number;
  /** To the camera, since it was started. */
  connections: number;
}

/** What would grow with each seek if it were not let go of. */
async function heldObjects(page: Page): Promise<HeldObjects> {
  const client = await page.createCDPSession();
  await client.send('HeapProfiler.collectGarbage');
  const { JSEventListeners: listeners = Number.NaN, Nodes: nodes = Number.NaN } = await page.metrics();
  await client.detach();
  return { listeners, nodes, connections: camera.events.filter(({ event }) => event === 'connected').length };
}

function assertSame({ time, frame }: OnScreen): void {
  assert.ok(Math.abs(frame / FRAME_RATE - time) <= FRAME_S, `frame ${frame} at ${time} s`);
}

for (const name of ['plain', 'reordered']) {
  test(`${name}: is to the page what a file is`, { timeout: 60_000 }, async () => {
    const tab = await open(name);
    await waitForState(tab.page, ['playing']);
    for (let look = 0; look < 10; look++) assertSame(await nextFrame(tab.page));
    const seen = await tab.page.$eval('rtsp-player', (node) => {
      const { duration, seekable, currentTime, ended, isAtLiveEdge } = node as RtspPlayerElement;
      return { duration, end: seekable.end(0), currentTime, ended, isAtLiveEdge };
    });
    assert.ok(Math.abs(seen.duration - SECONDS) < 0.1 && Math.abs(seen.end - SECONDS) < 0.1, JSON.stringify(seen));
    assert.ok(seen.currentTime < 10 && !seen.ended && !seen.isAtLiveEdge, JSON.stringify(seen));
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });

  test(`${name}: seeks to the frame that the server named`, { timeout: 120_000 }, async () => {
    const tab = await open(name);
    await waitForState(tab.page, ['playing']);
    let state = 7;
    let held = await heldObjects(tab.page);
    for (let count = 0; count < 25; count++) {
      // By then everything was loaded and used once.
      if (count === 5) held = await heldObjects(tab.page);
      state = (state * 48_271) % 0x7fffffff;
      const target = 1 + (state / 0x7fffffff) * (SECONDS - 5);
      const found = await seek(tab.page, target);
      assertSame(found);
      // The server goes to the key frame before; some frames have been played since.
      assert.ok(found.time > target - 1.1 && found.time < target + 1, `${found.time} for ${target}`);
      assert.ok(found.events.includes('seeking'));
      assertSame(await nextFrame(tab.page));
    }
    const { listeners, nodes, connections } = await heldObjects(tab.page);
    assert.ok(
      listeners < held.listeners + 15 && nodes < held.nodes + 15,
      `${listeners}, ${nodes} after ${JSON.stringify(held)}`,
    );
    assert.equal(connections, held.connections);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

for (const name of ['plain', 'reordered']) {
  test(`${name}: seeks to a place between two key frames, where the server sends what leads up to it`, {
    timeout: 60_000,
  }, async () => {
    const tab = await open(name);
    await waitForState(tab.page, ['playing']);
    await tab.page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
    for (const target of [27.0004, 15.006, 8.0002]) {
      // Behind a key frame of the picture, but not of the sound: the server names the time of a sound packet before.
      const found = await seek(tab.page, target);
      assertSame(found);
      assert.ok(Math.abs(found.time - target) < 1.1, `${found.time} for ${target}`);
    }
    await tab.close();
  });
}

test('seeks that pile up end at the last one', { timeout: 60_000 }, async () => {
  const tab = await open('plain');
  await waitForState(tab.page, ['playing']);
  await tab.page.$eval('rtsp-player', (node) => {
    const player = node as RtspPlayerElement;
    for (let position = 5; position < 30; position++) player.currentTime = position;
  });
  const found = await seek(tab.page, 33.5);
  assertSame(found);
  assert.ok(found.time >= 33 && found.time < 35, `${found.time}`);
  await tab.close();
});

test('pauses, seeks while paused, and goes on from there', { timeout: 60_000 }, async () => {
  const tab = await open('plain');
  const { page } = tab;
  await waitForState(page, ['playing']);
  for (let look = 0; look < 10; look++) await nextFrame(page);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
  const before = await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).currentTime);
  const found = await seek(page, 20.3);
  assertSame(found);
  assert.ok(Math.abs(found.time - 20) < 0.1, `${found.time}`);
  assert.ok(before < 10);
  // It stands.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  const still = await page.$eval('rtsp-player', (node) => {
    const { currentTime, paused, state } = node as RtspPlayerElement;
    return { currentTime, paused, state };
  });
  assert.deepEqual(still, { currentTime: found.time, paused: true, state: 'paused' });
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  for (let look = 0; look < 40; look++) {
    const next = await nextFrame(page);
    assertSame(next);
    assert.ok(next.time < 26, `${next.time}`);
  }
  // And once more, without a seek: nothing is left out.
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
  const left = await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).currentTime);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)));
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  const resumed = await nextFrame(page);
  assertSame(resumed);
  assert.ok(resumed.time - left < 0.3 && resumed.time >= left - 0.1, `${left} → ${resumed.time}`);
  for (let look = 0; look < 50; look++) assertSame(await nextFrame(page));
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('ends, plays again, and can be sought in after the end', { timeout: 60_000 }, async () => {
  const tab = await open('short');
  const { page } = tab;
  await waitForState(page, ['playing']);
  await waitForState(page, ['ended']);
  const end = await page.$eval('rtsp-player', (node) => {
    const { currentTime, duration, ended, paused } = node as RtspPlayerElement;
    return { isAtEnd: duration - currentTime < 0.1, ended, paused };
  });
  assert.deepEqual(end, { isAtEnd: true, ended: true, paused: true });
  const found = await seek(page, 1.2);
  assertSame(found);
  assert.ok(Math.abs(found.time - 1) < 0.1, `${found.time}`);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  await waitForState(page, ['ended']);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  await waitForState(page, ['playing']);
  const again = await nextFrame(page);
  assert.ok(again.time < 1, `${again.time}`);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('loops', { timeout: 60_000 }, async () => {
  const tab = await open('short', 'loop');
  const { page } = tab;
  await waitForState(page, ['playing']);
  let rounds = 0;
  for (let last = 0; rounds < 2; ) {
    const { time } = await nextFrame(page);
    if (time < last - 1) rounds++;
    last = time;
  }
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('plays twice as fast', { timeout: 60_000 }, async () => {
  const tab = await open('plain');
  const { page } = tab;
  await waitForState(page, ['playing']);
  const pace = await page.$eval('rtsp-player', async (node) => {
    const player = node as RtspPlayerElement;
    player.playbackRate = 2;
    await new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
    const from = { at: performance.now(), time: player.currentTime };
    while (player.currentTime < from.time + 8) {
      await new Promise((resolve) => player.addEventListener('timeupdate', resolve, { once: true }));
    }
    const seconds = (performance.now() - from.at) / 1_000;
    return { rate: player.playbackRate, pace: (player.currentTime - from.time) / seconds };
  });
  assert.equal(pace.rate, 2);
  assert.ok(pace.pace > 1.6 && pace.pace < 2.2, `${pace.pace}`);
  assertSame(await nextFrame(page));
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('plays backwards, since the server says that it does', {
  timeout: 60_000,
}, async () => {
  const tab = await open('plain');
  const { page } = tab;
  await waitForState(page, ['playing']);
  await seek(page, 20.5);
  const rate = await page.$eval('rtsp-player', async (node) => {
    const player = node as RtspPlayerElement;
    const changed = new Promise((resolve) => player.addEventListener('ratechange', resolve, { once: true }));
    player.playbackRate = -1;
    await changed;
    return player.playbackRate;
  });
  const positions: number[] = [];
  while (positions.length < 25) {
    await nextFrame(page);
    positions.push(await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).currentTime));
  }
  const step = (positions.at(-1) ?? 0) - (positions[0] ?? 0);
  assert.equal(rate, -1);
  assert.ok(step < -1, positions.join(' '));
  assert.deepEqual(tab.errors, []);
  await tab.close();
});
