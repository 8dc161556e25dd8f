import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { type AdtsHeader, aacLcConfig, adtsConfig, parseAdtsHeader, parseAudioSpecificConfig } from '../codec/aac.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import { type AuHeaderLayout, auHeaderLayout, readAuHeaders } from './au-headers.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/**
 * RTP packets of `mpeg4-generic` → AAC access units (RFC 3640: AAC-hbr, AAC-lbr and whatever else its parameters
 * describe): several access units a packet, or one over several packets. Interleaved access units are placed in time by
 * their indices, but not put in order.
 */
export class AacDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  readonly #format: MediaFormat;
  readonly #layout: AuHeaderLayout;
  /** Whether the session description has a configuration; then ADTS headers have no say. */
  readonly #isDescribed: boolean;
  #config: AudioTrackConfig | null;
  #open: OpenUnit | null = null;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
    this.#format = format;
    this.#layout = auHeaderLayout(format.parameters);
    const config = describedConfig(format);
    this.#isDescribed = config !== null;
    this.#config = config ?? aacLcConfig(format.clockRate, format.channels ?? 1);
  }

  push(packet: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0 && this.#open !== null) this.#open.isDamaged = true;
    if (packet.payload.length === 0) return;
    if (this.#pushPayload(packet.payload, time)) return;
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
    // Some cameras send ADTS frames in place of the AU header section.
    if (parseAdtsHeader(payload) !== null) return this.#pushAdts(payload, time);
    if (this.#open?.isAdts) return this.#continue(this.#open, payload);
    const section = readAuHeaders(payload, this.#layout);
    if (section === null) return false;
    const [first] = section.headers;
    if (this.#open !== null) {
      // Every fragment repeats the header with the size of the whole (RFC 3640, 3.2.3).
      if (section.headers.length === 1 && first?.size === this.#open.size && time === this.#open.packetTime) {
        return this.#continue(this.#open, payload.subarray(section.dataOffset));
      }
      this.#abandon();
    }
    let position = section.dataOffset;
    for (const header of section.headers) {
      const size = header.size ?? payload.length - position;
      if (size === 0) continue;
      const unitTime = time + (header.timeDelta ?? this.#ticks(header.offset));
      const available = payload.subarray(position, position + size);
      if (available.length < size) {
        return section.headers.length === 1 && this.#openUnit(available, size, unitTime, time, false);
      }
      this.#emitFramed(available, unitTime);
      position += size;
    }
    return true;
  }

  #pushAdts(payload: Uint8Array, time: number): boolean {
    this.#abandon();
    let position = 0;
    for (let offset = 0; position < payload.length; offset++) {
      const rest = payload.subarray(position);
      const header = parseAdtsHeader(rest);
      // Several raw data blocks in one ADTS frame: nothing says where one ends.
      if (header === null || header.blocks !== 1) return false;
      this.#takeConfig(header);
      const size = header.frameBytes - header.headerBytes;
      const unitTime = time + this.#ticks(offset);
      const available = rest.subarray(header.headerBytes, header.frameBytes);
      if (available.length < size) return this.#openUnit(available, size, unitTime, time, true);
      this.#emit([available], size, unitTime);
      position += header.frameBytes;
    }
    return true;
  }

  #openUnit(piece: Uint8Array, size: number, time: number, packetTime: number, isAdts: boolean): boolean {
    if (size > MAX_ACCESS_UNIT_BYTES) return false;
    this.#open = { pieces: [piece], byteLength: piece.length, size, time, packetTime, isAdts, isDamaged: false };
    return true;
  }

  #continue(open: OpenUnit, piece: Uint8Array): boolean {
    if (piece.length === 0) return true;
    if (!open.isDamaged) open.pieces.push(piece);
    open.byteLength += piece.length;
    if (open.byteLength > open.size || open.pieces.length > MAX_ACCESS_UNIT_PACKETS) return false;
    if (open.byteLength < open.size || open.isDamaged) return true;
    this.#open = null;
    this.#emit(open.pieces, open.byteLength, open.time);
    return true;
  }

  /** Hands an access unit over, without the ADTS header that some cameras leave on it behind the AU header. */
  #emitFramed(unit: Uint8Array, time: number): void {
    const header = parseAdtsHeader(unit);
    if (header === null || header.frameBytes !== unit.length || header.blocks !== 1) {
      this.#emit([unit], unit.length, time);
      return;
    }
    this.#takeConfig(header);
    this.#emit([unit.subarray(header.headerBytes)], unit.length - header.headerBytes, time);
  }

  #emit(pieces: readonly Uint8Array[], byteLength: number, time: number): void {
    const config = this.#config;
    if (config === null) {
      this.stats.droppedAccessUnits++;
      return;
    }
    this.#units.emit(pieces, byteLength, time, config);
  }

  /** Where the session description has no configuration, the ADTS headers have it: better than the clock rate's word. */
  #takeConfig(header: AdtsHeader): void {
    if (this.#isDescribed) return;
    const config = adtsConfig(header);
    if (config === null) return;
    const isSame = config.sampleRate === this.#config?.sampleRate && config.channels === this.#config.channels;
    if (!isSame) this.#config = config;
  }

  /** Ticks of the RTP clock from one access unit to the `units`-th after it; the two rates differ for HE-AAC. */
  #ticks(units: number): number {
    if (units === 0 || this.#config === null) return 0;
    return Math.round((units * this.#config.samplesPerUnit * this.#format.clockRate) / this.#config.sampleRate);
  }
}

/** An access unit whose beginning has come. */
interface OpenUnit {
  readonly pieces: Uint8Array[];
  byteLength: number;
  /** Bytes of the whole access unit. */
  readonly size: number;
  readonly time: number;
  /** RTP time of the packets that carry it. */
  readonly packetTime: number;
  readonly isAdts: boolean;
  /** A packet of it was lost: the rest is to be passed over. */
  isDamaged: boolean;
}

/** The AudioSpecificConfig in the parameter `config`, in hexadecimal; null when it is missing or makes no sense. */
function describedConfig(format: MediaFormat): AudioTrackConfig | null {
  const hex = format.parameters.get('config')?.replace(/[^0-9a-f]/gi, '') ?? '';
  if (hex.length < 4) return null;
  const bytes = new Uint8Array(hex.length >>> 1);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
  }
  return parseAudioSpecificConfig(bytes);
}
