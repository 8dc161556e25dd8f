import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import {
  type Av1SequenceHeader,
  av1TrackConfig,
  isShownKeyFrame,
  OBU_FORBIDDEN,
  OBU_HAS_EXTENSION,
  OBU_HAS_SIZE,
  ObuType,
  obuTypeOf,
  parseAv1SequenceHeader,
  readLeb128,
  sequenceHeaderObu,
} from '../codec/av1.js';
import { equalBytes } from '../codec/parameter-set-bytes.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { TemporalUnit } from './temporal-unit.js';

/** Bits of the aggregation header (4.4). */
const CONTINUES = 0x80; // Z: the first element goes on with an OBU of the packet before
const WILL_CONTINUE = 0x40; // Y: the last element's OBU goes on in the next packet

/**
 * RTP packets → AV1 temporal units, as samples of `av01` (RTP Payload Format For AV1, version 1.0, 4.4 and 5; AV1 Codec
 * ISO Media File Format Binding, 2.4). Temporal delimiters and what else a sample does not need are left out, OBUs get
 * their sizes back, and every key frame has a sequence header. All layers of a scalable stream stay in.
 *
 * A temporal unit is handed over at its marker, without waiting for the next packet; where no marker comes, or markers
 * proved wrong (more of the same unit came after one), at the next time stamp.
 */
