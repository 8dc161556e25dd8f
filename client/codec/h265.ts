import { BitReader } from './bit-reader.js';
import { type H265Sps, readMaxReorderPictures, readProfileTierLevel, readTiming } from './h265-sps.js';
import { hevcDecoderConfiguration } from './hevc-configuration.js';
import { unescapeNalUnit } from './nal-unit.js';
import { findSeiMessage, SEI_RECOVERY_POINT } from './sei.js';
import type { VideoTrackConfig } from './track-config.js';

/**
 * H.265 NAL units (ITU-T H.265, 7.3 and Table 7-1) and the track configuration made of their parameter sets (ISO/IEC
 * 14496-15, 8.3.3 and Annex E).
 */

/** nal_unit_type (Table 7-1). */
export const H265NalType = {
  raslN: 8,
  raslR: 9,
  lastNonIrapSlice: 9,
  firstIrapSlice: 16,
  blaWithLeading: 16,
  blaNoLeading: 18,
  idrWithLeading: 19,
  idrNoLeading: 20,
  cra: 21,
  lastIrapSlice: 21,
  vps: 32,
  sps: 33,
  pps: 34,
  accessUnitDelimiter: 35,
  endOfSequence: 36,
  endOfBitstream: 37,
  fillerData: 38,
  prefixSei: 39,
  suffixSei: 40,
} as const;

/** nal_unit_type, by the first byte of a NAL unit. */
export function h265TypeOf(firstByte: number): number {
  return (firstByte >>> 1) & 0x3f;
}

/** Whether slices of the type belong to a picture at which decoding can start: BLA, IDR or CRA. */
export function isIrap(type: number): boolean {
  return type >= H265NalType.firstIrapSlice && type <= H265NalType.lastIrapSlice;
}

/** Whether the type is that of a coded slice segment; the reserved ones are not, for nobody can decode them. */
export function isH265Slice(type: number): boolean {
  return type <= H265NalType.lastNonIrapSlice || isIrap(type);
}

/** RBSP bytes that hold what is read of a slice header at its longest. */
const SLICE_START_BYTES = 16;

/** What can be read of a first slice segment's header (7.3.6.1) with the parameter sets that it names. */
export interface H265SliceStart {
  readonly ppsId: number;
  /** Whether it is of type I; null without the parameter sets. */
  readonly isIntra: boolean | null;
  /** slice_pic_order_cnt_lsb: 0 for IDR pictures; null without the parameter sets. */
  readonly pictureOrderLsb: number | null;
}

/**
 * Reads the start of the first slice segment of a picture.
 * @param type - its nal_unit_type
 * @param bytes - what follows the NAL unit header; the first 24 bytes are enough
 * @param setsOf - the parameter sets by the picture parameter set's id
 */
export function parseH265SliceStart(
  type: number,
  bytes: Uint8Array,
  setsOf: (ppsId: number) => { readonly pps: H265Pps; readonly sps: H265Sps } | null,
): H265SliceStart | null {
  const bits = new BitReader(unescapeNalUnit(bytes, SLICE_START_BYTES));
  if (!bits.flag()) return null; // first_slice_segment_in_pic_flag
  if (type >= 16 && type <= 23) bits.skip(1); // no_output_of_prior_pics_flag
  const ppsId = bits.unsignedExpGolomb();
  if (bits.overrun || ppsId > 63) return null;
  const sets = setsOf(ppsId);
  if (sets === null) return { ppsId, isIntra: null, pictureOrderLsb: null };
  bits.skip(sets.pps.extraSliceHeaderBits); // slice_reserved_flag
  const sliceType = bits.unsignedExpGolomb();
  if (sets.pps.hasOutputFlag) bits.skip(1); // pic_output_flag
  if (sets.sps.hasSeparateColourPlanes) bits.skip(2); // colour_plane_id
  const isIdr = type === H265NalType.idrWithLeading || type === H265NalType.idrNoLeading;
  const pictureOrderLsb = isIdr ? 0 : bits.unsigned(sets.sps.pictureOrderBits);
  if (bits.overrun || sliceType > 2) return null;
  return { ppsId, isIntra: sliceType === 2, pictureOrderLsb };
}

/** The parts of a picture parameter set that the start of a slice header depends on (7.3.2.3.1). */
export interface H265Pps {
  readonly id: number;
  readonly spsId: number;
  readonly hasOutputFlag: boolean;
  readonly extraSliceHeaderBits: number;
}

