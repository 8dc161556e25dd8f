import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Av1Packetizer } from '../../../shared/packetizer/av1.js';
import { parseRtpPacket, type RtpPacket } from '../../../shared/rtp-packet.js';

function packetize(obus: readonly Uint8Array[], maxPayloadBytes = 1_400): RtpPacket[] {
  const packetizer = new Av1Packetizer({ payloadType: 96, ssrc: 0xcafe, sequenceNumber: 0xfffe, maxPayloadBytes });
  return packetizer.packetize(obus, 5).map((bytes) => {
    const packet = parseRtpPacket(bytes);
    assert.ok(packet !== null);
    return packet;
  });
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/ /g, ''), 'hex'));

test('a small temporal unit: one packet, counted elements, no sizes, no delimiter, the N bit', () => {
  const packets = packetize([hex('1200'), hex('0a 02 aabb'), hex('36 08 01 cc'), hex('32 03 ddeeff')]);
  assert.equal(packets.length, 1);
  assert.deepEqual(packets[0]?.payload, hex('38 03 08aabb 03 3408cc 30ddeeff'));
  assert.equal(packets[0]?.marker, true);
});

test('without a sequence header there is no N bit; OBUs without a size stay as they are', () => {
  assert.deepEqual(packetize([hex('30 11 22')])[0]?.payload, hex('10 30 11 22'));
});

test('an OBU over the limit is cut: Y, Z and Y, Z; the marker on the last packet', () => {
  const obu = Uint8Array.of(0x30, ...new Uint8Array(150));
  const packets = packetize([obu], 64);
  assert.deepEqual(
    packets.map(({ payload, marker }) => [payload[0], payload.length, marker]),
    [
      [0x50, 64, false],
      [0xd0, 64, false],
      [0x90, 26, true],
    ],
  );
  assert.deepEqual(new Uint8Array(Buffer.concat(packets.map(({ payload }) => payload.subarray(1)))), obu);
});

test('nothing to send gives no packet', () => {
  for (const obus of [[], [new Uint8Array()], [hex('1200')], [hex('32')], [hex('32 80')], [hex('36 00')]]) {
    assert.deepEqual(packetize(obus), []);
  }
});

test('any bytes: nothing throws, nothing is over the limit, one marker at the end', () => {
  const obus = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 });
  fc.assert(
    fc.property(obus, fc.integer({ min: 64, max: 300 }), (unit, limit) => {
      const packets = packetize(unit, limit);
      packets.forEach(({ payload, marker }, index) => {
        assert.ok(payload.length > 1 && payload.length <= limit);
        assert.equal(marker, index === packets.length - 1);
      });
    }),
  );
});
