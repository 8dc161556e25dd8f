import { MAX_ACCESS_UNIT_PACKETS, MAX_METADATA_BYTES } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/**
 * RTP packets of ONVIF metadata → XML documents, as they were sent: plain or compressed by gzip. A document may be spread
 * over several packets; the marker ends it (ONVIF Streaming Specification, 5.1.2.1.1).
 */
export class OnvifMetadataDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  #pieces: Uint8Array[] = [];
  #byteLength = 0;
  #time = 0;
  /** Of the present document something is missing, or it is too long: what is left of it is let go of. */
  #skips = false;

  constructor(_format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
  }

  push({ payload, marker }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0) {
      // What comes now may be the rest of a document.
      this.#giveUp();
    } else if (time !== this.#time) {
      // Some never set the marker.
      this.#finish();
    }
    this.#time = time;
    if (!this.#skips) {
      this.#pieces.push(payload);
      this.#byteLength += payload.length;
      if (this.#byteLength > MAX_METADATA_BYTES || this.#pieces.length > MAX_ACCESS_UNIT_PACKETS) {
        this.stats.malformedPackets++;
        this.#giveUp();
      }
    }
    if (marker) this.#finish();
  }

  reset(): void {
    this.#pieces = [];
    this.#byteLength = 0;
    this.#skips = false;
  }

  #finish(): void {
    const pieces = this.#pieces;
    const byteLength = this.#byteLength;
    const time = this.#time;
    this.reset();
    if (byteLength > 0) this.#units.emit(pieces, byteLength, time, null);
  }

  #giveUp(): void {
    if (this.#pieces.length > 0) this.stats.droppedAccessUnits++;
    this.reset();
    this.#skips = true;
  }
}
