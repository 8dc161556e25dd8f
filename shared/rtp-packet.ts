/** RTP packets: bytes ↔ fields (RFC 3550, 5.1; header extension 5.3.1). */

export interface RtpPacket {
  /** 7 bits. */
  readonly payloadType: number;
  readonly marker: boolean;
  /** 16 bits, unsigned. */
  readonly sequenceNumber: number;
  /** 32 bits, unsigned. */
  readonly timestamp: number;
  /** 32 bits, unsigned. */
  readonly ssrc: number;
  /** A view of the packet's bytes, without padding. */
  readonly payload: Uint8Array;
  readonly extension: RtpHeaderExtension | null;
}

export interface RtpHeaderExtension {
  /** 16 bits: what the data is, for example 0xABAC for ONVIF replay. */
  readonly profile: number;
  readonly data: Uint8Array;
}

const FIXED_HEADER_BYTES = 12;

/** Reads a packet; null when it is none: too short, another version, or lengths beyond its end. */
export function parseRtpPacket(bytes: Uint8Array): RtpPacket | null {
  if (bytes.length < FIXED_HEADER_BYTES) return null;
  const first = bytes[0] as number;
  if (first >> 6 !== 2) return null;
  let start = FIXED_HEADER_BYTES + 4 * (first & 0x0f);
  let end = bytes.length;
  if (start > end) return null;
  let extension: RtpHeaderExtension | null = null;
  if ((first & 0x10) !== 0) {
    if (start + 4 > end) return null;
    const profile = uint16(bytes, start);
    const length = 4 * uint16(bytes, start + 2);
    start += 4;
    if (start + length > end) return null;
    extension = { profile, data: bytes.subarray(start, start + length) };
    start += length;
  }
  if ((first & 0x20) !== 0) {
    const padding = bytes[end - 1] as number;
    if (padding === 0 || start + padding > end) return null;
    end -= padding;
  }
  const second = bytes[1] as number;
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequenceNumber: uint16(bytes, 2),
    timestamp: uint32(bytes, 4),
    ssrc: uint32(bytes, 8),
    payload: bytes.subarray(start, end),
    extension,
  };
}

/** Whether this is RTCP, on whichever channel it came: second byte 200 to 204 (RFC 5761, 4). */
export function looksLikeRtcp(bytes: Uint8Array): boolean {
  const type = bytes[1] ?? 0;
  return type >= 200 && type <= 204;
}

/** What a packet is written from; no padding and no contributing sources. */
export interface RtpPacketFields {
  payloadType: number;
  marker: boolean;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  /** In pieces that are written one after the other. */
  payload: readonly Uint8Array[];
  extension?: RtpHeaderExtension | null;
}

/** Writes a packet. A header extension is filled up with zeros to whole 32-bit words. */
export function serializeRtpPacket(fields: RtpPacketFields): Uint8Array {
  const extension = fields.extension ?? null;
  const extensionWords = extension === null ? 0 : Math.ceil(extension.data.length / 4);
  let length = FIXED_HEADER_BYTES + (extension === null ? 0 : 4 + 4 * extensionWords);
  let at = length;
  for (const piece of fields.payload) length += piece.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, extension === null ? 0x80 : 0x90);
  view.setUint8(1, (fields.marker ? 0x80 : 0) | (fields.payloadType & 0x7f));
  view.setUint16(2, fields.sequenceNumber);
  view.setUint32(4, fields.timestamp);
  view.setUint32(8, fields.ssrc);
  if (extension !== null) {
    view.setUint16(FIXED_HEADER_BYTES, extension.profile);
    view.setUint16(FIXED_HEADER_BYTES + 2, extensionWords);
    bytes.set(extension.data, FIXED_HEADER_BYTES + 4);
  }
  for (const piece of fields.payload) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((uint16(bytes, at) << 16) | uint16(bytes, at + 2)) >>> 0;
}
