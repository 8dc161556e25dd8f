import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Mp4Recorder, Receiver, systemClock, TcpTransport } from '../../client/node.js';
import { parseRtspUrl } from '../../shared/rtsp-url.js';
import { runProgram } from '../support/child-process.js';
import { type FileTrack, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { frameHashes, packetHashes } from '../support/media-file.js';

// Files of all kinds through GStreamer's server and the client without a page, bit for bit, judged by FFmpeg.

const keep = keeper(after);
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rtsp-codecs-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=3', '-g', '25', '-pix_fmt', 'yuv420p'];

function tone(sampleRate: number): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=${sampleRate}:duration=3`];
}

async function encode(name: string, ...args: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await runProgram('ffmpeg', ['-v', 'error', '-y', '-threads', '1', ...args, path]);
  return path;
}

/** What GStreamer's server sends of the file, as an MP4 file. */
async function record(source: string, track: FileTrack): Promise<string> {
  const camera = await keep(
    startGStreamerCamera({ mounts: [{ path: '/file', file: { path: source, tracks: [track] } }] }),
  );
  const url = camera.url('/file');
  const chunks: Uint8Array[] = [];
  const recorder = new Mp4Recorder(
    { transport: new TcpTransport(parseRtspUrl(url)), url, clock: systemClock },
    { onBytes: (bytes) => chunks.push(bytes), onWarning: (error) => assert.fail(error.message) },
  );
  await recorder.record(AbortSignal.timeout(30_000));
  await camera.stop();
  const path = `${source}.recorded.mp4`;
  await writeFile(path, Buffer.concat(chunks));
  return path;
}

const videos: readonly [what: string, track: FileTrack, args: readonly string[]][] = [
  ['VP8', 'vp8', ['-c:v', 'libvpx', '-deadline', 'realtime', '-b:v', '600k']],
  ['VP8 with hidden frames', 'vp8', ['-c:v', 'libvpx', '-auto-alt-ref', '1', '-lag-in-frames', '16', '-b:v', '300k']],
  ['VP9', 'vp9', ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '600k']],
  [
    'VP9 with superframes',
    'vp9',
    ['-c:v', 'libvpx-vp9', '-deadline', 'good', '-cpu-used', '5', '-auto-alt-ref', '1', '-lag-in-frames', '16'],
  ],
];

for (const [what, track, args] of videos) {
  test(`${what}: every frame of the recording is the file's`, { timeout: 90_000 }, async () => {
    const source = await encode(`${what.replaceAll(' ', '-')}.webm`, ...picture, ...args);
    const expected = await frameHashes(source);
    assert.equal(expected.length, 75);
    assert.deepEqual(await frameHashes(await record(source, track)), expected);
  });
}

/** Pictures as FFmpeg's encoder makes them; RTP has no room for Huffman tables of its own. */
const jpeg = (size: string, ...args: readonly string[]) => [
  ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=2`],
  ...['-c:v', 'mjpeg', '-huffman', 'default', '-pix_fmt', 'yuvj420p', ...args],
];

const images: readonly [what: string, make: (name: string) => Promise<string>, frames: number][] = [
  ['good', (name) => encode(name, ...jpeg('320x192', '-q:v', '2')), 50],
  ['middling', (name) => encode(name, ...jpeg('320x192', '-q:v', '8')), 50],
  ['poor', (name) => encode(name, ...jpeg('320x192', '-q:v', '20')), 50],
  // Slices of threads have restart markers between them.
  ['with restart markers', (name) => encode(name, ...jpeg('320x192', '-thread_type', 'slice', '-threads', '4')), 50],
  ['2,592 pixels wide', (name) => encode(name, ...jpeg('2592x1944', '-frames:v', '8')), 8],
  ['4:2:2', encode422, 50],
];

/** FFmpeg's encoder has factors of its own for 4:2:2, which RTP has no type for. */
async function encode422(name: string): Promise<string> {
  const path = join(folder, name);
  const caps = 'video/x-raw,format=Y42B,width=320,height=192,framerate=25/1';
  const source = `videotestsrc num-buffers=50 horizontal-speed=4 ! ${caps} ! jpegenc`;
  await runProgram('gst-launch-1.0', [
    '-q',
    ...source.split(' '),
    '!',
    'matroskamux',
    '!',
    'filesink',
    `location=${path}`,
  ]);
  return path;
}

for (const [what, make, frames] of images) {
  test(`MJPEG, ${what}: every picture is the file's`, { timeout: 90_000 }, async () => {
    const source = await make(`jpeg-${what.replaceAll(/\W/g, '-')}.mkv`);
    const expected = await frameHashes(source);
    assert.equal(expected.length, frames);
    const camera = await keep(
      startGStreamerCamera({ mounts: [{ path: '/file', file: { path: source, tracks: ['jpeg'] } }] }),
    );
    const url = camera.url('/file');
    const pictures: Uint8Array[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      const receiver = new Receiver(
        { transport: new TcpTransport(parseRtspUrl(url)), url, clock: systemClock },
        {
          onTracks: () => {},
          onAccessUnit: (_track, unit) => pictures.push(...unit.pieces),
          onEnd: () => resolve(receiver.teardown()),
          onClose: (error) => reject(error ?? new Error('closed')),
        },
      );
      receiver.start(AbortSignal.timeout(30_000)).catch(reject);
    });
    await ended;
    const path = `${source}.mjpeg`;
    await writeFile(path, Buffer.concat(pictures));
    assert.deepEqual(await frameHashes(path, ['-f', 'mjpeg']), expected);
    await camera.stop();
  });
}

