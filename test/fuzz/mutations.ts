import { serializeGoodbye, serializeSenderReport } from '../../shared/rtcp-writer.js';
import { parseRtpPacket } from '../../shared/rtp-packet.js';
import { specimens } from '../client/depacketizer/specimens.js';
import type { Conversation } from './conversations.js';
import { actions, ends, type FuzzCase, modes, type Step } from './fuzz-case.js';
import type { Random } from './random.js';
import { joinWire, splitWire, type WireUnit } from './wire-units.js';

/** A conversation in which nothing is wrong → a case in which something is. */

/** Bytes that a case grows to at most. */
const MAX_CASE_BYTES = 400_000;
const MAX_MUTATIONS = 6;

/** A step whose bytes are in pieces, for as long as mutations go on. */
interface Draft {
  afterMs: number;
  action: Step['action'];
  units: WireUnit[];
}

export function mutate(conversations: readonly Conversation[], random: Random): FuzzCase {
  const drafts = random.pick(conversations).steps.map(({ afterMs, action, bytes }) => ({
    afterMs,
    action,
    units: splitWire(bytes),
  }));
  for (let left = random.few(MAX_MUTATIONS); left > 0; left--) mutateOnce(drafts, conversations, random);
  if (random.chance(0.8)) renumber(drafts);
  const steps = drafts.map(({ afterMs, action, units }) => ({ afterMs, action, bytes: joinWire(units) }));
  return { mode: random.pick(modes), end: random.pick(ends), steps: bounded(steps) };
}

function bounded(steps: readonly Step[]): Step[] {
  let left = MAX_CASE_BYTES;
  return steps.map((step) => {
    const bytes = step.bytes.subarray(0, left);
    left -= bytes.length;
    return { ...step, bytes };
  });
}

function mutateOnce(drafts: Draft[], conversations: readonly Conversation[], random: Random): void {
  const messages = drafts.filter(({ units }) => units.some(({ kind }) => kind === 'message'));
  const media = drafts.filter(({ units }) => units.some(({ kind }) => kind === 'frame'));
  const choice = random.below(100);
  if (choice < 10 && messages.length > 0) changeHeaders(random.pick(messages), random);
  else if (choice < 25 && messages.length > 0) changeDescription(messages, random);
  else if (choice < 32) insertMessage(drafts, random);
  else if (choice < 60 && media.length > 0) changePacket(random.pick(media), conversations, random);
  else if (choice < 66 && media.length > 0) changeMedia(media, random);
  else if (choice < 75) changeOrder(random.pick(drafts), random);
  else if (choice < 82) changeSteps(drafts, random);
  else changeBytes(random.pick(drafts), random);
}

// Bytes, whatever they mean.

function changeBytes(draft: Draft, random: Random): void {
  const index = random.below(draft.units.length);
  const unit = draft.units[index];
  if (unit !== undefined) draft.units[index] = { ...unit, bytes: garbled(unit.bytes, random) };
}

/** Bytes that mean something somewhere. */
const telling = [0x00, 0xff, 0x80, 0x7f, 0x24, 0x0d, 0x0a, 0x20, 0x3a, 0x01, 0xfe, 0x40, 0xc0];

