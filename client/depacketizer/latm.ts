import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS, MAX_AUDIO_UNITS_PER_PACKET } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { type AdtsHeader, aacLcConfig, adtsConfig, parseAdtsHeader } from '../codec/aac.js';
import { BitReader } from '../codec/bit-reader.js';
import { readLatmUnit, readStreamMuxConfig, type StreamMuxConfig } from '../codec/latm.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';
import { firstBytes } from './pieces.js';

/**
 * RTP packets of `MP4A-LATM` → AAC access units (RFC 6416, section 6): one AudioMuxElement a packet, or one over several
 * packets up to the marker. Its configuration comes in band, where `cpresent` says so, or in the session description. Some
 * cameras send ADTS frames (ISO/IEC 14496-3, 1.A.2) in place of elements, or of the units in them.
 */
export class LatmDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  readonly #clockRate: number;
  readonly #isConfigInBand: boolean;
  #mux: StreamMuxConfig | null;
  /** By ADTS headers, where nothing else has a configuration. */
  #adtsTrack: AudioTrackConfig | null = null;
  #open: OpenElement | null = null;
  /** Elements have been seen that take several packets. */
  #hasFragments = false;
  /** Packets were lost in front of what comes next up to a marker, which may be the rest of an element. */
  #skips = false;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
    this.#clockRate = format.clockRate;
    const config = format.parameters.get('config') ?? '';
    const presence = format.parameters.get('cpresent');
    // In band is the default, but those who give a configuration and no word about it mean the one they give.
    this.#isConfigInBand = presence === undefined ? config === '' : presence !== '0';
    this.#mux = describedMux(config);
    if (this.#mux === null && !this.#isConfigInBand) {
      const track = aacLcConfig(format.clockRate, format.channels ?? 1);
      if (track !== null) this.#mux = { track, units: 1, unitBytes: null, otherBits: 0 };
    }
  }

  push({ payload, marker }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0) {
      this.#abandon();
      this.#skips = this.#hasFragments;
    }
    if (this.#skips) {
      this.#skips = !marker;
      return;
    }
    // Some never set the marker; then the next element's time ends the one before.
    if (this.#open !== null && this.#open.time !== time) this.#finish(this.#open);
    if (payload.length > 0) this.#append(payload, time);
    if (marker && this.#open !== null) this.#finish(this.#open);
  }

  reset(): void {
    this.#open = null;
    this.#skips = false;
  }

  #append(payload: Uint8Array, time: number): void {
    if (this.#open !== null) this.#hasFragments = true;
    this.#open ??= { pieces: [], byteLength: 0, time };
    this.#open.pieces.push(payload);
    this.#open.byteLength += payload.length;
    if (this.#open.byteLength <= MAX_ACCESS_UNIT_BYTES && this.#open.pieces.length <= MAX_ACCESS_UNIT_PACKETS) return;
    this.stats.malformedPackets++;
    this.#abandon();
  }

  #abandon(): void {
    if (this.#open !== null) this.stats.droppedAccessUnits++;
    this.#open = null;
  }

  #finish(open: OpenElement): void {
    this.#open = null;
    if (this.#readElement(firstBytes(open.pieces, open.byteLength), open.time)) return;
    this.stats.malformedPackets++;
    this.stats.droppedAccessUnits++;
  }

  /** AudioMuxElement (ISO/IEC 14496-3, table 1.41). Returns false when it is malformed; nothing of it is handed over then. */
  #readElement(bytes: Uint8Array, time: number): boolean {
    const frames = adtsFrames(bytes);
    if (frames !== null) return this.#emitAdts(frames, time);
    const bits = new BitReader(bytes);
    if (this.#isConfigInBand && !bits.flag()) {
      const mux = readStreamMuxConfig(bits, this.#mux); // useSameStreamMux 0
      if (mux === null) return false;
      this.#mux = mux;
    }
    const mux = this.#mux;
    // Elements that refer to a configuration that is yet to come.
    if (mux === null) return false;
    const units: Uint8Array[] = [];
    // Some send several elements in one packet; without a configuration in them, one goes on where the other ended.
    const maxUnits = this.#isConfigInBand ? mux.units : MAX_AUDIO_UNITS_PER_PACKET;
    while (units.length < maxUnits && bits.remaining > 0) {
      const unit = readLatmUnit(bits, mux);
      if (unit === null) break;
      units.push(unit);
      if (units.length % mux.units === 0) bits.skip(mux.otherBits + (-(bits.position + mux.otherBits) & 7));
    }
    if (units.length < mux.units) return false;
    this.#emit(units, mux.track, time);
    return true;
  }

  #emitAdts(frames: readonly AdtsFrame[], time: number): boolean {
    const config = frames[0] === undefined ? null : adtsConfig(frames[0].header);
    const old = this.#adtsTrack;
    if (config?.sampleRate !== old?.sampleRate || config?.channels !== old?.channels) this.#adtsTrack = config;
    const track = this.#mux?.track ?? this.#adtsTrack;
    if (track === null) return false;
    const units = frames.map(({ unit }) => unit);
    this.#emit(units, track, time);
    return true;
  }

  #emit(units: readonly Uint8Array[], track: AudioTrackConfig, time: number): void {
    for (const [index, given] of units.entries()) {
      const ticks = (index * track.samplesPerUnit * this.#clockRate) / track.sampleRate;
      const frames = adtsFrames(given) ?? [];
      const unit = frames.length === 1 && frames[0] !== undefined ? frames[0].unit : given;
      if (unit.length > 0) this.#units.emit([unit], unit.length, time + Math.round(ticks), track);
    }
  }
}

interface AdtsFrame {
  readonly header: AdtsHeader;
  /** Without its header. */
  readonly unit: Uint8Array;
}

/** The frames that the bytes are made of, to their end; null where they are something else. */
function adtsFrames(bytes: Uint8Array): AdtsFrame[] | null {
  const frames: AdtsFrame[] = [];
  for (let position = 0; position < bytes.length; ) {
    const rest = bytes.subarray(position);
    const header = parseAdtsHeader(rest);
    if (header === null || header.frameBytes > rest.length || header.blocks !== 1) return null;
    frames.push({ header, unit: rest.subarray(header.headerBytes, header.frameBytes) });
    position += header.frameBytes;
  }
  return frames.length === 0 ? null : frames;
}

/** An element whose beginning has come. */
interface OpenElement {
  readonly pieces: Uint8Array[];
  byteLength: number;
  readonly time: number;
}

/** The StreamMuxConfig in the parameter `config`, in hexadecimal; null when it is missing or makes no sense. */
function describedMux(config: string): StreamMuxConfig | null {
  const digits = config.replace(/[^0-9a-f]/gi, '');
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return readStreamMuxConfig(new BitReader(bytes), null);
}
