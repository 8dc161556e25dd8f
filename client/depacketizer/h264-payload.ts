import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import { H264NalType } from '../codec/h264.js';
import { findStartCode, splitAnnexB, startsWithStartCode } from '../codec/nal-unit.js';

/**
 * RTP payloads → H.264 NAL units: single NAL unit packets, STAP-A and FU-A (RFC 6184, 5.6, 5.7.1 and 5.8). Media bytes
 * are not copied: a NAL unit is handed over as views of the payloads behind a length field.
 */

/** A whole NAL unit, ready to be written into an MP4 sample. */
export interface NalUnit {
  /** nal_unit_type. */
  readonly type: number;
  /** The byte that has it and nal_ref_idc. */
  readonly header: number;
  /** The length field of 4 bytes (and the header byte, when it was rebuilt from fragments), then the payloads' views. */
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

const STAP_A = 24;
const FU_A = 28;
/** NAL unit types up to here travel as themselves; the rest, up to the reserved ones, belongs to interleaved mode. */
const LAST_SINGLE = 23;
const FIRST_RESERVED = 30;
const FU_START = 0x80;
const FU_END = 0x40;
const LENGTH_BYTES = 4;
/** Bytes of a slice that somebody may want to look into. */
const SLICE_HEADER_BYTES = 64;

export class H264PayloadReader {
  readonly #onNalUnit: (nalUnit: NalUnit) => void;
  /** Views of the open fragmented NAL unit, without its header; null while none is open. */
  #fragments: Uint8Array[] | null = null;
  #fragmentHeader = 0;
  #fragmentBytes = 0;
  /** Start codes were seen inside payloads (V380, Amatek): from then on every NAL unit is searched for them. */
  #hasStartCodes = false;

  /** @param onNalUnit - called in order, inside `push` */
  constructor(onNalUnit: (nalUnit: NalUnit) => void) {
    this.#onNalUnit = onNalUnit;
  }

  /** Whether a fragmented NAL unit has begun and not ended. */
  get isFragmentOpen(): boolean {
    return this.#fragments !== null;
  }

  /** Whether this payload goes on with the open fragmented NAL unit. */
  continuesFragment(payload: Uint8Array): boolean {
    return (
      this.#fragments !== null && ((payload[0] ?? 0) & 0x1f) === FU_A && ((payload[1] ?? FU_START) & FU_START) === 0
    );
  }

  /** Forgets an open fragmented NAL unit. Returns whether there was one. */
  abort(): boolean {
    const wasOpen = this.#fragments !== null;
    this.#fragments = null;
    return wasOpen;
  }

  push(payload: Uint8Array): PayloadResult {
    if (payload.length === 0) return 'ignored';
    const type = (payload[0] ?? 0) & 0x1f;
    if (type === FU_A) return this.#pushFragment(payload);
    const result = this.abort() ? 'incomplete' : 'ok';
    const outcome = type === STAP_A ? this.#pushAggregate(payload) : this.#pushWhole(payload);
    return outcome === 'ok' ? result : outcome;
  }

