import { serializeGoodbye, serializeSenderReport } from '../../shared/rtcp-writer.js';
import { parseRtpPacket } from '../../shared/rtp-packet.js';
import { specimens } from '../client/depacketizer/specimens.js';
import { garbled, joined } from './byte-mutations.js';
import type { Conversation } from './conversations.js';
import type { Draft } from './draft.js';
import type { Random } from './random.js';
import { splitWire } from './wire-units.js';

/** Interleaved packets → packets with mistakes in them: headers, payloads, RTCP in their place. */

export function changePacket({ units }: Draft, conversations: readonly Conversation[], random: Random): void {
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
export function changeMedia(media: readonly Draft[], random: Random): void {
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
