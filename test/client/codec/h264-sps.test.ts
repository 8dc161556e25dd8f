import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BitReader } from '../../../client/codec/bit-reader.js';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { withoutReordering } from '../../../client/codec/bitstream-restriction.js';
import { neverReorders, parseSps, reorderDepth, type Sps } from '../../../client/codec/h264-sps.js';
import { escapeNalUnit, findStartCode, unescapeNalUnit } from '../../../client/codec/nal-unit.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

function sps(text: string): Sps {
  const parsed = parseSps(bytes(text));
  assert.ok(parsed !== null);
  return parsed;
}

/** Made by x264; sizes, rates and aspects are those that it was asked for. */
const vectors: readonly [name: string, text: string, expected: Partial<Sps>][] = [
  [
    'baseline',
    '6742c00dda0507ec0440000003004000000c83c50aa8',
    { profileIdc: 66, constraintFlags: 0xc0, levelIdc: 13, width: 320, height: 240, frameRate: 25 },
  ],
  [
    'cropping of 1088 lines to 1080, reordering',
    '67640028acd940780227e5c044000003000400000300c83c60c658',
    { profileIdc: 100, levelIdc: 40, width: 1920, height: 1080, heightInMbs: 68, maxNumReorderFrames: 2 },
  ],
  [
    'cropping on both sides',
    '6764000dacb40a843c44460220000003002000000641e28554',
    { width: 322, height: 242, maxNumReorderFrames: 0, maxDecFrameBuffering: 1 },
  ],
  [
    'aspect from the table',
    '6764000dacec16096c0840000003004000000c83c50a4e',
    { width: 352, height: 288, pixelAspect: [12, 11] },
  ],
  [
    'extended aspect',
    '6764001eacec0a03dbff000700051000000300100000030320f162d380',
    { width: 640, height: 480, pixelAspect: [7, 5] },
  ],
  [
    'hypothetical reference decoder',
    '6764000dacd94141fb01100000030010000003032602001e840007a13930c01e28532c',
    { width: 320, height: 240, frameRate: 25, maxNumReorderFrames: 2 },
  ],
  [
    'interlaced',
    '6764001eacd940b424d8088000000300800000190f8a14cb',
    { frameMbsOnly: false, width: 720, height: 576, frameRate: 25 },
  ],
  ['4:2:2', '677a000dbcb40a843c447e0220000003002000000641e28554', { chromaFormatIdc: 2, width: 322, height: 242 }],
  ['4:4:4', '67f4000d91968141fb011000000300100000030320f142aa', { chromaFormatIdc: 3, width: 320, height: 240 }],
  ['10 bits', '676e000da6cb40a0fd80880000030008000003019078a155', { bitDepthLuma: 10, bitDepthChroma: 10 }],
  ['30000/1001 frames a second', '6764000dacb40a0fd808800001f480007530078a1550', { frameRate: 30_000 / 1_001 }],
  ['monochrome', '6764000df2d0283f602d9000000300100000030320f142aa', { chromaFormatIdc: 0, width: 320, height: 240 }],
  ['no VUI timing (OpenH264)', '6742c00d8c8d40a0f900f08846a0', { frameRate: null, maxNumReorderFrames: 0 }],
];

for (const [name, text, expected] of vectors) {
  test(`reads ${name}`, () => {
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(sps(text)[key as keyof Sps], value, key);
  });
}

/** Fields of a Baseline SPS, up to frame_cropping_flag, that a test may change. */
interface Fields {
  profile?: number;
  constraints?: number;
  level?: number;
  pocType?: number;
  references?: number;
  widthInMbs?: number;
  heightInMbs?: number;
  crop?: readonly [number, number, number, number];
  /** Written after vui_parameters_present_flag, which is then set. */
  vui?: (write: (value: number, width: number) => void, expGolomb: (value: number) => void) => void;
}

function makeSps(fields: Fields = {}): Uint8Array {
  const bits = new BitWriter(600);
  const expGolomb = (value: number) => bits.write(value + 1, 2 * (32 - Math.clz32(value + 1)) - 1);
  bits.write(0x67, 8);
  bits.write(fields.profile ?? 66, 8);
  bits.write(fields.constraints ?? 0, 8);
  bits.write(fields.level ?? 30, 8);
  expGolomb(0); // seq_parameter_set_id
  if (fields.profile === 100) {
    expGolomb(1); // chroma_format_idc
    expGolomb(0);
    expGolomb(0);
    bits.write(0, 2);
  }
  expGolomb(0); // log2_max_frame_num_minus4
  expGolomb(fields.pocType ?? 2);
  if (fields.pocType === 0) expGolomb(0);
  if (fields.pocType === 1) {
    bits.write(0, 1);
    expGolomb(0);
    expGolomb(0);
    expGolomb(1); // num_ref_frames_in_pic_order_cnt_cycle
    expGolomb(0);
  }
  expGolomb(fields.references ?? 1);
  bits.write(0, 1);
  expGolomb((fields.widthInMbs ?? 20) - 1);
  expGolomb((fields.heightInMbs ?? 15) - 1);
  bits.write(1, 1); // frame_mbs_only_flag
  bits.write(1, 1);
  bits.write(fields.crop === undefined ? 0 : 1, 1);
  for (const offset of fields.crop ?? []) expGolomb(offset);
  bits.write(fields.vui === undefined ? 0 : 1, 1);
  fields.vui?.((value, width) => bits.write(value, width), expGolomb);
  bits.write(1, 1);
  return escapeNalUnit(bits.bytes());
}

