import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Vp8Depacketizer } from '../../../client/depacketizer/vp8.js';
import { startsKeyFrame } from '../../../shared/key-frame.js';
import {
  bytes,
  checkUnits,
  hex,
  mediaFormat,
  rtpPacket,
  type TestPacket,
  UnitRecorder,
  videoConfigOf,
} from './rtp-fixtures.js';

/** A key frame of 176×144 (RFC 6386, 9.1), and another frame. */
const KEY = '10020 0 9d012a b000 9000 1122'.replace(/ /g, '');
const OTHER = '310200 33445566';
/** Payload descriptors (RFC 7741, 4.2): start of a frame, rest of it. */
const START = '10';
const REST = '00';

function recorder(): UnitRecorder<Vp8Depacketizer> {
  return new UnitRecorder(Vp8Depacketizer, mediaFormat('VP8', 90_000));
}

function packet(text: string, time: number, marker = true, lost = 0): TestPacket {
  return { payload: bytes(text), time, marker, lost };
}

test('one packet a frame', () => {
  const { contents, times, units, depacketizer } = recorder().feed(
    packet(START + KEY, 0),
    packet(START + OTHER, 3_600),
    packet(START + KEY, 7_200),
  );
  assert.deepEqual(
    contents,
    [KEY, OTHER, KEY].map((text) => hex(bytes(text))),
  );
  assert.deepEqual(times, [0, 3_600, 7_200]);
  assert.deepEqual(
    units.map((unit) => unit.isKeyFrame),
    [true, false, true],
  );
  const config = videoConfigOf(units[0]);
  assert.deepEqual([config?.codec, config?.width, config?.height], ['vp8', 176, 144]);
  assert.equal(units[2]?.config, null);
  assert.equal(depacketizer.stats.keyFrames, 2);
});

// X with I (7 or 15 bits), L, T and K in all combinations.
for (const descriptor of [
  '9080 11',
  '9080 8111',
  '90c0 11 22',
  '90e0 8111 22 20',
  '9030 20',
  '90f0 11 22 33',
  '9000',
  '30',
]) {
  test(`a descriptor ${descriptor}`, () => {
    assert.deepEqual(recorder().feed(packet(descriptor + KEY, 0)).contents, [KEY]);
    assert.equal(startsKeyFrame('VP8', bytes(descriptor + KEY)), true);
    assert.equal(startsKeyFrame('VP8', bytes(descriptor + OTHER)), false);
  });
}

test('a frame over several packets, partitions and all, and none of its bytes is copied', () => {
  const { contents, units } = recorder().feed(
    packet(START + KEY.slice(0, 8), 0, false),
    packet(REST + KEY.slice(8, 18), 0, false),
    // The start of the second partition.
    packet(`11${KEY.slice(18)}`, 0),
  );
  assert.deepEqual(contents, [KEY]);
  assert.equal(units[0]?.pieces.length, 3);
});

test('without markers the next frame ends the one before', () => {
  const { contents } = recorder().feed(
    packet(START + KEY, 0, false),
    packet(START + OTHER, 3_600, false),
    packet(START + OTHER, 3_600, false),
    packet(START + OTHER, 7_200, false),
  );
  assert.equal(contents.length, 3);
});

test('after a loss everything up to the next key frame is dropped', () => {
  for (const lossy of [
    [packet(START + KEY, 0), packet(START + OTHER, 1, false), packet(`${REST}77`, 1, true, 1)],
    [packet(START + KEY, 0), packet(`${REST}77`, 1, true, 1)],
    [packet(START + KEY, 0), packet(START + OTHER, 2, true, 2)],
    [packet(START + KEY, 0), packet('', 2, true, 1)],
  ]) {
    const { times, depacketizer } = recorder().feed(
      ...lossy,
      packet(START + OTHER, 3),
      packet(START + KEY, 4),
      packet(START + OTHER, 5),
    );
    assert.deepEqual(times, [0, 4, 5]);
    assert.ok(depacketizer.stats.droppedAccessUnits >= 1);
    assert.equal(depacketizer.stats.malformedPackets, 0);
  }
});

test('another size comes with a new configuration', () => {
  const { units } = recorder().feed(packet(START + KEY, 0), packet(START + KEY.replace('b000', '6041'), 1));
  assert.equal(videoConfigOf(units[1])?.width, 0x160, 'the upper bits ask for scaling');
});

for (const [what, text] of [
  ['a descriptor alone', '90f011'],
  ['a key frame without its start code', START + KEY.replace('9d', '00')],
  ['a key frame of no width', START + KEY.replace('b000', '0000')],
  ['a key frame that ends in its header', START + KEY.slice(0, 12)],
] as const) {
  test(`${what} is malformed, and the next key frame plays`, () => {
    const { times, depacketizer } = recorder().feed(
      packet(START + KEY, 0),
      packet(text, 1),
      packet(START + OTHER, 2),
      packet(START + KEY, 3),
    );
    assert.deepEqual(times, [0, 3]);
    assert.equal(depacketizer.stats.malformedPackets, 1);
  });
}

test('whatever comes, what is handed over is whole, begins with a key frame, and is never across a loss', () => {
  const payload = fc.oneof(
    fc.constantFrom(START + KEY, START + OTHER, `${REST}7788`, `9080${KEY}`).map(bytes),
    fc.uint8Array({ maxLength: 30 }),
  );
  const packets = fc.array(
    fc.record({ payload, time: fc.nat(6), marker: fc.boolean(), lost: fc.constantFrom(0, 0, 0, 1) }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(packets, (list) => {
      const { units, depacketizer } = recorder();
      for (const one of list) {
        const before = units.length;
        depacketizer.push(rtpPacket(one), one.time, one.lost);
        if (one.lost > 0 && units.length > before) assert.ok(units[before]?.isKeyFrame);
      }
      checkUnits(units);
      assert.equal(depacketizer.stats.accessUnits, units.length);
    }),
    { numRuns: 500 },
  );
});
