/** RTCP packets: bytes ↔ reports, descriptions and goodbyes (RFC 3550, 6.4 to 6.6). */

/** Reception of one source (RFC 3550, 6.4.1). */
export interface ReportBlock {
  ssrc: number;
  /** Of the packets since the last report, in 256ths. */
  fractionLost: number;
  /** Packets since the start; signed, 24 bits: doubled packets make it negative. */
  cumulativeLost: number;
  extendedHighestSequence: number;
  /** Ticks of the RTP clock. */
  jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report; 0 before one. */
  lastSenderReport: number;
  /** In 65,536ths of a second. */
  delaySinceLastSenderReport: number;
}

export interface SenderReport {
  kind: 'sender-report';
  ssrc: number;
  /** UTC in milliseconds since 1970, with a fraction; null when the sender has no wall clock (all zero). */
  ntpTime: number | null;
  /** Middle 32 bits of the NTP time, for `ReportBlock.lastSenderReport`. */
  ntpMiddle: number;
  /** The RTP time of the same moment, 32 bits. */
  rtpTimestamp: number;
  packetCount: number;
  octetCount: number;
  reports: ReportBlock[];
}

export interface ReceiverReport {
  kind: 'receiver-report';
  ssrc: number;
  reports: ReportBlock[];
}

export interface SourceDescription {
  kind: 'source-description';
  chunks: { ssrc: number; cname: string | null }[];
}

export interface Goodbye {
  kind: 'goodbye';
  ssrcs: number[];
  reason: string | null;
}

/** APP, feedback, or a type unknown: its place is known, not its content. */
export interface OtherRtcpPacket {
  kind: 'other';
  packetType: number;
}

export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | OtherRtcpPacket;

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const SOURCE_DESCRIPTION = 202;
const GOODBYE = 203;
const CNAME = 1;

/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_UNIX_OFFSET_S = 2_208_988_800;
/** NTP's 32 bits of seconds begin anew in 2036 (RFC 5905, 6): values below this belong to that era. */
const NTP_ERA_PIVOT_S = 0x8000_0000;
const NTP_ERA_S = 0x1_0000_0000;

const FIXED_SENDER_REPORT_BYTES = 28;
const REPORT_BLOCK_BYTES = 24;

/** The packets of a compound packet, in order, up to the first that is broken. Never throws. */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] {
  const packets: RtcpPacket[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 4 <= bytes.length) {
    const first = view.getUint8(at);
    const end = at + 4 + 4 * view.getUint16(at + 2);
    if (first >> 6 !== 2 || end > bytes.length) break;
    const body = new DataView(view.buffer, view.byteOffset + at, end - at);
    const packet = parseOne(body, view.getUint8(at + 1), first & 0x1f);
    if (packet === null) break;
    packets.push(packet);
    at = end;
  }
  return packets;
}

function parseOne(view: DataView, packetType: number, count: number): RtcpPacket | null {
  switch (packetType) {
    case SENDER_REPORT: {
      if (view.byteLength < FIXED_SENDER_REPORT_BYTES) return null;
      const seconds = view.getUint32(8);
      const fraction = view.getUint32(12);
      return {
        kind: 'sender-report',
        ssrc: view.getUint32(4),
        ntpTime: seconds === 0 && fraction === 0 ? null : unixMsFromNtp(seconds, fraction),
        ntpMiddle: (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0,
        rtpTimestamp: view.getUint32(16),
        packetCount: view.getUint32(20),
        octetCount: view.getUint32(24),
        reports: parseReportBlocks(view, FIXED_SENDER_REPORT_BYTES, count),
      };
    }
    case RECEIVER_REPORT:
      if (view.byteLength < 8) return null;
      return { kind: 'receiver-report', ssrc: view.getUint32(4), reports: parseReportBlocks(view, 8, count) };
    case SOURCE_DESCRIPTION:
      return { kind: 'source-description', chunks: parseChunks(view, count) };
    case GOODBYE:
      return parseGoodbye(view, count);
    default:
      return { kind: 'other', packetType };
  }
}

function parseReportBlocks(view: DataView, start: number, count: number): ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let i = 0, at = start; i < count && at + REPORT_BLOCK_BYTES <= view.byteLength; i++, at += REPORT_BLOCK_BYTES) {
    reports.push({
      ssrc: view.getUint32(at),
      fractionLost: view.getUint8(at + 4),
      cumulativeLost: (view.getInt32(at + 4) << 8) >> 8,
      extendedHighestSequence: view.getUint32(at + 8),
      jitter: view.getUint32(at + 12),
      lastSenderReport: view.getUint32(at + 16),
      delaySinceLastSenderReport: view.getUint32(at + 20),
    });
  }
  return reports;
}

/** Some cameras (Tapo C320WS) leave out the END item: the packet's end ends a chunk as well. */
function parseChunks(view: DataView, count: number): SourceDescription['chunks'] {
  const chunks: SourceDescription['chunks'] = [];
  let at = 4;
  while (chunks.length < count && at + 4 <= view.byteLength) {
    const ssrc = view.getUint32(at);
    let cname: string | null = null;
    at += 4;
    while (at < view.byteLength) {
      const item = view.getUint8(at);
      if (item === 0) {
        // The END item, then zeros up to the next 32-bit boundary.
        at += 4 - (at % 4);
        break;
      }
      if (at + 2 > view.byteLength) return chunks;
      const length = view.getUint8(at + 1);
      if (at + 2 + length > view.byteLength) return chunks;
      if (item === CNAME) cname = text(view, at + 2, length);
      at += 2 + length;
    }
    chunks.push({ ssrc, cname });
  }
  return chunks;
}

