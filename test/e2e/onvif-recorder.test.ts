import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { makeNumberedFilm } from '../support/numbered-film.js';
import { type OnvifRecorder, startOnvifRecorder } from '../support/onvif-recorder.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { look, type OnScreen, paceOf, prepareFilmPage, seekTo, setRate, watch } from '../support/recorder-page.js';

// GStreamer's ONVIF server with a file → the proxy → the element: what is on screen is read from its pixels. Nothing is sought
// at the very time of a key frame: release 1.22 of the server answers that with 503.

const FRAME_RATE = 25;
const FRAME_MS = 1_000 / FRAME_RATE;
/** Three times as fast, a busy machine draws a picture after the one that it tells of: a tenth of a second. */
const WINDING_MS = 300;
const SECONDS = 30;
const STARTS_AT = Date.UTC(2026, 4, 3, 10, 0, 0);

const keep = keeper(after);
let recorder: OnvifRecorder;
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const film = await keep(makeNumberedFilm({ seconds: SECONDS, frameRate: FRAME_RATE, keyInterval: FRAME_RATE }));
    recorder = await keep(startOnvifRecorder(film.path, STARTS_AT));
    pages = await keep(startPageServer());
    proxy = await keep(
      startProxy({
        args: [
          ...['--camera', `recorder=${recorder.url()}`, '--camera', `sound=${recorder.url('/sound')}`],
          ...['--allow-origin', pages.origin],
        ],
      }),
    );
    browser = await keep(startBrowser());
  },
  { timeout: 120_000 },
);

async function open(src = 'recorder'): Promise<TestPage> {
  const path = `/recorder-${Math.random()}`;
  const recording = new Date(STARTS_AT).toISOString();
  const player = `<rtsp-player src="${src}" recording="${recording}" autoplay muted controls></rtsp-player>`;
  pages.set(path, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open(`${pages.origin}${path}`);
  await prepareFilmPage(tab.page);
  assert.equal(await waitForState(tab.page, ['playing', 'error']), 'playing');
  return tab;
}

function assertDated({ frame, date }: OnScreen, tolerance = FRAME_MS): void {
  const error = Math.abs((date ?? 0) - (STARTS_AT + frame * FRAME_MS));
  assert.ok(error <= tolerance + 10, `frame ${frame} is dated ${error} ms off`);
}

test('a real recorder: plays, and seeks to times of the day', { timeout: 60_000 }, async () => {
  const { page } = await open();
  assertDated(await look(page, 5));
  const stats = await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).getStats());
  assert.deepEqual([stats?.dateSource, stats?.dateUncertainty], ['replay-extension', 0]);
  for (const seconds of [20.4, 3.2, 12.96, 26.2]) {
    await seekTo(page, STARTS_AT + seconds * 1_000);
    const shown = await look(page, 2);
    assertDated(shown);
    const first = Math.floor(seconds) * FRAME_RATE;
    assert.ok(shown.frame >= first && shown.frame < first + 10, `frame ${shown.frame} after a seek to ${seconds} s`);
  }
  assert.equal(await waitForState(page, ['ended', 'error'], 10_000), 'ended');
});

test('a real recorder: plays backwards to the start, and forwards again', { timeout: 60_000 }, async () => {
  const { page } = await open();
  await seekTo(page, STARTS_AT + 14_500);
  assert.equal(await setRate(page, -2), -2);
  const shown = await watch(page, () => false);
  for (const [index, picture] of shown.entries()) {
    assertDated(picture);
    assert.equal(picture.frame % FRAME_RATE, 0, 'key frames alone');
    const before = shown[index - 1];
    if (before !== undefined) assert.ok(picture.frame <= before.frame && picture.position < before.position);
  }
  const seen = [...new Set(shown.map(({ frame }) => frame / FRAME_RATE))];
  assert.deepEqual(
    seen,
    Array.from({ length: seen.length }, (_, index) => seen.length - 1 - index),
    'every one',
  );
  assert.ok(seen.length >= 14, `${seen.length} pictures`);
  assert.ok(Math.abs(paceOf(shown) + 2) < 0.5, `pace ${paceOf(shown)}`);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  const again = await look(page, 5);
  assertDated(again);
  assert.ok(again.frame < 2 * FRAME_RATE, `frame ${again.frame}`);
});

test('a real recorder: turns round and round', { timeout: 60_000 }, async () => {
  const { page } = await open();
  await seekTo(page, STARTS_AT + 15_400);
  for (const rate of [-1, 1, -4, 1]) {
    assert.equal(await setRate(page, rate), rate);
    const from = await look(page);
    const shown = await watch(page, ({ position }) => Math.abs(position - from.position) > 2);
    for (const picture of shown) assertDated(picture);
    assert.ok(Math.abs((shown[0]?.position ?? 0) - from.position) < 1, 'it goes on where it was');
  }
});

test('a real recorder: winds, by every frame and by few', { timeout: 60_000 }, async () => {
  const { page } = await open();
  await seekTo(page, STARTS_AT + 400);
  assert.equal(await setRate(page, 3), 3);
  const fast = await watch(page, ({ frame }) => frame > 18 * FRAME_RATE);
  for (const picture of fast) assertDated(picture, WINDING_MS);
  assert.ok(Math.abs(paceOf(fast) - 3) < 0.6, `pace ${paceOf(fast)}`);
  assert.ok(fast.some(({ frame }) => frame % FRAME_RATE > 0));
  await seekTo(page, STARTS_AT + 400);
  assert.equal(await setRate(page, 12), 12);
  const faster = await watch(page, ({ frame }) => frame > 24 * FRAME_RATE);
  for (const picture of faster) assert.equal(picture.frame % FRAME_RATE, 0, `frame ${picture.frame}`);
});

test('a real recorder: goes on where it was paused', { timeout: 60_000 }, async () => {
  const { page } = await open();
  await seekTo(page, STARTS_AT + 6_400);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
  const held = await look(page, 0);
  // The server goes on in silence meanwhile.
  await delay(2_000);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  const shown = await watch(page, ({ frame }) => frame > held.frame + 2 * FRAME_RATE);
  for (const picture of shown) assertDated(picture);
  const steps = shown.map(({ frame }, index) => frame - (shown[index - 1]?.frame ?? held.frame));
  assert.ok(Math.min(...steps) >= 0 && Math.max(...steps) < FRAME_RATE / 2, `steps of ${steps} frames`);
});

test('a real recorder with sound: plays, seeks, is paused, and turns', { timeout: 60_000 }, async () => {
  const { page } = await open('sound');
  const sound = () =>
    page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).getStats()?.audio?.framesReceived ?? 0);
  assertDated(await look(page, 5));
  assert.ok((await sound()) > 0, 'there is sound');
  await seekTo(page, STARTS_AT + 14_500);
  assertDated(await look(page, 5));
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  assertDated(await look(page, 5));
  for (const rate of [-1, 1, 3]) {
    assert.equal(await setRate(page, rate), rate);
    const from = await look(page);
    const shown = await watch(page, ({ position }) => Math.abs(position - from.position) > 2);
    for (const picture of shown) assertDated(picture, Math.abs(rate) > 1 ? WINDING_MS : FRAME_MS);
  }
});
