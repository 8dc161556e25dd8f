import { BitReader } from './bit-reader.js';
import type { VideoTrackConfig } from './track-config.js';

/**
 * AV1 open bitstream units (AV1 Bitstream & Decoding Process Specification, 5.3 to 5.5), and the track configuration made
 * of a sequence header (AV1 Codec ISO Media File Format Binding, 2.3 and 5).
 */

/** obu_type (6.2.2). */
export const ObuType = {
  sequenceHeader: 1,
  temporalDelimiter: 2,
  frameHeader: 3,
  tileGroup: 4,
  metadata: 5,
  frame: 6,
  redundantFrameHeader: 7,
  tileList: 8,
  padding: 15,
} as const;

/** Bits of the first header byte (5.3.2). */
export const OBU_FORBIDDEN = 0x80;
export const OBU_HAS_EXTENSION = 0x04;
export const OBU_HAS_SIZE = 0x02;

/** obu_type, by the first byte of an OBU. */
export function obuTypeOf(firstByte: number): number {
  return (firstByte >>> 3) & 0x0f;
}

/** Bytes that leb128 takes for sizes up to 2 to the power of 28, which is more than anybody keeps. */
const MAX_LEB128_BYTES = 4;

/**
 * Reads an unsigned number in groups of 7 bits, lowest first: leb128() (4.10.5). One that takes more than 4 bytes is
 * refused, unless zeros fill it up to the 8 that are allowed.
 */
export function readLeb128(bytes: Uint8Array, from: number): { readonly value: number; readonly next: number } | null {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[from + index];
    if (byte === undefined) return null;
    if (index < MAX_LEB128_BYTES) value += (byte & 0x7f) * 2 ** (7 * index);
    else if ((byte & 0x7f) !== 0) return null;
    if ((byte & 0x80) === 0) return { value, next: from + index + 1 };
  }
  return null;
}

/** An unsigned number below 2 to the power of 28 as leb128. */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** Whether a frame is a key frame that is shown, by the first byte of its header (5.9.2): decoding can start there. */
export function isShownKeyFrame(firstByteOfFrameHeader: number, sequence: Av1SequenceHeader): boolean {
  // show_existing_frame 0, frame_type KEY_FRAME, show_frame 1; a reduced header says none of it.
  return sequence.isReducedStillPicture || firstByteOfFrameHeader >>> 4 === 0b0001;
}

/** The parts of a sequence header that players need. */
export interface Av1SequenceHeader {
  readonly profile: number;
  /** seq_level_idx of operating point 0. */
  readonly levelIdx: number;
  /** seq_tier of operating point 0. */
  readonly tier: number;
  readonly isReducedStillPicture: boolean;
  /** The largest frame, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Frames a second where they come at equal intervals, or null. */
  readonly frameRate: number | null;
  readonly bitDepth: number;
  readonly isMonochrome: boolean;
  readonly subsamplingX: boolean;
  readonly subsamplingY: boolean;
  readonly chromaSamplePosition: number;
}

/**
 * Reads a sequence header OBU's payload (5.5).
 * @returns null when it is cut short or says what no stream can mean
 */
export function parseAv1SequenceHeader(payload: Uint8Array): Av1SequenceHeader | null {
  const bits = new BitReader(payload);
  const profile = bits.unsigned(3);
  bits.skip(1); // still_picture
  const isReducedStillPicture = bits.flag();
  if (profile > 2) return null;
  const { levelIdx, tier, frameRate } = isReducedStillPicture
    ? { levelIdx: bits.unsigned(5), tier: 0, frameRate: null }
    : readOperatingPoints(bits);
  const widthBits = bits.unsigned(4) + 1;
  const heightBits = bits.unsigned(4) + 1;
  const width = bits.unsigned(widthBits) + 1;
  const height = bits.unsigned(heightBits) + 1;
  if (!isReducedStillPicture && bits.flag()) bits.skip(7); // delta_frame_id_length_minus_2, additional…_minus_1
  bits.skip(3); // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
  if (!isReducedStillPicture) skipTools(bits);
  bits.skip(3); // enable_superres, enable_cdef, enable_restoration
  const colours = readColourConfig(bits, profile);
  if (bits.overrun) return null;
  return { profile, levelIdx, tier, isReducedStillPicture, width, height, frameRate, ...colours };
}

/** Timing and operating points; of the latter the first one counts. */
function readOperatingPoints(bits: BitReader): Pick<Av1SequenceHeader, 'levelIdx' | 'tier' | 'frameRate'> {
  let frameRate: number | null = null;
  let hasDecoderModel = false;
  let delayBits = 0;
  if (bits.flag()) {
    const unitsInTick = bits.unsigned(32); // num_units_in_display_tick
    const timeScale = bits.unsigned(32);
    if (bits.flag()) {
      // equal_picture_interval: num_ticks_per_picture_minus_1, in the code that Exp-Golomb is here.
      const ticks = bits.unsignedExpGolomb() + 1;
      if (unitsInTick > 0 && timeScale > 0) frameRate = timeScale / (unitsInTick * ticks);
    }
    hasDecoderModel = bits.flag();
    if (hasDecoderModel) {
      delayBits = bits.unsigned(5) + 1; // buffer_delay_length_minus_1
      bits.skip(42); // num_units_in_decoding_tick, buffer_removal_time_length_minus_1, frame_presentation_…_minus_1
    }
  }
  const hasDisplayDelay = bits.flag(); // initial_display_delay_present_flag
  const count = bits.unsigned(5) + 1; // operating_points_cnt_minus_1
  let first: { levelIdx: number; tier: number } | null = null;
  for (let point = 0; point < count; point++) {
    bits.skip(12); // operating_point_idc
    const levelIdx = bits.unsigned(5);
    const tier = levelIdx > 7 ? bits.unsigned(1) : 0;
    first ??= { levelIdx, tier };
    // decoder_buffer_delay, encoder_buffer_delay, low_delay_mode_flag
    if (hasDecoderModel && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasDisplayDelay && bits.flag()) bits.skip(4); // initial_display_delay_minus_1
  }
  return { levelIdx: first?.levelIdx ?? 0, tier: first?.tier ?? 0, frameRate };
}