function parseGoodbye(view: DataView, count: number): Goodbye {
  const ssrcs: number[] = [];
  let at = 4;
  for (; ssrcs.length < count && at + 4 <= view.byteLength; at += 4) ssrcs.push(view.getUint32(at));
  const length = at < view.byteLength ? view.getUint8(at) : 0;
  const reason = length > 0 && at + 1 + length <= view.byteLength ? text(view, at + 1, length) : null;
  return { kind: 'goodbye', ssrcs, reason };
}

function text(view: DataView, at: number, length: number): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
}

/** Writes a sender report; `ntpTime` null writes zeros. `ntpMiddle` is taken from `ntpTime`. */
export function serializeSenderReport(
  report: Pick<SenderReport, 'ssrc' | 'ntpTime' | 'rtpTimestamp' | 'packetCount' | 'octetCount'> & {
    reports?: ReportBlock[];
  },
): Uint8Array {
  const reports = report.reports ?? [];
  const view = packet(SENDER_REPORT, reports.length, FIXED_SENDER_REPORT_BYTES + REPORT_BLOCK_BYTES * reports.length);
  const ntp = report.ntpTime === null ? { seconds: 0, fraction: 0 } : ntpFromUnixMs(report.ntpTime);
  view.setUint32(4, report.ssrc);
  view.setUint32(8, ntp.seconds);
  view.setUint32(12, ntp.fraction);
  view.setUint32(16, report.rtpTimestamp);
  view.setUint32(20, report.packetCount);
  view.setUint32(24, report.octetCount);
  writeReportBlocks(view, FIXED_SENDER_REPORT_BYTES, reports);
  return bytesOf(view);
}

export function serializeReceiverReport(report: Omit<ReceiverReport, 'kind'>): Uint8Array {
  const view = packet(RECEIVER_REPORT, report.reports.length, 8 + REPORT_BLOCK_BYTES * report.reports.length);
  view.setUint32(4, report.ssrc);
  writeReportBlocks(view, 8, report.reports);
  return bytesOf(view);
}

/** Writes CNAME items; a name is cut at 255 bytes of UTF-8. */
export function serializeSourceDescription(description: Omit<SourceDescription, 'kind'>): Uint8Array {
  const chunks = description.chunks.map(({ ssrc, cname }) => {
    const name = new TextEncoder().encode(cname ?? '').subarray(0, 255);
    // SSRC, the item's type and length, its text, and END with padding to a 32-bit boundary.
    return { ssrc, name, length: 4 + 4 * Math.ceil((2 + name.length + 1) / 4) };
  });
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 4);
  const view = packet(SOURCE_DESCRIPTION, chunks.length, length);
  let at = 4;
  for (const chunk of chunks) {
    view.setUint32(at, chunk.ssrc);
    view.setUint8(at + 4, CNAME);
    view.setUint8(at + 5, chunk.name.length);
    bytesOf(view).set(chunk.name, at + 6);
    at += chunk.length;
  }
  return bytesOf(view);
}

export function serializeGoodbye(goodbye: { ssrcs: readonly number[] }): Uint8Array {
  const view = packet(GOODBYE, goodbye.ssrcs.length, 4 + 4 * goodbye.ssrcs.length);
  goodbye.ssrcs.forEach((ssrc, index) => {
    view.setUint32(4 + 4 * index, ssrc);
  });
  return bytesOf(view);
}

/** NTP's 64-bit time of a UTC time: whole seconds since 1900 (32 bits) and fractions of 2⁻³² s. */
export function ntpFromUnixMs(unixMs: number): { seconds: number; fraction: number } {
  const seconds = Math.floor(unixMs / 1000);
  const fraction = Math.round((unixMs / 1000 - seconds) * NTP_ERA_S);
  const carry = fraction === NTP_ERA_S ? 1 : 0;
  return { seconds: (seconds + carry + NTP_UNIX_OFFSET_S) % NTP_ERA_S, fraction: carry === 1 ? 0 : fraction };
}

/** UTC in milliseconds since 1970, with a fraction, of an NTP time; from 1968 to 2104. */
export function unixMsFromNtp(seconds: number, fraction: number): number {
  const era = seconds < NTP_ERA_PIVOT_S ? NTP_ERA_S : 0;
  return (seconds + era - NTP_UNIX_OFFSET_S) * 1000 + (fraction * 1000) / NTP_ERA_S;
}

function packet(packetType: number, count: number, length: number): DataView {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint8(0, 0x80 | (count & 0x1f));
  view.setUint8(1, packetType);
  view.setUint16(2, length / 4 - 1);
  return view;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function writeReportBlocks(view: DataView, start: number, reports: readonly ReportBlock[]): void {
  let at = start;
  for (const report of reports) {
    view.setUint32(at, report.ssrc);
    view.setUint32(at + 4, report.cumulativeLost & 0xff_ffff);
    view.setUint8(at + 4, report.fractionLost);
    view.setUint32(at + 8, report.extendedHighestSequence);
    view.setUint32(at + 12, report.jitter);
    view.setUint32(at + 16, report.lastSenderReport);
    view.setUint32(at + 20, report.delaySinceLastSenderReport);
    at += REPORT_BLOCK_BYTES;
  }
}
