/** Bytes of RTCP → packets as objects (RFC 3550, section 6). Peers send them compound, several after one another. */
import { decodeText } from './rtsp-message.js';

/** What a receiver says about one source (section 6.4.1). */
export interface ReportBlock {
  ssrc: number;
  /** Since the last report, in 1/256. */
  fractionLost: number;
  /** Signed, 24 bits. */
  cumulativeLost: number;
  /** Sequence number, with the count of its wraps above the low 16 bits. */
  extendedHighestSequence: number;
  /** In ticks of the RTP clock. */
  jitter: number;
  /** Middle 32 bits of the last sender report's NTP time; 0 when there was none. */
  lastSenderReport: number;
  /** In 1/65,536 s. */
  delaySinceLastSenderReport: number;
}

/** Section 6.4.1. */
export interface SenderReport {
  kind: 'sender-report';
  ssrc: number;
  /** UTC in milliseconds since 1970, with fractions; null when the sender knows no time (zero on the wire). */
  ntpTime: number | null;
  /** The middle 32 bits of the NTP time, as a receiver report gives them back. */
  ntpMiddle: number;
  /** The RTP time that corresponds to `ntpTime`. */
  rtpTimestamp: number;
  packetCount: number;
  octetCount: number;
  reports: ReportBlock[];
}

/** Section 6.4.2. */
export interface ReceiverReport {
  kind: 'receiver-report';
  ssrc: number;
  reports: ReportBlock[];
}

/** Section 6.5; of its items only the canonical name is of use. */
export interface SourceDescription {
  kind: 'source-description';
  chunks: { ssrc: number; cname: string | null }[];
}

/** Section 6.6. */
export interface Goodbye {
  kind: 'goodbye';
  ssrcs: number[];
  reason: string | null;
}

/** An APP packet, or one of a type that is not known here. */
export interface ApplicationOrOther {
  kind: 'other';
  packetType: number;
}

export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | ApplicationOrOther;

/** Packet types (section 12.1). */
export const SENDER_REPORT = 200;
export const RECEIVER_REPORT = 201;
export const SOURCE_DESCRIPTION = 202;
export const GOODBYE = 203;

export const REPORT_BLOCK_BYTES = 24;
/** The item that ends a chunk, and the one with the canonical name (section 6.5). */
const END_ITEM = 0;
export const CNAME_ITEM = 1;

/**
 * Reads a compound packet. Never throws: reading ends quietly at the first packet whose lengths do not fit, and what was
 * read before is returned.
 */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] {
  const packets: RtcpPacket[] = [];
  const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  while (start + 4 <= bytes.length) {
    const first = whole.getUint8(start);
    const end = start + 4 + 4 * whole.getUint16(start + 2);
    if (first >> 6 !== 2 || end > bytes.length) break;
    let contentEnd = end;
    if ((first & 0x20) !== 0) {
      const padding = whole.getUint8(end - 1);
      if (padding === 0 || padding > end - start - 4) break;
      contentEnd -= padding;
    }
    const content = new DataView(bytes.buffer, bytes.byteOffset + start + 4, contentEnd - start - 4);
    const packet = parseContent(whole.getUint8(start + 1), first & 0x1f, content);
    if (packet === null) break;
    packets.push(packet);
    start = end;
  }
  return packets;
}

/** @param content - what follows the packet's first four bytes */
function parseContent(packetType: number, count: number, content: DataView): RtcpPacket | null {
  switch (packetType) {
    case SENDER_REPORT:
      return parseSenderReport(count, content);
    case RECEIVER_REPORT:
      if (content.byteLength < 4) return null;
      return { kind: 'receiver-report', ssrc: content.getUint32(0), reports: parseReportBlocks(count, content, 4) };
    case SOURCE_DESCRIPTION:
      return parseSourceDescription(count, content);
    case GOODBYE:
      return parseGoodbye(count, content);
    default:
      return { kind: 'other', packetType };
  }
}

