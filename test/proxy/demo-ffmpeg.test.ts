/** The demo camera as FFmpeg sees it: an independent client and decoder. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type DemoCamera, startDemoCamera } from '../../proxy/demo/camera.js';
import type { Clock } from '../../shared/clock.js';

const run = promisify(execFile);
const SPEED = 3;
/** A moment at the beginning of a minute. */
const MINUTE = Date.UTC(2026, 4, 1, 12, 34);

let camera: DemoCamera | null = null;

afterEach(async () => {
  await camera?.close();
  camera = null;
});

/** Wall time from `utcMs` on, faster than it is, so that nobody waits for seconds of media. */
function fastClock(utcMs: number): Clock {
  const origin = performance.now();
  const now = () => (performance.now() - origin) * SPEED;
  return {
    now,
    utc: () => utcMs + now(),
    schedule(delayMs, callback) {
      const timer = setTimeout(callback, delayMs / SPEED);
      return () => clearTimeout(timer);
    },
  };
}

async function start(utcMs: number): Promise<string> {
  camera = await startDemoCamera({ clock: fastClock(utcMs) });
  return camera.url;
}

async function tool(name: 'ffmpeg' | 'ffprobe', args: string[]): Promise<{ stdout: string; stderr: string }> {
  return await run(name, ['-v', 'warning', ...args], { timeout: 40_000, maxBuffer: 32 << 20 });
}

test('ffprobe reads both sizes without a warning, and finds what they are', async () => {
  const url = await start(MINUTE + 10_300);
  for (const [path, video] of [
    ['', 'h264,High,640,360,25/1'],
    ['/sub', 'h264,High,320,180,10/1'],
  ] as const) {
    const entries = 'stream=codec_name,profile,width,height,avg_frame_rate,sample_rate,channels';
    const { stdout, stderr } = await tool('ffprobe', [
      ...['-rtsp_transport', 'tcp', '-show_entries', entries, '-of', 'csv=p=0', url + path],
    ]);
    assert.equal(stderr, '');
    const [first, second] = stdout.trim().split(/\s+/);
    assert.equal(first, video);
    assert.match(second ?? '', /^aac,LC,32000,1,/);
  }
});

test('over the joint of the loop the pictures are those of the clip, none missing, each 40 ms after the last', async () => {
  const file = fileURLToPath(new URL('../../proxy/demo/main.h264', import.meta.url));
  const hashes = ['-f', 'framemd5', 'pipe:1'];
  const clip = readFrames((await tool('ffmpeg', ['-i', file, '-map', '0:v', ...hashes])).stdout);
  assert.equal(clip.length, 1_500);

  const url = await start(MINUTE + 50_000);
  const { stdout, stderr } = await tool('ffmpeg', [
    ...['-rtsp_transport', 'tcp', '-i', url, '-t', '12', '-map', '0:v', '-fps_mode', 'passthrough'],
    ...['-enc_time_base', '1:90000', ...hashes],
  ]);
  assert.equal(stderr, '');
  const frames = readFrames(stdout);
  assert.ok(frames.length > 290, `${frames.length} frames`);
  const first = clip.findIndex((frame) => frame.hash === frames[0]?.hash);
  assert.equal(first % 25, 0, 'it begins with a key frame');
  frames.forEach((frame, index) => {
    assert.equal(frame.hash, clip[(first + index) % clip.length]?.hash, `frame ${index}`);
    // FFmpeg loses the time of a camera's first frame, and guesses it.
    if (index > 1) assert.equal(frame.time - (frames[index - 1]?.time ?? 0), 3_600, `frame ${index}`);
  });
  assert.ok(first + frames.length > clip.length, 'the end of the clip was passed');
});

test('over the joint of the loop the sound is decoded without a complaint, block after block', async () => {
  const url = await start(MINUTE + 50_000);
  const { stdout, stderr } = await tool('ffmpeg', [
    ...['-rtsp_transport', 'tcp', '-i', url, '-t', '12', '-map', '0:a', '-f', 'framemd5', 'pipe:1'],
  ]);
  assert.equal(stderr, '');
  const blocks = readFrames(stdout);
  assert.ok(blocks.length > 365, `${blocks.length} blocks`);
  blocks.forEach((block, index) => {
    if (index > 0) assert.equal(block.time - (blocks[index - 1]?.time ?? 0), 1_024, `block ${index}`);
  });
});

/** Lines of FFmpeg's framemd5: stream, dts, pts, duration, size, hash. */
function readFrames(text: string): { time: number; hash: string }[] {
  return text
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(',').map((field) => field.trim()))
    .map((fields) => ({ time: Number(fields[2]), hash: fields[5] ?? '' }));
}
