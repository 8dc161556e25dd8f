import {
  CNAME_ITEM,
  GOODBYE,
  NTP_UNIX_SECONDS,
  RECEIVER_REPORT,
  REPORT_BLOCK_BYTES,
  type ReportBlock,
  SENDER_REPORT,
  SOURCE_DESCRIPTION,
  TWO_POW_32,
} from './rtcp.js';

/** RTCP packets → bytes on the wire (RFC 3550, section 6); to compose a compound packet, concatenate. */

/** The count of blocks, chunks or sources has five bits. */
const MAX_COUNT = 31;
/** SDES items and the reason of a BYE have a length of one byte. */
const MAX_TEXT_BYTES = 255;

/** The bytes of a sender report. `ntpTime` null is written as zero: the sender knows no time. */
export function serializeSenderReport(report: {
  ssrc: number;
  /** UTC in milliseconds since 1970. */
  ntpTime: number | null;
  rtpTimestamp: number;
  packetCount: number;
  octetCount: number;
  reports?: readonly ReportBlock[];
}): Uint8Array {
  const reports = (report.reports ?? []).slice(0, MAX_COUNT);
  const { bytes, view } = beginPacket(SENDER_REPORT, reports.length, 24 + REPORT_BLOCK_BYTES * reports.length);
  const ntp = report.ntpTime === null ? { seconds: 0, fraction: 0 } : ntpFromUnixMs(report.ntpTime);
  view.setUint32(4, report.ssrc);
  view.setUint32(8, ntp.seconds);
  view.setUint32(12, ntp.fraction);
  view.setUint32(16, report.rtpTimestamp);
  view.setUint32(20, report.packetCount);
  view.setUint32(24, report.octetCount);
  writeReportBlocks(view, 28, reports);
  return bytes;
}

export function serializeReceiverReport(report: { ssrc: number; reports?: readonly ReportBlock[] }): Uint8Array {
  const reports = (report.reports ?? []).slice(0, MAX_COUNT);
  const { bytes, view } = beginPacket(RECEIVER_REPORT, reports.length, 4 + REPORT_BLOCK_BYTES * reports.length);
  view.setUint32(4, report.ssrc);
  writeReportBlocks(view, 8, reports);
  return bytes;
}

/** A receiver report and the source description that has to be beside it, in one compound packet (section 6.1). */
export function serializeReceiverCompound(report: {
  ssrc: number;
  cname: string;
  reports?: readonly ReportBlock[];
}): Uint8Array {
  const { ssrc, cname } = report;
  const parts = [serializeReceiverReport(report), serializeSourceDescription({ chunks: [{ ssrc, cname }] })] as const;
  const compound = new Uint8Array(parts[0].length + parts[1].length);
  compound.set(parts[0]);
  compound.set(parts[1], parts[0].length);
  return compound;
}

/** The bytes of a source description; names are cut to 255 bytes of UTF-8. */
export function serializeSourceDescription(description: {
  chunks: readonly { ssrc: number; cname: string | null }[];
}): Uint8Array {
  const chunks = description.chunks.slice(0, MAX_COUNT).map(({ ssrc, cname }) => {
    const name = cname === null ? null : encodeText(cname);
    const itemBytes = name === null ? 0 : 2 + name.length;
    // The END item, and zeros up to the next word.
    return { ssrc, name, byteLength: 4 + ((itemBytes + 4) & ~3) };
  });
  const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const { bytes, view } = beginPacket(SOURCE_DESCRIPTION, chunks.length, length);
  let offset = 4;
  for (const { ssrc, name, byteLength } of chunks) {
    view.setUint32(offset, ssrc);
    if (name !== null) {
      view.setUint8(offset + 4, CNAME_ITEM);
      view.setUint8(offset + 5, name.length);
      bytes.set(name, offset + 6);
    }
    offset += byteLength;
  }
  return bytes;
}

/** The bytes of a goodbye; the reason is cut to 255 bytes of UTF-8. */
export function serializeGoodbye(goodbye: { ssrcs: readonly number[]; reason?: string | null }): Uint8Array {
  const ssrcs = goodbye.ssrcs.slice(0, MAX_COUNT);
  const reason = goodbye.reason === undefined || goodbye.reason === null ? null : encodeText(goodbye.reason);
  const reasonBytes = reason === null ? 0 : (1 + reason.length + 3) & ~3;
  const { bytes, view } = beginPacket(GOODBYE, ssrcs.length, 4 * ssrcs.length + reasonBytes);
  ssrcs.forEach((ssrc, index) => {
    view.setUint32(4 + 4 * index, ssrc);
  });
  if (reason !== null) {
    const offset = 4 + 4 * ssrcs.length;
    view.setUint8(offset, reason.length);
    bytes.set(reason, offset + 1);
  }
  return bytes;
}

/** @param contentBytes - a multiple of 4 */
function beginPacket(packetType: number, count: number, contentBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(4 + contentBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x80 | count);
  view.setUint8(1, packetType);
  view.setUint16(2, contentBytes / 4);
  return { bytes, view };
}

function writeReportBlocks(view: DataView, start: number, reports: readonly ReportBlock[]): void {
  let offset = start;
  for (const report of reports) {
    view.setUint32(offset, report.ssrc);
    view.setUint32(offset + 4, ((report.fractionLost & 0xff) << 24) | (report.cumulativeLost & 0xff_ffff));
    view.setUint32(offset + 8, report.extendedHighestSequence);
    view.setUint32(offset + 12, report.jitter);
    view.setUint32(offset + 16, report.lastSenderReport);
    view.setUint32(offset + 20, report.delaySinceLastSenderReport);
    offset += REPORT_BLOCK_BYTES;
  }
}

/** UTF-8, at most 255 bytes, not cut in the middle of a character. */
function encodeText(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  let end = Math.min(bytes.length, MAX_TEXT_BYTES);
  if (end < bytes.length) while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/**
 * NTP time of a UTC time in milliseconds since 1970: seconds since 1900, of which the wire has the low 32 bits, and
 * 1/2^32 of a second. The seconds wrap on 7 February 2036.
 */
export function ntpFromUnixMs(unixMs: number): { seconds: number; fraction: number } {
  const unixSeconds = Math.floor(unixMs / 1000);
  // Rounded down, so that it never reaches 2^32.
  const fraction = Math.floor(((unixMs - unixSeconds * 1000) / 1000) * TWO_POW_32);
  return { seconds: (unixSeconds + NTP_UNIX_SECONDS) % TWO_POW_32, fraction };
}
