import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { H265Depacketizer } from '../../../client/depacketizer/h265.js';
import { MAX_NAL_UNITS } from '../../../shared/limits.js';
import {
  aggregationPacket,
  bytes,
  feed,
  fragmentationUnits,
  hex,
  nalUnitsOf,
  type TestPacket,
  videoConfigOf,
  videoFormat,
} from './rtp-fixtures.js';

/** Main, 1920×1080 and 320×240, made by x265; all sets have id 0. */
const VPS = bytes('40010c01ffff016000000300900000030000030078959409');
const SPS = bytes('420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84');
const PPS = bytes('4401c172b46240');
const OTHER_SPS = bytes('42010101600000030090000003000003003ca00a080f16592a49395e02d0100000030010000003019080');
const DELIMITER = bytes('460110');
const SEI = bytes('4e01 0502aabb 80');
const RECOVERY = bytes('4e01 0601d0 80');
const SUFFIX_SEI = bytes('5001 8401cc 80');
/** First slice segments begin with a set bit; those of the same picture after it do not. */
const IDR = bytes('2601 af1d aabbcc');
const IDR_SECOND = bytes('2601 2f1d ddeeff');
const CRA = bytes('2a01 af09 313233');
const BLA = bytes('2001 af09 414243');
const RASL = bytes('1201 e010 515253');
const RADL = bytes('0e01 e014 616263');
const P = bytes('0201 d020 112233');
const P_SECOND = bytes('0201 5020 445566');

class Recorder {
  readonly units: AccessUnit[] = [];
  readonly depacketizer: H265Depacketizer;

  constructor(parameters: Record<string, string> = {}) {
    this.depacketizer = new H265Depacketizer(videoFormat(parameters), (unit) => this.units.push(unit));
  }

  feed(...packets: readonly TestPacket[]): this {
    feed(this.depacketizer, packets);
    return this;
  }

  get samples(): string[][] {
    return this.units.map(nalUnitsOf);
  }

  get times(): number[] {
    return this.units.map((unit) => unit.presentationTime);
  }

  get keys(): boolean[] {
    return this.units.map((unit) => unit.isKeyFrame);
  }
}

/** A packet without marker, and one with. */
const mid = (payload: Uint8Array, time: number, lost = 0): TestPacket => ({ payload, time, lost });
const end = (payload: Uint8Array, time: number, lost = 0): TestPacket => ({ payload, time, lost, marker: true });
const sets = (time: number): TestPacket[] => [mid(VPS, time), mid(SPS, time), mid(PPS, time)];
const withSets = (...packets: readonly TestPacket[]): Recorder =>
  new Recorder().feed(...sets(packets[0]?.time ?? 0), ...packets);
const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64');
const join = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

test('single NAL unit packets: the sample without parameter sets, the configuration with them', () => {
  const recorder = withSets(mid(SEI, 100), end(IDR, 100), end(P, 3_700));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)], [hex(P)]]);
  assert.deepEqual(recorder.times, [100, 3_700]);
  assert.deepEqual(recorder.keys, [true, false]);
  const [first, second] = recorder.units;
  // As if the frames before had come: the set declares a reorder depth of 2, and 25 frames a second are taken for granted.
  assert.equal(first?.decodeTime, 100 - 2 * 3_600);
  assert.equal(videoConfigOf(first)?.codec, 'hvc1.1.6.L120.90');
  assert.equal(second?.config, null);
  assert.deepEqual(recorder.depacketizer.stats, {
    accessUnits: 2,
    keyFrames: 1,
    droppedAccessUnits: 0,
    malformedPackets: 0,
  });
});

test('aggregation packets: the NAL units of one packet', () => {
  const recorder = new Recorder().feed(end(aggregationPacket(DELIMITER, VPS, SPS, PPS, SEI, IDR), 5));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)]]);
});

