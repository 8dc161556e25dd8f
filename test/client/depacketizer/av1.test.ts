import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { leb128, readLeb128 } from '../../../client/codec/av1.js';
import { Av1Depacketizer } from '../../../client/depacketizer/av1.js';
import { MAX_OBUS } from '../../../shared/limits.js';
import { Av1Packetizer } from '../../../shared/packetizer/av1.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { bytes, feed, hex, type TestPacket, videoConfigOf, videoFormat } from './rtp-fixtures.js';

/** 320×240 and 1920×1080, made by libaom. OBUs as packets have them: without sizes. */
const SEQUENCE = bytes('08 000000043cffbcdaf90040');
const OTHER_SEQUENCE = bytes('08 00000042abbfc3776be501');
const KEY = bytes('30 10 aabbcc');
const INTER = bytes('30 30 112233');
const KEY_HEADER = bytes('18 10 a1a2');
const TILES = bytes('20 b1b2b3');
const DELIMITER = bytes('10');
const METADATA = bytes('28 01 c1');
const PADDING = bytes('78 0000');

const CONTINUES = 0x80;
const WILL_CONTINUE = 0x40;

/** A payload whose elements have their lengths, all of them. */
function payload(flags: number, ...elements: readonly Uint8Array[]): Uint8Array {
  const parts = elements.flatMap((element) => [Uint8Array.from(leb128(element.length)), element]);
  return new Uint8Array(Buffer.concat([Uint8Array.of(flags), ...parts]));
}

/** A payload whose header counts the elements, so that the last one has no length. */
function counted(flags: number, ...elements: readonly Uint8Array[]): Uint8Array {
  const parts = elements.flatMap((element, index) =>
    index === elements.length - 1 ? [element] : [Uint8Array.from(leb128(element.length)), element],
  );
  return new Uint8Array(Buffer.concat([Uint8Array.of(flags | (elements.length << 4)), ...parts]));
}

class Recorder {
  readonly units: AccessUnit[] = [];
  readonly depacketizer = new Av1Depacketizer(videoFormat(), (unit) => this.units.push(unit));

  feed(...packets: readonly TestPacket[]): this {
    feed(this.depacketizer, packets);
    return this;
  }

  get samples(): string[][] {
    return this.units.map(obusOf);
  }

  get times(): number[] {
    return this.units.map((unit) => unit.presentationTime);
  }
}

/** The OBUs of a sample, without their sizes; fails where sizes and bytes do not fit. */
function obusOf(unit: AccessUnit): string[] {
  const sample = new Uint8Array(Buffer.concat(unit.pieces));
  assert.equal(sample.length, unit.byteLength);
  const found: string[] = [];
  for (let position = 0; position < sample.length; ) {
    const header = sample[position] ?? 0;
    assert.equal(header & 0x82, 0x02, 'a size, and no forbidden bit');
    const headerBytes = (header & 4) === 0 ? 1 : 2;
    const size = readLeb128(sample, position + headerBytes);
    assert.ok(size !== null && size.next + size.value <= sample.length);
    const head = Uint8Array.of(header & ~2, ...sample.subarray(position + 1, position + headerBytes));
    found.push(hex([head, sample.subarray(size.next, size.next + size.value)]));
    position = size.next + size.value;
  }
  return found;
}

const mid = (data: Uint8Array, time: number, lost = 0): TestPacket => ({ payload: data, time, lost });
const end = (data: Uint8Array, time: number, lost = 0): TestPacket => ({ payload: data, time, lost, marker: true });
const keyUnit = (time: number, lost = 0) => end(counted(8, SEQUENCE, KEY), time, lost);
const interUnit = (time: number, lost = 0) => end(counted(0, INTER), time, lost);

test('elements counted and not counted: OBUs get their sizes, key frames the configuration', () => {
  const recorder = new Recorder().feed(keyUnit(100), end(payload(0, METADATA, INTER), 3_700));
  assert.deepEqual(recorder.samples, [
    [hex(SEQUENCE), hex(KEY)],
    [hex(METADATA), hex(INTER)],
  ]);
  assert.deepEqual(recorder.times, [100, 3_700]);
  assert.deepEqual(
    recorder.units.map((unit) => unit.isKeyFrame),
    [true, false],
  );
  const config = videoConfigOf(recorder.units[0]);
  assert.deepEqual([config?.codec, config?.width, config?.height], ['av01.0.00M.08', 320, 240]);
  assert.equal(recorder.units[1]?.config, null);
  const { droppedAccessUnits, malformedPackets } = recorder.depacketizer.stats;
  assert.deepEqual([droppedAccessUnits, malformedPackets], [0, 0]);
});

