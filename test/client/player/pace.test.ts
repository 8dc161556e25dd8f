import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paceHeaders, paceOf, showsKeyFramesAlone } from '../../../client/player/pace.js';

const headersOf = (rate: number, isReplay: boolean) =>
  paceHeaders(paceOf(rate, isReplay)).map(([name, value]) => `${name}: ${value}`);

const cases: readonly [rate: number, isReplay: boolean, headers: string[], keyFramesAlone: boolean][] = [
  [1, true, ['Scale: 1.0'], false],
  [2, false, ['Scale: 2.0'], false],
  [0.5, false, ['Scale: 0.5'], false],
  [-2, false, ['Scale: -2.0'], true],
  [0.5, true, ['Scale: 1.0', 'Rate-Control: no'], false],
  [4, true, ['Scale: 1.0', 'Rate-Control: no'], false],
  [8, true, ['Scale: 1.0', 'Rate-Control: no', 'Frames: intra/1000'], true],
  [-0.5, true, ['Scale: -1.0', 'Rate-Control: no', 'Frames: intra'], true],
  [-1, true, ['Scale: -1.0', 'Rate-Control: no', 'Frames: intra'], true],
  [-16, true, ['Scale: -1.0', 'Rate-Control: no', 'Frames: intra/2000'], true],
];

for (const [rate, isReplay, headers, keyFramesAlone] of cases) {
  test(`${rate} times as fast, ${isReplay ? 'of a recorder' : 'of another server'}`, () => {
    assert.deepEqual(headersOf(rate, isReplay), headers);
    assert.equal(showsKeyFramesAlone(paceOf(rate, isReplay)), keyFramesAlone);
  });
}

test('a piece holds some seconds of its showing, at any pace', () => {
  const pieces = [1, 4, 16, -1, -16, 0.25].map((rate) => paceOf(rate, true).piece);
  assert.deepEqual(pieces, [null, 20, 80, 5, 80, 5]);
  assert.equal(paceOf(4, false).piece, null);
});
