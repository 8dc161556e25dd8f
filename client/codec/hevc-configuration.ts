import type { H265Sps } from './h265-sps.js';

/** HEVCDecoderConfigurationRecord, the body of `hvcC` (ISO/IEC 14496-15, 8.3.3.1): written, and its sets read back. */

/** Bytes before the arrays of parameter sets, numOfArrays included. */
const FIXED_BYTES = 23;
const ARRAY_COMPLETE = 0x80;

/** Writes the record, with NAL unit lengths of 4 bytes. All sets are in it, as `hvc1` asks for. */
export function hevcDecoderConfiguration(
  sps: H265Sps,
  arrays: readonly { readonly type: number; readonly nalUnits: readonly Uint8Array[] }[],
): Uint8Array {
  const { profileSpace, tierFlag, profileIdc, compatibilityFlags, constraintFlags, levelIdc } = sps.profileTierLevel;
  const bytes: number[] = [
    1, // configurationVersion
    (profileSpace << 6) | (tierFlag ? 0x20 : 0) | profileIdc,
    compatibilityFlags >>> 24, // general_profile_compatibility_flags
    (compatibilityFlags >>> 16) & 0xff,
    (compatibilityFlags >>> 8) & 0xff,
    compatibilityFlags & 0xff,
    ...constraintFlags, // general_constraint_indicator_flags
    levelIdc, // general_level_idc
    0xf0, // reserved, min_spatial_segmentation_idc: no promise
    0,
    0xfc, // reserved, parallelismType: unknown
    0xfc | sps.chromaFormatIdc, // reserved, chroma_format_idc
    0xf8 | ((sps.bitDepthLuma - 8) & 7), // reserved, bit_depth_luma_minus8
    0xf8 | ((sps.bitDepthChroma - 8) & 7), // reserved, bit_depth_chroma_minus8
    0, // avgFrameRate: unspecified
    0,
    (sps.maxSubLayers << 3) | (sps.isTemporalIdNested ? 4 : 0) | 3, // constantFrameRate, …, lengthSizeMinusOne
    arrays.length, // numOfArrays
  ];
  for (const { type, nalUnits } of arrays) {
    bytes.push(ARRAY_COMPLETE | type, nalUnits.length >> 8, nalUnits.length & 0xff);
    for (const nalUnit of nalUnits) bytes.push(nalUnit.length >> 8, nalUnit.length & 0xff, ...nalUnit);
  }
  return Uint8Array.from(bytes);
}

/** The parameter sets inside the record, in its order. Null when it is cut short. */
export function hevcParameterSetsOf(description: Uint8Array): Uint8Array[] | null {
  const sets: Uint8Array[] = [];
  let position = FIXED_BYTES;
  const uint16 = () => ((description[position++] ?? 0) << 8) | (description[position++] ?? 0);
  for (let array = description[FIXED_BYTES - 1] ?? 0; array > 0; array--) {
    position++; // array_completeness, NAL_unit_type
    for (let count = uint16(); count > 0; count--) {
      const length = uint16();
      if (position + length > description.length) return null;
      sets.push(description.subarray(position, position + length));
      position += length;
    }
  }
  return position > description.length ? null : sets;
}
