import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS, MAX_NAL_UNITS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { DecodeOrder } from '../codec/decode-order.js';
import { H264NalType, H264ParameterSets, isFirstSlice, parseRecoveryPoint, parseSliceStart } from '../codec/h264.js';
import { H264PictureOrder } from '../codec/h264-picture-order.js';
import { isSecondField, parseSliceHeader, type SliceHeader, type SliceSyntax } from '../codec/h264-slice-header.js';
import { neverReorders, type Sps } from '../codec/h264-sps.js';
import { LeadingPictures } from '../codec/leading-pictures.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { H264PayloadReader, type NalUnit, wholeNalUnit } from './h264-payload.js';

/**
 * RTP packets → H.264 access units (RFC 6184, packetization modes 0 and 1; access unit boundaries: ITU-T H.264,
 * 7.4.1.2.3).
 *
 * An access unit is handed over at its marker, without waiting for the next packet. Markers that prove wrong (another
 * slice of the same picture comes after one) are not believed again; then, and where no marker comes, the next time
 * stamp, the next first slice or a NAL unit that can only begin an access unit ends the one before.
 *
 * Samples are those of `avc1`: parameter sets are kept out and go into the configuration, a new one from the next key
 * frame on. A set that changes between key frames stays in its sample, since the pictures up to the next one need it.
 *
 * Where the sequence parameter set does not rule reordering out, the slice headers' picture order count tells it. Pictures
 * that prove to be in order without one that says so get a configuration that does, from the next key frame on.
 */
