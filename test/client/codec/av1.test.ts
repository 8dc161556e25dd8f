import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Av1SequenceHeader,
  av1TrackConfig,
  isShownKeyFrame,
  leb128,
  parseAv1SequenceHeader,
  readLeb128,
} from '../../../client/codec/av1.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

/** Made by libaom; sizes, formats and timing are those that it was asked for. */
const vectors: readonly [name: string, text: string, codec: string, expected: Partial<Av1SequenceHeader>][] = [
  [
    'Main',
    '000000043cffbcdaf90040',
    'av01.0.00M.08',
    { width: 320, height: 240, bitDepth: 8, subsamplingX: true, subsamplingY: true, frameRate: null },
  ],
  [
    '10 bits',
    '00000042abbfc3776be501',
    'av01.0.08M.10',
    { width: 1_920, height: 1_080, bitDepth: 10, levelIdx: 8, isMonochrome: false },
  ],
  [
    '12 bits, 4:2:2',
    '400000043d07c4daf96220',
    'av01.2.00M.12',
    { width: 322, height: 242, profile: 2, bitDepth: 12, subsamplingX: true, subsamplingY: false },
  ],
  [
    'RGB',
    '200000043cffbcdaf92021a004',
    'av01.1.00M.08',
    { width: 320, height: 240, profile: 1, subsamplingX: false, subsamplingY: false },
  ],
  ['monochrome', '000000043cffbcdaf92a', 'av01.0.00M.08', { width: 320, height: 240, isMonochrome: true }],
  ['equal intervals', '040000000400000067400000bc3cffbcdaf90040', 'av01.0.00M.08', { width: 320, frameRate: 25 }],
  [
    'a decoder model',
    '040000000400000065780000000a530000035f915f90bc3cffbcdaf90040',
    'av01.0.00M.08',
    { width: 320, height: 240 },
  ],
  [
    'a reduced header of a still picture',
    '38157ffdb040',
    'av01.1.00M.08',
    { width: 64, height: 64, isReducedStillPicture: true, subsamplingX: false },
  ],
];

function sequence(text: string): Av1SequenceHeader {
  const parsed = parseAv1SequenceHeader(bytes(text));
  assert.ok(parsed !== null);
  return parsed;
}

for (const [name, text, codec, expected] of vectors) {
  test(`reads ${name}`, () => {
    const parsed = sequence(text);
    for (const [key, value] of Object.entries(expected)) {
      assert.deepEqual(parsed[key as keyof Av1SequenceHeader], value, key);
    }
    assert.equal(av1TrackConfig(parsed, bytes(text)).codec, codec);
  });
}

test('makes the configuration', () => {
  const text = '00000042abbfc3776be501';
  const { description, ...rest } = av1TrackConfig(sequence(text), bytes(text));
  assert.deepEqual(rest, {
    kind: 'video',
    codec: 'av01.0.08M.10',
    sampleEntry: 'av01',
    width: 1_920,
    height: 1_080,
    pixelAspect: [1, 1],
    frameRate: null,
    reorderDepth: 0,
  });
  // High bit depth, 4:2:0; the sequence header with its size.
  assert.equal(hex(description), `81084c000a0b${text}`);
});

test('the high tier is in the codec string', () => {
  const high = { ...sequence('00000042abbfc3776be501'), levelIdx: 13, tier: 1 };
  assert.equal(av1TrackConfig(high, new Uint8Array()).codec, 'av01.0.13H.10');
});

test('key frames that are shown are told from all others', () => {
  const header = sequence('000000043cffbcdaf90040');
  assert.equal(isShownKeyFrame(0b0001_0000, header), true);
  assert.equal(isShownKeyFrame(0b0000_1000, header), false, 'not shown');
  assert.equal(isShownKeyFrame(0b0011_0000, header), false, 'inter');
  assert.equal(isShownKeyFrame(0b0101_0000, header), false, 'intra only');
  assert.equal(isShownKeyFrame(0b1001_0000, header), false, 'shows one that exists');
  assert.equal(isShownKeyFrame(0, sequence('38157ffdb040')), true, 'a still picture');
});

test('leb128: numbers there and back, at any place', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 28 - 1 }), fc.nat(5), (value, from) => {
      const written = leb128(value);
      const data = Uint8Array.of(...Array<number>(from).fill(0xff), ...written, 0x99);
      assert.deepEqual(readLeb128(data, from), { value, next: from + written.length });
    }),
  );
});

test('leb128: filled up with zeros, too large, without end', () => {
  assert.deepEqual(readLeb128(bytes('8580808080808000'), 0), { value: 5, next: 8 });
  assert.equal(readLeb128(bytes('ffffffff01'), 0), null);
  assert.equal(readLeb128(bytes('808080808080808000'), 0), null);
  assert.equal(readLeb128(bytes('8080'), 0), null);
  assert.equal(readLeb128(bytes(''), 0), null);
});

test('every cut of a sequence header gives an answer, and random bytes never throw', () => {
  for (const [, text] of vectors) {
    const whole = bytes(text);
    for (let length = 0; length <= whole.length; length++) parseAv1SequenceHeader(whole.subarray(0, length));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (data) => {
      const parsed = parseAv1SequenceHeader(data);
      if (parsed === null) return;
      assert.ok(parsed.width >= 1 && parsed.width <= 65_536 && parsed.height >= 1 && parsed.height <= 65_536);
      assert.ok(av1TrackConfig(parsed, data).description.length > data.length);
    }),
    { numRuns: 1_000 },
  );
});
