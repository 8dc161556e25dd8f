import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Vp9Depacketizer } from '../../../client/depacketizer/vp9.js';
import { bytes, checkUnits, hex, mediaFormat, type TestPacket, UnitRecorder, videoConfigOf } from './rtp-fixtures.js';

/** A key frame of 320×180, profile 0, and another frame (VP9 specification, 6.2). */
const KEY = '82498342 00 13f0 0b30'.replace(/ /g, '');
const OTHER = '8600112233';

function recorder(): UnitRecorder<Vp9Depacketizer> {
  return new UnitRecorder(Vp9Depacketizer, mediaFormat('VP9', 90_000));
}

interface Packet {
  /** Frame bytes, in hexadecimal. */
  data?: string;
  id?: number;
  isInter?: boolean;
  /** Temporal and spatial layer; L is set with either. */
  tid?: number;
  sid?: number;
  /** U and D. */
  isSwitch?: boolean;
  isInterLayer?: boolean;
  tl0?: number;
  /** Flexible mode, with these references. */
  references?: number[];
  isStart?: boolean;
  isEnd?: boolean;
  sizes?: [number, number][];
  time?: number;
  marker?: boolean;
  lost?: number;
}

/** A packet by RFC 9628, 4.2: a whole frame of one layer unless something else is said. */
function packet(fields: Packet): TestPacket {
  const { id, isInter = false, tid, sid, references, isStart = true, isEnd = true, sizes } = fields;
  const hasLayer = tid !== undefined || sid !== undefined;
  const isFlexible = references !== undefined;
  const flags = [id !== undefined, isInter, hasLayer, isFlexible, isStart, isEnd, sizes !== undefined, false];
  const head = [Number.parseInt(flags.map(Number).join(''), 2)];
  if (id !== undefined) head.push(0x80 | (id >> 8), id & 0xff);
  if (hasLayer) {
    head.push(((tid ?? 0) << 5) | (fields.isSwitch ? 0x10 : 0) | ((sid ?? 0) << 1) | (fields.isInterLayer ? 1 : 0));
    if (!isFlexible) head.push(fields.tl0 ?? 0);
  }
  if (isFlexible && isInter) {
    for (const [index, distance] of references.entries()) {
      head.push((distance << 1) | (index < references.length - 1 ? 1 : 0));
    }
  }
  if (sizes !== undefined) {
    head.push(((sizes.length - 1) << 5) | 0x10);
    for (const [width, height] of sizes) head.push(width >> 8, width & 0xff, height >> 8, height & 0xff);
  }
  const data = bytes(fields.data ?? (isInter || fields.isInterLayer ? OTHER : KEY));
  return {
    payload: new Uint8Array([...head, ...data]),
    time: fields.time ?? id ?? 0,
    marker: fields.marker ?? true,
    lost: fields.lost ?? 0,
  };
}

test('one packet a picture', () => {
  const { contents, units, depacketizer } = recorder().feed(packet({ id: 1 }), packet({ id: 2, isInter: true }));
  assert.deepEqual(contents, [KEY, OTHER]);
  assert.deepEqual(
    units.map((unit) => unit.isKeyFrame),
    [true, false],
  );
  const config = videoConfigOf(units[0]);
  assert.deepEqual([config?.codec, config?.width, config?.height], ['vp09.00.11.08', 320, 180]);
  // version 1; profile, level, bit depth 8 with 4:2:0; nothing said of colours
  assert.equal(hex(config?.description ?? []), '01000000' + '000b82' + '020202' + '0000');
  assert.equal(units[1]?.config, null);
  assert.equal(depacketizer.stats.keyFrames, 1);
});

test('a picture over several packets, none of whose bytes is copied; without markers and end bits, too', () => {
  for (const marker of [true, false]) {
    const { contents, units } = recorder().feed(
      packet({ id: 1, data: KEY.slice(0, 6), isEnd: false, marker: false }),
      packet({ id: 1, data: KEY.slice(6, 12), isStart: false, isEnd: false, marker: false }),
      packet({ id: 1, data: KEY.slice(12), isStart: false, isEnd: marker, marker }),
      packet({ id: 2, isInter: true, marker }),
      packet({ id: 3, isInter: true, marker: true }),
    );
    assert.deepEqual(contents, [KEY, OTHER, OTHER]);
    assert.equal(units[0]?.pieces.length, 3);
  }
});

