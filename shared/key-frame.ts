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
  ['H264', startsH264KeyFrame],
  ['VP8', startsVp8KeyFrame],
  ['VP9', startsVp9KeyFrame],
]);

const IDR_SLICE = 5;
const SEQUENCE_PARAMETER_SET = 7;
const STAP_A = 24;
const FU_A = 28;

/** RFC 6184, section 5.2: single NAL unit packets, STAP-A (5.7.1) and FU-A (5.8). */
function startsH264KeyFrame(payload: Uint8Array): boolean {
  const first = payload[0];
  if (first === undefined) return false;
  const type = first & 0x1f;
  if (type === STAP_A) return stapHoldsKeyFrame(payload);
  if (type === FU_A) {
    const header = payload[1];
    return header !== undefined && (header & 0x80) !== 0 && isKeyNalUnit(header & 0x1f);
  }
  return isKeyNalUnit(type);
}

function stapHoldsKeyFrame(payload: Uint8Array): boolean {
  let offset = 1;
  while (offset + 2 < payload.length) {
    const length = ((payload[offset] as number) << 8) | (payload[offset + 1] as number);
    if (length === 0 || offset + 2 + length > payload.length) return false;
    if (isKeyNalUnit((payload[offset + 2] as number) & 0x1f)) return true;
    offset += 2 + length;
  }
  return false;
}

function isKeyNalUnit(type: number): boolean {
  return type === IDR_SLICE || type === SEQUENCE_PARAMETER_SET;
}

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
