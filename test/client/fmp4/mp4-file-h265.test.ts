import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { h265TypeOf, parseH265SliceStart } from '../../../client/codec/h265.js';
import { H265ParameterSets } from '../../../client/codec/h265-parameter-sets.js';
import { H265PictureOrder } from '../../../client/codec/h265-picture-order.js';
import { H265Depacketizer } from '../../../client/depacketizer/h265.js';
import { H265Packetizer } from '../../../shared/packetizer/h265.js';
import { ffmpeg, ffprobe, frameHashes, readAccessUnits } from './encoded-media.js';
import { recordVideo, steadyLoss, type VideoRecording } from './video-file.js';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mp4-h265-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const FRAMES = 50;

/** Encodes a moving picture; x265 puts a delimiter in front of each access unit. */
async function encode(name: string, size: string, x265: string, ...options: readonly string[]): Promise<string> {
  const path = join(directory, `${name}.h265`);
  const params = `log-level=none:aud=1:pools=1:frame-threads=1:repeat-headers=1:${x265}`;
  await ffmpeg(
    ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`, '-frames:v', `${FRAMES}`],
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', ...options],
    ...['-x265-params', params, '-f', 'hevc', path],
  );
  return path;
}

async function record(
  name: string,
  units: readonly (readonly Uint8Array[])[],
  isLost?: () => boolean,
): Promise<VideoRecording> {
  return recordVideo(join(directory, `${name}.mp4`), units, {
    Packetizer: H265Packetizer,
    Depacketizer: H265Depacketizer,
    ...(isLost === undefined ? {} : { isLost }),
  });
}

const readUnits = (path: string) => readAccessUnits(path, (nalUnit) => h265TypeOf(nalUnit[0] ?? 0) === 35);
const typesOf = (unit: readonly Uint8Array[]) => unit.map((nalUnit) => h265TypeOf(nalUnit[0] ?? 0));

const streams: readonly { name: string; size: string; x265: string; options?: readonly string[] }[] = [
  { name: 'without B-frames', size: '320x240', x265: 'keyint=25:bframes=0' },
  { name: 'cropped', size: '322x242', x265: 'keyint=25:bframes=0' },
  { name: 'B-frames in pyramids', size: '320x240', x265: 'keyint=25:bframes=4:b-pyramid=1:b-adapt=0:open-gop=0' },
  { name: 'open groups of pictures', size: '320x240', x265: 'keyint=12:min-keyint=12:bframes=3:b-adapt=0:open-gop=1' },
  { name: 'four slices', size: '320x256', x265: 'keyint=25:slices=4:bframes=0' },
  { name: 'intra refresh', size: '320x240', x265: 'keyint=20:intra-refresh=1:bframes=0' },
  { name: 'temporal layers', size: '320x240', x265: 'keyint=25:bframes=3:b-adapt=0:temporal-layers=1' },
  { name: 'picture hashes in suffix SEI', size: '320x240', x265: 'keyint=25:bframes=0:hash=1' },
  { name: 'HRD and buffering SEI', size: '320x240', x265: 'keyint=25:bframes=0:hrd=1:vbv-maxrate=500:vbv-bufsize=500' },
  { name: '4:2:2', size: '320x240', x265: 'keyint=25:bframes=0', options: ['-pix_fmt', 'yuv422p'] },
  { name: '10 bits', size: '320x240', x265: 'keyint=25:bframes=0', options: ['-pix_fmt', 'yuv420p10le'] },
];

for (const { name, size, x265, options = [] } of streams) {
  test(`H.265 ${name}: every frame of the file is the source's`, async () => {
    const file = name.replace(/\W/g, '_');
    const source = await encode(file, size, x265, ...options);
    const { path, depacketizer, errors } = await record(file, await readUnits(source));
    assert.deepEqual(errors, []);
    assert.equal(depacketizer.stats.droppedAccessUnits, 0);
    assert.equal(depacketizer.stats.malformedPackets, 0);
    const expected = await frameHashes(source, 'v:0');
    assert.equal(expected.length, FRAMES);
    assert.deepEqual(await frameHashes(path, 'v:0'), expected);
  });
}