test('without layers everything after a loss is dropped up to the next key picture', () => {
  const { times, depacketizer } = recorder().feed(
    packet({ id: 1 }),
    packet({ id: 3, isInter: true, lost: 1 }),
    packet({ id: 4, isInter: true }),
    packet({ id: 5 }),
    packet({ id: 6, isInter: true, isEnd: false, marker: false }),
    packet({ id: 6, isInter: true, isStart: false, lost: 1 }),
    packet({ id: 7, isInter: true }),
    packet({ id: 8 }),
  );
  assert.deepEqual(times, [1, 5, 8]);
  assert.equal(depacketizer.stats.droppedAccessUnits, 4);
});

// Spatial layers.

const SIZES: [number, number][] = [
  [320, 180],
  [640, 360],
  [1_280, 720],
];

/** The layers of a picture, the marker on the last; `lost`: which of them never comes. */
function layers(id: number, isKey: boolean, lost: number | null = null): TestPacket[] {
  const all = [0, 1, 2].map((sid) =>
    packet({
      id,
      sid,
      tl0: id,
      isInter: !isKey,
      isInterLayer: sid > 0,
      data: sid > 0 || !isKey ? `86${id.toString(16).padStart(2, '0')}0${sid}` : KEY,
      marker: sid === 2,
      ...(isKey && sid === 0 ? { sizes: SIZES } : {}),
    }),
  );
  return all.map((one, sid) => ({ ...one, lost: lost === sid - 1 ? 1 : 0 })).filter((_, sid) => sid !== lost);
}

test('all spatial layers of a picture are one superframe, with an index', () => {
  const { contents, units } = recorder().feed(...layers(1, true), ...layers(2, false));
  const index = (first: number) => `c2${first.toString(16).padStart(2, '0')}0303c2`;
  assert.deepEqual(contents, [`${KEY}860101860102${index(9)}`, `860200860201860202${index(3)}`]);
  const config = videoConfigOf(units[0]);
  assert.deepEqual([config?.width, config?.height], [1_280, 720]);
});

/** The highest layer of each unit. */
function tops(recorded: UnitRecorder<Vp9Depacketizer>): string[] {
  return recorded.units.map((unit) => {
    const text = hex(unit.pieces);
    const frames = unit.pieces.length > 1 ? unit.pieces.length - 1 : 1;
    return `${unit.presentationTime}:${text.startsWith(KEY) && frames === 1 ? 0 : frames - 1}`;
  });
}

test('without its highest layer a picture is shown up to the one below, and so are those after it', () => {
  const recorded = recorder().feed(
    ...layers(1, true),
    ...layers(2, false, 1),
    ...layers(3, false),
    ...layers(4, true),
    ...layers(5, false),
  );
  assert.deepEqual(tops(recorded), ['1:2', '2:0', '3:0', '4:2', '5:2']);
});

test('the last layer may be lost with the marker', () => {
  const next = layers(3, false).map((one, sid) => ({ ...one, lost: sid === 0 ? 1 : 0 }));
  const recorded = recorder().feed(...layers(1, true), ...layers(2, false, 2), ...next);
  assert.deepEqual(tops(recorded), ['1:2', '2:1', '3:1']);
});

test('without its lowest layer there is no picture, nor after it', () => {
  const recorded = recorder().feed(...layers(1, true), ...layers(2, false, 0), ...layers(3, false), ...layers(4, true));
  assert.deepEqual(tops(recorded), ['1:2', '4:2']);
});

test('a higher layer that refers to no earlier picture can be taken up again', () => {
  const recorded = recorder().feed(
    ...layers(1, true),
    ...layers(2, false, 2).slice(0, 2),
    packet({ id: 3, tl0: 3, sid: 0, isInter: true, marker: false, lost: 1 }),
    packet({ id: 3, tl0: 3, sid: 1, isInter: true, isInterLayer: true, marker: false }),
    packet({ id: 3, tl0: 3, sid: 2, isInterLayer: true }),
    ...layers(4, false),
  );
  assert.deepEqual(tops(recorded), ['1:2', '2:1', '3:2', '4:2']);
});

// Temporal layers.

test('what is lost of an upper temporal layer leaves the lower ones, and the upper one from its next switching point on', () => {
  const { times } = recorder().feed(
    packet({ id: 1, tid: 0, tl0: 7 }),
    packet({ id: 2, tid: 1, tl0: 7, isInter: true }),
    // 3, of the upper layer, is lost.
    packet({ id: 4, tid: 0, tl0: 8, isInter: true, lost: 1 }),
    packet({ id: 5, tid: 1, tl0: 8, isInter: true }),
    packet({ id: 6, tid: 0, tl0: 9, isInter: true, isSwitch: true }),
    packet({ id: 7, tid: 1, tl0: 9, isInter: true }),
  );
  assert.deepEqual(times, [1, 2, 4, 6, 7]);
});

