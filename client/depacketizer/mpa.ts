import { MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { type MpegAudioHeader, mpegAudioConfig, parseMpegAudioHeader } from '../codec/mpeg-audio.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/** RTP packets of MPEG audio → its frames, several in a packet or one over several (RFC 2250, 3.2, 3.4 and 3.5). */
export class MpegAudioDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  readonly #clockRate: number;
  #config: AudioTrackConfig | null = null;
  #open: OpenFrame | null = null;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
    this.#clockRate = format.clockRate;
  }

  push({ payload }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0) this.#abandon();
    if (payload.length === 0) return;
    if (this.#pushPayload(payload, time)) return;
    this.stats.malformedPackets++;
    this.#abandon();
  }

  reset(): void {
    this.#open = null;
  }

  #abandon(): void {
    if (this.#open !== null) this.stats.droppedAccessUnits++;
    this.#open = null;
  }

  /** Returns false when the payload is malformed. */
  #pushPayload(payload: Uint8Array, time: number): boolean {
    if (payload.length <= PAYLOAD_HEADER_BYTES) return false;
    const offset = ((payload[2] ?? 0) << 8) | (payload[3] ?? 0); // Frag_offset
    const data = payload.subarray(PAYLOAD_HEADER_BYTES);
    if (offset > 0) {
      // The rest of a frame whose start was lost is nobody's fault.
      return this.#open === null || this.#continue(this.#open, data, offset);
    }
    this.#abandon();
    let frameTime = time;
    for (let position = 0; position < data.length; ) {
      const rest = data.subarray(position);
      const header = parseMpegAudioHeader(rest);
      if (header === null) return false;
      if (rest.length < header.frameBytes) {
        this.#open = { header, pieces: [rest], byteLength: rest.length, time: frameTime };
        return true;
      }
      this.#emit(header, [rest.subarray(0, header.frameBytes)], frameTime);
      frameTime += Math.round((header.samples * this.#clockRate) / header.sampleRate);
      position += header.frameBytes;
    }
    return true;
  }

  #continue(open: OpenFrame, data: Uint8Array, offset: number): boolean {
    const { header, pieces } = open;
    if (offset !== open.byteLength || pieces.length >= MAX_ACCESS_UNIT_PACKETS) return false;
    pieces.push(data);
    open.byteLength += data.length;
    if (open.byteLength > header.frameBytes) return false;
    if (open.byteLength < header.frameBytes) return true;
    this.#open = null;
    this.#emit(header, pieces, open.time);
    return true;
  }

  #emit(header: MpegAudioHeader, pieces: readonly Uint8Array[], time: number): void {
    const config = this.#config;
    const isSame =
      config !== null &&
      config.sampleRate === header.sampleRate &&
      config.channels === header.channels &&
      config.samplesPerUnit === header.samples;
    const current = isSame ? config : mpegAudioConfig(header);
    this.#config = current;
    this.#units.emit(pieces, header.frameBytes, time, current);
  }
}

/** MBZ and Frag_offset (RFC 2250, 3.5). */
const PAYLOAD_HEADER_BYTES = 4;

/** A frame whose beginning has come. */
interface OpenFrame {
  readonly header: MpegAudioHeader;
  readonly pieces: Uint8Array[];
  byteLength: number;
  readonly time: number;
}
