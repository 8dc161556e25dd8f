import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { parseRtpPacket, type RtpPacket } from '../../../shared/rtp-packet.js';

function packetizer(maxPayloadBytes?: number): H264Packetizer {
  const options = { payloadType: 96, ssrc: 0xcafe, sequenceNumber: 0xfffe };
  return new H264Packetizer(maxPayloadBytes === undefined ? options : { ...options, maxPayloadBytes });
}

function parse(packets: Uint8Array[]): RtpPacket[] {
  return packets.map((bytes) => {
    const packet = parseRtpPacket(bytes);
    assert.ok(packet !== null);
    return packet;
  });
}

function nalUnit(header: number, length: number): Uint8Array {
  const unit = new Uint8Array(length);
  unit[0] = header;
  for (let index = 1; index < length; index++) unit[index] = (index * 7) & 0xff;
  return unit;
}

/** The NAL units in the payloads, by RFC 6184 alone. */
function depacketize(packets: RtpPacket[]): Uint8Array[] {
  const units: Uint8Array[] = [];
  let fragments: number[] | null = null;
  for (const { payload } of packets) {
    const [indicator = 0, header = 0] = payload;
    const type = indicator & 0x1f;
    if (type === 28) {
      if (header & 0x80) fragments = [(indicator & 0xe0) | (header & 0x1f)];
      assert.ok(fragments !== null);
      fragments.push(...payload.subarray(2));
      if (header & 0x40) {
        units.push(new Uint8Array(fragments));
        fragments = null;
      }
    } else if (type === 24) {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      for (let offset = 1; offset < payload.length; offset += 2 + view.getUint16(offset)) {
        units.push(payload.subarray(offset + 2, offset + 2 + view.getUint16(offset)));
      }
    } else units.push(payload);
  }
  assert.equal(fragments, null);
  return units;
}

test('a slice that fits goes in a packet of its own, with the marker', () => {
  const slice = nalUnit(0x41, 1_400);
  const packets = parse(packetizer().packetize(slice, 1_000));
  assert.equal(packets.length, 1);
  const [packet] = packets;
  assert.deepEqual(packet?.payload, slice);
  assert.equal(packet?.marker, true);
  assert.equal(packet?.timestamp, 1_000);
  assert.equal(packet?.payloadType, 96);
  assert.equal(packet?.ssrc, 0xcafe);
});

test('parameter sets go in a STAP-A ahead of the IDR slice, with the highest reference idc', () => {
  const sps = new Uint8Array([0x27, 1, 2, 3]);
  const pps = new Uint8Array([0x48, 4]);
  const packets = parse(packetizer().packetize([sps, pps, nalUnit(0x65, 100)], 0));
  assert.equal(packets.length, 2);
  assert.deepEqual(packets[0]?.payload, new Uint8Array([0x58, 0, 4, 0x27, 1, 2, 3, 0, 2, 0x48, 4]));
  assert.deepEqual(
    packets.map((packet) => packet.marker),
    [false, true],
  );
});

test('one unit ahead of the slice is not aggregated', () => {
  const packets = parse(packetizer().packetize([nalUnit(0x06, 20), nalUnit(0x41, 30)], 0));
  assert.deepEqual(
    packets.map((packet) => packet.payload[0]),
    [0x06, 0x41],
  );
});

test('a slice over the limit becomes fragments: start, middle, end; sequence numbers wrap', () => {
  const slice = nalUnit(0x65, 4_000);
  const h264 = packetizer();
  const packets = parse(h264.packetize([slice], 0x1_0000_0001));
  assert.deepEqual(
    packets.map((packet) => [packet.payload[0], packet.payload[1]]),
    [
      [0x7c, 0x85],
      [0x7c, 0x05],
      [0x7c, 0x45],
    ],
  );
  assert.deepEqual(
    packets.map((packet) => packet.sequenceNumber),
    [0xfffe, 0xffff, 0],
  );
  assert.ok(packets.every((packet) => packet.timestamp === 1));
  assert.equal(h264.sequenceNumber, 1);
  assert.deepEqual(depacketize(packets), [slice]);
});

test('an access unit without a NAL unit gives no packet', () => {
  const h264 = packetizer();
  assert.deepEqual(h264.packetize([], 0), []);
  assert.deepEqual(h264.packetize([new Uint8Array(0)], 0), []);
  assert.equal(h264.sequenceNumber, 0xfffe);
});

test('any access unit: nothing is lost, nothing is over the limit, one marker at the end, fragments are two or more', () => {
  const units = fc.array(
    fc
      .tuple(fc.constantFrom(0x65, 0x41, 0x67, 0x68, 0x06, 0x09), fc.integer({ min: 1, max: 700 }))
      .map(([header, length]) => nalUnit(header, length)),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(units, fc.integer({ min: 64, max: 300 }), (accessUnit, limit) => {
      const packets = parse(packetizer(limit).packetize(accessUnit, 5));
      assert.deepEqual(depacketize(packets), accessUnit);
      packets.forEach((packet, index) => {
        assert.ok(packet.payload.length <= limit);
        assert.equal(packet.marker, index === packets.length - 1);
        assert.equal(packet.sequenceNumber, (0xfffe + index) & 0xffff);
        const isFragment = ((packet.payload[0] ?? 0) & 0x1f) === 28;
        // Start and end in one fragment is forbidden (RFC 6184, 5.8).
        if (isFragment) assert.notEqual((packet.payload[1] ?? 0) & 0xc0, 0xc0);
      });
    }),
  );
});
