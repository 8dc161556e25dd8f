import { Receiver } from '../../client/player/receiver.js';
import type { ByteTransport, ByteTransportHandlers } from '../../client/transport/byte-transport.js';
import { TcpTransport } from '../../client/transport/tcp.js';
import { startDemoCamera } from '../../proxy/demo/camera.js';
import { systemClock } from '../../shared/clock.js';
import { serializeGoodbye, serializeSenderReport } from '../../shared/rtcp-writer.js';
import { serializeRtpPacket } from '../../shared/rtp-packet.js';
import { RtspHeaders, serializeInterleaved, serializeResponse } from '../../shared/rtsp-message.js';
import { parseRtspUrl } from '../../shared/rtsp-url.js';
import { mediaLines, type Specimen, specimens } from '../client/depacketizer/specimens.js';
import { startScriptedCamera } from '../support/scripted-camera.js';
import type { Step } from './fuzz-case.js';
import { joinWire, splitWire, type WireUnit } from './wire-units.js';

/** What mutations begin with: a camera's side of a conversation in which nothing is wrong. */
export interface Conversation {
  readonly name: string;
  /** One for each request, in order, then the media in pieces. */
  readonly steps: readonly Step[];
}

/** How much of a camera's media is kept. */
const RECORDED_BYTES = 25_000;
const RECORDING_TIMEOUT_MS = 8_000;
const MEDIA_STEP_MS = 200;
const FRAMES_PER_STEP = 12;

/** Recordings of the demo camera and the scripted camera, and a conversation about every payload format. */
export async function makeConversations(): Promise<Conversation[]> {
  const demo = await startDemoCamera();
  const scripted = await startScriptedCamera();
  try {
    const recorded = await Promise.all([
      record('demo camera', demo.url),
      record('demo camera, smaller picture', `${demo.url}/sub`),
      record('scripted camera', scripted.url()),
    ]);
    return [...recorded, ...synthetic()];
  } finally {
    await Promise.all([demo.close(), scripted.stop()]);
  }
}

async function record(name: string, url: string): Promise<Conversation> {
  const transport = new RecordingTransport(new TcpTransport(parseRtspUrl(url)));
  const receiver = new Receiver(
    { transport, url, clock: systemClock },
    { onTracks() {}, onAccessUnit() {}, onEnd() {}, onClose() {} },
  );
  await receiver.start();
  const started = performance.now();
  while (transport.bytes < RECORDED_BYTES && performance.now() - started < RECORDING_TIMEOUT_MS) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  receiver.close();
  return conversation(name, transport.replies);
}

/** Notes what comes after each request. */
class RecordingTransport implements ByteTransport {
  readonly replies: Uint8Array[] = [];
  bytes = 0;
  readonly #transport: ByteTransport;

  constructor(transport: ByteTransport) {
    this.#transport = transport;
  }

  open({ onData, onClose }: ByteTransportHandlers, signal?: AbortSignal): Promise<void> {
    return this.#transport.open(
      {
        onData: (bytes) => {
          this.bytes += bytes.length;
          const last = this.replies.pop() ?? new Uint8Array();
          this.replies.push(new Uint8Array(Buffer.concat([last, bytes])));
          onData(bytes);
        },
        onClose,
      },
      signal,
    );
  }

  send(bytes: Uint8Array): void {
    if (bytes[0] !== 0x24) this.replies.push(new Uint8Array());
    this.#transport.send(bytes);
  }

  close(): void {
    this.#transport.close();
  }
}

/** @param replies - what came after each request; behind the last reply are the media */
function conversation(name: string, replies: readonly Uint8Array[]): Conversation {
  const steps: Step[] = [];
  for (const reply of replies) {
    const units = splitWire(reply).filter(({ kind }) => kind !== 'junk');
    const message = units.findIndex(({ kind }) => kind === 'message');
    steps.push(step(0, units.slice(0, message + 1)));
    for (let first = message + 1; first < units.length; first += FRAMES_PER_STEP) {
      steps.push(step(MEDIA_STEP_MS, units.slice(first, first + FRAMES_PER_STEP)));
    }
  }
  return { name, steps };
}

function step(afterMs: number, units: readonly WireUnit[]): Step {
  return { afterMs, action: 'none', bytes: joinWire(units) };
}