export class Av1Depacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  /** The last sequence header's payload and what it says. */
  #sequence: {
    readonly payload: Uint8Array;
    readonly header: Av1SequenceHeader;
    readonly config: VideoTrackConfig;
  } | null = null;
  #config: VideoTrackConfig | null = null;
  #unit = new TemporalUnit();
  /** Parts of the OBU that the next packet goes on with; null while there is none. */
  #parts: Uint8Array[] | null = null;
  #partBytes = 0;
  /** RTP time of the current packet; inside an OBU that of its first one. */
  #time = 0;
  #areMarkersTrusted = true;
  /** Time of the last unit if its marker ended it and nothing was lost since. */
  #markedTime: number | null = null;
  #waitsForKeyFrame = true;
  /** Packets were lost, or never seen, right before what comes next. */
  #isAfterGap = true;

  constructor(_format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
  }

  push(packet: RtpPacket, time: number, packetsLost: number): void {
    const { payload } = packet;
    if (packetsLost > 0) this.#onLoss();
    // An empty payload (padding alone) is no media: what is open stays open.
    if (payload.length > 0) {
      const continues = ((payload[0] ?? 0) & CONTINUES) !== 0;
      if (!continues || this.#parts === null) {
        if (this.#abortObu()) this.#damage();
        if (this.#unit.hasBegun && this.#unit.time !== time) this.#finishUnit();
        this.#time = time;
      }
      if (!this.#pushElements(payload)) {
        this.stats.malformedPackets++;
        this.#abortObu();
        this.#damage();
      }
    }
    if (packet.marker) this.#onMarker();
  }

  reset(): void {
    this.#abortObu();
    this.#unit = new TemporalUnit();
    this.#markedTime = null;
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
  }

  #onLoss(): void {
    this.#waitsForKeyFrame = true;
    this.#isAfterGap = true;
    this.#markedTime = null;
    if (this.#abortObu() || this.#unit.hasBegun) this.#damage();
    else this.#unit = new TemporalUnit();
  }

  /** Forgets an unfinished OBU. Returns whether there was one. */
  #abortObu(): boolean {
    const wasOpen = this.#parts !== null;
    this.#parts = null;
    return wasOpen;
  }

  /** Part of the current unit is missing: it ends where it would have ended, and is dropped. */
  #damage(): void {
    this.#unit.begin(this.#time);
    this.#unit.damage();
  }

  #onMarker(): void {
    if (!this.#areMarkersTrusted || this.#parts !== null || !this.#unit.hasBegun) return;
    const { time } = this.#unit;
    this.#finishUnit();
    this.#markedTime = time;
  }

  /** Takes the OBU elements of a payload (4.4). Returns false where it breaks the format. */
  #pushElements(payload: Uint8Array): boolean {
    const header = payload[0] ?? 0;
    const count = (header >>> 4) & 3; // W; 0: as many as there are
    let position = 1;
    for (let index = 0; position < payload.length; index++) {
      let end = payload.length;
      // All elements have their length in front, but for the last one where W counts them.
      if (count === 0 || index < count - 1) {
        const size = readLeb128(payload, position);
        if (size === null || size.next + size.value > payload.length) return false;
        position = size.next;
        end = position + size.value;
      }
      const isFirstPart = index > 0 || (header & CONTINUES) === 0;
      const isLastPart = end < payload.length || (header & WILL_CONTINUE) === 0;
      if (!this.#pushElement(payload.subarray(position, end), isFirstPart, isLastPart)) return false;
      position = end;
      if (end === payload.length) return count === 0 || index === count - 1;
    }
    // Nothing but the header.
    return false;
  }

  #pushElement(bytes: Uint8Array, isFirstPart: boolean, isLastPart: boolean): boolean {
    if (isFirstPart) {
      this.#parts = [];
      this.#partBytes = 0;
    }
    const parts = this.#parts;
    if (parts === null) {
      // The beginning is missing.
      this.#damage();
      return true;
    }
    if (bytes.length > 0) parts.push(bytes);
    this.#partBytes += bytes.length;
    if (this.#partBytes > MAX_ACCESS_UNIT_BYTES || parts.length > MAX_ACCESS_UNIT_PACKETS) return false;
    if (!isLastPart) return true;
    this.#parts = null;
    return this.#onElement(parts, this.#partBytes);
  }

  /** A whole element: an OBU without a size as a rule; with one, there may be more behind it. */
  #onElement(parts: readonly Uint8Array[], byteLength: number): boolean {
    const [first] = parts;
    if (first === undefined) return true;
    const header = first[0] ?? 0;
    const headerBytes = (header & OBU_HAS_EXTENSION) === 0 ? 1 : 2;
    if ((header & OBU_HAS_SIZE) !== 0 || first.length < headerBytes) return this.#onSizedObus(join(parts, byteLength));
    if ((header & OBU_FORBIDDEN) !== 0) return false;
    const payload = [first.subarray(headerBytes), ...parts.slice(1)];
    return this.#onObu(header, first[1] ?? 0, payload, byteLength - headerBytes);
  }

  /** OBUs one after the other, each with its size; the last may be without. */
  #onSizedObus(bytes: Uint8Array): boolean {
    let position = 0;
    while (position < bytes.length) {
      const header = bytes[position] ?? 0;
      const extension = bytes[position + 1] ?? 0;
      position += (header & OBU_HAS_EXTENSION) === 0 ? 1 : 2;
      let end = bytes.length;
      if ((header & OBU_HAS_SIZE) !== 0) {
        const size = readLeb128(bytes, position);
        if (size === null) return false;
        position = size.next;
        end = position + size.value;
      }
      if ((header & OBU_FORBIDDEN) !== 0 || position > end || end > bytes.length) return false;
      if (!this.#onObu(header, extension, [bytes.subarray(position, end)], end - position)) return false;
      position = end;
    }
    return true;
  }

  #onObu(header: number, extension: number, payload: readonly Uint8Array[], payloadBytes: number): boolean {
    switch (obuTypeOf(header)) {
      case ObuType.sequenceHeader:
        if (!this.#onSequenceHeader(join(payload, payloadBytes))) return false;
        break;
      case ObuType.frameHeader:
      case ObuType.frame:
        if (payloadBytes === 0) return false;
        this.#onFrame(payload.find((part) => part.length > 0)?.[0] ?? 0);
        break;
      case ObuType.tileGroup:
        // Its frame header never came, or went out with a marker that was wrong.
        if (!this.#unit.hasBegun) this.#onFrameWithoutHeader();
        break;
      case ObuType.metadata:
        break;
      default:
        return true; // delimiters, padding, redundant headers, tile lists, reserved types
    }
    return this.#unit.append(header, extension, payload, payloadBytes);
  }

  #onSequenceHeader(payload: Uint8Array): boolean {
    this.#unit.hasSequenceHeader = true;
    if (this.#sequence !== null && equalBytes(this.#sequence.payload, payload)) return true;
    const header = parseAv1SequenceHeader(payload);
    if (header === null) return false;
    const copy = payload.slice();
    this.#sequence = { payload: copy, header, config: av1TrackConfig(header, copy) };
    return true;
  }

  #onFrame(firstByte: number): void {
    if (this.#unit.hasBegun) return;
    this.#onUnitStart();
    const sequence = this.#sequence;
    this.#unit.isKeyFrame = sequence !== null && isShownKeyFrame(firstByte, sequence.header);
    // After a gap a new sequence header may be what was lost.
    if (this.#isAfterGap && !this.#unit.hasSequenceHeader) this.#unit.isKeyFrame = false;
    this.#isAfterGap = false;
  }

  #onFrameWithoutHeader(): void {
    this.#onUnitStart();
    this.#unit.damage();
    this.#isAfterGap = false;
  }

  #onUnitStart(): void {
    this.#unit.begin(this.#time);
    if (this.#markedTime === this.#time) {
      // The marker did not end the unit. What went out was not whole; the rest of it is of no use.
      this.#areMarkersTrusted = false;
      this.#unit.damage();
    }
    this.#markedTime = null;
  }

  #finishUnit(): void {
    const unit = this.#unit;
    this.#unit = new TemporalUnit();
    const { isKeyFrame, isDamaged } = unit;
    if (isDamaged) this.#waitsForKeyFrame = true;
    if (isDamaged || (this.#waitsForKeyFrame && !isKeyFrame)) {
      this.stats.droppedAccessUnits++;
      return;
    }
    this.#waitsForKeyFrame = false;
    const sequence = isKeyFrame ? this.#sequence : null;
    const config = sequence !== null && sequence.config !== this.#config ? sequence.config : null;
    if (config !== null) this.#config = config;
    if (sequence !== null && !unit.hasSequenceHeader) unit.prepend(sequenceHeaderObu(sequence.payload));
    this.stats.accessUnits++;
    if (isKeyFrame) this.stats.keyFrames++;
    this.#onAccessUnit({
      presentationTime: unit.time,
      decodeTime: unit.time,
      isKeyFrame,
      pieces: unit.pieces,
      byteLength: unit.byteLength,
      config,
    });
  }
}

function join(parts: readonly Uint8Array[], byteLength: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(byteLength);
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}
