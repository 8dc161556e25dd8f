import { BitReader } from './bit-reader.js';
import { withoutReordering } from './bitstream-restriction.js';
import type { SliceSyntax } from './h264-slice-header.js';
import { neverReorders, parseSps, reorderDepth, type Sps } from './h264-sps.js';
import { unescapeNalUnit } from './nal-unit.js';
import { equalBytes, parameterSetsFromDescription, trimParameterSet } from './parameter-set-bytes.js';
import { findSeiMessage, SEI_RECOVERY_POINT } from './sei.js';
import type { VideoTrackConfig } from './track-config.js';

/**
 * H.264 NAL units (ITU-T H.264, 7.3 and Table 7-1) and the decoder configuration made of their parameter sets
 * (ISO/IEC 14496-15, 5.3.3).
 */

/** nal_unit_type (Table 7-1). */
export const H264NalType = {
  slice: 1,
  partitionA: 2,
  partitionB: 3,
  partitionC: 4,
  idrSlice: 5,
  sei: 6,
  sps: 7,
  pps: 8,
  accessUnitDelimiter: 9,
  endOfSequence: 10,
  endOfStream: 11,
  fillerData: 12,
} as const;

/** The start of a slice header (7.3.3). */
export interface SliceStart {
  readonly firstMb: number;
  /** Whether the slice is of type I or SI. */
  readonly isIntra: boolean;
  readonly ppsId: number;
}

/** RBSP bytes that hold first_mb_in_slice, slice_type and pic_parameter_set_id at their longest. */
const SLICE_START_BYTES = 16;

/**
 * Reads the start of a slice header.
 * @param bytes - what follows the NAL unit header; the first 24 bytes are enough
 */
export function parseSliceStart(bytes: Uint8Array): SliceStart | null {
  const bits = new BitReader(unescapeNalUnit(bytes, SLICE_START_BYTES));
  const firstMb = bits.unsignedExpGolomb();
  const sliceType = bits.unsignedExpGolomb();
  const ppsId = bits.unsignedExpGolomb();
  if (bits.overrun || sliceType > 9 || ppsId > 255) return null;
  return { firstMb, isIntra: sliceType % 5 === 2 || sliceType % 5 === 4, ppsId };
}

/** Whether first_mb_in_slice is 0, which is a single bit: the first slice of a picture, as a rule. */
export function isFirstSlice(firstByteAfterHeader: number | undefined): boolean {
  return firstByteAfterHeader !== undefined && firstByteAfterHeader >= 0x80;
}

/** The start of a picture parameter set (7.3.2.2). */
export interface PpsStart {
  readonly id: number;
  readonly spsId: number;
  /** bottom_field_pic_order_in_frame_present_flag. */
  readonly hasBottomFieldOrder: boolean;
}

/** Reads the start of a picture parameter set; null when it is cut short. */
export function parsePpsStart(nalUnit: Uint8Array): PpsStart | null {
  const bits = new BitReader(unescapeNalUnit(nalUnit, 1 + SLICE_START_BYTES));
  bits.skip(8);
  const id = bits.unsignedExpGolomb();
  const spsId = bits.unsignedExpGolomb();
  bits.skip(1); // entropy_coding_mode_flag
  const hasBottomFieldOrder = bits.flag();
  if (bits.overrun || id > 255 || spsId > 31) return null;
  return { id, spsId, hasBottomFieldOrder };
}

/**
 * Looks for a recovery point (D.1.8) in an SEI NAL unit.
 * @returns recovery_frame_cnt: frames from here to the first right picture; null without a recovery point
 */
export function parseRecoveryPoint(nalUnit: Uint8Array): number | null {
  const message = findSeiMessage(nalUnit, 1, SEI_RECOVERY_POINT);
  if (message === null) return null;
  const bits = new BitReader(message);
  const frames = bits.unsignedExpGolomb();
  return bits.overrun || frames > 0xffff ? null : frames;
}

/** RFC 6381 codec string: `avc1.` with profile, constraint flags and level in hexadecimal. */
export function avcCodecString(sps: Sps): string {
  const hex = [sps.profileIdc, sps.constraintFlags, sps.levelIdc].map((byte) => byte.toString(16).padStart(2, '0'));
  return `avc1.${hex.join('').toUpperCase()}`;
}

