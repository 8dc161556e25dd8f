import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { type NalUnit, type NalUnitPayloadReader, wholeNalUnit } from './nal-unit-payload.js';
import type { PictureInProgress } from './picture-in-progress.js';

/**
 * RTP packets → access units, as far as H.264 and H.265 are alike (access unit boundaries: ITU-T H.264, 7.4.1.2.3; H.265,
 * 7.4.2.4.4).
 *
 * An access unit is handed over at its marker, without waiting for the next packet. Markers that prove wrong (another
 * slice of the same picture comes after one) are not believed again; then, and where no marker comes, the next time
 * stamp, the next first slice or a NAL unit that can only begin an access unit ends the one before.
 *
 * Parameter sets are kept out of the samples and go into the configuration, a new one from the next key frame on. A set
 * that changes between key frames stays in its sample, since the pictures up to the next one need it.
 */
export abstract class NalUnitDepacketizer<Picture extends PictureInProgress> implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  readonly #reader: NalUnitPayloadReader;
  readonly #parameterSets: ParameterSets;
  #config: VideoTrackConfig | null = null;
  #picture = this.newPicture();
  /** RTP time of the packet in which the current NAL unit began. */
  #time = 0;
  #areMarkersTrusted = true;
  /** Time of the last access unit if its marker ended it and nothing was lost since. */
  #markedTime: number | null = null;
  #waitsForKeyFrame = true;
  /** Packets were lost, or never seen, right before what comes next. */
  #isAfterGap = true;

  /** @param makeReader - makes the reader of the payload format, for the handler of its NAL units */
  constructor(
    makeReader: (onNalUnit: (nalUnit: NalUnit) => void) => NalUnitPayloadReader,
    parameterSets: ParameterSets,
    onAccessUnit: AccessUnitHandler,
  ) {
    this.#reader = makeReader((nalUnit) => this.#onNalUnit(nalUnit));
    this.#parameterSets = parameterSets;
    this.#onAccessUnit = onAccessUnit;
  }

  /** An access unit with nothing in it. It uses no fields: the first one is made before they are. */
  protected abstract newPicture(): Picture;
  /** What a NAL unit does. */
  protected abstract roleOf(nalUnit: NalUnit): NalUnitRole;
  /** The configuration that a whole key frame needs; null while a parameter set is missing. */
  protected abstract configOf(picture: Picture): VideoTrackConfig | null;
  /** Decoding starts at this key frame, or starts anew. */
  protected abstract onStart(picture: Picture): void;
  /** Whether a picture refers to some before the key frame at which decoding started. */
  protected abstract isUndecodable(picture: Picture): boolean;
  /**
   * When a picture is to be decoded, in ticks of the presentation times.
   * @param begins - it is the first, or the first after a gap
   */
  protected abstract decodeTimeOf(picture: Picture, begins: boolean): number;
  /** A picture is about to go out: what decoders look for in it may be added. */
  protected complete(_picture: Picture): void {}

  /** The picture that a slice of the current time may belong to; null where there is none, or it is of no use. */
  protected get openPicture(): Picture | null {
    const picture = this.#picture;
    return picture.hasBegun && !picture.isDamaged && picture.time === this.#time ? picture : null;
  }

  get announcedConfig(): VideoTrackConfig | null {
    return this.#parameterSets.firstConfig;
  }

  push(packet: RtpPacket, time: number, packetsLost: number): void {
    const payload = this.mediaOf(packet.payload);
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

  /** The payload without what a payload format may put around it. */
  protected mediaOf(payload: Uint8Array): Uint8Array {
    return payload;
  }

  reset(): void {
    this.#reader.abort();
    this.#picture = this.newPicture();
    this.#markedTime = null;
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
  }

  #onLoss(): void {
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
    this.#markedTime = null;
    if (this.#reader.abort() || this.#picture.hasBegun) this.#damage();
    // What came before a picture may belong to one that was lost whole.
    else this.#picture = this.newPicture();
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
    switch (this.roleOf(nalUnit)) {
      case 'first-slice':
        this.#onPictureBoundary();
        this.#onSlice(nalUnit, true);
        break;
      case 'slice':
        this.#onSlice(nalUnit, false);
        break;
      case 'slice-data':
        if (this.#picture.hasBegun) this.#append(nalUnit);
        else this.#damage();
        break;
      case 'sei':
        this.#onPictureBoundary();
        this.#picture.addSei(nalUnit);
        this.#append(nalUnit);
        break;
      case 'trailer':
        // Behind a marker it is too late, and decoders do without.
        if (this.#picture.hasBegun) this.#append(nalUnit);
        break;
      case 'sequence-parameter-set':
        this.#onParameterSet(nalUnit, true);
        break;
      case 'parameter-set':
        this.#onParameterSet(nalUnit, false);
        break;
      case 'boundary':
        this.#onPictureBoundary();
        break;
      case 'end':
        this.#onPictureBoundary();
        this.#picture.followsEnd = true;
        break;
      case 'nothing':
        break;
    }
  }

  /** Parameter sets and SEI belong to the picture after them, whatever their time (Reolink RLC-822A: the one before). */
  #onPictureBoundary(): void {
    if (this.#picture.hasBegun) this.#finishPicture();
  }

  #onParameterSet(nalUnit: NalUnit, isSps: boolean): void {
    const whole = wholeNalUnit(nalUnit);
    // GStreamer repeats the sets before every slice of a key frame: inside one picture they say nothing.
    if (this.#picture.hasBegun && this.#picture.time === this.#time && this.#parameterSets.knows(whole)) return;
    this.#onPictureBoundary();
    const outcome = this.#parameterSets.add(whole);
    if (outcome === 'invalid') this.stats.malformedPackets++;
    if (outcome === 'changed') this.#picture.addParameterSet(nalUnit);
    if (isSps) this.#picture.hasSps = true;
  }

  #onSlice(nalUnit: NalUnit, isFirst: boolean): void {
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

  #append(nalUnit: NalUnit): void {
    if (this.#picture.append(nalUnit)) return;
    this.stats.malformedPackets++;
    // SEI without end is no reason to lose the picture after it.
    if (this.#picture.hasBegun) this.#picture.damage();
    else this.#picture = this.newPicture();
  }

  #finishPicture(): void {
    const picture = this.#picture;
    this.#picture = this.newPicture();
    const { isKeyFrame } = picture;
    const config = isKeyFrame && !picture.isDamaged ? this.configOf(picture) : null;
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
      this.onStart(picture);
    }
    if (this.isUndecodable(picture)) {
      this.stats.droppedAccessUnits++;
      return;
    }
    const isNewConfig = config !== null && config !== this.#config;
    if (isNewConfig) this.#config = config;
    this.stats.accessUnits++;
    if (isKeyFrame) this.stats.keyFrames++;
    if (!isKeyFrame) picture.keepParameterSets();
    this.complete(picture);
    this.#onAccessUnit({
      presentationTime: picture.time,
      decodeTime: this.decodeTimeOf(picture, begins),
      isKeyFrame,
      pieces: picture.pieces,
      byteLength: picture.byteLength,
      config: isNewConfig ? config : null,
    });
  }
}

/**
 * What a NAL unit does: it begins a picture, goes on with one (a slice, or data that belongs to a slice before it),
 * announces one (SEI, parameter sets), ends one (`boundary`) or the whole sequence (`end`), stands behind its slices
 * (`trailer`), or is not for a sample.
 */
export type NalUnitRole =
  | 'first-slice'
  | 'slice'
  | 'slice-data'
  | 'sei'
  | 'sequence-parameter-set'
  | 'parameter-set'
  | 'boundary'
  | 'end'
  | 'trailer'
  | 'nothing';

/** The parameter sets of a stream. */
export interface ParameterSets {
  /** Takes one; `invalid` when it cannot be used. */
  add(nalUnit: Uint8Array): 'changed' | 'known' | 'invalid';
  /** Whether one only repeats what is remembered. */
  knows(nalUnit: Uint8Array): boolean;
  /** The configuration by what is known so far; null before there is one. */
  readonly firstConfig: VideoTrackConfig | null;
}
