import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { looksLikeRtcp, parseRtpPacket, serializeRtpPacket } from '../../shared/rtp-packet.js';

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('a packet with nothing but the fixed header and a payload is read', () => {
  const packet = parseRtpPacket(bytes('80 e0 1234 fffffffe 89abcdef 65 88'));
  assert.deepEqual(packet, {
    payloadType: 96,
    marker: true,
    sequenceNumber: 0x1234,
    timestamp: 0xfffffffe,
    ssrc: 0x89abcdef,
    payload: bytes('65 88'),
    extension: null,
  });
});

test('contributing sources, extension and padding are taken off the payload', () => {
  const packet = parseRtpPacket(
    bytes('b2 60 0001 00000002 00000003 0000000a 0000000b abac 0002 01020304 05060708 aabbcc 000003'),
  );
  assert.deepEqual(packet?.extension, { profile: 0xabac, data: bytes('0102030405060708') });
  assert.deepEqual(packet?.payload, bytes('aabbcc'));
  assert.equal(packet?.marker, false);
});

test('the payload and the extension are views of the packet, not copies', () => {
  const whole = bytes('90 60 0001 00000002 00000003 0001 0001 01020304 aa');
  const packet = parseRtpPacket(whole);
  assert.equal(packet?.payload.buffer, whole.buffer);
  assert.equal(packet?.extension?.data.buffer, whole.buffer);
});

test('an empty payload is a packet all the same', () => {
  assert.equal(parseRtpPacket(bytes('80 60 0001 00000002 00000003'))?.payload.length, 0);
  assert.equal(parseRtpPacket(bytes('a0 60 0001 00000002 00000003 00000004'))?.payload.length, 0);
});

const broken: [name: string, hex: string][] = [
  ['nothing at all', ''],
  ['eleven bytes', '80 60 0001 00000002 000000'],
  ['version 1', '40 60 0001 00000002 00000003 aa'],
  ['version 3', 'c0 60 0001 00000002 00000003 aa'],
  ['contributing sources beyond the end', '81 60 0001 00000002 00000003 aa'],
  ['an extension header beyond the end', '90 60 0001 00000002 00000003 abac'],
  ['an extension beyond the end', '90 60 0001 00000002 00000003 abac 0002 01020304'],
  ['padding of zero bytes', 'a0 60 0001 00000002 00000003 aabb00'],
  ['padding of more than the payload', 'a0 60 0001 00000002 00000003 aabb04'],
  ['padding without a payload', 'a0 60 0001 00000002 00000003'],
];

for (const [name, hex] of broken) {
  test(`no packet: ${name}`, () => assert.equal(parseRtpPacket(bytes(hex)), null));
}

test('a packet is written as the standard has it', () => {
  const packet = serializeRtpPacket({
    payloadType: 97,
    marker: true,
    sequenceNumber: 0x1_0002,
    timestamp: 0x1_0000_0003,
    ssrc: 4,
    payload: [bytes('aa'), bytes('bbcc')],
    extension: { profile: 0xabac, data: bytes('0102030405') },
  });
  // The fifth byte of the extension is no whole word, and stays out.
  assert.deepEqual(packet, bytes('90 e1 0002 00000003 00000004 abac 0001 01020304 aabbcc'));
});

test('what is written is read back', () => {
  const words = fc
    .integer({ min: 0, max: 5 })
    .chain((count) => fc.uint8Array({ minLength: 4 * count, maxLength: 4 * count }));
  fc.assert(
    fc.property(
      fc.record(
        {
          payloadType: fc.integer({ min: 0, max: 127 }),
          marker: fc.boolean(),
          sequenceNumber: fc.integer({ min: 0, max: 0xffff }),
          timestamp: fc.integer({ min: 0, max: 0xffff_ffff }),
          ssrc: fc.integer({ min: 0, max: 0xffff_ffff }),
          payload: fc.uint8Array({ maxLength: 50 }),
          extension: fc.option(
            fc.record({ profile: fc.integer({ min: 0, max: 0xffff }), data: words }, { noNullPrototype: true }),
          ),
        },
        { noNullPrototype: true },
      ),
      (packet) => {
        assert.deepEqual(parseRtpPacket(serializeRtpPacket(packet)), packet);
      },
    ),
  );
});

test('any bytes give a packet that lies inside them, or none', () => {
  const header = fc.tuple(fc.integer({ min: 0x80, max: 0xbf }), fc.uint8Array({ maxLength: 60 }));
  fc.assert(
    fc.property(header, ([first, rest]) => {
      const packet = parseRtpPacket(new Uint8Array([first, ...rest]));
      if (packet === null) return;
      const extensionBytes = packet.extension === null ? 0 : 4 + packet.extension.data.length;
      assert.ok(12 + extensionBytes + packet.payload.length <= 1 + rest.length);
    }),
  );
});

test('RTCP on the RTP channel is told by its packet type', () => {
  for (const type of [200, 201, 202, 203, 204]) assert.equal(looksLikeRtcp(new Uint8Array([0x80, type])), true);
  // Payload types 96 and 97, with and without the marker, and what lies just outside.
  for (const type of [96, 97, 224, 225, 199, 205]) assert.equal(looksLikeRtcp(new Uint8Array([0x80, type])), false);
  assert.equal(looksLikeRtcp(new Uint8Array([0x80])), false);
});
