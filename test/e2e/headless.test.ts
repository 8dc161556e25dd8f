import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Mp4Recorder, systemClock, TcpTransport } from '../../client/node.js';
import type { CertificatePolicy } from '../../client/transport/tcp.js';
import { parseRtspUrl } from '../../shared/rtsp-url.js';
import { makeCertificate } from '../support/certificate.js';
import { runProgram } from '../support/child-process.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { frameHashes, makeMediaFile } from '../support/media-file.js';

// The client without a page: GStreamer's server → MP4 in Node, judged by FFmpeg.

const keep = keeper(after);
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rtsp-recording-'));
});
after(() => rm(folder, { recursive: true, force: true }));

interface Recording {
  path: string;
  warnings: string[];
}

/** Records until the camera ends the stream, or for `seconds` of wall clock. */
async function record(
  name: string,
  url: string,
  options: { seconds?: number; certificates?: CertificatePolicy } = {},
): Promise<Recording> {
  const chunks: Uint8Array[] = [];
  const warnings: string[] = [];
  const { certificates = 'verify', seconds = 60 } = options;
  const transport = new TcpTransport(parseRtspUrl(url), { certificates });
  const recorder = new Mp4Recorder(
    { transport, url, clock: systemClock },
    { onBytes: (bytes) => chunks.push(bytes), onWarning: (error) => warnings.push(error.message) },
  );
  await recorder.record(AbortSignal.timeout(seconds * 1_000));
  const path = join(folder, `${name}.mp4`);
  await writeFile(path, Buffer.concat(chunks));
  return { path, warnings };
}

interface Probe {
  streams: { codec_type: string; codec_name: string; nb_read_packets: string; duration?: string; channels?: number }[];
}

async function probe(path: string): Promise<Probe> {
  const entries = 'stream=codec_type,codec_name,nb_read_packets,duration,channels';
  const flags = ['-v', 'error', '-count_packets', '-show_entries', entries, '-of', 'json'];
  return JSON.parse(await runProgram('ffprobe', [...flags, path]));
}

for (const [what, options] of [
  ['video', {}],
  ['video and audio', { audio: true }],
  ['video with reordered frames, and audio', { audio: true, bFrames: 3 }],
] as const) {
  test(`a file's ${what}: the recording decodes to the same frames`, { timeout: 90_000 }, async () => {
    const file = await keep(makeMediaFile({ seconds: 3, ...options }));
    const hasAudio = 'audio' in options;
    const tracks: ('video' | 'audio')[] = hasAudio ? ['video', 'audio'] : ['video'];
    const camera = await keep(startGStreamerCamera({ mounts: [{ path: '/file', file: { path: file.path, tracks } }] }));
    const { path, warnings } = await record(what.replaceAll(' ', '-'), camera.url('/file'));
    assert.deepEqual(warnings, []);
    const expected = await frameHashes(file.path);
    assert.equal(expected.length, 75);
    assert.deepEqual(await frameHashes(path), expected);
    const { streams } = await probe(path);
    assert.deepEqual(
      streams.map((stream) => stream.codec_name),
      hasAudio ? ['h264', 'aac'] : ['h264'],
    );
    for (const stream of streams) {
      assert.ok(Math.abs(Number(stream.duration) - 3) < 0.1, `${stream.codec_type} lasts ${stream.duration} s`);
    }
    const original = await probe(file.path);
    assert.equal(streams[0]?.nb_read_packets, original.streams[0]?.nb_read_packets);
    if (hasAudio) {
      assert.equal(streams[1]?.channels, 2);
      // GStreamer leaves out the encoder's priming, which the file's edit list hides.
      const missing = Number(original.streams[1]?.nb_read_packets) - Number(streams[1]?.nb_read_packets);
      assert.ok(
        missing >= 0 && missing <= 2,
        `${missing} of ${original.streams[1]?.nb_read_packets} packets are missing`,
      );
    }
  });
}

for (const [what, options] of [
  ['H.265', {}],
  ['H.265 with reordered frames, and audio', { audio: true, bFrames: 3 }],
] as const) {
  test(`a file's ${what}: the recording decodes to the same frames`, { timeout: 90_000 }, async () => {
    const file = await keep(makeMediaFile({ codec: 'h265', seconds: 3, ...options }));
    const tracks: ('h265' | 'audio')[] = 'audio' in options ? ['h265', 'audio'] : ['h265'];
    const camera = await keep(startGStreamerCamera({ mounts: [{ path: '/file', file: { path: file.path, tracks } }] }));
    const { path, warnings } = await record(what.replaceAll(/\W/g, '-'), camera.url('/file'));
    assert.deepEqual(warnings, []);
    const expected = await frameHashes(file.path);
    assert.equal(expected.length, 75);
    assert.deepEqual(await frameHashes(path), expected);
    const { streams } = await probe(path);
    assert.deepEqual(
      streams.map((stream) => stream.codec_name),
      'audio' in options ? ['hevc', 'aac'] : ['hevc'],
    );
    assert.ok(Math.abs(Number(streams[0]?.duration) - 3) < 0.1, `the video lasts ${streams[0]?.duration} s`);
  });
}

test('a live camera with Digest over TLS, stopped by the caller', { timeout: 60_000 }, async () => {
  const tls = await keep(makeCertificate());
  const users = { scheme: 'digest', username: 'viewer', password: 'p@ss/w:rd' } as const;
  const camera = await keep(
    startGStreamerCamera({ tls, users, mounts: [{ path: '/live', video: true, audio: true }] }),
  );
  const url = camera.url('/live', 'with-credentials');
  await assert.rejects(record('untrusted', url, { seconds: 3 }), { code: 'certificate-invalid' });
  const authorities = await readFile(tls.certificate, 'utf8');
  const { path, warnings } = await record('live', url, { seconds: 3, certificates: { authorities } });
  assert.deepEqual(warnings, []);
  const { streams } = await probe(path);
  assert.deepEqual(
    streams.map((stream) => stream.codec_name),
    ['h264', 'aac'],
  );
  const frames = await frameHashes(path);
  assert.ok(frames.length >= 40 && frames.length <= 80, `${frames.length} frames in 3 s`);
  await camera.waitForEvent((event) => event.event === 'request' && event.method === 'TEARDOWN');
});

test('the package can be imported by its names', { timeout: 30_000 }, async () => {
  const main = '../../package.json';
  const { default: manifest } = await import(main, { with: { type: 'json' } });
  for (const path of ['client', 'proxy']) {
    const name = `${manifest.name}/${path}`;
    const module: Record<string, unknown> = await import(name);
    assert.ok(Object.keys(module).length > 0, name);
  }
  const client = `${manifest.name}/client`;
  assert.equal(typeof (await import(client)).TcpTransport, 'function');
});