test('fragmentation units become one NAL unit with its header, and none of their bytes is copied', () => {
  const nalUnit = bytes('2603 af1d aabbcc'); // with a temporal id, which is in the payload header
  const fragments = fragmentationUnits(nalUnit, 2, 1);
  const recorder = withSets(...fragments.map((payload, index) => ({ payload, time: 9, marker: index === 2 })));
  assert.deepEqual(recorder.samples, [[hex(nalUnit)]]);
  const [, ...views] = recorder.units[0]?.pieces ?? [];
  assert.deepEqual(
    views.map((view) => view.buffer),
    fragments.map((payload) => payload.buffer),
  );
});

test('an access unit goes out at its marker, not at the next time stamp', () => {
  assert.equal(withSets(end(IDR, 0)).units.length, 1);
});

test('several slice segments are one access unit', () => {
  const recorder = withSets(mid(IDR, 0), end(IDR_SECOND, 0), mid(P, 1), end(P_SECOND, 1));
  assert.deepEqual(recorder.samples, [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('suffix SEI ends no picture and stays with it; behind the marker it is left out', () => {
  const recorder = withSets(mid(IDR, 0), end(SUFFIX_SEI, 0), end(P, 1), end(SUFFIX_SEI, 1), end(P, 2));
  assert.deepEqual(recorder.samples, [[hex(IDR), hex(SUFFIX_SEI)], [hex(P)], [hex(P)]]);
});

test('delimiters, filler, ends of sequences and reserved types are stripped', () => {
  const others = ['4c01ff80', '4a01', '4801', '2e01af', '5201aa'].map(bytes);
  const recorder = withSets(mid(DELIMITER, 0), mid(IDR, 0), ...others.map((nalUnit) => mid(nalUnit, 0)), end(P, 1));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(P)]]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 0);
});

test('enhancement layers stay out of the sample', () => {
  const recorder = withSets(mid(IDR, 0), mid(bytes('2609 af1d aabb'), 0), end(bytes('2701 af1d aabb'), 0), end(P, 1));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(P)]]);
});

// Decoding order numbers and PACI.

test('DONL and DOND are passed over where sprop-max-don-diff says that they are there', () => {
  const recorder = new Recorder({ 'sprop-max-don-diff': '2' });
  const single = join(IDR.subarray(0, 2), bytes('0102'), IDR.subarray(2));
  const size = (nalUnit: Uint8Array) => Uint8Array.of(0, nalUnit.length);
  const aggregate = join(
    ...[bytes('6001'), bytes('0001'), size(VPS), VPS, bytes('00'), size(SPS), SPS, bytes('00'), size(PPS), PPS],
  );
  const [first, last] = fragmentationUnits(P, 3) as [Uint8Array, Uint8Array];
  const withOrder = join(first.subarray(0, 3), bytes('0203'), first.subarray(3));
  recorder.feed(mid(aggregate, 0), end(single, 0), mid(withOrder, 1), end(last, 1), end(bytes('0201d0'), 2));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(P)]]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
});

test('sprop-max-don-diff 0 means that there are none', () => {
  const recorder = new Recorder({ 'sprop-max-don-diff': '0' }).feed(...sets(0), end(IDR, 0));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
});

test('PACI packets: what is in them is taken, the control information is not', () => {
  // PaciHdr: type 50; A 0, cType, PHSsize 3, F0 to F2 and Y; then three bytes of extension.
  const paci = (payload: Uint8Array) => {
    const [header = 0, second = 0] = payload;
    return join(Uint8Array.of(0x64, second, header & 0xfe, 0x38), bytes('a1a2a3'), payload.subarray(2));
  };
  const [first, last] = fragmentationUnits(P, 3) as [Uint8Array, Uint8Array];
  const recorder = withSets(end(paci(IDR), 0), mid(paci(first), 1), end(paci(last), 1));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(P)]]);
});

test('a PACI packet with nothing in it, or with another in it, is dropped', () => {
  for (const payload of [bytes('6401 2638 a1a2a3'), bytes('6401 6408 aabbcc'), bytes('64'), bytes('6401')]) {
    const recorder = withSets(end(payload, 0), end(IDR, 1));
    assert.deepEqual(recorder.times, [1]);
    assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
  }
});

