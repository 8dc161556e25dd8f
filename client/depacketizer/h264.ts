import type { MediaFormat } from '../../shared/session-description.js';
import { H264NalType, H264ParameterSets, isFirstSlice, parseRecoveryPoint, parseSliceStart } from '../codec/h264.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler } from './depacketizer.js';
import { NalUnitDepacketizer, type NalUnitRole } from './nal-unit-depacketizer.js';
import { type NalUnit, type NalUnitPayloadFormat, NalUnitPayloadReader, wholeNalUnit } from './nal-unit-payload.js';
import { PictureInProgress } from './picture-in-progress.js';

/** NAL unit types up to here travel as themselves; the rest, up to the reserved ones, belongs to interleaved mode. */
const LAST_SINGLE = 23;
const FIRST_RESERVED = 30;

/** RFC 6184, 5.2: single NAL unit packets, STAP-A (5.7.1) and FU-A (5.8). */
const payloads: NalUnitPayloadFormat = {
  headerBytes: 1,
  typeOf: (firstByte) => firstByte & 0x1f,
  aggregation: 24,
  fragmentation: 28,
  fragmentedHeader: (payload, fuHeader) => Uint8Array.of(((payload[0] ?? 0) & 0xe0) | (fuHeader & 0x1f)),
  accepts(nalUnit) {
    const type = (nalUnit[0] ?? 0) & 0x1f;
    if (type === 0 || type >= FIRST_RESERVED) return 'ignored';
    if (type > LAST_SINGLE) return 'malformed';
    // A header alone is enough for an access unit delimiter and for the ends of sequence and stream.
    return nalUnit.length < 2 && type < H264NalType.accessUnitDelimiter ? 'malformed' : 'ok';
  },
  isShortKind: (type) => type >= H264NalType.sei && type <= H264NalType.accessUnitDelimiter,
};

/**
 * RTP packets → H.264 access units (RFC 6184, packetization modes 0 and 1), as samples of `avc1`.
 */
export class H264Depacketizer extends NalUnitDepacketizer<H264Picture> {
  readonly #parameterSets: H264ParameterSets;
  /** Leading pictures of an open group: to be dropped while their time is before this. */
  #leadingBefore: number | null = null;
  #leadingDropped = 0;

  /** @param format - its `sprop-parameter-sets` serve until the stream brings its own */
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const parameterSets = new H264ParameterSets();
    super((onNalUnit) => new NalUnitPayloadReader(payloads, onNalUnit), parameterSets, onAccessUnit);
    this.#parameterSets = parameterSets;
    const sets = format.parameters.get('sprop-parameter-sets');
    if (sets !== undefined) parameterSets.addFromDescription(sets);
  }

  protected override newPicture(): H264Picture {
    return new H264Picture();
  }

  protected override roleOf(nalUnit: NalUnit): NalUnitRole {
    switch (nalUnit.type) {
      case H264NalType.slice:
      case H264NalType.partitionA:
      case H264NalType.idrSlice:
        return isFirstSlice(nalUnit.body[0]) ? 'first-slice' : 'slice';
      case H264NalType.partitionB:
      case H264NalType.partitionC:
        return 'slice-data';
      case H264NalType.sei:
        return 'sei';
      case H264NalType.sps:
        return 'sequence-parameter-set';
      case H264NalType.pps:
        return 'parameter-set';
      case H264NalType.accessUnitDelimiter:
      case 15: // Subset parameter sets and reserved types up to 18 begin an access unit too (7.4.1.2.3).
      case 16:
      case 17:
      case 18:
        return 'boundary';
      default:
        // Filler, ends of sequences, auxiliary pictures and the layers of SVC and MVC: not for a sample of avc1. A prefix
        // NAL unit (14) stands before every slice of SVC's base layer, so it ends nothing.
        return 'nothing';
    }
  }

  protected override configOf(picture: H264Picture): VideoTrackConfig | null {
    const slice = picture.firstSlice === null ? null : parseSliceStart(picture.firstSlice.body);
    return slice === null ? null : this.#parameterSets.configFor(slice.ppsId);
  }

  protected override onStart(picture: H264Picture): void {
    this.#leadingBefore = picture.isIdr ? null : picture.time;
    this.#leadingDropped = 0;
  }

  /** After a start inside an open group of pictures, those shown before its first one refer to what never came. */
  protected override isUndecodable({ time }: H264Picture): boolean {
    if (this.#leadingBefore === null || time === this.#leadingBefore) return false;
    if (time < this.#leadingBefore && this.#leadingDropped < MAX_LEADING_PICTURES) {
      this.#leadingDropped++;
      return true;
    }
    this.#leadingBefore = null;
    return false;
  }

  protected override complete(picture: H264Picture): void {
    if (picture.isKeyFrame && !picture.isIdr && picture.recoveryFrames !== 0) picture.declareEntryPoint();
  }
}

/** Pictures that can be reordered before one: the decoded picture buffer holds 16 frames. */
const MAX_LEADING_PICTURES = 16;

/** SEI NAL unit behind its length: a recovery point with recovery_frame_cnt 0 and all flags 0 (D.1.8). */
const ENTRY_POINT = Uint8Array.of(0, 0, 0, 5, H264NalType.sei, 6, 1, 0x84, 0x80);

class H264Picture extends PictureInProgress {
  isIdr = false;
  /** recovery_frame_cnt of a recovery point SEI, or null. */
  recoveryFrames: number | null = null;
  #isIntra = true;

  override addSlice(nalUnit: NalUnit): void {
    super.addSlice(nalUnit);
    if (nalUnit.type === H264NalType.idrSlice) this.isIdr = true;
    else if (this.#isIntra && this.#mayBeEntryPoint) this.#isIntra = parseSliceStart(nalUnit.body)?.isIntra ?? false;
  }

  override addSei(nalUnit: NalUnit): void {
    this.recoveryFrames ??= parseRecoveryPoint(wholeNalUnit(nalUnit));
  }

  get #mayBeEntryPoint(): boolean {
    return this.hasSps || this.recoveryFrames !== null;
  }

  /**
   * Whether decoding can start here: an IDR picture; a recovery point, at once (open groups) or in the course of an
   * intra refresh; or an intra picture behind a sequence parameter set, for encoders that send neither.
   */
  get isKeyFrame(): boolean {
    if (this.isIdr) return true;
    if (this.recoveryFrames !== null && this.recoveryFrames > 0) return true;
    return this.#mayBeEntryPoint && this.#isIntra;
  }

  /**
   * Says inside the sample that decoding can start here. Chromium does not believe the container's word for it: it looks
   * for an IDR slice or a recovery point with recovery_frame_cnt 0. One that says more stands behind it and counts for
   * the decoder.
   */
  declareEntryPoint(): void {
    this.pieces.unshift(ENTRY_POINT);
    this.byteLength += ENTRY_POINT.length;
  }
}
