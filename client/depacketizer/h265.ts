import type { MediaFormat } from '../../shared/session-description.js';
import { DecodeOrder } from '../codec/decode-order.js';
import {
  H265NalType,
  h265TypeOf,
  hasH265RecoveryPoint,
  isH265Slice,
  isIrap,
  parseH265SliceStart,
} from '../codec/h265.js';
import { H265ParameterSets } from '../codec/h265-parameter-sets.js';
import { H265PictureOrder } from '../codec/h265-picture-order.js';
import type { H265Sps } from '../codec/h265-sps.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler } from './depacketizer.js';
import { NalUnitDepacketizer, type NalUnitRole } from './nal-unit-depacketizer.js';
import {
  headerByteOf,
  type NalUnit,
  type NalUnitPayloadFormat,
  NalUnitPayloadReader,
  wholeNalUnit,
} from './nal-unit-payload.js';
import { PictureInProgress } from './picture-in-progress.js';

const AGGREGATION_PACKET = 48;
const FRAGMENTATION_UNIT = 49;
const PACI = 50;
/** Bytes of the payload header and of the fields behind it (RFC 7798, 4.4.4). */
const PACI_HEADER_BYTES = 4;

/** RFC 7798, 4.4: single NAL unit packets, aggregation packets and fragmentation units. */
const payloads: NalUnitPayloadFormat = {
  headerBytes: 2,
  typeOf: h265TypeOf,
  aggregation: AGGREGATION_PACKET,
  fragmentation: FRAGMENTATION_UNIT,
  fragmentedHeader: ([first = 0, second = 0], fuHeader) =>
    Uint8Array.of((first & 0x81) | ((fuHeader & 0x3f) << 1), second),
  accepts(nalUnit) {
    const [first = 0, second = 0] = nalUnit;
    const type = h265TypeOf(first);
    if (type > PACI) return 'ignored';
    if (type >= AGGREGATION_PACKET) return 'malformed';
    if ((second & 7) === 0) return 'malformed'; // nuh_temporal_id_plus1
    // A header alone is enough for the ends of sequence and bitstream.
    const mayBeEmpty = type === H265NalType.endOfSequence || type === H265NalType.endOfBitstream;
    return nalUnit.length > 2 || mayBeEmpty ? 'ok' : 'malformed';
  },
  isShortKind: (type) => type >= H265NalType.vps && type <= H265NalType.suffixSei,
};

/**
 * RTP packets → H.265 access units (RFC 7798, single stream), as samples of `hvc1`. NAL units of enhancement layers are
 * left out. Streams that send in another order than that of decoding (`sprop-max-don-diff` above 0) are read, but not put
 * in order: no sender is known to do it.
 */
export class H265Depacketizer extends NalUnitDepacketizer<H265Picture> {
  readonly #parameterSets: H265ParameterSets;
  readonly #clockRate: number;
  readonly #decodeOrder: DecodeOrder;
  readonly #pictureOrder = new H265PictureOrder();
  /** What `#decodeOrder` was told last. */
  #sps: H265Sps | null = null;
  /** The next picture is the one at which decoding starts. */
  #isStarting = false;
  /** Leading pictures that refer to some before their IRAP picture cannot be decoded: those never came. */
  #dropsRasl = false;

