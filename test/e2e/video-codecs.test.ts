import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Av1Packetizer } from '../../shared/packetizer/av1.js';
import { H265Packetizer } from '../../shared/packetizer/h265.js';
import { readAccessUnits, readTemporalUnits } from '../client/fmp4/encoded-media.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { runProgram } from '../support/child-process.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { readPlayer, waitForFailure, waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { type ScriptedMedia, startScriptedCamera } from '../support/scripted-camera.js';

// AV1 and H.265 from RTP packets → the proxy → the element in Chromium. GStreamer here has no payloader for AV1, so the
// packets are our own.

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;
let folder: string;

before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'rtsp-codecs-'));
    pages = await keep(startPageServer());
    proxy = await keep(startProxy({ args: ['--allow', '127.0.0.1', '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

/** Two seconds of a moving picture, a key frame a second. */
async function encode(name: string, ...options: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await runProgram('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=2', '-pix_fmt', 'yuv420p'],
    ...[...options, path],
  ]);
  return path;
}

function description(encodingName: string): string {
  const media = ['m=video 0 RTP/AVP 96', `a=rtpmap:96 ${encodingName}/90000`, 'a=control:trackID=0'];
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=control:*', ...media, ''].join('\r\n');
}

async function openPlayer(encodingName: string, media: ScriptedMedia) {
  const camera = await keep(startScriptedCamera({ media, sdp: description(encodingName) }));
  const player = `<rtsp-player src="${camera.url()}" autoplay muted controls></rtsp-player>`;
  pages.set(`/${encodingName}`, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  return browser.open(`${pages.origin}/${encodingName}`);
}

test('AV1 plays', { timeout: 60_000 }, async () => {
  const realTime = ['-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8', '-g', '25', '-lag-in-frames', '0'];
  const accessUnits = await readTemporalUnits(await encode('clip.obu', ...realTime));
  const tab = await openPlayer('AV1', { accessUnits, frameRate: 25, Packetizer: Av1Packetizer });
  await waitForState(tab.page, ['playing']);
  const { frames, spanMs } = await waitForFrames(tab.page, 51);
  assert.ok(spanMs < 4_000, `${frames} frames took ${spanMs} ms`);
  const { videoWidth, videoHeight, error } = await readPlayer(tab.page);
  assert.deepEqual({ videoWidth, videoHeight, error }, { videoWidth: 320, videoHeight: 180, error: null });
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('H.265 plays where the browser has it, and is named where it has not', { timeout: 60_000 }, async () => {
  const params = 'log-level=none:aud=1:pools=1:repeat-headers=1:keyint=25:bframes=0';
  const path = await encode('clip.h265', ...['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', params]);
  const accessUnits = await readAccessUnits(path, (nalUnit) => (nalUnit[0] ?? 0) >> 1 === 35);
  const tab = await openPlayer('H265', { accessUnits, frameRate: 25, Packetizer: H265Packetizer });
  const isSupported = await tab.page.evaluate(() => MediaSource.isTypeSupported('video/mp4; codecs="hvc1.1.6.L60.90"'));
  if (isSupported) {
    await waitForState(tab.page, ['playing']);
    await waitForFrames(tab.page, 51);
    assert.equal((await readPlayer(tab.page)).videoWidth, 320);
  } else {
    const { code, message } = await waitForFailure(tab.page, 15_000);
    assert.equal(code, 'codec-unsupported');
    assert.match(message ?? '', /hvc1\.1\.6\.L\d+\./);
  }
  await tab.close();
});
