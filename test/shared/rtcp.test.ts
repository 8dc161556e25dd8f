import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRtcp, unixMsFromNtp } from '../../shared/rtcp.js';
import {
  ntpFromUnixMs,
  serializeGoodbye,
  serializeReceiverReport,
  serializeSenderReport,
  serializeSourceDescription,
} from '../../shared/rtcp-writer.js';

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

const senderReport = '80c80006 11223344 83aa7e81 80000000 00015f90 0000000a 00000400';

test('a sender report gives UTC, RTP time and what a receiver report echoes', () => {
  assert.deepEqual(parseRtcp(bytes(senderReport)), [
    {
      kind: 'sender-report',
      ssrc: 0x11223344,
      ntpTime: 1_500,
      ntpMiddle: 0x7e818000,
      rtpTimestamp: 90_000,
      packetCount: 10,
      octetCount: 1024,
      reports: [],
    },
  ]);
});

test('a sender report without a time has none', () => {
  const [report] = parseRtcp(bytes('80c80006 11223344 00000000 00000000 00015f90 0000000a 00000400'));
  assert.equal(report?.kind === 'sender-report' ? report.ntpTime : undefined, null);
});

test('a receiver report with loss below zero is read (duplicates make it so)', () => {
  const block = 'aabbccdd 80fffffe 00010005 00000007 00000008 00000009';
  assert.deepEqual(parseRtcp(bytes(`81c90007 11223344 ${block}`)), [
    {
      kind: 'receiver-report',
      ssrc: 0x11223344,
      reports: [
        {
          ssrc: 0xaabbccdd,
          fractionLost: 128,
          cumulativeLost: -2,
          extendedHighestSequence: 0x10005,
          jitter: 7,
          lastSenderReport: 8,
          delaySinceLastSenderReport: 9,
        },
      ],
    },
  ]);
});

test('report blocks that were announced and are not there are left out', () => {
  const [report] = parseRtcp(bytes('9fc90001 11223344'));
  assert.deepEqual(report, { kind: 'receiver-report', ssrc: 0x11223344, reports: [] });
});

test('a compound packet is read in order, unknown types included', () => {
  const packets = parseRtcp(bytes(`${senderReport} 81ca0003 11223344 01036361 6d000000 80cd0000 80cc0001 00000001`));
  assert.deepEqual(
    packets.map((packet) => packet.kind),
    ['sender-report', 'source-description', 'other', 'other'],
  );
  assert.deepEqual(packets[1], { kind: 'source-description', chunks: [{ ssrc: 0x11223344, cname: 'cam' }] });
  assert.deepEqual(packets[2], { kind: 'other', packetType: 205 });
});

test('a source description without END is read (Tapo C320WS)', () => {
  assert.deepEqual(parseRtcp(bytes('81ca0003 11223344 01066361 6d657261')), [
    { kind: 'source-description', chunks: [{ ssrc: 0x11223344, cname: 'camera' }] },
  ]);
});

test('several chunks, other items between, an item length beyond the packet', () => {
  // Chunk 1: NAME "ab", CNAME "c", END; chunk 2: a CNAME that claims 40 bytes.
  const [description] = parseRtcp(bytes('82ca0006 00000001 02026162 01016300 00000002 01286465 66000000'));
  assert.deepEqual(description, {
    kind: 'source-description',
    chunks: [
      { ssrc: 1, cname: 'c' },
      { ssrc: 2, cname: null },
    ],
  });
});

test('a chunk that fills its word exactly has a word of zeros behind it', () => {
  const written = serializeSourceDescription({
    chunks: [
      { ssrc: 1, cname: 'ab' },
      { ssrc: 2, cname: null },
    ],
  });
  assert.deepEqual(written, bytes('82ca0005 00000001 01026162 00000000 00000002 00000000'));
});

test('a goodbye with a reason, without one, and with a reason longer than the packet', () => {
  assert.deepEqual(parseRtcp(bytes('81cb0002 00000005 03656e64')), [{ kind: 'goodbye', ssrcs: [5], reason: 'end' }]);
  assert.deepEqual(parseRtcp(bytes('80cb0000')), [{ kind: 'goodbye', ssrcs: [], reason: null }]);
  assert.deepEqual(parseRtcp(bytes('81cb0002 00000005 c8656e64')), [{ kind: 'goodbye', ssrcs: [5], reason: null }]);
});

test('a goodbye that names more sources than it has ends the reading', () => {
  assert.deepEqual(parseRtcp(bytes('9fcb0001 00000005')), []);
});

test('reading ends quietly at a length beyond the packet, a wrong version or impossible padding', () => {
  for (const tail of ['80c90009 00000001', '40c90001 00000001', 'a0c90001 00000000', 'a0c90001 000000ff', '80c9']) {
    assert.equal(parseRtcp(bytes(`${senderReport} ${tail}`)).length, 1, tail);
  }
});

