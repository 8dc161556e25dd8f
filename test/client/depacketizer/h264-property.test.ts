import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { findStartCode } from '../../../client/codec/nal-unit.js';
import { H264Depacketizer } from '../../../client/depacketizer/h264.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { bytes, feed, fuA, hex, nalUnitsOf, stapA, type TestPacket, videoFormat } from './rtp-fixtures.js';

/** Invariants of the H.264 depacketizer over random streams, packetizations, losses and bytes. */

const SPS = bytes('67640028acd940780227e5c044000003000400000300c83c60c658');
const PPS = bytes('68ef8fcb');

interface Picture {
  isKeyFrame: boolean;
  hasSei: boolean;
  /** Lengths of the slices. */
  slices: readonly number[];
}

const picture = fc.record({
  isKeyFrame: fc.boolean(),
  hasSei: fc.boolean(),
  slices: fc.array(fc.integer({ min: 6, max: 60 }), { minLength: 1, maxLength: 4 }),
});
const stream = fc
  .array(picture, { minLength: 1, maxLength: 12 })
  .map((pictures) => pictures.map((one, index) => (index === 0 ? { ...one, isKeyFrame: true } : one)));

/** A slice whose bytes tell it from all others and hold no start code. */
function slice(isKeyFrame: boolean, pictureIndex: number, sliceIndex: number, length: number): Uint8Array {
  const data = new Uint8Array(length);
  for (let index = 0; index < length; index++)
    data[index] = 0x10 + ((index * 7 + pictureIndex * 31 + sliceIndex * 13) % 200);
  data[0] = isKeyFrame ? 0x65 : 0x41;
  // first_mb_in_slice 0 or 9, slice_type 7 or 5, pic_parameter_set_id 0
  if (isKeyFrame) data.set(sliceIndex === 0 ? [0x88, 0x84] : [0x14, 0x22], 1);
  else data.set(sliceIndex === 0 ? [0x9a, 0x84] : [0x14, 0x68], 1);
  data.set([0x20 + pictureIndex, 0x20 + sliceIndex], 3);
  return data;
}

/** NAL units of a picture as they are sent, parameter sets in front of each key frame. */
function nalUnits(one: Picture, index: number): Uint8Array[] {
  const units: Uint8Array[] = one.isKeyFrame ? [SPS, PPS] : [];
  if (one.hasSei) units.push(Uint8Array.of(0x06, 0x05, 0x02, 0x20 + index, 0x21, 0x80));
  for (const [position, length] of one.slices.entries()) units.push(slice(one.isKeyFrame, index, position, length));
  return units;
}

/** What the sample of a picture must hold. */
function expected(one: Picture, index: number): string[] {
  return nalUnits(one, index)
    .filter((nalUnit) => ((nalUnit[0] ?? 0) & 0x1f) < 7)
    .map(hex);
}

/** `wrong`: on the last packet of every slice. */
type Markers = 'right' | 'none' | 'wrong';

/** Packetizes at random: each NAL unit alone, joined with what follows, or cut. */
function packetize(pictures: readonly Picture[], markers: Markers, random: () => number): TestPacket[] {
  const packets: TestPacket[] = [];
  for (const [index, one] of pictures.entries()) {
    const waiting = nalUnits(one, index);
    while (waiting.length > 0) {
      const nalUnit = waiting.shift() as Uint8Array;
      const choice = random();
      let payloads = [nalUnit];
      if (choice < 0.3 && nalUnit.length > 3) {
        const cuts: number[] = [];
        for (let left = nalUnit.length - 1; left > 1 && cuts.length < 5; ) {
          const size = 1 + Math.floor(random() * (left - 1));
          cuts.push(size);
          left -= size;
        }
        payloads = fuA(nalUnit, ...cuts);
      } else if (choice < 0.6) {
        payloads = [stapA(nalUnit, ...waiting.splice(0, Math.floor(random() * 3)))];
      }
      for (const payload of payloads) packets.push({ payload, time: index * 100 });
      const last = packets.at(-1);
      if (last === undefined) continue;
      if (markers === 'wrong') last.marker = true;
      if (markers === 'right') last.marker = waiting.length === 0;
    }
  }
  return packets;
}

function depacketize(packets: readonly TestPacket[]): { units: AccessUnit[]; depacketizer: H264Depacketizer } {
  const units: AccessUnit[] = [];
  const depacketizer = new H264Depacketizer(videoFormat(), (unit) => units.push(unit));
  feed(depacketizer, packets);
  return { units, depacketizer };
}

/** Makes the last access unit end, whatever the markers are. */
const after: TestPacket = { payload: bytes('09f0'), time: 1_000_000 };

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
    fc.property(stream, fc.constantFrom<Markers>('right', 'none'), fc.integer(), (pictures, markers, seed) => {
      const { units, depacketizer } = depacketize([...packetize(pictures, markers, generator(seed)), after]);
      assert.deepEqual(units.map(nalUnitsOf), pictures.map(expected));
      assert.deepEqual(
        units.map((unit) => unit.presentationTime),
        pictures.map((_, index) => index * 100),
      );
      assert.deepEqual(
        units.map((unit) => unit.isKeyFrame),
        pictures.map((one) => one.isKeyFrame),
      );
      assert.equal(depacketizer.stats.droppedAccessUnits, 0);
      assert.equal(depacketizer.stats.malformedPackets, 0);
    }),
    { numRuns: 300 },
  );
});

