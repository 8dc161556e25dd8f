import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReceiverReporter, type Report } from '../../../client/rtp/receiver-report.js';
import { writeReport } from '../../../client/rtp/report-writer.js';
import { SequenceTracker } from '../../../client/rtp/sequence.js';
import { parseRtcp, type ReportBlock } from '../../../shared/rtcp.js';

const RATE = 90_000;
const SOURCE = 0xcafe_f00d;

function makeReporter(sequence = new SequenceTracker()) {
  const reporter = new ReceiverReporter({ clockRate: RATE, sequence, ssrc: 0x0102_0304, cname: 'viewer' });
  /** A packet that takes `transitMs` from camera to here. */
  const receive = (sequenceNumber: number, sentMs: number, transitMs = 50, ssrc = SOURCE) => {
    sequence.push(sequenceNumber);
    reporter.onPacket(ssrc, (sentMs * RATE) / 1000, sentMs + transitMs);
  };
  return { reporter, receive };
}

function blockOf(report: Report): ReportBlock {
  assert.equal(report.reports.length, 1);
  return report.reports[0] as ReportBlock;
}

test('a report is a compound packet, bit by bit as RFC 3550 has it, and one without blocks follows', () => {
  const { reporter, receive } = makeReporter();
  receive(100, 0);
  receive(101, 40);
  receive(103, 80);
  reporter.onSenderReport(0xaabb_ccdd, 100);
  const packets = writeReport(reporter.report(1_600)).map((bytes) => Buffer.from(bytes).toString('hex'));
  const description = '81ca0004 01020304 0106 766965776572 00000000';
  const expected = [
    // RR: version 2, one block, 7 words more
    '81c90007 01020304',
    // The source: fraction lost 1/4, 1 lost in all, highest 103, no jitter, LSR, DLSR 1.5 s
    'cafef00d 40000001 00000067 00000000 aabbccdd 00018000',
    // SDES: one chunk; CNAME "viewer", END and padding
    description,
  ];
  assert.deepEqual(
    packets,
    [expected.join(''), `80c90001 01020304${description}`].map((hex) => hex.replaceAll(' ', '')),
  );
});

test('the fraction is that since the report before, the loss that since the start', () => {
  const { reporter, receive } = makeReporter();
  receive(0, 0);
  receive(9, 40);
  assert.equal(blockOf(reporter.report(1_000)).fractionLost, Math.floor((8 * 256) / 10));
  for (let sequence = 10; sequence < 20; sequence++) receive(sequence, 40 * sequence);
  const block = blockOf(reporter.report(2_000));
  assert.equal(block.fractionLost, 0);
  assert.equal(block.cumulativeLost, 8);
  for (let sequence = 21; sequence < 40; sequence += 2) receive(sequence, 40 * sequence);
  assert.equal(blockOf(reporter.report(3_000)).fractionLost, 128);
});

test('doubled packets count as received: the loss can be negative (A.3)', () => {
  const { reporter, receive } = makeReporter();
  receive(0, 0);
  receive(0, 0);
  receive(0, 0);
  const block = blockOf(reporter.report(1_000));
  assert.equal(block.cumulativeLost, -2);
  assert.equal(block.fractionLost, 0);
});

test('the highest number counts wraps', () => {
  const { reporter, receive } = makeReporter();
  receive(65_535, 0);
  receive(0, 40);
  assert.equal(blockOf(reporter.report(1_000)).extendedHighestSequence, 0x1_0000);
});

test('jitter follows RFC 3550, A.8: a sixteenth of each step in transit time', () => {
  const { reporter, receive } = makeReporter();
  receive(0, 0, 50);
  receive(1, 40, 66);
  // 16 ms are 1,440 ticks; a sixteenth of them is 90.
  assert.equal(blockOf(reporter.report(1_000)).jitter, 90);
  assert.equal(reporter.jitter, 90 / RATE);
  receive(2, 80, 66);
  assert.equal(blockOf(reporter.report(1_000)).jitter, Math.floor(90 - 90 / 16));
});

test('a time stamp that jumps by hours is no jitter', () => {
  const { reporter, receive } = makeReporter();
  receive(0, 0);
  receive(1, 40 + 3_600_000, 50 - 3_600_000);
  receive(2, 80);
  assert.equal(blockOf(reporter.report(1_000)).jitter, 0);
});

