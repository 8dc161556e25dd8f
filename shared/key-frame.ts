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

const keyFrameTests: ReadonlyMap<string, (payload: Uint8Array) => boolean> = new Map([['H264', startsH264KeyFrame]]);

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
