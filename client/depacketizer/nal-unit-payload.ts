import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import { findStartCode, splitAnnexB, startsWithStartCode } from '../codec/nal-unit.js';
import { firstBytes } from './pieces.js';

/**
 * RTP payloads → NAL units, for the payload formats that are built alike: a NAL unit alone, several in one packet, or one
 * in fragments (H.264: RFC 6184, 5.6 to 5.8; H.265: RFC 7798, 4.4). Media bytes are not copied: a NAL unit is handed over
 * as views of the payloads behind a length field.
 */

/** A whole NAL unit, ready to be written into an MP4 sample. */
export interface NalUnit {
  /** nal_unit_type. */
  readonly type: number;
  /** The length field of 4 bytes (and the NAL unit header, when it was rebuilt from fragments), then the payloads' views. */
  readonly pieces: readonly Uint8Array[];
  /** Bytes of all pieces. */
  readonly byteLength: number;
  /** What follows the NAL unit header: the first 64 bytes of it at least, or all. */
  readonly body: Uint8Array;
}

/**
 * What a payload turned out to be. `incomplete`: a fragment whose beginning is missing, or that ends an unfinished one;
 * `malformed`: it breaks the payload format, and media may be missing; `ignored`: it has nothing that anybody defined.
 */
export type PayloadResult = 'ok' | 'incomplete' | 'malformed' | 'ignored';

/** What the formats differ in. */
export interface NalUnitPayloadFormat {
  /** Bytes of a NAL unit header, and of the payload header in its place. */
  readonly headerBytes: 1 | 2;
  /** nal_unit_type, or the type of packet, in the first byte of a header. */
  typeOf(firstByte: number): number;
  /** Type of packets with several NAL units (STAP-A, AP). */
  readonly aggregation: number;
  /** Type of packets with a fragment of one (FU-A, FU). */
  readonly fragmentation: number;
  /** The NAL unit header of a fragmented unit, by a fragment's payload header and FU header. */
  fragmentedHeader(payload: Uint8Array, fuHeader: number): Uint8Array;
  /** Whether a NAL unit that was found is to be taken: the last two are results of `push`. */
  accepts(nalUnit: Uint8Array): 'ok' | 'ignored' | 'malformed';
  /** Whether NAL units of the type are always short: parameter sets, SEI, delimiters. */
  isShortKind(type: number): boolean;
}

const FU_START = 0x80;
const FU_END = 0x40;
const LENGTH_BYTES = 4;
/** DONL, and DOND of the second and later NAL units of a packet (RFC 7798, 4.4.2). */
const ORDER_BYTES = 2;
const ORDER_STEP_BYTES = 1;
/** Bytes of a slice that somebody may want to look into. */
const SLICE_HEADER_BYTES = 64;

export class NalUnitPayloadReader {
  readonly #format: NalUnitPayloadFormat;
  readonly #onNalUnit: (nalUnit: NalUnit) => void;
  readonly #hasOrderNumbers: boolean;
  /** Views of the open fragmented NAL unit, without its header; null while none is open. */
  #fragments: Uint8Array[] | null = null;
  #fragmentHeader: Uint8Array = new Uint8Array(0);
  #fragmentBytes = 0;
  /** Start codes were seen inside payloads (V380, Amatek): from then on every NAL unit is searched for them. */
  #hasStartCodes = false;

  /**
   * @param onNalUnit - called in order, inside `push`
   * @param hasOrderNumbers - whether decoding order numbers stand before the NAL units (DONL and DOND of H.265): they
   *   are passed over, and the order of the packets is taken for that of decoding
   */
  constructor(format: NalUnitPayloadFormat, onNalUnit: (nalUnit: NalUnit) => void, hasOrderNumbers = false) {
    this.#format = format;
    this.#onNalUnit = onNalUnit;
    this.#hasOrderNumbers = hasOrderNumbers;
  }

  /** Whether a fragmented NAL unit has begun and not ended. */
  get isFragmentOpen(): boolean {
    return this.#fragments !== null;
  }

  /** Whether this payload goes on with the open fragmented NAL unit. */
  continuesFragment(payload: Uint8Array): boolean {
    if (this.#fragments === null) return false;
    const { fragmentation, headerBytes } = this.#format;
    return this.#typeOf(payload) === fragmentation && ((payload[headerBytes] ?? FU_START) & FU_START) === 0;
  }

  /** Forgets an open fragmented NAL unit. Returns whether there was one. */
  abort(): boolean {
    const wasOpen = this.#fragments !== null;
    this.#fragments = null;
    return wasOpen;
  }

  push(payload: Uint8Array): PayloadResult {
    if (payload.length === 0) return 'ignored';
    const { aggregation, fragmentation } = this.#format;
    const type = this.#typeOf(payload);
    if (type === fragmentation) return this.#pushFragment(payload);
    const result = this.abort() ? 'incomplete' : 'ok';
    const outcome = type === aggregation ? this.#pushAggregate(payload) : this.#pushSingle(payload);
    return outcome === 'ok' ? result : outcome;
  }

  #typeOf(bytes: Uint8Array): number {
    return this.#format.typeOf(bytes[0] ?? 0);
  }

  #pushSingle(payload: Uint8Array): PayloadResult {
    if (!this.#hasOrderNumbers) return this.#pushWhole(payload);
    const { headerBytes } = this.#format;
    if (payload.length < headerBytes + ORDER_BYTES) return 'malformed';
    const parts = [payload.subarray(0, headerBytes), payload.subarray(headerBytes + ORDER_BYTES)];
    return this.#pushWhole(firstBytes(parts, payload.length - ORDER_BYTES));
  }