test('fragments become one OBU, and none of their bytes is copied', () => {
  const packets = [
    counted(WILL_CONTINUE, SEQUENCE, KEY.subarray(0, 2)),
    counted(CONTINUES | WILL_CONTINUE, KEY.subarray(2, 3)),
    payload(CONTINUES, KEY.subarray(3), METADATA),
  ];
  const recorder = new Recorder().feed(mid(packets[0] as Uint8Array, 0), mid(packets[1] as Uint8Array, 0));
  recorder.feed(end(packets[2] as Uint8Array, 0));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY), hex(METADATA)]]);
  const buffers = recorder.units[0]?.pieces.slice(3, 6).map((piece) => piece.buffer);
  assert.deepEqual(
    buffers,
    packets.map((packet) => packet.buffer),
  );
});

test('an OBU cut inside its header is put together', () => {
  const extended = bytes('34 08 10 aabb');
  const recorder = new Recorder().feed(
    mid(counted(WILL_CONTINUE, SEQUENCE, extended.subarray(0, 1)), 0),
    end(counted(CONTINUES, extended.subarray(1)), 0),
  );
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(extended)]]);
});

test('delimiters, padding, redundant headers and tile lists are left out', () => {
  const others = [DELIMITER, PADDING, bytes('38 10a1'), bytes('40 aa')];
  const recorder = new Recorder().feed(end(payload(8, DELIMITER, SEQUENCE, KEY_HEADER, ...others, TILES), 0));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY_HEADER), hex(TILES)]]);
});

test('OBUs that come with sizes, even several in one element, are taken too', () => {
  const sized = bytes('1200 0a0b000000043cffbcdaf90040 3204 10aabbcc');
  const recorder = new Recorder().feed(end(counted(8, sized), 0), end(counted(0, bytes('3204 30112233')), 1));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY)], [hex(INTER)]]);
});

test('without markers the next time stamp ends a temporal unit', () => {
  const recorder = new Recorder().feed(mid(counted(8, SEQUENCE, KEY_HEADER), 0), mid(counted(0, TILES), 0));
  recorder.feed(mid(counted(0, INTER), 1), mid(counted(0, INTER), 2));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY_HEADER), hex(TILES)], [hex(INTER)]]);
});

test('a marker on a sequence header ends nothing; markers in the middle of units are found out', () => {
  const recorder = new Recorder().feed(end(counted(8, SEQUENCE), 0), end(counted(0, KEY), 0));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY)]]);
  for (const time of [1, 2, 3]) {
    const start = time === 2 ? counted(8, SEQUENCE, KEY_HEADER) : counted(0, bytes('18 30'));
    recorder.feed(end(start, time), end(counted(0, TILES), time));
  }
  recorder.feed(interUnit(4));
  assert.deepEqual(recorder.samples.slice(2), [
    [hex(SEQUENCE), hex(KEY_HEADER), hex(TILES)],
    ['1830', hex(TILES)],
  ]);
});

// Sequence headers and key frames.

test('a key frame without its sequence header gets the one that is known', () => {
  const recorder = new Recorder().feed(keyUnit(0), end(counted(0, KEY), 1));
  assert.deepEqual(recorder.samples[1], [hex(SEQUENCE), hex(KEY)]);
  assert.equal(recorder.units[1]?.isKeyFrame, true);
  assert.equal(recorder.units[1]?.config, null);
});

test('but not right behind a loss, which may have taken a new one', () => {
  const recorder = new Recorder().feed(keyUnit(0), end(counted(0, KEY), 2, 1), end(counted(0, KEY), 3));
  assert.deepEqual(recorder.times, [0, 3]);
});