export function parseH265Pps(nalUnit: Uint8Array): H265Pps | null {
  const bits = new BitReader(unescapeNalUnit(nalUnit, 2 + SLICE_START_BYTES));
  bits.skip(16); // NAL unit header
  const id = bits.unsignedExpGolomb();
  const spsId = bits.unsignedExpGolomb();
  bits.skip(1); // dependent_slice_segments_enabled_flag
  const hasOutputFlag = bits.flag();
  const extraSliceHeaderBits = bits.unsigned(3);
  if (bits.overrun || id > 63 || spsId > 15) return null;
  return { id, spsId, hasOutputFlag, extraSliceHeaderBits };
}

/** The parts of a video parameter set that players need (7.3.2.1). */
export interface H265Vps {
  readonly id: number;
  /** Pictures a second, for sequence parameter sets that do not say; null where this one does not either. */
  readonly frameRate: number | null;
}

/** vps_num_layer_sets_minus1 + 1 at most. */
const MAX_LAYER_SETS = 1_024;

/** Reads a video parameter set; one of which only the beginning can be read is good enough. */
export function parseH265Vps(nalUnit: Uint8Array): H265Vps | null {
  const bits = new BitReader(unescapeNalUnit(nalUnit));
  bits.skip(16); // NAL unit header
  const id = bits.unsigned(4);
  bits.skip(8); // vps_base_layer_internal_flag, vps_base_layer_available_flag, vps_max_layers_minus1
  const maxSubLayers = bits.unsigned(3) + 1;
  if (bits.overrun || maxSubLayers > 7) return null;
  bits.skip(17); // vps_temporal_id_nesting_flag, vps_reserved_0xffff_16bits
  readProfileTierLevel(bits, maxSubLayers);
  readMaxReorderPictures(bits, maxSubLayers); // in the VPS as in the SPS
  const maxLayerId = bits.unsigned(6);
  const layerSets = bits.unsignedExpGolomb() + 1;
  if (layerSets > MAX_LAYER_SETS) return { id, frameRate: null };
  bits.skip((layerSets - 1) * (maxLayerId + 1)); // layer_id_included_flag
  const frameRate = bits.flag() ? readTiming(bits) : null; // vps_timing_info_present_flag
  return { id, frameRate: bits.overrun ? null : frameRate };
}

/** Whether a prefix SEI NAL unit has a recovery point (D.2.8): decoding may start, at once or in an intra refresh. */
export function hasH265RecoveryPoint(nalUnit: Uint8Array): boolean {
  const message = findSeiMessage(nalUnit, 2, SEI_RECOVERY_POINT);
  return message !== null && message.length > 0;
}

/** RFC 6381 codec string, as ISO/IEC 14496-15, Annex E, has it: `hvc1.1.6.L93.B0`. */
export function hevcCodecString(sps: H265Sps): string {
  const { profileSpace, tierFlag, profileIdc, compatibilityFlags, constraintFlags, levelIdc } = sps.profileTierLevel;
  const space = ['', 'A', 'B', 'C'][profileSpace] ?? '';
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) if ((compatibilityFlags & (1 << bit)) !== 0) reversed += 2 ** (31 - bit);
  const constraints = [...constraintFlags];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    'hvc1',
    `${space}${profileIdc}`,
    hex(reversed),
    `${tierFlag ? 'H' : 'L'}${levelIdc}`,
    ...constraints.map(hex),
  ].join('.');
}

function hex(value: number): string {
  return value.toString(16).toUpperCase();
}

/**
 * The track configuration for one sequence parameter set and those that go with it.
 * @param nalUnits - the sets as they are stored in the configuration; `sps` is the content of the sequence one
 */
export function hevcTrackConfig(
  sps: H265Sps,
  vps: H265Vps,
  nalUnits: { readonly vps: Uint8Array; readonly sps: Uint8Array; readonly pps: readonly Uint8Array[] },
): VideoTrackConfig {
  return {
    kind: 'video',
    codec: hevcCodecString(sps),
    sampleEntry: 'hvc1',
    description: hevcDecoderConfiguration(sps, [
      { type: H265NalType.vps, nalUnits: [nalUnits.vps] },
      { type: H265NalType.sps, nalUnits: [nalUnits.sps] },
      { type: H265NalType.pps, nalUnits: nalUnits.pps },
    ]),
    width: sps.width,
    height: sps.height,
    pixelAspect: sps.pixelAspect,
    frameRate: sps.frameRate ?? vps.frameRate,
    reorderDepth: sps.maxReorderPictures,
  };
}
