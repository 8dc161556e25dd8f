import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { FILM_BITS, makeNumberedClip, readFilmFrame } from '../support/numbered-film.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { type Recording, startReplayCamera, takenAt } from '../support/replay-camera.js';
import type { ScriptedCamera } from '../support/scripted-camera.js';

// Recorders that speak ONVIF's replay, in Chromium: what is on screen is read from its pixels.

const FRAME_RATE = 25;
const FRAME_MS = 1_000 / FRAME_RATE;
const SECONDS = 30;
const GAP = { beforeFrame: 10 * FRAME_RATE, milliseconds: 60_000 };
const STARTS_AT = Date.UTC(2026, 4, 3, 10, 0, 0);

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;
let recording: Recording;
const cameras = new Map<string, ScriptedCamera>();

before(
  async () => {
    const clip = await makeNumberedClip({ seconds: SECONDS, frameRate: FRAME_RATE, keyInterval: FRAME_RATE });
    recording = { clip, startsAt: STARTS_AT };
    const kinds: [string, Recording][] = [
      ['plain', recording],
      ['gap', { ...recording, gap: GAP }],
      ['denies', { ...recording, deniesReplay: true }],
      ['silent', { ...recording, saysRange: false }],
    ];
    for (const [name, kind] of kinds) cameras.set(name, await keep(startReplayCamera(kind)));
    pages = await keep(startPageServer());
    const named = [...cameras].flatMap(([name, camera]) => ['--camera', `${name}=${camera.url()}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 120_000 },
);

async function open(name: string, wanted = ''): Promise<TestPage> {
  const path = `/${name}-${Math.random()}`;
  const player = `<rtsp-player src="${name}" recording="${wanted}" autoplay muted controls></rtsp-player>`;
  pages.set(path, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open(`${pages.origin}${path}`);
  await tab.page.evaluate(`window.readFilmFrame = ${readFilmFrame.toString()}`);
  return tab;
}

interface OnScreen {
  /** By its pixels. */
  frame: number;
  /** `currentDate`, milliseconds since 1970. */
  date: number | null;
  position: number;
}

/** What is on screen when a frame has been presented `count` times more. */
function look(page: Page, count = 1): Promise<OnScreen> {
  return page.$eval(
    'rtsp-player',
    async (node, bits, frames) => {
      const player = node as RtspPlayerElement;
      const read = (globalThis as unknown as { readFilmFrame: typeof readFilmFrame }).readFilmFrame;
      for (let index = 0; index < frames; index++) {
        await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
      }
      const date = player.currentDate?.getTime() ?? null;
      return { frame: read(player.video as HTMLVideoElement, bits), date, position: player.currentTime };
    },
    FILM_BITS,
    count,
  );
}

function seekTo(page: Page, utc: number): Promise<void> {
  return page.$eval(
    'rtsp-player',
    async (node, time) => {
      const player = node as RtspPlayerElement;
      const seeked = new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
      player.seekTo(new Date(time));
      await seeked;
    },
    utc,
  );
}

function rangeOf(page: Page): Promise<{ start: number; end: number; duration: number } | null> {
  return page.$eval('rtsp-player', (node) => {
    const { range, duration } = node as RtspPlayerElement;
    return range && { start: range.start.getTime(), end: range.end.getTime(), duration };
  });
}

function assertDated({ frame, date }: OnScreen, kind: Recording): void {
  const error = Math.abs((date ?? 0) - takenAt(kind, frame));
  assert.ok(error <= FRAME_MS + 10, `frame ${frame} is dated ${error} ms off`);
}

test('a recording has its own times, and is sought by them', { timeout: 60_000 }, async () => {
  const { page } = await open('plain');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  assert.deepEqual(await rangeOf(page), {
    start: STARTS_AT,
    end: STARTS_AT + SECONDS * 1_000,
    duration: SECONDS,
  });
  assertDated(await look(page, 10), recording);
  for (const seconds of [20.4, 3, 12.96, 27]) {
    await seekTo(page, STARTS_AT + seconds * 1_000);
    const shown = await look(page, 2);
    assertDated(shown, recording);
    // The recorder goes to the key frame before, of which there is one a second.
    const first = Math.floor(seconds) * FRAME_RATE;
    assert.ok(shown.frame >= first && shown.frame < first + 10, `frame ${shown.frame} after a seek to ${seconds} s`);
  }
  const ranges =
    cameras
      .get('plain')
      ?.connections.at(-1)
      ?.requests.map(({ headers }) => headers.get('Range')) ?? [];
  assert.ok(ranges.includes('clock=20260503T100020.400Z-20260503T100030.000Z'), ranges.join(' '));
});

test('its last frame ends it, and it plays again from the start', { timeout: 60_000 }, async () => {
  const { page } = await open('plain');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  await seekTo(page, STARTS_AT + 28_500);
  assert.equal(await waitForState(page, ['ended', 'error'], 10_000), 'ended');
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  const shown = await look(page, 5);
  assert.ok(shown.frame < 3 * FRAME_RATE, `frame ${shown.frame}`);
});

test('where nothing was recorded the picture goes on behind the gap, and is dated right', {
  timeout: 60_000,
}, async () => {
  const { page } = await open('gap');
  const kind = { ...recording, gap: GAP };
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  assert.equal((await rangeOf(page))?.duration, SECONDS + GAP.milliseconds / 1_000);
  await seekTo(page, takenAt(kind, GAP.beforeFrame - 2 * FRAME_RATE));
  const shown: OnScreen[] = [];
  while ((shown.at(-1)?.frame ?? 0) < GAP.beforeFrame + FRAME_RATE) {
    const next = await look(page);
    shown.push(next);
    assertDated(next, kind);
  }
  const behind = shown.find(({ frame }) => frame >= GAP.beforeFrame);
  assert.ok((behind?.position ?? 0) >= 70, `position ${behind?.position}`);
  assert.ok((behind?.frame ?? 0) < GAP.beforeFrame + 5, `the first one behind the gap is ${behind?.frame}`);
  const holes = await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).buffered.length);
  assert.equal(holes, 2, 'the gap is one in `buffered` as well');
});

test('a recorder that denies its replay is asked without the requirement', { timeout: 60_000 }, async () => {
  const { page } = await open('denies');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  assertDated(await look(page, 5), recording);
  const described =
    cameras
      .get('denies')
      ?.connections.at(-1)
      ?.requests.filter(({ method }) => method === 'DESCRIBE') ?? [];
  assert.deepEqual(described.map(({ headers }) => headers.get('Require')).slice(-2), ['onvif-replay', null]);
});

test('the page says which part it wants', { timeout: 60_000 }, async () => {
  const { page } = await open('silent', '2026-05-03T10:00:05Z/2026-05-03T10:00:08Z');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  assert.equal((await rangeOf(page))?.duration, 3);
  const shown = await look(page, 3);
  assertDated(shown, recording);
  assert.ok(shown.frame >= 5 * FRAME_RATE && shown.frame < 6 * FRAME_RATE, `frame ${shown.frame}`);
  assert.equal(await waitForState(page, ['ended', 'error'], 10_000), 'ended');
});

test('a part that cannot be read is said', { timeout: 60_000 }, async () => {
  const { page } = await open('silent', 'yesterday');
  assert.equal(await waitForState(page, ['playing', 'error']), 'error');
  const message = await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).error?.message);
  assert.match(message ?? '', /"start\/end" in ISO 8601.*"yesterday"/);
});
