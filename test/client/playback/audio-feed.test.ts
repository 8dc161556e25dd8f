import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aacLcConfig } from '../../../client/codec/aac.js';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { AudioFeed } from '../../../client/playback/audio-feed.js';
import { latencyPolicy } from '../../../client/playback/latency.js';

/** A SourceBuffer that takes everything at once and remembers where it was to go. */
class StubSourceBuffer extends EventTarget {
  updating = false;
  buffered = { length: 0 };
  /** baseMediaDecodeTime of each fragment; null: an init segment. */
  readonly times: (number | null)[] = [];

  appendBuffer(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1');
    const at = text.indexOf('tfdt');
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.times.push(text.slice(4, 8) === 'moof' ? Number(view.getBigUint64(at + 8)) : null);
  }
}

function config(sampleRate: number) {
  const found = aacLcConfig(sampleRate, 1);
  assert.ok(found !== null);
  return found;
}

function make(sampleRate: number) {
  const buffer = new StubSourceBuffer();
  const mediaSource = { addSourceBuffer: () => buffer } as unknown as MediaSource;
  const own = config(sampleRate);
  const feed = new AudioFeed(mediaSource, own, latencyPolicy('low'), {
    onError: (error) => assert.fail(error),
    onQuotaExceeded: () => 0,
  });
  return { buffer, feed, own };
}

const unit: AccessUnit = {
  presentationTime: 0,
  decodeTime: 0,
  isKeyFrame: true,
  pieces: [Uint8Array.of(1, 2, 3)],
  byteLength: 3,
  config: null,
};

test('samples follow one another on the grid of the sample rate, silence first', () => {
  const { buffer, feed, own } = make(16_000);
  for (let i = 0; i < 10; i++) feed.push(unit, own, 500 + i * 0.064, 0);
  const silent = feed.silentUnits;
  assert.ok(silent > 0);
  assert.deepEqual(buffer.times, [null, ...Array.from({ length: silent + 10 }, (_, i) => i * 1_024)]);
  assert.ok(Math.abs(feed.end - (silent + 10) * 0.064) < 1e-9);
  assert.ok(Math.abs(feed.offset - (silent * 0.064 - 500)) < 1e-9);
});

test('another sample rate goes on where the former ended', () => {
  const { buffer, feed } = make(48_000);
  for (let i = 0; i < 200; i++) feed.push(unit, config(48_000), (i * 1_024) / 48_000, 0);
  const end = feed.end;
  const slow = config(8_000);
  const appended = buffer.times.length;
  const playhead = end - 0.2;
  for (let i = 0; i < 3; i++) feed.push(unit, slow, 5 + i * 0.128, playhead);
  assert.equal(buffer.times[appended], null);
  const times = buffer.times.slice(appended + 1).map((time) => (time ?? 0) / 8_000);
  assert.ok(Math.abs((times[0] ?? 0) - end) < 1 / 8_000, `${times[0]}, former end ${end}`);
  for (let i = 1; i < times.length; i++) assert.ok(Math.abs((times[i] ?? 0) - (times[i - 1] ?? 0) - 0.128) < 1e-9);
  assert.ok(feed.end > end + 3 * 0.127 && feed.end < end + 5 * 0.128, `${feed.end}`);
  assert.ok(Math.abs(feed.offset + 5 + 3 * 0.128 - feed.end) < 0.001);
});

test('silence stands in ahead of the playhead, and is counted', () => {
  const { feed } = make(48_000);
  feed.push(unit, config(48_000), 0, 0);
  const { silentUnits, end } = feed;
  feed.keepAhead(end - 0.2);
  assert.equal(feed.silentUnits, silentUnits);
  feed.keepAhead(end);
  assert.ok(feed.silentUnits > silentUnits);
  assert.ok(feed.end >= end + 0.12);
});
