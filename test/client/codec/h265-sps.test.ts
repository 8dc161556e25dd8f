import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { type H265Sps, parseH265Sps } from '../../../client/codec/h265-sps.js';
import { escapeNalUnit } from '../../../client/codec/nal-unit.js';
import { bytes } from '../depacketizer/rtp-fixtures.js';

/** Made by x265; sizes, rates and aspects are those that it was asked for. */
const vectors: readonly [name: string, text: string, expected: Partial<H265Sps>][] = [
  [
    'cropping of 1088 lines to 1080, reordering',
    '420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84',
    { width: 1_920, height: 1_080, maxReorderPictures: 2, frameRate: 25, chromaFormatIdc: 1, pictureOrderBits: 8 },
  ],
  [
    'cropping on both sides, extended aspect',
    '42010101600000030090000003000003003ca00a480f9c926592a4932bffc001c0015a020000030002000003003210',
    { width: 322, height: 242, pixelAspect: [7, 5], maxReorderPictures: 0, frameRate: 25 },
  ],
  [
    'aspect from the table',
    '42010101600000030090000003000003003ca00b080485964a924caf026808000003000800000300c840',
    { width: 352, height: 288, pixelAspect: [12, 11] },
  ],
  [
    '10 bits',
    '42010102200000030090000003000003003ca00a080f136592a4932bc05a020000030002000003003210',
    { bitDepthLuma: 10, bitDepthChroma: 10, width: 320, height: 240 },
  ],
  [
    '4:2:2',
    '4201010408000003009d0800000300003cb00a480f9c93b6592a4932bc05a02000000300200000030321',
    { chromaFormatIdc: 2, width: 322, height: 242, bitDepthLuma: 10 },
  ],
  [
    '4:4:4',
    '4201010408000003009e0800000300003c90014101e2cb2549265780b4040000030004000003006420',
    { chromaFormatIdc: 3, hasSeparateColourPlanes: false, width: 320, height: 240 },
  ],
  [
    'monochrome',
    '4201010408000003009fc800000300003cc028203c5964a924caf016c080000003008000000c84',
    { chromaFormatIdc: 0, width: 320, height: 240 },
  ],
  [
    'scaling lists',
    '42010101600000030090000003000003003ca00a080f16592a49395e02d0100000030010000003019080',
    { width: 320, height: 240, frameRate: 25 },
  ],
  [
    'temporal layers',
    '42010201600000030090000003000003003c0000a00a080f1659594acb24995e02d0100000030010000003019080',
    { maxSubLayers: 2, maxReorderPictures: 2, width: 320, frameRate: 25 },
  ],
];

function sps(data: Uint8Array): H265Sps {
  const parsed = parseH265Sps(data);
  assert.ok(parsed !== null);
  return parsed;
}

for (const [name, text, expected] of vectors) {
  test(`reads ${name}`, () => {
    const parsed = sps(bytes(text));
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(parsed[key as keyof H265Sps], value, key);
  });
}

test('reads profile, tier and level', () => {
  const high = '420101216000000300900000030000030099a001e020021c596566924caf016808000003000800000300c840';
  assert.deepEqual(sps(bytes(high)).profileTierLevel, {
    profileSpace: 0,
    tierFlag: true,
    profileIdc: 1,
    compatibilityFlags: 0x6000_0000,
    constraintFlags: [0x90, 0, 0, 0, 0, 0],
    levelIdc: 153,
  });
});

type Write = (value: number, width: number) => void;
type ExpGolomb = (value: number) => void;

interface Fields {
  width?: number;
  height?: number;
  crop?: readonly number[];
  /** Writes num_short_term_ref_pic_sets and the sets; none by default. */
  sets?: (write: Write, expGolomb: ExpGolomb) => void;
  /** Bits of lt_ref_pic_poc_lsb_sps that are written for each of this many pictures. */
  longTerm?: number;
  pcm?: boolean;
  scalingLists?: boolean;
}

/** A parameter set of Main profile whose VUI says 40:33 and 12.5 pictures a second. */
function makeSps(fields: Fields): Uint8Array {
  const bits = new BitWriter(2_000);
  const write: Write = (value, width) => bits.write(value, width);
  const expGolomb: ExpGolomb = (value) => bits.write(value + 1, 2 * (32 - Math.clz32(value + 1)) - 1);
  write(0x4201, 16);
  write(0x01, 8); // sps_video_parameter_set_id, sps_max_sub_layers_minus1, sps_temporal_id_nesting_flag
  write(0x01, 8);
  write(0x6000_0000, 32);
  for (const byte of [0x90, 0, 0, 0, 0, 0]) write(byte, 8);
  write(93, 8);
  expGolomb(3); // sps_seq_parameter_set_id
  expGolomb(1); // chroma_format_idc
  expGolomb(fields.width ?? 640);
  expGolomb(fields.height ?? 368);
  write(fields.crop === undefined ? 0 : 1, 1);
  for (const offset of fields.crop ?? []) expGolomb(offset);
  expGolomb(0);
  expGolomb(0);
  expGolomb(4); // log2_max_pic_order_cnt_lsb_minus4
  write(1, 1);
  for (const value of [4, 1, 0]) expGolomb(value);
  for (const value of [0, 3, 0, 3, 0, 0]) expGolomb(value);
  write(fields.scalingLists === true ? 1 : 0, 1);
  if (fields.scalingLists === true) {
    write(1, 1); // sps_scaling_list_data_present_flag
    for (let size = 0; size < 4; size++) {
      for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
        const isExplicit = matrix % 2 === 0;
        write(isExplicit ? 1 : 0, 1);
        const count = isExplicit ? (size > 1 ? 1 : 0) + Math.min(64, 16 << (2 * size)) : 1;
        for (let index = 0; index < count; index++) expGolomb(index % 3);
      }
    }
  }
  write(0, 2);
  write(fields.pcm === true ? 1 : 0, 1);
  if (fields.pcm === true) {
    write(0x77, 8);
    expGolomb(0);
    expGolomb(1);
    write(1, 1);
  }
  if (fields.sets === undefined) expGolomb(0);
  else fields.sets(write, expGolomb);
  write(fields.longTerm === undefined ? 0 : 1, 1);
  if (fields.longTerm !== undefined) {
    expGolomb(fields.longTerm);
    for (let index = 0; index < fields.longTerm; index++) write(index, 9);
  }
  write(0, 2);
  write(1, 1); // vui_parameters_present_flag
  write(1, 1);
  write(5, 8); // aspect_ratio_idc
  write(1, 1);
  write(1, 1); // overscan
  write(1, 1);
  write(0b1010, 4);
  write(1, 1);
  write(0x010101, 24); // colours
  write(1, 1);
  expGolomb(1);
  expGolomb(1); // chroma locations
  write(0, 3);
  write(1, 1);
  for (let side = 0; side < 4; side++) expGolomb(side); // default display window
  write(1, 1);
  write(2, 32);
  write(25, 32); // timing
  write(1, 8);
  return escapeNalUnit(bits.bytes());
}

