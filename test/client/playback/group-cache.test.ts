import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { GroupCache } from '../../../client/playback/group-cache.js';

function unit(isKeyFrame: boolean, byteLength = 1_000): AccessUnit {
  return { presentationTime: 0, decodeTime: 0, isKeyFrame, pieces: [], byteLength, config: null };
}

const times = (cache: GroupCache) => cache.frames.map(({ time }) => time);

test('keeps from the last key frame on, and nothing before the first', () => {
  const cache = new GroupCache();
  cache.add(unit(false), 0);
  assert.deepEqual(times(cache), []);
  cache.add(unit(true), 1);
  cache.add(unit(false), 2);
  assert.deepEqual(times(cache), [1, 2]);
  cache.add(unit(true), 3);
  assert.deepEqual(times(cache), [3]);
  cache.clear();
  cache.add(unit(false), 4);
  assert.deepEqual(times(cache), []);
});

test('a group of too many frames, or too many bytes, is let go of until the next key frame', () => {
  for (const [frames, bytes] of [
    [301, 10],
    [18, 1_000_000],
  ] as const) {
    const cache = new GroupCache();
    for (let i = 0; i < frames; i++) cache.add(unit(i === 0, bytes), i);
    assert.deepEqual(times(cache), []);
    cache.add(unit(false, bytes), frames);
    assert.deepEqual(times(cache), []);
    cache.add(unit(true, bytes), frames + 1);
    assert.deepEqual(times(cache), [frames + 1]);
  }
});
