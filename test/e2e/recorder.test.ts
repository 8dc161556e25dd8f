import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { parseRange } from '../../client/rtsp/headers.js';
import type { RtspRequest } from '../../shared/rtsp-message.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { makeNumberedClip } from '../support/numbered-film.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { look, type OnScreen, paceOf, prepareFilmPage, seekTo, setRate, watch } from '../support/recorder-page.js';
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
      ['paced', { ...recording, keepsPace: true, isSilentOnScale: true }],
      ['forwards', { ...recording, onlyForwards: true }],
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
  await prepareFilmPage(tab.page);
  return tab;
}

function rangeOf(page: Page): Promise<{ start: number; end: number; duration: number } | null> {
  return page.$eval('rtsp-player', (node) => {
    const { range, duration } = node as RtspPlayerElement;
    return range && { start: range.start.getTime(), end: range.end.getTime(), duration };
  });
}

function assertDated({ frame, date }: OnScreen, kind: Recording, tolerance = FRAME_MS): void {
  const error = Math.abs((date ?? 0) - takenAt(kind, frame));
  assert.ok(error <= tolerance + 10, `frame ${frame} is dated ${error} ms off`);
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

function requestsOf(name: string): RtspRequest[] {
  return [...(cameras.get(name)?.connections.at(-1)?.requests ?? [])];
}

for (const name of ['plain', 'paced', 'gap']) {
  test(`${name}: plays backwards to the start, and forwards again from there`, { timeout: 90_000 }, async () => {
    const kind = name === 'gap' ? { ...recording, gap: GAP } : recording;
    const { page } = await open(name);
    assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
    await seekTo(page, takenAt(kind, 13 * FRAME_RATE));
    assert.equal(await setRate(page, -2), -2);
    const shown = await watch(page, () => false);
    assert.ok(shown.length >= 10, `${shown.length} frames`);
    for (const [index, picture] of shown.entries()) {
      assertDated(picture, kind);
      assert.equal(picture.frame % FRAME_RATE, 0, 'key frames alone');
      const before = shown[index - 1];
      if (before !== undefined) assert.ok(picture.frame <= before.frame && picture.position < before.position);
      assert.ok(Math.abs(STARTS_AT + 1_000 * picture.position - (picture.date ?? 0)) < 1_100, `${picture.position}`);
    }
    assert.ok((shown.at(-1)?.frame ?? 99) === 0, `the last one was ${shown.at(-1)?.frame}`);
    if (name !== 'gap') assert.ok(Math.abs(paceOf(shown) + 2) < 0.5, `pace ${paceOf(shown)}`);
    const end = await page.$eval('rtsp-player', (node) => {
      const { ended, state, currentTime } = node as RtspPlayerElement;
      return { ended, state, currentTime };
    });
    assert.deepEqual(end, { ended: true, state: 'ended', currentTime: 0 });
    await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
    const again = await look(page, 5);
    assertDated(again, kind);
    assert.ok(again.frame < 2 * FRAME_RATE, `frame ${again.frame}`);
    assert.equal(await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).playbackRate), 1);
  });
}

test('backwards it is asked for piece by piece, without rate control', { timeout: 60_000 }, async () => {
  const { page } = await open('plain');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  await seekTo(page, STARTS_AT + 20_000);
  const before = requestsOf('plain').length;
  await setRate(page, -1);
  await watch(page, ({ frame }) => frame <= 13 * FRAME_RATE);
  const asked = requestsOf('plain')
    .slice(before)
    .filter(({ method }) => method === 'PLAY');
  assert.ok(asked.length >= 2, `${asked.length} requests`);
  for (const { headers } of asked) {
    const [scale, control, frames, immediate] = ['Scale', 'Rate-Control', 'Frames', 'Immediate'].map((name) =>
      headers.get(name),
    );
    assert.deepEqual(
      { scale, control, frames, immediate },
      {
        scale: '-1.0',
        control: 'no',
        frames: 'intra',
        immediate: 'yes',
      },
    );
    const range = parseRange(headers.get('Range') ?? '');
    assert.ok(range?.unit === 'clock' && range.start !== null && range.end !== null);
    assert.equal(range.start - range.end, 5_000);
  }
  // Forwards again, from where it was.
  assert.equal(await setRate(page, 1), 1);
  const shown = await watch(page, ({ frame }) => frame > 15 * FRAME_RATE);
  for (const picture of shown) assertDated(picture, recording);
  assert.ok((shown[0]?.frame ?? 0) <= 13.5 * FRAME_RATE, `frame ${shown[0]?.frame}`);
  assert.ok(new Set(shown.map(({ frame }) => frame)).size > 30, 'every frame again');
});

test('it winds: every frame while the browser can, then fewer and fewer key frames', { timeout: 60_000 }, async () => {
  const { page } = await open('plain');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  await seekTo(page, STARTS_AT);
  assert.equal(await setRate(page, 4), 4);
  const fast = await watch(page, ({ frame }) => frame > 18 * FRAME_RATE);
  for (const picture of fast) assertDated(picture, recording, 4 * FRAME_MS);
  assert.ok(Math.abs(paceOf(fast) - 4) < 0.8, `pace ${paceOf(fast)}`);
  assert.ok(
    fast.some(({ frame }) => frame % FRAME_RATE > 0),
    'more than key frames',
  );
  await seekTo(page, STARTS_AT);
  assert.equal(await setRate(page, 16), 16);
  const faster = await watch(page, ({ frame }) => frame > 24 * FRAME_RATE);
  for (const picture of faster) assert.equal(picture.frame % (2 * FRAME_RATE), 0, `frame ${picture.frame}`);
  assert.deepEqual(
    requestsOf('plain')
      .filter(({ headers }) => headers.get('Rate-Control') === 'no')
      .map(({ headers }) => headers.get('Frames'))
      .filter((frames, index, all) => frames !== all[index - 1]),
    [null, 'intra/2000'],
  );
  assert.equal(await setRate(page, 1), 1);
});

test('a recorder that goes forwards only is played so, and the page is told', { timeout: 60_000 }, async () => {
  const { page } = await open('forwards');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  await seekTo(page, STARTS_AT + 10_000);
  assert.equal(await setRate(page, -1), 1);
  const shown = await watch(page, ({ frame }) => frame > 12 * FRAME_RATE);
  for (const picture of shown) assertDated(picture, recording);
  assert.ok((shown[0]?.frame ?? 0) >= 10 * FRAME_RATE, `frame ${shown[0]?.frame}`);
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