/**
 * The track configuration for one sequence parameter set and the picture parameter sets that go with it.
 * @param spsNalUnit - stored in the configuration; `sps` is its content
 * @param depth - frames that the decoder must hold back for reordering
 */
export function avcTrackConfig(
  sps: Sps,
  spsNalUnit: Uint8Array,
  ppsNalUnits: readonly Uint8Array[],
  depth = reorderDepth(sps),
): VideoTrackConfig {
  return {
    kind: 'video',
    codec: avcCodecString(sps),
    sampleEntry: 'avc1',
    description: avcDecoderConfiguration(sps, spsNalUnit, ppsNalUnits),
    width: sps.width,
    height: sps.height,
    pixelAspect: sps.pixelAspect,
    frameRate: sps.frameRate,
    reorderDepth: depth,
  };
}

/** Profiles whose AVCDecoderConfigurationRecord ends with chroma format and bit depths (ISO/IEC 14496-15, 5.3.3.1.2). */
const profilesWithExtension: ReadonlySet<number> = new Set([100, 110, 122, 144, 244, 44]);

/** AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), with NAL unit lengths of 4 bytes. */
function avcDecoderConfiguration(sps: Sps, spsNalUnit: Uint8Array, ppsNalUnits: readonly Uint8Array[]): Uint8Array {
  const bytes: number[] = [
    1, // configurationVersion
    sps.profileIdc, // AVCProfileIndication
    sps.constraintFlags, // profile_compatibility
    sps.levelIdc, // AVCLevelIndication
    0xfc | 3, // reserved, lengthSizeMinusOne
    0xe0 | 1, // reserved, numOfSequenceParameterSets
    spsNalUnit.length >> 8,
    spsNalUnit.length & 0xff,
    ...spsNalUnit,
    ppsNalUnits.length, // numOfPictureParameterSets
  ];
  for (const pps of ppsNalUnits) bytes.push(pps.length >> 8, pps.length & 0xff, ...pps);
  if (profilesWithExtension.has(sps.profileIdc)) {
    bytes.push(
      0xfc | sps.chromaFormatIdc, // reserved, chroma_format
      0xf8 | (sps.bitDepthLuma - 8), // reserved, bit_depth_luma_minus8
      0xf8 | (sps.bitDepthChroma - 8), // reserved, bit_depth_chroma_minus8
      0, // numOfSequenceParameterSetExt
    );
  }
  return new Uint8Array(bytes);
}

/** The parameter sets inside an AVCDecoderConfigurationRecord: sequence ones first. Null when it is cut short. */
export function parameterSetsOf(description: Uint8Array): Uint8Array[] | null {
  const sets: Uint8Array[] = [];
  let position = 5;
  for (const mask of [0x1f, 0xff]) {
    const count = (description[position++] ?? 0) & mask;
    for (let index = 0; index < count; index++) {
      const length = ((description[position] ?? 0) << 8) | (description[position + 1] ?? 0);
      position += 2;
      if (position + length > description.length) return null;
      sets.push(description.subarray(position, position + length));
      position += length;
    }
  }
  return position > description.length ? null : sets;
}

/** Picture parameter sets that go into one configuration: its count has 8 bits. */
const MAX_PPS_COUNT = 255;

/** Remembers the parameter sets of a stream and makes configurations of them. Later ones replace earlier ones by id. */
export class H264ParameterSets {
  readonly #spsById = new Map<number, { nalUnit: Uint8Array; sps: Sps }>();
  readonly #ppsById = new Map<number, { nalUnit: Uint8Array; start: PpsStart }>();
  /** Grows whenever a set is new or different. */
  #version = 0;
  #configVersion = -1;
  #configSpsId = -1;
  #configIsInOrder = false;
  #config: VideoTrackConfig | null = null;

  /**
   * Takes one SPS or PPS NAL unit.
   * @returns `changed` also for a first one; `invalid` when it cannot be used, and then nothing is remembered
   */
  add(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid' {
    const trimmed = trimParameterSet(nalUnit);
    if (trimmed === null) return 'invalid';
    const type = (nalUnit[0] ?? 0) & 0x1f;
    return type === H264NalType.sps
      ? this.#addSps(trimmed)
      : type === H264NalType.pps
        ? this.#addPps(trimmed)
        : 'invalid';
  }

