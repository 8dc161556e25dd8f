import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BitReader } from '../../../client/codec/bit-reader.js';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { parseSps } from '../../../client/codec/h264-sps.js';
import { escapeNalUnit, unescapeNalUnit } from '../../../client/codec/nal-unit.js';
import { AacDepacketizer } from '../../../client/depacketizer/aac.js';
import { H264Depacketizer } from '../../../client/depacketizer/h264.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import { AacPacketizer } from '../../../shared/packetizer/aac.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { audioFormat, videoFormat } from '../depacketizer/rtp-fixtures.js';
import { ffmpeg, ffprobe, frameHashes, readAccessUnits, readAdtsBlocks, traceHeaders } from './encoded-media.js';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mp4-file-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const FRAME_TICKS = 3_600;

/** Encodes a moving picture; x264 puts a delimiter in front of each access unit. */
async function encode(name: string, size: string, x264: string, ...options: readonly string[]): Promise<string> {
  const path = join(directory, `${name}.h264`);
  const source = `testsrc2=size=${size}:rate=25`;
  const params = `aud=1:threads=1:${x264}`;
  await ffmpeg(
    ...['-f', 'lavfi', '-i', source, '-frames:v', '60', '-c:v', 'libx264', '-preset', 'veryfast'],
    ...[...options, '-x264-params', params, '-f', 'h264', path],
  );
  return path;
}

interface Result {
  path: string;
  errors: string[];
  droppedUnits: number;
}

interface Streams {
  /** NAL units by access unit. */
  video: Uint8Array[][];
  /** Raw data blocks. */
  audio?: Uint8Array[];
  /** AudioSpecificConfig in hexadecimal. */
  audioConfig?: string;
  /** Asked for every packet of video. */
  isLost?: () => boolean;
}

/** Sends elementary streams through packets and depacketizers into a file. */
async function record(name: string, streams: Streams): Promise<Result> {
  const { video, audio = [], audioConfig = '', isLost = () => false } = streams;
  const chunks: Uint8Array[] = [];
  const errors: string[] = [];
  const tracks = [
    { trackId: 1, timescale: 90_000 },
    { trackId: 2, timescale: 48_000 },
  ];
  const writer = new Mp4FileWriter(audio.length === 0 ? tracks.slice(0, 1) : tracks, {
    onBytes: (bytes) => chunks.push(bytes),
    onError: (error) => errors.push(error.code),
  });
  const videoDepacketizer = new H264Depacketizer(videoFormat(), (unit) => writer.push(0, unit));
  const audioDepacketizer = new AacDepacketizer(
    audioFormat({ mode: 'AAC-hbr', sizelength: '13', indexlength: '3', indexdeltalength: '3', config: audioConfig }),
    (unit) => writer.push(1, unit),
  );
  const options = { ssrc: 1, sequenceNumber: 65_530, maxPayloadBytes: 900 };
  const videoPacketizer = new H264Packetizer({ ...options, payloadType: 96 });
  const audioPacketizer = new AacPacketizer({ ...options, payloadType: 97, maxPayloadBytes: 200 });
  let sentAudio = 0;
  let lost = 0;
  const sendAudio = (untilSeconds: number) => {
    for (; sentAudio < audio.length && sentAudio * 1_024 <= untilSeconds * 48_000; sentAudio++) {
      for (const bytes of audioPacketizer.packetize(audio.slice(sentAudio, sentAudio + 1), sentAudio * 1_024)) {
        const packet = parseRtpPacket(bytes);
        assert.ok(packet !== null);
        audioDepacketizer.push(packet, sentAudio * 1_024, 0);
      }
    }
  };
  for (const [index, nalUnits] of video.entries()) {
    for (const bytes of videoPacketizer.packetize(nalUnits, index * FRAME_TICKS)) {
      const packet = parseRtpPacket(bytes);
      assert.ok(packet !== null);
      if (isLost()) {
        lost++;
        continue;
      }
      videoDepacketizer.push(packet, index * FRAME_TICKS, lost);
      lost = 0;
    }
    sendAudio(index / 25);
  }
  sendAudio(Number.POSITIVE_INFINITY);
  writer.finish();
  const path = join(directory, `${name}.mp4`);
  await writeFile(path, Buffer.concat(chunks));
  return { path, errors, droppedUnits: videoDepacketizer.stats.droppedAccessUnits };
}

