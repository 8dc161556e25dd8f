/** Reads MP4 boxes back, for tests. */

export interface Box {
  readonly type: string;
  /** Where the box begins in what was read. */
  readonly offset: number;
  readonly size: number;
  /** All behind the box header. */
  readonly body: Buffer;
}

const containers: ReadonlySet<string> = new Set([
  'moov',
  'trak',
  'mdia',
  'minf',
  'dinf',
  'stbl',
  'mvex',
  'moof',
  'traf',
]);
/** Bytes of fields in front of the boxes inside. */
const fieldsBefore: ReadonlyMap<string, number> = new Map([
  ['dref', 8],
  ['stsd', 8],
  ['avc1', 78],
  ['mp4a', 28],
]);

/** The boxes of a file or box, one after the other; fails where sizes do not fit. */
export function readBoxes(data: Uint8Array, base = 0): Box[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const boxes: Box[] = [];
  for (let position = 0; position < bytes.length; ) {
    const size = bytes.readUInt32BE(position);
    if (size < 8 || position + size > bytes.length) throw new Error(`Box of ${size} bytes at ${base + position}.`);
    const type = bytes.toString('latin1', position + 4, position + 8);
    boxes.push({ type, offset: base + position, size, body: bytes.subarray(position + 8, position + size) });
    position += size;
  }
  return boxes;
}

/** All boxes of these types, at any depth, in the order of the file. */
export function findBoxes(data: Uint8Array, type: string): Box[] {
  return flatten(data).filter((box) => box.type === type);
}

/** The only box of this type, or the first; fails when there is none. */
export function findBox(data: Uint8Array, type: string): Box {
  const [box] = findBoxes(data, type);
  if (box === undefined) throw new Error(`No ${type}.`);
  return box;
}

function flatten(data: Uint8Array, base = 0): Box[] {
  return readBoxes(data, base).flatMap((box) => {
    const fields = containers.has(box.type) ? 0 : fieldsBefore.get(box.type);
    return fields === undefined ? [box] : [box, ...flatten(box.body.subarray(fields), box.offset + 8 + fields)];
  });
}

export interface TrunSample {
  duration: number;
  size: number;
  flags: number;
  offset: number;
}

/** The samples of a `trun` as our fragments write it. */
export function readTrun(trun: Box): { dataOffset: number; samples: TrunSample[] } {
  const { body } = trun;
  const hasOffsets = (body.readUInt32BE(0) & 0x800) !== 0;
  const samples: TrunSample[] = [];
  let position = 12;
  for (let index = 0; index < body.readUInt32BE(4); index++) {
    samples.push({
      duration: body.readUInt32BE(position),
      size: body.readUInt32BE(position + 4),
      flags: body.readUInt32BE(position + 8),
      offset: hasOffsets ? body.readInt32BE(position + 12) : 0,
    });
    position += hasOffsets ? 16 : 12;
  }
  if (position !== body.length) throw new Error('The trun has another length than its samples.');
  return { dataOffset: body.readInt32BE(8), samples };
}