function parseSenderReport(count: number, content: DataView): SenderReport | null {
  if (content.byteLength < 24) return null;
  const seconds = content.getUint32(4);
  const fraction = content.getUint32(8);
  return {
    kind: 'sender-report',
    ssrc: content.getUint32(0),
    ntpTime: seconds === 0 && fraction === 0 ? null : unixMsFromNtp(seconds, fraction),
    ntpMiddle: ((seconds << 16) | (fraction >>> 16)) >>> 0,
    rtpTimestamp: content.getUint32(12),
    packetCount: content.getUint32(16),
    octetCount: content.getUint32(20),
    reports: parseReportBlocks(count, content, 24),
  };
}

/** As many of the announced blocks as there are. */
function parseReportBlocks(count: number, content: DataView, start: number): ReportBlock[] {
  const blocks: ReportBlock[] = [];
  for (let offset = start; blocks.length < count; offset += REPORT_BLOCK_BYTES) {
    if (offset + REPORT_BLOCK_BYTES > content.byteLength) break;
    const loss = content.getInt32(offset + 4);
    blocks.push({
      ssrc: content.getUint32(offset),
      fractionLost: loss >>> 24,
      cumulativeLost: (loss << 8) >> 8,
      extendedHighestSequence: content.getUint32(offset + 8),
      jitter: content.getUint32(offset + 12),
      lastSenderReport: content.getUint32(offset + 16),
      delaySinceLastSenderReport: content.getUint32(offset + 20),
    });
  }
  return blocks;
}

function parseSourceDescription(count: number, content: DataView): SourceDescription {
  const chunks: SourceDescription['chunks'] = [];
  let offset = 0;
  while (chunks.length < count && offset + 4 <= content.byteLength) {
    const chunk: SourceDescription['chunks'][number] = { ssrc: content.getUint32(offset), cname: null };
    chunks.push(chunk);
    offset += 4;
    // Tapo C320WS ends its chunks without the END item: then the packet's end is the chunk's.
    while (offset < content.byteLength && content.getUint8(offset) !== END_ITEM) {
      if (offset + 2 > content.byteLength) return { kind: 'source-description', chunks };
      const end = offset + 2 + content.getUint8(offset + 1);
      if (end > content.byteLength) return { kind: 'source-description', chunks };
      if (content.getUint8(offset) === CNAME_ITEM) chunk.cname ??= readText(content, offset + 2, end);
      offset = end;
    }
    // One END at least, then up to the next 32-bit word.
    offset = (offset + 4) & ~3;
  }
  return { kind: 'source-description', chunks };
}

function parseGoodbye(count: number, content: DataView): Goodbye | null {
  const end = 4 * count;
  if (end > content.byteLength) return null;
  const ssrcs: number[] = [];
  for (let offset = 0; offset < end; offset += 4) ssrcs.push(content.getUint32(offset));
  let reason: string | null = null;
  if (end < content.byteLength) {
    const reasonEnd = end + 1 + content.getUint8(end);
    if (reasonEnd <= content.byteLength) reason = readText(content, end + 1, reasonEnd);
  }
  return { kind: 'goodbye', ssrcs, reason };
}

function readText(content: DataView, start: number, end: number): string {
  return decodeText(new Uint8Array(content.buffer, content.byteOffset + start, end - start));
}

/** Seconds from NTP's origin, 1900, to 1970. */
export const NTP_UNIX_SECONDS = 2_208_988_800;
export const TWO_POW_32 = 2 ** 32;

/**
 * UTC in milliseconds since 1970, with fractions. Seconds with the highest bit clear belong to the era that begins on
 * 7 February 2036 (RFC 4330, section 3), so the result lies between 1968 and 2104.
 */
export function unixMsFromNtp(seconds: number, fraction: number): number {
  const sinceOrigin = seconds >= 0x8000_0000 ? seconds : seconds + TWO_POW_32;
  return (sinceOrigin - NTP_UNIX_SECONDS) * 1000 + (fraction / TWO_POW_32) * 1000;
}
