import { BitWriter } from '../../../client/codec/bit-writer.js';
import { AacPacketizer } from '../../../shared/packetizer/aac.js';
import { Av1Packetizer } from '../../../shared/packetizer/av1.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { H265Packetizer } from '../../../shared/packetizer/h265.js';
import type { Packetizer, PacketizerOptions } from '../../../shared/packetizer/packetizer.js';
import { parseRtpPacket, type RtpPacket } from '../../../shared/rtp-packet.js';
import { type MediaFormat, parseSessionDescription } from '../../../shared/session-description.js';
import { bytes, type TestPacket } from './rtp-fixtures.js';

/**
 * A short stream of every payload format that the client reads, for tests whose question is the same for all of them. What
 * the formats' headers say is true; the media behind them is filler that no decoder would take.
 */
export interface Specimen {
  readonly name: string;
  readonly kind: 'video' | 'audio' | 'application';
  readonly payloadType: number;
  /** `H264/90000`; '' where the payload type says it. */
  readonly rtpmap: string;
  readonly fmtp: string;
  /** Begins with what can be decoded by itself. Nothing is lost. */
  readonly packets: readonly TestPacket[];
}

/** The lines of a session description from `m=` on. */
export function mediaLines(specimen: Specimen, control: string): string[] {
  const { kind, payloadType, rtpmap, fmtp } = specimen;
  return [
    `m=${kind} 0 RTP/AVP ${payloadType}`,
    ...(rtpmap === '' ? [] : [`a=rtpmap:${payloadType} ${rtpmap}`]),
    ...(fmtp === '' ? [] : [`a=fmtp:${payloadType} ${fmtp}`]),
    `a=control:${control}`,
  ];
}

/** What the session description of a specimen says of its format. */
export function formatOf(specimen: Specimen): MediaFormat {
  const { media } = parseSessionDescription(mediaLines(specimen, 'track').join('\r\n'));
  const format = media[0]?.formats[0];
  if (format === undefined) throw new Error(`The description of ${specimen.name} has no format.`);
  return format;
}

/** Bytes that hold no start code and begin differently for each number. */
function filler(length: number, which: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => 0x10 + ((index * 7 + which * 31) % 200));
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function toTestPacket({ payload, timestamp, marker }: RtpPacket): TestPacket {
  return { payload, time: timestamp, marker };
}

/** Through one of the house's packetizers, in packets so small that units are cut and joined. */
function packetize(
  Class: new (options: PacketizerOptions) => Packetizer,
  units: readonly (readonly Uint8Array[])[],
  ticks: number,
): TestPacket[] {
  const packetizer = new Class({ payloadType: 96, ssrc: 1, sequenceNumber: 0, maxPayloadBytes: 120 });
  return units.flatMap((unit, index) =>
    packetizer.packetize(unit, index * ticks).flatMap((data) => {
      const packet = parseRtpPacket(data);
      return packet === null ? [] : [toTestPacket(packet)];
    }),
  );
}

/** One payload after the other, a packet a unit. */
function oneEach(payloads: readonly Uint8Array[], ticks: number): TestPacket[] {
  return payloads.map((payload, index) => ({ payload, time: index * ticks, marker: true }));
}

const twelve = Array.from({ length: 12 }, (_, index) => index);
const isKey = (index: number) => index % 6 === 0;

const H264_SPS = bytes('67640028acd940780227e5c044000003000400000300c83c60c658');
const H264_PPS = bytes('68ef8fcb');

function h264Unit(index: number): Uint8Array[] {
  const head = bytes(isKey(index) ? '65 8884' : '41 9a84');
  const slice = join(head, filler(isKey(index) ? 400 : 90, index));
  return isKey(index) ? [H264_SPS, H264_PPS, slice] : [slice];
}

function h265Unit(index: number): Uint8Array[] {
  const sets = [
    '40010c01ffff016000000300900000030000030078959409',
    '420101016000000300900000030000030078a003c08010e596565924caf0168080000003008000000c84',
    '4401c172b46240',
  ].map(bytes);
  const slice = join(bytes(isKey(index) ? '2601 af1d' : '0201 d020'), filler(isKey(index) ? 400 : 90, index));
  return isKey(index) ? [...sets, slice] : [slice];
}

function av1Unit(index: number): Uint8Array[] {
  const frame = join(bytes(isKey(index) ? '30 10' : '30 30'), filler(isKey(index) ? 300 : 70, index));
  return isKey(index) ? [bytes('08 000000043cffbcdaf90040'), frame] : [frame];
}

/** Frames behind a descriptor that tells their first packet from the others. */
function described(first: string, other: string, head: string, length: number, time: number, which: number) {
  const frame = join(bytes(head), filler(length, which));
  const middle = frame.length >> 1;
  return [
    { payload: join(bytes(first), frame.subarray(0, middle)), time, marker: false },
    { payload: join(bytes(other), frame.subarray(middle)), time, marker: true },
  ];
}

function vp8Frame(index: number): TestPacket[] {
  const id = index.toString(16).padStart(2, '0');
  const head = isKey(index) ? '100200 9d012a b000 9000' : '310200';
  return described(`9080${id}`, `8080${id}`, head, 150, index * 3_600, index);
}

