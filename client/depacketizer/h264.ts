import type { MediaFormat } from '../../shared/session-description.js';
import { H264NalType, H264ParameterSets, isFirstSlice, parseRecoveryPoint, parseSliceStart } from '../codec/h264.js';
import type { SliceSyntax } from '../codec/h264-slice-header.js';
import { neverReorders, type Sps } from '../codec/h264-sps.js';
import { LeadingPictures } from '../codec/leading-pictures.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler } from './depacketizer.js';
import type { H264PictureOrdering } from './h264-picture-ordering.js';
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

/** Null until it is loaded: most cameras send frames in the order in which they are shown, and say so. */
let PictureOrdering: typeof H264PictureOrdering | null = null;

async function loadPictureOrdering(): Promise<void> {
  PictureOrdering = (await import('./h264-picture-ordering.js')).H264PictureOrdering;
}

/** Whether pictures may be sent in another order than they are shown in, or field by field. */
function needsOrdering(sps: Sps): boolean {
  return !sps.frameMbsOnly || (!neverReorders(sps) && sps.maxNumReorderFrames !== 0);
}

/** Loads what a stream of this format may need beyond its depacketizer. */
export async function loadH264Depacketizer(format: MediaFormat): Promise<typeof H264Depacketizer> {
  const sets = new H264ParameterSets();
  sets.addFromDescription(format.parameters.get('sprop-parameter-sets') ?? '');
  const isBaseline = format.parameters.get('profile-level-id')?.startsWith('42') === true;
  if (sets.sequences.length === 0 ? !isBaseline : sets.sequences.some(needsOrdering)) await loadPictureOrdering();
  return H264Depacketizer;
}

/**
 * RTP packets → H.264 access units (RFC 6184, packetization modes 0 and 1), as samples of `avc1`.
 *
 * Where the sequence parameter set does not rule reordering out, the slice headers' picture order count tells it. Pictures
 * that prove to be in order without one that says so get a configuration that does, from the next key frame on.
 */
export class H264Depacketizer extends NalUnitDepacketizer<H264Picture> {
  readonly #parameterSets: H264ParameterSets;
  readonly #clockRate: number;
  readonly #leading = new LeadingPictures();
  /** Null while the stream has not called for it. */
  #ordering: H264PictureOrdering | null = null;

  /** @param format - its `sprop-parameter-sets` serve until the stream brings its own */
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const parameterSets = new H264ParameterSets();
    super((onNalUnit) => new NalUnitPayloadReader(payloads, onNalUnit), parameterSets, onAccessUnit);
    this.#parameterSets = parameterSets;
    this.#clockRate = format.clockRate;
    const sets = format.parameters.get('sprop-parameter-sets');
    if (sets !== undefined) parameterSets.addFromDescription(sets);
  }

  override reset(): void {
    super.reset();
    this.#ordering?.reset();
  }

  protected override newPicture(): H264Picture {
    return new H264Picture();
  }

  protected override roleOf(nalUnit: NalUnit): NalUnitRole {
    switch (nalUnit.type) {
      case H264NalType.slice:
      case H264NalType.partitionA:
      case H264NalType.idrSlice:
        return isFirstSlice(nalUnit.body[0]) && !this.#isSecondField(nalUnit) ? 'first-slice' : 'slice';
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
    return slice === null ? null : this.#parameterSets.configFor(slice.ppsId, this.#ordering?.isInOrder ?? false);
  }

  protected override onStart(picture: H264Picture): void {
    if (picture.isIdr) this.#leading.clear();
    else this.#leading.startAt(picture.time);
  }

  /** After a start inside an open group of pictures, those shown before its first one refer to what never came. */
  protected override isUndecodable({ time }: H264Picture): boolean {
    return this.#leading.has(time);
  }

  protected override decodeTimeOf({ firstSlice, time }: H264Picture, begins: boolean): number {
    const syntax = firstSlice === null ? null : this.#syntaxOf(firstSlice);
    return this.#ordering?.decodeTimeOf(firstSlice, syntax, time, begins) ?? time;
  }

  /** Whether a first slice is that of the other field: both are one sample when no marker came between them. */
  #isSecondField(nalUnit: NalUnit): boolean {
    const first = this.openPicture?.firstSlice;
    const syntax = first == null ? null : this.#syntaxOf(nalUnit);
    if (first == null || syntax === null || syntax.sps.frameMbsOnly) return false;
    return this.#ordering?.isSecondField(first, nalUnit, syntax) ?? false;
  }

  /** What a slice is read with; null while a parameter set is missing. A stream that calls for ordering gets it here. */
  #syntaxOf({ body }: NalUnit): SliceSyntax | null {
    const start = parseSliceStart(body);
    const syntax = start === null ? null : this.#parameterSets.syntaxFor(start.ppsId);
    if (this.#ordering !== null || syntax === null || !needsOrdering(syntax.sps)) return syntax;
    if (PictureOrdering !== null) this.#ordering = new PictureOrdering(this.#clockRate);
    // It was not announced. Until it is there, or if it never comes, frames are shown as they come.
    else loadPictureOrdering().catch(() => {});
    return syntax;
  }

  protected override complete(picture: H264Picture): void {
    if (picture.isKeyFrame && !picture.isIdr && picture.recoveryFrames !== 0) picture.declareEntryPoint();
  }
}

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
