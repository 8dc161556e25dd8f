/**
 * AAC access units → RTP packets in mpeg4-generic, mode AAC-hbr (RFC 3640, section 3.3.6): sizelength 13, indexlength 3,
 * indexdeltalength 3; one access unit a packet, or fragments of one.
 */
import { BasePacketizer } from './packetizer.js';

/** The AU-headers-length field and the one AU header, 16 bits each (section 3.2.1). */
const HEADER_SECTION_BYTES = 4;
/** What 13 bits can say; AAC-LC's largest units, 6,144 bits a channel, stay below. */
const MAX_UNIT_BYTES = 0x1fff;

export class AacPacketizer extends BasePacketizer {
  /** @param unit - one raw_data_block, in one piece or several; above 8,191 bytes the format cannot carry it: no packets */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const block = unit instanceof Uint8Array ? unit : concatenate(unit);
    if (block.length === 0 || block.length > MAX_UNIT_BYTES) return [];
    // Every fragment's header has the size of the whole unit, not its own (section 3.2.3.1).
    const header = new Uint8Array([0, 16, block.length >> 5, (block.length << 3) & 0xff]);
    const step = this.maxPayloadBytes - HEADER_SECTION_BYTES;
    const packets: Uint8Array[] = [];
    for (let start = 0; start < block.length; start += step) {
      const end = Math.min(block.length, start + step);
      packets.push(this.write([header, block.subarray(start, end)], rtpTimestamp, end === block.length));
    }
    return packets;
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