/** Two spatial layers, not flexible, with picture IDs of 15 bits. */
function vp9Picture(index: number): TestPacket[] {
  const id = (0x8000 + index).toString(16);
  const time = index * 3_600;
  const base = index.toString(16).padStart(2, '0');
  const inter = isKey(index) ? 0 : 0x40;
  const flags = (more: number) => (0xa0 | inter | more).toString(16);
  const head = isKey(index) ? '82498342 00 13f0 0b30' : '8600';
  const [first, second] = described(`${flags(8)}${id}00${base}`, `${flags(4)}${id}00${base}`, head, 90, time, index);
  const upper = join(bytes(`${flags(12)}${id}03${base}`), bytes('8600'), filler(60, index + 50));
  return [
    ...[first, second].flatMap((packet) => (packet === undefined ? [] : [{ ...packet, marker: false }])),
    { payload: upper, time, marker: true },
  ];
}

/** Three packets a picture of 320×240; every second picture has tables of its own, the last ones restart intervals. */
function jpegPicture(index: number): TestPacket[] {
  const hasTables = index % 2 === 1;
  const type = index > 8 ? 65 : 1;
  return [0, 1, 2].map((part) => {
    const offset = part * 100;
    const head = [0, 0, offset >> 8, offset & 0xff, type, hasTables ? 200 : 50, 40, 30];
    if (type === 65) head.push(0, 4, 0xff, 0xff);
    if (hasTables && part === 0) head.push(0, 0, 0, 128, ...filler(128, 1));
    return { payload: join(Uint8Array.from(head), filler(100, part)), time: index * 3_600, marker: part === 2 };
  });
}

/** AAC-LC, 48 kHz, stereo, one unit an element: audioMuxVersion 0, AudioSpecificConfig 1190. */
const LATM_CONFIG = '400023203fc0';

/** An AudioMuxElement that has its configuration in it every few packets. */
function latmElement(index: number): Uint8Array {
  const bits = new BitWriter(256);
  bits.write(isKey(index) ? 0 : 1, 1);
  if (isKey(index)) {
    // 45 bits of it: what follows in the description is padding.
    for (const byte of bytes(LATM_CONFIG).subarray(0, 5)) bits.write(byte, 8);
    bits.write(0b11000, 5);
  }
  bits.write(80, 8);
  for (const byte of filler(80, index)) bits.write(byte, 8);
  return bits.bytes();
}

function mpegAudioFrame(which: number): Uint8Array {
  return join(bytes('fff318c0'), filler(32, which));
}

function video(name: string, fmtp: string, packets: readonly TestPacket[]): Specimen {
  return { name, kind: 'video', payloadType: 96, rtpmap: `${name}/90000`, fmtp, packets };
}

function audio(name: string, rtpmap: string, fmtp: string, packets: readonly TestPacket[]): Specimen {
  return { name, kind: 'audio', payloadType: 97, rtpmap, fmtp, packets };
}

/** Samples of octets, 20 ms a packet. */
function samples(name: string, rtpmap: string, octets: number, ticks: number): Specimen {
  const payloads = twelve.map((index) => filler(octets, index));
  return audio(name, rtpmap, '', oneEach(payloads, ticks));
}

const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64');

export const specimens: readonly Specimen[] = [
  video(
    'H264',
    `packetization-mode=1;sprop-parameter-sets=${base64(H264_SPS)},${base64(H264_PPS)}`,
    packetize(H264Packetizer, twelve.map(h264Unit), 3_600),
  ),
  video('H265', '', packetize(H265Packetizer, twelve.map(h265Unit), 3_600)),
  video('AV1', '', packetize(Av1Packetizer, twelve.map(av1Unit), 3_600)),
  video('VP8', '', twelve.flatMap(vp8Frame)),
  video('VP9', '', twelve.flatMap(vp9Picture)),
  { name: 'JPEG', kind: 'video', payloadType: 26, rtpmap: '', fmtp: '', packets: twelve.flatMap(jpegPicture) },
  audio(
    'AAC',
    'MPEG4-GENERIC/48000/2',
    'streamtype=5;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190',
    packetize(
      AacPacketizer,
      twelve.map((index) => [filler(80 + 20 * index, index)]),
      1_024,
    ),
  ),
  audio(
    'LATM with its configuration in the description',
    'MP4A-LATM/48000/2',
    `cpresent=0;config=${LATM_CONFIG}`,
    oneEach(
      twelve.map((index) => join(Uint8Array.of(80), filler(80, index))),
      1_024,
    ),
  ),
  audio('LATM with its configuration in band', 'MP4A-LATM/48000/2', '', oneEach(twelve.map(latmElement), 1_024)),
  audio(
    'Opus',
    'opus/48000/2',
    '',
    oneEach(
      twelve.map((index) => join(Uint8Array.of(0xfc), filler(60, index))),
      960,
    ),
  ),
  audio(
    'MP3',
    'MPA/90000',
    '',
    oneEach(
      twelve.map((index) => join(new Uint8Array(4), mpegAudioFrame(index), mpegAudioFrame(index + 20))),
      6_480,
    ),
  ),
  { ...samples('PCMU', '', 160, 160), payloadType: 0 },
  { ...samples('PCMA', '', 160, 160), payloadType: 8 },
  samples('L8', 'L8/16000', 320, 320),
  samples('L16', 'L16/16000/2', 1_280, 320),
  { ...samples('G722', '', 160, 160), payloadType: 9 },
  samples('G726', 'G726-32/8000', 80, 160),
  samples('G726 in the order of AAL2', 'AAL2-G726-16/8000', 40, 160),
  {
    name: 'ONVIF metadata',
    kind: 'application',
    payloadType: 107,
    rtpmap: 'vnd.onvif.metadata/90000',
    fmtp: '',
    packets: twelve.flatMap((index) => [
      { payload: filler(60, index), time: index * 3_600, marker: false },
      { payload: filler(20, index), time: index * 3_600, marker: true },
    ]),
  },
];
