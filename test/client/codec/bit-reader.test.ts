import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BitReader } from '../../../client/codec/bit-reader.js';
import { BitWriter } from '../../../client/codec/bit-writer.js';

test('reads what was written, at any width', () => {
  const field = fc
    .integer({ min: 1, max: 32 })
    .chain((width) => fc.record({ width: fc.constant(width), value: fc.integer({ min: 0, max: 2 ** width - 1 }) }));
  fc.assert(
    fc.property(fc.array(field, { maxLength: 40 }), (fields) => {
      const writer = new BitWriter(200);
      for (const { value, width } of fields) writer.write(value, width);
      const reader = new BitReader(writer.bytes());
      for (const { value, width } of fields) assert.equal(reader.unsigned(width), value);
      assert.equal(reader.overrun, false);
    }),
  );
});

test('reads Exp-Golomb numbers as in table 9-2 of ITU-T H.264', () => {
  // 1 010 011 00100 00101 00110 00111 0001000
  const reader = new BitReader(Uint8Array.of(0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0010, 0));
  assert.deepEqual(
    Array.from({ length: 8 }, () => reader.unsignedExpGolomb()),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  const signed = new BitReader(Uint8Array.of(0b1010_0110, 0b0100_0010, 0b1000_0000));
  assert.deepEqual(
    Array.from({ length: 5 }, () => signed.signedExpGolomb()),
    [0, 1, -1, 2, -2],
  );
});

test('gives zeros beyond the end and says so', () => {
  const reader = new BitReader(Uint8Array.of(0xff));
  assert.equal(reader.unsigned(8), 255);
  assert.equal(reader.overrun, false);
  assert.equal(reader.unsigned(8), 0);
  assert.equal(reader.overrun, true);
});

test('an Exp-Golomb number without end is the largest one', () => {
  assert.equal(new BitReader(new Uint8Array(100)).unsignedExpGolomb(), 0xffff_ffff);
  assert.equal(new BitReader(new Uint8Array(0)).unsignedExpGolomb(), 0xffff_ffff);
});
