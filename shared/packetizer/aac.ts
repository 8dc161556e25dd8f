import { serializeRtpPacket } from '../rtp-packet.js';
import { DEFAULT_MAX_PAYLOAD_BYTES, type Packetizer, type PacketizerOptions } from './packetizer.js';

/**
 * AAC access units → RTP packets of `mpeg4-generic` in mode AAC-hbr (RFC 3640, 3.3.6): one access unit a packet, with one
 * AU header of 13 bits of size and 3 of index; a unit that is too large goes over several packets.
 */

/** Bytes of the AU header section: its length in bits (16), and one header (13 + 3 bits). */
const HEADER_SECTION_BYTES = 4;

export class AacPacketizer implements Packetizer {
  readonly payloadType: number;
  readonly ssrc: number;
  readonly #maxPayloadBytes: number;
  #sequenceNumber: number;

  constructor(options: PacketizerOptions) {
    this.payloadType = options.payloadType;
    this.ssrc = options.ssrc;
    this.#sequenceNumber = options.sequenceNumber & 0xffff;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES;
  }

  get sequenceNumber(): number {
    return this.#sequenceNumber;
  }

  packetize(unit: readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const packets: Uint8Array[] = [];
    for (const block of unit) {
      // Every fragment's header gives the size of the whole access unit (RFC 3640, 3.2.1).
      const header = new Uint8Array([0, 16, block.length >> 5, (block.length << 3) & 0xff]);
      const step = this.#maxPayloadBytes - HEADER_SECTION_BYTES;
      for (let at = 0; at < block.length; at += step) {
        const sequenceNumber = this.#sequenceNumber;
        this.#sequenceNumber = (sequenceNumber + 1) & 0xffff;
        const marker = at + step >= block.length;
        const payload = [header, block.subarray(at, at + step)];
        const { payloadType, ssrc } = this;
        packets.push(
          serializeRtpPacket({ payloadType, marker, sequenceNumber, timestamp: rtpTimestamp, ssrc, payload }),
        );
      }
    }
    return packets;
  }
}