  #pushAggregate(payload: Uint8Array): PayloadResult {
    let position = 1;
    while (position + 2 <= payload.length) {
      const size = ((payload[position] ?? 0) << 8) | (payload[position + 1] ?? 0);
      position += 2;
      if (size === 0) {
        // Some cameras pad STAP-A with zeros, up to the end of the packet.
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
    const type = (bytes[0] ?? 0) & 0x1f;
    if (this.#mayHoldStartCodes(type, bytes) && findStartCode(bytes) >= 0) return this.#pushByteStream(bytes);
    if (type === 0 || type >= FIRST_RESERVED) return 'ignored';
    if (type > LAST_SINGLE) return 'malformed';
    // A header alone is enough for an access unit delimiter and for the ends of sequence and stream.
    if (bytes.length < 2 && type < H264NalType.accessUnitDelimiter) return 'malformed';
    this.#deliver(bytes[0] ?? 0, bytes.length, [lengthField(bytes.length), bytes], bytes.subarray(1));
    return 'ok';
  }

  /**
   * Whether it is worth searching a NAL unit for start codes, which it cannot contain by right: where it begins with
   * one, where it is of a kind that is always short, and always once a stream has been caught.
   */
  #mayHoldStartCodes(type: number, bytes: Uint8Array): boolean {
    return (
      this.#hasStartCodes ||
      (type >= H264NalType.sei && type <= H264NalType.accessUnitDelimiter) ||
      startsWithStartCode(bytes)
    );
  }

  /** V380 and Amatek put a byte stream with start codes where one NAL unit should be. */
  #pushByteStream(bytes: Uint8Array): PayloadResult {
    this.#hasStartCodes = true;
    let result: PayloadResult = 'malformed';
    for (const part of splitAnnexB(bytes)) {
      const type = (part[0] ?? 0) & 0x1f;
      // One byte alone is the header of a fragmented NAL unit that repeats itself after the start code.
      if (type === 0 || type > LAST_SINGLE || part.length < 2) continue;
      this.#deliver(part[0] ?? 0, part.length, [lengthField(part.length), part], part.subarray(1));
      result = 'ok';
    }
    return result;
  }

  #pushFragment(payload: Uint8Array): PayloadResult {
    const indicator = payload[0] ?? 0;
    const header = payload[1];
    if (header === undefined) return this.#failFragment();
    const body = payload.subarray(2);
    let result: PayloadResult = 'ok';
    if ((header & FU_START) !== 0) {
      if (this.abort()) result = 'incomplete';
      this.#fragments = [];
      this.#fragmentBytes = 1;
      this.#fragmentHeader = (indicator & 0xe0) | (header & 0x1f);
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
    const type = header & 0x1f;
    const [first] = fragments;
    if (first === undefined) return 'malformed';
    const isShortKind = type >= H264NalType.sei && type <= H264NalType.accessUnitDelimiter;
    if (type === 0 || isShortKind || this.#hasStartCodes) {
      return this.#pushWhole(join([Uint8Array.of(header), ...fragments], this.#fragmentBytes));
    }
    if (type > LAST_SINGLE) return 'malformed';
    const prefix = new Uint8Array(LENGTH_BYTES + 1);
    writeLength(prefix, this.#fragmentBytes);
    prefix[LENGTH_BYTES] = header;
    const body = first.length < SLICE_HEADER_BYTES ? joinStart(fragments) : first;
    fragments.unshift(prefix);
    this.#deliver(header, this.#fragmentBytes, fragments, body);
    return 'ok';
  }

  #failFragment(): PayloadResult {
    this.abort();
    return 'malformed';
  }

  #deliver(header: number, nalUnitBytes: number, pieces: readonly Uint8Array[], body: Uint8Array): void {
    this.#onNalUnit({ type: header & 0x1f, header, pieces, byteLength: LENGTH_BYTES + nalUnitBytes, body });
  }
}

/** The NAL unit in one piece, header byte first: a view where it came whole, else a copy. */
export function wholeNalUnit(nalUnit: NalUnit): Uint8Array {
  const [prefix, ...rest] = nalUnit.pieces;
  const [only] = rest;
  if (prefix?.length === LENGTH_BYTES && only !== undefined && rest.length === 1) return only;
  return join(nalUnit.pieces, nalUnit.byteLength).subarray(LENGTH_BYTES);
}

function lengthField(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  writeLength(bytes, length);
  return bytes;
}

function writeLength(bytes: Uint8Array, length: number): void {
  bytes[0] = length >>> 24;
  bytes[1] = length >>> 16;
  bytes[2] = length >>> 8;
  bytes[3] = length;
}

/** As many fragments as it takes for the bytes of a slice header. */
function joinStart(fragments: readonly Uint8Array[]): Uint8Array {
  let count = 0;
  let byteLength = 0;
  while (count < fragments.length && byteLength < SLICE_HEADER_BYTES) byteLength += fragments[count++]?.length ?? 0;
  return join(fragments.slice(0, count), byteLength);
}

function join(pieces: readonly Uint8Array[], byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  let position = 0;
  for (const piece of pieces) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return bytes;
}
