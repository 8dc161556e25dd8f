import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hasH265RecoveryPoint, parseH265Pps, parseH265SliceStart, parseH265Vps } from '../../../client/codec/h265.js';
import { H265ParameterSets } from '../../../client/codec/h265-parameter-sets.js';
import { H265PictureOrder } from '../../../client/codec/h265-picture-order.js';
import { hevcParameterSetsOf } from '../../../client/codec/hevc-configuration.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

/** Made by x265: Main, 1920×1080; the second with high tier, 3840×2160. */
const VPS = '40010c01ffff016000000300900000030000030078959409';
const SPS = '420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84';
const PPS = '4401c172b46240';
const HIGH_TIER_SPS = '420101216000000300900000030000030099a001e020021c596566924caf016808000003000800000300c840';
/** FFmpeg's configuration record of the first. */
const RECORD = `01016000000090000000000078f000fcfdf8f800000f03a000010018${VPS}a10001002a${SPS}a200010007${PPS}`;

function setsOf(...nalUnits: readonly string[]): H265ParameterSets {
  const sets = new H265ParameterSets();
  for (const nalUnit of nalUnits) sets.add(bytes(nalUnit));
  return sets;
}

test("makes the configuration, with the same record as FFmpeg's", () => {
  const config = setsOf(VPS, SPS, PPS).configFor(0);
  assert.ok(config !== null);
  const { description, ...rest } = config;
  assert.deepEqual(rest, {
    kind: 'video',
    codec: 'hvc1.1.6.L120.90',
    sampleEntry: 'hvc1',
    width: 1_920,
    height: 1_080,
    pixelAspect: [1, 1],
    frameRate: 25,
    reorderDepth: 2,
  });
  assert.equal(hex(description), RECORD);
  assert.deepEqual(hevcParameterSetsOf(description)?.map(hex), [VPS, SPS, PPS]);
});

const codecs: readonly [name: string, sps: string, codec: string][] = [
  ['high tier', HIGH_TIER_SPS, 'hvc1.1.6.H153.90'],
  [
    'Main 10',
    '42010102200000030090000003000003003ca00a080f136592a4932bc05a020000030002000003003210',
    'hvc1.2.4.L60.90',
  ],
  [
    'range extensions',
    '4201010408000003009d0800000300003cb00a480f9c93b6592a4932bc05a02000000300200000030321',
    'hvc1.4.10.L60.9D.8',
  ],
];
for (const [name, sps, codec] of codecs) {
  test(`codec string of ${name}`, () => assert.equal(setsOf(VPS, sps, PPS).configFor(0)?.codec, codec));
}

test('there is no configuration while a set is missing', () => {
  assert.equal(setsOf().configFor(0), null);
  assert.equal(setsOf(VPS, SPS).configFor(0), null);
  assert.equal(setsOf(VPS, PPS).configFor(0), null);
  assert.equal(setsOf(SPS, PPS).configFor(0), null);
  assert.equal(setsOf(VPS, SPS, PPS).configFor(1), null);
});

test('the configuration stays the same object until a set changes', () => {
  const sets = setsOf(VPS, SPS, PPS);
  const first = sets.configFor(0);
  for (const text of [VPS, SPS, PPS, `${PPS}0000`]) assert.equal(sets.add(bytes(text)), 'known', text);
  assert.equal(sets.configFor(0), first);
  assert.equal(sets.add(bytes(HIGH_TIER_SPS)), 'changed');
  assert.equal(sets.configFor(0)?.width, 3_840);
});

test('bytes that are no parameter set are refused', () => {
  const sets = new H265ParameterSets();
  for (const text of ['', '42', '4201', '4001', '4401', '2601af', '0000']) {
    assert.equal(sets.add(bytes(text)), 'invalid', text);
  }
  assert.equal(sets.add(new Uint8Array(100_000).fill(0xff).fill(0x42, 0, 1)), 'invalid');
});

const base64 = (...texts: string[]) => texts.map((text) => Buffer.from(text, 'hex').toString('base64')).join(',');
const descriptions: readonly [name: string, parameters: Record<string, string>][] = [
  ['as the standard has them', { 'sprop-vps': base64(VPS), 'sprop-sps': base64(SPS), 'sprop-pps': base64(PPS) }],
  ['with a trailing comma', { 'sprop-vps': `${base64(VPS)},`, 'sprop-sps': base64(SPS), 'sprop-pps': base64(PPS) }],
  [
    'with start codes and zeros',
    { 'sprop-vps': base64(`00000001${VPS}`), 'sprop-sps': base64(`${SPS}0000`), 'sprop-pps': base64(PPS) },
  ],
  ['all in one', { 'sprop-sps': base64(VPS, SPS, PPS) }],
];
for (const [name, parameters] of descriptions) {
  test(`reads sprop-vps, sprop-sps and sprop-pps ${name}`, () => {
    const sets = new H265ParameterSets();
    sets.addFromDescription(new Map(Object.entries(parameters)));
    assert.equal(sets.firstConfig?.codec, 'hvc1.1.6.L120.90');
  });
}

