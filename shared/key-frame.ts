/**
 * Tells from one RTP payload whether a key frame starts in it, so that whole frames can be left out without taking them
 * out of their packets.
 */

/**
 * @param encodingName - of the payload format, as in `a=rtpmap`, in capitals: `H264`
 * @param payload - of one RTP packet
 * @returns whether this is the first packet of a key frame, or one that must go with it (its parameter sets); null when
 *   that cannot be told for this format
 */
export function startsKeyFrame(encodingName: string, payload: Uint8Array): boolean | null {
  return keyFrameTests.get(encodingName)?.(payload) ?? null;
}

const keyFrameTests: ReadonlyMap<string, (payload: Uint8Array) => boolean> = new Map([
  ['H264', (payload) => startsNalKeyFrame(payload, h264)],
  ['H265', (payload) => startsNalKeyFrame(payload, h265)],
  ['AV1', startsAv1KeyFrame],
  ['VP8', startsVp8KeyFrame],
  ['VP9', startsVp9KeyFrame],
  // Each picture is one: its first packet begins at offset 0 (RFC 2435, 3.1.2).
  ['JPEG', (payload) => payload.length >= 8 && payload[1] === 0 && payload[2] === 0 && payload[3] === 0],
]);

/** Payload formats whose packets hold a NAL unit, several, or a fragment of one. */
interface NalUnitFormat {
  readonly headerBytes: number;
  typeOf(firstByte: number): number;
  readonly aggregation: number;
  readonly fragmentation: number;
  /** Bits of the type in a fragment's own header. */
  readonly fragmentTypeMask: number;
  /** Whether a NAL unit belongs to a key frame: its slices, or the parameter sets that come before it. */
  isKey(type: number): boolean;
}

/** RFC 6184, section 5.2: single NAL unit packets, STAP-A (5.7.1) and FU-A (5.8); IDR slices and SPS. */
const h264: NalUnitFormat = {
  headerBytes: 1,
  typeOf: (firstByte) => firstByte & 0x1f,
  aggregation: 24,
  fragmentation: 28,
  fragmentTypeMask: 0x1f,
  isKey: (type) => type === 5 || type === 7,
};

/** RFC 7798, section 4.4: single NAL unit packets, AP (4.4.2) and FU (4.4.3); BLA, IDR and CRA slices, VPS and SPS. */
const h265: NalUnitFormat = {
  headerBytes: 2,
  typeOf: (firstByte) => (firstByte >>> 1) & 0x3f,
  aggregation: 48,
  fragmentation: 49,
  fragmentTypeMask: 0x3f,
  isKey: (type) => (type >= 16 && type <= 21) || type === 32 || type === 33,
};

function startsNalKeyFrame(payload: Uint8Array, format: NalUnitFormat): boolean {
  const first = payload[0];
  if (first === undefined) return false;
  const type = format.typeOf(first);
  if (type === format.aggregation) return aggregateHoldsKeyFrame(payload, format);
  if (type === format.fragmentation) {
    const header = payload[format.headerBytes];
    return header !== undefined && (header & 0x80) !== 0 && format.isKey(header & format.fragmentTypeMask);
  }
  return format.isKey(type);
}

function aggregateHoldsKeyFrame(payload: Uint8Array, format: NalUnitFormat): boolean {
  let offset = format.headerBytes;
  while (offset + 2 < payload.length) {
    const length = ((payload[offset] as number) << 8) | (payload[offset + 1] as number);
    if (length === 0 || offset + 2 + length > payload.length) return false;
    if (format.isKey(format.typeOf(payload[offset + 2] as number))) return true;
    offset += 2 + length;
  }
  return false;
}

/**
 * RTP Payload Format For AV1, section 4.4: the N bit of the aggregation header marks the first packet of a coded video
 * sequence. Where a sender leaves it out, the sequence header OBU is known by its type when it comes first.
 */
function startsAv1KeyFrame(payload: Uint8Array): boolean {
  const header = payload[0];
  if (header === undefined || payload.length < 2) return false;
  if ((header & 0x08) !== 0) return true;
  if ((header & 0x80) !== 0) return false; // Z: it begins in the middle of an OBU
  let position = 1;
  // W is 1: no length before the one OBU. Else there is one, in groups of 7 bits.
  if ((header & 0x30) !== 0x10) while (((payload[position++] ?? 0) & 0x80) !== 0);
  const obuHeader = payload[position];
  return obuHeader !== undefined && ((obuHeader >>> 3) & 0x0f) === SEQUENCE_HEADER_OBU;
}

const SEQUENCE_HEADER_OBU = 1;

/** RFC 7741, section 4.2: the first packet of a frame's first partition has the P bit of VP8's frame tag (4.3). */
function startsVp8KeyFrame(payload: Uint8Array): boolean {
  const first = payload[0] ?? 0;
  if ((first & 0x17) !== 0x10) return false; // S, PID 0
  let offset = 1;
  if ((first & 0x80) !== 0) {
    const extension = payload[offset++] ?? 0;
    if ((extension & 0x80) !== 0) offset += ((payload[offset] ?? 0) & 0x80) !== 0 ? 2 : 1; // PictureID
    if ((extension & 0x40) !== 0) offset++; // TL0PICIDX
    if ((extension & 0x30) !== 0) offset++; // TID, KEYIDX
  }
  const tag = payload[offset];
  return tag !== undefined && (tag & 1) === 0;
}

/** RFC 9628, section 4.2: the start (B) of a frame of the lowest spatial layer that refers to no other picture (P). */
function startsVp9KeyFrame(payload: Uint8Array): boolean {
  const first = payload[0] ?? 0;
  if ((first & 0x48) !== 0x08) return false; // B without P
  if ((first & 0x20) === 0) return payload.length > 1;
  let offset = 1;
  if ((first & 0x80) !== 0) offset += ((payload[offset] ?? 0) & 0x80) !== 0 ? 2 : 1; // picture ID
  const layer = payload[offset];
  return layer !== undefined && (layer & 0x0e) === 0; // SID
}