// Parameter sets.

const description = { 'sprop-vps': base64(VPS), 'sprop-sps': base64(SPS), 'sprop-pps': base64(PPS) };

test('out-of-band parameter sets are enough', () => {
  const recorder = new Recorder(description);
  assert.equal(recorder.depacketizer.announcedConfig?.width, 1_920);
  assert.equal(videoConfigOf(recorder.feed(end(IDR, 0)).units[0])?.width, 1_920);
});

test('in-band parameter sets win over those of the description', () => {
  const recorder = new Recorder(description).feed(mid(OTHER_SPS, 0), mid(PPS, 0), end(IDR, 0));
  assert.equal(videoConfigOf(recorder.units[0])?.width, 320);
});

test('without parameter sets nothing goes out', () => {
  const recorder = new Recorder().feed(end(IDR, 0), end(P, 1), mid(SPS, 2), mid(PPS, 2), end(IDR, 2));
  assert.equal(recorder.units.length, 0, 'the video parameter set is still missing');
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 3);
  recorder.feed(mid(VPS, 3), end(IDR, 3));
  assert.equal(recorder.units.length, 1);
});

test('a new SPS in band gives a new configuration (cameras that switch between day and night)', () => {
  const recorder = withSets(end(IDR, 0), end(P, 1), mid(VPS, 2), mid(OTHER_SPS, 2), mid(PPS, 2), end(IDR, 2));
  assert.deepEqual(
    recorder.units.map((unit) => videoConfigOf(unit)?.width),
    [1_920, undefined, 320],
  );
  assert.deepEqual(recorder.samples.at(-1), [hex(IDR)]);
});

test('a PPS that changes between key frames stays in its sample', () => {
  const newPps = bytes('4401 c172b46244');
  const recorder = withSets(end(IDR, 0), mid(newPps, 1), end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(newPps), hex(P)], [hex(IDR)]]);
  assert.ok(hex(recorder.units[2]?.config?.description ?? []).includes(hex(newPps)));
});

// Markers, times and shapes as cameras send them: as in H.264, whose tests have them all.

test('markers on parameter sets and SEI end nothing', () => {
  const recorder = new Recorder().feed(end(VPS, 0), end(SPS, 0), end(PPS, 0), end(SEI, 0), end(IDR, 0));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)]]);
});

test('no marker ever: the next time stamp, or the next first slice, ends an access unit', () => {
  const expected = [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ];
  const byTime = withSets(mid(IDR, 0), mid(IDR_SECOND, 0), mid(P, 1), mid(P_SECOND, 1), mid(P, 2));
  assert.deepEqual(byTime.samples, expected);
  const bySlice = withSets(mid(IDR, 0), mid(IDR_SECOND, 0), mid(P, 0), mid(P_SECOND, 0), mid(P, 0));
  assert.deepEqual(bySlice.samples, expected);
});

test('markers on every slice are found out, and pictures are whole from the next key frame on', () => {
  const picture = (first: Uint8Array, second: Uint8Array, time: number) => [end(first, time), end(second, time)];
  const recorder = withSets(...picture(IDR, IDR_SECOND, 0), ...picture(P, P_SECOND, 1));
  recorder.feed(...picture(IDR, IDR_SECOND, 2), ...picture(P, P_SECOND, 3), ...picture(P, P_SECOND, 4));
  assert.deepEqual(recorder.samples.slice(1), [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('a fragmentation unit with start and end both set holds a whole NAL unit', () => {
  const payload = join(bytes('6201 d3'), IDR.subarray(2));
  assert.deepEqual(withSets(end(payload, 0)).samples, [[hex(IDR)]]);
});

test('payloads that are byte streams with start codes are split', () => {
  const stream = (...nalUnits: readonly Uint8Array[]) => join(...nalUnits.flatMap((unit) => [bytes('00000001'), unit]));
  const recorder = new Recorder().feed(end(stream(VPS, SPS, PPS, SEI, IDR), 0), end(stream(P), 1));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)], [hex(P)]]);
  const fragments = fragmentationUnits(stream(VPS, SPS, PPS, IDR).subarray(4), 20, 20);
  const other = new Recorder().feed(...fragments.map((payload) => mid(payload, 0)), end(P, 1));
  assert.deepEqual(other.samples, [[hex(IDR)], [hex(P)]]);
});

