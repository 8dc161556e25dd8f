import type { Clock } from '../../shared/clock.js';
import { parseRtpPacket, type RtpHeaderExtension, type RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaDescription, MediaFormat } from '../../shared/session-description.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { TrackConfig } from '../codec/track-config.js';
import type { Depacketizer } from '../depacketizer/depacketizer.js';
import type { DepacketizerClass } from '../depacketizer/registry.js';
import { ReceiverReporter, type Report } from '../rtp/receiver-report.js';
import { SequenceTracker } from '../rtp/sequence.js';
import { TrackClock } from './track-clock.js';

/** RTP and RTCP packets of one track → access units on the connection's time line, with the books of what was received. */

export interface TrackReceiverHandlers {
  /** `time`: the unit's presentation time on the connection's time line, seconds. */
  onAccessUnit(track: TrackReceiver, unit: AccessUnit, time: number): void;
  /** The camera has ended the track (RTCP BYE). */
  onGoodbye(track: TrackReceiver): void;
  /** A packet has a header extension. `ticks`: its time, unwrapped. */
  onExtension(track: TrackReceiver, extension: RtpHeaderExtension, ticks: number): void;
  /** The track starts, or starts anew: its clock is to be anchored. `ticks`: the first packet's time, unwrapped. */
  onFirstPacket(track: TrackReceiver, ticks: number): void;
}

/** Counters of one track since it was made, with the names of `RTCInboundRtpStreamStats` where they fit. */
export interface TrackStats {
  packetsReceived: number;
  packetsLost: number;
  /** Seconds (RFC 3550, A.8). */
  jitter: number;
  /** How much faster the camera's RTP clock runs than ours, as a share, by its sender reports; null in the first minute. */
  clockDrift: number | null;
  bytesReceived: number;
  /** Packets dropped: doubled, late, malformed, of another payload type. */
  packetsDiscarded: number;
  /** Access units taken out of the packets. */
  framesReceived: number;
  keyFramesReceived: number;
  /** Access units given up: incomplete, broken, or not decodable before the next key frame. */
  framesDropped: number;
}

/** `metadata`: what a camera says of its picture (ONVIF). */
export type TrackKind = 'video' | 'audio' | 'metadata';

export function trackKindOf({ kind }: MediaDescription): TrackKind {
  return kind === 'audio' ? kind : kind === 'application' ? 'metadata' : 'video';
}

type RtcpReader = typeof import('../rtp/rtcp-reader.js');
let rtcpReader: RtcpReader | null = null;

/** Loads the code that reads RTCP, unless it is there. */
export async function loadRtcpReader(): Promise<RtcpReader> {
  rtcpReader ??= await import('../rtp/rtcp-reader.js');
  return rtcpReader;
}

export class TrackReceiver {
  readonly media: MediaDescription;
  readonly format: MediaFormat;
  readonly clock: TrackClock;
  readonly #time: Clock;
  readonly #handlers: TrackReceiverHandlers;
  readonly #sequence = new SequenceTracker();
  readonly #reporter: ReceiverReporter;
  readonly #depacketizer: Depacketizer;
  /** The SSRC followed, and one that would replace it if it came twice in a row; null before the first packet. */
  #ssrc: number | null = null;
  #otherSsrc: number | null = null;
  /** Packets missing before the next one of the format. */
  #lost = 0;
  /** The track that this one is to be in step with. */
  reference: TrackReceiver | null = null;
  #packets = 0;
  #bytes = 0;
  #discarded = 0;

  constructor(
    media: MediaDescription,
    format: MediaFormat,
    DepacketizerOfFormat: DepacketizerClass,
    time: Clock,
    handlers: TrackReceiverHandlers,
  ) {
    this.media = media;
    this.format = format;
    this.#time = time;
    this.#handlers = handlers;
    this.clock = new TrackClock(format.clockRate);
    this.#reporter = new ReceiverReporter({ clockRate: format.clockRate, sequence: this.#sequence });
    this.#depacketizer = new DepacketizerOfFormat(format, (unit) => this.#onAccessUnit(unit));
  }

  get kind(): TrackKind {
    return trackKindOf(this.media);
  }

  /** The configuration by the session description alone, or null. */
  get announcedConfig(): TrackConfig | null {
    return this.#depacketizer.announcedConfig ?? null;
  }