test('a record that is cut short holds no sets, or those before the cut are not believed', () => {
  const record = bytes(RECORD);
  for (let length = 0; length < record.length; length++) {
    const sets = hevcParameterSetsOf(record.subarray(0, length));
    assert.ok(sets === null || sets.length === 0, `${length} bytes`);
  }
});

test("a video parameter set's timing serves where the sequence parameter set has none", () => {
  // num_units_in_tick 1, time_scale 30, as FFmpeg's hevc_metadata writes it into x265's.
  assert.equal(parseH265Vps(bytes(VPS))?.frameRate, null);
  const timed = '40010c01ffff01600000030090000003000003007895940c0000030004000003007940';
  assert.equal(parseH265Vps(bytes(timed))?.frameRate, 30);
});

test('the start of a slice: of an IDR picture, and of one whose order count must be read', () => {
  const sets = setsOf(VPS, SPS, PPS);
  const setsFor = (id: number) => sets.setsFor(id);
  const idr = parseH265SliceStart(20, bytes('af1d088d2f51'), setsFor);
  assert.deepEqual(idr, { ppsId: 0, isIntra: true, pictureOrderLsb: 0 });
  // first_slice_segment_in_pic_flag, ppsId 0, slice_type 1 (P), lsb 5.
  assert.deepEqual(parseH265SliceStart(1, Uint8Array.of(0b1101_0000, 0b0010_1000), setsFor), {
    ppsId: 0,
    isIntra: false,
    pictureOrderLsb: 5,
  });
  assert.deepEqual(parseH265SliceStart(1, Uint8Array.of(0b1010_1000, 0x80), setsFor), {
    ppsId: 1,
    isIntra: null,
    pictureOrderLsb: null,
  });
  assert.equal(parseH265SliceStart(1, Uint8Array.of(0b0101_0000, 0b0010_1000), setsFor), null, 'not the first one');
  assert.equal(parseH265SliceStart(1, new Uint8Array(), setsFor), null);
});

test('extra bits of the slice header and the output flag are passed over where the PPS has them', () => {
  // pps_pic_parameter_set_id 0, pps_seq_parameter_set_id 0, 0, output_flag_present_flag, num_extra_slice_header_bits 2.
  const pps = '4401 d5 72b46240';
  assert.deepEqual(parseH265Pps(bytes(pps)), { id: 0, spsId: 0, hasOutputFlag: true, extraSliceHeaderBits: 2 });
  const sets = setsOf(VPS, SPS, pps.replace(/ /g, ''));
  // first, ppsId 0, two extra bits, slice_type 0 (B), pic_output_flag, lsb 9.
  const slice = parseH265SliceStart(0, Uint8Array.of(0b1111_1100, 0b0010_0100), (id) => sets.setsFor(id));
  assert.deepEqual(slice, { ppsId: 0, isIntra: false, pictureOrderLsb: 9 });
});

test('recovery points are found behind other messages', () => {
  assert.equal(hasH265RecoveryPoint(bytes('4e01 0601d0 80')), true);
  assert.equal(hasH265RecoveryPoint(bytes('4e01 0102aabb 0601d0 80')), true);
  assert.equal(hasH265RecoveryPoint(bytes('4e01 0102aabb 80')), false);
  assert.equal(hasH265RecoveryPoint(bytes('4e01 0610d0 80')), false, 'longer than there is');
  assert.equal(hasH265RecoveryPoint(bytes('4e01')), false);
});

test('picture order counts go on over the turn of their low bits, both ways', () => {
  const order = new H265PictureOrder();
  const trail = (lsb: number, temporalId = 0, type = 1) => order.next(type, temporalId, lsb, 4, false);
  assert.equal(order.next(19, 0, 0, 4, true), 0);
  assert.deepEqual(
    [4, 8, 12, 0, 4].map((lsb) => trail(lsb)),
    [4, 8, 12, 16, 20],
  );
  assert.equal(trail(2, 1), 18, 'before the anchor');
  assert.equal(trail(1, 0, 0), 17, 'one that nobody refers to is no anchor');
  assert.equal(trail(15, 1), 31 - 16, 'back over the turn');
  assert.equal(order.next(21, 0, 8, 4, false), 24, 'a CRA picture in mid-stream goes on');
  assert.equal(order.next(9, 0, 6, 4, false), 22, 'leading');
  assert.equal(order.next(21, 0, 8, 4, true), 8, 'and starts anew where decoding does');
});

test('random bytes never throw', () => {
  const header = fc.constantFrom(0x40, 0x42, 0x44, 0x4e);
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 63 }), (first, rest, type) => {
      const nalUnit = Uint8Array.of(first, 1, ...rest);
      const sets = setsOf(VPS, SPS, PPS);
      sets.add(nalUnit);
      sets.configFor(0);
      hasH265RecoveryPoint(nalUnit);
      const slice = parseH265SliceStart(type, rest, (id) => sets.setsFor(id));
      if (slice !== null) assert.ok(slice.ppsId <= 63 && (slice.pictureOrderLsb ?? 0) < 65_536);
      hevcParameterSetsOf(rest);
    }),
    { numRuns: 500 },
  );
});