/** Coding tools that a reduced header leaves out. */
function skipTools(bits: BitReader): void {
  bits.skip(4); // enable_interintra_compound to enable_dual_filter
  const hasOrderHint = bits.flag();
  if (hasOrderHint) bits.skip(2); // enable_jnt_comp, enable_ref_frame_mvs
  // seq_choose_screen_content_tools: else the tools are on or off, by seq_force_screen_content_tools.
  const mayHaveScreenContent = bits.flag() || bits.flag();
  if (mayHaveScreenContent && !bits.flag()) bits.skip(1); // seq_choose_integer_mv, seq_force_integer_mv
  if (hasOrderHint) bits.skip(3); // order_hint_bits_minus_1
}

/** Values of colour_primaries, transfer_characteristics and matrix_coefficients that mean sRGB (5.5.2). */
const SRGB = 0x01_0d_00;

type ColourConfig = Pick<
  Av1SequenceHeader,
  'bitDepth' | 'isMonochrome' | 'subsamplingX' | 'subsamplingY' | 'chromaSamplePosition'
>;

/** color_config() (5.5.2), up to what the configuration record needs. */
function readColourConfig(bits: BitReader, profile: number): ColourConfig {
  const isHighBitDepth = bits.flag();
  const isTwelveBit = profile === 2 && isHighBitDepth && bits.flag();
  const bitDepth = isTwelveBit ? 12 : isHighBitDepth ? 10 : 8;
  const isMonochrome = profile !== 1 && bits.flag();
  const description = bits.flag() ? bits.unsigned(24) : null;
  if (isMonochrome) {
    return { bitDepth, isMonochrome, subsamplingX: true, subsamplingY: true, chromaSamplePosition: 0 };
  }
  if (description === SRGB) {
    return { bitDepth, isMonochrome, subsamplingX: false, subsamplingY: false, chromaSamplePosition: 0 };
  }
  bits.skip(1); // color_range
  let subsamplingX = profile !== 1;
  let subsamplingY = profile === 0;
  if (isTwelveBit) {
    subsamplingX = bits.flag();
    subsamplingY = subsamplingX && bits.flag();
  }
  const chromaSamplePosition = subsamplingX && subsamplingY ? bits.unsigned(2) : 0;
  return { bitDepth, isMonochrome, subsamplingX, subsamplingY, chromaSamplePosition };
}

/** RFC 6381 codec string: `av01.` with profile, level and tier, and bit depth (`av01.0.04M.08`). */
export function av1CodecString({ profile, levelIdx, tier, bitDepth }: Av1SequenceHeader): string {
  const level = `${levelIdx}`.padStart(2, '0');
  return `av01.${profile}.${level}${tier === 1 ? 'H' : 'M'}.${`${bitDepth}`.padStart(2, '0')}`;
}

/**
 * The track configuration for a sequence header.
 * @param payload - of its OBU, without header and size; stored in the configuration, `sequence` is its content
 */
export function av1TrackConfig(sequence: Av1SequenceHeader, payload: Uint8Array): VideoTrackConfig {
  return {
    kind: 'video',
    codec: av1CodecString(sequence),
    sampleEntry: 'av01',
    description: av1Configuration(sequence, payload),
    width: sequence.width,
    height: sequence.height,
    pixelAspect: [1, 1],
    frameRate: sequence.frameRate,
    // Of each temporal unit one frame is shown: what is reordered is reordered inside the units.
    reorderDepth: 0,
  };
}

/** AV1CodecConfigurationRecord, the body of `av1C` (2.3.3). */
function av1Configuration(sequence: Av1SequenceHeader, payload: Uint8Array): Uint8Array {
  const { profile, levelIdx, tier, bitDepth, isMonochrome, subsamplingX, subsamplingY } = sequence;
  return Uint8Array.of(
    0x81, // marker, version
    (profile << 5) | levelIdx,
    (tier << 7) |
      (bitDepth > 8 ? 0x40 : 0) | // high_bitdepth
      (bitDepth === 12 ? 0x20 : 0) | // twelve_bit
      (isMonochrome ? 0x10 : 0) |
      (subsamplingX ? 0x08 : 0) |
      (subsamplingY ? 0x04 : 0) |
      sequence.chromaSamplePosition,
    0, // reserved, initial_presentation_delay_present
    ...sequenceHeaderObu(payload), // configOBUs
  );
}

/** A sequence header as an OBU with a size. */
export function sequenceHeaderObu(payload: Uint8Array): Uint8Array {
  return Uint8Array.of((ObuType.sequenceHeader << 3) | OBU_HAS_SIZE, ...leb128(payload.length), ...payload);
}
