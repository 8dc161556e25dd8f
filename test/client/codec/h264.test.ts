import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import {
  H264ParameterSets,
  isFirstSlice,
  parameterSetsOf,
  parsePpsStart,
  parseRecoveryPoint,
  parseSliceStart,
} from '../../../client/codec/h264.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

const BASELINE_SPS = '6742c00dda0507ec0440000003004000000c83c50aa8';
const BASELINE_PPS = '68ce0fc8';
const HIGH_SPS = '67640028acd940780227e5c044000003000400000300c83c60c658';
const HIGH_PPS = '68ef8fcb';

function setsOf(...nalUnits: readonly string[]): H264ParameterSets {
  const sets = new H264ParameterSets();
  for (const nalUnit of nalUnits) sets.add(bytes(nalUnit));
  return sets;
}

test('makes the configuration of a Baseline stream', () => {
  const config = setsOf(BASELINE_SPS, BASELINE_PPS).configFor(0);
  assert.ok(config !== null);
  const { description, ...rest } = config;
  assert.deepEqual(rest, {
    kind: 'video',
    codec: 'avc1.42C00D',
    sampleEntry: 'avc1',
    width: 320,
    height: 240,
    pixelAspect: [1, 1],
    frameRate: 25,
    reorderDepth: 0,
  });
  assert.equal(hex(description), `0142c00dffe10016${BASELINE_SPS}010004${BASELINE_PPS}`);
});

test('High profiles end the configuration record with chroma format and bit depths', () => {
  const config = setsOf(HIGH_SPS, HIGH_PPS).configFor(0);
  assert.equal(config?.codec, 'avc1.640028');
  assert.equal(config.reorderDepth, 2);
  assert.equal(hex(config.description), `01640028ffe1001b${HIGH_SPS}010004${HIGH_PPS}fdf8f800`);
  const tenBits = setsOf('676e000da6cb40a0fd80880000030008000003019078a155', '68ef0fcb').configFor(0);
  assert.equal(hex(tenBits?.description ?? []).slice(-8), 'fdfafa00');
});

test('there is no configuration while a set is missing', () => {
  assert.equal(setsOf().configFor(0), null);
  assert.equal(setsOf(HIGH_SPS).configFor(0), null);
  assert.equal(setsOf(HIGH_PPS).configFor(0), null);
  assert.equal(setsOf(HIGH_SPS, HIGH_PPS).configFor(1), null);
});

test('the configuration stays the same object until a set changes', () => {
  const sets = setsOf(HIGH_SPS, HIGH_PPS);
  const first = sets.configFor(0);
  assert.equal(sets.add(bytes(HIGH_SPS)), 'known');
  assert.equal(sets.add(bytes(HIGH_PPS)), 'known');
  assert.equal(sets.configFor(0), first);
  assert.equal(sets.add(bytes('67640028acd940780227e5c044000003000400000300f03c60c658')), 'changed');
  assert.notEqual(sets.configFor(0), first);
});

test('a picture parameter set of an id that nobody asked for joins the configuration, one of another stream does not', () => {
  const sets = setsOf(HIGH_SPS, HIGH_PPS);
  // ue(1) ue(0): id 1 of sequence parameter set 0; ue(2) ue(1): id 2 of sequence parameter set 1.
  sets.add(bytes('6858e3f2'));
  sets.add(bytes('686a80'));
  const config = sets.configFor(0);
  assert.deepEqual(parameterSetsOf(config?.description ?? new Uint8Array())?.map(hex), [
    HIGH_SPS,
    HIGH_PPS,
    '6858e3f2',
  ]);
});

test('bytes that are no parameter set are refused', () => {
  const sets = new H264ParameterSets();
  for (const text of ['', '67', '6742', '68', '65888480', '0000']) assert.equal(sets.add(bytes(text)), 'invalid', text);
  assert.equal(sets.add(new Uint8Array(100_000).fill(0xff).fill(0x67, 0, 1)), 'invalid');
});

test('zeros behind a parameter set are no part of it', () => {
  const sets = setsOf(HIGH_SPS, HIGH_PPS);
  assert.equal(sets.add(bytes(`${HIGH_PPS}0000`)), 'known');
});

