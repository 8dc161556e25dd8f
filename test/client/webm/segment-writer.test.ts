import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { aacLcConfig } from '../../../client/codec/aac.js';
import { vp8Config } from '../../../client/codec/vp8.js';
import { Vp8Depacketizer } from '../../../client/depacketizer/vp8.js';
import { elementHead, unsigned } from '../../../client/webm/ebml.js';
import { WebmSegmentWriter } from '../../../client/webm/segment-writer.js';
import { hex, mediaFormat, UnitRecorder } from '../depacketizer/rtp-fixtures.js';
import { ffmpeg, ffprobe, frameHashes } from '../fmp4/encoded-media.js';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'webm-'));
});
after(() => rm(directory, { recursive: true, force: true }));

test('sizes take as few bytes as they need, and are never all ones', () => {
  for (const [size, expected] of [
    [0, '80'],
    [126, 'fe'],
    [127, '407f'],
    [16_382, '7ffe'],
    [16_383, '203fff'],
    [2_097_151, '101fffff'],
  ] as const) {
    assert.equal(hex(elementHead(0xa1, size)), `a1${expected}`);
  }
});

test('numbers beyond 32 bits', () => {
  assert.equal(hex(unsigned(0)), '00');
  assert.equal(hex(unsigned(0x1_2345_6789)), '0123456789');
});

test('what WebM has no place for is refused', () => {
  const config = aacLcConfig(48_000, 2);
  assert.ok(config !== null);
  assert.throws(() => new WebmSegmentWriter(1).init(config, 48_000), { code: 'codec-unsupported' });
});

/** Frames of an IVF file: 32 bytes of header, then 12 in front of each, the length first. */
async function readIvf(path: string): Promise<Uint8Array[]> {
  const data = await readFile(path);
  const frames: Uint8Array[] = [];
  for (let position = 32; position < data.length; ) {
    const length = data.readUInt32LE(position);
    frames.push(new Uint8Array(data.subarray(position + 12, position + 12 + length)));
    position += 12 + length;
  }
  return frames;
}

test('VP8 out of packets: FFmpeg decodes every frame, at its time, to what the source has', async () => {
  const source = join(directory, 'source.ivf');
  const picture = 'testsrc2=size=322x182:rate=25:duration=2';
  await ffmpeg('-f', 'lavfi', '-i', picture, '-c:v', 'libvpx', '-g', '25', '-deadline', 'realtime', source);
  const frames = await readIvf(source);
  const { units } = new UnitRecorder(Vp8Depacketizer, mediaFormat('VP8', 90_000)).feed(
    ...frames.flatMap((frame, index) => [
      { payload: Uint8Array.of(0x10, ...frame.subarray(0, 5)), time: index * 3_600 },
      { payload: Uint8Array.of(0x00, ...frame.subarray(5)), time: index * 3_600, marker: true },
    ]),
  );
  assert.equal(units.length, 50);
  const writer = new WebmSegmentWriter(1);
  const init = writer.init(units[0]?.config ?? vp8Config(1, 1), 90_000);
  const start = 1_000 * 90_000;
  const segments = units.map((unit) => {
    const time = start + unit.presentationTime;
    return writer.fragment([{ unit, decodeTime: time, presentationTime: time, duration: 3_600 }]);
  });
  const path = join(directory, 'written.webm');
  await writeFile(path, Buffer.concat([init, ...segments]));
  assert.deepEqual(await frameHashes(path, 'v:0'), await frameHashes(source, 'v:0'));
  const entries = 'packet=pts_time,duration_time,flags';
  const packets = (await ffprobe('-of', 'csv=p=0', '-show_entries', entries, path)).trim().split('\n');
  assert.equal(packets.length, 50);
  assert.match(packets[0] ?? '', /^1000\.0+,0\.04\d*,K/);
  assert.match(packets[1] ?? '', /^1000\.040*,0\.04\d*,_/);
  assert.match(packets[25] ?? '', /^1001\.0+,0\.04\d*,K/);
  assert.match(await ffprobe('-show_entries', 'stream=codec_name,width,height', path), /vp8[\s\S]*322[\s\S]*182/);
});
