import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { H264Depacketizer, loadH264Depacketizer } from '../../../client/depacketizer/h264.js';
import { MAX_NAL_UNITS } from '../../../shared/limits.js';
import {
  bytes,
  feed,
  fuA,
  hex,
  nalUnitsOf,
  stapA,
  type TestPacket,
  videoConfigOf,
  videoFormat,
} from './rtp-fixtures.js';

/** 640×360 and 320×240, made by x264; both sets have id 0. */
const SPS = bytes('67640028acd940780227e5c044000003000400000300c83c60c658');
const PPS = bytes('68ef8fcb');
const OTHER_SPS = bytes('6764000dacb40a0fd808800001f480007530078a1550');
const DELIMITER = bytes('0910');
const SEI = bytes('0605 04 01020304 80');
/** Recovery points: at once, and after 12 frames. */
const RECOVERY_NOW = bytes('0606 01 c4 80');
const RECOVERY_LATER = bytes('0606 02 1b10 80');
/** First slices begin with a set bit; slices of the same picture after it do not. */
const IDR = bytes('65 888404 aabbcc');
const IDR_SECOND = bytes('65 1422 11ddee');
const P = bytes('41 9a2104 112233');
const P_SECOND = bytes('41 1468 445566');
const I = bytes('41 888404 778899');

before(() => loadH264Depacketizer(videoFormat()));

class Recorder {
  readonly units: AccessUnit[] = [];
  readonly depacketizer: H264Depacketizer;

  constructor(parameters: Record<string, string> = {}) {
    this.depacketizer = new H264Depacketizer(videoFormat(parameters), (unit) => this.units.push(unit));
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
const sets = (time: number): TestPacket[] => [mid(SPS, time), mid(PPS, time)];
const withSets = (...packets: readonly TestPacket[]): Recorder =>
  new Recorder().feed(...sets(packets[0]?.time ?? 0), ...packets);
const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64');

test('single NAL unit packets: the sample without parameter sets, the configuration with them', () => {
  const recorder = withSets(mid(SEI, 100), end(IDR, 100), end(P, 3_700));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)], [hex(P)]]);
  assert.deepEqual(recorder.times, [100, 3_700]);
  assert.deepEqual(recorder.keys, [true, false]);
  const [first, second] = recorder.units;
  // As if the frames before had come: the set declares a reorder depth of 2, at 25 frames a second.
  assert.equal(first?.decodeTime, 100 - 2 * 3_600);
  assert.equal(first?.config?.codec, 'avc1.640028');
  assert.equal(second?.config, null);
  assert.deepEqual(recorder.depacketizer.stats, {
    accessUnits: 2,
    keyFrames: 1,
    droppedAccessUnits: 0,
    malformedPackets: 0,
  });
});

test('STAP-A: the NAL units of one packet', () => {
  const recorder = new Recorder().feed(end(stapA(DELIMITER, SPS, PPS, SEI, IDR), 5));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)]]);
});

test('FU-A: fragments become one NAL unit, and none of their bytes is copied', () => {
  const fragments = fuA(IDR, 2, 1);
  const recorder = withSets(...fragments.map((payload, index) => ({ payload, time: 9, marker: index === 2 })));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
  const [, ...views] = recorder.units[0]?.pieces ?? [];
  assert.deepEqual(
    views.map((view) => view.buffer),
    fragments.map((payload) => payload.buffer),
  );
});

test('an access unit goes out at its marker, not at the next time stamp', () => {
  const recorder = withSets(end(IDR, 0));
  assert.equal(recorder.units.length, 1);
});

test('several slices are one access unit', () => {
  const recorder = withSets(mid(IDR, 0), end(IDR_SECOND, 0), mid(P, 1), end(P_SECOND, 1));
  assert.deepEqual(recorder.samples, [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('delimiters, filler and ends of sequences are stripped, SEI stays', () => {
  const filler = bytes('0cffff80');
  const recorder = withSets(mid(DELIMITER, 0), mid(SEI, 0), mid(IDR, 0), mid(bytes('0a'), 0), end(filler, 0));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)]]);
});