test('sizes, aspects, rates and the codec are those that FFmpeg reads', async () => {
  const source = await encode('facts', '322x242', 'keyint=25:bframes=2:b-adapt=0', '-vf', 'setsar=4/3');
  const { path, units } = await record('facts', await readUnits(source));
  const entries = 'stream=codec_tag_string,profile,level,width,height,sample_aspect_ratio';
  const probe = await ffprobe('-of', 'compact', '-show_entries', entries, path);
  assert.match(probe, /profile=Main\|codec_tag_string=hvc1\|width=322\|height=242\|sample_aspect_ratio=4:3/);
  const level = /level=(\d+)/.exec(probe)?.[1];
  const config = units[0]?.config;
  assert.ok(config?.kind === 'video');
  assert.match(config.codec, new RegExp(`^hvc1\\.1\\.6\\.L${level}\\.`));
  assert.equal(config.frameRate, 25);
  assert.equal(config.reorderDepth, 2);
});

test('the parameter sets that changed are in the file: another size in mid-stream', async () => {
  const first = await encode('day', '320x240', 'keyint=25:bframes=0');
  const second = await encode('night', '176x144', 'keyint=25:bframes=0');
  const { path } = await record('change', [...(await readUnits(first)), ...(await readUnits(second))]);
  const frames = await ffprobe('-of', 'compact', '-show_entries', 'frame=width,height', path);
  const sizes = [...frames.matchAll(/width=(\d+)\|height=(\d+)/g)].map((match) => `${match[1]}x${match[2]}`);
  assert.deepEqual(sizes, [...Array(FRAMES).fill('320x240'), ...Array(FRAMES).fill('176x144')]);
});

test('whatever packets are lost, every frame in the file is one of the source, and none is damaged', async () => {
  const source = await encode('lossy', '320x240', 'keyint=8:slices=2:bframes=0');
  const expected = await frameHashes(source, 'v:0');
  const { path, depacketizer } = await record('lossy', await readUnits(source), steadyLoss(0.02));
  const found = await frameHashes(path, 'v:0');
  const { droppedAccessUnits } = depacketizer.stats;
  assert.ok(droppedAccessUnits > 5 && found.length > 15, `${droppedAccessUnits} dropped, ${found.length} in the file`);
  assert.deepEqual(
    found.filter((hash) => !expected.includes(hash)),
    [],
  );
});

test('an open group that is joined late: leading pictures that refer to what never came are left out', async () => {
  const source = await encode('joined', '320x240', 'keyint=12:min-keyint=12:bframes=3:b-adapt=0:open-gop=1');
  const expected = await frameHashes(source, 'v:0');
  const units = await readUnits(source);
  const cra = units.findIndex((unit) => typesOf(unit).includes(21));
  assert.ok(cra > 0, 'the source has a CRA picture');
  const leading = units.filter((unit, index) => index > cra && typesOf(unit).some((type) => type === 8 || type === 9));
  const { path, depacketizer } = await record('joined', units.slice(cra));
  assert.ok(depacketizer.stats.droppedAccessUnits > 0 && depacketizer.stats.droppedAccessUnits < leading.length);
  const found = await frameHashes(path, 'v:0');
  assert.equal(found.length, depacketizer.stats.accessUnits);
  assert.deepEqual(found, expected.slice(-found.length));
});

test('an intra refresh that is joined late is right once it has gone round', async () => {
  // Nothing that reaches from what is not yet right into what is: loop filters, predictions of motion and intra pictures.
  const closed = 'no-deblock=1:no-sao=1:no-temporal-mvp=1:constrained-intra=1';
  const source = await encode('late', '320x240', `keyint=15:intra-refresh=1:bframes=0:${closed}`);
  const expected = await frameHashes(source, 'v:0');
  // Recovery in 14 pictures, exactly: x265 repeats the parameter sets when a refresh begins, but leaves this out.
  const recoveryPoint = Uint8Array.of(0x4e, 0x01, 6, 2, 0x0e, 0x50, 0x80);
  const units = (await readUnits(source)).map((unit) => {
    const isRefresh = typesOf(unit).includes(33);
    return isRefresh ? [...unit.slice(0, -1), recoveryPoint, ...unit.slice(-1)] : unit;
  });
  const isIrapUnit = (unit: readonly Uint8Array[]) => typesOf(unit).some((type) => type >= 16 && type <= 21);
  assert.equal(units.filter(isIrapUnit).length, 1, 'the source has one IRAP picture, its first');
  const { path, depacketizer } = await record('late', units.slice(4));
  const { accessUnits, keyFrames } = depacketizer.stats;
  assert.deepEqual({ accessUnits, keyFrames }, { accessUnits: 35, keyFrames: 3 });
  const found = await frameHashes(path, 'v:0');
  assert.deepEqual(found.slice(-20), expected.slice(-20));
});