  /** @param format - its `sprop-vps`, `sprop-sps` and `sprop-pps` serve until the stream brings its own */
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const parameterSets = new H265ParameterSets();
    const hasOrderNumbers = Number(format.parameters.get('sprop-max-don-diff') ?? 0) > 0;
    super((onNalUnit) => new NalUnitPayloadReader(payloads, onNalUnit, hasOrderNumbers), parameterSets, onAccessUnit);
    this.#parameterSets = parameterSets;
    this.#clockRate = format.clockRate;
    this.#decodeOrder = new DecodeOrder(format.clockRate);
    parameterSets.addFromDescription(format.parameters);
  }

  override reset(): void {
    super.reset();
    this.#decodeOrder.reset();
  }

  protected override newPicture(): H265Picture {
    return new H265Picture();
  }

  /** Takes off the control information of a PACI packet, which players have no use for (4.4.4). */
  protected override mediaOf(payload: Uint8Array): Uint8Array {
    const [first = 0, second = 0, fields = 0, sizes = 0] = payload;
    if (h265TypeOf(first) !== PACI) return payload;
    const extensionBytes = ((fields & 1) << 4) | (sizes >>> 4); // PHSsize
    const content = payload.subarray(PACI_HEADER_BYTES + extensionBytes);
    if (content.length === 0) return payload;
    const media = new Uint8Array(2 + content.length);
    media[0] = (fields & 0xfe) | (first & 1); // A and cType in the places of F and Type
    media[1] = second;
    media.set(content, 2);
    return media;
  }

  protected override roleOf(nalUnit: NalUnit): NalUnitRole {
    const { type } = nalUnit;
    // Layers above the base (nuh_layer_id) are not for a sample of hvc1.
    if ((headerByteOf(nalUnit, 0) & 1) !== 0 || headerByteOf(nalUnit, 1) >>> 3 !== 0) return 'nothing';
    if (isH265Slice(type)) return (nalUnit.body[0] ?? 0) >= 0x80 ? 'first-slice' : 'slice';
    switch (type) {
      case H265NalType.prefixSei:
        return 'sei';
      case H265NalType.suffixSei:
        return 'trailer';
      case H265NalType.sps:
        return 'sequence-parameter-set';
      case H265NalType.vps:
      case H265NalType.pps:
        return 'parameter-set';
      case H265NalType.accessUnitDelimiter:
      case 41: // Reserved types up to 44 begin an access unit too (7.4.2.4.4).
      case 42:
      case 43:
      case 44:
        return 'boundary';
      case H265NalType.endOfSequence:
      case H265NalType.endOfBitstream:
        return 'end';
      default:
        return 'nothing'; // filler data, reserved types
    }
  }

  protected override configOf({ firstSlice }: H265Picture): VideoTrackConfig | null {
    if (firstSlice === null) return null;
    const slice = parseH265SliceStart(firstSlice.type, firstSlice.body, (id) => this.#parameterSets.setsFor(id));
    return slice === null ? null : this.#parameterSets.configFor(slice.ppsId);
  }

  protected override onStart(): void {
    this.#isStarting = true;
  }

  protected override isUndecodable(picture: H265Picture): boolean {
    if (this.#isStarting || picture.isIrap) {
      this.#dropsRasl = this.#isStarting || picture.isBrokenLink || picture.followsEnd;
      this.#isStarting = false;
    }
    return this.#dropsRasl && picture.isRasl;
  }

  protected override decodeTimeOf(picture: H265Picture, begins: boolean): number {
    const { firstSlice, time } = picture;
    const setsOf = (id: number) => this.#parameterSets.setsFor(id);
    const start = firstSlice === null ? null : parseH265SliceStart(firstSlice.type, firstSlice.body, setsOf);
    const sps = start === null ? null : (setsOf(start.ppsId)?.sps ?? null);
    if (firstSlice === null || start === null || sps === null) return this.#decodeOrder.next(time, 0, true);
    if (sps !== this.#sps) {
      this.#sps = sps;
      const interval = sps.frameRate === null ? null : this.#clockRate / sps.frameRate;
      this.#decodeOrder.declare(sps.maxReorderPictures, interval);
    }
    if (sps.maxReorderPictures === 0 || start.pictureOrderLsb === null) return this.#decodeOrder.next(time, 0, true);
    const isStart = begins || picture.followsEnd || (picture.isIrap && firstSlice.type < H265NalType.cra);
    const temporalId = (headerByteOf(firstSlice, 1) & 7) - 1;
    const order = this.#pictureOrder.next(
      firstSlice.type,
      temporalId,
      start.pictureOrderLsb,
      sps.pictureOrderBits,
      isStart,
    );
    return this.#decodeOrder.next(time, order, isStart);
  }
}

class H265Picture extends PictureInProgress {
  #hasRecoveryPoint = false;

  override addSei(nalUnit: NalUnit): void {
    this.#hasRecoveryPoint ||= hasH265RecoveryPoint(wholeNalUnit(nalUnit));
  }

  /** BLA, IDR or CRA. */
  get isIrap(): boolean {
    return this.firstSlice !== null && isIrap(this.firstSlice.type);
  }

  /** BLA: what its leading pictures refer to was cut off by the sender. */
  get isBrokenLink(): boolean {
    return this.isIrap && (this.firstSlice?.type ?? 0) <= H265NalType.blaNoLeading;
  }

  /** Random access skipped leading: refers to pictures before its IRAP picture. */
  get isRasl(): boolean {
    return this.firstSlice?.type === H265NalType.raslN || this.firstSlice?.type === H265NalType.raslR;
  }

  /** Whether decoding can start here: an IRAP picture, or a recovery point, for intra refresh. */
  get isKeyFrame(): boolean {
    return this.isIrap || this.#hasRecoveryPoint;
  }
}