test('the layers of SVC and MVC stay out of the sample', () => {
  const prefix = bytes('6e4080c0');
  const slices = [mid(prefix, 0), mid(IDR, 0), mid(prefix, 0), mid(IDR_SECOND, 0)];
  const recorder = withSets(...slices, end(bytes('7440c0aabb'), 0));
  assert.deepEqual(recorder.samples, [[hex(IDR), hex(IDR_SECOND)]]);
});

// Parameter sets.

test('out-of-band parameter sets are enough', () => {
  const recorder = new Recorder({ 'sprop-parameter-sets': `${base64(SPS)},${base64(PPS)}` }).feed(end(IDR, 0));
  assert.equal(videoConfigOf(recorder.units[0])?.width, 1_920);
});

test('in-band parameter sets win over those of the description', () => {
  const recorder = new Recorder({ 'sprop-parameter-sets': `${base64(SPS)},${base64(PPS)}` });
  recorder.feed(mid(OTHER_SPS, 0), mid(PPS, 0), end(IDR, 0));
  assert.equal(videoConfigOf(recorder.units[0])?.width, 320);
});

test('without parameter sets nothing goes out', () => {
  const recorder = new Recorder().feed(end(IDR, 0), end(P, 1));
  assert.equal(recorder.units.length, 0);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
  recorder.feed(...sets(2), end(IDR, 2));
  assert.equal(recorder.units.length, 1);
});

test('parameter sets that are repeated are no new configuration', () => {
  const recorder = withSets(end(IDR, 0), ...sets(1), end(IDR, 1));
  assert.deepEqual(
    recorder.units.map((unit) => unit.config !== null),
    [true, false],
  );
});

test('a new SPS in band gives a new configuration (cameras that switch between day and night)', () => {
  const recorder = withSets(end(IDR, 0), end(P, 1), mid(OTHER_SPS, 2), mid(PPS, 2), end(IDR, 2));
  assert.deepEqual(
    recorder.units.map((unit) => videoConfigOf(unit)?.width),
    [1_920, undefined, 320],
  );
  assert.deepEqual(recorder.samples.at(-1), [hex(IDR)]);
});

test('a PPS that changes between key frames stays in its sample, and is in the configuration at the next', () => {
  const newPps = bytes('68 58e3f2');
  const recorder = withSets(end(IDR, 0), mid(newPps, 1), mid(SEI, 1), end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(newPps), hex(SEI), hex(P)], [hex(IDR)]]);
  assert.equal(recorder.units[1]?.config, null);
  assert.ok(hex(recorder.units[2]?.config?.description ?? []).includes(hex(newPps)));
});

test('a key frame takes the sequence parameter set that its picture parameter set names', () => {
  const spsOne = bytes('6764000b4b2d0589d808800000030080000019078a1550');
  const ppsOne = bytes('684af0fcb0');
  const idrOfOne = bytes('65884102dfda5bba');
  const recorder = withSets(mid(spsOne, 0), mid(ppsOne, 0), end(IDR, 0), end(idrOfOne, 1), end(IDR, 2));
  assert.deepEqual(
    recorder.units.map((unit) => videoConfigOf(unit)?.width),
    [1_920, 176, 1_920],
  );
  assert.ok(!hex(recorder.units[0]?.config?.description ?? []).includes(hex(ppsOne)));
});

// Markers and time stamps.

test('markers on parameter sets and SEI end nothing (TC70, Reolink Duo 2, H264DVR)', () => {
  const recorder = new Recorder().feed(end(SPS, 0), end(PPS, 0), end(SEI, 0), end(IDR, 0), end(SEI, 1), end(P, 1));
  assert.deepEqual(recorder.samples, [
    [hex(SEI), hex(IDR)],
    [hex(SEI), hex(P)],
  ]);
});

