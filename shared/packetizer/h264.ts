import { serializeRtpPacket } from '../rtp-packet.js';
import { DEFAULT_MAX_PAYLOAD_BYTES, type Packetizer, type PacketizerOptions } from './packetizer.js';

/**
 * H.264 access units → RTP packets of packetization mode 1 (RFC 6184): small NAL units that follow one another share a
 * packet (STAP-A, 5.7.1), large ones are cut (FU-A, 5.8), others stand alone (5.6).
 */

const STAP_A = 24;
const FU_A = 28;

export class H264Packetizer implements Packetizer {
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

  packetize(nalUnits: readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const payloads = this.#payloads(nalUnits.filter((nalUnit) => nalUnit.length > 0));
    return payloads.map((payload, index) => {
      const sequenceNumber = this.#sequenceNumber;
      this.#sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const marker = index === payloads.length - 1;
      const { payloadType, ssrc } = this;
      return serializeRtpPacket({ payloadType, marker, sequenceNumber, timestamp: rtpTimestamp, ssrc, payload });
    });
  }

  #payloads(nalUnits: readonly Uint8Array[]): Uint8Array[][] {
    const payloads: Uint8Array[][] = [];
    let together: Uint8Array[] = [];
    let togetherBytes = 1;
    const flush = () => {
      const [only] = together;
      if (only !== undefined) payloads.push(together.length === 1 ? [only] : aggregate(together));
      together = [];
      togetherBytes = 1;
    };
    for (const nalUnit of nalUnits) {
      if (nalUnit.length > this.#maxPayloadBytes) {
        flush();
        payloads.push(...this.#fragment(nalUnit));
        continue;
      }
      if (togetherBytes + 2 + nalUnit.length > this.#maxPayloadBytes) flush();
      together.push(nalUnit);
      togetherBytes += 2 + nalUnit.length;
    }
    flush();
    return payloads;
  }

  #fragment(nalUnit: Uint8Array): Uint8Array[][] {
    const header = nalUnit[0] as number;
    const step = this.#maxPayloadBytes - 2;
    const fragments: Uint8Array[][] = [];
    for (let at = 1; at < nalUnit.length; at += step) {
      const start = at === 1 ? 0x80 : 0;
      const end = at + step >= nalUnit.length ? 0x40 : 0;
      const prefix = new Uint8Array([(header & 0xe0) | FU_A, start | end | (header & 0x1f)]);
      fragments.push([prefix, nalUnit.subarray(at, at + step)]);
    }
    return fragments;
  }
}

/** The aggregate's NRI is the highest of its NAL units (RFC 6184, 5.3). */
function aggregate(nalUnits: readonly Uint8Array[]): Uint8Array[] {
  const referenceIdc = Math.max(...nalUnits.map((nalUnit) => (nalUnit[0] as number) & 0x60));
  const pieces: Uint8Array[] = [new Uint8Array([referenceIdc | STAP_A])];
  for (const nalUnit of nalUnits) pieces.push(new Uint8Array([nalUnit.length >> 8, nalUnit.length & 0xff]), nalUnit);
  return pieces;
}