test('padding is no content', () => {
  const [goodbye] = parseRtcp(bytes('a1cb0002 00000005 00000004'));
  assert.deepEqual(goodbye, { kind: 'goodbye', ssrcs: [5], reason: null });
});

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const reports = fc.array(
  fc.record(
    {
      ssrc: uint32,
      fractionLost: fc.integer({ min: 0, max: 255 }),
      cumulativeLost: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
      extendedHighestSequence: uint32,
      jitter: uint32,
      lastSenderReport: uint32,
      delaySinceLastSenderReport: uint32,
    },
    { noNullPrototype: true },
  ),
  { maxLength: 31 },
);

test('what is written is read back', () => {
  fc.assert(
    fc.property(uint32, uint32, uint32, uint32, reports, (ssrc, rtpTimestamp, packetCount, octetCount, blocks) => {
      const sent = { ssrc, ntpTime: 1_750_000_000_125, rtpTimestamp, packetCount, octetCount, reports: blocks };
      const [sender] = parseRtcp(serializeSenderReport(sent));
      assert.ok(sender?.kind === 'sender-report');
      assert.deepEqual({ ...sent, kind: 'sender-report', ntpMiddle: sender.ntpMiddle }, sender);
      assert.deepEqual(parseRtcp(serializeReceiverReport({ ssrc, reports: blocks })), [
        { kind: 'receiver-report', ssrc, reports: blocks },
      ]);
    }),
  );
});

test('names and reasons are read back, cut to 255 bytes of UTF-8', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 31 }), (names) => {
      const chunks = names.map((cname, ssrc) => ({ ssrc, cname }));
      const wellFormed = names.map((name) => Buffer.from(name).toString());
      assert.deepEqual(parseRtcp(serializeSourceDescription({ chunks })), [
        { kind: 'source-description', chunks: wellFormed.map((cname, ssrc) => ({ ssrc, cname })) },
      ]);
    }),
  );
  const [goodbye] = parseRtcp(serializeGoodbye({ ssrcs: [1, 2], reason: 'ä'.repeat(200) }));
  assert.deepEqual(goodbye, { kind: 'goodbye', ssrcs: [1, 2], reason: 'ä'.repeat(127) });
});

test('any bytes are read without a throw, and so is every beginning of a good packet', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(200, 201, 202, 203, 204, 207),
      fc.integer({ min: 0x80, max: 0xbf }),
      fc.integer({ min: 0, max: 12 }),
      fc.uint8Array({ maxLength: 80 }),
      (type, first, words, rest) => {
        assert.ok(parseRtcp(new Uint8Array([first, type, 0, words, ...rest])).length <= 21);
      },
    ),
    { numRuns: 1_000 },
  );
  const whole = bytes(`${senderReport} 81ca0003 11223344 01036361 6d000000 81cb0002 00000005 03656e64`);
  for (let end = 0; end <= whole.length; end++) {
    const expected = end < 28 ? 0 : end < 44 ? 1 : end < 56 ? 2 : 3;
    assert.equal(parseRtcp(whole.subarray(0, end)).length, expected, `cut at ${end}`);
  }
});

test('NTP time: its origin, a fraction, and the days before and after it wraps in 2036', () => {
  assert.deepEqual(ntpFromUnixMs(0), { seconds: 2_208_988_800, fraction: 0 });
  assert.deepEqual(ntpFromUnixMs(1_000.25), { seconds: 2_208_988_801, fraction: 1_073_741 });
  const wrapMs = Date.UTC(2036, 1, 7, 6, 28, 16);
  assert.deepEqual(ntpFromUnixMs(wrapMs - 500), { seconds: 0xffff_ffff, fraction: 0x8000_0000 });
  assert.deepEqual(ntpFromUnixMs(wrapMs), { seconds: 0, fraction: 0 });
  assert.equal(unixMsFromNtp(0, 0), wrapMs);
  assert.equal(unixMsFromNtp(0xffff_ffff, 0x8000_0000), wrapMs - 500);
});

test('NTP time is exact to a microsecond in both eras', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: Date.UTC(2100, 0, 1), noNaN: true }), (unixMs) => {
      const { seconds, fraction } = ntpFromUnixMs(unixMs);
      assert.ok(Number.isInteger(seconds) && seconds >= 0 && seconds < 2 ** 32);
      assert.ok(Number.isInteger(fraction) && fraction >= 0 && fraction < 2 ** 32);
      assert.ok(Math.abs(unixMsFromNtp(seconds, fraction) - unixMs) < 0.001);
    }),
  );
});
