import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { type FragmentSample, writeFragment } from '../../../client/fmp4/fragment.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';
import { findBox, readBoxes, readTrun } from './boxes.js';

function unit(isKeyFrame: boolean, ...pieces: readonly Uint8Array[]): AccessUnit {
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { presentationTime: 0, decodeTime: 0, isKeyFrame, pieces, byteLength, config: null };
}

test('one key frame, byte by byte', () => {
  const sample = {
    unit: unit(true, bytes('00000002'), bytes('6588')),
    decodeTime: 90_000,
    presentationTime: 90_000,
    duration: 3_600,
  };
  const expected = [
    '00000064 6d6f6f66', // moof
    '00000010 6d666864 00000000 00000007', // mfhd: sequence_number
    '0000004c 74726166', // traf
    '00000010 74666864 00020000 00000003', // tfhd: default-base-is-moof, track_ID
    '00000014 74666474 01000000 0000000000015f90', // tfdt: baseMediaDecodeTime
    '00000020 7472756e 01000701 00000001 0000006c', // trun: sample_count, data_offset
    '00000e10 00000006 02000000', // duration, size, flags
    '0000000e 6d646174 00000002 6588', // mdat
  ].join('');
  assert.equal(hex(writeFragment(7, 3, [sample])), expected.replace(/ /g, ''));
});

test('decode times beyond 32 bits', () => {
  const sample = { unit: unit(true, bytes('00')), decodeTime: 2 ** 52 + 3, presentationTime: 2 ** 52 + 3, duration: 1 };
  const tfdt = findBox(writeFragment(1, 1, [sample]), 'tfdt');
  assert.equal(tfdt.body.readBigUInt64BE(4), 2n ** 52n + 3n);
});

test('composition offsets, negative ones too, only where one is needed', () => {
  const key = { unit: unit(true, bytes('01')), decodeTime: 100, presentationTime: 110, duration: 10 };
  const early = { unit: unit(false, bytes('02')), decodeTime: 110, presentationTime: 100, duration: 10 };
  const { samples } = readTrun(findBox(writeFragment(1, 1, [key, early]), 'trun'));
  assert.deepEqual(
    samples.map((sample) => sample.offset),
    [10, -10],
  );
  const plain = { ...key, presentationTime: 100 };
  assert.equal(findBox(writeFragment(1, 1, [plain]), 'trun').body.readUInt32BE(0), 0x0100_0701);
});

test('every fragment has exact sizes, and its data in order', () => {
  const piece = fc.uint8Array({ maxLength: 20 });
  const sample: fc.Arbitrary<FragmentSample> = fc
    .record({
      isKeyFrame: fc.boolean(),
      pieces: fc.array(piece, { maxLength: 5 }),
      decodeTime: fc.nat(),
      offset: fc.integer({ min: -1_000, max: 1_000 }),
      duration: fc.integer({ min: 0, max: 0xffff_ffff }),
    })
    .map(({ isKeyFrame, pieces, decodeTime, offset, duration }) => ({
      unit: unit(isKeyFrame, ...pieces),
      decodeTime,
      presentationTime: decodeTime + offset,
      duration,
    }));
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 6 }), (samples) => {
      const fragment = writeFragment(9, 2, samples);
      assert.equal(fragment.byteLength, fragment.buffer.byteLength, 'one allocation of exactly its size');
      const [moof, mdat] = readBoxes(fragment);
      assert.deepEqual([moof?.type, mdat?.type], ['moof', 'mdat']);
      const trun = readTrun(findBox(fragment, 'trun'));
      assert.equal(trun.dataOffset, (mdat?.offset ?? 0) + 8);
      assert.equal(hex(mdat?.body ?? []), hex(samples.flatMap((one) => [...one.unit.pieces])));
      for (const [index, one] of samples.entries()) {
        assert.deepEqual(trun.samples[index], {
          duration: one.duration,
          size: one.unit.byteLength,
          flags: one.unit.isKeyFrame ? 0x0200_0000 : 0x0101_0000,
          offset: one.presentationTime - one.decodeTime,
        });
      }
    }),
  );
});
