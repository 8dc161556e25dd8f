import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { H265Packetizer } from '../../../shared/packetizer/h265.js';
import { parseRtpPacket, type RtpPacket } from '../../../shared/rtp-packet.js';

function packetize(units: readonly Uint8Array[], maxPayloadBytes = 1_400): RtpPacket[] {
  const packetizer = new H265Packetizer({ payloadType: 96, ssrc: 0xcafe, sequenceNumber: 0xfffe, maxPayloadBytes });
  return packetizer.packetize(units, 5).map((bytes) => {
    const packet = parseRtpPacket(bytes);
    assert.ok(packet !== null);
    return packet;
  });
}

function nalUnit(type: number, length: number, temporalId = 0): Uint8Array {
  const unit = new Uint8Array(length);
  for (let index = 2; index < length; index++) unit[index] = (index * 7) & 0xff;
  unit.set([type << 1, temporalId + 1]);
  return unit;
}

/** The NAL units in the payloads, by RFC 7798 alone. */
function depacketize(packets: readonly RtpPacket[]): Uint8Array[] {
  const units: Uint8Array[] = [];
  let fragments: number[] | null = null;
  for (const { payload } of packets) {
    const [first = 0, second = 0, fuHeader = 0] = payload;
    const type = (first >> 1) & 0x3f;
    if (type === 49) {
      if (fuHeader & 0x80) fragments = [(first & 0x81) | ((fuHeader & 0x3f) << 1), second];
      assert.ok(fragments !== null);
      fragments.push(...payload.subarray(3));
      if (fuHeader & 0x40) {
        units.push(new Uint8Array(fragments));
        fragments = null;
      }
    } else if (type === 48) {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      for (let offset = 2; offset < payload.length; offset += 2 + view.getUint16(offset)) {
        units.push(payload.subarray(offset + 2, offset + 2 + view.getUint16(offset)));
      }
    } else units.push(payload);
  }
  assert.equal(fragments, null);
  return units;
}

test('parameter sets go in an aggregation packet ahead of the slice, with the lowest temporal id', () => {
  const vps = Uint8Array.of(0x40, 0x01, 1);
  const sei = Uint8Array.of(0x4e, 0x03, 2, 3);
  const packets = packetize([sei, vps, nalUnit(19, 100)]);
  assert.deepEqual(packets[0]?.payload, Uint8Array.of(0x60, 0x01, 0, 4, ...sei, 0, 3, ...vps));
  assert.deepEqual(
    packets.map((packet) => packet.marker),
    [false, true],
  );
});

test('a slice over the limit becomes fragments: start, middle, end', () => {
  const slice = nalUnit(19, 4_000, 1);
  const packets = packetize([slice]);
  assert.deepEqual(
    packets.map(({ payload }) => [...payload.subarray(0, 3)]),
    [
      [0x62, 0x02, 0x93],
      [0x62, 0x02, 0x13],
      [0x62, 0x02, 0x53],
    ],
  );
  assert.deepEqual(depacketize(packets), [slice]);
});

test('an access unit without a NAL unit gives no packet', () => {
  assert.deepEqual(packetize([]), []);
  assert.deepEqual(packetize([new Uint8Array(0), Uint8Array.of(0x40)]), []);
});

test('any access unit: nothing is lost, nothing is over the limit, one marker at the end, fragments are two or more', () => {
  const units = fc.array(
    fc
      .tuple(fc.constantFrom(0, 1, 19, 21, 32, 33, 34, 35, 39, 40), fc.integer({ min: 2, max: 700 }), fc.nat(2))
      .map(([type, length, temporalId]) => nalUnit(type, length, temporalId)),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(units, fc.integer({ min: 64, max: 300 }), (accessUnit, limit) => {
      const packets = packetize(accessUnit, limit);
      assert.deepEqual(depacketize(packets), accessUnit);
      packets.forEach(({ payload, marker }, index) => {
        assert.ok(payload.length <= limit);
        assert.equal(marker, index === packets.length - 1);
        // Start and end in one fragment is forbidden (RFC 7798, 4.4.3).
        if ((payload[0] ?? 0) >> 1 === 49) assert.notEqual((payload[2] ?? 0) & 0xc0, 0xc0);
      });
    }),
  );
});
