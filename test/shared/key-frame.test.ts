import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startsKeyFrame } from '../../shared/key-frame.js';

const h264Cases: [name: string, payload: number[], expected: boolean][] = [
  ['an IDR slice in one packet', [0x65, 0x88], true],
  ['a sequence parameter set', [0x67, 0x64], true],
  ['a picture parameter set alone', [0x68, 0xee], false],
  ['another slice', [0x41, 0x9a], false],
  ['SEI', [0x06, 0x05], false],
  ['the first fragment of an IDR slice', [0x7c, 0x85, 0x88], true],
  ['a later fragment of an IDR slice', [0x7c, 0x05, 0x88], false],
  ['the last fragment of an IDR slice', [0x7c, 0x45, 0x88], false],
  ['the first fragment of another slice', [0x5c, 0x81, 0x9a], false],
  ['a fragment without its header', [0x7c], false],
  ['a STAP-A with parameter sets', [0x78, 0, 2, 0x67, 0x64, 0, 1, 0x68], true],
  ['a STAP-A whose second unit is an IDR slice', [0x78, 0, 1, 0x09, 0, 2, 0x65, 0x88], true],
  ['a STAP-A without either', [0x58, 0, 1, 0x09, 0, 2, 0x41, 0x9a], false],
  ['a STAP-A with a length beyond its end', [0x78, 0, 9, 0x67], false],
  ['a STAP-A with a length of zero', [0x78, 0, 0, 0x67, 0, 1, 0x67], false],
  ['an empty payload', [], false],
];

const h265Cases: [name: string, payload: number[], expected: boolean][] = [
  ['an IDR slice in one packet', [0x26, 0x01, 0xaf], true],
  ['a CRA slice', [0x2a, 0x01, 0xaf], true],
  ['a BLA slice', [0x20, 0x01, 0xaf], true],
  ['a video parameter set', [0x40, 0x01, 0x0c], true],
  ['a sequence parameter set', [0x42, 0x01, 0x01], true],
  ['a picture parameter set alone', [0x44, 0x01, 0xc0], false],
  ['another slice', [0x02, 0x01, 0xd0], false],
  ['SEI', [0x4e, 0x01, 0x05], false],
  ['the first fragment of an IDR slice', [0x62, 0x01, 0x93, 0xaf], true],
  ['a later fragment of an IDR slice', [0x62, 0x01, 0x13, 0xaf], false],
  ['the first fragment of another slice', [0x62, 0x01, 0x81, 0xd0], false],
  ['a fragment without its header', [0x62, 0x01], false],
  ['an aggregation packet with parameter sets', [0x60, 0x01, 0, 3, 0x40, 0x01, 0x0c, 0, 3, 0x42, 0x01, 0x01], true],
  ['an aggregation packet whose second unit is an IDR slice', [0x60, 1, 0, 2, 0x4e, 1, 0, 3, 0x26, 1, 0xaf], true],
  ['an aggregation packet without either', [0x60, 1, 0, 2, 0x4e, 1, 0, 3, 0x02, 1, 0xd0], false],
  ['an aggregation packet with a length beyond its end', [0x60, 1, 0, 9, 0x42], false],
  ['an empty payload', [], false],
];

const av1Cases: [name: string, payload: number[], expected: boolean][] = [
  ['the N bit', [0x18, 0x0a], true],
  ['a sequence header alone', [0x10, 0x08, 0x00], true],
  ['a sequence header with a length', [0x20, 0x02, 0x08, 0x00, 0x30, 0x10], true],
  ['a sequence header with a length of two bytes', [0x00, 0x80, 0x01, 0x08, 0x00], true],
  ['a frame', [0x10, 0x30, 0x10], false],
  ['the middle of an OBU that looks like a sequence header', [0x90, 0x08, 0x00], false],
  ['a length without end', [0x00, 0x80, 0x80], false],
  ['a header without anything', [0x08], false],
  ['an empty payload', [], false],
];

const vp8Cases: [name: string, payload: number[], expected: boolean][] = [
  ['the start of a key frame', [0x10, 0x10, 0x02], true],
  ['the start of a key frame, with all extensions', [0x90, 0xf0, 0x81, 0x11, 0x22, 0x33, 0x10], true],
  ['the start of another frame', [0x10, 0x31, 0x02], false],
  ['the rest of a frame', [0x00, 0x10, 0x02], false],
  ['the start of a later partition', [0x11, 0x10, 0x02], false],
  ['a descriptor that is cut short', [0x90, 0xf0, 0x81], false],
  ['an empty payload', [], false],
];

const vp9Cases: [name: string, payload: number[], expected: boolean][] = [
  ['the start of a picture that refers to none', [0x8c, 0x80, 0x01, 0x82], true],
  ['the same without picture ID', [0x0c, 0x82], true],
  ['the lowest of its layers', [0xa8, 0x01, 0x00, 0x00, 0x82], true],
  ['a higher one', [0xa8, 0x01, 0x02, 0x00, 0x82], false],
  ['a picture that refers to others', [0xcc, 0x80, 0x01, 0x86], false],
  ['the rest of a picture', [0x84, 0x80, 0x01, 0x86], false],
  ['a descriptor that is cut short', [0xa8, 0x80, 0x01], false],
  ['an empty payload', [], false],
];

for (const [format, cases] of [
  ['H264', h264Cases],
  ['H265', h265Cases],
  ['AV1', av1Cases],
  ['VP8', vp8Cases],
  ['VP9', vp9Cases],
] as const) {
  for (const [name, payload, expected] of cases) {
    test(`${format}: ${name} ${expected ? 'starts' : 'does not start'} a key frame`, () => {
      assert.equal(startsKeyFrame(format, new Uint8Array(payload)), expected);
    });
  }
}

test('of an unknown format nothing can be told', () => {
  assert.equal(startsKeyFrame('X-UNKNOWN', new Uint8Array([0x65])), null);
  assert.equal(startsKeyFrame('constructor', new Uint8Array([0x65])), null);
  assert.equal(startsKeyFrame('toString', new Uint8Array([0x65])), null);
});

test('any payload gets an answer', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('H264', 'H265', 'AV1', 'VP8', 'VP9', 'JPEG'),
      fc.uint8Array({ maxLength: 40 }),
      (format, payload) => {
        assert.equal(typeof startsKeyFrame(format, payload), 'boolean');
      },
    ),
  );
});
