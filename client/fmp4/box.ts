/** Building blocks of ISO base media files (ISO/IEC 14496-12, 4.2): fields as bytes, boxes around fields. */

type Bytes = Uint8Array<ArrayBuffer>;

export function uint8(value: number): Bytes {
  return Uint8Array.of(value);
}

export function uint16(value: number): Bytes {
  return Uint8Array.of(value >>> 8, value);
}

export function uint24(value: number): Bytes {
  return Uint8Array.of(value >>> 16, value >>> 8, value);
}

export function uint32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A signed or unsigned number with 16 bits before and after the point. */
export function fixed16(value: number): Bytes {
  return uint32(Math.round(value * 0x10000));
}

/** Several 32-bit fields of one name. */
export function uint32s(...values: readonly number[]): Bytes {
  return concat(values.map(uint32));
}

/** Reserved and pre-defined bytes: zeros. */
export function zeros(length: number): Bytes {
  return new Uint8Array(length);
}

/** Characters below 128, one byte each. */
export function ascii(text: string): Bytes {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Box: size, type, then its fields and boxes. */
export function box(type: string, ...contents: readonly Uint8Array[]): Bytes {
  const body = concat(contents);
  return concat([uint32(8 + body.length), ascii(type), body]);
}

/** FullBox: a box that begins with a version and flags. */
export function fullBox(type: string, version: number, flags: number, ...contents: readonly Uint8Array[]): Bytes {
  return box(type, uint8(version), uint24(flags), ...contents);
}

export function concat(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}
