import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { TrackConfig } from '../codec/track-config.js';

/** Takes the media of one RTP payload format out of its packets. Bad payloads are dropped and counted, never thrown. */
export interface Depacketizer {
  /**
   * Takes the next packet in sequence.
   * @param packet - its payload may be kept by reference until the access unit is handed over
   * @param time - the packet's RTP time, unwrapped, in ticks of the clock rate
   * @param packetsLost - how many packets are missing right before this one (0 as a rule)
   */
  push(packet: RtpPacket, time: number, packetsLost: number): void;
  /** Forgets what is incomplete and waits for a key frame: after a gap in time, or when play starts anew. */
  reset(): void;
  readonly stats: DepacketizerStats;
  /** The configuration by the session description alone, where it has one; the stream may bring another. */
  readonly announcedConfig?: TrackConfig | null;
}

/** Receives access units in decode order, the moment each is complete. */
export type AccessUnitHandler = (unit: AccessUnit) => void;

/** Counters since the depacketizer was made. */
export interface DepacketizerStats {
  /** Access units handed over. */
  accessUnits: number;
  keyFrames: number;
  /** Access units that were given up: incomplete, broken, or not decodable before the next key frame. */
  droppedAccessUnits: number;
  /** Payloads that broke the payload format's rules. */
  malformedPackets: number;
}