test('without a sender report its fields are 0, and without a packet there is no block', () => {
  const { reporter, receive } = makeReporter();
  const [empty, description] = parseRtcp(writeReport(reporter.report(0))[0] as Uint8Array);
  assert.deepEqual(empty, { kind: 'receiver-report', ssrc: 0x0102_0304, reports: [] });
  assert.deepEqual(description, { kind: 'source-description', chunks: [{ ssrc: 0x0102_0304, cname: 'viewer' }] });
  receive(0, 0);
  const block = blockOf(reporter.report(9_000));
  assert.equal(block.lastSenderReport, 0);
  assert.equal(block.delaySinceLastSenderReport, 0);
});

test('reports are due 2.5 s after the first packet, then every 5 s, however late one looks', () => {
  const { reporter, receive } = makeReporter();
  assert.equal(reporter.poll(100_000), null);
  receive(0, 0, 1_000);
  const sentAt: number[] = [];
  for (const now of [1_000, 3_499, 3_500, 3_501, 8_499, 8_500, 70_000, 70_001, 74_999, 75_000]) {
    if (reporter.poll(now) !== null) sentAt.push(now);
  }
  assert.deepEqual(sentAt, [3_500, 8_500, 70_000, 75_000]);
});

test('SSRC wrong at the start only: the report follows the actual one', () => {
  const sequence = new SequenceTracker();
  const { reporter, receive } = makeReporter(sequence);
  receive(7, 0, 50, 0x1111);
  reporter.onSenderReport(1, 10);
  sequence.reset();
  receive(500, 40, 90, SOURCE);
  receive(501, 80, 90, SOURCE);
  const block = blockOf(reporter.report(1_000));
  assert.equal(block.ssrc, SOURCE);
  assert.equal(block.cumulativeLost, 0);
  assert.equal(block.jitter, 0);
  assert.equal(block.lastSenderReport, 0);
});

test('a restart between two reports gives no loss', () => {
  const { reporter, receive } = makeReporter();
  for (let sequence = 0; sequence < 1_000; sequence++) receive(sequence, sequence);
  reporter.report(1_000);
  receive(40_000, 1_000);
  receive(40_001, 1_001);
  receive(40_002, 1_002);
  const block = blockOf(reporter.report(2_000));
  assert.equal(block.fractionLost, 0);
  assert.equal(block.cumulativeLost, 0);
});

test('own SSRC and name are random by default', () => {
  const make = () => new ReceiverReporter({ clockRate: RATE, sequence: new SequenceTracker() });
  const [one, other] = [make(), make()];
  assert.notEqual(one.cname, other.cname);
  assert.notEqual(one.ssrc, other.ssrc);
  assert.match(one.cname, /^[A-Za-z0-9+/]{16}$/);
});

test('whatever was received, a report says what it has room for', () => {
  const packet = fc.record({
    sequenceNumber: fc.oneof(fc.nat({ max: 50 }), fc.integer({ min: 0, max: 0xffff })),
    ticks: fc.oneof(fc.nat({ max: 1_000_000 }), fc.integer({ min: -(2 ** 52), max: 2 ** 52 })),
    waitMs: fc.oneof(fc.nat({ max: 100 }), fc.integer({ min: 0, max: 10 ** 9 })),
    ssrc: fc.constantFrom(SOURCE, SOURCE, SOURCE, 1),
    senderReport: fc.option(fc.integer({ min: 0, max: 0xffff_ffff })),
  });
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 50 }), (packets) => {
      const sequence = new SequenceTracker();
      const { reporter } = makeReporter(sequence);
      let now = 0;
      for (const { sequenceNumber, ticks, waitMs, ssrc, senderReport } of packets) {
        now += waitMs;
        sequence.push(sequenceNumber);
        reporter.onPacket(ssrc, ticks, now);
        if (senderReport !== null) reporter.onSenderReport(senderReport, now);
        const report = reporter.report(now + waitMs);
        const block = blockOf(report);
        // What does not fit its field comes back as another number.
        assert.deepEqual(parseRtcp(writeReport(report)[0] as Uint8Array), [
          { kind: 'receiver-report', ssrc: reporter.ssrc, reports: [block] },
          { kind: 'source-description', chunks: [{ ssrc: reporter.ssrc, cname: 'viewer' }] },
        ]);
      }
    }),
  );
});
