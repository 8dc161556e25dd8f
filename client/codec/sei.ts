import { unescapeNalUnit } from './nal-unit.js';

/** SEI NAL units of H.264 and H.265 → their messages (ITU-T H.264, 7.3.2.3; H.265, 7.3.2.4). */

/** payload_type of a recovery point, in both. */
export const SEI_RECOVERY_POINT = 6;
/** SEI messages of one NAL unit that are looked at. */
const MAX_SEI_MESSAGES = 64;

/**
 * Looks for a message.
 * @param headerBytes - of the NAL unit header: 1 in H.264, 2 in H.265
 * @returns the first message's payload of that type, or null
 */
export function findSeiMessage(nalUnit: Uint8Array, headerBytes: number, wantedType: number): Uint8Array | null {
  const rbsp = unescapeNalUnit(nalUnit);
  let position = headerBytes;
  for (let message = 0; message < MAX_SEI_MESSAGES && position + 2 < rbsp.length; message++) {
    let type = 0;
    while (rbsp[position] === 0xff) {
      type += 255;
      position++;
    }
    type += rbsp[position++] ?? 0;
    let size = 0;
    while (rbsp[position] === 0xff) {
      size += 255;
      position++;
    }
    size += rbsp[position++] ?? 0;
    if (position + size > rbsp.length) return null;
    if (type === wantedType) return rbsp.subarray(position, position + size);
    position += size;
  }
  return null;
}
