import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { type LiveAudio, type LiveVideo, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import {
  pictureAgeMs,
  readPlayer,
  toneFrequency,
  waitForFrames,
  waitForSound,
  waitForState,
} from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// Every codec that Chromium plays: GStreamer's server → the proxy → the element; the picture moves, the tone is the camera's.

const TONE_HZ = 440;

const cameras: readonly { name: string; video?: LiveVideo; audio?: LiveAudio }[] = [
  { name: 'jpeg', video: { codec: 'jpeg' } },
  { name: 'vp8', video: { codec: 'vp8' } },
  { name: 'vp9', video: { codec: 'vp9' } },
  { name: 'vp8-opus', video: { codec: 'vp8' }, audio: { codec: 'opus' } },
  { name: 'vp9-opus-mono', video: { codec: 'vp9' }, audio: { codec: 'opus', channels: 1 } },
  { name: 'h264-opus', video: {}, audio: { codec: 'opus' } },
  { name: 'h264-latm', video: {}, audio: { codec: 'latm' } },
  { name: 'h264-latm-mono', video: {}, audio: { codec: 'latm', sampleRate: 16_000, channels: 1, bitrate: 32_000 } },
  { name: 'h264-aac-mono', video: {}, audio: { sampleRate: 16_000, channels: 1, bitrate: 32_000 } },
  { name: 'h264-he-aac', video: {}, audio: { codec: 'he-aac', sampleRate: 24_000, channels: 2 } },
  { name: 'h264-mp3', video: {}, audio: { codec: 'mp3', bitrate: 128_000 } },
  { name: 'h264-mp3-mono', video: {}, audio: { codec: 'mp3', sampleRate: 16_000, channels: 1, bitrate: 32_000 } },
  { name: 'opus', audio: { codec: 'opus' } },
  { name: 'mp3', audio: { codec: 'mp3', bitrate: 128_000 } },
];

const jpegSound = {
  name: 'jpeg-pcmu',
  video: { codec: 'jpeg' },
  audio: { codec: 'pcmu', sampleRate: 8_000, channels: 1 },
} as const;

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    const mounts = [...cameras, jpegSound].map(({ name, ...tracks }) => ({ path: `/${name}`, ...tracks }));
    const camera = await keep(startGStreamerCamera({ mounts }));
    pages = await keep(startPageServer());
    const named = [...cameras, jpegSound].flatMap(({ name }) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

test('plays JPEG with sound, which has an element of its own', { timeout: 60_000 }, async () => {
  pages.set(
    '/jpeg-pcmu',
    htmlPage('<rtsp-player src="jpeg-pcmu" autoplay muted></rtsp-player>', [`${proxy.origin}/rtsp-player.js`]),
  );
  const tab = await browser.open(`${pages.origin}/jpeg-pcmu`);
  await waitForState(tab.page, ['playing']);
  const decoded = await tab.page.$eval('rtsp-player', async (element) => {
    const sounds = () =>
      [...(element.shadowRoot?.querySelectorAll('[hidden] > video') ?? [])] as (HTMLVideoElement & {
        webkitAudioDecodedByteCount: number;
      })[];
    const before = sounds().reduce((sum, video) => sum + video.webkitAudioDecodedByteCount, 0);
    element.muted = false;
    while (!sounds().some((video) => video.webkitAudioDecodedByteCount > 0 && video.currentTime > 1)) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    return { before, muted: sounds()[0]?.muted };
  });
  assert.deepEqual(decoded, { before: 0, muted: false });
  await waitForFrames(tab.page, 26);
  assert.equal((await readPlayer(tab.page)).error, null);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

for (const { name, video, audio } of cameras) {
  test(`plays ${name}`, { timeout: 60_000 }, async () => {
    const player = `<rtsp-player src="${name}" autoplay ${video === undefined ? '' : 'muted'}></rtsp-player>`;
    pages.set(`/${name}`, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
    const tab = await browser.open(`${pages.origin}/${name}`);
    await waitForState(tab.page, ['playing']);
    if (video !== undefined) {
      await waitForFrames(tab.page, 26);
      const { videoWidth, videoHeight } = await readPlayer(tab.page);
      assert.deepEqual([videoWidth, videoHeight], [640, 360]);
      const ageMs = await pictureAgeMs(tab.page);
      assert.ok(ageMs !== null && ageMs > 0 && ageMs < 2_000, `the picture is ${ageMs} ms old`);
    }
    if (audio !== undefined) {
      await tab.page.$eval('rtsp-player', (element) => {
        element.muted = false;
      });
      await waitForSound(tab.page);
      if (video !== undefined) await waitForFrames(tab.page, 26);
      const frequency = await toneFrequency(tab.page);
      assert.ok(Math.abs(frequency - TONE_HZ) < 0.01 * TONE_HZ, `the tone has ${frequency} Hz`);
    }
    assert.equal((await readPlayer(tab.page)).error, null);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