  #pushAggregate(payload: Uint8Array): PayloadResult {
    let position = this.#format.headerBytes;
    let orderBytes = this.#hasOrderNumbers ? ORDER_BYTES : 0;
    while (position + orderBytes + 2 <= payload.length) {
      position += orderBytes;
      if (orderBytes > 0) orderBytes = ORDER_STEP_BYTES;
      const size = ((payload[position] ?? 0) << 8) | (payload[position + 1] ?? 0);
      position += 2;
      if (size === 0) {
        // Some cameras pad aggregation packets with zeros, up to the end of the packet.
        return payload.subarray(position).every((byte) => byte === 0) ? 'ok' : 'malformed';
      }
      if (position + size > payload.length) return 'malformed';
      if (this.#pushWhole(payload.subarray(position, position + size)) === 'malformed') return 'malformed';
      position += size;
    }
    return position === payload.length || payload[position] === 0 ? 'ok' : 'malformed';
  }

  /** A NAL unit that came in one piece. */
  #pushWhole(bytes: Uint8Array): PayloadResult {
    const type = this.#typeOf(bytes);
    if (this.#mayHoldStartCodes(type, bytes) && findStartCode(bytes) >= 0) return this.#pushByteStream(bytes);
    const verdict = this.#format.accepts(bytes);
    if (verdict === 'ok') {
      this.#deliver(type, bytes.length, [lengthField(bytes.length), bytes], bytes.subarray(this.#format.headerBytes));
    }
    return verdict;
  }

  /**
   * Whether it is worth searching a NAL unit for start codes, which it cannot contain by right: where it begins with
   * one, where it is of a kind that is always short, and always once a stream has been caught.
   */
  #mayHoldStartCodes(type: number, bytes: Uint8Array): boolean {
    return this.#hasStartCodes || this.#format.isShortKind(type) || startsWithStartCode(bytes);
  }

  /** V380 and Amatek put a byte stream with start codes where one NAL unit should be. */
  #pushByteStream(bytes: Uint8Array): PayloadResult {
    this.#hasStartCodes = true;
    let result: PayloadResult = 'malformed';
    const { headerBytes } = this.#format;
    for (const part of splitAnnexB(bytes)) {
      // A header alone is that of a fragmented NAL unit that repeats itself after the start code.
      if (part.length <= headerBytes || this.#format.accepts(part) !== 'ok') continue;
      this.#deliver(this.#typeOf(part), part.length, [lengthField(part.length), part], part.subarray(headerBytes));
      result = 'ok';
    }
    return result;
  }

  #pushFragment(payload: Uint8Array): PayloadResult {
    const { headerBytes } = this.#format;
    const header = payload[headerBytes];
    if (header === undefined) return this.#failFragment();
    const isStart = (header & FU_START) !== 0;
    const body = payload.subarray(headerBytes + 1 + (isStart && this.#hasOrderNumbers ? ORDER_BYTES : 0));
    let result: PayloadResult = 'ok';
    if (isStart) {
      if (this.abort()) result = 'incomplete';
      this.#fragments = [];
      this.#fragmentBytes = headerBytes;
      this.#fragmentHeader = this.#format.fragmentedHeader(payload, header);
      if (startsWithStartCode(body)) this.#hasStartCodes = true;
    }
    // The type is that of the first fragment: on Tiandy cameras it drifts in the later ones.
    const fragments = this.#fragments;
    if (fragments === null) return 'incomplete';
    // Longse cameras send fragments with nothing in them.
    if (body.length > 0) fragments.push(body);
    this.#fragmentBytes += body.length;
    if (this.#fragmentBytes > MAX_ACCESS_UNIT_BYTES || fragments.length > MAX_ACCESS_UNIT_PACKETS) {
      return this.#failFragment();
    }
    // CostarHD cameras set both start and end when one fragment holds everything.
    if ((header & FU_END) === 0) return result;
    this.#fragments = null;
    const outcome = this.#endFragment(fragments);
    return outcome === 'ok' ? result : outcome;
  }

  #endFragment(fragments: Uint8Array[]): PayloadResult {
    const header = this.#fragmentHeader;
    const type = this.#typeOf(header);
    const [first] = fragments;
    if (first === undefined) return 'malformed';
    const verdict = this.#format.accepts(firstBytes([header, first], header.length + 1));
    if (verdict !== 'ok' || this.#format.isShortKind(type) || this.#hasStartCodes) {
      return this.#pushWhole(firstBytes([header, ...fragments], this.#fragmentBytes));
    }
    const body = firstBytes(fragments, SLICE_HEADER_BYTES);
    fragments.unshift(lengthField(this.#fragmentBytes, header));
    this.#deliver(type, this.#fragmentBytes, fragments, body);
    return 'ok';
  }

  #failFragment(): PayloadResult {
    this.abort();
    return 'malformed';
  }

  #deliver(type: number, nalUnitBytes: number, pieces: readonly Uint8Array[], body: Uint8Array): void {
    this.#onNalUnit({ type, pieces, byteLength: LENGTH_BYTES + nalUnitBytes, body });
  }
}

/** The NAL unit in one piece, header byte first: a view where it came whole, else a copy. */
export function wholeNalUnit(nalUnit: NalUnit): Uint8Array {
  const [prefix, ...rest] = nalUnit.pieces;
  const [only] = rest;
  if (prefix?.length === LENGTH_BYTES && only !== undefined && rest.length === 1) return only;
  return firstBytes(nalUnit.pieces, nalUnit.byteLength).subarray(LENGTH_BYTES);
}

/** A byte of the NAL unit header. */
export function headerByteOf({ pieces: [prefix, first] }: NalUnit, index: number): number {
  return prefix?.[LENGTH_BYTES + index] ?? first?.[index] ?? 0;
}

/** @param header - what is to stand behind it */
function lengthField(length: number, header: Iterable<number> = []): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length, ...header);
}
