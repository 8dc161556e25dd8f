import type { MediaFormat } from '../../shared/session-description.js';
import { AacDepacketizer } from './aac.js';
import type { AccessUnitHandler, Depacketizer } from './depacketizer.js';
import { H264Depacketizer } from './h264.js';

type DepacketizerClass = new (format: MediaFormat, onAccessUnit: AccessUnitHandler) => Depacketizer;

/** Depacketizers by encoding name, as `rtpmap` has it, in upper case. */
const depacketizers: ReadonlyMap<string, DepacketizerClass> = new Map<string, DepacketizerClass>([
  ['H264', H264Depacketizer],
  ['MPEG4-GENERIC', AacDepacketizer],
]);

/** Makes the depacketizer for a format of a session description; null when nobody here knows the codec. */
export function createDepacketizer(format: MediaFormat, onAccessUnit: AccessUnitHandler): Depacketizer | null {
  const Constructor = depacketizers.get(format.encodingName.toUpperCase());
  return Constructor === undefined ? null : new Constructor(format, onAccessUnit);
}
