import { serializeReceiverReport, serializeSourceDescription } from '../../shared/rtcp-writer.js';
import type { Report } from './receiver-report.js';

/**
 * A report → two compound packets: the receiver report, and one that reports nothing further; each with the source
 * description that the standard wants beside it (RFC 3550, 6.1). Loaded for the first report, which nobody waits for.
 *
 * The second is there for when it is sent: the proxy sends it in answer to the next bytes from the camera, which must not
 * wait for their acknowledgement (`Upstream.writeReport`).
 */
export function writeReport({ ssrc, cname, reports }: Report): Uint8Array[] {
  const description = serializeSourceDescription({ chunks: [{ ssrc, cname }] });
  return [reports, []].map((blocks) => {
    const report = serializeReceiverReport({ ssrc, reports: blocks });
    const compound = new Uint8Array(report.length + description.length);
    compound.set(report);
    compound.set(description, report.length);
    return compound;
  });
}
