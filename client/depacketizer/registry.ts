import { StreamError } from '../../shared/errors.js';
import type { MediaFormat } from '../../shared/session-description.js';
import type { AccessUnitHandler, Depacketizer } from './depacketizer.js';
import { loadH264Depacketizer } from './h264.js';

/** Makes a depacketizer for a format. */
export type DepacketizerClass = new (format: MediaFormat, onAccessUnit: AccessUnitHandler) => Depacketizer;

/**
 * Depacketizers by encoding name, as `rtpmap` has it, in upper case. All but that of nearly every camera are loaded when a
 * stream needs them.
 */
const depacketizers: ReadonlyMap<string, (format: MediaFormat) => Promise<DepacketizerClass>> = new Map<
  string,
  (format: MediaFormat) => Promise<DepacketizerClass>
>([
  ['H264', loadH264Depacketizer],
  ['H265', async () => (await import('./h265.js')).H265Depacketizer],
  ['AV1', async () => (await import('./av1.js')).Av1Depacketizer],
  ['VP8', async () => (await import('./vp8.js')).Vp8Depacketizer],
  ['VP9', async () => (await import('./vp9.js')).Vp9Depacketizer],
  ['JPEG', async () => (await import('./jpeg.js')).JpegDepacketizer],
  ['MPEG4-GENERIC', async () => (await import('./aac.js')).AacDepacketizer],
  ['MP4A-LATM', async () => (await import('./latm.js')).LatmDepacketizer],
  ['OPUS', async () => (await import('./opus.js')).OpusDepacketizer],
  ['MPA', async () => (await import('./mpa.js')).MpegAudioDepacketizer],
  ['PCMU', loadPcm],
  ['PCMA', loadPcm],
  ['L8', loadPcm],
  ['L16', loadPcm],
  ['G722', async () => (await import('./g722.js')).G722Depacketizer],
  ['VND.ONVIF.METADATA', loadMetadata],
  ['VND.ONVIF.METADATA.GZIP', loadMetadata],
  ['G726', async () => (await import('./g726.js')).G726Depacketizer],
]);

async function loadPcm(): Promise<DepacketizerClass> {
  return (await import('./pcm.js')).PcmDepacketizer;
}

async function loadMetadata(): Promise<DepacketizerClass> {
  return (await import('./onvif-metadata.js')).OnvifMetadataDepacketizer;
}

function loaderOf({ encodingName }: MediaFormat) {
  // G.726 has a name for each rate and each order of its bits.
  return depacketizers.get(encodingName.toUpperCase().replace(/^(AAL2-)?G726-(16|24|32|40)$/, 'G726'));
}

/** Whether there is a depacketizer for a format of a session description. */
export function hasDepacketizer(format: MediaFormat): boolean {
  return loaderOf(format) !== undefined;
}

/**
 * Loads the depacketizer for a format of a session description.
 * @throws StreamError `no-playable-track` when nobody here knows the codec, `connection-failed` when its code could not be
 *   loaded
 */
export async function loadDepacketizer(format: MediaFormat): Promise<DepacketizerClass> {
  const { encodingName } = format;
  const load = loaderOf(format);
  if (load === undefined) throw new StreamError('no-playable-track', `Nothing here reads ${encodingName} out of RTP.`);
  try {
    return await load(format);
  } catch (cause) {
    throw new StreamError('connection-failed', `The player's code for ${encodingName} could not be loaded.`, { cause });
  }
}
