import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { type GStreamerCamera, type LiveAudio, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { playerSelector, waitForFrames, waitForSound, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// Every kind of sound, from GStreamer's encoder to what leaves the browser.

const sounds: { name: string; audio: LiveAudio; codec: string }[] = [
  { name: 'aac', audio: {}, codec: 'mp4a.40.2' },
  { name: 'pcmu', audio: { codec: 'pcmu', sampleRate: 8_000, channels: 1 }, codec: 'flac' },
  { name: 'pcma', audio: { codec: 'pcma', sampleRate: 8_000, channels: 1 }, codec: 'flac' },
  { name: 'l8', audio: { codec: 'l8', sampleRate: 8_000, channels: 1 }, codec: 'flac' },
  { name: 'l16', audio: { codec: 'l16', sampleRate: 44_100, channels: 2 }, codec: 'flac' },
  { name: 'g722', audio: { codec: 'g722', sampleRate: 16_000, channels: 1, bitrate: 64_000 }, codec: 'flac' },
  { name: 'g726', audio: { codec: 'g726', sampleRate: 8_000, channels: 1, bitrate: 32_000 }, codec: 'flac' },
  { name: 'opus', audio: { codec: 'opus', sampleRate: 48_000, channels: 2 }, codec: 'opus' },
];

const keep = keeper(after);
let camera: GStreamerCamera;
let proxy: ProxyProcess;
let pages: PageServer;
let browser: TestBrowser;

before(
  async () => {
    camera = await keep(
      startGStreamerCamera({ mounts: sounds.map(({ name, audio }) => ({ path: `/${name}`, video: true, audio })) }),
    );
    pages = await keep(startPageServer());
    const cameras = sounds.flatMap(({ name }) => ['--camera', `${name}=${camera.url(`/${name}`)}`]);
    const allowed = ['--allow', `127.0.0.1:${camera.port}`, '--allow-origin', pages.origin];
    proxy = await keep(startProxy({ args: [...cameras, ...allowed] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

/** The strongest frequency of what the player lets be heard, Hz, over the next two thirds of a second and more. */
function heardFrequency(page: Page): Promise<number> {
  return page.$eval(playerSelector, async (node) => {
    const stream = (node as RtspPlayerElement).captureStream();
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 32_768;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(analyser);
    const levels = new Float32Array(analyser.frequencyBinCount);
    const loudest = () => {
      analyser.getFloatFrequencyData(levels);
      return levels.reduce((best, level, index) => (level > (levels[best] ?? 0) ? index : best), 0);
    };
    // The window has to fill; then it is full of the tone.
    const end = context.currentTime + analyser.fftSize / context.sampleRate + 0.3;
    while (context.currentTime < end) await new Promise((resolve) => requestAnimationFrame(resolve));
    const frequency = (loudest() * context.sampleRate) / analyser.fftSize;
    await context.close();
    return frequency;
  });
}

for (const { name, codec } of sounds) {
  test(`${name} is heard beside the picture`, { timeout: 60_000 }, async () => {
    const player = `<rtsp-player src="${name}" autoplay latency="balanced"></rtsp-player>`;
    pages.set('/', htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
    const tab = await browser.open(`${pages.origin}/`);
    await waitForState(tab.page, ['playing']);
    await waitForSound(tab.page);
    const frequency = await heardFrequency(tab.page);
    assert.ok(Math.abs(frequency - 440) < 4.4, `${frequency} Hz`);
    await waitForFrames(tab.page, 50);
    const seen = await tab.page.$eval(playerSelector, (node) => {
      const element = node as RtspPlayerElement;
      const track = element.tracks.find(({ kind }) => kind === 'audio');
      return { codec: track?.codec, state: track?.state, stats: element.getStats() };
    });
    assert.equal(seen.state, 'playing');
    assert.equal(seen.codec, codec);
    // One with sound; a second one only where the picture began before the sound.
    assert.ok((seen.stats?.presentations ?? 99) <= 2, JSON.stringify(seen.stats));
    await tab.close();
  });
}
