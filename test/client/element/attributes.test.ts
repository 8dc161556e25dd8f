import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseLatency, parseVolume } from '../../../client/element/attributes.js';

describe('parseLatency', () => {
  for (const [value, expected] of [
    ['low', 'low'],
    [' Balanced ', 'balanced'],
    ['SMOOTH', 'smooth'],
    ['0', 0],
    ['250', 250],
    [250, 250],
    ['30000', 30_000],
    ['30001', null],
    ['-1', null],
    ['', null],
    ['  ', null],
    ['fast', null],
    ['250ms', null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [null, null],
    [undefined, null],
    [{}, null],
  ] as const) {
    it(`reads ${JSON.stringify(value) ?? value} as ${expected}`, () => assert.equal(parseLatency(value), expected));
  }
});

describe('parseVolume', () => {
  for (const [value, expected] of [
    [0, 0],
    [0.3, 0.3],
    ['0.3', 0.3],
    [1.2, 1],
    [-3, 0],
    [Number.POSITIVE_INFINITY, 1],
    [Number.NaN, null],
    ['loud', null],
  ] as const) {
    it(`reads ${value} as ${expected}`, () => assert.equal(parseVolume(value), expected));
  }
});
