import { splitAnnexB } from './nal-unit.js';

/** Parameter sets of H.264 and H.265 as bytes: told apart, trimmed, taken out of a session description. */

/** Bytes of one parameter set: real ones are below 1 kB, and 255 of them must go into a configuration in a moment. */
const MAX_PARAMETER_SET_BYTES = 2_048;
/** The same with its padding. */
const MAX_PADDED_BYTES = 8_192;

/** Without the zeros with which some cameras pad, which belong to no NAL unit; null when it is too long to be one. */
export function trimParameterSet(nalUnit: Uint8Array): Uint8Array | null {
  let end = nalUnit.length;
  if (end > MAX_PADDED_BYTES) return null;
  while (end > 0 && nalUnit[end - 1] === 0) end--;
  return end > MAX_PARAMETER_SET_BYTES ? null : nalUnit.subarray(0, end);
}

/**
 * NAL units in a parameter of a session description (`sprop-parameter-sets`: RFC 6184, 8.1; `sprop-vps` and its like:
 * RFC 7798, 7.1): what can be used of it.
 */
export function parameterSetsFromDescription(text: string): Uint8Array[] {
  const sets: Uint8Array[] = [];
  for (const part of text.split(',')) {
    const bytes = decodeBase64(part);
    // Some cameras put start codes into the value, or both sets into one.
    if (bytes !== null) sets.push(...splitAnnexB(bytes));
  }
  return sets;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

function decodeBase64(text: string): Uint8Array | null {
  const clean = text.replace(/[^A-Za-z0-9+/]/g, '');
  if (clean.length < 4) return null;
  try {
    // A length of 4n + 1 cannot be base64; the last character is then an extra one.
    const whole = clean.length % 4 === 1 ? clean.slice(0, -1) : clean;
    return Uint8Array.from(atob(whole), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
