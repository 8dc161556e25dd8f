import type { AccessUnit } from '../../../client/codec/access-unit.js';
import type { AudioTrackConfig, VideoTrackConfig } from '../../../client/codec/track-config.js';
import type { Depacketizer } from '../../../client/depacketizer/depacketizer.js';
import type { RtpPacket } from '../../../shared/rtp-packet.js';
import type { MediaFormat } from '../../../shared/session-description.js';

/** Packets and formats for the depacketizers' tests. */

/** What a test says of a packet; the sequence number is counted by `feed`. */
export interface TestPacket {
  payload: Uint8Array;
  time: number;
  marker?: boolean;
  /** Packets missing right before this one. */
  lost?: number;
}

export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

export function hex(data: Uint8Array | readonly Uint8Array[]): string {
  return Buffer.concat(data instanceof Uint8Array ? [data] : data).toString('hex');
}

export function rtpPacket(fields: TestPacket, sequenceNumber = 0): RtpPacket {
  return {
    payloadType: 96,
    marker: fields.marker ?? false,
    sequenceNumber: sequenceNumber & 0xffff,
    timestamp: fields.time >>> 0,
    ssrc: 1,
    payload: fields.payload,
    extension: null,
  };
}

/** Pushes packets one after the other. */
export function feed(depacketizer: Depacketizer, packets: Iterable<TestPacket>): void {
  let sequenceNumber = 0;
  for (const packet of packets) {
    const lost = packet.lost ?? 0;
    sequenceNumber += 1 + lost;
    depacketizer.push(rtpPacket(packet, sequenceNumber), packet.time, lost);
  }
}

/** A format of any name. */
export function mediaFormat(
  encodingName: string,
  clockRate: number,
  parameters: Record<string, string> = {},
  channels: number | null = null,
): MediaFormat {
  return { payloadType: 98, encodingName, clockRate, channels, parameters: new Map(Object.entries(parameters)) };
}

/** Everything that a depacketizer hands over. */
export class UnitRecorder<D extends Depacketizer> {
  readonly units: AccessUnit[] = [];
  readonly depacketizer: D;

  constructor(Class: new (format: MediaFormat, onAccessUnit: (unit: AccessUnit) => void) => D, format: MediaFormat) {
    this.depacketizer = new Class(format, (unit) => this.units.push(unit));
  }

  feed(...packets: readonly TestPacket[]): this {
    feed(this.depacketizer, packets);
    return this;
  }

  /** The units' bytes, in hexadecimal. */
  get contents(): string[] {
    return this.units.map((unit) => hex(unit.pieces));
  }

  get times(): number[] {
    return this.units.map((unit) => unit.presentationTime);
  }

  get configs(): string[] {
    return this.units.flatMap(({ config }) => (config === null ? [] : [config.codec]));
  }
}

/** What must hold of any unit, whatever the packets were. */
export function checkUnits(units: readonly AccessUnit[]): void {
  for (const [index, unit] of units.entries()) {
    if (unit.byteLength === 0 || hex(unit.pieces).length !== 2 * unit.byteLength) throw new Error('wrong length');
    if (!Number.isInteger(unit.presentationTime) || unit.decodeTime !== unit.presentationTime) throw new Error('time');
    if (index === 0 && (unit.config === null || !unit.isKeyFrame))
      throw new Error('a first unit without configuration');
  }
}

export function videoFormat(parameters: Record<string, string> = {}): MediaFormat {
  return {
    payloadType: 96,
    encodingName: 'H264',
    clockRate: 90_000,
    channels: null,
    parameters: new Map(Object.entries(parameters)),
  };
}

export function audioFormat(
  parameters: Record<string, string>,
  clockRate = 48_000,
  channels: number | null = 2,
): MediaFormat {
  return {
    payloadType: 97,
    encodingName: 'MPEG4-GENERIC',
    clockRate,
    channels,
    parameters: new Map(Object.entries(parameters)),
  };
}

/** A STAP-A payload of NAL units (RFC 6184, 5.7.1). */
export function stapA(...nalUnits: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78)];
  for (const nalUnit of nalUnits) parts.push(Uint8Array.of(nalUnit.length >> 8, nalUnit.length & 0xff), nalUnit);
  return new Uint8Array(Buffer.concat(parts));
}

/** FU-A payloads (RFC 6184, 5.8) with these numbers of media bytes, the last one taking the rest. */
export function fuA(nalUnit: Uint8Array, ...sizes: readonly number[]): Uint8Array[] {
  const header = nalUnit[0] ?? 0;
  const payloads: Uint8Array[] = [];
  let position = 1;
  for (let index = 0; index <= sizes.length; index++) {
    const end = index === sizes.length ? nalUnit.length : position + (sizes[index] ?? 0);
    const flags = (index === 0 ? 0x80 : 0) | (index === sizes.length ? 0x40 : 0);
    const head = Uint8Array.of((header & 0xe0) | 28, flags | (header & 0x1f));
    payloads.push(new Uint8Array(Buffer.concat([head, nalUnit.subarray(position, end)])));
    position = end;
  }
  return payloads;
}

/** An aggregation packet's payload (RFC 7798, 4.4.2), of the base layer. */
export function aggregationPacket(...nalUnits: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x60, 0x01)];
  for (const nalUnit of nalUnits) parts.push(Uint8Array.of(nalUnit.length >> 8, nalUnit.length & 0xff), nalUnit);
  return new Uint8Array(Buffer.concat(parts));
}

/** Fragmentation units (RFC 7798, 4.4.3) with these numbers of media bytes, the last one taking the rest. */
export function fragmentationUnits(nalUnit: Uint8Array, ...sizes: readonly number[]): Uint8Array[] {
  const [first = 0, second = 0] = nalUnit;
  const payloads: Uint8Array[] = [];
  let position = 2;
  for (let index = 0; index <= sizes.length; index++) {
    const end = index === sizes.length ? nalUnit.length : position + (sizes[index] ?? 0);
    const flags = (index === 0 ? 0x80 : 0) | (index === sizes.length ? 0x40 : 0);
    const head = Uint8Array.of((first & 0x81) | (49 << 1), second, flags | ((first >>> 1) & 0x3f));
    payloads.push(new Uint8Array(Buffer.concat([head, nalUnit.subarray(position, end)])));
    position = end;
  }
  return payloads;
}

/** The NAL units of a sample, in hexadecimal; fails where lengths and bytes do not fit. */
export function nalUnitsOf(unit: AccessUnit): string[] {
  const sample = Buffer.concat(unit.pieces);
  if (sample.length !== unit.byteLength) throw new Error(`${sample.length} bytes, ${unit.byteLength} announced`);
  const found: string[] = [];
  for (let position = 0; position < sample.length; ) {
    const length = sample.readUInt32BE(position);
    position += 4;
    if (length === 0 || position + length > sample.length)
      throw new Error(`NAL unit of ${length} bytes at ${position}`);
    found.push(sample.subarray(position, position + length).toString('hex'));
    position += length;
  }
  return found;
}

/** The configuration that comes with an access unit, if it is of video. */
export function videoConfigOf(unit: AccessUnit | undefined): VideoTrackConfig | null {
  return unit?.config?.kind === 'video' ? unit.config : null;
}

/** The configuration that comes with an access unit, if it is of audio. */
export function audioConfigOf(unit: AccessUnit | undefined): AudioTrackConfig | null {
  return unit?.config?.kind === 'audio' ? unit.config : null;
}
