import type { VideoTrackConfig } from './track-config.js';
import { vpCodecConfiguration } from './vp-configuration.js';

/** VP8 frame headers (RFC 6386, 9.1) → key frames, sizes and the configuration of a track. */

/** Bytes of a frame that `parseVp8Header` looks at. */
export const VP8_HEADER_BYTES = 10;

/** What the uncompressed start of a frame says. */
export type Vp8Header =
  | { readonly isKeyFrame: false }
  | { readonly isKeyFrame: true; readonly width: number; readonly height: number };

/** Reads the start of a frame; null when it is cut short, or a key frame without its start code or size. */
export function parseVp8Header(bytes: Uint8Array): Vp8Header | null {
  const tag = bytes[0];
  if (tag === undefined) return null;
  if ((tag & 1) === 1) return { isKeyFrame: false };
  const [, , , code0, code1, code2, widthLow = 0, widthHigh = 0, heightLow = 0, heightHigh] = bytes;
  if (heightHigh === undefined || code0 !== 0x9d || code1 !== 0x01 || code2 !== 0x2a) return null;
  // The upper two bits of each ask for scaling, which browsers leave out as well.
  const width = widthLow | ((widthHigh & 0x3f) << 8);
  const height = heightLow | ((heightHigh & 0x3f) << 8);
  return width === 0 || height === 0 ? null : { isKeyFrame: true, width, height };
}

export function vp8Config(width: number, height: number): VideoTrackConfig {
  return {
    kind: 'video',
    codec: 'vp8',
    sampleEntry: 'vp08',
    description: vpCodecConfiguration({ profile: 0, level: 0, bitDepth: 8, subsampling: 1, isFullRange: false }),
    width,
    height,
    pixelAspect: [1, 1],
    frameRate: null,
    reorderDepth: 0,
  };
}
