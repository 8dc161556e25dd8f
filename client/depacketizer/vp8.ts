import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import { parseVp8Header, VP8_HEADER_BYTES, vp8Config } from '../codec/vp8.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { firstBytes } from './pieces.js';

/**
 * RTP packets of VP8 → frames (RFC 7741, 4.2 and 4.5). A frame is handed over at its marker, or where that is missing when
 * the next one begins; after a loss, from the next key frame on. All temporal layers are taken.
 */
export class Vp8Depacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  #config: VideoTrackConfig | null = null;
  #open: OpenFrame | null = null;
  #waitsForKeyFrame = true;

  constructor(_format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
  }

  push({ payload, marker }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0) this.#damage();
    if (payload.length > 0) this.#pushPayload(payload, time);
    if (marker && this.#open !== null) this.#finish(this.#open);
  }

  reset(): void {
    this.#open = null;
    this.#waitsForKeyFrame = true;
  }

  /** Part of the stream is missing: so is what refers to it. */
  #damage(): void {
    if (this.#open !== null) this.stats.droppedAccessUnits++;
    this.#open = null;
    this.#waitsForKeyFrame = true;
  }

  #pushPayload(payload: Uint8Array, time: number): void {
    const descriptor = readDescriptor(payload);
    if (descriptor === null) {
      this.stats.malformedPackets++;
      this.#damage();
      return;
    }
    if (this.#open !== null && (descriptor.startsFrame || this.#open.time !== time)) this.#finish(this.#open);
    if (this.#open === null) {
      if (!descriptor.startsFrame) {
        // The rest of a frame whose start was lost, or came before the first packet.
        this.#waitsForKeyFrame = true;
        return;
      }
      this.#open = { pieces: [], byteLength: 0, time };
    }
    const piece = payload.subarray(descriptor.byteLength);
    this.#open.pieces.push(piece);
    this.#open.byteLength += piece.length;
    if (this.#open.byteLength <= MAX_ACCESS_UNIT_BYTES && this.#open.pieces.length <= MAX_ACCESS_UNIT_PACKETS) return;
    this.stats.malformedPackets++;
    this.#damage();
  }

  #finish({ pieces, byteLength, time }: OpenFrame): void {
    this.#open = null;
    const header = parseVp8Header(firstBytes(pieces, VP8_HEADER_BYTES));
    if (header === null) {
      this.stats.malformedPackets++;
      this.#waitsForKeyFrame = true;
    }
    if (header === null || (this.#waitsForKeyFrame && !header.isKeyFrame)) {
      this.stats.droppedAccessUnits++;
      return;
    }
    this.#waitsForKeyFrame = false;
    let config: VideoTrackConfig | null = null;
    if (header.isKeyFrame) {
      this.stats.keyFrames++;
      const { width, height } = header;
      if (width !== this.#config?.width || height !== this.#config.height) config = vp8Config(width, height);
      this.#config = config ?? this.#config;
    }
    this.stats.accessUnits++;
    this.#onAccessUnit({
      presentationTime: time,
      decodeTime: time,
      isKeyFrame: header.isKeyFrame,
      pieces,
      byteLength,
      config,
    });
  }
}

/** A frame whose beginning has come. */
interface OpenFrame {
  readonly pieces: Uint8Array[];
  byteLength: number;
  readonly time: number;
}

/** The payload descriptor (RFC 7741, 4.2), as far as one needs it; null when there is nothing behind it. */
function readDescriptor(payload: Uint8Array): { byteLength: number; startsFrame: boolean } | null {
  const first = payload[0] ?? 0;
  let byteLength = 1;
  if ((first & 0x80) !== 0) {
    const extension = payload[byteLength++] ?? 0; // X: I, L, T, K
    if ((extension & 0x80) !== 0) byteLength += ((payload[byteLength] ?? 0) & 0x80) !== 0 ? 2 : 1; // PictureID
    if ((extension & 0x40) !== 0) byteLength++; // TL0PICIDX
    if ((extension & 0x30) !== 0) byteLength++; // TID, Y, KEYIDX
  }
  if (byteLength >= payload.length) return null;
  return { byteLength, startsFrame: (first & 0x17) === 0x10 }; // S, PID 0
}