  /** Whether an SPS or PPS NAL unit only repeats one that is remembered. */
  knows(nalUnit: Uint8Array): boolean {
    const sets = ((nalUnit[0] ?? 0) & 0x1f) === H264NalType.sps ? this.#spsById : this.#ppsById;
    for (const known of sets.values()) if (equalBytes(known.nalUnit, nalUnit)) return true;
    return false;
  }

  #addSps(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid' {
    for (const known of this.#spsById.values()) if (equalBytes(known.nalUnit, nalUnit)) return 'known';
    const sps = parseSps(nalUnit);
    if (sps === null) return 'invalid';
    this.#spsById.set(sps.id, { nalUnit: nalUnit.slice(), sps });
    this.#version++;
    return 'changed';
  }

  #addPps(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid' {
    const start = parsePpsStart(nalUnit);
    if (start === null) return 'invalid';
    const known = this.#ppsById.get(start.id);
    if (known !== undefined && equalBytes(known.nalUnit, nalUnit)) return 'known';
    this.#ppsById.set(start.id, { nalUnit: nalUnit.slice(), start });
    this.#version++;
    return 'changed';
  }

  /** Takes the `sprop-parameter-sets` of a session description (RFC 6184, 8.1): what can be used of it. */
  addFromDescription(text: string): void {
    for (const nalUnit of parameterSetsFromDescription(text)) this.add(nalUnit);
  }

  /** The configuration for the first picture parameter set; null before there is one. */
  get firstConfig(): VideoTrackConfig | null {
    for (const id of this.#ppsById.keys()) return this.configFor(id);
    return null;
  }

  /** The sequence parameter sets. */
  get sequences(): Sps[] {
    return [...this.#spsById.values()].map(({ sps }) => sps);
  }

  /** What slices that name a picture parameter set are read with; null while a set is unknown. */
  syntaxFor(ppsId: number): SliceSyntax | null {
    const pps = this.#ppsById.get(ppsId)?.start;
    const sps = pps === undefined ? undefined : this.#spsById.get(pps.spsId)?.sps;
    return pps === undefined || sps === undefined ? null : { sps, hasBottomFieldOrder: pps.hasBottomFieldOrder };
  }

  /**
   * The configuration for pictures that use a picture parameter set; the same object as long as nothing has changed.
   * @param isInOrder - the pictures have proved not to be reordered, whatever the sequence parameter set leaves open
   * @returns null while the set, or the sequence parameter set that it names, is unknown
   */
  configFor(ppsId: number, isInOrder = false): VideoTrackConfig | null {
    const spsId = this.#ppsById.get(ppsId)?.start.spsId;
    const entry = spsId === undefined ? undefined : this.#spsById.get(spsId);
    if (spsId === undefined || entry === undefined) return null;
    const isSame = this.#configVersion === this.#version && this.#configSpsId === spsId;
    if (isSame && this.#configIsInOrder === isInOrder) return this.#config;
    const ppsIds = [...this.#ppsById.keys()].sort((a, b) => a - b);
    const ppsNalUnits: Uint8Array[] = [];
    for (const id of ppsIds) {
      const pps = this.#ppsById.get(id);
      if (pps?.start.spsId === spsId && ppsNalUnits.length < MAX_PPS_COUNT) ppsNalUnits.push(pps.nalUnit);
    }
    const { sps } = entry;
    // Browsers' hardware decoders hold frames back as long as nothing says that none are reordered.
    const spsNalUnit = isInOrder || neverReorders(sps) ? withoutReordering(sps, entry.nalUnit) : entry.nalUnit;
    const config = avcTrackConfig(sps, spsNalUnit, ppsNalUnits, isInOrder ? 0 : reorderDepth(sps));
    if (this.#config === null || !equalBytes(this.#config.description, config.description)) this.#config = config;
    this.#configVersion = this.#version;
    this.#configSpsId = spsId;
    this.#configIsInOrder = isInOrder;
    return this.#config;
  }
}
