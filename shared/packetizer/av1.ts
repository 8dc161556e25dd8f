/**
 * AV1 temporal units → RTP packets (RTP Payload Format For AV1, version 1.0, section 4.4): up to three OBU elements a
 * packet, so that the aggregation header counts them and the last one needs no length; OBUs that do not fit are cut.
 */
import { BasePacketizer } from './packetizer.js';

/** Bits of the aggregation header. */
const CONTINUES = 0x80; // Z
const WILL_CONTINUE = 0x40; // Y
const STARTS_SEQUENCE = 0x08; // N
const MAX_ELEMENTS = 3;
/** Fewer bytes of an OBU than these are not worth a place at the end of a packet. */
const MIN_PART_BYTES = 16;

/** Of the OBU header (AV1 Bitstream & Decoding Process Specification, section 5.3.2). */
const HAS_EXTENSION = 0x04;
const HAS_SIZE = 0x02;
const SEQUENCE_HEADER = 1;
const TEMPORAL_DELIMITER = 2;
const TILE_LIST = 8;

export class Av1Packetizer extends BasePacketizer {
  /** @param unit - OBUs, one or all those of a temporal unit, with or without their sizes; delimiters are left out */
  packetize(unit: Uint8Array | readonly Uint8Array[], rtpTimestamp: number): Uint8Array[] {
    const obus = (unit instanceof Uint8Array ? [unit] : unit)
      .filter(isSent)
      .map(withoutSize)
      .filter((obu) => obu.length > 0);
    const payloads = obus.length === 0 ? [] : this.#fill(obus);
    const first = payloads[0]?.[0];
    if (first !== undefined && obus.some((obu) => typeOf(obu) === SEQUENCE_HEADER)) {
      first[0] = (first[0] ?? 0) | STARTS_SEQUENCE;
    }
    return this.writeAll(payloads, rtpTimestamp);
  }

  /** Packets filled one after the other, each an aggregation header and its elements. */
  #fill(obus: readonly Uint8Array[]): Uint8Array[][] {
    const room = this.maxPayloadBytes - 1;
    const lengthBytes = leb128(room).length;
    const payloads: Uint8Array[][] = [];
    let elements: Uint8Array[] = [];
    let free = room;
    let continues = false;
    const send = (willContinue: boolean) => {
      const flags = (continues ? CONTINUES : 0) | (willContinue ? WILL_CONTINUE : 0) | (elements.length << 4);
      const last = elements.length - 1;
      const pieces = elements.flatMap((element, index) =>
        index === last ? [element] : [leb128(element.length), element],
      );
      payloads.push([Uint8Array.of(flags), ...pieces]);
      elements = [];
      free = room;
      continues = willContinue;
    };
    for (const obu of obus) {
      let position = 0;
      while (position < obu.length) {
        if (elements.length === MAX_ELEMENTS || (elements.length > 0 && free < MIN_PART_BYTES)) send(false);
        const part = obu.subarray(position, position + free);
        elements.push(part);
        position += part.length;
        // The next element makes a length of this one necessary.
        free -= part.length + lengthBytes;
        if (position < obu.length) send(true);
      }
    }
    send(false);
    return payloads;
  }
}

function typeOf(obu: Uint8Array): number {
  return ((obu[0] ?? 0) >>> 3) & 0x0f;
}

function isSent(obu: Uint8Array): boolean {
  return obu.length > 0 && typeOf(obu) !== TEMPORAL_DELIMITER && typeOf(obu) !== TILE_LIST;
}

/** An OBU in a packet needs no size: the element's length says it. */
function withoutSize(obu: Uint8Array): Uint8Array {
  const header = obu[0] ?? 0;
  if ((header & HAS_SIZE) === 0) return obu;
  const headerBytes = (header & HAS_EXTENSION) === 0 ? 1 : 2;
  let position = headerBytes;
  while (((obu[position] ?? 0) & 0x80) !== 0) position++;
  if (position >= obu.length) return new Uint8Array(0); // cut short: there is nothing to send
  const bytes = new Uint8Array(headerBytes + obu.length - position - 1);
  bytes.set(obu.subarray(0, headerBytes));
  bytes[0] = header & ~HAS_SIZE;
  bytes.set(obu.subarray(position + 1), headerBytes);
  return bytes;
}

/** An unsigned number in groups of 7 bits, lowest first. */
function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