test('an aggregation packet that is padded with zeros is accepted, one whose length goes beyond it is not', () => {
  const padded = join(aggregationPacket(SEI, IDR), bytes('000000'));
  assert.deepEqual(withSets(end(padded, 0)).samples, [[hex(SEI), hex(IDR)]]);
  const recorder = withSets(end(aggregationPacket(IDR).subarray(0, -1), 0), end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.times, [2]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
});

// Loss.

test('after a loss everything up to the next key frame is dropped and counted', () => {
  const recorder = withSets(end(IDR, 0), end(P, 1), end(P, 3, 1), end(P, 4), end(CRA, 5), end(P, 6));
  assert.deepEqual(recorder.times, [0, 1, 5, 6]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

test('a fragmented NAL unit without its middle, its start or its end is dropped', () => {
  const [first, middle, last] = fragmentationUnits(IDR, 2, 2) as [Uint8Array, Uint8Array, Uint8Array];
  for (const packets of [
    [mid(first, 0), end(last, 0, 1)],
    [mid(middle, 0, 1), end(last, 0)],
    [mid(first, 0), mid(middle, 0), end(P, 1, 1)],
    [mid(first, 0), mid(middle, 0), end(P, 1)],
  ]) {
    const recorder = withSets(...packets);
    assert.deepEqual(recorder.samples, []);
    assert.deepEqual(recorder.feed(end(IDR, 9)).times, [9]);
  }
});

test('reset drops what is incomplete and waits for a key frame', () => {
  const recorder = withSets(end(IDR, 0), mid(P, 1));
  recorder.depacketizer.reset();
  recorder.feed(end(P_SECOND, 1), end(P, 2), end(IDR, 3));
  assert.deepEqual(recorder.times, [0, 3]);
});

// Key frames and leading pictures.

test('IDR, CRA and BLA pictures are key frames; a recovery point is one, for intra refresh', () => {
  const recorder = withSets(end(P, 0), end(CRA, 1), end(BLA, 2), end(IDR, 3), end(P, 4), mid(RECOVERY, 5), end(P, 5));
  assert.deepEqual(recorder.keys, [true, true, true, false, true]);
  assert.deepEqual(withSets(end(P, 0), mid(RECOVERY, 1), end(P, 1), end(P, 2)).times, [1, 2]);
});

test('after a start at a CRA picture those that refer to what came before are dropped, decodable ones are not', () => {
  const recorder = withSets(end(CRA, 9), end(RADL, 7), end(RASL, 8), end(P, 10), end(CRA, 14), end(RASL, 13));
  assert.deepEqual(recorder.times, [9, 7, 10, 14, 13]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 1);
});

test('the same behind a loss, a broken link and the end of a sequence', () => {
  const recorder = withSets(end(IDR, 0), end(CRA, 9, 1), end(RASL, 8), end(P, 10));
  recorder.feed(end(BLA, 20), end(RASL, 19), end(P, 21));
  recorder.feed(end(bytes('4801'), 21), end(CRA, 30), end(RASL, 29), end(P, 31));
  assert.deepEqual(recorder.times, [0, 9, 10, 20, 21, 30, 31]);
});

// Bounds.

test('a picture of more NAL units than the limit is dropped, and play goes on', () => {
  const many = Array.from({ length: MAX_NAL_UNITS + 1 }, () => mid(IDR_SECOND, 0));
  const recorder = withSets(mid(IDR, 0), ...many, end(IDR_SECOND, 0), end(IDR, 1));
  assert.deepEqual(recorder.times, [1]);
});
