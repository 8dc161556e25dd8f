import { serializeReceiverReport, serializeSourceDescription } from '../../shared/rtcp-writer.js';
import type { Report } from './receiver-report.js';

/**
 * A report → a compound packet: the receiver report, and the source description that the standard wants beside it
 * (RFC 3550, 6.1). Loaded for the first report, which nobody waits for.
 */
export function writeReport({ ssrc, cname, reports }: Report): Uint8Array {
  const report = serializeReceiverReport({ ssrc, reports });
  const description = serializeSourceDescription({ chunks: [{ ssrc, cname }] });
  const compound = new Uint8Array(report.length + description.length);
  compound.set(report);
  compound.set(description, report.length);
  return compound;
}
