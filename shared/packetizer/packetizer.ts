/** Elementary streams → RTP packets: the demo camera, and tests. */
export interface Packetizer {
  readonly payloadType: number;
  readonly ssrc: number;
  /** Of the next packet, 16 bits. */
  readonly sequenceNumber: number;
  /**
   * The packets of one access unit, serialised; the last one has the marker bit.
   * @param unit - the access unit in the pieces that the codec has: H.264's NAL units without start codes, AAC's one
   *   raw_data_block
   * @param rtpTimestamp - 32 bits
   */
  packetize(unit: readonly Uint8Array[], rtpTimestamp: number): Uint8Array[];
}

export interface PacketizerOptions {
  payloadType: number;
  ssrc: number;
  /** Of the first packet, 16 bits. */
  sequenceNumber: number;
  /** Payload bytes of a packet at most. */
  maxPayloadBytes?: number;
}

/** What fits into an Ethernet frame beside all the headers, should the packets ever leave the TCP connection. */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1_400;