const streams: readonly { name: string; size: string; x264: string; options?: readonly string[] }[] = [
  { name: 'baseline', size: '320x240', x264: 'keyint=25', options: ['-profile:v', 'baseline', '-pix_fmt', 'yuv420p'] },
  {
    name: 'main, zero latency',
    size: '322x242',
    x264: 'keyint=25',
    options: ['-profile:v', 'main', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
  },
  {
    name: 'high',
    size: '640x360',
    x264: 'keyint=25:bframes=0:8x8dct=1',
    options: ['-profile:v', 'high', '-pix_fmt', 'yuv420p'],
  },
  { name: 'four slices', size: '320x240', x264: 'keyint=25:slices=4:bframes=0', options: ['-pix_fmt', 'yuv420p'] },
  {
    name: 'slices of at most 500 bytes',
    size: '320x240',
    x264: 'keyint=25:slice-max-size=500:bframes=0',
    options: ['-pix_fmt', 'yuv420p'],
  },
  {
    name: 'intra refresh',
    size: '320x240',
    x264: 'keyint=25:intra-refresh=1:bframes=0',
    options: ['-pix_fmt', 'yuv420p'],
  },
  {
    name: 'B-frames in pyramids',
    size: '320x240',
    x264: 'keyint=25:bframes=3:b-pyramid=normal:b-adapt=0',
    options: ['-pix_fmt', 'yuv420p'],
  },
  {
    name: 'open groups of pictures',
    size: '320x240',
    x264: 'keyint=15:open-gop=1:bframes=2:b-adapt=0',
    options: ['-pix_fmt', 'yuv420p'],
  },
  { name: 'interlaced (MBAFF)', size: '320x240', x264: 'keyint=25:tff=1:bframes=0', options: ['-pix_fmt', 'yuv420p'] },
  { name: '4:2:2', size: '320x240', x264: 'keyint=25:bframes=0', options: ['-pix_fmt', 'yuv422p'] },
  { name: '4:4:4', size: '320x240', x264: 'keyint=25:bframes=0', options: ['-pix_fmt', 'yuv444p'] },
  { name: '10 bits', size: '320x240', x264: 'keyint=25:bframes=0', options: ['-pix_fmt', 'yuv420p10le'] },
];

for (const { name, size, x264, options = [] } of streams) {
  test(`H.264 ${name}: every frame of the file is the source's`, async () => {
    const source = await encode(name.replace(/\W/g, '_'), size, x264, ...options);
    const units = await readAccessUnits(source);
    const { path, droppedUnits, errors } = await record(name.replace(/\W/g, '_'), { video: units });
    assert.deepEqual(errors, []);
    assert.equal(droppedUnits, 0);
    const expected = await frameHashes(source, 'v:0');
    assert.equal(expected.length, 60);
    assert.deepEqual(await frameHashes(path, 'v:0'), expected);
  });
}

test('H.264 and AAC: all frames of both, and the sizes and rates that the streams declare', async () => {
  const source = await encode('both', '320x240', 'keyint=25:bframes=0', '-pix_fmt', 'yuv420p', '-vf', 'setsar=4/3');
  const adts = join(directory, 'both.aac');
  await ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=440:sample_rate=48000',
    '-t',
    '2.4',
    '-ac',
    '2',
    '-c:a',
    'aac',
    adts,
  );
  const blocks = await readAdtsBlocks(adts);
  const { path, errors } = await record('both', {
    video: await readAccessUnits(source),
    audio: blocks,
    audioConfig: '1190',
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(await frameHashes(path, 'v:0'), await frameHashes(source, 'v:0'));
  assert.deepEqual(await frameHashes(path, 'a:0'), await frameHashes(adts, 'a:0'));
  const entries = 'stream=width,height,sample_aspect_ratio,avg_frame_rate,sample_rate,channels,profile:format=duration';
  const probe = await ffprobe('-of', 'compact', '-show_entries', entries, path);
  assert.match(probe, /width=320\|height=240\|sample_aspect_ratio=4:3\|avg_frame_rate=25\/1/);
  assert.match(probe, /profile=LC\|sample_rate=48000\|channels=2/);
  assert.match(probe, /duration=2\.4/);
});

test('a change of resolution in mid-stream survives in the file', async () => {
  const first = await encode('day', '320x240', 'keyint=25:bframes=0', '-pix_fmt', 'yuv420p');
  const second = await encode('night', '176x144', 'keyint=25:bframes=0', '-pix_fmt', 'yuv420p');
  const units = [...(await readAccessUnits(first)), ...(await readAccessUnits(second))];
  const { path } = await record('change', { video: units });
  // framemd5 scales to the first size, so sizes are what tells the frames apart.
  const frames = await ffprobe('-of', 'compact', '-show_entries', 'frame=width,height', path);
  const sizes = [...frames.matchAll(/width=(\d+)\|height=(\d+)/g)].map((match) => `${match[1]}x${match[2]}`);
  assert.deepEqual(sizes, [...Array(60).fill('320x240'), ...Array(60).fill('176x144')]);
});

test('whatever packets are lost, every frame in the file is one of the source, and none is damaged', async () => {
  const source = await encode('lossy', '320x240', 'keyint=10:slices=2:bframes=0', '-pix_fmt', 'yuv420p');
  const expected = await frameHashes(source, 'v:0');
  // 60 access units in some 250 packets; the same ones are lost every time.
  let state = 12_345;
  const isLost = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31 < 0.02;
  };
  const { path, droppedUnits } = await record('lossy', { video: await readAccessUnits(source), isLost });
  const found = await frameHashes(path, 'v:0');
  assert.ok(droppedUnits > 5 && found.length > 15, `${droppedUnits} dropped, ${found.length} in the file`);
  assert.deepEqual(
    found.filter((hash) => !expected.includes(hash)),
    [],
  );
});

test('an intra refresh that is joined late is right once it has gone round', async () => {
  const source = await encode('late', '320x240', 'keyint=20:intra-refresh=1:bframes=0', '-pix_fmt', 'yuv420p');
  const expected = await frameHashes(source, 'v:0');
  const units = await readAccessUnits(source);
  // The parameter sets come again with each refresh.
  const { path } = await record('late', { video: units.slice(5) });
  const found = await frameHashes(path, 'v:0');
  assert.ok(found.length >= 20, `${found.length} frames`);
  assert.deepEqual(found, expected.slice(-found.length));
});

/** An SPS of Baseline or Main as many cameras send it: with all of its VUI cut off. */
function withoutVui(nalUnit: Uint8Array): Uint8Array {
  const sps = parseSps(nalUnit);
  assert.ok(sps?.restrictionSlot === null, 'x264 writes a restriction');
  const rbsp = unescapeNalUnit(nalUnit);
  // vui_parameters_present_flag lies where the parameter set is still one when it ends there.
  for (let offset = 8 * rbsp.length; offset > 40; offset--) {
    const source = new BitReader(rbsp);
    const bits = new BitWriter(rbsp.length + 1);
    while (source.position < offset) bits.write(source.unsigned(1), 1);
    if (!source.flag()) continue;
    bits.write(0b01, 2);
    const candidate = escapeNalUnit(bits.bytes());
    const parsed = parseSps(candidate);
    if (parsed?.restrictionSlot?.offset === offset && !parsed.restrictionSlot.hasVui) return candidate;
  }
  throw new Error('No VUI found.');
}

test('a Baseline stream without VUI gets a restriction, and decodes as before without delay', async () => {
  const source = await encode('bare', '320x240', 'keyint=25', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p');
  const units = await readAccessUnits(source);
  const isSps = (nalUnit: Uint8Array) => ((nalUnit[0] ?? 0) & 0x1f) === 7;
  const bare = units.map((unit) => unit.map((nalUnit) => (isSps(nalUnit) ? withoutVui(nalUnit) : nalUnit)));
  const { path } = await record('bare', { video: bare });
  assert.deepEqual(await frameHashes(path, 'v:0'), await frameHashes(source, 'v:0'));
  const trace = await traceHeaders(path);
  assert.match(trace, /bitstream_restriction_flag\s+1 = 1/);
  assert.match(trace, /max_num_reorder_frames\s+1 = 0/);
  assert.match(trace, /max_dec_frame_buffering\s+\d+ = \d/);
});
