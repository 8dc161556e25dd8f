// benchmark: H.264 at 8 Mbit/s out of RTSP and RTP and into MP4 fragments, ours, a plain copy and the peer's

import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { parseArgs } from 'node:util';
import type { AccessUnit } from '../../client/codec/access-unit.js';
import { splitAnnexB } from '../../client/codec/nal-unit.js';
import { H264Depacketizer } from '../../client/depacketizer/h264.js';
import { sampleEntryOf } from '../../client/fmp4/sample-entry.js';
import { Mp4SegmentWriter } from '../../client/fmp4/segment-writer.js';
import { SequenceTracker } from '../../client/rtp/sequence.js';
import { Timeline } from '../../client/rtp/timeline.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import { parseRtpPacket } from '../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { parseSessionDescription } from '../../shared/session-description.js';
import { runProgram } from '../support/child-process.js';
import { measureAlternately, ratio } from './alternating.js';
import { printTable, say } from './report.js';

/*
 * From the bytes of WebSocket messages to what is appended, a fragment a frame. The peer's are its components for the same
 * way: RtspParser, H264Depay and Mp4Muxer, joined as its pipelines join them. It is told by the session description what it
 * is to expect. Both are given every frame of the recording, and both outputs are counted.
 */

const { values: options } = parseArgs({
  options: {
    turns: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const SECONDS = 10;
const FRAME_RATE = 30;
const PEER_GOAL = 10;
const COPY_GOAL = 0.2;
/** nal_unit_type of H.264. */
const NAL_TYPE = { sps: 7, pps: 8, delimiter: 9, filler: 12 };

interface Recording {
  readonly description: string;
  readonly frames: number;
  /** Bytes of each frame, as interleaved packets. */
  readonly byFrame: readonly Uint8Array[];
}

/** What is used of media-stream-library; its types are those of its build for browsers. */
interface PeerTube {
  readonly incoming: Duplex;
}
interface Peer {
  readonly RtspParser: new () => PeerTube;
  readonly H264Depay: new () => PeerTube;
  readonly Mp4Muxer: new () => PeerTube;
  readonly MessageType: Readonly<Record<'RAW' | 'ISOM', number>>;
  readonly messageFromBuffer: (description: Buffer) => object;
}
// Its ES build does not start on Node 20.
const { RtspParser, H264Depay, Mp4Muxer, MessageType, messageFromBuffer } = createRequire(import.meta.url)(
  'media-stream-library',
) as Peer;

if (options.help) {
  say('npm run bench -- depacketize [--turns N] [--quick]');
} else {
  const recording = await makeRecording();
  const turns = Number(options.turns ?? (options.quick ? 3 : 11));
  const rows = [
    await measure('a frame each', recording, recording.byFrame, turns),
    await measure('1,448 bytes each', recording, cut(recording.byFrame, 1_448), turns),
    await measure('65,536 bytes each', recording, cut(recording.byFrame, 65_536), turns),
  ];
  printTable(`${SECONDS} s of H.264 at ${FRAME_RATE} frames a second, medians of ${turns} turns`, rows);
  say(
    `The goal is ${PEER_GOAL} times the peer's speed, or ${COPY_GOAL} of that of a copy into new memory, whichever is more.`,
  );
}

async function makeRecording(): Promise<Recording> {
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-bench-'));
  try {
    const path = join(folder, 'recording.h264');
    const source = `testsrc2=size=1920x1080:rate=${FRAME_RATE}:duration=${SECONDS},noise=alls=12:allf=t`;
    await runProgram('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p', '-c:v', 'libx264'],
      ...['-preset', 'ultrafast', '-tune', 'zerolatency', '-x264-params', 'sliced-threads=0', '-g', '60'],
      ...['-b:v', '8M', '-minrate', '8M', '-maxrate', '8M', '-bufsize', '4M', '-nal-hrd', 'cbr'],
      ...['-bsf:v', 'h264_metadata=aud=insert', '-f', 'h264', path],
    ]);
    return packetized(splitAnnexB(new Uint8Array(await readFile(path))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function typeOf(nalUnit: Uint8Array): number {
  return (nalUnit[0] ?? 0) & 0x1f;
}

function packetized(nalUnits: readonly Uint8Array[]): Recording {
  const units: Uint8Array[][] = [];
  for (const nalUnit of nalUnits) {
    if (typeOf(nalUnit) === NAL_TYPE.delimiter) units.push([]);
    else if (typeOf(nalUnit) !== NAL_TYPE.filler) units.at(-1)?.push(nalUnit);
  }
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 7, sequenceNumber: 1 });
  const byFrame = units.map((unit, index) => {
    const packets = packetizer.packetize(unit, index * (90_000 / FRAME_RATE));
    return new Uint8Array(Buffer.concat(packets.map((packet) => serializeInterleaved(0, packet))));
  });
  const sets = nalUnits.filter((nalUnit) => [NAL_TYPE.sps, NAL_TYPE.pps].includes(typeOf(nalUnit))).slice(0, 2);
  const sprop = sets.map((set) => Buffer.from(set).toString('base64')).join(',');
  const description = [
    ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=Recording', 't=0 0', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000'],
    ...[`a=fmtp:96 packetization-mode=1;profile-level-id=640028;sprop-parameter-sets=${sprop}`, 'a=control:0', ''],
  ].join('\r\n');
  return { description, frames: units.length, byFrame };
}

function cut(pieces: readonly Uint8Array[], size: number): Uint8Array[] {
  const stream = new Uint8Array(Buffer.concat(pieces));
  const messages: Uint8Array[] = [];
  for (let start = 0; start < stream.length; start += size) messages.push(stream.slice(start, start + size));
  return messages;
}

async function measure(name: string, recording: Recording, messages: readonly Uint8Array[], turns: number) {
  const byteLength = messages.reduce((sum, { length }) => sum + length, 0);
  const target = new Uint8Array(byteLength);
  const frameBytes = Math.ceil(byteLength / recording.frames);
  const contenders = [
    { name: 'copy', run: () => copy(messages, target) },
    { name: 'copy anew', run: () => copyAnew(messages, frameBytes) },
    { name: 'ours', run: () => ours(recording, messages) },
    { name: 'peer', run: () => peer(recording, messages) },
  ];
  const speeds = await measureAlternately(contenders, byteLength, turns);
  const [copied, copiedAnew, own, peers] = speeds.map(({ megabytesPerSecond }) => megabytesPerSecond);
  const goal = Math.max(PEER_GOAL * (peers ?? 0), COPY_GOAL * (copiedAnew ?? 0));
  return {
    [`messages (${(byteLength / 1e6).toFixed(1)} MB)`]: name,
    'copy, MB/s': Math.round(copied ?? 0),
    'copy anew': Math.round(copiedAnew ?? 0),
    ours: Math.round(own ?? 0),
    peer: peers ?? 0,
    'ours to peer': ratio(speeds, 'ours', 'peer'),
    'ours to copy anew': ratio(speeds, 'ours', 'copy anew'),
    'ours to copy': ratio(speeds, 'ours', 'copy'),
    verdict: (own ?? 0) >= goal ? 'met' : 'missed',
  };
}

/** Into memory that is there already. */
function copy(messages: readonly Uint8Array[], target: Uint8Array): void {
  let position = 0;
  for (const message of messages) {
    target.set(message, position);
    position += message.length;
  }
}

/** Into new memory for each frame's worth of bytes, which is the least that a fragment takes: it is the browser's to keep. */
function copyAnew(messages: readonly Uint8Array[], frameBytes: number): void {
  let target = new Uint8Array(frameBytes);
  let position = 0;
  for (const message of messages) {
    for (let start = 0; start < message.length; ) {
      if (position === frameBytes) {
        target = new Uint8Array(frameBytes);
        position = 0;
      }
      const piece = message.subarray(start, start + frameBytes - position);
      target.set(piece, position);
      position += piece.length;
      start += piece.length;
    }
  }
}

function ours({ description, frames }: Recording, messages: readonly Uint8Array[]): void {
  const format = parseSessionDescription(description).media[0]?.formats[0];
  if (format === undefined) throw new Error('The description has no format.');
  const sequence = new SequenceTracker();
  const timeline = new Timeline(format.clockRate);
  const writer = new Mp4SegmentWriter(1);
  let written = 0;
  const onAccessUnit = (unit: AccessUnit) => {
    if (unit.config !== null) writer.init(unit.config, format.clockRate, sampleEntryOf(unit.config));
    const { presentationTime, decodeTime } = unit;
    writer.fragment([{ unit, presentationTime, decodeTime, duration: format.clockRate }]);
    written++;
  };
  const depacketizer = new H264Depacketizer(format, onAccessUnit);
  const reader = new RtspReader({
    onMessage() {},
    onError(error) {
      throw error;
    },
    onInterleavedFrame(_, bytes) {
      const packet = parseRtpPacket(bytes);
      if (packet === null) return;
      const step = sequence.push(packet.sequenceNumber);
      if (typeof step !== 'string') depacketizer.push(packet, timeline.unwrap(packet.timestamp), step.lost);
    },
  });
  for (const message of messages) reader.push(message);
  if (written !== frames) throw new Error(`Ours wrote ${written} of ${frames} frames.`);
}

async function peer({ description, frames }: Recording, messages: readonly Uint8Array[]): Promise<void> {
  const [parser, depay, muxer] = [new RtspParser(), new H264Depay(), new Mp4Muxer()];
  parser.incoming.pipe(depay.incoming).pipe(muxer.incoming);
  let written = -1; // The first is the initialization segment.
  muxer.incoming.on('data', (message: { type: number }) => {
    if (message.type === MessageType.ISOM) written++;
  });
  const ended = new Promise<void>((resolve, reject) => {
    muxer.incoming.on('end', resolve);
    for (const tube of [parser, depay, muxer]) tube.incoming.on('error', reject);
  });
  const write = async (message: object) => {
    if (!parser.incoming.write(message)) await once(parser.incoming, 'drain');
  };
  await write(messageFromBuffer(Buffer.from(description)));
  for (const { buffer, byteOffset, byteLength } of messages) {
    await write({ type: MessageType.RAW, data: Buffer.from(buffer, byteOffset, byteLength) });
  }
  parser.incoming.end();
  await ended;
  if (written !== frames) throw new Error(`The peer wrote ${written} of ${frames} frames.`);
}
