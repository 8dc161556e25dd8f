import { serializeReceiverCompound } from '../../shared/rtcp-writer.js';
import type { Report } from './receiver-report.js';

/**
 * A report → two compound packets: the receiver report, and one that reports nothing further; each with the source
 * description that the standard wants beside it (RFC 3550, 6.1). Loaded for the first report, which nobody waits for.
 *
 * The second is there for when it is sent: the proxy sends it in answer to the next bytes from the camera, which must not
 * wait for their acknowledgement (`Upstream.writeReport`).
 */
export function writeReport(report: Report): Uint8Array[] {
  return [report, { ...report, reports: [] }].map(serializeReceiverCompound);
}
