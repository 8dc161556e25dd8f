/**
 * Whether an RTP payload is the start of a key frame, for those who drop packets without decoding them: a viewer that is
 * too slow goes on at the next one.
 */

// NAL unit types of H.264 (ITU-T H.264, table 7-1) and of RFC 6184, 5.2.
const H264_IDR_SLICE = 5;
const H264_SPS = 7;
const H264_STAP_A = 24;
const H264_FU_A = 28;

const detectors: ReadonlyMap<string, (payload: Uint8Array) => boolean> = new Map([['H264', startsH264KeyFrame]]);

/**
 * Whether decoding can start at this packet.
 * @param encodingName - the payload format's name in the session description, upper case: `H264`
 * @param payload - of one RTP packet
 * @returns null where the format is unknown and nobody can tell
 */
export function startsKeyFrame(encodingName: string, payload: Uint8Array): boolean | null {
  return detectors.get(encodingName)?.(payload) ?? null;
}

/** An IDR slice, or the parameter sets that come before one; of a fragmented NAL unit the first fragment. */
function startsH264KeyFrame(payload: Uint8Array): boolean {
  const type = (payload[0] ?? 0) & 0x1f;
  if (type === H264_FU_A) {
    const header = payload[1] ?? 0;
    return (header & 0x80) !== 0 && isH264Start(header & 0x1f);
  }
  if (type !== H264_STAP_A) return isH264Start(type);
  for (let at = 1; at + 2 < payload.length; ) {
    const size = ((payload[at] as number) << 8) | (payload[at + 1] as number);
    if (size > 0 && isH264Start((payload[at + 2] as number) & 0x1f)) return true;
    at += 2 + size;
  }
  return false;
}

function isH264Start(type: number): boolean {
  return type === H264_IDR_SLICE || type === H264_SPS;
}
