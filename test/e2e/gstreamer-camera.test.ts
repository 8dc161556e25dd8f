import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { makeCertificate } from '../support/certificate.js';
import { runProgram } from '../support/child-process.js';
import { type CameraOptions, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { frameHashes, makeMediaFile } from '../support/media-file.js';
import { clockArea, readPictureClock } from '../support/picture-clock.mjs';

// The judges are judged: what FFmpeg makes of the camera that the other tests rely on.

const keep = keeper(after);
const start = (options?: CameraOptions) => keep(startGStreamerCamera(options));

async function probe(url: string, ...extra: string[]): Promise<{ streams: Record<string, unknown>[] }> {
  const flags = ['-v', 'error', '-rtsp_transport', 'tcp', '-analyzeduration', '1000000', ...extra];
  const entries = ['-show_entries', 'stream=codec_name,width,height,sample_rate,channels', '-of', 'json'];
  return JSON.parse(await runProgram('ffprobe', [...flags, ...entries, url], 20_000));
}

const video = { codec_name: 'h264', width: 640, height: 360 };
const audio = { codec_name: 'aac', sample_rate: '48000', channels: 2 };

test('serves video, audio, and both, to one viewer each or shared', { timeout: 60_000 }, async () => {
  const camera = await start({
    mounts: [
      { path: '/video', video: true },
      { path: '/audio', audio: true },
      { path: '/both', video: true, audio: true },
      { path: '/shared', video: true, audio: true, shared: true },
      { path: '/silent', video: true, audio: { gap: { fromMs: 0, forMs: null } } },
    ],
  });
  assert.deepEqual((await probe(camera.url('/video'))).streams, [video]);
  assert.deepEqual((await probe(camera.url('/audio'))).streams, [audio]);
  for (const path of ['/both', '/shared']) {
    assert.deepEqual((await probe(camera.url(path))).streams, [video, audio], path);
  }
  const { streams } = await probe(camera.url('/silent'));
  assert.deepEqual(streams[0], video);
  assert.equal(streams.length, 2);
  assert.equal(camera.events.filter((event) => event.event === 'media').length, 5);
});

for (const scheme of ['basic', 'digest'] as const) {
  test(`asks for ${scheme} authentication`, { timeout: 30_000 }, async () => {
    const camera = await start({ users: { scheme, username: 'viewer', password: 'p@ss/w:rd' } });
    assert.deepEqual((await probe(camera.url('/live', 'with-credentials'))).streams, [video]);
    await assert.rejects(probe(camera.url()), /401 Unauthorized/);
    await assert.rejects(probe(camera.url().replace('//', '//viewer:wrong@')), /401 Unauthorized/);
  });
}

test('speaks TLS with its own certificate', { timeout: 30_000 }, async () => {
  const tls = await keep(makeCertificate());
  const camera = await start({ tls });
  const verify = ['-tls_verify', '1', '-ca_file', tls.certificate];
  assert.match(camera.url(), /^rtsps:/);
  assert.deepEqual((await probe(camera.url(), ...verify)).streams, [video]);
});

test('serves a file whose frames arrive unchanged', { timeout: 60_000 }, async () => {
  const file = await keep(makeMediaFile({ seconds: 2, audio: true, bFrames: 2 }));
  const camera = await start({
    mounts: [{ path: '/file', file: { path: file.path, tracks: ['video', 'audio'] } }],
  });
  const expected = await frameHashes(file.path);
  assert.equal(expected.length, 50);
  assert.deepEqual(await frameHashes(camera.url('/file'), ['-rtsp_transport', 'tcp']), expected);
});

test('paints a readable clock that shows when each frame was made', { timeout: 60_000 }, async () => {
  const camera = await start({ mounts: [{ path: '/live', video: { bitrate: 300, keyInterval: 50 } }] });
  const { width, height } = clockArea(640);
  const startedMs = Date.now();
  const times = await new Promise<(number | null)[]>((resolve, reject) => {
    const decoder = spawn('ffmpeg', [
      ...['-v', 'error', '-rtsp_transport', 'tcp', '-fflags', 'nobuffer', '-i', camera.url(), '-frames:v', '60'],
      ...['-vf', `crop=${width}:${height}:0:0`, '-pix_fmt', 'rgba', '-f', 'rawvideo', '-fps_mode', 'passthrough', '-'],
    ]);
    const chunks: Buffer[] = [];
    decoder.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    decoder.on('error', reject);
    decoder.on('close', () => {
      const pixels = Buffer.concat(chunks);
      const size = width * height * 4;
      const count = Math.floor(pixels.length / size);
      resolve(
        Array.from({ length: count }, (_, i) => readPictureClock(pixels.subarray(i * size, (i + 1) * size), 640)),
      );
    });
  });
  assert.equal(times.length, 60);
  let previous = 0;
  for (const time of times) {
    assert.ok(time !== null, 'a frame without an intact clock');
    assert.ok(time > startedMs - 1 && time < Date.now() + 1, `${time} is not a time within this test`);
    // Steady, but for a machine that is busy.
    if (previous !== 0) assert.ok(time > previous + 5, `${time - previous} ms after the frame before`);
    previous = time;
  }
});

test('can be frozen, thawed, killed and started again on its port', { timeout: 60_000 }, async () => {
  const camera = await start();
  const port = camera.port;
  camera.freeze();
  await assert.rejects(probe(camera.url(), '-timeout', '700000'));
  camera.thaw();
  assert.deepEqual((await probe(camera.url())).streams, [video]);
  await camera.kill();
  await assert.rejects(probe(camera.url()), /Connection refused/);
  await camera.restart();
  assert.equal(camera.port, port);
  assert.deepEqual((await probe(camera.url())).streams, [video]);
});
