/** What MP4 says of VP8 and VP9 streams (VP Codec ISO Media File Format Binding, VPCodecConfigurationRecord). */

/** H.273's number for what the container does not say: the bitstream does. */
const UNSPECIFIED = 2;

/** Body of the `vpcC` box, which VP8 and VP9 share. */
export function vpCodecConfiguration(fields: {
  profile: number;
  level: number;
  bitDepth: number;
  subsampling: number;
  isFullRange: boolean;
}): Uint8Array {
  return Uint8Array.of(
    1, // version
    0, // flags
    0,
    0,
    fields.profile, // profile
    fields.level, // level
    (fields.bitDepth << 4) | (fields.subsampling << 1) | (fields.isFullRange ? 1 : 0), // bitDepth, chromaSubsampling, videoFullRangeFlag
    UNSPECIFIED, // colourPrimaries
    UNSPECIFIED, // transferCharacteristics
    UNSPECIFIED, // matrixCoefficients
    0, // codecInitializationDataSize
    0,
  );
}
