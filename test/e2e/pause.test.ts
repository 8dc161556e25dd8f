import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { FILM_BITS, makeNumberedFilm, readFilmFrame } from '../support/numbered-film.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { pictureAgeMs, readChanges, waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { type ScriptedCamera, startScriptedCamera } from '../support/scripted-camera.js';

// A film and a live stream of GStreamer's server, paused for longer than the server keeps a session that says nothing.

const FRAME_RATE = 25;
/** A frame, and the rounding of times on the way. */
const FRAME_S = 1 / FRAME_RATE + 0.002;
const SESSION_TIMEOUT_S = 1;
/** GStreamer keeps a session for 5 s more, and looks once a second. */
const PAUSE_MS = 8_000;
/** Of a live picture. */
const MAX_AGE_MS = 2_000;
const MAX_LIVE_AGAIN_MS = 5_000;

const keep = keeper(after);
let camera: GStreamerCamera;
/** Does not know its session any more when it is to go on. */
let forgetful: ScriptedCamera;
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const film = await keep(makeNumberedFilm({ seconds: 40, frameRate: FRAME_RATE, keyInterval: 25 }));
    camera = await keep(
      startGStreamerCamera({
        mounts: [
          { path: '/film', file: { path: film.path, tracks: ['video', 'audio'] } },
          { path: '/live', video: true, audio: {} },
        ],
        sessionTimeoutSeconds: SESSION_TIMEOUT_S,
      }),
    );
    let plays = 0;
    forgetful = await keep(
      startScriptedCamera({
        on: {
          PLAY: (request, connection) => {
            if (++plays === 2) connection.reply(request, { status: 454 });
            else connection.answer(request);
          },
        },
      }),
    );
    pages = await keep(startPageServer());
    const named = ['film', 'live'].flatMap((name) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    const more = ['--camera', `forgetful=${forgetful.url()}`];
    proxy = await keep(startProxy({ args: [...named, ...more, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

/** Opens a page with both, and pauses them. `left` is what the film shows then. */
async function pauseBoth(): Promise<TestPage & { left: Still }> {
  const player = (name: string) => `<rtsp-player id="${name}" src="${name}" autoplay muted></rtsp-player>`;
  pages.set('/page', htmlPage(player('film') + player('live'), [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open(`${pages.origin}/page`);
  await tab.page.evaluate(`window.readFilmFrame = ${readFilmFrame.toString()}`);
  for (const id of ['film', 'live']) await waitForState(tab.page, ['playing'], 15_000, `#${id}`);
  await waitForFrames(tab.page, 45, 15_000, '#film');
  for (const id of ['film', 'live']) await pause(tab.page, id);
  return { ...tab, left: await readStill(tab.page) };
}

function pause(page: Page, id: string): Promise<void> {
  return page.$eval(`#${id}`, (node) => (node as RtspPlayerElement).pause());
}

interface Still {
  time: number;
  frame: number;
}

/** What stands on the screen of the film. */
function readStill(page: Page): Promise<Still> {
  return page.$eval(
    '#film',
    async (node, bits) => {
      const { currentTime, video } = node as RtspPlayerElement;
      const read = (globalThis as unknown as { readFilmFrame: typeof readFilmFrame }).readFilmFrame;
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      return { time: currentTime, frame: read(video as HTMLVideoElement, bits) };
    },
    FILM_BITS,
  );
}

/** Plays the film, and returns the time of the first frame that is drawn then. */
function playFilm(page: Page): Promise<number> {
  return page.$eval('#film', async (node) => {
    const player = node as RtspPlayerElement;
    const first = new Promise<number>((resolve) => {
      player.requestVideoFrameCallback((_now, { mediaTime }) => resolve(mediaTime));
    });
    await player.play();
    return first;
  });
}

async function assertGoesOnAsFilm(page: Page): Promise<void> {
  await waitForFrames(page, 25, 15_000, '#film');
  await pause(page, 'film');
  const { time, frame } = await readStill(page);
  assert.ok(Math.abs(frame / FRAME_RATE - time) <= FRAME_S, `frame ${frame} at ${time} s`);
}

async function assertLiveAgain(page: Page): Promise<void> {
  await page.$eval('#live', (node) => (node as RtspPlayerElement).play());
  // More than were left to be shown when it was paused.
  await waitForFrames(page, 15, MAX_LIVE_AGAIN_MS, '#live');
  const ageMs = (await pictureAgeMs(page, '#live')) ?? Number.NaN;
  assert.ok(ageMs < MAX_AGE_MS, `the picture is ${ageMs} ms old`);
}

const connections = () => camera.events.filter(({ event }) => event === 'connected').length;

test('the session is kept for longer than its time-out: the film goes on where it was, the camera is live again', {
  timeout: 90_000,
}, async () => {
  const { page, errors, close, left } = await pauseBoth();
  const before = connections();
  await delay(PAUSE_MS);
  assert.deepEqual(await readStill(page), left);
  const first = await playFilm(page);
  assert.ok(Math.abs(first - left.time) < 0.5, `${left.time} → ${first}`);
  await assertLiveAgain(page);
  await assertGoesOnAsFilm(page);
  assert.equal(connections(), before);
  assert.deepEqual(errors, []);
  await close();
});

test('a server that has started anew meanwhile: the film goes on from the key frame, the camera is live again', {
  timeout: 90_000,
}, async () => {
  const { page, errors, close, left } = await pauseBoth();
  await camera.restart();
  const first = await playFilm(page);
  assert.ok(first > left.time - 1 - FRAME_S && first < left.time + 0.5, `${left.time} → ${first}`);
  await assertLiveAgain(page);
  await assertGoesOnAsFilm(page);
  assert.deepEqual(errors, []);
  await close();
});

test('a camera that has forgotten the session meanwhile is live again by another connection', {
  timeout: 60_000,
}, async () => {
  pages.set(
    '/page',
    htmlPage('<rtsp-player src="forgetful" autoplay muted></rtsp-player>', [`${proxy.origin}/rtsp-player.js`]),
  );
  const { page, errors, close } = await browser.open(`${pages.origin}/page`);
  await waitForState(page, ['playing']);
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).pause());
  await forgetful.waitForRequest('PAUSE');
  await page.$eval('rtsp-player', (node) => (node as RtspPlayerElement).play());
  await waitForFrames(page, 25, MAX_LIVE_AGAIN_MS);
  assert.equal(forgetful.connections.length, 2);
  assert.deepEqual(
    (await readChanges(page)).map(({ state }) => state),
    ['connecting', 'playing', 'paused', 'connecting', 'playing'],
  );
  assert.deepEqual(errors, []);
  await close();
});