for (const x265 of ['bframes=4:b-pyramid=1:b-adapt=0:open-gop=1:keyint=17:min-keyint=17', 'bframes=0:keyint=25']) {
  test(`picture order counts are in the order in which FFmpeg shows the pictures (${x265})`, async () => {
    const name = x265.replace(/\W/g, '_');
    const units = await readUnits(await encode(name, '320x240', x265));
    const sets = new H265ParameterSets();
    const order = new H265PictureOrder();
    // Starts anew at each IDR picture, as the order of what is shown does.
    let sequence = 0;
    const pictures = units.map((unit, index) => {
      for (const nalUnit of unit) sets.add(nalUnit);
      const slice = unit.find((nalUnit) => h265TypeOf(nalUnit[0] ?? 0) < 32) ?? new Uint8Array();
      const type = h265TypeOf(slice[0] ?? 0);
      const start = parseH265SliceStart(type, slice.subarray(2), (id) => sets.setsFor(id));
      const bits = sets.setsFor(start?.ppsId ?? 0)?.sps.pictureOrderBits;
      assert.ok(start?.pictureOrderLsb != null && bits !== undefined);
      const isStart = type === 19 || type === 20;
      if (isStart) sequence++;
      const count = order.next(type, ((slice[1] ?? 0) & 7) - 1, start.pictureOrderLsb, bits, isStart);
      return { index, sequence, count };
    });
    pictures.sort((a, b) => a.sequence - b.sequence || a.count - b.count);
    const { path } = await record(name, units);
    const frames = await ffprobe('-of', 'csv=p=0', '-show_entries', 'frame=pts', path);
    const shown = [...frames.matchAll(/^(\d+)/gm)].map(([text]) => Number(text) / 3_600);
    assert.deepEqual(
      pictures.map(({ index }) => index),
      shown,
    );
  });
}

for (const [name, x265, depth] of [
  ['B-frames', 'keyint=25:bframes=2:b-pyramid=0:b-adapt=0:open-gop=0', 1],
  ['pyramids', 'keyint=25:bframes=4:b-pyramid=1:b-adapt=0:open-gop=0', 2],
  ['open groups', 'keyint=12:min-keyint=12:bframes=3:b-pyramid=1:b-adapt=0:open-gop=1', 2],
] as const) {
  test(`${name}: every frame is decoded in time and shown at its time`, async () => {
    const inMp4 = join(directory, `${name}-source.mp4`);
    await ffmpeg(
      ...['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25', '-frames:v', `${FRAMES}`],
      ...['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-video_track_timescale', '90000'],
      ...['-x265-params', `log-level=none:aud=1:pools=1:frame-threads=1:repeat-headers=1:${x265}`, inMp4],
    );
    const source = join(directory, `${name}-source.h265`);
    await ffmpeg('-i', inMp4, '-c', 'copy', '-bsf:v', 'hevc_mp4toannexb', '-f', 'hevc', source);
    const times = (await timingsOf(inMp4)).map(({ pts }) => pts);
    const { path, units, depacketizer } = await recordVideo(
      join(directory, `${name}-recorded.mp4`),
      await readUnits(source),
      {
        Packetizer: H265Packetizer,
        Depacketizer: H265Depacketizer,
        times,
      },
    );
    assert.equal(depacketizer.stats.droppedAccessUnits, 0);
    assert.deepEqual(await frameHashes(path, 'v:0'), await frameHashes(source, 'v:0'));
    const timings = await timingsOf(path);
    const origin = (timings[0]?.pts ?? 0) - (times[0] ?? 0);
    assert.deepEqual(
      timings.map(({ pts }) => pts - origin),
      times,
    );
    for (const [index, { pts, dts }] of timings.entries()) {
      assert.ok(pts >= dts && dts > (timings[index - 1]?.dts ?? Number.NEGATIVE_INFINITY), `picture ${index}`);
    }
    // No more delay than reordering needs: each picture is decoded at the time of the one `depth` places before it.
    const shown = times.toSorted((a, b) => a - b);
    for (const [index, unit] of units.entries()) {
      if (index >= depth) assert.equal(unit.decodeTime, shown[index - depth], `picture ${index}`);
    }
  });
}

async function timingsOf(path: string): Promise<{ pts: number; dts: number }[]> {
  const text = await ffprobe('-select_streams', 'v:0', '-show_entries', 'packet=pts,dts', '-of', 'json', path);
  return JSON.parse(text).packets;
}
