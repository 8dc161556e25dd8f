import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  escapeNalUnit,
  findStartCode,
  splitAnnexB,
  startsWithStartCode,
  unescapeNalUnit,
} from '../../../client/codec/nal-unit.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

test('splits a byte stream at start codes of 3 and of 4 bytes', () => {
  const units = splitAnnexB(bytes('00000001 6742 000001 68ce 00000001 6588'));
  assert.deepEqual(units.map(hex), ['6742', '68ce', '6588']);
});

test('zeros around start codes belong to no NAL unit', () => {
  assert.deepEqual(splitAnnexB(bytes('0000000000000001 6742 00000000000001 68ce 000000')).map(hex), ['6742', '68ce']);
  assert.deepEqual(splitAnnexB(bytes('000000')), []);
  assert.deepEqual(splitAnnexB(bytes('000001 000001')), []);
});

test('bytes before the first start code are a NAL unit', () => {
  assert.deepEqual(splitAnnexB(bytes('6742 000001 68')).map(hex), ['6742', '68']);
});

test('finds a start code wherever it is, as a plain search does', () => {
  const oneOf = fc.constantFrom(0, 0, 0, 1, 1, 2, 3);
  fc.assert(
    fc.property(fc.array(oneOf, { maxLength: 40 }), fc.nat(10), (values, from) => {
      const data = Uint8Array.from(values);
      assert.equal(findStartCode(data, from), Buffer.from(data).indexOf(Buffer.from([0, 0, 1]), from));
    }),
  );
});

test('knows a start code at the beginning', () => {
  assert.equal(startsWithStartCode(bytes('00000165')), true);
  assert.equal(startsWithStartCode(bytes('0000000165')), true);
  assert.equal(startsWithStartCode(bytes('0000000065')), false);
  assert.equal(startsWithStartCode(bytes('000001')), true);
  assert.equal(startsWithStartCode(bytes('0000')), false);
  assert.equal(startsWithStartCode(bytes('65000001')), false);
});

test('takes emulation prevention out', () => {
  assert.equal(hex(unescapeNalUnit(bytes('67 000003 01 000003 00 000003'))), '67000001000000' + '0000');
  assert.equal(hex(unescapeNalUnit(bytes('000003 000003 01'), 4)), '00000000');
});

test('escaped bytes have no start code and come back unchanged', () => {
  const oneOf = fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 255);
  fc.assert(
    fc.property(fc.array(oneOf, { maxLength: 60 }), (values) => {
      const rbsp = Uint8Array.of(...values, 0x80);
      const escaped = escapeNalUnit(rbsp);
      assert.equal(findStartCode(escaped), -1);
      assert.equal(hex(unescapeNalUnit(escaped)), hex(rbsp));
    }),
  );
});
