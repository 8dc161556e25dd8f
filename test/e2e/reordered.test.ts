import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { h264Clip } from '../support/h264-clip.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { pictureAgeMs, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { startScriptedCamera } from '../support/scripted-camera.js';

// Streams whose frames are not sent in the order in which they are shown, or not at an even pace, in Chromium.

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
    const allowed = ['--allow', '127.0.0.1', '--allow-origin', pages.origin];
    proxy = await keep(startProxy({ args: [...cameras, ...allowed] }));
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

const UNEVEN_FRAMES = 48;
const SHORTEST_MS = 20;
const LONGEST_MS = 3_000;

/** Times of frames, milliseconds: as many short intervals as long ones, in an order without rule that is the same in each run. */
function unevenTimes(): number[] {
  let state = 3;
  let time = 0;
  return Array.from({ length: UNEVEN_FRAMES }, () => {
    const now = time;
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    time += Math.round(SHORTEST_MS * (LONGEST_MS / SHORTEST_MS) ** (state / 2 ** 32));
    return now;
  });
}

interface Played {
  decoded: number;
  /** Frames that the player gave up. */
  givenUp: number;
  /** Times that it failed or had to reconnect. */
  errors: number;
}

test('intervals of 20 ms to 3 s at random: no frame is lost, whatever the latency', { timeout: 120_000 }, async () => {
  const clip = await h264Clip();
  const times = unevenTimes();
  const camera = await keep(
    startScriptedCamera({
      on: {
        PLAY(request, connection) {
          connection.reply(request, { headers: { Range: 'npt=now-' } });
          const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 7, sequenceNumber: 1 });
          for (const [index, time] of times.entries()) {
            setTimeout(() => {
              const nalUnits = clip.accessUnits[index % clip.accessUnits.length] ?? [];
              const packets = packetizer.packetize([...nalUnits], 90 * time);
              for (const packet of packets) connection.send(serializeInterleaved(0, packet));
            }, time);
          }
        },
      },
    }),
  );
  const players = ['low', 'balanced', 'smooth'].map(
    (latency) =>
      `<rtsp-player src="${camera.url()}" latency="${latency}" autoplay muted style="width: 200px"></rtsp-player>`,
  );
  pages.set('/uneven', htmlPage(players.join(''), [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open(`${pages.origin}/uneven`);
  const played = await tab.page.$$eval(
    'rtsp-player',
    (nodes, wanted, timeoutMs) =>
      Promise.all(
        nodes.map((node) => {
          const player = node as RtspPlayerElement;
          let errors = 0;
          player.addEventListener('statechange', () => {
            if (player.error !== null) errors++;
          });
          return new Promise<Played>((resolve) => {
            const look = () => {
              const { totalVideoFrames } = player.getVideoPlaybackQuality();
              if (totalVideoFrames < wanted && performance.now() < timeoutMs) {
                requestAnimationFrame(look);
                return;
              }
              resolve({ decoded: totalVideoFrames, givenUp: player.getStats()?.video?.framesDropped ?? -1, errors });
            };
            look();
          });
        }),
      ),
    UNEVEN_FRAMES,
    (times.at(-1) ?? 0) + 15_000,
  );
  // Each one went through Media Source and the decoder. Whether each is drawn is Chromium's choice: of some that follow within a
  // few refreshes of the screen it draws the last.
  const all = { decoded: UNEVEN_FRAMES, givenUp: 0, errors: 0 };
  assert.deepEqual(played, [all, all, all]);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});
