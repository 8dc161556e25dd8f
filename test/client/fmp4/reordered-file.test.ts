import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { BitReader } from '../../../client/codec/bit-reader.js';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { parseSps } from '../../../client/codec/h264-sps.js';
import { escapeNalUnit, unescapeNalUnit } from '../../../client/codec/nal-unit.js';
import { H264Depacketizer, loadH264Depacketizer } from '../../../client/depacketizer/h264.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { videoFormat } from '../depacketizer/rtp-fixtures.js';
import { ffmpeg, ffprobe, frameHashes, readAccessUnits } from './encoded-media.js';

// H.264 whose frames are not sent in the order in which they are shown, from RTP with presentation times into a file, judged
// by FFmpeg: every frame, at its time.

let directory: string;
before(async () => {
  await loadH264Depacketizer(videoFormat());
  directory = await mkdtemp(join(tmpdir(), 'reordered-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const FRAMES = 75;

interface Source {
  path: string;
  /** NAL units by access unit, in decoding order. */
  units: Uint8Array[][];
  /** Presentation times at 90 kHz, in the same order. */
  times: number[];
}

interface Timing {
  pts: number;
  dts: number;
}

async function timingsOf(path: string): Promise<Timing[]> {
  const text = await ffprobe('-select_streams', 'v:0', '-show_entries', 'packet=pts,dts', '-of', 'json', path);
  return JSON.parse(text).packets;
}

/** Frames of 20 to 60 ms. */
const UNEVEN = 'settb=1/90000,setpts=N*3600+floor(random(1)*1800)';

async function encode(name: string, x264: string, filter: string, options: readonly string[] = []): Promise<Source> {
  const path = join(directory, `${name}.mp4`);
  await ffmpeg(
    ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-vf', filter, '-frames:v', `${FRAMES}`],
    ...['-fps_mode', 'passthrough', '-enc_time_base', '1:90000', '-video_track_timescale', '90000'],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', ...options],
    ...['-x264-params', `threads=1:aud=1:${x264}`, path],
  );
  const stream = join(directory, `${name}.h264`);
  await ffmpeg('-i', path, '-c', 'copy', '-bsf:v', 'h264_mp4toannexb', '-f', 'h264', stream);
  const timings = await timingsOf(path);
  return { path, units: await readAccessUnits(stream), times: timings.map(({ pts }) => pts) };
}

interface Recording {
  path: string;
  units: AccessUnit[];
  dropped: number;
}

/** @param start - RTP time of the first picture on screen */
async function record(name: string, source: Source, start = 0xffff_f000): Promise<Recording> {
  const chunks: Uint8Array[] = [];
  const units: AccessUnit[] = [];
  const writer = new Mp4FileWriter([{ trackId: 1, timescale: 90_000 }], {
    onBytes: (bytes) => chunks.push(bytes),
    onError: (error) => assert.fail(error),
  });
  const depacketizer = new H264Depacketizer(videoFormat(), (unit) => {
    units.push(unit);
    writer.push(0, unit);
  });
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 65_500, maxPayloadBytes: 900 });
  for (const [index, nalUnits] of source.units.entries()) {
    const time = start + (source.times[index] ?? 0);
    for (const bytes of packetizer.packetize(nalUnits, time)) {
      const packet = parseRtpPacket(bytes);
      assert.ok(packet !== null);
      depacketizer.push(packet, time, 0);
    }
  }
  writer.finish();
  const path = join(directory, `${name}-recorded.mp4`);
  await writeFile(path, Buffer.concat(chunks));
  return { path, units, dropped: depacketizer.stats.droppedAccessUnits };
}

/** Every frame is the source's and has its time. */
async function assertSame(source: Source, recording: Recording): Promise<Timing[]> {
  assert.equal(recording.dropped, 0);
  const expected = await frameHashes(source.path, 'v:0');
  assert.equal(expected.length, FRAMES);
  assert.deepEqual(await frameHashes(recording.path, 'v:0'), expected);
  const timings = await timingsOf(recording.path);
  const origin = source.times[0] ?? 0;
  assert.deepEqual(
    timings.map(({ pts }) => pts - (timings[0]?.pts ?? 0)),
    source.times.map((time) => time - origin),
  );
  for (const [index, { dts }] of timings.entries()) {
    assert.ok(index === 0 || dts > (timings[index - 1]?.dts ?? dts), `decoding time ${dts} of packet ${index}`);
  }
  return timings;
}

const streams: readonly { name: string; x264: string; depth: number; options?: readonly string[] }[] = [
  { name: 'no B-frames', x264: 'keyint=25:bframes=0', depth: 0 },
  { name: 'B-frames', x264: 'keyint=25:bframes=2:b-pyramid=none:b-adapt=0', depth: 1 },
  { name: 'pyramids', x264: 'keyint=25:bframes=3:b-pyramid=normal:b-adapt=0', depth: 2 },
  { name: 'B-frames where they pay', x264: 'keyint=30:bframes=8:b-pyramid=normal:b-adapt=2', depth: 2 },
  { name: 'open groups', x264: 'keyint=15:open-gop=1:bframes=3:b-pyramid=normal:b-adapt=0', depth: 2 },
  { name: 'intra refresh', x264: 'keyint=20:intra-refresh=1:bframes=2:b-pyramid=none:b-adapt=0', depth: 1 },
  {
    name: 'interlaced',
    x264: 'keyint=25:bframes=3:b-pyramid=normal:b-adapt=0:tff=1',
    depth: 2,
    options: ['-flags', '+ildct+ilme'],
  },
  { name: 'several slices', x264: 'keyint=25:slices=4:bframes=3:b-pyramid=normal:b-adapt=0', depth: 2 },
  {
    name: '4:2:2',
    x264: 'keyint=25:bframes=3:b-pyramid=normal:b-adapt=0',
    depth: 2,
    options: ['-pix_fmt', 'yuv422p'],
  },
];

for (const { name, x264, depth, options } of streams) {
  for (const [pace, filter] of [
    ['even', 'null'],
    ['uneven', UNEVEN],
  ] as const) {
    test(`${name}, ${pace} intervals: every frame at its time`, async () => {
      const file = `${name.replace(/\W/g, '-')}-${pace}`;
      const source = await encode(file, x264, filter, options);
      const recording = await record(file, source);
      for (const { pts, dts } of await assertSame(source, recording)) assert.ok(pts >= dts, `${pts} before ${dts}`);
      // No more delay than reordering needs: each picture is decoded at the time of the one `depth` places before it.
      const shown = recording.units.map((unit) => unit.presentationTime).sort((a, b) => a - b);
      for (const [index, unit] of recording.units.entries()) {
        if (index >= depth) assert.equal(unit.decodeTime, shown[index - depth], `picture ${index}`);
      }
    });
  }
}

/** The sequence parameter set without VUI: neither timing nor a bitstream restriction. */
function withoutVui(nalUnit: Uint8Array): Uint8Array {
  const sps = parseSps(nalUnit);
  assert.ok(sps !== null);
  // Found by trying: the position after which a VUI that is left out leaves everything else as it was.
  const rbsp = unescapeNalUnit(nalUnit);
  for (let offset = rbsp.length * 8 - 1; offset > 0; offset--) {
    const source = new BitReader(rbsp);
    const bits = new BitWriter(rbsp.length + 1);
    while (source.position < offset) bits.write(source.unsigned(1), 1);
    bits.write(0, 1);
    bits.write(1, 1);
    const candidate = escapeNalUnit(bits.bytes());
    const parsed = parseSps(candidate);
    if (parsed?.restrictionSlot?.offset === offset && !parsed.restrictionSlot.hasVui) {
      if (parsed.width === sps.width && parsed.height === sps.height) return candidate;
    }
  }
  assert.fail('no place for the VUI');
}

async function encodeWithoutVui(name: string, x264: string): Promise<Source> {
  const source = await encode(name, x264, 'null');
  const isSps = (nalUnit: Uint8Array) => ((nalUnit[0] ?? 0) & 0x1f) === 7;
  return { ...source, units: source.units.map((unit) => unit.map((n) => (isSps(n) ? withoutVui(n) : n))) };
}

test('pyramids without VUI: the depth is learnt, and every frame is at its time', async () => {
  const source = await encodeWithoutVui('silent', 'keyint=25:bframes=3:b-pyramid=normal:b-adapt=0');
  const recording = await record('silent', source);
  const timings = await assertSame(source, recording);
  for (const [index, { pts, dts }] of timings.entries()) assert.ok(index < 9 || pts >= dts, `${pts} before ${dts}`);
});

test('pictures in order without VUI: no delay, and the next configuration says so', async () => {
  const source = await encodeWithoutVui('in-order', 'keyint=25:scenecut=0:bframes=1:b-adapt=1:b-bias=-100');
  const recording = await record('in-order', source);
  await assertSame(source, recording);
  for (const unit of recording.units) assert.equal(unit.decodeTime, unit.presentationTime);
  const depths = recording.units.map(({ config }) => (config?.kind === 'video' ? config.reorderDepth : null));
  assert.deepEqual(
    depths.map((depth, index) => ({ depth, index })).filter(({ depth }) => depth !== null),
    [
      { depth: 7, index: 0 },
      { depth: 0, index: 50 },
    ],
  );
});
