import { concat } from '../fmp4/box.js';

/** Building blocks of EBML files (RFC 8794): elements of an ID, a size and contents. */

type Bytes = Uint8Array<ArrayBuffer>;

/** An element. `id` with its length marker, as the specifications write it: 0x1a45dfa3. */
export function element(id: number, ...contents: readonly Uint8Array[]): Bytes {
  return concat([
    elementHead(
      id,
      contents.reduce((sum, part) => sum + part.length, 0),
    ),
    ...contents,
  ]);
}

/** ID and size of an element whose contents follow. */
export function elementHead(id: number, size: number): Bytes {
  return concat([unsigned(id), sizeBytes(size)]);
}

/** ID and size of an element that goes on to the end of the file. */
export function endlessElementHead(id: number): Bytes {
  return concat([unsigned(id), Uint8Array.of(0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)]);
}

/** A whole number, not negative, in as few bytes as it needs. */
export function unsigned(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.unshift(rest % 256);
    rest = Math.floor(rest / 256);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

/** A size in as few bytes as it needs, 7 bits in each; all ones are kept for the unknown (RFC 8794, 6.2). */
function sizeBytes(size: number): Bytes {
  let length = 1;
  while (size >= 2 ** (7 * length) - 1) length++;
  const bytes = new Uint8Array(length);
  bytes.set(unsigned(size), length - unsigned(size).length);
  bytes[0] = (bytes[0] ?? 0) | (0x80 >>> (length - 1));
  return bytes;
}