  /** Takes an RTP packet; the session has told it from RTCP by its content. */
  onRtp(bytes: Uint8Array): void {
    const packet = parseRtpPacket(bytes);
    const step = packet !== null && this.#takes(packet) && this.#sequence.push(packet.sequenceNumber);
    if (!step || typeof step === 'string') {
      this.#discarded++;
      return;
    }
    if (step.restarted) this.#restart();
    this.#lost += step.lost;
    if (packet.payloadType !== this.format.payloadType) return;
    this.#packets++;
    this.#bytes += bytes.length;
    const ticks = this.clock.timeline.unwrap(packet.timestamp);
    this.#reporter.onPacket(packet.ssrc, ticks, this.#time.now());
    if (!this.clock.isAnchored) this.#handlers.onFirstPacket(this, ticks);
    if (packet.extension !== null) this.#handlers.onExtension(this, packet.extension, ticks);
    this.#depacketizer.push(packet, ticks, this.#lost);
    this.#lost = 0;
  }

  /** Takes an RTCP packet. The first ones of all are read a moment later, when the code for that is there. */
  onRtcp(bytes: Uint8Array): void {
    const now = this.#time.now();
    if (rtcpReader !== null) {
      this.#readRtcp(rtcpReader, bytes, now);
      return;
    }
    const copy = bytes.slice();
    loadRtcpReader().then(
      (reader) => this.#readRtcp(reader, copy, now),
      // Without the code there is no UTC; the next packet asks for it again.
      () => undefined,
    );
  }

  #readRtcp(reader: RtcpReader, bytes: Uint8Array, now: number): void {
    for (const packet of reader.parseRtcp(bytes)) {
      if (packet.kind === 'sender-report') {
        this.#reporter.onSenderReport(packet.ntpMiddle, now);
        if (packet.ntpTime === null || (this.#ssrc !== null && packet.ssrc !== this.#ssrc)) continue;
        const { clock } = this;
        clock.sender ??= new reader.SenderClock(this.format.clockRate);
        clock.sender.onSenderReport(packet.ntpTime, clock.timeline.at(packet.rtpTimestamp), now);
      } else if (packet.kind === 'goodbye' && this.#ssrc !== null && packet.ssrcs.includes(this.#ssrc)) {
        this.#handlers.onGoodbye(this);
      }
    }
  }

  /** A receiver report when one is due, else null. */
  pollReport(): Report | null {
    return this.#reporter.poll(this.#time.now());
  }

  /** What comes next does not go on from what came before: a new PLAY. */
  reset(): void {
    this.#ssrc = null;
    this.#sequence.reset();
    this.#restart();
  }

  stats(): TrackStats {
    const { accessUnits, keyFrames, droppedAccessUnits, malformedPackets } = this.#depacketizer.stats;
    return {
      packetsReceived: this.#packets,
      packetsLost: this.#sequence.lost,
      jitter: this.#reporter.jitter,
      clockDrift: this.clock.sender?.drift ?? null,
      bytesReceived: this.#bytes,
      packetsDiscarded: this.#discarded + malformedPackets,
      framesReceived: accessUnits,
      keyFramesReceived: keyFrames,
      framesDropped: droppedAccessUnits,
    };
  }

  /**
   * Whether a packet counts in the source's sequence: of the format that is received, or of another one of its medium (comfort
   * noise, telephone events, error correction), which is passed over then. Geovision sends packets of payload type 50, which
   * it did not announce, that reuse the video's sequence numbers.
   */
  #takes({ payloadType, ssrc }: RtpPacket): boolean {
    if (payloadType === this.format.payloadType) return this.#follows(ssrc);
    return ssrc === this.#ssrc && this.media.formats.some((format) => format.payloadType === payloadType);
  }

  /** Some cameras send a wrong SSRC at the start; old live555 mixes in packets of a dead session. */
  #follows(ssrc: number): boolean {
    if (this.#ssrc !== null && ssrc !== this.#ssrc) {
      if (ssrc !== this.#otherSsrc) {
        this.#otherSsrc = ssrc;
        return false;
      }
      this.#sequence.reset();
      this.#restart();
    }
    this.#ssrc = ssrc;
    this.#otherSsrc = null;
    return true;
  }

  #restart(): void {
    this.clock.reset();
    this.#depacketizer.reset();
  }

  #onAccessUnit(unit: AccessUnit): void {
    const reference = this.reference;
    if (reference?.clock.isAnchored) this.clock.alignWith(reference.clock, unit.presentationTime);
    this.#handlers.onAccessUnit(this, unit, this.clock.timeOf(unit.presentationTime));
  }
}