const base64 = (text: string) => Buffer.from(text, 'hex').toString('base64');
const descriptions: readonly [name: string, text: string][] = [
  ['as the standard has it', `${base64(HIGH_SPS)},${base64(HIGH_PPS)}`],
  ['with a trailing comma', `${base64(HIGH_SPS)},${base64(HIGH_PPS)},`],
  ['with blanks', ` ${base64(HIGH_SPS)} , ${base64(HIGH_PPS)} `],
  ['without padding', `${base64(HIGH_SPS)},${base64(HIGH_PPS)}`.replace(/=/g, '')],
  ['with start codes', `${base64(`00000001${HIGH_SPS}`)},${base64(`000001${HIGH_PPS}`)}`],
  ['with both in one value', base64(`00000001${HIGH_SPS}00000001${HIGH_PPS}`)],
  ['with extra bytes', `${base64(`${HIGH_SPS}00`)},${base64(`${HIGH_PPS}0000`)}`],
  ['the other way round', `${base64(HIGH_PPS)},${base64(HIGH_SPS)}`],
];
for (const [name, text] of descriptions) {
  test(`reads sprop-parameter-sets ${name}`, () => {
    const sets = new H264ParameterSets();
    sets.addFromDescription(text);
    assert.equal(sets.configFor(0)?.codec, 'avc1.640028');
  });
}

test('sprop-parameter-sets that make no sense are passed over', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const sets = new H264ParameterSets();
      sets.addFromDescription(text);
      sets.configFor(0);
    }),
  );
});

test('reads the start of a slice header', () => {
  // x264: an IDR slice (first_mb 0, type 7, parameter set 0) and a P slice (type 5).
  assert.deepEqual(parseSliceStart(bytes('888404')), { firstMb: 0, isIntra: true, ppsId: 0 });
  assert.deepEqual(parseSliceStart(bytes('9a2104')), { firstMb: 0, isIntra: false, ppsId: 0 });
  // ue(300): 9 bits behind 8 zeros; ue(2); ue(3)
  assert.deepEqual(parseSliceStart(bytes('0096b240')), { firstMb: 300, isIntra: true, ppsId: 3 });
  assert.equal(parseSliceStart(bytes('')), null);
  assert.equal(parseSliceStart(bytes('80')), null);
  assert.equal(isFirstSlice(0x88), true);
  assert.equal(isFirstSlice(0x00), false);
  assert.equal(isFirstSlice(undefined), false);
});

test('reads the ids of a picture parameter set', () => {
  assert.deepEqual(parsePpsStart(bytes('68ef8fcb')), { id: 0, spsId: 0, hasBottomFieldOrder: false });
  assert.deepEqual(parsePpsStart(bytes('686a80')), { id: 2, spsId: 1, hasBottomFieldOrder: false });
  assert.equal(parsePpsStart(bytes('68')), null);
});

test('finds a recovery point among other messages', () => {
  assert.equal(parseRecoveryPoint(bytes('06 0601 c4 80')), 0);
  assert.equal(parseRecoveryPoint(bytes('06 0101 09 0602 1b10 80')), 12, 'behind pic_timing');
  assert.equal(parseRecoveryPoint(bytes('06 ff2d 03 616263 0601 c4 80')), 0, 'behind type 300');
  assert.equal(parseRecoveryPoint(bytes('06 0101 09 80')), null);
  assert.equal(parseRecoveryPoint(bytes('06 0605 c4 80')), null, 'longer than the NAL unit');
  assert.equal(parseRecoveryPoint(bytes('06')), null);
});

test('random SEI and configuration records never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      parseRecoveryPoint(data);
      parameterSetsOf(data);
      parsePpsStart(data);
      parseSliceStart(data);
    }),
  );
});

test('255 picture parameter sets of the largest size go into a configuration in a moment', () => {
  const sets = new H264ParameterSets();
  sets.add(bytes(HIGH_SPS));
  const pps = (id: number, length: number, last: number) => {
    const bits = new BitWriter(8);
    bits.write(0x68, 8);
    // pic_parameter_set_id in Exp-Golomb code, then seq_parameter_set_id 0 and two flags.
    const width = 32 - Math.clz32(id + 1);
    if (width > 1) bits.write(0, width - 1);
    bits.write(id + 1, width);
    bits.write(0b101, 3);
    const nalUnit = new Uint8Array(length).fill(0x55);
    nalUnit.set(bits.bytes());
    nalUnit[length - 1] = last;
    return nalUnit;
  };
  for (let id = 0; id < 255; id++) assert.equal(sets.add(pps(id, 2_048, 1)), 'changed');
  assert.equal(sets.add(pps(0, 2_049, 1)), 'invalid');
  const times = [2, 3, 4, 5, 6].map((last) => {
    sets.add(pps(7, 2_048, last));
    const start = performance.now();
    assert.ok((sets.configFor(7)?.description.length ?? 0) > 255 * 2_048);
    return performance.now() - start;
  });
  // The best of some: the machine may be busy.
  assert.ok(Math.min(...times) < 100, `${times.map(Math.round)} ms`);
});
