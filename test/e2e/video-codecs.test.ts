import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { Av1Packetizer } from '../../shared/packetizer/av1.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
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
function encode(name: string, ...options: readonly string[]): Promise<string> {
  return encodeAt('320x180', name, ...options);
}

async function encodeAt(size: string, name: string, ...options: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await runProgram('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=2`, '-pix_fmt', 'yuv420p'],
    ...[...options, path],
  ]);
  return path;
}

function description(encodingName: string): string {
  const media = ['m=video 0 RTP/AVP 96', `a=rtpmap:96 ${encodingName}/90000`, 'a=control:trackID=0'];
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=control:*', ...media, ''].join('\r\n');
}

async function openPlayer(encodingName: string, media: ScriptedMedia) {
  const camera = await keep(startScriptedCamera({ media, sdp: description(encodingName.replace(/-.*/, '')) }));
  const player = `<rtsp-player src="${camera.url()}" autoplay muted controls></rtsp-player>`;
  pages.set(`/${encodingName}`, htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  return browser.open(`${pages.origin}/${encodingName}`);
}

const realTime = ['-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8', '-g', '25', '-lag-in-frames', '0'];

test('AV1 plays', { timeout: 60_000 }, async () => {
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

/** Two seconds of one size and profile, and two of another. */
const changing = [
  {
    encodingName: 'H264',
    Packetizer: H264Packetizer,
    async read(size: string, index: number) {
      const profile = ['-profile:v', index === 0 ? 'baseline' : 'high', '-preset', 'ultrafast', '-tune', 'zerolatency'];
      const options = ['-c:v', 'libx264', ...profile, '-g', '25', '-bsf:v', 'h264_metadata=aud=insert'];
      const path = await encodeAt(size, `${size}.h264`, ...options);
      return readAccessUnits(path, (nalUnit) => ((nalUnit[0] ?? 0) & 0x1f) === 9);
    },
  },
  {
    encodingName: 'AV1',
    Packetizer: Av1Packetizer,
    read: async (size: string) => readTemporalUnits(await encodeAt(size, `${size}.obu`, ...realTime)),
  },
];

for (const { encodingName, Packetizer, read } of changing) {
  test(`${encodingName}: another size and profile in mid-stream, and back`, { timeout: 60_000 }, async () => {
    const parts = await Promise.all(['320x180', '640x480'].map(read));
    const tab = await openPlayer(`${encodingName}-of-two-sizes`, {
      accessUnits: parts.flat(),
      frameRate: 25,
      Packetizer,
    });
    await waitForState(tab.page, ['playing']);
    const seen = await tab.page.$eval('rtsp-player', (node) => {
      const player = node as RtspPlayerElement;
      const states: string[] = [];
      const sizes: string[] = [];
      player.addEventListener('statechange', () => states.push(player.state));
      return new Promise<{ states: string[]; sizes: string[]; dropped: number | undefined }>((resolve) => {
        player.addEventListener('resize', () => {
          sizes.push(`${player.videoWidth}x${player.videoHeight}`);
          // The whole loop: two seconds of each.
          if (sizes.length === 3) resolve({ states, sizes, dropped: player.getStats()?.video?.framesDropped });
        });
      });
    });
    const first = seen.sizes[0];
    const other = first === '320x180' ? '640x480' : '320x180';
    assert.deepEqual(seen, { states: [], sizes: [first, other, first], dropped: 0 });
    await waitForFrames(tab.page, 25);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
