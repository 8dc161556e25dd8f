import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Av1Depacketizer } from '../../../client/depacketizer/av1.js';
import { Av1Packetizer } from '../../../shared/packetizer/av1.js';
import { ffmpeg, ffprobe, frameHashes, readTemporalUnits } from './encoded-media.js';
import { recordVideo, steadyLoss, type VideoRecording } from './video-file.js';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mp4-av1-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const FRAMES = 30;

/** Encodes a moving picture to OBUs with sizes (AV1 Bitstream & Decoding Process Specification, 5.2). */
async function encode(name: string, size: string, ...options: readonly string[]): Promise<string> {
  const path = join(directory, `${name}.obu`);
  await ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-frames:v', `${FRAMES}`, '-pix_fmt', 'yuv420p'],
    ...[...options, '-f', 'obu', path],
  );
  return path;
}

async function record(
  name: string,
  units: readonly (readonly Uint8Array[])[],
  isLost?: () => boolean,
): Promise<VideoRecording> {
  return recordVideo(join(directory, `${name}.mp4`), units, {
    Packetizer: Av1Packetizer,
    Depacketizer: Av1Depacketizer,
    ...(isLost === undefined ? {} : { isLost }),
  });
}

const aom = ['-c:v', 'libaom-av1', '-cpu-used', '8', '-g', '12', '-lag-in-frames', '0', '-usage', 'realtime'];
const streams: readonly { name: string; size: string; options: readonly string[] }[] = [
  { name: 'libaom in real time', size: '320x240', options: aom },
  { name: 'odd sizes', size: '322x242', options: aom },
  {
    name: 'libaom with hidden frames',
    size: '320x240',
    options: ['-c:v', 'libaom-av1', '-cpu-used', '8', '-g', '12', '-lag-in-frames', '10'],
  },
  { name: 'tiles in groups', size: '640x360', options: [...aom, '-tiles', '2x2', '-aom-params', 'num-tile-groups=4'] },
  { name: '10 bits', size: '320x240', options: [...aom, '-pix_fmt', 'yuv420p10le'] },
  { name: '12 bits 4:2:2', size: '320x240', options: [...aom, '-pix_fmt', 'yuv422p12le'] },
  { name: 'monochrome', size: '320x240', options: [...aom, '-pix_fmt', 'gray'] },
  { name: '4:4:4', size: '320x240', options: [...aom, '-pix_fmt', 'yuv444p'] },
  { name: 'SVT-AV1', size: '320x240', options: ['-c:v', 'libsvtav1', '-preset', '10', '-g', '12'] },
  { name: 'rav1e', size: '320x240', options: ['-c:v', 'librav1e', '-speed', '10', '-g', '12'] },
];

for (const { name, size, options } of streams) {
  test(`AV1 ${name}: every frame of the file is the source's`, { timeout: 120_000 }, async () => {
    const file = name.replace(/\W/g, '_');
    const source = await encode(file, size, ...options);
    const { path, depacketizer, errors } = await record(file, await readTemporalUnits(source));
    assert.deepEqual(errors, []);
    assert.equal(depacketizer.stats.droppedAccessUnits, 0);
    assert.equal(depacketizer.stats.malformedPackets, 0);
    const expected = await frameHashes(source, 'v:0');
    assert.equal(expected.length, FRAMES);
    assert.deepEqual(await frameHashes(path, 'v:0'), expected);
    const theirs = join(directory, `${file}-ffmpeg.mp4`);
    await ffmpeg('-i', source, '-c', 'copy', theirs);
    assert.equal(configurationOf(await readFile(path)), configurationOf(await readFile(theirs)));
    const facts = ['-of', 'compact', '-show_entries', 'stream=codec_tag_string,profile,level,pix_fmt,width,height'];
    assert.equal(await ffprobe(...facts, path), await ffprobe(...facts, theirs));
  });
}

/** The configuration record of a file. */
function configurationOf(file: Buffer): string {
  const at = file.indexOf('av1C');
  return file.subarray(at + 4, at - 4 + file.readUInt32BE(at - 4)).toString('hex');
}

test('another size in mid-stream survives in the file', async () => {
  const first = await encode('day', '320x240', ...aom);
  const second = await encode('night', '176x144', ...aom);
  const { path } = await record('change', [...(await readTemporalUnits(first)), ...(await readTemporalUnits(second))]);
  const frames = await ffprobe('-of', 'compact', '-show_entries', 'frame=width,height', path);
  const sizes = [...frames.matchAll(/width=(\d+)\|height=(\d+)/g)].map((match) => `${match[1]}x${match[2]}`);
  assert.deepEqual(sizes, [...Array(FRAMES).fill('320x240'), ...Array(FRAMES).fill('176x144')]);
});

test('whatever packets are lost, every frame in the file is one of the source, and none is damaged', async () => {
  const source = await encode('lossy', '320x240', ...aom, '-g', '5');
  const expected = await frameHashes(source, 'v:0');
  const { path, depacketizer } = await record('lossy', await readTemporalUnits(source), steadyLoss(0.04));
  const found = await frameHashes(path, 'v:0');
  const { droppedAccessUnits } = depacketizer.stats;
  assert.ok(droppedAccessUnits > 2 && found.length > 8, `${droppedAccessUnits} dropped, ${found.length} in the file`);
  assert.deepEqual(
    found.filter((hash) => !expected.includes(hash)),
    [],
  );
});
