import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import type { Depacketizer } from '../../../client/depacketizer/depacketizer.js';
import { type DepacketizerClass, loadDepacketizer } from '../../../client/depacketizer/registry.js';
import { MAX_ACCESS_UNIT_BYTES } from '../../../shared/limits.js';
import { parseRtpPacket, serializeRtpPacket } from '../../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../../shared/rtsp-message.js';
import { RtspReader } from '../../../shared/rtsp-reader.js';
import { heldBytes } from '../../support/held-memory.js';
import { bytes, feed, hex, mediaFormat, rtpPacket, type TestPacket } from './rtp-fixtures.js';
import { formatOf, specimens } from './specimens.js';

/** What holds of every depacketizer, whatever the camera sends. */

/** A packet of the specimen that something happens to. */
interface Change {
  /** Which of them, by its place. */
  place: number;
  what: 'nothing' | 'flip' | 'cut' | 'insert' | 'repeat' | 'random';
  /** Where in the payload, as a share of it, the beginning more often than the rest. */
  where: number;
  bytes: Uint8Array;
  lost: number;
  /** Ticks that its time stamp is off by. */
  shift: number;
  marker: boolean | null;
}

const change: fc.Arbitrary<Change> = fc.record({
  place: fc.nat({ max: 1_000 }),
  what: fc.constantFrom('nothing', 'nothing', 'flip', 'cut', 'insert', 'repeat', 'random'),
  where: fc.oneof(fc.double({ min: 0, max: 0.1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
  bytes: fc.uint8Array({ maxLength: 40 }),
  lost: fc.constantFrom(0, 0, 0, 0, 1, 100),
  shift: fc.constantFrom(0, 0, 0, 1, -3_600, 2 ** 31),
  marker: fc.constantFrom(null, null, true, false),
});

function changed(packets: readonly TestPacket[], changes: readonly Change[]): TestPacket[] {
  return changes.map(({ place, lost, shift, marker, ...rest }) => {
    const packet = packets[place % packets.length] as TestPacket;
    return {
      payload: changedPayload(packet.payload, rest),
      time: packet.time + shift,
      marker: marker ?? packet.marker ?? false,
      lost,
    };
  });
}

function changedPayload(payload: Uint8Array, { what, where, bytes }: Pick<Change, 'what' | 'where' | 'bytes'>) {
  const at = Math.floor(where * payload.length);
  const [head, tail] = [payload.subarray(0, at), payload.subarray(at)];
  switch (what) {
    case 'flip':
      return payload.map((byte, index) => byte ^ (bytes[index - at] ?? 0));
    case 'cut':
      return head.slice();
    case 'insert':
      return new Uint8Array(Buffer.concat([head, bytes, tail]));
    case 'repeat':
      return new Uint8Array(Buffer.concat([head, tail, tail, tail]));
    case 'random':
      return bytes;
    default:
      return payload;
  }
}

/** All that can be seen of a unit. */
function describeUnit(unit: AccessUnit): string {
  const { presentationTime, decodeTime, isKeyFrame, pieces, config } = unit;
  const { description, ...rest } = config ?? { description: new Uint8Array() };
  return JSON.stringify([presentationTime, decodeTime, isKeyFrame, hex(pieces), hex(description), rest]);
}

for (const specimen of specimens) {
  describe(specimen.name, () => {
    const format = formatOf(specimen);
    let Class: DepacketizerClass;
    before(async () => {
      Class = await loadDepacketizer(format);
    });

    function start(): { depacketizer: Depacketizer; units: AccessUnit[] } {
      const units: AccessUnit[] = [];
      return { depacketizer: new Class(format, (unit) => units.push(unit)), units };
    }

    test('in good order it gives every unit, and drops nothing', () => {
      const { depacketizer, units } = start();
      feed(depacketizer, specimen.packets);
      assert.ok(units.length >= 12);
      const { droppedAccessUnits, malformedPackets } = depacketizer.stats;
      assert.deepEqual([droppedAccessUnits, malformedPackets], [0, 0]);
    });

    test('nothing throws, the counters tell what was handed over, and it is whole', () => {
      fc.assert(
        fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
          const { depacketizer, units } = start();
          feed(depacketizer, changed(specimen.packets, changes));
          const { stats } = depacketizer;
          assert.equal(stats.accessUnits, units.length);
          assert.equal(stats.keyFrames, units.filter((unit) => unit.isKeyFrame).length);
          for (const [index, { pieces, byteLength, presentationTime, decodeTime, ...unit }] of units.entries()) {
            assert.equal(
              pieces.reduce((sum, piece) => sum + piece.length, 0),
              byteLength,
            );
            assert.ok(byteLength > 0 && byteLength <= MAX_ACCESS_UNIT_BYTES);
            assert.ok(Number.isSafeInteger(presentationTime) && Number.isSafeInteger(decodeTime));
            // Documents are not decoded.
            const isReady = unit.config !== null || specimen.kind === 'application';
            if (index === 0) assert.ok(unit.isKeyFrame && isReady, 'decoding can start with the first one');
            if (specimen.kind !== 'video') assert.ok(unit.isKeyFrame);
          }
        }),
        { numRuns: 200 },
      );
    });

    test('it comes back: what is in good order behind anything is handed over', () => {
      fc.assert(
        fc.property(fc.array(change, { maxLength: 20 }), fc.boolean(), (changes, isReset) => {
          const { depacketizer, units } = start();
          feed(depacketizer, changed(specimen.packets, changes));
          if (isReset) depacketizer.reset();
          // The second time round everything has been seen once: parameter sets, tables, how markers are set.
          for (const round of [1, 2]) {
            units.length = 0;
            const later = specimen.packets.map((packet, index) => ({
              ...packet,
              time: packet.time + round * 10_000_000,
              lost: index === 0 ? 3 : 0,
            }));
            feed(depacketizer, later);
          }
          assert.ok(units.length >= 5, `only ${units.length} units`);
        }),
        { numRuns: 100 },
      );
    });

    test('the same at every way of splitting the stream, and wherever a payload lies in memory', () => {
      const frames = (packets: readonly TestPacket[]) =>
        packets.map(({ payload, time, marker = false }, index) => {
          const fields = { payloadType: 96, marker, sequenceNumber: index, timestamp: time >>> 0, ssrc: 1, payload };
          return serializeInterleaved(0, serializeRtpPacket(fields));
        });
      const read = (chunks: readonly Uint8Array[]) => {
        const { depacketizer, units } = start();
        const reader = new RtspReader({
          onMessage: () => assert.fail('no message was sent'),
          onError: (error) => assert.fail(error),
          onInterleavedFrame(_, bytes) {
            const packet = parseRtpPacket(bytes);
            if (packet !== null) depacketizer.push(packet, packet.timestamp, 0);
          },
        });
        for (const chunk of chunks) reader.push(chunk);
        return units.map(describeUnit);
      };
      const cuts = fc.array(fc.nat({ max: 3_000 }), { maxLength: 30 });
      fc.assert(
        fc.property(fc.array(change, { maxLength: 12 }), cuts, (changes, lengths) => {
          const parts = frames([...specimen.packets, ...changed(specimen.packets, changes)]);
          const stream = new Uint8Array(Buffer.concat(parts));
          const whole = read([stream]);
          assert.ok(whole.length > 0);
          assert.deepEqual(read(parts), whole);
          const chunks: Uint8Array[] = [];
          let position = 0;
          for (const length of [...lengths, stream.length]) {
            chunks.push(stream.slice(position, position + length));
            position += length;
          }
          assert.deepEqual(read(chunks), whole);
        }),
        { numRuns: 50 },
      );
      const stream = new Uint8Array(Buffer.concat(frames(specimen.packets)));
      assert.deepEqual(read(Array.from(stream, (byte) => Uint8Array.of(byte))), read([stream]));
    });

    test('what never comes to an end is not held without bound', async () => {
      const { depacketizer, units } = start();
      feed(depacketizer, specimen.packets);
      const before = await heldBytes();
      // Each of the specimen's first packets on and on: fragments that have no end, parameter sets that announce nothing.
      for (const { payload } of specimen.packets.slice(0, 4)) {
        for (let sent = 0; sent < MAX_ACCESS_UNIT_BYTES / 2; sent += 60_000) {
          const long = new Uint8Array(60_000);
          long.set(payload);
          // Parameter sets that repeat themselves are not kept in any case.
          long[long.length - 1] = 1 + (sent % 251);
          depacketizer.push(rtpPacket({ payload: long, time: 50_000_000 }), 50_000_000, 0);
          units.length = 0;
        }
      }
      const held = (await heldBytes()) - before;
      assert.ok(held <= MAX_ACCESS_UNIT_BYTES + 1_048_576, `${held} bytes are held`);
      assert.ok(depacketizer.stats.accessUnits >= 12);
    });
  });
}

for (const [name, set] of [
  ['H264', '67640028acd940780227e5c044000003000400000300c83c60c658'],
  ['H265', '420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84'],
] as const) {
  test(`${name}: parameter sets that are padding for the most part are not held without bound`, async () => {
    const format = mediaFormat(name, 90_000);
    const units: AccessUnit[] = [];
    const depacketizer = new (await loadDepacketizer(format))(format, (unit) => units.push(unit));
    const before = await heldBytes();
    for (let index = 0; index < 280; index++) {
      const padded = new Uint8Array(60_000);
      padded.set([...bytes(set), 1 + (index >> 7), 1 + (index & 0x7f)]);
      depacketizer.push(rtpPacket({ payload: padded, time: 0 }), 0, 0);
    }
    const held = (await heldBytes()) - before;
    assert.ok(held <= MAX_ACCESS_UNIT_BYTES + 1_048_576, `${held} bytes are held`);
    assert.deepEqual([units.length, depacketizer.stats.accessUnits], [0, 0]);
  });
}