function parsed(fields: Fields): Sps {
  const result = parseSps(makeSps(fields));
  assert.ok(result !== null);
  return result;
}

test('a parameter set without VUI has square samples and no rate', () => {
  const { pixelAspect, frameRate, maxNumReorderFrames, width, height } = parsed({});
  assert.deepEqual(
    { pixelAspect, frameRate, maxNumReorderFrames, width, height },
    {
      pixelAspect: [1, 1],
      frameRate: null,
      maxNumReorderFrames: null,
      width: 320,
      height: 240,
    },
  );
});

test('the reorder depth without a restriction is 0 where nothing can be reordered, else that of the level', () => {
  assert.equal(reorderDepth(parsed({ profile: 66, pocType: 0 })), 0);
  assert.equal(reorderDepth(parsed({ profile: 77, pocType: 2 })), 0);
  // Level 3: 8,100 macroblocks in the buffer; 300 a picture would make 27, of which 16 are allowed.
  assert.equal(reorderDepth(parsed({ profile: 77, pocType: 0 })), 16);
  assert.equal(reorderDepth(parsed({ profile: 77, pocType: 1, level: 40, widthInMbs: 120, heightInMbs: 68 })), 4);
  // Level 1b is level 11 with constraint_set3_flag, below the High profiles.
  assert.equal(
    reorderDepth(parsed({ profile: 77, pocType: 0, level: 11, constraints: 0x10, widthInMbs: 11, heightInMbs: 9 })),
    4,
  );
  assert.equal(reorderDepth(parsed({ profile: 100, pocType: 0, constraints: 0x10 })), 0);
});

test('cropping to nothing, sides without end and unknown order counts are refused', () => {
  assert.equal(parseSps(makeSps({ crop: [80, 80, 0, 0] })), null);
  assert.equal(parseSps(makeSps({ crop: [0, 0xffff, 0, 0] })), null);
  assert.equal(parseSps(makeSps({ widthInMbs: 2_000 })), null);
  assert.equal(parseSps(makeSps({ heightInMbs: 0x7fff_ffff })), null);
  assert.equal(parseSps(makeSps({ pocType: 3 })), null);
});

test('a VUI whose cpb_cnt_minus1 is absurd counts as absent, and the rest stands', () => {
  const { width, frameRate, restrictionSlot } = parsed({
    vui: (write, expGolomb) => {
      write(0, 4);
      write(1, 1); // timing_info_present_flag
      write(1, 32);
      write(50, 32);
      write(0, 1);
      write(1, 1); // nal_hrd_parameters_present_flag
      expGolomb(0x7fff_fffe); // cpb_cnt_minus1
    },
  });
  assert.deepEqual({ width, frameRate, restrictionSlot }, { width: 320, frameRate: null, restrictionSlot: null });
});

test('every cut of a parameter set gives an answer, and never one without end', () => {
  for (const [, text] of vectors) {
    const whole = bytes(text);
    for (let length = 0; length <= whole.length; length++) parseSps(whole.subarray(0, length));
  }
});

test('random bytes never throw, and what is read is within bounds', () => {
  fc.assert(
    fc.property(fc.constantFrom(66, 77, 100, 244), fc.uint8Array({ maxLength: 80 }), (profile, rest) => {
      const result = parseSps(Uint8Array.of(0x67, profile, 0, 30, ...rest));
      if (result === null) return;
      assert.ok(result.width > 0 && result.width <= 16_896);
      assert.ok(result.height > 0 && result.height <= 2 * 16_896);
      assert.ok(reorderDepth(result) >= 0 && reorderDepth(result) <= 16);
      const rewritten = parseSps(withoutReordering(result, Uint8Array.of(0x67, profile, 0, 30, ...rest)));
      assert.equal(rewritten?.width, result.width);
      assert.equal(rewritten?.height, result.height);
      if (result.restrictionSlot !== null) assert.equal(rewritten?.maxNumReorderFrames, 0);
    }),
    { numRuns: 500 },
  );
});

test('a restriction can be added with and without a VUI, and nothing else changes', () => {
  const withVui: Fields = {
    vui: (write) => {
      write(0, 4);
      write(1, 1); // timing_info_present_flag
      write(1, 32);
      write(50, 32);
      write(0, 1 + 2 + 1); // fixed_frame_rate_flag, no HRD, pic_struct_present_flag
      write(0, 1); // bitstream_restriction_flag
    },
  };
  for (const fields of [{}, { references: 4 }, withVui]) {
    const before = parsed(fields);
    const nalUnit = withoutReordering(before, makeSps(fields));
    assert.equal(findStartCode(nalUnit), -1);
    const after = parseSps(nalUnit);
    assert.deepEqual(after, {
      ...before,
      maxNumReorderFrames: 0,
      maxDecFrameBuffering: before.maxNumRefFrames,
      restrictionSlot: null,
    });
    assert.equal(hex(withoutReordering(after ?? before, nalUnit)), hex(nalUnit), 'there is one already');
  }
});

test('which streams never reorder', () => {
  assert.equal(neverReorders(parsed({ profile: 66, pocType: 0 })), true);
  assert.equal(neverReorders(parsed({ profile: 77, pocType: 0 })), false);
  assert.equal(neverReorders(parsed({ profile: 77, pocType: 2 })), true);
});

test('the slot lies where the flag is', () => {
  const text = makeSps({});
  const { restrictionSlot } = parsed({});
  assert.ok(restrictionSlot !== null);
  const bits = new BitReader(unescapeNalUnit(text));
  bits.skip(restrictionSlot.offset);
  assert.equal(bits.unsigned(2), 0b01, 'the flag, and then the stop bit');
});
