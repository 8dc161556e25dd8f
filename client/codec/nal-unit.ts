/**
 * NAL units as H.264 and H.265 share them: Annex B start codes and emulation prevention (ITU-T H.264, Annex B and
 * 7.4.1).
 */

/** Whether the bytes begin with an Annex B start code: 00 00 01 or 00 00 00 01. */
export function startsWithStartCode(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[1] !== 0) return false;
  return bytes[2] === 1 || (bytes[2] === 0 && bytes[3] === 1);
}

/** Index of the next 00 00 01 at or after `from`, or -1. */
export function findStartCode(bytes: Uint8Array, from = 0): number {
  const last = bytes.length - 3;
  let index = from;
  while (index <= last) {
    // The third byte decides how far the pattern cannot begin.
    const third = bytes[index + 2] ?? 0;
    if (third > 1) index += 3;
    else if (third === 1) {
      if (bytes[index] === 0 && bytes[index + 1] === 0) return index;
      index += 3;
    } else index += 1;
  }
  return -1;
}

/**
 * Splits a byte stream at its start codes. Zeros around a start code belong to the code, not to a NAL unit.
 * @returns views without start codes, none of them empty; bytes before the first start code count as a NAL unit
 */
export function splitAnnexB(bytes: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const code = findStartCode(bytes, start);
    let end = code < 0 ? bytes.length : code;
    while (end > start && bytes[end - 1] === 0) end--;
    if (end > start) units.push(bytes.subarray(start, end));
    if (code < 0) break;
    start = code + 3;
  }
  return units;
}

/**
 * Takes the emulation prevention bytes out: NAL unit bytes to RBSP.
 * @param limit - RBSP bytes wanted at most; a slice header needs the first few only
 */
export function unescapeNalUnit(nalUnit: Uint8Array, limit = nalUnit.length): Uint8Array {
  const rbsp = new Uint8Array(Math.min(limit, nalUnit.length));
  let length = 0;
  let zeros = 0;
  for (let index = 0; index < nalUnit.length && length < rbsp.length; index++) {
    const byte = nalUnit[index] ?? 0;
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    rbsp[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return rbsp.subarray(0, length);
}

/** Puts the emulation prevention bytes in: RBSP to NAL unit bytes. */
export function escapeNalUnit(rbsp: Uint8Array): Uint8Array {
  const nalUnit = new Uint8Array(rbsp.length + Math.floor(rbsp.length / 2) + 1);
  let length = 0;
  let zeros = 0;
  for (const byte of rbsp) {
    if (zeros >= 2 && byte <= 3) {
      nalUnit[length++] = 3;
      zeros = 0;
    }
    nalUnit[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return nalUnit.subarray(0, length);
}
