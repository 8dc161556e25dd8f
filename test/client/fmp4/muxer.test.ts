import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aacLcConfig } from '../../../client/codec/aac.js';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { avcTrackConfig } from '../../../client/codec/h264.js';
import { parseSps } from '../../../client/codec/h264-sps.js';
import type { TrackConfig } from '../../../client/codec/track-config.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';
import { findBox, findBoxes, readBoxes, readTrun } from './boxes.js';

function videoConfig(spsText: string): TrackConfig {
  const nalUnit = bytes(spsText);
  const sps = parseSps(nalUnit);
  assert.ok(sps !== null);
  return avcTrackConfig(sps, nalUnit, [bytes('68ef8fcb')]);
}

const VIDEO = videoConfig('6764000dacb40a0fd808800001f480007530078a1550');
const OTHER_SPS = '67640028acd940780227e5c044000003000400000300c83c60c658';
const AUDIO = aacLcConfig(48_000, 2) as TrackConfig;

function unit(time: number, config: TrackConfig | null = null, isKeyFrame = config !== null): AccessUnit {
  const pieces = [bytes('00000002'), bytes('4188')];
  return { presentationTime: time, decodeTime: time, isKeyFrame, pieces, byteLength: 6, config };
}

class File {
  readonly chunks: Uint8Array[] = [];
  readonly errors: string[] = [];
  readonly writer: Mp4FileWriter;

  constructor(tracks = 1) {
    const all = [
      { trackId: 1, timescale: 90_000 },
      { trackId: 2, timescale: 48_000 },
    ];
    this.writer = new Mp4FileWriter(all.slice(0, tracks), {
      onBytes: (data) => this.chunks.push(data),
      onError: (error, index) => this.errors.push(`${index}: ${error.code}`),
    });
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chunks));
  }

  /** Durations of all samples of a track, and the decode times of its fragments. */
  track(trackId: number): { durations: number[]; offsets: number[]; times: number[] } {
    const moofs = readBoxes(this.bytes).filter((box) => box.type === 'moof');
    const own = moofs.filter((moof) => findBox(moof.body, 'tfhd').body.readUInt32BE(4) === trackId);
    const samples = own.flatMap((moof) => readTrun(findBox(moof.body, 'trun')).samples);
    return {
      durations: samples.map((sample) => sample.duration),
      offsets: samples.map((sample) => sample.offset),
      times: own.map((moof) => Number(findBox(moof.body, 'tfdt').body.readBigUInt64BE(4))),
    };
  }
}

test('durations are those up to the next sample; the last one repeats', () => {
  const file = new File();
  for (const [index, time] of [1_000, 4_600, 8_300, 11_900].entries()) {
    file.writer.push(0, unit(time, index === 0 ? VIDEO : null));
  }
  file.writer.finish();
  assert.deepEqual(file.track(1), { durations: [3_600, 3_700, 3_600, 3_600], offsets: [0, 0, 0, 0], times: [0] });
});

test('a video of one frame lasts as long as its rate says', () => {
  const file = new File();
  file.writer.push(0, unit(77, VIDEO));
  file.writer.finish();
  assert.deepEqual(file.track(1).durations, [3_003]);
});

test('the file begins when all tracks have begun', () => {
  const file = new File(2);
  file.writer.push(0, unit(0, VIDEO));
  file.writer.push(0, unit(3_600));
  assert.equal(file.chunks.length, 0);
  file.writer.push(1, unit(0, AUDIO));
  assert.equal(findBoxes(file.bytes, 'trak').length, 2);
  file.writer.push(1, unit(1_024));
  file.writer.finish();
  assert.deepEqual(file.track(1).durations, [3_600, 3_600]);
  assert.deepEqual(file.track(2).durations, [1_024, 1_024]);
});

test('a track that does not begin within two seconds is left out', () => {
  const file = new File(2);
  for (let frame = 0; frame <= 50; frame++) file.writer.push(0, unit(frame * 3_600, frame === 0 ? VIDEO : null));
  assert.equal(findBoxes(file.bytes, 'trak').length, 1);
  file.writer.push(1, unit(0, AUDIO));
  file.writer.finish();
  assert.deepEqual(file.track(2).durations, []);
  assert.equal(file.track(1).durations.length, 51);
});

test('fragments end at key frames and after a second', () => {
  const file = new File();
  for (let frame = 0; frame < 100; frame++) {
    file.writer.push(0, unit(frame * 3_600, frame === 0 ? VIDEO : null, frame === 0 || frame === 40));
  }
  file.writer.finish();
  // The fragment goes out when the access unit after its last sample has come.
  assert.deepEqual(
    file.track(1).times.map((time) => time / 3_600),
    [0, 25, 40, 65, 90],
  );
  assert.equal(file.track(1).durations.length, 100);
});

test('times that stand still or jump back still grow in the file', () => {
  const file = new File();
  for (const [index, time] of [0, 3_600, 3_600, 100, 7_200].entries()) {
    file.writer.push(0, unit(time, index === 0 ? VIDEO : null));
  }
  file.writer.finish();
  const { durations, offsets } = file.track(1);
  assert.deepEqual(durations, [3_600, 1, 1, 3_598, 3_598]);
  assert.deepEqual(offsets, [0, 0, -1, -3_502, 0]);
});

test('a jump of days fits', () => {
  const file = new File();
  file.writer.push(0, unit(0, VIDEO));
  file.writer.push(0, unit(2 ** 40));
  file.writer.finish();
  assert.equal(file.track(1).durations[0], 0xffff_ffff);
});

test('file times that the caller gives are taken', () => {
  const file = new File();
  file.writer.push(0, unit(5_000_000, VIDEO), 900);
  file.writer.push(0, unit(5_003_600), 4_500);
  file.writer.finish();
  assert.deepEqual(file.track(1).times, [900]);
  assert.deepEqual(file.track(1).durations, [3_600, 3_600]);
});

test('changed parameter sets go into their sample', () => {
  const file = new File();
  file.writer.push(0, unit(0, VIDEO));
  file.writer.push(0, unit(3_600, videoConfig(OTHER_SPS)));
  file.writer.finish();
  assert.deepEqual(file.errors, []);
  const data = findBoxes(file.bytes, 'mdat').map((box) => hex(box.body));
  assert.equal(data.join(''), `000000024188 0000001b${OTHER_SPS}0000000468ef8fcb000000024188`.replace(' ', ''));
});

test('sound that changes its configuration ends with an error, and the picture goes on', () => {
  const file = new File(2);
  file.writer.push(0, unit(0, VIDEO));
  file.writer.push(1, unit(0, AUDIO));
  file.writer.push(1, unit(1_024, aacLcConfig(44_100, 2)));
  file.writer.push(1, unit(2_048));
  file.writer.push(0, unit(3_600));
  file.writer.finish();
  assert.deepEqual(file.errors, ['1: codec-unsupported']);
  assert.deepEqual(file.track(2).durations, [1_024]);
  assert.equal(file.track(1).durations.length, 2);
});

test('a file to which nothing came is empty, and nothing comes after the end', () => {
  const file = new File(2);
  file.writer.finish();
  file.writer.finish();
  file.writer.push(0, unit(0, VIDEO));
  assert.deepEqual(file.chunks, []);
  assert.throws(() => file.writer.push(2, unit(0)), /no track of index 2/);
});
