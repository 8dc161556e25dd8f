/**
 * H.265 access units → RTP packets (RFC 7798, section 4.4): single NAL unit packets, fragmentation units (4.4.3) for what
 * is too large for one, and an aggregation packet (4.4.2) for the small units at the head of an access unit. In decoding
 * order, without decoding order numbers.
 */
import { type Packetizer, type PacketizerOptions, PacketWriter, splitEvenly } from './packetizer.js';

const AGGREGATION_PACKET = 48;
const FRAGMENTATION_UNIT = 49;
/** The first NAL unit type that is not of a coded slice (ITU-T H.265, table 7-1). */
const FIRST_NON_SLICE_TYPE = 32;

export class H265Packetizer implements Packetizer {
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

  /** @param unit - NAL units without start codes, one or all those of the access unit; ones without a header are left out */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const nalUnits = (unit instanceof Uint8Array ? [unit] : unit).filter((nalUnit) => nalUnit.length > 1);
    const payloads: Uint8Array[][] = [];
    const headCount = this.#countAggregated(nalUnits);
    if (headCount > 1) payloads.push(aggregationPayload(nalUnits.slice(0, headCount)));
    for (const nalUnit of headCount > 1 ? nalUnits.slice(headCount) : nalUnits) {
      if (nalUnit.length <= this.#writer.maxPayloadBytes) payloads.push([nalUnit]);
      else payloads.push(...fragmentPayloads(nalUnit, this.#writer.maxPayloadBytes));
    }
    return payloads.map((payload, index) => this.#writer.write(payload, rtpTimestamp, index === payloads.length - 1));
  }

  /** How many units from the first are parameter sets, SEI and their like, and fit in one packet together. */
  #countAggregated(nalUnits: readonly Uint8Array[]): number {
    let length = 2;
    let count = 0;
    for (const nalUnit of nalUnits) {
      length += 2 + nalUnit.length;
      if (typeOf(nalUnit) < FIRST_NON_SLICE_TYPE || length > this.#writer.maxPayloadBytes) break;
      count++;
    }
    return count;
  }
}

function typeOf(nalUnit: Uint8Array): number {
  return ((nalUnit[0] ?? 0) >>> 1) & 0x3f;
}

/** The payload header has the lowest layer and the lowest temporal sub-layer of the units (4.4.2). */
function aggregationPayload(nalUnits: readonly Uint8Array[]): Uint8Array[] {
  let forbiddenBit = 0;
  let layerId = 63;
  let temporalId = 7;
  const pieces: Uint8Array[] = [];
  for (const nalUnit of nalUnits) {
    const [first = 0, second = 0] = nalUnit;
    forbiddenBit |= first & 0x80;
    layerId = Math.min(layerId, ((first & 1) << 5) | (second >>> 3));
    temporalId = Math.min(temporalId, second & 7);
    pieces.push(new Uint8Array([nalUnit.length >> 8, nalUnit.length & 0xff]), nalUnit);
  }
  const header = [forbiddenBit | (AGGREGATION_PACKET << 1) | (layerId >> 5), ((layerId << 3) & 0xff) | temporalId];
  return [new Uint8Array(header), ...pieces];
}

function fragmentPayloads(nalUnit: Uint8Array, maxPayloadBytes: number): Uint8Array[][] {
  const [first = 0, second = 0] = nalUnit;
  const header = (first & 0x81) | (FRAGMENTATION_UNIT << 1);
  const parts = splitEvenly(nalUnit.subarray(2), maxPayloadBytes - 3);
  return parts.map((part, index) => {
    const flags = (index === 0 ? 0x80 : 0) | (index === parts.length - 1 ? 0x40 : 0);
    return [new Uint8Array([header, second, flags | typeOf(nalUnit)]), part];
  });
}