test('a new sequence header gives a new configuration', () => {
  const recorder = new Recorder().feed(keyUnit(0), end(counted(8, OTHER_SEQUENCE, KEY), 1));
  assert.deepEqual(
    recorder.units.map((unit) => videoConfigOf(unit)?.width),
    [320, 1_920],
  );
});

test('without a sequence header nothing goes out', () => {
  const recorder = new Recorder().feed(end(counted(0, KEY), 0), interUnit(1), keyUnit(2));
  assert.deepEqual(recorder.times, [2]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

// Loss and nonsense.

test('after a loss everything up to the next key frame is dropped and counted', () => {
  const recorder = new Recorder().feed(
    keyUnit(0),
    interUnit(1),
    interUnit(3, 1),
    interUnit(4),
    keyUnit(5),
    interUnit(6),
  );
  assert.deepEqual(recorder.times, [0, 1, 5, 6]);
  assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
});

test('an OBU without its middle, its start or its end is dropped with its unit', () => {
  const first = counted(8 | WILL_CONTINUE, SEQUENCE, KEY.subarray(0, 2));
  const middle = counted(CONTINUES | WILL_CONTINUE, KEY.subarray(2, 3));
  const last = counted(CONTINUES, KEY.subarray(3));
  for (const packets of [
    [mid(first, 0), end(last, 0, 1)],
    [mid(middle, 0, 1), end(last, 0)],
    [mid(first, 0), mid(middle, 0), interUnit(1, 1)],
    [mid(first, 0), mid(middle, 0), interUnit(1)],
    [mid(middle, 0), end(last, 0)],
  ]) {
    const recorder = new Recorder().feed(...packets);
    assert.deepEqual(recorder.samples, []);
    assert.deepEqual(recorder.feed(keyUnit(9)).times, [9]);
  }
});

test('tiles whose frame header was lost are dropped', () => {
  const recorder = new Recorder().feed(keyUnit(0), end(counted(0, TILES), 2, 1), keyUnit(3));
  assert.deepEqual(recorder.times, [0, 3]);
});

const broken: readonly [name: string, payload: Uint8Array][] = [
  ['a length beyond the packet', bytes('00 09 30 30')],
  ['a length without end', bytes('00 80 80')],
  ['fewer elements than counted', bytes('20 02 30 30')],
  ['a header alone', bytes('00')],
  ['the forbidden bit', bytes('10 b0 30 aa')],
  ['an OBU size beyond its element', bytes('10 32 09 30')],
  ['a sequence header that cannot be read', bytes('10 08 ff')],
  ['a frame with nothing in it', bytes('10 30')],
];
for (const [name, data] of broken) {
  test(`${name} costs its unit, and the next key frame plays`, () => {
    const recorder = new Recorder().feed(keyUnit(0), end(data, 1), interUnit(2), keyUnit(3));
    assert.deepEqual(recorder.times, [0, 3]);
    assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
    assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 2);
  });
}

test('an empty payload disturbs nothing', () => {
  const first = counted(8 | WILL_CONTINUE, SEQUENCE, KEY.subarray(0, 2));
  const recorder = new Recorder().feed(mid(first, 0), mid(new Uint8Array(), 0));
  recorder.feed(end(counted(CONTINUES, KEY.subarray(2)), 0));
  assert.deepEqual(recorder.samples, [[hex(SEQUENCE), hex(KEY)]]);
});

test('a unit of more OBUs than the limit is dropped, and play goes on', () => {
  const many = Array.from({ length: MAX_OBUS }, () => mid(counted(0, TILES), 0));
  const recorder = new Recorder().feed(mid(counted(8, SEQUENCE, KEY_HEADER), 0), ...many, end(counted(0, TILES), 0));
  assert.deepEqual(recorder.feed(keyUnit(1)).times, [1]);
});

test('reset drops what is incomplete and waits for a key frame', () => {
  const recorder = new Recorder().feed(keyUnit(0), mid(counted(WILL_CONTINUE, INTER), 1));
  recorder.depacketizer.reset();
  recorder.feed(end(counted(CONTINUES, INTER), 1), interUnit(2), keyUnit(3));
  assert.deepEqual(recorder.times, [0, 3]);
});

// Over random streams.

interface Unit {
  isKeyFrame: boolean;
  /** Lengths of its frames. */
  frames: readonly number[];
}

const stream = fc
  .array(
    fc.record({
      isKeyFrame: fc.boolean(),
      frames: fc.array(fc.integer({ min: 3, max: 300 }), { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 10 },
  )
  .map((units) => units.map((unit, index) => (index === 0 ? { ...unit, isKeyFrame: true } : unit)));

function obus(unit: Unit, unitIndex: number): Uint8Array[] {
  const frames = unit.frames.map((length, index) => {
    const data = Uint8Array.from({ length }, (_, at) => (at * 7 + unitIndex * 31 + index * 13) & 0xff);
    data.set(unit.isKeyFrame && index === 0 ? [0x30, 0x10] : [0x30, 0x30]);
    return data;
  });
  return unit.isKeyFrame ? [SEQUENCE, ...frames] : frames;
}

test("the product's own packetizer, at any packet size: the same temporal units", () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 64, max: 300 }), (units, maxPayloadBytes) => {
      const recorder = new Recorder();
      const packetizer = new Av1Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 0, maxPayloadBytes });
      for (const [index, unit] of units.entries()) {
        const packets = packetizer.packetize([DELIMITER, ...obus(unit, index)], index);
        for (const [position, data] of packets.entries()) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null && packet.payload.length <= maxPayloadBytes);
          assert.equal(((packet.payload[0] ?? 0) & 8) !== 0, position === 0 && unit.isKeyFrame, 'the N bit');
          recorder.depacketizer.push(packet, index, 0);
        }
      }
      assert.deepEqual(
        recorder.samples,
        units.map((unit, index) => obus(unit, index).map(hex)),
      );
      assert.equal(recorder.depacketizer.stats.malformedPackets, 0);
    }),
    { numRuns: 200 },
  );
});

