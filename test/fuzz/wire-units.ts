/**
 * The server's side of a conversation, cut where its messages and frames begin: what mutations work on. A reader of its own,
 * so that what is wrong in the client's cannot hide here; it expects a stream in good order, and takes the rest as junk.
 */

export interface WireUnit {
  readonly kind: 'message' | 'frame' | 'junk';
  readonly bytes: Uint8Array;
}

const headEnd = Buffer.from('\r\n\r\n');

export function splitWire(bytes: Uint8Array): WireUnit[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units: WireUnit[] = [];
  let position = 0;
  while (position < buffer.length) {
    const { kind, length } = unitAt(buffer, position);
    units.push({ kind, bytes: bytes.subarray(position, position + length) });
    position += length;
  }
  return units;
}

function unitAt(buffer: Buffer, position: number): { kind: WireUnit['kind']; length: number } {
  const junk = { kind: 'junk', length: buffer.length - position } as const;
  if (buffer[position] === 0x24) {
    if (position + 4 > buffer.length) return junk;
    const length = 4 + buffer.readUInt16BE(position + 2);
    return position + length > buffer.length ? junk : { kind: 'frame', length };
  }
  const end = buffer.indexOf(headEnd, position);
  if (end < 0) return junk;
  const head = buffer.toString('latin1', position, end);
  const body = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const length = end + headEnd.length - position + body;
  return position + length > buffer.length ? junk : { kind: 'message', length };
}

export function joinWire(units: readonly WireUnit[]): Uint8Array {
  return new Uint8Array(Buffer.concat(units.map(({ bytes }) => bytes)));
}
