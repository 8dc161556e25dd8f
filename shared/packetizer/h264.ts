/**
 * H.264 access units → RTP packets, packetization mode 1 (RFC 6184, section 6.3): single NAL unit packets, FU-A (5.8) for
 * what is too large for one, and STAP-A (5.7.1) for the small units at the head of an access unit.
 */
import { type Packetizer, type PacketizerOptions, PacketWriter, splitEvenly } from './packetizer.js';

const STAP_A = 24;
const FU_A = 28;
/** NAL unit types of coded slices (ITU-T H.264, table 7-1). */
const FIRST_SLICE_TYPE = 1;
const LAST_SLICE_TYPE = 5;

export class H264Packetizer implements Packetizer {
  readonly #writer: PacketWriter;

  constructor(options: PacketizerOptions) {
    this.#writer = new PacketWriter(options);
  }

  get ssrc(): number {
    return this.#writer.ssrc;
  }

  get sequenceNumber(): number {
    return this.#writer.sequenceNumber;
  }

  /** @param unit - NAL units without start codes, one or all those of the access unit; empty ones are left out */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const nalUnits = (unit instanceof Uint8Array ? [unit] : unit).filter((nalUnit) => nalUnit.length > 0);
    const payloads: Uint8Array[][] = [];
    const headCount = this.#countAggregated(nalUnits);
    if (headCount > 1) payloads.push(stapPayload(nalUnits.slice(0, headCount)));
    for (const nalUnit of headCount > 1 ? nalUnits.slice(headCount) : nalUnits) {
      if (nalUnit.length <= this.#writer.maxPayloadBytes) payloads.push([nalUnit]);
      else payloads.push(...fragmentPayloads(nalUnit, this.#writer.maxPayloadBytes));
    }
    return payloads.map((payload, index) => this.#writer.write(payload, rtpTimestamp, index === payloads.length - 1));
  }

  /** How many units from the first are parameter sets, SEI and their like, and fit in one STAP-A together. */
  #countAggregated(nalUnits: readonly Uint8Array[]): number {
    let length = 1;
    let count = 0;
    for (const nalUnit of nalUnits) {
      const type = (nalUnit[0] ?? 0) & 0x1f;
      length += 2 + nalUnit.length;
      if ((type >= FIRST_SLICE_TYPE && type <= LAST_SLICE_TYPE) || length > this.#writer.maxPayloadBytes) break;
      count++;
    }
    return count;
  }
}

function stapPayload(nalUnits: readonly Uint8Array[]): Uint8Array[] {
  let forbiddenBit = 0;
  let referenceIdc = 0;
  const pieces: Uint8Array[] = [];
  for (const nalUnit of nalUnits) {
    const header = nalUnit[0] ?? 0;
    forbiddenBit |= header & 0x80;
    referenceIdc = Math.max(referenceIdc, header & 0x60);
    pieces.push(new Uint8Array([nalUnit.length >> 8, nalUnit.length & 0xff]), nalUnit);
  }
  return [new Uint8Array([forbiddenBit | referenceIdc | STAP_A]), ...pieces];
}

function fragmentPayloads(nalUnit: Uint8Array, maxPayloadBytes: number): Uint8Array[][] {
  const header = nalUnit[0] ?? 0;
  const indicator = (header & 0xe0) | FU_A;
  const parts = splitEvenly(nalUnit.subarray(1), maxPayloadBytes - 2);
  return parts.map((part, index) => {
    const flags = (index === 0 ? 0x80 : 0) | (index === parts.length - 1 ? 0x40 : 0);
    return [new Uint8Array([indicator, flags | (header & 0x1f)]), part];
  });
}
