import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { H265Depacketizer } from '../../../client/depacketizer/h265.js';
import { H265Packetizer } from '../../../shared/packetizer/h265.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import {
  aggregationPacket,
  bytes,
  feed,
  fragmentationUnits,
  hex,
  nalUnitsOf,
  type TestPacket,
  videoFormat,
} from './rtp-fixtures.js';

/** Invariants of the H.265 depacketizer over random streams, packetizations, losses and bytes. */

const VPS = bytes('40010c01ffff016000000300900000030000030078959409');
const SPS = bytes('420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84');
const PPS = bytes('4401c172b46240');
const IDR = bytes('2601af1daabbcc');

interface Picture {
  isKeyFrame: boolean;
  hasSei: boolean;
  /** Lengths of the slice segments. */
  slices: readonly number[];
}

const picture = fc.record({
  isKeyFrame: fc.boolean(),
  hasSei: fc.boolean(),
  slices: fc.array(fc.integer({ min: 7, max: 60 }), { minLength: 1, maxLength: 4 }),
});
const stream = fc
  .array(picture, { minLength: 1, maxLength: 12 })
  .map((pictures) => pictures.map((one, index) => (index === 0 ? { ...one, isKeyFrame: true } : one)));

/** A slice segment whose bytes tell it from all others and hold no start code. */
function slice(isKeyFrame: boolean, pictureIndex: number, sliceIndex: number, length: number): Uint8Array {
  const data = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    data[index] = 0x10 + ((index * 7 + pictureIndex * 31 + sliceIndex * 13) % 200);
  }
  data.set([isKeyFrame ? 0x26 : 0x02, 0x01, sliceIndex === 0 ? 0xaf : 0x2f, 0x1d], 0);
  data.set([0x20 + pictureIndex, 0x20 + sliceIndex], 4);
  return data;
}

function nalUnits(one: Picture, index: number): Uint8Array[] {
  const units: Uint8Array[] = one.isKeyFrame ? [VPS, SPS, PPS] : [];
  if (one.hasSei) units.push(Uint8Array.of(0x4e, 0x01, 0x05, 0x02, 0x20 + index, 0x21, 0x80));
  for (const [position, length] of one.slices.entries()) units.push(slice(one.isKeyFrame, index, position, length));
  return units;
}

/** What the sample of a picture must hold. */
function expected(one: Picture, index: number): string[] {
  return nalUnits(one, index)
    .filter((nalUnit) => ![32, 33, 34].includes((nalUnit[0] ?? 0) >> 1))
    .map(hex);
}

/** Packetizes at random: each NAL unit alone, joined with what follows, or cut. */
function packetize(pictures: readonly Picture[], hasMarkers: boolean, random: () => number): TestPacket[] {
  const packets: TestPacket[] = [];
  for (const [index, one] of pictures.entries()) {
    const waiting = nalUnits(one, index);
    while (waiting.length > 0) {
      const nalUnit = waiting.shift() as Uint8Array;
      const choice = random();
      let payloads = [nalUnit];
      if (choice < 0.3 && nalUnit.length > 4) {
        const cuts: number[] = [];
        for (let left = nalUnit.length - 2; left > 1 && cuts.length < 5; ) {
          const size = 1 + Math.floor(random() * (left - 1));
          cuts.push(size);
          left -= size;
        }
        payloads = fragmentationUnits(nalUnit, ...cuts);
      } else if (choice < 0.6) {
        payloads = [aggregationPacket(nalUnit, ...waiting.splice(0, Math.floor(random() * 3)))];
      }
      for (const payload of payloads) packets.push({ payload, time: index * 100 });
      const last = packets.at(-1);
      if (last !== undefined && hasMarkers) last.marker = waiting.length === 0;
    }
  }
  return packets;
}

function depacketize(packets: readonly TestPacket[]): { units: AccessUnit[]; depacketizer: H265Depacketizer } {
  const units: AccessUnit[] = [];
  const depacketizer = new H265Depacketizer(videoFormat(), (unit) => units.push(unit));
  feed(depacketizer, packets);
  return { units, depacketizer };
}

/** Makes the last access unit end, whatever the markers are. */
const after: TestPacket = { payload: bytes('460110'), time: 1_000_000 };

