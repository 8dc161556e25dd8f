import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import type { listenForTicks, measureOutputDelay } from '../bench/page/tick-listener.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import {
  type GStreamerCamera,
  type LiveAudio,
  type LiveVideo,
  startGStreamerCamera,
} from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// How far the sound is from the picture, by what is in them: the camera ticks once a second, and the picture says its time.

const MAX_OFFSET_MS = 60;
const TICKS = 5;

const telephone = { sampleRate: 8_000, channels: 1 } as const;
/** `delaySamples`: what the encoder puts in front of the sound without saying so. */
const streams: readonly { name: string; video?: LiveVideo; audio: LiveAudio; delaySamples: number }[] = [
  { name: 'aac', audio: {}, delaySamples: 1_024 },
  { name: 'pcmu', audio: { codec: 'pcmu', ...telephone }, delaySamples: 0 },
  { name: 'vp8-opus', video: { codec: 'vp8' }, audio: { codec: 'opus' }, delaySamples: 0 },
  { name: 'vp9-opus', video: { codec: 'vp9' }, audio: { codec: 'opus' }, delaySamples: 0 },
  { name: 'latm', audio: { codec: 'latm' }, delaySamples: 1_024 },
  { name: 'g722', audio: { codec: 'g722', sampleRate: 16_000, channels: 1 }, delaySamples: 0 },
  { name: 'l16', audio: { codec: 'l16' }, delaySamples: 0 },
  { name: 'jpeg-pcmu', video: { codec: 'jpeg' }, audio: { codec: 'pcmu', ...telephone }, delaySamples: 0 },
  { name: 'jpeg-aac', video: { codec: 'jpeg' }, audio: {}, delaySamples: 1_024 },
];

const keep = keeper(after);
let camera: GStreamerCamera;
let proxy: ProxyProcess;
let pages: PageServer;
let browser: TestBrowser;
/** How much later than given to the output sound is heard, ms. */
let outputDelay: number;

before(
  async () => {
    const small = { width: 256, height: 144, bitrate: 300 } as const;
    const mounts = streams.map(({ name, video, audio }) => ({
      path: `/${name}`,
      video: { ...small, ...video },
      audio: { ...audio, wave: 'ticks' as const },
    }));
    camera = await keep(startGStreamerCamera({ mounts }));
    pages = await keep(startPageServer());
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, '../bench/page/tick-listener.ts')],
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'tickListener',
      footer: { js: 'globalThis.tickListener = tickListener;' },
    });
    pages.set('/tick-listener.js', outputFiles[0]?.text ?? '');
    const named = streams.flatMap(({ name }) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
    // On a page where nothing else is played: beside a player, the little clip is at times heard a block later.
    pages.set('/silence', htmlPage('', ['/tick-listener.js']));
    const tab = await browser.open(`${pages.origin}/silence`);
    outputDelay = await tab.page.evaluate(() => tickListener.measureOutputDelay());
    await tab.close();
  },
  { timeout: 60_000 },
);

declare const pictureClock: typeof import('../support/picture-clock.mjs');
declare const tickListener: {
  listenForTicks: typeof listenForTicks;
  measureOutputDelay: typeof measureOutputDelay;
};

/** Wall-clock milliseconds. */
interface Heard {
  /** When each tick was given to the audio output. */
  ticks: number[];
  /** How long after they were made frames came on screen. */
  pictureDelays: number[];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Milliseconds from the picture of a moment to its sound, within half a second either way. */
function offsetOf({ ticks, pictureDelays }: Heard, tickMs: number): number {
  const pictureDelay = median(pictureDelays);
  return median(
    ticks.map((ms) => {
      const behind = (ms + outputDelay - tickMs - pictureDelay) % 1_000;
      return ((behind + 1_500) % 1_000) - 500;
    }),
  );
}

for (const { name, audio, delaySamples } of streams) {
  test(`${name}: the sound is in step with the picture`, { timeout: 90_000 }, async () => {
    const player = `<rtsp-player src="${name}" autoplay></rtsp-player>`;
    pages.set(`/${name}`, htmlPage(player, [`${proxy.origin}/rtsp-player.js`, '/tick-listener.js']));
    const tab = await browser.open(`${pages.origin}/${name}`);
    await waitForState(tab.page, ['playing']);
    await waitForFrames(tab.page, 50);
    const heard = await tab.page.$eval(
      'rtsp-player',
      async (node, wanted) => {
        const player = node as RtspPlayerElement;
        const video = player.video as HTMLVideoElement;
        const ticks: number[] = [];
        const pictureDelays: number[] = [];
        const read = pictureClock.createVideoClockReader();
        const onFrame = (_: number, { presentationTime }: VideoFrameCallbackMetadata) => {
          const made = read(video);
          if (made !== null) pictureDelays.push(performance.timeOrigin + presentationTime - made);
          video.requestVideoFrameCallback(onFrame);
        };
        video.requestVideoFrameCallback(onFrame);
        // Beside pictures that are drawn, the sound has an element of its own.
        const sound = player.shadowRoot?.querySelector<HTMLVideoElement>('[hidden] > video') ?? video;
        await new Promise<void>((resolve) => {
          tickListener.listenForTicks(sound, performance.timeOrigin, (ms) => {
            ticks.push(ms);
            if (ticks.length === wanted) resolve();
          });
        });
        return { ticks, pictureDelays };
      },
      TICKS,
    );
    const start = camera.events.filter((event) => event.event === 'start' && event.path === `/${name}`).at(-1);
    assert.ok(start?.event === 'start');
    // GStreamer's source has its ticks at the end of the block in which they are due, one block early.
    const { sampleRate = 48_000 } = audio;
    const tickMs = start.utcMs + ((delaySamples - 480) / sampleRate) * 1_000;
    const offset = offsetOf(heard, tickMs);
    assert.ok(Math.abs(offset) < MAX_OFFSET_MS, `the sound is ${Math.round(offset)} ms behind the picture`);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
