import { RECEIVER_REPORT_INTERVAL_MS } from '../../shared/limits.js';
import type { ReportBlock } from '../../shared/rtcp.js';
import type { SequenceTracker } from './sequence.js';

/**
 * What was received from one source → what an RTCP receiver report says of it (RFC 3550, 6.4.2). Cameras need reports less
 * for what they say than as a sign of life: some end a session that is silent for more than five seconds.
 */

/** Steps in transit time beyond this are a sender that starts anew, not jitter. In milliseconds. */
const MAX_TRANSIT_STEP_MS = 10_000;
const MAX_INT24 = 0x7f_ffff;
const MIN_INT24 = -0x80_0000;

export interface ReceiverReporterOptions {
  /** Ticks a second of the source's RTP clock. */
  clockRate: number;
  /** Tells what was received; fed by the caller, before `onPacket`. */
  sequence: SequenceTracker;
  /** This receiver's own SSRC; random when absent. */
  ssrc?: number;
  /** This receiver's canonical name; random when absent, since an address would tell who watches (RFC 7022). */
  cname?: string;
}

/** What a report says. */
export interface Report {
  /** The receiver's own. */
  readonly ssrc: number;
  readonly cname: string;
  /** None before the source's first packet, else one. */
  readonly reports: readonly ReportBlock[];
}

/** Keeps the books of one source, and tells when a report is due. */
export class ReceiverReporter {
  readonly ssrc: number;
  readonly cname: string;
  readonly #clockRate: number;
  readonly #sequence: SequenceTracker;
  readonly #maxTransitStep: number;

  /** The source reported on; null before its first packet. */
  #sourceSsrc: number | null = null;
  /** Arrival less RTP time of the last packet, in ticks; null before the first. */
  #transit: number | null = null;
  #jitter = 0;
  #expectedBefore = 0;
  #receivedBefore = 0;
  #senderReportMiddle = 0;
  #senderReportArrivalMs: number | null = null;
  /** When the next report is due; null before the first packet. */
  #dueMs: number | null = null;

  constructor(options: ReceiverReporterOptions) {
    this.#clockRate = options.clockRate;
    this.#sequence = options.sequence;
    this.#maxTransitStep = (MAX_TRANSIT_STEP_MS * options.clockRate) / 1000;
    this.ssrc = options.ssrc ?? randomSsrc();
    this.cname = options.cname ?? randomName();
  }

  /** Interarrival jitter in seconds (A.8), as in `RTCInboundRtpStreamStats`. */
  get jitter(): number {
    return this.#jitter / this.#clockRate;
  }

  /**
   * Counts a packet that the sequence tracker has seen.
   * @param sourceSsrc - as in its header; another one than before starts the books anew (some cameras send a wrong SSRC at
   *   the start only)
   * @param ticks - its RTP time, unwrapped
   * @param arrivalMs - when it came, by the local monotonic clock
   */
  onPacket(sourceSsrc: number, ticks: number, arrivalMs: number): void {
    if (this.#sourceSsrc !== sourceSsrc) this.#begin(sourceSsrc, arrivalMs);
    const transit = (arrivalMs * this.#clockRate) / 1000 - ticks;
    if (this.#transit !== null) {
      const step = Math.abs(transit - this.#transit);
      if (step <= this.#maxTransitStep) this.#jitter += (step - this.#jitter) / 16;
    }
    this.#transit = transit;
  }

  /**
   * Remembers a sender report, to be answered in the next report.
   * @param ntpMiddle - the middle 32 bits of its NTP time
   * @param arrivalMs - when it came, by the local monotonic clock
   */
  onSenderReport(ntpMiddle: number, arrivalMs: number): void {
    this.#senderReportMiddle = ntpMiddle;
    this.#senderReportArrivalMs = arrivalMs;
  }

  /**
   * The report, when one is due: half an interval after the first packet, then every five seconds. To be asked by a timer
   * and, since a hidden page's timers run once a minute, whenever data arrives; costs one comparison.
   * @returns what is to be sent on the source's RTCP channel, or null
   */
  poll(nowMs: number): Report | null {
    if (this.#dueMs === null || nowMs < this.#dueMs) return null;
    this.#dueMs = nowMs + RECEIVER_REPORT_INTERVAL_MS;
    return this.report(nowMs);
  }

  /** A report at once. */
  report(nowMs: number): Report {
    const reports = this.#sourceSsrc === null ? [] : [this.#block(this.#sourceSsrc, nowMs)];
    return { ssrc: this.ssrc, cname: this.cname, reports };
  }

  #begin(sourceSsrc: number, arrivalMs: number): void {
    this.#sourceSsrc = sourceSsrc;
    this.#transit = null;
    this.#jitter = 0;
    this.#expectedBefore = 0;
    this.#receivedBefore = 0;
    this.#senderReportArrivalMs = null;
    this.#dueMs ??= arrivalMs + RECEIVER_REPORT_INTERVAL_MS / 2;
  }

  #block(sourceSsrc: number, nowMs: number): ReportBlock {
    const { expected, received } = this.#sequence;
    const expectedSince = expected - this.#expectedBefore;
    const lostSince = expectedSince - (received - this.#receivedBefore);
    this.#expectedBefore = expected;
    this.#receivedBefore = received;
    // A restart of the sequence between two reports makes the difference negative: nothing to say then (A.3).
    const fractionLost =
      expectedSince <= 0 || lostSince <= 0 ? 0 : Math.min(255, Math.floor((lostSince * 256) / expectedSince));
    const senderReportAt = this.#senderReportArrivalMs;
    return {
      ssrc: sourceSsrc,
      fractionLost,
      cumulativeLost: Math.max(MIN_INT24, Math.min(MAX_INT24, expected - received)),
      extendedHighestSequence: this.#sequence.extendedHighest >>> 0,
      jitter: Math.min(0xffff_ffff, Math.floor(this.#jitter)),
      lastSenderReport: senderReportAt === null ? 0 : this.#senderReportMiddle,
      // In units of 1/65,536 s.
      delaySinceLastSenderReport:
        senderReportAt === null ? 0 : Math.min(0xffff_ffff, Math.round(((nowMs - senderReportAt) * 65_536) / 1000)),
    };
  }
}

function randomSsrc(): number {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return new DataView(bytes.buffer).getUint32(0);
}

/** 96 random bits in base64 (RFC 7022, 4.2 b). */
function randomName(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(12))));
}