/** A video and an audio format each, in such a way that every format is there; and challenges, positions and farewells. */
function synthetic(): Conversation[] {
  const videos = specimens.filter(({ kind }) => kind === 'video');
  const audios = specimens.filter(({ kind }) => kind === 'audio');
  return audios.map((audio, index) => {
    const video = videos[index % videos.length] as Specimen;
    return conversation(`${video.name} and ${audio.name}`, script([video, audio], index));
  });
}

const challenges = [
  ['Digest realm="camera", nonce="4f1f", qop="auth", algorithm=SHA-256', 'Basic realm="camera"'],
  ['Digest realm="camera", nonce="4f1f", stale="FALSE"'],
  ['Basic realm="camera"'],
] as const;

/** @param variant - any number: which of the things that a camera may do it does */
function script(tracks: readonly Specimen[], variant: number): Uint8Array[] {
  const description = [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.7',
    's=Specimens',
    't=0 0',
    'a=control:*',
    ...(variant % 3 === 0 ? ['a=range:npt=0-40.5'] : []),
    ...tracks.flatMap((specimen, index) => mediaLines(specimen, `track${index}`)),
    '',
  ].join('\r\n');
  let cseq = 0;
  const reply = (status: number, headers: [string, string][], body = '') =>
    serializeResponse({
      status,
      headers: new RtspHeaders([['CSeq', String(++cseq)], ...headers]),
      body: Buffer.from(body),
    });
  const replies: Uint8Array[] = [];
  if (variant % 4 === 1) {
    const wanted = challenges[variant % challenges.length] ?? [];
    replies.push(
      reply(
        401,
        wanted.map((challenge) => ['WWW-Authenticate', challenge]),
      ),
    );
  }
  const base = 'rtsp://camera.test/stream/';
  const descriptionHeaders: [string, string][] = [
    ['Content-Base', base],
    ['Content-Type', 'application/sdp'],
  ];
  replies.push(reply(200, descriptionHeaders, description));
  for (const index of tracks.keys()) {
    const channels = `${2 * index}-${2 * index + 1}`;
    replies.push(
      reply(200, [
        ['Session', '8a7b;timeout=60'],
        ['Transport', `RTP/AVP/TCP;unicast;interleaved=${channels};ssrc=0000000${index}`],
      ]),
    );
  }
  const info = tracks.map((_, index) => `url=${base}track${index};seq=65530;rtptime=4294960000`).join(',');
  const play = reply(200, [
    ['Session', '8a7b'],
    ['Range', 'npt=0.000-40.5'],
    ...(variant % 2 === 0 ? [['RTP-Info', info] as [string, string]] : []),
  ]);
  replies.push(new Uint8Array(Buffer.concat([play, ...mediaOf(tracks, variant)])));
  return replies;
}

/** The tracks' packets in turn, across the wrap of sequence numbers and times, with sender reports. */
function mediaOf(tracks: readonly Specimen[], variant: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const longest = Math.max(...tracks.map(({ packets }) => packets.length));
  for (let position = 0; position < longest; position++) {
    for (const [index, { packets, payloadType }] of tracks.entries()) {
      const packet = packets[position];
      if (packet === undefined) continue;
      const timestamp = (4_294_960_000 + packet.time) % 2 ** 32;
      if (position % 10 === 5)
        frames.push(serializeInterleaved(2 * index + 1, senderReport(index, position, timestamp)));
      const sequenceNumber = (65_530 + position) & 0xffff;
      const { payload, marker = false } = packet;
      const bytes = serializeRtpPacket({ payloadType, marker, sequenceNumber, timestamp, ssrc: index, payload });
      frames.push(serializeInterleaved(2 * index, bytes));
    }
  }
  if (variant % 5 === 2) {
    for (const index of tracks.keys()) {
      frames.push(serializeInterleaved(2 * index + 1, serializeGoodbye({ ssrcs: [index] })));
    }
  }
  return frames;
}

function senderReport(ssrc: number, position: number, rtpTimestamp: number): Uint8Array {
  const ntpTime = 1_700_000_000_000 + position * 40;
  return serializeSenderReport({ ssrc, ntpTime, rtpTimestamp, packetCount: position, octetCount: 100 * position });
}