test('parameter sets stamped with the time of the frame before belong to the next (Reolink RLC-822A)', () => {
  const recorder = withSets(end(IDR, 0), end(P, 10), mid(OTHER_SPS, 10), mid(PPS, 10), end(IDR, 20));
  assert.deepEqual(recorder.times, [0, 10, 20]);
  assert.equal(videoConfigOf(recorder.units[2])?.width, 320);
});

test('the same without markers: a parameter set ends the access unit before it', () => {
  const recorder = withSets(mid(IDR, 0), mid(P, 10), mid(OTHER_SPS, 10), mid(PPS, 10), mid(IDR, 20), mid(P, 30));
  assert.deepEqual(recorder.times, [0, 10, 20]);
  assert.equal(videoConfigOf(recorder.units[2])?.width, 320);
});

test('no marker ever: the next time stamp ends an access unit (FLIR M400)', () => {
  const recorder = withSets(mid(IDR, 0), mid(IDR_SECOND, 0), mid(P, 1), mid(P_SECOND, 1), mid(P, 2));
  assert.deepEqual(recorder.samples, [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('without markers the first packet of the next time stamp is enough, even if it is a fragment', () => {
  const [first] = fuA(P, 3) as [Uint8Array];
  assert.deepEqual(withSets(mid(IDR, 0), mid(first, 1)).times, [0]);
});

test('neither markers nor times: a first slice ends the picture before it', () => {
  const recorder = withSets(mid(IDR, 0), mid(IDR_SECOND, 0), mid(P, 0), mid(P_SECOND, 0), mid(P, 0));
  assert.deepEqual(recorder.samples, [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('markers on every slice are found out, and pictures are whole from the next key frame on (OBS plugin)', () => {
  const picture = (first: Uint8Array, second: Uint8Array, time: number) => [end(first, time), end(second, time)];
  const recorder = withSets(...picture(IDR, IDR_SECOND, 0), ...picture(P, P_SECOND, 1));
  assert.deepEqual(recorder.samples, [[hex(IDR)]], 'the first one goes out before anybody can know');
  recorder.feed(...picture(IDR, IDR_SECOND, 2), ...picture(P, P_SECOND, 3), ...picture(P, P_SECOND, 4));
  assert.deepEqual(recorder.samples.slice(1), [
    [hex(IDR), hex(IDR_SECOND)],
    [hex(P), hex(P_SECOND)],
  ]);
});

test('a SEI in front of nothing waits for its picture (SEI-only access units)', () => {
  const recorder = withSets(end(IDR, 0), end(SEI, 1), end(P, 2));
  assert.deepEqual(recorder.samples[1], [hex(SEI), hex(P)]);
  assert.deepEqual(recorder.times, [0, 2]);
});

// Fragmentation units as cameras make them.

test('FU-A with start and end both set holds a whole NAL unit (CostarHD)', () => {
  const payload = Uint8Array.of(0x7c, 0xc5, ...IDR.subarray(1));
  assert.deepEqual(withSets(end(payload, 0)).samples, [[hex(IDR)]]);
});

test('fragments with nothing in them are passed over (Longse)', () => {
  const [first, last] = fuA(IDR, 3) as [Uint8Array, Uint8Array];
  const recorder = withSets(mid(first, 0), mid(bytes('7c05'), 0), end(last, 0));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
  assert.ok(recorder.units[0]?.pieces.every((piece) => piece.length > 0));
});

test('the reserved bit of a FU header is ignored', () => {
  const [first, last] = fuA(IDR, 3).map((payload) => payload.slice()) as [Uint8Array, Uint8Array];
  first[1] = (first[1] ?? 0) | 0x20;
  last[1] = (last[1] ?? 0) | 0x20;
  assert.deepEqual(withSets(mid(first, 0), end(last, 0)).samples, [[hex(IDR)]]);
});

test('the first fragment says the type, whatever the later ones say (Tiandy)', () => {
  const [first, last] = fuA(IDR, 3).map((payload) => payload.slice()) as [Uint8Array, Uint8Array];
  last[1] = 0x41;
  assert.deepEqual(withSets(mid(first, 0), end(last, 0)).samples, [[hex(IDR)]]);
});

test('a marker in the middle of a fragmented NAL unit ends nothing', () => {
  const [first, last] = fuA(IDR, 3) as [Uint8Array, Uint8Array];
  assert.deepEqual(withSets(end(first, 0), end(last, 0)).samples, [[hex(IDR)]]);
});

test('a time stamp that drifts inside a fragmented NAL unit does not cut it; its first one counts', () => {
  const [first, last] = fuA(IDR, 3) as [Uint8Array, Uint8Array];
  const recorder = withSets(mid(first, 0), end(last, 7));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
  assert.deepEqual(recorder.times, [0]);
});

test('an empty payload disturbs nothing', () => {
  const [first, last] = fuA(IDR, 3) as [Uint8Array, Uint8Array];
  const recorder = withSets(mid(first, 0), mid(new Uint8Array(), 0), end(last, 0));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
});

// Start codes where they should not be (V380, Amatek).

const byteStream = (...nalUnits: readonly Uint8Array[]) =>
  new Uint8Array(Buffer.concat(nalUnits.flatMap((nalUnit) => [bytes('00000001'), nalUnit])));

test('a single payload that is a byte stream is split (V380)', () => {
  const recorder = new Recorder().feed(end(byteStream(SPS, PPS, SEI, IDR), 0), end(byteStream(P), 1));
  assert.deepEqual(recorder.samples, [[hex(SEI), hex(IDR)], [hex(P)]]);
  assert.equal(recorder.units[0]?.config?.codec, 'avc1.640028');
});

test('a parameter set that goes on as a byte stream is split (V380)', () => {
  const recorder = new Recorder().feed(end(byteStream(SPS, PPS, IDR).subarray(4), 0));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
});

test('a fragmented byte stream is split (Amatek)', () => {
  const [first, second, last] = fuA(byteStream(SPS, PPS, IDR), 10, 10) as [Uint8Array, Uint8Array, Uint8Array];
  const recorder = new Recorder().feed(mid(first, 0), mid(second, 0), end(last, 0));
  assert.deepEqual(recorder.samples, [[hex(IDR)]]);
});

test('a fragmented NAL unit that repeats its header behind a start code is taken once (Amatek)', () => {
  const nalUnit = new Uint8Array(Buffer.concat([IDR.subarray(0, 1), byteStream(IDR)]));
  const [first, last] = fuA(nalUnit, 6) as [Uint8Array, Uint8Array];
  assert.deepEqual(withSets(mid(first, 0), end(last, 0)).samples, [[hex(IDR)]]);
});

test('a STAP-A whose NAL unit is a byte stream is split (Amatek)', () => {
  assert.deepEqual(new Recorder().feed(end(stapA(byteStream(SPS, PPS, IDR)), 0)).samples, [[hex(IDR)]]);
});

test('slices joined by a start code are split once the stream is known for it', () => {
  const recorder = withSets(end(byteStream(IDR), 0));
  recorder.feed(end(new Uint8Array(Buffer.concat([P, byteStream(P_SECOND)])), 1));
  assert.deepEqual(recorder.samples[1], [hex(P), hex(P_SECOND)]);
});

test('a STAP-A that is padded with zeros is accepted, with anything else it is not', () => {
  const padded = new Uint8Array(Buffer.concat([stapA(SEI, IDR), bytes('00000000')]));
  assert.deepEqual(withSets(end(padded, 0)).samples, [[hex(SEI), hex(IDR)]]);
  const oneZero = new Uint8Array(Buffer.concat([stapA(SEI, IDR), bytes('00')]));
  assert.deepEqual(withSets(end(oneZero, 0)).samples, [[hex(SEI), hex(IDR)]]);
  const garbage = new Uint8Array(Buffer.concat([stapA(SEI, IDR), bytes('000041')]));
  const recorder = withSets(end(garbage, 0));
  assert.deepEqual(recorder.samples, []);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
});

test('a STAP-A whose length goes beyond the packet is dropped', () => {
  const recorder = withSets(end(stapA(IDR).subarray(0, -1), 0), end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.times, [2]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

// Loss.

test('after a loss everything up to the next key frame is dropped and counted', () => {
  const recorder = withSets(end(IDR, 0), end(P, 1), end(P, 3, 1), end(P, 4), end(IDR, 5), end(P, 6));
  assert.deepEqual(recorder.times, [0, 1, 5, 6]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

test('a fragmented NAL unit without its middle, its start or its end is dropped', () => {
  const [first, middle, last] = fuA(IDR, 2, 2) as [Uint8Array, Uint8Array, Uint8Array];
  for (const packets of [
    [mid(first, 0), end(last, 0, 1)],
    [mid(middle, 0, 1), end(last, 0)],
    [mid(first, 0), mid(middle, 0), end(P, 1, 1)],
    [mid(first, 0), mid(middle, 0), end(P, 1)],
    [mid(middle, 0), end(last, 0)],
  ]) {
    const recorder = withSets(...packets);
    assert.deepEqual(recorder.samples, []);
    recorder.feed(end(IDR, 9));
    assert.deepEqual(recorder.times, [9]);
  }
});

test('a fragmented NAL unit that stops without a loss is dropped too', () => {
  const [first] = fuA(P, 2) as [Uint8Array];
  const recorder = withSets(end(IDR, 0), mid(first, 1), end(P, 2), end(IDR, 3));
  assert.deepEqual(recorder.times, [0, 3]);
});

test('what came before a picture that was lost is not given to the next one', () => {
  const recorder = withSets(end(IDR, 0), mid(SEI, 1), end(IDR, 2, 1), mid(RECOVERY_LATER, 3), end(P, 4, 1));
  assert.deepEqual(recorder.samples, [[hex(IDR)], [hex(IDR)]]);
});

test('a slice lost from the middle, the start or the end of a picture makes the whole of it drop out', () => {
  const last = bytes('65 1422 9999');
  for (const packets of [
    [mid(IDR, 0), end(last, 0, 1), end(P, 1)],
    [mid(IDR_SECOND, 0, 1), end(last, 0), end(P, 1)],
    [mid(IDR, 0), mid(IDR_SECOND, 0), end(P, 1, 1)],
    // The end of one picture and the start of the next.
    [mid(IDR, 0), mid(IDR_SECOND, 1, 2), end(last, 1), end(P, 2)],
  ]) {
    const recorder = withSets(...packets);
    assert.deepEqual(recorder.samples, []);
  }
  const counted = withSets(mid(IDR, 0), end(last, 0, 1), end(P, 1));
  assert.equal(counted.depacketizer.stats.droppedAccessUnits, 2, 'the broken one and the one after it, once each');
});

test('a loss right before a key frame does not cost the key frame', () => {
  const recorder = withSets(end(IDR, 0), mid(SPS, 2, 3), mid(PPS, 2), mid(IDR, 2), end(IDR_SECOND, 2), end(P, 3));
  assert.deepEqual(recorder.times, [0, 2, 3]);
});

test('whoever joins in the middle of a picture waits for the next key frame', () => {
  const recorder = new Recorder({ 'sprop-parameter-sets': `${base64(SPS)},${base64(PPS)}` });
  recorder.feed(end(IDR_SECOND, 0), end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.times, [2]);
});

test('reset drops what is incomplete and waits for a key frame', () => {
  const recorder = withSets(end(IDR, 0), mid(P, 1));
  recorder.depacketizer.reset();
  recorder.feed(end(P_SECOND, 1), end(P, 2), end(IDR, 3));
  assert.deepEqual(recorder.times, [0, 3]);
  assert.equal(recorder.units[1]?.config, null, 'the configuration is still the one that was announced');
});

// Streams without IDR.

test('intra refresh: decoding starts at a recovery point, and each is an entry point', () => {
  const recorder = withSets(end(P, 0), mid(RECOVERY_LATER, 1), end(P, 1), end(P, 2), mid(RECOVERY_LATER, 3), end(P, 3));
  assert.deepEqual(recorder.times, [1, 2, 3]);
  assert.deepEqual(recorder.keys, [true, false, true]);
  assert.equal(recorder.units[0]?.config?.codec, 'avc1.640028');
});

test('an entry point without IDR carries a recovery point of 0 frames, which is what Chromium looks for', () => {
  const added = '06018480';
  const late = withSets(mid(RECOVERY_LATER, 1), end(P, 1), end(P, 2));
  assert.deepEqual(late.samples, [[`06${added}`, hex(RECOVERY_LATER), hex(P)], [hex(P)]]);
  assert.deepEqual(withSets(end(I, 0)).samples, [[`06${added}`, hex(I)]]);
  assert.deepEqual(withSets(mid(RECOVERY_NOW, 0), end(I, 0)).samples, [[hex(RECOVERY_NOW), hex(I)]]);
});

test('a recovery point that claims to be right at once needs intra slices', () => {
  const inter = withSets(end(bytes('68ef8fcb'), 0));
  inter.feed(mid(RECOVERY_NOW, 0), end(P, 0));
  assert.deepEqual(inter.times, []);
  const intra = new Recorder({ 'sprop-parameter-sets': `${base64(SPS)},${base64(PPS)}` });
  intra.feed(mid(RECOVERY_NOW, 0), end(I, 0));
  assert.deepEqual(intra.keys, [true]);
});

test('after a start in an open group, the pictures that are shown before it are dropped', () => {
  const recorder = withSets(mid(RECOVERY_NOW, 30), end(I, 30), end(P, 10), end(P, 20), end(P, 60), end(P, 40));
  assert.deepEqual(recorder.times, [30, 60, 40]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

test('an intra picture behind a sequence parameter set is an entry point, one without is not', () => {
  const recorder = withSets(end(I, 0), end(P, 1), end(I, 2));
  assert.deepEqual(recorder.keys, [true, false, false]);
});

// Bounds.

test('an access unit of too many NAL units is dropped', () => {
  const slices = Array.from({ length: MAX_NAL_UNITS }, () => mid(IDR_SECOND, 0));
  const recorder = withSets(mid(IDR, 0), ...slices, end(P, 1), end(IDR, 2));
  assert.deepEqual(recorder.times, [2]);
});

test('SEI without end is forgotten, and the picture after it is not', () => {
  const recorder = withSets(...Array.from({ length: 3 * MAX_NAL_UNITS }, () => mid(SEI, 0)), end(IDR, 0));
  assert.equal(recorder.units.length, 1);
  assert.ok((recorder.samples[0]?.length ?? 0) <= MAX_NAL_UNITS);
});

test('a fragmented NAL unit without end is given up at the bound', () => {
  const [first] = fuA(IDR, 3) as [Uint8Array];
  const more = new Uint8Array(60_000).fill(0xaa);
  more.set([0x7c, 0x05]);
  const recorder = withSets(mid(first, 0), ...Array.from({ length: 150 }, () => mid(more, 0)), end(IDR, 1));
  assert.deepEqual(recorder.times, [1]);
  assert.ok(recorder.depacketizer.stats.malformedPackets >= 1);
});

test('payload types of interleaved mode are malformed, reserved ones are ignored', () => {
  const recorder = withSets(end(IDR, 0), mid(bytes('7e0102'), 1), mid(bytes('1f0102'), 1), end(P, 1));
  assert.deepEqual(recorder.times, [0, 1]);
  recorder.feed(mid(bytes('79 0000 0003 410203'), 2), end(P, 2), end(IDR, 3));
  assert.deepEqual(recorder.times, [0, 1, 3]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 3);
});