const sounds: readonly [what: string, track: FileTrack, file: string, args: readonly string[]][] = [
  ['Opus, 20 ms', 'opus', 'opus20.mkv', [...tone(48_000), '-ac', '2', '-c:a', 'libopus']],
  ['Opus, 60 ms, mono', 'opus', 'opus60.mkv', [...tone(48_000), '-c:a', 'libopus', '-frame_duration', '60']],
  ['Opus, 2.5 ms', 'opus', 'opus2.mkv', [...tone(48_000), '-ac', '2', '-c:a', 'libopus', '-frame_duration', '2.5']],
  ['AAC mono at 16 kHz', 'audio', 'mono.mkv', [...tone(16_000), '-c:a', 'aac']],
  ['AAC stereo at 44.1 kHz', 'audio', 'stereo.mkv', [...tone(44_100), '-ac', '2', '-c:a', 'aac']],
  ['HE-AAC', 'he-aac', 'he.mkv', [...tone(24_000), '-ac', '2', '-c:a', 'aac']],
  ['AAC 5.1', 'audio', 'surround.mkv', [...tone(48_000), '-ac', '6', '-c:a', 'aac']],
  ['LATM mono', 'latm', 'latm-mono.mkv', [...tone(16_000), '-c:a', 'aac']],
  ['LATM stereo', 'latm', 'latm-stereo.mkv', [...tone(48_000), '-ac', '2', '-c:a', 'aac']],
  ['LATM 5.1', 'latm', 'latm-surround.mkv', [...tone(48_000), '-ac', '6', '-c:a', 'aac']],
  ['MP3 at 44.1 kHz', 'mp3', 'mp3.mkv', [...tone(44_100), '-ac', '2', '-c:a', 'libmp3lame', '-b:a', '128k']],
  ['MP3 at 16 kHz (MPEG-2)', 'mp3', 'mp3-16.mkv', [...tone(16_000), '-c:a', 'libmp3lame', '-b:a', '32k']],
  ['MP3 of varying rate', 'mp3', 'mp3-vbr.mkv', [...tone(48_000), '-ac', '2', '-c:a', 'libmp3lame', '-q:a', '2']],
];

for (const [what, track, file, args] of sounds) {
  test(`${what}: every packet of the recording is the file's`, { timeout: 90_000 }, async () => {
    const source = await encode(file, ...args);
    const expected = await packetHashes(source, 'a:0');
    const found = await packetHashes(await record(source, track), 'a:0');
    assert.ok(expected.length > 40);
    assert.deepEqual(found, expected);
  });
}

test('HE-AAC is declared at the rate that it has with its upper band', { timeout: 90_000 }, async () => {
  const recorded = await record(await encode('he-declared.mkv', ...tone(24_000), '-ac', '2', '-c:a', 'aac'), 'he-aac');
  const entries = ['-show_entries', 'stream=codec_name,sample_rate', '-of', 'csv=p=0'];
  assert.equal((await runProgram('ffprobe', ['-v', 'error', ...entries, recorded])).trim(), 'aac,48000');
});

/** Noise: no two samples are alike for long. */
function noise(sampleRate: number): string[] {
  return ['-f', 'lavfi', '-i', `anoisesrc=sample_rate=${sampleRate}:duration=3:amplitude=0.6:seed=3`];
}

const samples: readonly [what: string, track: FileTrack, args: readonly string[]][] = [
  ['PCMU', 'pcmu', [...noise(8_000), '-c:a', 'pcm_mulaw']],
  ['PCMA', 'pcma', [...noise(8_000), '-c:a', 'pcm_alaw']],
  ['L8', 'l8', [...noise(8_000), '-c:a', 'pcm_u8']],
  ['L16, mono at 16 kHz', 'l16', [...noise(16_000), '-c:a', 'pcm_s16le']],
  ['L16, stereo at 44.1 kHz', 'l16', [...noise(44_100), '-ac', '2', '-c:a', 'pcm_s16le']],
  ['G.722', 'g722', [...noise(16_000), '-c:a', 'g722']],
  // GStreamer has an order of its own at 24 and 40 kbit/s.
  ...[16, 32].map((rate): (typeof samples)[number] => [
    `G.726 at ${rate} kbit/s`,
    'g726',
    [...noise(8_000), '-c:a', 'g726', '-b:a', `${rate}k`],
  ]),
];

/** All samples, as FFmpeg decodes them. */
async function samplesOf(path: string): Promise<Buffer> {
  const raw = `${path}.s16`;
  await runProgram('ffmpeg', ['-v', 'error', '-y', '-i', path, '-c:a', 'pcm_s16le', '-f', 's16le', raw]);
  return readFile(raw);
}

for (const [what, track, args] of samples) {
  test(`${what}: every sample of the recording is the file's`, { timeout: 90_000 }, async () => {
    const source = await encode(`${what.replaceAll(/\W/g, '-')}.mkv`, ...args);
    const expected = await samplesOf(source);
    const found = await samplesOf(await record(source, track));
    // What is left behind the last 20 ms does not make a unit.
    assert.ok(found.length > 0.99 * expected.length, `${found.length} of ${expected.length} bytes`);
    assert.ok(found.equals(expected.subarray(0, found.length)));
  });
}
