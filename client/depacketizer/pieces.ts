/**
 * The first bytes of what was received in pieces: a view where the first piece has them all, else a copy.
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
  }
  return bytes.subarray(0, position);
}