/** A small generator, so that a seed of fast-check's makes the packetization. */
function generator(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test('every packetization of a stream gives the same access units', () => {
  fc.assert(
    fc.property(stream, fc.boolean(), fc.integer(), (pictures, hasMarkers, seed) => {
      const { units, depacketizer } = depacketize([...packetize(pictures, hasMarkers, generator(seed)), after]);
      assert.deepEqual(units.map(nalUnitsOf), pictures.map(expected));
      assert.deepEqual(
        units.map((unit) => unit.isKeyFrame),
        pictures.map((one) => one.isKeyFrame),
      );
      const { droppedAccessUnits, malformedPackets } = depacketizer.stats;
      assert.deepEqual({ droppedAccessUnits, malformedPackets }, { droppedAccessUnits: 0, malformedPackets: 0 });
    }),
    { numRuns: 300 },
  );
});

test("the product's own packetizer is one of them, at any packet size", () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 8, max: 200 }), (pictures, maxPayloadBytes) => {
      const units: AccessUnit[] = [];
      const depacketizer = new H265Depacketizer(videoFormat(), (unit) => units.push(unit));
      const packetizer = new H265Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 0, maxPayloadBytes });
      for (const [index, one] of pictures.entries()) {
        for (const data of packetizer.packetize(nalUnits(one, index), index)) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null && packet.payload.length <= Math.max(64, maxPayloadBytes));
          depacketizer.push(packet, index, 0);
        }
      }
      assert.deepEqual(units.map(nalUnitsOf), pictures.map(expected));
    }),
    { numRuns: 200 },
  );
});

test('whatever is lost, an access unit is whole or does not go out, and none goes out before a key frame', () => {
  const losses = fc.array(fc.boolean(), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(stream, fc.boolean(), fc.integer(), losses, (pictures, hasMarkers, seed, lost) => {
      const sent = packetize(pictures, hasMarkers, generator(seed));
      const received: TestPacket[] = [];
      let missing = 0;
      for (const [index, packet] of sent.entries()) {
        if (lost[index % lost.length] === true && index % 3 === 0) missing++;
        else {
          received.push({ ...packet, lost: missing });
          missing = 0;
        }
      }
      const { units } = depacketize([...received, { ...after, lost: missing }]);
      const whole = new Map(pictures.map((one, index) => [index * 100, expected(one, index)]));
      let lastTime = -1;
      for (const unit of units) {
        const nals = nalUnitsOf(unit);
        // SEI in a lost packet of its own cannot be missed by anybody.
        const wanted = (whole.get(unit.presentationTime) ?? []).filter((nal) => !nal.startsWith('4e'));
        assert.deepEqual(
          nals.filter((nal) => !nal.startsWith('4e') && !/^4[024]01/.test(nal)),
          wanted,
        );
        const from = pictures.findIndex((_, index) => index * 100 === lastTime);
        const at = unit.presentationTime / 100;
        if (at !== from + 1) assert.ok(unit.isKeyFrame, `picture ${at} after ${from}`);
        lastTime = unit.presentationTime;
      }
    }),
    { numRuns: 300 },
  );
});

test('random payloads never throw, and what comes out is a list of NAL units', () => {
  const head = fc.constantFrom(
    0x26,
    0x02,
    0x4e,
    0x40,
    0x42,
    0x44,
    0x46,
    0x60,
    0x62,
    0x64,
    0x2a,
    0x12,
    0x7e,
    0x48,
    0x50,
  );
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(head, fc.uint8Array({ maxLength: 40 })).map(([first, rest]) => Uint8Array.of(first, 1, ...rest)),
    fc
      .tuple(head, fc.array(fc.constantFrom(0, 0, 0, 1, 0x26, 0xaf, 0xc5, 0x93), { maxLength: 30 }))
      .map(([first, rest]) => Uint8Array.of(first, 1, ...rest)),
    fc.constantFrom(VPS, SPS, PPS, IDR, bytes('620193af1d'), bytes('620153bb')),
  );
  const packet = fc.record({
    payload,
    time: fc.integer({ min: 0, max: 5 }),
    marker: fc.boolean(),
    lost: fc.constantFrom(0, 0, 0, 0, 1, 5),
  });
  const parameters = fc.constantFrom<Record<string, string>>(
    {},
    { 'sprop-max-don-diff': '1' },
    { 'sprop-sps': 'QgE=' },
  );
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), parameters, (packets, described) => {
      const units: AccessUnit[] = [];
      const depacketizer = new H265Depacketizer(videoFormat(described), (unit) => units.push(unit));
      feed(depacketizer, packets);
      for (const unit of units) for (const nalUnit of nalUnitsOf(unit)) assert.ok(nalUnit.length >= 4);
      const { accessUnits, keyFrames } = depacketizer.stats;
      assert.equal(accessUnits, units.length);
      assert.equal(keyFrames, units.filter((unit) => unit.isKeyFrame).length);
      if (described['sprop-max-don-diff'] !== undefined) return;
      // A camera that sends garbage is still watched once it sends a key frame in good order.
      const before = units.length;
      const good: TestPacket[] = [VPS, SPS, PPS, IDR].map((data) => ({ payload: data, time: 1_000, lost: 1 }));
      feed(depacketizer, [
        ...good,
        { payload: bytes('0201d020bb'), time: 2_000 },
        { payload: bytes('460110'), time: 3_000 },
      ]);
      assert.ok(units.length > before);
    }),
    { numRuns: 500 },
  );
});
