import { NalUnitPacketizer } from './nal-unit-packetizer.js';

const AGGREGATION_PACKET = 48;
const FRAGMENTATION_UNIT = 49;
/** The first NAL unit type that is not of a coded slice (ITU-T H.265, table 7-1). */
const FIRST_NON_SLICE_TYPE = 32;

/**
 * H.265 access units → RTP packets (RFC 7798, section 4.4): single NAL unit packets, fragmentation units (4.4.3) for what
 * is too large for one, and an aggregation packet (4.4.2) for the small units at the head of an access unit. In decoding
 * order, without decoding order numbers.
 */
export class H265Packetizer extends NalUnitPacketizer {
  protected readonly headerBytes = 2;

  protected isSlice([first = 0]: Uint8Array): boolean {
    return typeOf(first) < FIRST_NON_SLICE_TYPE;
  }

  /** It has the lowest layer and the lowest temporal sub-layer of the units (4.4.2). */
  protected aggregationHeader(nalUnits: readonly Uint8Array[]): Uint8Array {
    let forbiddenBit = 0;
    let layerId = 63;
    let temporalId = 7;
    for (const [first = 0, second = 0] of nalUnits) {
      forbiddenBit |= first & 0x80;
      layerId = Math.min(layerId, ((first & 1) << 5) | (second >>> 3));
      temporalId = Math.min(temporalId, second & 7);
    }
    const first = forbiddenBit | (AGGREGATION_PACKET << 1) | (layerId >> 5);
    return Uint8Array.of(first, ((layerId << 3) & 0xff) | temporalId);
  }

  protected fragmentHeader([first = 0, second = 0]: Uint8Array, flags: number): Uint8Array {
    return Uint8Array.of((first & 0x81) | (FRAGMENTATION_UNIT << 1), second, flags | typeOf(first));
  }
}

function typeOf(first: number): number {
  return (first >>> 1) & 0x3f;
}
