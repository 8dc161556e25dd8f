import { NalUnitPacketizer } from './nal-unit-packetizer.js';

const STAP_A = 24;
const FU_A = 28;
/** NAL unit types of coded slices (ITU-T H.264, table 7-1). */
const FIRST_SLICE_TYPE = 1;
const LAST_SLICE_TYPE = 5;

/**
 * H.264 access units → RTP packets, packetization mode 1 (RFC 6184, section 6.3): single NAL unit packets, FU-A (5.8) for
 * what is too large for one, and STAP-A (5.7.1) for the small units at the head of an access unit.
 */
export class H264Packetizer extends NalUnitPacketizer {
  protected readonly headerBytes = 1;

  protected isSlice([header = 0]: Uint8Array): boolean {
    const type = header & 0x1f;
    return type >= FIRST_SLICE_TYPE && type <= LAST_SLICE_TYPE;
  }

  protected aggregationHeader(nalUnits: readonly Uint8Array[]): Uint8Array {
    let forbiddenBit = 0;
    let referenceIdc = 0;
    for (const [header = 0] of nalUnits) {
      forbiddenBit |= header & 0x80;
      referenceIdc = Math.max(referenceIdc, header & 0x60);
    }
    return Uint8Array.of(forbiddenBit | referenceIdc | STAP_A);
  }

  protected fragmentHeader([header = 0]: Uint8Array, flags: number): Uint8Array {
    return Uint8Array.of((header & 0xe0) | FU_A, flags | (header & 0x1f));
  }
}