export class H264Depacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  readonly #reader = new H264PayloadReader((nalUnit) => this.#onNalUnit(nalUnit));
  readonly #parameterSets = new H264ParameterSets();
  readonly #clockRate: number;
  readonly #decodeOrder: DecodeOrder;
  readonly #pictureOrder = new H264PictureOrder();
  /** What `#decodeOrder` was told last. */
  #sps: Sps | null = null;
  #config: VideoTrackConfig | null = null;
  #picture = new PictureInProgress();
  /** RTP time of the packet in which the current NAL unit began. */
  #time = 0;
  #areMarkersTrusted = true;
  /** Time of the last access unit if its marker ended it and nothing was lost since. */
  #markedTime: number | null = null;
  #waitsForKeyFrame = true;
  /** Packets were lost, or never seen, right before what comes next. */
  #isAfterGap = true;
  readonly #leading = new LeadingPictures();

  /** @param format - its `sprop-parameter-sets` serve until the stream brings its own */
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
    this.#clockRate = format.clockRate;
    this.#decodeOrder = new DecodeOrder(format.clockRate);
    const sets = format.parameters.get('sprop-parameter-sets');
    if (sets !== undefined) this.#parameterSets.addFromDescription(sets);
  }

  push(packet: RtpPacket, time: number, packetsLost: number): void {
    const { payload } = packet;
    if (packetsLost > 0) this.#onLoss();
    // An empty payload (padding alone) is no media: what is open stays open.
    if (payload.length > 0 && !this.#reader.continuesFragment(payload)) {
      if (this.#reader.abort()) this.#damage();
      if (this.#picture.hasBegun && this.#picture.time !== time) this.#finishPicture();
      this.#time = time;
    }
    const result = this.#reader.push(payload);
    if (result === 'malformed' || result === 'ignored') this.stats.malformedPackets++;
    if (result === 'malformed' || result === 'incomplete') this.#damage();
    if (packet.marker) this.#onMarker();
  }

  reset(): void {
    this.#reader.abort();
    this.#picture = new PictureInProgress();
    this.#markedTime = null;
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
    this.#decodeOrder.reset();
  }

  #onLoss(): void {
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
    this.#markedTime = null;
    if (this.#reader.abort() || this.#picture.hasBegun) this.#damage();
    // What came before a picture may belong to one that was lost whole.
    else this.#picture = new PictureInProgress();
  }

  /** Part of the current access unit is missing: it ends where it would have ended, and is dropped. */
  #damage(): void {
    this.#picture.begin(this.#time);
    this.#picture.damage();
  }

  #onMarker(): void {
    // TC70, Reolink Duo 2 and H264DVR set markers on parameter sets and SEI: without a picture they mean nothing.
    if (!this.#areMarkersTrusted || this.#reader.isFragmentOpen || !this.#picture.hasBegun) return;
    const { time } = this.#picture;
    this.#finishPicture();
    this.#markedTime = time;
  }

  #onNalUnit(nalUnit: NalUnit): void {
    switch (nalUnit.type) {
      case H264NalType.slice:
      case H264NalType.partitionA:
      case H264NalType.idrSlice:
        this.#onSlice(nalUnit);
        break;
      case H264NalType.partitionB:
      case H264NalType.partitionC:
        if (this.#picture.hasBegun) this.#append(nalUnit);
        else this.#damage();
        break;
      case H264NalType.sei:
        this.#onPictureBoundary();
        this.#picture.recoveryFrames ??= parseRecoveryPoint(wholeNalUnit(nalUnit));
        this.#append(nalUnit);
        break;
      case H264NalType.sps:
      case H264NalType.pps:
        this.#onParameterSet(nalUnit);
        break;
      case H264NalType.accessUnitDelimiter:
      case 15: // Subset parameter sets and reserved types up to 18 begin an access unit too (7.4.1.2.3).
      case 16:
      case 17:
      case 18:
        this.#onPictureBoundary();
        break;
      default:
        // Filler, ends of sequences, auxiliary pictures and the layers of SVC and MVC: not for a sample of avc1. A prefix
        // NAL unit (14) stands before every slice of SVC's base layer, so it ends nothing.
        break;
    }
  }

  /** Parameter sets and SEI belong to the picture after them, whatever their time (Reolink RLC-822A: the one before). */
  #onPictureBoundary(): void {
    if (this.#picture.hasBegun) this.#finishPicture();
  }

  #onParameterSet(nalUnit: NalUnit): void {
    const whole = wholeNalUnit(nalUnit);
    // GStreamer repeats the sets before every slice of a key frame: inside one picture they say nothing.
    if (this.#picture.hasBegun && this.#picture.time === this.#time && this.#parameterSets.knows(whole)) return;
    this.#onPictureBoundary();
    const outcome = this.#parameterSets.add(whole);
    if (outcome === 'invalid') this.stats.malformedPackets++;
    if (outcome === 'changed') this.#picture.addParameterSet(nalUnit);
    if (nalUnit.type === H264NalType.sps) this.#picture.hasSps = true;
  }

  #onSlice(nalUnit: NalUnit): void {
    const isFirst = isFirstSlice(nalUnit.body[0]);
    if (isFirst && !this.#isSecondField(nalUnit)) this.#onPictureBoundary();
    if (!this.#picture.hasBegun) {
      this.#picture.begin(this.#time);
      if (!isFirst && this.#markedTime === this.#time) {
        // OBS plugins set the marker on every slice. What went out was not whole; the rest of it is of no use.
        this.#areMarkersTrusted = false;
        this.#waitsForKeyFrame = true;
        this.#picture.damage();
      } else if (!isFirst && this.#isAfterGap) {
        this.#picture.damage();
      }
      this.#isAfterGap = false;
      this.#markedTime = null;
    }
    this.#picture.addSlice(nalUnit);
    this.#append(nalUnit);
  }

  /** Whether a first slice is that of the other field: both are one sample when no marker came between them. */
  #isSecondField(nalUnit: NalUnit): boolean {
    const { firstSlice, isDamaged, time } = this.#picture;
    if (firstSlice === null || isDamaged || time !== this.#time) return false;
    const first = this.#sliceHeader(firstSlice);
    if (first === null || first.structure === 'frame') return false;
    const second = this.#sliceHeader(nalUnit);
    return second !== null && isSecondField(first, second);
  }

  #sliceHeader({ header, body }: NalUnit): SliceHeader | null {
    const syntax = this.#syntaxOf(body);
    return syntax === null ? null : parseSliceHeader(header, body, syntax);
  }

  #syntaxOf(body: Uint8Array): SliceSyntax | null {
    const start = parseSliceStart(body);
    return start === null ? null : this.#parameterSets.syntaxFor(start.ppsId);
  }

  #append(nalUnit: NalUnit): void {
    if (this.#picture.append(nalUnit)) return;
    this.stats.malformedPackets++;
    // SEI without end is no reason to lose the picture after it.
    if (this.#picture.hasBegun) this.#picture.damage();
    else this.#picture = new PictureInProgress();
  }

  #finishPicture(): void {
    const picture = this.#picture;
    this.#picture = new PictureInProgress();
    const isKeyFrame = picture.isKeyFrame;
    const config = isKeyFrame && !picture.isDamaged ? this.#configOf(picture) : null;
    if (picture.isDamaged || (isKeyFrame && config === null)) {
      this.#waitsForKeyFrame = true;
      this.stats.droppedAccessUnits++;
      return;
    }
    const begins = this.#waitsForKeyFrame;
    if (begins) {
      if (!isKeyFrame) {
        this.stats.droppedAccessUnits++;
        return;
      }
      this.#waitsForKeyFrame = false;
      if (picture.isIdr) this.#leading.clear();
      else this.#leading.startAt(picture.time);
    }
    if (this.#leading.has(picture.time)) {
      this.stats.droppedAccessUnits++;
      return;
    }
    const isNewConfig = config !== null && config !== this.#config;
    if (isNewConfig) this.#config = config;
    this.stats.accessUnits++;
    if (isKeyFrame) this.stats.keyFrames++;
    if (!isKeyFrame) picture.keepParameterSets();
    else if (!picture.isIdr && picture.recoveryFrames !== 0) picture.declareEntryPoint();
    this.#onAccessUnit({
      presentationTime: picture.time,
      decodeTime: this.#decodeTimeOf(picture, begins),
      isKeyFrame,
      pieces: picture.pieces,
      byteLength: picture.byteLength,
      config: isNewConfig ? config : null,
    });
  }

  #configOf(picture: PictureInProgress): VideoTrackConfig | null {
    const slice = picture.firstSlice === null ? null : parseSliceStart(picture.firstSlice.body);
    return slice === null ? null : this.#parameterSets.configFor(slice.ppsId, this.#decodeOrder.isInOrder);
  }

  /** @param begins - it is the first picture, or the first after a gap */
  #decodeTimeOf({ firstSlice, time }: PictureInProgress, begins: boolean): number {
    const syntax = firstSlice === null ? null : this.#syntaxOf(firstSlice.body);
    if (firstSlice === null || syntax === null) return this.#decodeOrder.next(time, 0, true);
    const { sps } = syntax;
    if (sps !== this.#sps) {
      this.#sps = sps;
      this.#decodeOrder.declare(
        neverReorders(sps) ? 0 : (sps.maxNumReorderFrames ?? 0),
        sps.frameRate === null ? null : this.#clockRate / sps.frameRate,
      );
    }
    // Decoding order is output order, so that the slice header has nothing to add.
    if (neverReorders(sps) || sps.maxNumReorderFrames === 0) return this.#decodeOrder.next(time, 0, true);
    const slice = parseSliceHeader(firstSlice.header, firstSlice.body, syntax);
    if (slice === null) return this.#decodeOrder.next(time, 0, true);
    return this.#decodeOrder.next(time, this.#pictureOrder.next(slice, sps), begins || slice.isIdr);
  }
}