/** A set that names its pictures: those before, those after. */
function explicitSet(
  write: Write,
  expGolomb: ExpGolomb,
  before: readonly number[],
  after: readonly number[],
  isFirst: boolean,
): void {
  if (!isFirst) write(0, 1); // inter_ref_pic_set_prediction_flag
  expGolomb(before.length);
  expGolomb(after.length);
  for (const steps of [before, after]) {
    for (const step of steps) {
      expGolomb(step - 1);
      write(1, 1);
    }
  }
}

const variants: readonly [name: string, fields: Fields][] = [
  ['nothing special', {}],
  ['PCM', { pcm: true }],
  ['scaling lists', { scalingLists: true }],
  ['long-term pictures', { longTerm: 5 }],
  [
    'explicit reference picture sets',
    {
      sets: (write, expGolomb) => {
        expGolomb(3);
        explicitSet(write, expGolomb, [1, 2], [1], true);
        explicitSet(write, expGolomb, [], [], false);
        explicitSet(write, expGolomb, [4], [1, 1], false);
      },
    },
  ],
  [
    'predicted reference picture sets, whose length depends on the pictures of the one before',
    {
      sets: (write, expGolomb) => {
        expGolomb(3);
        explicitSet(write, expGolomb, [1, 1], [1], true); // -1, -2, 1
        write(1, 1); // predicted, one picture later: 0 falls away, as -1 has become the current picture
        write(0, 1);
        expGolomb(0);
        write(0b1111, 4); // all of the three and the one predicted from
        // -1, 1, 2: so the next set has flags for three pictures, and for the one predicted from.
        write(1, 1);
        write(1, 1); // one picture earlier
        expGolomb(0);
        write(0b1, 1);
        write(0b00, 2); // the second one is not kept
        write(0b01, 2);
        write(0b1, 1);
      },
    },
  ],
];

for (const [name, fields] of variants) {
  test(`finds the VUI behind ${name}`, () => {
    const parsed = sps(makeSps(fields));
    assert.deepEqual(
      { id: parsed.id, width: parsed.width, pixelAspect: parsed.pixelAspect, frameRate: parsed.frameRate },
      { id: 3, width: 640, pixelAspect: [40, 33], frameRate: 12.5 },
    );
  });
}

test('sides without end, and cropping to nothing, are refused', () => {
  assert.equal(parseH265Sps(makeSps({ width: 17_000 })), null);
  assert.equal(parseH265Sps(makeSps({ height: 0 })), null);
  assert.equal(parseH265Sps(makeSps({ crop: [160, 160, 0, 0] })), null);
  assert.equal(sps(makeSps({ crop: [1, 2, 3, 4] })).width, 634);
});

test('counts that no stream can mean end the search for the VUI, and the rest stands', () => {
  for (const fields of [
    { sets: (_: Write, expGolomb: ExpGolomb) => expGolomb(65) },
    { longTerm: 33 },
    {
      sets: (_: Write, expGolomb: ExpGolomb) => {
        expGolomb(1);
        expGolomb(17);
        expGolomb(0);
      },
    },
  ]) {
    const { width, frameRate, pixelAspect } = sps(makeSps(fields));
    assert.deepEqual({ width, frameRate, pixelAspect }, { width: 640, frameRate: null, pixelAspect: [1, 1] });
  }
});

test('every cut of a parameter set gives an answer, and never one without end', () => {
  for (const [, text] of vectors) {
    const whole = bytes(text);
    for (let length = 0; length <= whole.length; length++) parseH265Sps(whole.subarray(0, length));
  }
});

test('random bytes never throw, and what is read is within bounds', () => {
  const head = bytes('420101016000000300900000030000030078');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (rest, hasHead) => {
      const parsed = parseH265Sps(hasHead ? Uint8Array.of(...head, ...rest) : rest);
      if (parsed === null) return;
      assert.ok(parsed.width > 0 && parsed.width <= 16_888);
      assert.ok(parsed.height > 0 && parsed.height <= 16_888);
      assert.ok(parsed.maxReorderPictures >= 0 && parsed.maxReorderPictures <= 15);
    }),
    { numRuns: 1_000 },
  );
});
