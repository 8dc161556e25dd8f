import type { AccessUnit } from '../codec/access-unit.js';

/**
 * Access units → a media fragment: `moof` and `mdat` (ISO/IEC 14496-12, 8.8). This runs once for every frame, so the
 * size is computed first, memory is taken once, and each media byte is copied once.
 */

/** One sample of a fragment. */
export interface FragmentSample {
  readonly unit: AccessUnit;
  /** In ticks of the track's timescale, whole and not negative. */
  readonly decodeTime: number;
  /** In the same ticks, whole; may be before `decodeTime`. */
  readonly presentationTime: number;
  /** Ticks up to the next sample's decode time, whole; below 2 to the power of 32. */
  readonly duration: number;
}

const BOX_HEADER = 8;
const FULL_BOX_HEADER = 12;
const MFHD_SIZE = FULL_BOX_HEADER + 4;
const TFHD_SIZE = FULL_BOX_HEADER + 4;
const TFDT_SIZE = FULL_BOX_HEADER + 8;
const TRUN_HEADER = FULL_BOX_HEADER + 8;

const TFHD_DEFAULT_BASE_IS_MOOF = 0x02_0000;
const TRUN_DATA_OFFSET = 0x001;
const TRUN_DURATION = 0x100;
const TRUN_SIZE = 0x200;
const TRUN_FLAGS = 0x400;
const TRUN_COMPOSITION_OFFSET = 0x800;

/** sample_depends_on 2: on no other. */
const SYNC_SAMPLE = 0x0200_0000;
/** sample_depends_on 1: on others; sample_is_non_sync_sample. */
const NON_SYNC_SAMPLE = 0x0101_0000;

/**
 * Writes a fragment of one track.
 * @param sequenceNumber - counts the fragments of a file, from 1
 * @param samples - in decode order, at least one. Each one's decode time but the first's is implied by the durations of
 *   those before it.
 */
export function writeFragment(
  sequenceNumber: number,
  trackId: number,
  samples: readonly FragmentSample[],
): Uint8Array<ArrayBuffer> {
  let dataBytes = 0;
  let hasOffsets = false;
  for (const sample of samples) {
    dataBytes += sample.unit.byteLength;
    if (sample.presentationTime !== sample.decodeTime) hasOffsets = true;
  }
  const trunSize = TRUN_HEADER + samples.length * (hasOffsets ? 16 : 12);
  const trafSize = BOX_HEADER + TFHD_SIZE + TFDT_SIZE + trunSize;
  const moofSize = BOX_HEADER + MFHD_SIZE + trafSize;
  const mdatSize = BOX_HEADER + dataBytes;

  const bytes = new Uint8Array(moofSize + mdatSize);
  const fields = new FieldWriter(bytes);
  fields.box(moofSize, MOOF);

  fields.fullBox(MFHD_SIZE, MFHD, 0, 0);
  fields.uint32(sequenceNumber); // sequence_number

  fields.box(trafSize, TRAF);

  fields.fullBox(TFHD_SIZE, TFHD, 0, TFHD_DEFAULT_BASE_IS_MOOF);
  fields.uint32(trackId); // track_ID

  fields.fullBox(TFDT_SIZE, TFDT, 1, 0);
  fields.uint64(samples[0]?.decodeTime ?? 0); // baseMediaDecodeTime

  const perSample = TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | (hasOffsets ? TRUN_COMPOSITION_OFFSET : 0);
  fields.fullBox(trunSize, TRUN, 1, TRUN_DATA_OFFSET | perSample);
  fields.uint32(samples.length); // sample_count
  fields.uint32(moofSize + BOX_HEADER); // data_offset
  for (const { unit, decodeTime, presentationTime, duration } of samples) {
    fields.uint32(duration); // sample_duration
    fields.uint32(unit.byteLength); // sample_size
    fields.uint32(unit.isKeyFrame ? SYNC_SAMPLE : NON_SYNC_SAMPLE); // sample_flags
    if (hasOffsets) fields.uint32(presentationTime - decodeTime); // sample_composition_time_offset, signed
  }

  fields.box(mdatSize, MDAT);
  for (const { unit } of samples) fields.pieces(unit.pieces);
  return bytes;
}

/** Writes one field after the other into memory that is there already. */
class FieldWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  box(size: number, type: number): void {
    this.uint32(size);
    this.uint32(type);
  }

  fullBox(size: number, type: number, version: number, flags: number): void {
    this.box(size, type);
    this.uint32((version << 24) | flags);
  }

  /** Also takes negative numbers, in two's complement. */
  uint32(value: number): void {
    this.#view.setUint32(this.#position, value);
    this.#position += 4;
  }

  uint64(value: number): void {
    this.uint32(Math.floor(value / 2 ** 32));
    this.uint32(value);
  }

  pieces(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.#bytes.set(piece, this.#position);
      this.#position += piece.length;
    }
  }
}

const MOOF = boxType('moof');
const MFHD = boxType('mfhd');
const TRAF = boxType('traf');
const TFHD = boxType('tfhd');
const TFDT = boxType('tfdt');
const TRUN = boxType('trun');
const MDAT = boxType('mdat');

/** The four characters of a box type as one number. */
function boxType(type: string): number {
  let value = 0;
  for (let index = 0; index < 4; index++) value = value * 256 + type.charCodeAt(index);
  return value;
}