/** SEI NAL unit behind its length: a recovery point with recovery_frame_cnt 0 and all flags 0 (D.1.8). */
const ENTRY_POINT = Uint8Array.of(0, 0, 0, 5, H264NalType.sei, 6, 1, 0x84, 0x80);

/** The access unit that is being put together. */
class PictureInProgress {
  readonly pieces: Uint8Array[] = [];
  byteLength = 0;
  /** A slice has come, or should have: what follows may end this access unit. */
  hasBegun = false;
  /** RTP time of the first slice; a stamp on anything before it does not count. */
  time = 0;
  isDamaged = false;
  isIdr = false;
  hasSps = false;
  /** recovery_frame_cnt of a recovery point SEI, or null. */
  recoveryFrames: number | null = null;
  firstSlice: NalUnit | null = null;
  #isIntra = true;
  #nalUnits = 0;
  #parameterSets: NalUnit[] | null = null;

  begin(time: number): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.time = time;
  }

  /** Marks it as not to be used, and lets go of what it holds. */
  damage(): void {
    this.isDamaged = true;
    this.pieces.length = 0;
    this.byteLength = 0;
  }

  /** Notes what a slice says of the whole picture. */
  addSlice(nalUnit: NalUnit): void {
    this.firstSlice ??= nalUnit;
    if (nalUnit.type === H264NalType.idrSlice) this.isIdr = true;
    else if (this.#isIntra && this.#mayBeEntryPoint) this.#isIntra = parseSliceStart(nalUnit.body)?.isIntra ?? false;
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

  addParameterSet(nalUnit: NalUnit): void {
    this.#parameterSets ??= [];
    if (this.#parameterSets.length < MAX_NAL_UNITS) this.#parameterSets.push(nalUnit);
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

  /** Puts parameter sets that changed into the sample itself. */
  keepParameterSets(): void {
    for (const nalUnit of this.#parameterSets?.reverse() ?? []) {
      this.pieces.unshift(...nalUnit.pieces);
      this.byteLength += nalUnit.byteLength;
    }
  }

  /** Returns false when a bound is reached. A damaged picture takes nothing, and that is well. */
  append(nalUnit: NalUnit): boolean {
    if (this.isDamaged) return true;
    this.#nalUnits++;
    this.byteLength += nalUnit.byteLength;
    if (this.#nalUnits > MAX_NAL_UNITS || this.byteLength > MAX_ACCESS_UNIT_BYTES) return false;
    if (this.pieces.length + nalUnit.pieces.length > MAX_ACCESS_UNIT_PACKETS) return false;
    for (const piece of nalUnit.pieces) this.pieces.push(piece);
    return true;
  }
}
