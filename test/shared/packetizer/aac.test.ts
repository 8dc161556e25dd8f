import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AacPacketizer } from '../../../shared/packetizer/aac.js';
import { parseRtpPacket, type RtpPacket } from '../../../shared/rtp-packet.js';

function parse(packets: Uint8Array[]): RtpPacket[] {
  return packets.map((bytes) => {
    const packet = parseRtpPacket(bytes);
    assert.ok(packet !== null);
    return packet;
  });
}

const options = { payloadType: 97, ssrc: 7, sequenceNumber: 100 };

test('one access unit: one AU header of 16 bits, size above the index, the marker', () => {
  const packets = parse(new AacPacketizer(options).packetize(new Uint8Array([0x21, 0x10, 0x05]), 1_024));
  assert.equal(packets.length, 1);
  assert.deepEqual(packets[0]?.payload, new Uint8Array([0x00, 0x10, 0x00, 0x18, 0x21, 0x10, 0x05]));
  assert.equal(packets[0]?.marker, true);
  assert.equal(packets[0]?.timestamp, 1_024);
});

test('a unit in pieces is one unit', () => {
  const whole = new AacPacketizer(options).packetize(new Uint8Array([1, 2, 3]), 0);
  const pieces = new AacPacketizer(options).packetize([new Uint8Array([1]), new Uint8Array([2, 3])], 0);
  assert.deepEqual(pieces, whole);
});

test('nothing, and more than 13 bits can say, cannot be carried', () => {
  const aac = new AacPacketizer(options);
  assert.deepEqual(aac.packetize(new Uint8Array(0), 0), []);
  assert.deepEqual(aac.packetize(new Uint8Array(8_192), 0), []);
  assert.equal(aac.sequenceNumber, 100);
});

test('any unit: fragments within the limit, each with the size of the whole, the marker on the last', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 1_000 }), fc.integer({ min: 64, max: 300 }), (unit, limit) => {
      const packets = parse(new AacPacketizer({ ...options, maxPayloadBytes: limit }).packetize(unit, 9));
      const content: number[] = [];
      packets.forEach((packet, index) => {
        const view = new DataView(packet.payload.buffer, packet.payload.byteOffset, packet.payload.length);
        assert.equal(view.getUint16(0), 16);
        assert.equal(view.getUint16(2), unit.length << 3);
        assert.ok(packet.payload.length <= limit);
        assert.equal(packet.marker, index === packets.length - 1);
        assert.equal(packet.timestamp, 9);
        content.push(...packet.payload.subarray(4));
      });
      assert.deepEqual(new Uint8Array(content), unit);
    }),
  );
});