test('what is lost of the lowest temporal layer is missed, by its count', () => {
  const { times } = recorder().feed(
    packet({ id: 1, tid: 0, tl0: 255 }),
    packet({ id: 2, tid: 0, tl0: 0, isInter: true }),
    packet({ id: 4, tid: 0, tl0: 2, isInter: true, lost: 1 }),
    packet({ id: 5, tid: 0, tl0: 3, isInter: true }),
    packet({ id: 6, tid: 0, tl0: 4 }),
  );
  assert.deepEqual(times, [1, 2, 6]);
});

// Flexible mode.

test('in flexible mode only what refers to something lost is dropped', () => {
  const { times } = recorder().feed(
    packet({ id: 0x7ffe, references: [], time: 1 }),
    packet({ id: 0x7fff, references: [1], isInter: true, time: 2 }),
    // 0 is lost; 1 refers to 0x7fff, 2 to 0 and 1, 3 to 1.
    packet({ id: 1, references: [2], isInter: true, time: 4, lost: 1 }),
    packet({ id: 2, references: [1, 2], isInter: true, time: 5 }),
    packet({ id: 3, references: [2, 4], isInter: true, time: 6 }),
  );
  assert.deepEqual(times, [1, 2, 4, 6]);
});

for (const [what, payload] of [
  ['a descriptor alone', bytes('8c8001')],
  ['more than three references', bytes('dc8001 03030302 8600')],
  ['a scalability structure that is cut short', bytes('0a 1840 0140')],
  ['a frame that is no VP9', bytes('0c 11223344556677')],
] as const) {
  test(`${what} is malformed, and the next key picture plays`, () => {
    const { times, depacketizer } = recorder().feed(
      packet({ time: 0 }),
      { payload, time: 1, marker: true },
      packet({ time: 2, isInter: true }),
      packet({ time: 3 }),
    );
    assert.deepEqual(times, [0, 3]);
    assert.equal(depacketizer.stats.malformedPackets, 1);
  });
}

test('a scalability structure with a group of pictures is passed over', () => {
  // N_S 0, G; three pictures with 1, 0 and 2 references
  const { contents } = recorder().feed({ payload: bytes(`0e 08 03 04 01 10 28 0102 ${KEY}`), time: 0, marker: true });
  assert.deepEqual(contents, [KEY]);
});

test('whatever comes, what is handed over is whole, and begins with a key picture', () => {
  const fields = fc.record({
    id: fc.nat(8),
    isInter: fc.boolean(),
    sid: fc.nat(2),
    tid: fc.nat(1),
    tl0: fc.nat(3),
    isSwitch: fc.boolean(),
    isInterLayer: fc.boolean(),
    references: fc.option(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), { nil: undefined }),
    isStart: fc.boolean(),
    isEnd: fc.boolean(),
    marker: fc.boolean(),
    lost: fc.constantFrom(0, 0, 0, 1),
  });
  const wild = fc.record({ payload: fc.uint8Array({ maxLength: 30 }), time: fc.nat(8), marker: fc.boolean() });
  const packets = fc.array(
    fc.oneof(
      fields.map((one) => packet(one as Packet)),
      wild,
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(packets, (list) => {
      const { units, depacketizer } = recorder().feed(...list);
      checkUnits(units);
      assert.equal(depacketizer.stats.accessUnits, units.length);
    }),
    { numRuns: 500 },
  );
});

test('in flexible mode, whatever is lost, nothing is handed over whose references were not', () => {
  const pictures = fc.array(
    fc.record({
      references: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
      isLost: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(pictures, (list) => {
      const packets: TestPacket[] = [packet({ id: 0, references: [] })];
      const usable = new Set([0]);
      let lost = 0;
      for (const [index, { references, isLost }] of list.entries()) {
        const id = index + 1;
        const known = references.filter((distance) => distance <= id);
        if (isLost || known.length === 0) {
          lost++;
          continue;
        }
        if (known.every((distance) => usable.has(id - distance))) usable.add(id);
        packets.push(packet({ id, references: known, isInter: true, lost }));
        lost = 0;
      }
      assert.deepEqual(recorder().feed(...packets).times, [...usable]);
    }),
  );
});
