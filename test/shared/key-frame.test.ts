import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startsKeyFrame } from '../../shared/key-frame.js';

const cases: [name: string, payload: number[], expected: boolean][] = [
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

for (const [name, payload, expected] of cases) {
  test(`H.264: ${name} ${expected ? 'starts' : 'does not start'} a key frame`, () => {
    assert.equal(startsKeyFrame('H264', new Uint8Array(payload)), expected);
  });
}

const vp8Cases: [name: string, payload: number[], expected: boolean][] = [
  ['the start of a key frame', [0x10, 0x10, 0x02], true],
  ['the start of a key frame, with all extensions', [0x90, 0xf0, 0x81, 0x11, 0x22, 0x33, 0x10], true],
  ['the start of another frame', [0x10, 0x31, 0x02], false],
  ['the rest of a frame', [0x00, 0x10, 0x02], false],
  ['the start of a later partition', [0x11, 0x10, 0x02], false],
  ['a descriptor that is cut short', [0x90, 0xf0, 0x81], false],
  ['an empty payload', [], false],
];

for (const [name, payload, expected] of vp8Cases) {
  test(`VP8: ${name} ${expected ? 'starts' : 'does not start'} a key frame`, () => {
    assert.equal(startsKeyFrame('VP8', new Uint8Array(payload)), expected);
  });
}

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

for (const [name, payload, expected] of vp9Cases) {
  test(`VP9: ${name} ${expected ? 'starts' : 'does not start'} a key frame`, () => {
    assert.equal(startsKeyFrame('VP9', new Uint8Array(payload)), expected);
  });
}

test('of an unknown format nothing can be told', () => {
  assert.equal(startsKeyFrame('X-UNKNOWN', new Uint8Array([0x65])), null);
  assert.equal(startsKeyFrame('constructor', new Uint8Array([0x65])), null);
  assert.equal(startsKeyFrame('toString', new Uint8Array([0x65])), null);
});

test('any payload gets an answer', () => {
  fc.assert(
    fc.property(fc.constantFrom('H264', 'VP8', 'VP9'), fc.uint8Array({ maxLength: 40 }), (format, payload) => {
      assert.equal(typeof startsKeyFrame(format, payload), 'boolean');
    }),
  );
});
