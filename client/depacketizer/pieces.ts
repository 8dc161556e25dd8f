/** What was received in pieces, read as one. */

/**
 * The first bytes: a view where the first piece has them all, else a copy.
 * @returns fewer where there are no more
 */
export function firstBytes(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && first.length >= length) return first.subarray(0, length);
  const bytes = new Uint8Array(length);
  let position = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, length - position);
    bytes.set(part, position);
    position += part.length;
    if (position === length) break;
  }
  return bytes.subarray(0, position);
}

/** All bytes: the piece itself where there is one, else a copy. */
export function joinedPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const byteLength = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return firstBytes(pieces, byteLength);
}
