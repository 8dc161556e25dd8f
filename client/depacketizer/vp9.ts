import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import { parseVp9Header, superframeIndex, VP9_HEADER_BYTES, type Vp9KeyFrameHeader, vp9Config } from '../codec/vp9.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { firstBytes } from './pieces.js';
import { readVp9Descriptor, type Vp9Descriptor } from './vp9-descriptor.js';
import { Vp9References } from './vp9-references.js';

/**
 * RTP packets of VP9 → pictures (RFC 9628): the frames of all spatial layers of a picture up to the highest that is whole,
 * as one superframe. A picture is handed over at its marker, or where that is missing when the next one begins. What is
 * lost takes along only what refers to it, as far as the packets tell; else everything up to the next key picture.
 */
export class Vp9Depacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  readonly #references = new Vp9References();
  #config: VideoTrackConfig | null = null;
  #picture: PictureInProgress | null = null;

  constructor(_format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
  }

  push({ payload, marker }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0) this.#onLoss();
    if (payload.length > 0) {
      const descriptor = readVp9Descriptor(payload);
      if (descriptor === null) {
        this.stats.malformedPackets++;
        this.#onLoss();
      } else {
        this.#pushFrame(descriptor, payload.subarray(descriptor.byteLength), time);
      }
    }
    if (marker && this.#picture !== null) this.#finish(this.#picture);
  }

  reset(): void {
    this.#picture = null;
    this.#references.reset();
  }

  #onLoss(): void {
    this.#references.onLoss();
    if (this.#picture === null) return;
    // Higher layers than those seen may have been in what is missing.
    this.#picture.isCut = true;
    const open = this.#picture.frames.at(-1);
    if (open !== undefined && !open.isWhole) open.isDamaged = true;
  }

  #pushFrame(descriptor: Vp9Descriptor, piece: Uint8Array, time: number): void {
    let picture = this.#picture;
    const spatial = descriptor.layer?.spatial ?? 0;
    if (picture !== null && this.#beginsPicture(picture, descriptor, spatial, time)) {
      this.#finish(picture);
      picture = null;
    }
    picture ??= { time, descriptor, frames: [], byteLength: 0, packets: 0, isCut: false };
    this.#picture = picture;
    picture.packets++;
    picture.byteLength += piece.length;
    if (picture.byteLength > MAX_ACCESS_UNIT_BYTES || picture.packets > MAX_ACCESS_UNIT_PACKETS) {
      this.stats.malformedPackets++;
      this.stats.droppedAccessUnits++;
      this.#picture = null;
      this.#references.onLoss();
      return;
    }
    let frame = picture.frames.at(-1);
    if (descriptor.startsFrame) {
      frame = { descriptor, spatial, pieces: [], isWhole: false, isDamaged: false };
      picture.frames.push(frame);
    } else if (frame === undefined || frame.isWhole || frame.spatial !== spatial) {
      // The rest of a frame whose start is missing.
      picture.isCut = true;
      return;
    }
    frame.pieces.push(piece);
    if (descriptor.endsFrame) frame.isWhole = !frame.isDamaged;
  }

  #beginsPicture(picture: PictureInProgress, next: Vp9Descriptor, spatial: number, time: number): boolean {
    if (picture.time !== time) return true;
    if (next.pictureId !== picture.descriptor.pictureId) return true;
    const last = picture.frames.at(-1);
    return next.startsFrame && last !== undefined && spatial <= last.spatial;
  }

  #finish(picture: PictureInProgress): void {
    this.#picture = null;
    // Where nothing is missing, a frame is whole without its E bit, too.
    for (const frame of picture.isCut ? [] : picture.frames) frame.isWhole = true;
    const [lowest] = picture.frames;
    const header = lowest?.isWhole ? parseVp9Header(firstBytes(lowest.pieces, VP9_HEADER_BYTES)) : null;
    if (lowest?.isWhole && header === null) this.stats.malformedPackets++;
    const frames = header === null ? [] : this.#references.choose(picture.frames, picture.isCut, header.isKeyFrame);
    const top = frames.at(-1);
    if (header === null || top === undefined) {
      if (header === null) this.#references.onLoss();
      this.stats.droppedAccessUnits++;
      return;
    }
    const config = header.isKeyFrame ? this.#newConfig(header, frames) : null;
    const pieces = frames.flatMap((frame) => frame.pieces);
    if (frames.length > 1) pieces.push(superframeIndex(frames.map((frame) => byteLengthOf(frame.pieces))));
    this.stats.accessUnits++;
    if (header.isKeyFrame) this.stats.keyFrames++;
    this.#onAccessUnit({
      presentationTime: picture.time,
      decodeTime: picture.time,
      isKeyFrame: header.isKeyFrame,
      pieces,
      byteLength: byteLengthOf(pieces),
      config,
    });
  }

  /** The configuration from this key picture on, or null where nothing has changed. */
  #newConfig(header: Vp9KeyFrameHeader, frames: readonly LayerFrame[]): VideoTrackConfig | null {
    const sizes = frames.find(({ descriptor }) => descriptor.layerSizes.length > 0)?.descriptor.layerSizes;
    const told = sizes?.[frames.at(-1)?.spatial ?? 0];
    const size = frames.length > 1 && told !== undefined && told.width > 0 && told.height > 0 ? told : header;
    const config = vp9Config(header, size);
    const old = this.#config;
    const isSame =
      config.codec === old?.codec &&
      config.width === old.width &&
      config.height === old.height &&
      config.description.every((byte, index) => byte === old.description[index]);
    if (isSame) return null;
    this.#config = config;
    return config;
  }
}

/** The frame of one spatial layer. */
export interface LayerFrame {
  /** Of its first packet. */
  readonly descriptor: Vp9Descriptor;
  readonly spatial: number;
  readonly pieces: Uint8Array[];
  /** Its last packet has come, and all before it. */
  isWhole: boolean;
  isDamaged: boolean;
}

/** A picture whose beginning has come. */
interface PictureInProgress {
  readonly time: number;
  /** Of the first packet seen. */
  readonly descriptor: Vp9Descriptor;
  /** In the order in which they came, lowest layer first. */
  readonly frames: LayerFrame[];
  byteLength: number;
  packets: number;
  /** Packets are missing in it. */
  isCut: boolean;
}

function byteLengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
