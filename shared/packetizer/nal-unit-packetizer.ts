import { BasePacketizer } from './packetizer.js';

/**
 * What the payload formats of H.264 and H.265 have in common: a NAL unit a packet, the small units at the head of an access
 * unit together in one, and fragments of what is too large for one.
 */
export abstract class NalUnitPacketizer extends BasePacketizer {
  /** Of a NAL unit, and of the packet that several are in. */
  protected abstract readonly headerBytes: number;
  /** Whether a NAL unit is a coded slice. */
  protected abstract isSlice(nalUnit: Uint8Array): boolean;
  /** The payload header of a packet with several units. */
  protected abstract aggregationHeader(nalUnits: readonly Uint8Array[]): Uint8Array;
  /**
   * The headers of a fragment.
   * @param flags - S (0x80) of the first fragment, E (0x40) of the last
   */
  protected abstract fragmentHeader(nalUnit: Uint8Array, flags: number): Uint8Array;

  /** @param unit - NAL units without start codes, one or all those of the access unit; ones without a header are left out */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const nalUnits = (unit instanceof Uint8Array ? [unit] : unit).filter(({ length }) => length >= this.headerBytes);
    const payloads: Uint8Array[][] = [];
    const headCount = this.#countAggregated(nalUnits);
    if (headCount > 1) payloads.push(this.#aggregate(nalUnits.slice(0, headCount)));
    for (const nalUnit of headCount > 1 ? nalUnits.slice(headCount) : nalUnits) {
      if (nalUnit.length <= this.maxPayloadBytes) payloads.push([nalUnit]);
      else payloads.push(...this.#fragment(nalUnit));
    }
    return this.writeAll(payloads, rtpTimestamp);
  }

  /** How many units from the first are parameter sets, SEI and their like, and fit in one packet together. */
  #countAggregated(nalUnits: readonly Uint8Array[]): number {
    let length = this.headerBytes;
    let count = 0;
    for (const nalUnit of nalUnits) {
      length += 2 + nalUnit.length;
      if (this.isSlice(nalUnit) || length > this.maxPayloadBytes) break;
      count++;
    }
    return count;
  }

  #aggregate(nalUnits: readonly Uint8Array[]): Uint8Array[] {
    const sized = nalUnits.flatMap((nalUnit) => [Uint8Array.of(nalUnit.length >> 8, nalUnit.length & 0xff), nalUnit]);
    return [this.aggregationHeader(nalUnits), ...sized];
  }

  #fragment(nalUnit: Uint8Array): Uint8Array[][] {
    // One byte more than the unit's own header.
    const parts = splitEvenly(nalUnit.subarray(this.headerBytes), this.maxPayloadBytes - this.headerBytes - 1);
    return parts.map((part, index) => {
      const flags = (index === 0 ? 0x80 : 0) | (index === parts.length - 1 ? 0x40 : 0);
      return [this.fragmentHeader(nalUnit, flags), part];
    });
  }
}

/** Parts of nearly equal size, so that no last one is tiny. */
function splitEvenly(bytes: Uint8Array, maxBytes: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / maxBytes);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const start = Math.floor((index * bytes.length) / count);
    parts.push(bytes.subarray(start, Math.floor(((index + 1) * bytes.length) / count)));
  }
  return parts;
}
