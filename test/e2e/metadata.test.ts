import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { FILM_BITS, makeNumberedClip, readFilmFrame } from '../support/numbered-film.js';
import { type PageServer, startPageServer } from '../support/page-server.js';
import { waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { clipDescription, type ScriptedCamera, startScriptedCamera } from '../support/scripted-camera.js';

// A camera that says of each frame where in it something moves, and the example page that draws it.

const SECONDS = 20;
const FRAME_RATE = 25;
const TICKS_PER_FRAME = 90_000 / FRAME_RATE;
const METADATA_CHANNEL = 6;
/** Documents come this many frames after those they belong to: analytics take their time. */
const DELAY_FRAMES = 2;

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;
let camera: ScriptedCamera;

before(
  async () => {
    camera = await startCamera();
    pages = await keep(startPageServer());
    proxy = await keep(startProxy({ args: ['--camera', `front=${camera.url()}`, '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 120_000 },
);

/** Frames that say their number, and documents that name the frame they belong to; every other one packed. */
async function startCamera(): Promise<ScriptedCamera> {
  const clip = await makeNumberedClip({ seconds: SECONDS, frameRate: FRAME_RATE, keyInterval: FRAME_RATE });
  const sdp = [
    clipDescription(clip).trimEnd(),
    'm=application 0 RTP/AVP 107',
    'a=rtpmap:107 vnd.onvif.metadata/90000',
    'a=control:trackID=1',
    '',
  ].join('\r\n');
  let frame = 0;
  let sequence = 0;
  return keep(
    startScriptedCamera({
      sdp,
      media: { ...clip, Packetizer: H264Packetizer },
      on: {
        SETUP: (request, connection) => {
          if (request.url.includes('trackID=0')) connection.answer(request);
          else {
            const transport = `RTP/AVP/TCP;unicast;interleaved=${METADATA_CHANNEL}-${METADATA_CHANNEL + 1}`;
            connection.reply(request, { headers: { Transport: transport } });
          }
        },
        PLAY: (request, connection) => {
          const info = ['0', '1'].map((track) => `url=${request.url.replace(/\/$/, '')}/trackID=${track};rtptime=0`);
          connection.reply(request, { headers: { 'RTP-Info': info.join(',') } });
          connection.startMedia();
          const timer = setInterval(() => {
            if (connection.socket.destroyed) clearInterval(timer);
            const number = frame++ - DELAY_FRAMES;
            if (number < 0) return;
            const xml = Buffer.from(documentOf(number % clip.accessUnits.length));
            const payload = number % 2 === 0 ? xml : gzipSync(xml);
            for (const packet of packetsOf(payload, number * TICKS_PER_FRAME)) {
              connection.send(serializeInterleaved(METADATA_CHANNEL, packet));
            }
          }, 1_000 / FRAME_RATE);
        },
      },
    }),
  );

  /** Two packets each, so that the marker has something to say. */
  function packetsOf(payload: Uint8Array, timestamp: number): Uint8Array[] {
    const half = payload.length >> 1;
    return [payload.subarray(0, half), payload.subarray(half)].map((part, index) => {
      const packet = Buffer.alloc(12 + part.length);
      packet.writeUInt16BE(0x8000 | (index === 1 ? 0x80 : 0) | 107, 0);
      packet.writeUInt16BE(sequence++ & 0xffff, 2);
      packet.writeUInt32BE(timestamp, 4);
      packet.writeUInt32BE(77, 8);
      packet.set(part, 12);
      return packet;
    });
  }
}

function documentOf(frame: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"><tt:VideoAnalytics><tt:Frame UtcTime="2026-01-01T00:00:00Z">
<tt:Object ObjectId="${frame}"><tt:Appearance><tt:Shape><tt:BoundingBox left="-0.5" top="0.5" right="0.5" bottom="-0.5"/></tt:Shape>
<tt:Class><tt:Type Likelihood="0.9">Human</tt:Type></tt:Class></tt:Appearance></tt:Object>
</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>`;
}

/** The example's page and script as they are, but for the address of the proxy. */
async function openExample(attributes = ''): ReturnType<TestBrowser['open']> {
  const folder = join(import.meta.dirname, '../../client/examples');
  const [html, script] = await Promise.all(
    ['object-boxes.html', 'object-boxes.mjs'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  const page = html
    ?.replace('https://cameras.example:8080', proxy.origin)
    .replace('<rtsp-player', `<rtsp-player ${attributes}`);
  pages.set('/example.html', page ?? '');
  pages.set('/object-boxes.mjs', script ?? '');
  const tab = await browser.open(`${pages.origin}/example.html`);
  await tab.page.evaluate(`window.readFilmFrame = ${readFilmFrame.toString()}`);
  return tab;
}

test('each document is told when its frame is on screen', { timeout: 60_000 }, async () => {
  const { page } = await openExample('latency="400"');
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  const told = await page.$eval(
    'rtsp-player',
    (node, bits) => {
      const player = node as RtspPlayerElement;
      const read = (globalThis as unknown as { readFilmFrame: typeof readFilmFrame }).readFilmFrame;
      const pairs: { said: number; shown: number; time: number }[] = [];
      return new Promise<typeof pairs>((resolve) => {
        player.addEventListener('metadata', ({ detail }) => {
          const said = Number(detail.frames[0]?.objects[0]?.id);
          // While the picture finds its place behind the camera, some frames are not shown at all.
          if (said < 25) return;
          pairs.push({ said, shown: read(player.video as HTMLVideoElement, bits), time: detail.time });
          if (pairs.length === 100) resolve(pairs);
        });
      });
    },
    FILM_BITS,
  );
  const numbers = told.map(({ said }) => said);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => (numbers[0] ?? Number.NaN) + index),
    'all of them, in order',
  );
  const early = told.filter(({ said, shown }) => shown < said);
  assert.deepEqual(early, [], 'never before its frame');
  // With the next one where the browser leaves a frame out, which a busy machine makes it do.
  const late = told.filter(({ said, shown }) => shown > said + 1);
  assert.ok(late.length <= 5, JSON.stringify(late));
  for (const { said, time } of told) assert.ok(Math.abs(time * FRAME_RATE - said) < 0.5, `${said} at ${time} s`);
});

test('the example draws a box around what was seen', { timeout: 60_000 }, async () => {
  const { page } = await openExample();
  assert.equal(await waitForState(page, ['playing', 'error']), 'playing');
  const drawn = await page.$eval('rtsp-player', (node) => {
    const player = node as RtspPlayerElement;
    const canvas = player.querySelector('canvas') as HTMLCanvasElement;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    return new Promise<{ left: number; right: number; picture: number; width: number; middle: number }>((resolve) => {
      player.addEventListener('metadata', () => {
        const { width, height } = canvas;
        const { data } = context.getImageData(0, Math.round(height / 2), width, 1);
        const drawnAt = Array.from({ length: width }, (_, x) => x).filter((x) => (data[4 * x + 3] ?? 0) > 0);
        const picture = Math.min(width, (height * player.videoWidth) / player.videoHeight);
        const middle = data[4 * Math.round(width / 2) + 3] ?? 0;
        resolve({ left: drawnAt[0] ?? 0, right: drawnAt.at(-1) ?? 0, picture, width, middle });
      });
    });
  });
  // The box takes the middle half of the picture.
  assert.ok(Math.abs(drawn.left - (drawn.width / 2 - drawn.picture / 4)) <= 2, JSON.stringify(drawn));
  assert.ok(Math.abs(drawn.right - (drawn.width / 2 + drawn.picture / 4)) <= 2, JSON.stringify(drawn));
  assert.equal(drawn.middle, 0);
});

test('without being asked for, metadata are not set up', { timeout: 60_000 }, async () => {
  const before = camera.connections.length;
  const { page } = await openExample();
  await page.$eval('rtsp-player', (node) => node.removeAttribute('tracks'));
  await camera.waitForRequest('PLAY', before + 2);
  const setUps = camera.connections.at(-1)?.requests.filter(({ method }) => method === 'SETUP') ?? [];
  assert.deepEqual(
    setUps.map(({ url }) => url.slice(-1)),
    ['0'],
  );
  const states = await page.$eval('rtsp-player', (node) =>
    (node as RtspPlayerElement).tracks.map(({ kind, encodingName, state }) => `${kind} ${encodingName} ${state}`),
  );
  assert.equal(states[1], 'application VND.ONVIF.METADATA absent');
});
