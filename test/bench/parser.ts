// benchmark: reading RTSP and RTP packets of 1,400 bytes, beside a plain copy of the same bytes

import { parseArgs } from 'node:util';
import { SequenceTracker } from '../../client/rtp/sequence.js';
import { parseRtpPacket, serializeRtpPacket } from '../../shared/rtp-packet.js';
import { RtspHeaders, serializeInterleaved, serializeResponse } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { measureAlternately, ratio } from './alternating.js';
import { printTable, say } from './report.js';

/*
 * Every packet goes through the reader, the RTP header and the sequence numbers, as in a player, and no byte of its payload
 * is looked at. The messages are cut where TCP happens to cut them, so that some packets come in two pieces. The copy takes
 * each message into memory that is there already, which is the least that anybody can do with bytes.
 */

const { values: options } = parseArgs({
  options: {
    turns: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const PACKET_BYTES = 1_400;
const STREAM_BYTES = 32_000_000;
const GOAL = 0.2;
const messageSizes = [1_448, 16_384, 65_536];

if (options.help) {
  say('npm run bench -- parser [--turns N] [--quick]');
} else {
  const turns = Number(options.turns ?? (options.quick ? 5 : 25));
  const rows: Record<string, string | number>[] = [];
  for (const messageBytes of messageSizes) rows.push(await measure(messageBytes, turns));
  printTable(`${STREAM_BYTES / 1e6} MB of packets of ${PACKET_BYTES} bytes, medians of ${turns} turns`, rows);
  say(`The goal is ${GOAL} of the copy's speed.`);
}

/** Packets in frames behind a response, which makes the reader believe them. */
function makeStream(): Uint8Array {
  const payload = Uint8Array.from({ length: PACKET_BYTES - 12 }, (_, index) => index * 7);
  const parts = [serializeResponse({ status: 200, headers: new RtspHeaders([['CSeq', '1']]) })];
  for (let index = 0; index * PACKET_BYTES < STREAM_BYTES; index++) {
    const header = { payloadType: 96, marker: index % 24 === 23, ssrc: 7, timestamp: Math.floor(index / 24) * 3_000 };
    parts.push(serializeInterleaved(0, serializeRtpPacket({ ...header, sequenceNumber: index & 0xffff, payload })));
  }
  return new Uint8Array(Buffer.concat(parts));
}

async function measure(messageBytes: number, turns: number): Promise<Record<string, string | number>> {
  const stream = makeStream();
  const messages: Uint8Array[] = [];
  for (let start = 0; start < stream.length; start += messageBytes) {
    messages.push(stream.slice(start, start + messageBytes));
  }
  const target = new Uint8Array(stream.length);
  const packets = Math.ceil(STREAM_BYTES / PACKET_BYTES);
  const copy = () => {
    let position = 0;
    for (const message of messages) {
      target.set(message, position);
      position += message.length;
    }
  };
  const read = () => {
    const sequence = new SequenceTracker();
    let inOrder = 0;
    const reader = new RtspReader({
      onMessage() {},
      onError(error) {
        throw error;
      },
      onInterleavedFrame(_, bytes) {
        const packet = parseRtpPacket(bytes);
        if (packet === null) return;
        const step = sequence.push(packet.sequenceNumber);
        if (typeof step !== 'string' && step.lost === 0) inOrder++;
      },
    });
    reader.setChannels([0, 1]);
    for (const message of messages) reader.push(message);
    if (inOrder !== packets) throw new Error(`${inOrder} packets were read, ${packets} sent.`);
  };
  const contenders = [
    { name: 'copy', run: copy },
    { name: 'ours', run: read },
  ];
  const speeds = await measureAlternately(contenders, stream.length, turns);
  const [copied, ours] = speeds.map(({ megabytesPerSecond }) => Math.round(megabytesPerSecond));
  const share = ratio(speeds, 'ours', 'copy');
  return {
    'bytes a message': String(messageBytes),
    'copy, MB/s': copied ?? Number.NaN,
    'ours, MB/s': ours ?? Number.NaN,
    'packets a second': `${((packets / (stream.length / 1e6)) * (ours ?? 0)) / 1e6}`.slice(0, 4).concat(' M'),
    'ours to copy': share,
    verdict: share >= GOAL ? 'met' : 'missed',
  };
}