test("the product's own packetizer is one of them, at any packet size", () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 8, max: 200 }), (pictures, maxPayloadBytes) => {
      const units: AccessUnit[] = [];
      const depacketizer = new H264Depacketizer(videoFormat(), (unit) => units.push(unit));
      const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 0, maxPayloadBytes });
      for (const [index, one] of pictures.entries()) {
        for (const data of packetizer.packetize(nalUnits(one, index), index)) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null);
          depacketizer.push(packet, index, 0);
        }
        assert.equal(units.length, index + 1, 'each goes out at its marker');
      }
      assert.deepEqual(units.map(nalUnitsOf), pictures.map(expected));
    }),
    { numRuns: 100 },
  );
});

test('whatever packets are lost, no access unit has a hole, and decoding goes on at key frames', () => {
  const markers = fc.constantFrom<Markers>('right', 'none');
  fc.assert(
    fc.property(stream, markers, fc.integer(), fc.integer({ min: 0, max: 50 }), (pictures, mode, seed, percent) => {
      const random = generator(seed);
      const packets: TestPacket[] = [];
      let lost = 0;
      for (const packet of packetize(pictures, mode, random)) {
        if (random() * 100 < percent) {
          lost++;
          continue;
        }
        packets.push({ ...packet, lost });
        lost = 0;
      }
      const { units } = depacketize([...packets, { ...after, lost }]);
      let previous: number | null = null;
      for (const unit of units) {
        const index = unit.presentationTime / 100;
        const whole = expected(pictures[index] as Picture, index);
        const found = nalUnitsOf(unit);
        const slicesOf = (texts: readonly string[]) => texts.filter((text) => !text.startsWith('06'));
        assert.deepEqual(slicesOf(found), slicesOf(whole));
        assert.ok(found.every((text) => whole.includes(text)));
        // What a picture is decoded from is the picture right before it, or nothing.
        if (!unit.isKeyFrame) assert.equal(index - 1, previous);
        previous = index;
      }
    }),
    { numRuns: 500 },
  );
});

test('markers on every slice: whole access units from the second key frame on', () => {
  fc.assert(
    fc.property(stream, stream, fc.integer(), (first, second, seed) => {
      // A picture of two slices sent apart is what gives the markers away.
      const revealing: Picture = { isKeyFrame: true, hasSei: false, slices: [20, 20] };
      const apart = packetize([revealing], 'none', () => 0.9).map((packet) => ({ ...packet, marker: true }));
      const rest = packetize([...first, ...second], 'wrong', generator(seed));
      const shifted = rest.map((packet) => ({ ...packet, time: packet.time + 100 }));
      const { units } = depacketize([...apart, ...shifted, after]);
      const all = [...first, ...second];
      assert.deepEqual(units.slice(1).map(nalUnitsOf), all.map(expected));
    }),
    { numRuns: 200 },
  );
});

test('random payloads never throw, and what comes out is a list of NAL units', () => {
  const head = fc.constantFrom(0x65, 0x41, 0x06, 0x67, 0x68, 0x78, 0x7c, 0x5c, 0x00, 0x1e, 0x79, 0x09);
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.tuple(head, fc.uint8Array({ maxLength: 40 })).map(([first, rest]) => Uint8Array.of(first, ...rest)),
    fc
      .tuple(head, fc.array(fc.constantFrom(0, 0, 0, 1, 0x65, 0x88, 0xc5), { maxLength: 30 }))
      .map(([first, rest]) => Uint8Array.of(first, ...rest)),
    fc.constantFrom(SPS, PPS, bytes('65888404aa'), bytes('7c858884aa'), bytes('7c45bb')),
  );
  const packet = fc.record({
    payload,
    time: fc.integer({ min: 0, max: 5 }),
    marker: fc.boolean(),
    lost: fc.constantFrom(0, 0, 0, 0, 1, 5),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
      const { units, depacketizer } = depacketize(packets);
      for (const unit of units) for (const nalUnit of nalUnitsOf(unit)) assert.ok(nalUnit.length >= 2);
      const { accessUnits, keyFrames } = depacketizer.stats;
      assert.equal(accessUnits, units.length);
      assert.equal(keyFrames, units.filter((unit) => unit.isKeyFrame).length);
      // A camera that sends garbage is still watched once it sends a key frame in good order.
      const before = units.length;
      const good: TestPacket[] = [SPS, PPS, bytes('65888404aa')].map((data) => ({
        payload: data,
        time: 1_000,
        lost: 1,
      }));
      feed(depacketizer, [
        ...good,
        { payload: bytes('419a2104bb'), time: 2_000 },
        { payload: bytes('09f0'), time: 3_000 },
      ]);
      assert.ok(units.length > before);
    }),
    { numRuns: 500 },
  );
});

test('what the fixtures call a slice has no start code', () => {
  for (let index = 0; index < 12; index++) assert.equal(findStartCode(slice(true, index, 3, 60)), -1);
});
