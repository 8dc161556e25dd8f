import { serializeRtpPacket } from '../rtp-packet.js';

/** Elementary streams → RTP packets; one packetizer a stream, one file a payload format. */
export interface Packetizer {
  /**
   * The packets of one access unit, serialised, in sequence.
   * @param unit - H.264 and H.265: the NAL units, without start codes; AV1: the OBUs; AAC: one raw_data_block
   * @param rtpTimestamp - its time, in ticks of the format's clock; the low 32 bits are used
   */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[];
  readonly ssrc: number;
  /** Of the next packet. */
  readonly sequenceNumber: number;
}

export interface PacketizerOptions {
  payloadType: number;
  ssrc: number;
  /** Of the first packet, 16 bits; should be random (RFC 3550, section 5.1). */
  sequenceNumber: number;
  /** Bytes of payload that fit in one packet; `DEFAULT_PAYLOAD_BYTES` when absent. */
  maxPayloadBytes?: number;
}

/** Fits Ethernet's 1,500 bytes with the headers of IPv6, TCP and RTP, and an interleaved frame's. */
export const DEFAULT_PAYLOAD_BYTES = 1_400;

/** Counts and writes the packets of one stream; what goes in them is the payload format's business. */
export abstract class BasePacketizer implements Packetizer {
  readonly ssrc: number;
  protected readonly maxPayloadBytes: number;
  readonly #payloadType: number;
  #sequenceNumber: number;

  constructor(options: PacketizerOptions) {
    this.ssrc = options.ssrc;
    // Room for a fragment's header and some media, whatever was asked for.
    this.maxPayloadBytes = Math.max(64, options.maxPayloadBytes ?? DEFAULT_PAYLOAD_BYTES);
    this.#payloadType = options.payloadType;
    this.#sequenceNumber = options.sequenceNumber & 0xffff;
  }

  get sequenceNumber(): number {
    return this.#sequenceNumber;
  }

  abstract packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[];

  protected write(payload: readonly Uint8Array[], rtpTimestamp: number, marker: boolean): Uint8Array {
    const sequenceNumber = this.#sequenceNumber;
    this.#sequenceNumber = (sequenceNumber + 1) & 0xffff;
    return serializeRtpPacket({
      payloadType: this.#payloadType,
      marker,
      sequenceNumber,
      timestamp: rtpTimestamp,
      ssrc: this.ssrc,
      payload,
    });
  }

  /** A packet for each payload, the last one with the marker. */
  protected writeAll(payloads: readonly (readonly Uint8Array[])[], rtpTimestamp: number): Uint8Array[] {
    return payloads.map((payload, index) => this.write(payload, rtpTimestamp, index === payloads.length - 1));
  }
}
