import { MAX_AUDIO_UNITS_PER_PACKET } from '../../shared/limits.js';
import { BitReader } from '../codec/bit-reader.js';

/**
 * The AU header section in front of an `mpeg4-generic` payload → sizes and places of its access units (RFC 3640, 3.2.1;
 * parameters: 4.1).
 */

/** Widths in bits of the fields of an AU header; 0 means that the field is not there. */
export interface AuHeaderLayout {
  readonly sizeLength: number;
  readonly indexLength: number;
  readonly indexDeltaLength: number;
  readonly ctsDeltaLength: number;
  readonly dtsDeltaLength: number;
  readonly hasRandomAccess: boolean;
  readonly streamStateLength: number;
  readonly auxiliarySizeLength: number;
  /** Bytes of every access unit where headers have no size, or null. */
  readonly constantSize: number | null;
}

export interface AuHeader {
  /** Bytes of the access unit, or null: all that there is. */
  readonly size: number | null;
  /** Access units between the packet's first one and this one in presentation order. */
  readonly offset: number;
  /** CTS-delta: to be added to the packet's time stamp, in ticks; null where the header has none. */
  readonly timeDelta: number | null;
}

export interface AuHeaderSection {
  readonly headers: readonly AuHeader[];
  /** Where the access units begin in the payload. */
  readonly dataOffset: number;
}

/** Reads the layout from format parameters; without any, that of AAC-hbr, which is what nearly every camera sends. */
export function auHeaderLayout(parameters: ReadonlyMap<string, string>): AuHeaderLayout {
  const number = (name: string, largest: number): number | null => {
    const value = Number.parseInt(parameters.get(name) ?? '', 10);
    return value >= 0 && value <= largest ? value : null;
  };
  const isLowBitRate = parameters.get('mode')?.trim().toLowerCase() === 'aac-lbr';
  const constantSize = number('constantsize', 0xffff) || null;
  const sizeLength = number('sizelength', 32);
  const isBare = sizeLength === null && constantSize === null;
  const byMode = isLowBitRate ? { size: 6, index: 2 } : { size: 13, index: 3 };
  return {
    sizeLength: sizeLength ?? (isBare ? byMode.size : 0),
    indexLength: number('indexlength', 32) ?? (isBare ? byMode.index : 0),
    indexDeltaLength: number('indexdeltalength', 32) ?? (isBare ? byMode.index : 0),
    ctsDeltaLength: number('ctsdeltalength', 32) ?? 0,
    dtsDeltaLength: number('dtsdeltalength', 32) ?? 0,
    hasRandomAccess: number('randomaccessindication', 1) === 1,
    streamStateLength: number('streamstateindication', 32) ?? 0,
    auxiliarySizeLength: number('auxiliarydatasizelength', 32) ?? 0,
    constantSize,
  };
}

/** Reads the AU header section (and passes over the auxiliary one); null when it does not fit into the payload. */
export function readAuHeaders(payload: Uint8Array, layout: AuHeaderLayout): AuHeaderSection | null {
  const headers: AuHeader[] = [];
  let dataOffset = 0;
  const leastBits = headerBits(layout, 0);
  if (Math.max(leastBits, headerBits(layout, 1)) > 0) {
    const bitLength = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    dataOffset = 2 + ((bitLength + 7) >>> 3);
    if (bitLength === 0 || dataOffset > payload.length) return null;
    const bits = new BitReader(payload.subarray(2, dataOffset));
    let offset = 0;
    for (;;) {
      const least = headerBits(layout, headers.length);
      // What is left when no further header fits is padding.
      if (bits.position + Math.max(least, 1) > bitLength) break;
      if (headers.length === MAX_AUDIO_UNITS_PER_PACKET) return null;
      const size = layout.sizeLength > 0 ? bits.unsigned(layout.sizeLength) : layout.constantSize;
      const index = bits.unsigned(headers.length === 0 ? layout.indexLength : layout.indexDeltaLength);
      if (headers.length > 0) offset += index + 1;
      const timeDelta = readDelta(bits, layout.ctsDeltaLength);
      readDelta(bits, layout.dtsDeltaLength);
      if (layout.hasRandomAccess) bits.skip(1);
      bits.skip(layout.streamStateLength);
      if (bits.position > bitLength) return null;
      headers.push({ size, offset, timeDelta });
      if (least === 0) break;
    }
    if (headers.length === 0) return null;
  }
  if (layout.auxiliarySizeLength > 0) {
    const bits = new BitReader(payload.subarray(dataOffset));
    const auxiliaryBits = bits.unsigned(layout.auxiliarySizeLength);
    dataOffset += Math.ceil((layout.auxiliarySizeLength + auxiliaryBits) / 8);
    if (dataOffset > payload.length) return null;
  }
  if (headers.length === 0) {
    const { constantSize } = layout;
    const count = constantSize === null ? 1 : Math.floor((payload.length - dataOffset) / constantSize);
    if (count === 0 || count > MAX_AUDIO_UNITS_PER_PACKET) return null;
    for (let offset = 0; offset < count; offset++) headers.push({ size: constantSize, offset, timeDelta: null });
  }
  return { headers, dataOffset };
}

/** The least bits of a header: of the first one in a section, or of a later one. */
function headerBits(layout: AuHeaderLayout, position: number): number {
  return (
    layout.sizeLength +
    (position === 0 ? layout.indexLength : layout.indexDeltaLength) +
    (layout.ctsDeltaLength > 0 ? 1 : 0) +
    (layout.dtsDeltaLength > 0 ? 1 : 0) +
    (layout.hasRandomAccess ? 1 : 0) +
    layout.streamStateLength
  );
}

/** A flag and, if it is set, a delta in two's complement. */
function readDelta(bits: BitReader, width: number): number | null {
  if (width === 0 || !bits.flag()) return null;
  const value = bits.unsigned(width);
  return value >= 2 ** (width - 1) ? value - 2 ** width : value;
}