test('whatever is lost, a unit is whole or does not go out, and none goes out before a key frame', () => {
  const losses = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 100, maxLength: 100 });
  fc.assert(
    fc.property(stream, losses, fc.boolean(), (units, luck, hasMarkers) => {
      const recorder = new Recorder();
      const packetizer = new Av1Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 0, maxPayloadBytes: 100 });
      let count = 0;
      let missing = 0;
      for (const [index, unit] of units.entries()) {
        for (const data of packetizer.packetize(obus(unit, index), index)) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null);
          if (luck[count++ % luck.length] === 0) missing++;
          else {
            recorder.depacketizer.push(hasMarkers ? packet : { ...packet, marker: false }, index, missing);
            missing = 0;
          }
        }
      }
      let last = -1;
      for (const unit of recorder.units) {
        const index = unit.presentationTime;
        assert.deepEqual(obusOf(unit), obus(units[index] as Unit, index).map(hex));
        if (index !== last + 1) assert.ok(unit.isKeyFrame, `unit ${index} after ${last}`);
        last = index;
      }
    }),
    { numRuns: 300 },
  );
});

test('random payloads never throw, and what comes out is a list of OBUs', () => {
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(fc.constantFrom(0x10, 0x30, 0x0a, 0x32, 0x02, 0x80, 0x40, 0x00, 0xd0), { maxLength: 30 })
      .map((list) => Uint8Array.from(list)),
    fc.constantFrom(counted(8, SEQUENCE, KEY), counted(WILL_CONTINUE, KEY), counted(CONTINUES, KEY), counted(0, INTER)),
  );
  const packet = fc.record({
    payload: data,
    time: fc.integer({ min: 0, max: 5 }),
    marker: fc.boolean(),
    lost: fc.constantFrom(0, 0, 0, 0, 1, 5),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
      const recorder = new Recorder().feed(...packets);
      for (const unit of recorder.units) obusOf(unit);
      const { accessUnits, keyFrames } = recorder.depacketizer.stats;
      assert.equal(accessUnits, recorder.units.length);
      assert.equal(keyFrames, recorder.units.filter((unit) => unit.isKeyFrame).length);
      // A camera that sends garbage is still watched once it sends a key frame in good order.
      recorder.feed(keyUnit(1_000, 1), interUnit(2_000), interUnit(3_000));
      assert.ok(recorder.units.length > accessUnits);
    }),
    { numRuns: 500 },
  );
});
