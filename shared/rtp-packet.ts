/**
 * RTP packets as objects, and as bytes on the wire (RFC 3550, section 5.1).
 */

export interface RtpPacket {
  /** 0 to 127. */
  readonly payloadType: number;
  /** What it marks is the payload format's business: with video, the last packet of an access unit. */
  readonly marker: boolean;
  /** 16 bits. */
  readonly sequenceNumber: number;
  /** 32 bits, unsigned, in ticks of the payload format's clock. */
  readonly timestamp: number;
  readonly ssrc: number;
  /** A view, without padding. May be empty. */
  readonly payload: Uint8Array;
  readonly extension: RtpHeaderExtension | null;
}

/** Section 5.3.1. */
export interface RtpHeaderExtension {
  /** 16 bits that say whose it is. */
  readonly profile: number;
  /** A view of whole 32-bit words. */
  readonly data: Uint8Array;
}

const FIXED_HEADER_BYTES = 12;

/**
 * Reads one packet.
 * @param bytes - the whole packet, as a datagram or an interleaved frame carries it; views of it are handed out
 * @returns null when it is not a valid RTP packet: another version, a header longer than the packet, or padding of zero
 *   bytes or of more than the payload has
 */
export function parseRtpPacket(bytes: Uint8Array): RtpPacket | null {
  if (bytes.length < FIXED_HEADER_BYTES) return null;
  const first = bytes[0] as number;
  if (first >> 6 !== 2) return null;
  const second = bytes[1] as number;
  let start = FIXED_HEADER_BYTES + 4 * (first & 0x0f);

  let extension: RtpPacket['extension'] = null;
  if ((first & 0x10) !== 0) {
    if (start + 4 > bytes.length) return null;
    const end = start + 4 + 4 * readUint16(bytes, start + 2);
    if (end > bytes.length) return null;
    extension = { profile: readUint16(bytes, start), data: bytes.subarray(start + 4, end) };
    start = end;
  }

  let end = bytes.length;
  if ((first & 0x20) !== 0) {
    const padding = bytes[end - 1] as number;
    if (padding === 0) return null;
    end -= padding;
  }
  if (start > end) return null;

  return {
    payloadType: second & 0x7f,
    marker: second >= 0x80,
    sequenceNumber: readUint16(bytes, 2),
    timestamp: readUint32(bytes, 4),
    ssrc: readUint32(bytes, 8),
    payload: bytes.subarray(start, end),
    extension,
  };
}

/** The bytes of one packet. Numbers are cut to the width that they have on the wire; an extension's data to whole words. */
export function serializeRtpPacket(packet: {
  payloadType: number;
  marker: boolean;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  /** The payload, in pieces that are written one after the other. */
  payload: Uint8Array | readonly Uint8Array[];
  extension?: RtpPacket['extension'];
}): Uint8Array {
  const pieces = packet.payload instanceof Uint8Array ? [packet.payload] : packet.payload;
  const extension = packet.extension ?? null;
  const extensionWords = extension === null ? 0 : Math.min(0xffff, extension.data.length >> 2);
  let start = FIXED_HEADER_BYTES + (extension === null ? 0 : 4 + 4 * extensionWords);
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, start));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x80 | (extension === null ? 0 : 0x10));
  view.setUint8(1, (packet.marker ? 0x80 : 0) | (packet.payloadType & 0x7f));
  view.setUint16(2, packet.sequenceNumber);
  view.setUint32(4, packet.timestamp);
  view.setUint32(8, packet.ssrc);
  if (extension !== null) {
    view.setUint16(12, extension.profile);
    view.setUint16(14, extensionWords);
    bytes.set(extension.data.subarray(0, 4 * extensionWords), 16);
  }
  for (const piece of pieces) {
    bytes.set(piece, start);
    start += piece.length;
  }
  return bytes;
}

/**
 * Whether this is RTCP rather than RTP: some servers send either on the channel of the other. Payload types 72 to 76 with
 * the marker set would look the same, and are kept free for that reason (RFC 3551, section 6).
 */
export function looksLikeRtcp(bytes: Uint8Array): boolean {
  const packetType = bytes[1];
  return packetType !== undefined && packetType >= 200 && packetType <= 204;
}

function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return ((readUint16(bytes, offset) << 16) | readUint16(bytes, offset + 2)) >>> 0;
}