function garbled(bytes: Uint8Array, random: Random): Uint8Array {
  const { length } = bytes;
  // Most of what is decided is decided by the first bytes.
  const at = random.chance(0.6) ? random.below(Math.min(length, 24)) : random.below(length);
  const count = Math.min(length - at, random.few(60));
  switch (random.below(7)) {
    case 0: {
      const changed = bytes.slice();
      for (let left = random.few(8); left > 0 && length > 0; left--) {
        const place = random.chance(0.5) ? at : random.below(length);
        changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8));
      }
      return changed;
    }
    case 1: {
      const changed = bytes.slice();
      if (length > 0) changed[at] = random.chance(0.7) ? random.pick(telling) : random.below(256);
      return changed;
    }
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + count));
    case 3:
      return joined(bytes.subarray(0, at), random.bytes(random.few(200)), bytes.subarray(at));
    case 4: {
      const piece = bytes.subarray(at, at + count);
      const times = random.chance(0.1) ? random.few(20_000) : random.few(30);
      const repeated = Array.from({ length: Math.min(times, Math.ceil(60_000 / (count + 1))) }, () => piece);
      return joined(bytes.subarray(0, at), ...repeated, bytes.subarray(at));
    }
    case 5:
      return bytes.subarray(0, at);
    default: {
      const changed = bytes.slice();
      changed.fill(random.pick(telling), at, at + count);
      return changed;
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

// The order of messages and frames, and of steps.

function changeOrder({ units }: Draft, random: Random): void {
  if (units.length === 0) return;
  const at = random.below(units.length);
  const other = random.below(units.length);
  const count = Math.min(units.length - at, random.few(8));
  switch (random.below(6)) {
    case 0:
      units.splice(at, count);
      break;
    case 1: {
      const times = random.chance(0.1) ? random.few(300) : random.few(5);
      const copies = Array.from({ length: times }, () => units.slice(at, at + count)).flat();
      units.splice(at, 0, ...copies);
      break;
    }
    case 2:
      units.splice(other, 0, ...units.splice(at, count));
      break;
    case 3:
      units.splice(at, count, ...units.slice(at, at + count).reverse());
      break;
    case 4:
      // What of a frame is lost is lost in the middle of it.
      for (let index = units.length - 1; index >= 0; index--) if (random.chance(0.3)) units.splice(index, 1);
      break;
    default:
      units.splice(at, 0, { kind: 'junk', bytes: random.bytes(random.few(3_000)) });
  }
}

const waits = [0, 1, 40, 500, 2_600, 3_500, 11_000, 31_000, 65_000, 3_600_000];

function changeSteps(drafts: Draft[], random: Random): void {
  const at = random.below(drafts.length);
  const draft = drafts[at];
  if (draft === undefined) return;
  switch (random.below(6)) {
    case 0:
      drafts.splice(at, 1);
      if (drafts.length === 0) drafts.push(draft);
      break;
    case 1:
      drafts.splice(at, 0, { ...draft, units: [...draft.units] });
      break;
    case 2:
      drafts.splice(random.below(drafts.length), 0, ...drafts.splice(at, 1));
      break;
    case 3:
      draft.afterMs = random.pick(waits);
      break;
    default:
      // The application has its say.
      draft.action = random.pick(actions);
  }
}

// Packets.

function changePacket({ units }: Draft, conversations: readonly Conversation[], random: Random): void {
  const frames = units.flatMap(({ kind }, index) => (kind === 'frame' ? [index] : []));
  if (frames.length === 0) return;
  for (let left = random.few(5); left > 0; left--) {
    const index = random.pick(frames);
    const unit = units[index];
    if (unit !== undefined && unit.kind === 'frame') {
      units[index] = { kind: 'frame', bytes: changedFrame(unit.bytes, conversations, random) };
    }
  }
}

/** The media as a whole: a camera's habits. */
function changeMedia(media: readonly Draft[], random: Random): void {
  const habit = random.below(7);
  const value = random.pick(extremes32);
  const head = random.pick(payloadHeads);
  let count = 0;
  for (const { units } of media) {
    for (const [index, { kind, bytes }] of units.entries()) {
      if (kind !== 'frame' || bytes.length < FRAME_HEADER + RTP_HEADER) continue;
      const frame = bytes.slice();
      const view = new DataView(frame.buffer);
      count++;
      if (habit === 0) frame[5] = (frame[5] ?? 0) | 0x80;
      else if (habit === 1) frame[5] = (frame[5] ?? 0) & 0x7f;
      else if (habit === 2) frame[5] = (frame[5] ?? 0) ^ 0x80;
      else if (habit === 3) view.setUint32(8, value);
      else if (habit === 4) view.setUint32(8, value - view.getUint32(8));
      else if (habit === 5) view.setUint16(6, view.getUint16(6) + (count >> 3) * 4_000);
      const payloadStart = FRAME_HEADER + RTP_HEADER;
      const changed = habit < 6 ? frame : joined(frame.subarray(0, payloadStart), head, frame.subarray(payloadStart));
      units[index] = { kind, bytes: habit < 6 ? changed : reframed(changed) };
    }
  }
}

const startCode = Uint8Array.of(0, 0, 1);
const payloadHeads = [
  // H.264: delimiter, SEI with a recovery point, ends, partitions, prefix, STAP-A, FU-A at its start and end, interleaved.
  ...[
    '09f0',
    '0606010084',
    '06060180',
    '0a',
    '0b',
    '0284',
    '0384',
    '0484',
    '0e40',
    '78000209f0',
    '7c85',
    '7c45',
    '7c06',
  ],
  ...['7c87', '79', '1a', '00000001', '67640028acd9', '68ef8fcb', '6142', '4120', '6588', '41e0'],
  // H.265: delimiter, SEI, ends, PACI, aggregation, fragments, leading pictures, broken links, reserved, layers.
  ...['460110', '4e010601d0', '5001', '4801', '4a01', '6401 c500 00', '60010003460110', '620193', '620153', '1201e0'],
  ...['0e01e0', '2001af', '2a01af', '5401', '2809', '4201010160', '4401c1', '40010c01'],
  // AV1: continued, continuing, counted, new sequence; delimiter, tile group, metadata, with a size or an extension.
  ...['80', '40', 'c0', '10', '30', '08', '0020', '000112', '0128', '0a0b', '3600', '32ff', '0034'],
  // VP8 and VP9 descriptors with all that they can have.
  ...['90ff8111ff', '9080ffff', 'ffff80ff22ff01', 'fe8101e0ff', '0a7f', '8c8001', 'aa8001ff0078'],
  // JPEG: restart intervals, tables, types that nobody has. AU headers, ADTS, LATM, MPEG audio, Opus of several frames.
  ...['000000004064ffff0004ffff', '0000000001ff2820000100400101', '00ffffff01322820', '00000000ff00ffff', '00200010'],
  ...[
    'ffff',
    '0000',
    '0010ffff',
    'fff15080017ffc',
    'fff94c8001bffc',
    '80',
    'ff00',
    '40002320',
    '00000000fffb9064',
    '0000ffff',
  ],
  ...['fc03', 'ff3f', 'fb02', '00'],
].map((text) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex')));
/** RTP header extensions: JPEG's size of a large picture, one without end, an empty one. */
const extensions = [
  'ffd80003ffc0001108078000f0ffffff',
  'ffd80001ffffffff',
  'ffd8ffff',
  'bede0000',
  'ffd80002ffdd0002ffc00011',
].map((text) => new Uint8Array(Buffer.from(text, 'hex')));

const FRAME_HEADER = 4;
const RTP_HEADER = 12;
const extremes16 = [0, 1, 0x7fff, 0x8000, 0xffff];
const extremes32 = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

function changedFrame(bytes: Uint8Array, conversations: readonly Conversation[], random: Random): Uint8Array {
  const frame = bytes.slice();
  const view = new DataView(frame.buffer);
  if (frame.length < FRAME_HEADER + RTP_HEADER) return garbled(frame, random);
  const head = frame.subarray(0, FRAME_HEADER + RTP_HEADER);
  const payload = frame.subarray(FRAME_HEADER + RTP_HEADER);
  switch (random.below(18)) {
    case 10:
      // What the payload formats know, and cameras seldom send, before the payload or in its place.
      return reframed(joined(head, random.pick(payloadHeads), random.chance(0.5) ? payload : random.bytes(40)));
    case 11: {
      // A start code, and what looks like the next unit.
      const at = random.below(payload.length);
      return reframed(
        joined(head, payload.subarray(0, at), startCode, random.pick(payloadHeads), payload.subarray(at)),
      );
    }
    case 12:
      frame[4] = (frame[4] ?? 0) | 0x10;
      return reframed(joined(frame.subarray(0, FRAME_HEADER + RTP_HEADER), random.pick(extensions), payload));
    case 13: {
      // Parameter sets and sequence headers are short: bits anywhere in the first of them.
      const changed = frame.slice();
      for (let left = random.few(6); left > 0; left--) {
        const at = FRAME_HEADER + RTP_HEADER + random.below(Math.min(payload.length, 48));
        changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
      }
      return changed;
    }
    case 0:
      // The frame's length says something else.
      view.setUint16(2, random.chance(0.3) ? random.below(65_536) : Math.max(0, payload.length + random.below(30) - 3));
      return frame;
    case 1:
      frame[1] = random.chance(0.7) ? random.below(4) : random.below(256);
      return frame;
    case 2:
      // Version, padding, extension, CSRC count.
      frame[4] = random.chance(0.5) ? random.below(256) : 0x80 | random.below(64);
      return frame;
    case 3:
      frame[5] = random.chance(0.5) ? (frame[5] ?? 0) ^ 0x80 : random.below(256);
      return frame;
    case 4:
      view.setUint16(6, random.chance(0.4) ? random.pick(extremes16) : view.getUint16(6) + random.below(400) - 200);
      return frame;
    case 5:
      view.setUint32(
        8,
        random.chance(0.4) ? random.pick(extremes32) : view.getUint32(8) + random.below(200_000) - 100_000,
      );
      return frame;
    case 6:
      view.setUint32(12, random.chance(0.5) ? 7 : random.pick(extremes32));
      return frame;
    case 7:
      return reframed(joined(head, random.bytes(random.few(1_400))));
    case 8:
      return reframed(joined(head, otherPayload(conversations, random)));
    case 9: {
      const rtcp = random.chance(0.3)
        ? serializeGoodbye({ ssrcs: [view.getUint32(12)] })
        : serializeSenderReport({
            ssrc: view.getUint32(12),
            ntpTime: random.pick([0, 1_700_000_000_000, 1_700_000_900_000, 2 ** 42]),
            rtpTimestamp: random.pick([view.getUint32(8), ...extremes32]),
            packetCount: 1,
            octetCount: 1,
          });
      return reframed(joined(head.subarray(0, FRAME_HEADER), random.chance(0.5) ? garbled(rtcp, random) : rtcp));
    }
    default:
      return reframed(joined(head, garbled(payload, random)));
  }
}

/** The frame with the length that it has. */
function reframed(frame: Uint8Array): Uint8Array {
  const whole = frame.length - FRAME_HEADER > 0xffff ? frame.slice(0, FRAME_HEADER + 0xffff) : frame;
  new DataView(whole.buffer).setUint16(2, whole.length - FRAME_HEADER);
  return whole;
}

function otherPayload(conversations: readonly Conversation[], random: Random): Uint8Array {
  if (random.chance(0.5)) return random.pick(random.pick(specimens).packets).payload;
  const frames = splitWire(random.pick(random.pick(conversations).steps).bytes).filter(({ kind }) => kind === 'frame');
  const frame = frames[random.below(Math.max(1, frames.length))];
  return (frame === undefined ? null : parseRtpPacket(frame.bytes.subarray(FRAME_HEADER)))?.payload ?? new Uint8Array();
}

// Messages.

const headerLines = [
  'Session: 8a7b;timeout=0',
  'Session: 8a7b;timeout=999999999',
  'Session: ',
  'Session: other;timeout=1',
  'Transport: RTP/AVP;unicast;client_port=5000-5001',
  'Transport: RTP/AVP/TCP;interleaved=0-1',
  'Transport: RTP/AVP/TCP;interleaved=255',
  'Transport: RTP/AVP/TCP;interleaved=4-4,RTP/AVP/TCP;interleaved=900-901',
  'Transport: ;;;=,,',
  'RTP-Info: url=;seq=-1;rtptime=-1',
  'RTP-Info: url=track0;seq=99999999999;rtptime=99999999999,url=track1',
  `RTP-Info: ${'url=;seq=1,'.repeat(200)}`,
  'Range: npt=now-',
  'Range: npt=99999999999999-1',
  'Range: clock=00000000T000000Z-99999999T999999Z',
  'Range: npt=30:99:99.999-0',
  'Scale: 0',
  'Scale: -1e308',
  'Content-Base: *',
  'Content-Base: http://elsewhere/',
  'Content-Location: ../../..',
  'Location: rtsp://elsewhere.test/',
  'Location: rtsp://camera.test/other',
  'Location: %%%',
  'Public: ',
  'Public: PLAY,PAUSE,GET_PARAMETER,SET_PARAMETER,OPTIONS',
  'WWW-Authenticate: Digest',
  'WWW-Authenticate: Digest realm="a\\"b", nonce="", qop="auth-int,auth", algorithm=MD5-sess',
  `WWW-Authenticate: Basic realm="${'x'.repeat(5_000)}`,
  'CSeq: 99999999999999999999',
  'CSeq: -1',
  'Content-Length: 0',
  'Content-Length: 131073',
  'Content-Length: 12, 13',
  'Content-Length: x',
  ' folded',
  ':',
  'no colon at all',
];
const statuses = [
  100, 200, 201, 250, 301, 302, 305, 400, 401, 404, 405, 451, 454, 455, 457, 459, 461, 500, 501, 503, 551,
];

function changeHeaders({ units }: Draft, random: Random): void {
  const index = units.findIndex(({ kind }) => kind === 'message');
  const unit = units[index];
  if (unit === undefined) return;
  const { lines, body } = parts(unit);
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  switch (random.below(6)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, ...Array.from({ length: random.chance(0.1) ? 300 : random.few(4) }, () => line));
      break;
    case 2:
      lines.push(lines.splice(at, 1)[0] ?? '');
      break;
    case 3:
      lines[0] = `RTSP/1.0 ${random.pick(statuses)} ${random.chance(0.5) ? 'So' : ''}`;
      break;
    case 4:
      lines[at] = Buffer.from(garbled(Buffer.from(line, 'latin1'), random)).toString('latin1');
      break;
    default: {
      const added = random.pick(headerLines);
      const name = added.slice(0, added.indexOf(':') + 1);
      const same = lines.findIndex((other) => name !== '' && other.startsWith(name));
      if (same > 0 && random.chance(0.8)) lines[same] = added;
      else lines.push(added);
    }
  }
  units[index] = message(lines, body);
}

function parts({ bytes }: WireUnit): { lines: string[]; body: string } {
  const text = Buffer.from(bytes).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? { lines: [text], body: '' } : { lines: text.slice(0, end).split('\r\n'), body: text.slice(end + 4) };
}

function message(lines: readonly string[], body: string): WireUnit {
  return { kind: 'message', bytes: new Uint8Array(Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')) };
}

/** CSeq as a camera counts that answers every request once. */
function renumber(drafts: readonly Draft[]): void {
  let cseq = 0;
  for (const { units } of drafts) {
    for (const [index, unit] of units.entries()) {
      if (unit.kind !== 'message') continue;
      const { lines, body } = parts(unit);
      const at = lines.findIndex((line) => /^CSeq: *\d{1,5}$/i.test(line));
      if (at < 0 || !lines[0]?.startsWith('RTSP/')) continue;
      lines[at] = `CSeq: ${++cseq}`;
      units[index] = message(lines, body);
    }
  }
}

const requests = [
  ['OPTIONS * RTSP/1.0', 'CSeq: 7'],
  ['TEARDOWN rtsp://camera.test/stream RTSP/1.0', 'CSeq: 8'],
  ['REDIRECT rtsp://camera.test/stream RTSP/1.0', 'CSeq: 9', 'Location: rtsp://camera.test/other'],
  ['REDIRECT rtsp://camera.test/stream RTSP/1.0', 'Location: rtsp://elsewhere.test:99999/'],
  ['ANNOUNCE rtsp://camera.test/stream RTSP/1.0', 'CSeq: 10', 'Content-Length: 4'],
  ['SET_PARAMETER * RTSP/1.0'],
  ['NONSENSE a b c RTSP/1.0', 'CSeq: \u00ff'],
];

/** A reply before that which is waited for, or a request of the camera. */
function insertMessage(drafts: Draft[], random: Random): void {
  const at = random.below(drafts.length);
  const draft = drafts[at];
  if (draft === undefined) return;
  if (random.chance(0.5)) {
    const request = message(random.pick(requests), '');
    const times = random.chance(0.2) ? random.few(100) : 1;
    draft.units.splice(random.below(draft.units.length + 1), 0, ...Array.from({ length: times }, () => request));
    return;
  }
  const lines = [`RTSP/1.0 ${random.pick(statuses)} Well`, 'CSeq: 1'];
  for (let left = random.below(4); left > 0; left--) lines.push(random.pick(headerLines));
  const reply = message(lines, '');
  if (random.chance(0.3)) draft.units.unshift(reply);
  else drafts.splice(at, 0, { afterMs: 0, action: 'none', units: [reply] });
}

// Session descriptions.

const formatNames = ['H264', 'H265', 'AV1', 'VP8', 'VP9', 'JPEG', 'MPEG4-GENERIC', 'MP4A-LATM', 'opus', 'MPA'].concat([
  'PCMU',
  'PCMA',
  'L8',
  'L16',
  'G722',
  'G726-40',
  'AAL2-G726-24',
  'G729',
  'vnd.onvif.metadata',
]);
const numbers = ['0', '1', '7', '8000', '44100', '90000', '4294967295', '99999999999', '-1', '0.5', 'x', ''];
const parameterNames = ['sizelength', 'indexlength', 'indexdeltalength', 'ctsdeltalength', 'dtsdeltalength'].concat(
  ['constantsize', 'constantduration', 'auxiliarydatasizelength', 'streamstateindication', 'randomaccessindication'],
  ['config', 'cpresent', 'mode', 'sprop-parameter-sets', 'sprop-vps', 'sprop-sps', 'sprop-pps', 'sprop-max-don-diff'],
  ['packetization-mode', 'object', 'rate', 'channels'],
);
const parameterValues = [
  '0',
  '1',
  '2',
  '16',
  '32',
  '33',
  '65535',
  'aac-lbr',
  '40',
  '1190',
  '400023203fc0',
  'ff'.repeat(60),
];
const parameterLines = [
  'sprop-max-don-diff=2',
  'mode=generic;sizelength=0;constantsize=7;auxiliarydatasizelength=3',
  'mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2',
  'sizelength=13;indexlength=3;indexdeltalength=3;ctsdeltalength=22;dtsdeltalength=22;randomaccessindication=1;config=2b8a0800',
  'sizelength=32;indexlength=32;indexdeltalength=32;streamstateindication=32;config=eb098800',
  'sizelength=13;indexlength=0;indexdeltalength=0;config=12000590',
  'cpresent=1;object=2',
  'cpresent=0;config=4000562420adc0',
  'cpresent=0;config=c00023203fc0ffff',
  'sprop-stereo=1;maxplaybackrate=8000',
];

/** Parameter sets with bits the other way round. */
function garbledBase64(sets: string, random: Random): string {
  const garbledSets = sets.split(',').map((set) => {
    const bytes = Buffer.from(set, 'base64');
    for (let left = random.few(5); left > 0 && bytes.length > 0; left--) {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return random.chance(0.1) ? set.repeat(200) : bytes.toString('base64');
  });
  return garbledSets.join(',');
}

const wholeLines = [
  'a=control:*',
  'a=control:rtsp://elsewhere.test/stream',
  'a=control:',
  'a=control:../%zz?a=b',
  'a=sendonly',
  'a=inactive',
  'a=range:npt=0-1',
  'a=range:npt=now-',
  'a=framerate:1e9',
  'a=framerate:-3',
  'b=AS:999999999999',
  'm=audio 0 RTP/AVP 0',
  'm=video 0 RTP/AVP 26 96 97',
  'm=application 0 RTP/AVPF 107',
  'm=',
];

function changeDescription(messages: readonly Draft[], random: Random): void {
  for (const { units } of messages) {
    const index = units.findIndex((unit) => unit.kind === 'message' && parts(unit).body.startsWith('v='));
    const unit = units[index];
    if (unit === undefined) continue;
    const { lines, body } = parts(unit);
    const changed = changedDescription(body.split('\r\n'), random).join('\r\n');
    const at = lines.findIndex((line) => /^content-length:/i.test(line));
    if (at >= 0 && random.chance(0.9)) lines[at] = `Content-Length: ${changed.length}`;
    units[index] = message(lines, changed);
    return;
  }
}

function changedDescription(lines: string[], random: Random): string[] {
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const number = () => random.pick(numbers);
  switch (random.below(11)) {
    case 9:
      return lines.map((old) =>
        old.replace(/(sprop-[a-z-]+=)([^;]*)/, (_, name, sets) => name + garbledBase64(sets, random)),
      );
    case 10:
      return lines.map((old) => old.replace(/^(a=fmtp:\d+) .*/, `$1 ${random.pick(parameterLines)}`));
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, ...Array.from({ length: random.chance(0.1) ? 2_500 : random.few(40) }, () => line));
      break;
    case 2:
      lines.splice(random.below(lines.length), 0, ...lines.splice(at, 1));
      break;
    case 3:
      lines[at] = Buffer.from(garbled(Buffer.from(line, 'latin1'), random)).toString('latin1');
      break;
    case 4:
      lines.splice(at, 0, random.pick(wholeLines));
      break;
    case 5:
      // The codec's bytes in another one's hands.
      return lines.map((old) =>
        old.replace(/^(a=rtpmap:\d+) [^/]+/, (all, head) =>
          random.chance(0.6) ? `${head} ${random.pick(formatNames)}` : all,
        ),
      );
    case 6:
      return lines.map((old) =>
        old.replace(/^(a=rtpmap:\d+ [^/]+)\/.*/, (_, head) => `${head}/${number()}/${number()}`),
      );
    case 7: {
      const parameters = Array.from(
        { length: random.few(4) },
        () => `${random.pick(parameterNames)}=${random.pick(parameterValues)}`,
      );
      return lines.map((old) =>
        old.startsWith('a=fmtp')
          ? `${old.replace(/ .*/, random.chance(0.5) ? '$&;' : ' ')}${parameters.join(';')}`
          : old,
      );
    }
    default:
      // Numbers in the parameters.
      return lines.map((old) =>
        old.startsWith('a=fmtp') ? old.replace(/=(\d+)/g, (all) => (random.chance(0.5) ? `=${number()}` : all)) : old,
      );
  }
  return lines;
}
