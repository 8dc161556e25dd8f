import { audioSpecificConfigBits, parseAudioSpecificConfig } from './aac.js';
import type { BitReader } from './bit-reader.js';
import type { AudioTrackConfig } from './track-config.js';

/** Low-overhead audio transport multiplex (LATM; ISO/IEC 14496-3, 1.7.3): StreamMuxConfig and the payloads that it describes. */

export interface StreamMuxConfig {
  readonly track: AudioTrackConfig;
  /** Access units in one element, 1 to 64. */
  readonly units: number;
  /** Bytes of every access unit; null where each one's length stands before it. */
  readonly unitBytes: number | null;
  /** Bits of data of other kinds behind the access units. */
  readonly otherBits: number;
}

/** An AudioSpecificConfig is far shorter, but for a program config element with a comment. */
const MAX_CONFIG_BYTES = 320;
/** Bits of data of other kinds that are believed. */
const MAX_OTHER_BITS = 65_536;

/**
 * Reads a StreamMuxConfig (table 1.42) of one program with one layer, which is all that RFC 6416 allows for AAC.
 * @param previous - a configuration that is kept, as the same object, where this one says the same
 * @returns null when it is cut short, of another codec, or of more than one layer
 */
export function readStreamMuxConfig(bits: BitReader, previous: StreamMuxConfig | null): StreamMuxConfig | null {
  const version = bits.unsigned(1); // audioMuxVersion
  if (version === 1) {
    if (bits.flag()) return null; // audioMuxVersionA
    readValue(bits); // taraBufferFullness
  }
  if (!bits.flag()) return null; // allStreamsSameTimeFraming
  const units = bits.unsigned(6) + 1; // numSubFrames
  if (bits.unsigned(4) !== 0 || bits.unsigned(3) !== 0) return null; // numProgram, numLayer
  const description = readDescription(bits, version === 1 ? readValue(bits) : null);
  if (description === null) return null;
  const unitBytes = readFrameLength(bits);
  if (unitBytes === undefined) return null;
  const otherBits = bits.flag() ? readOtherLength(bits, version) : 0; // otherDataPresent
  if (bits.flag()) bits.skip(8); // crcCheckPresent: crcCheckSum
  if (bits.overrun || otherBits > MAX_OTHER_BITS) return null;
  const track = sameTrack(previous, description) ?? parseAudioSpecificConfig(description);
  if (track === null) return null;
  const isSame =
    previous?.track === track &&
    previous.units === units &&
    previous.unitBytes === unitBytes &&
    previous.otherBits === otherBits;
  return isSame ? previous : { track, units, unitBytes, otherBits };
}

/**
 * Reads one access unit: PayloadLengthInfo and PayloadMux (tables 1.44 and 1.45), where there is one program with one layer
 * and one unit follows the other.
 * @returns null when it is cut short
 */
export function readLatmUnit(bits: BitReader, { unitBytes }: StreamMuxConfig): Uint8Array | null {
  let length = unitBytes ?? 0;
  if (unitBytes === null) {
    let part: number;
    do {
      part = bits.unsigned(8); // tmp
      length += part;
    } while (part === 255 && !bits.overrun);
  }
  return bits.overrun ? null : bits.bytes(length);
}

/** Bytes of the AudioSpecificConfig, the last one filled up with zeros. Its length in bits, where it is given, may be too large. */
function readDescription(bits: BitReader, givenBits: number | null): Uint8Array | null {
  const available = Math.min(MAX_CONFIG_BYTES, Math.floor(bits.remaining / 8));
  if (available <= 0) return null;
  const start = bits.position;
  const bytes = bits.bytes(available);
  if (bytes === null) return null;
  const length = givenBits ?? audioSpecificConfigBits(bytes);
  if (length === null || length > available * 8) return null;
  bits.skip(start + length - bits.position);
  const description = bytes.slice(0, Math.ceil(length / 8));
  const unused = description.length * 8 - length;
  const last = description.length - 1;
  description[last] = (description[last] ?? 0) & (0xff << unused);
  return description;
}

/** Bytes of each access unit, null where they differ, undefined for what no AAC stream has. */
function readFrameLength(bits: BitReader): number | null | undefined {
  switch (
    bits.unsigned(3) // frameLengthType
  ) {
    case 0:
      bits.skip(8); // latmBufferFullness
      return null;
    case 1:
      return bits.unsigned(9) + 20; // frameLength
    default:
      return undefined;
  }
}

function readOtherLength(bits: BitReader, version: number): number {
  if (version === 1) return readValue(bits);
  let length = 0;
  let goesOn: boolean;
  do {
    goesOn = bits.flag(); // otherDataLenEsc
    length = length * 256 + bits.unsigned(8); // otherDataLenTmp
  } while (goesOn && length <= MAX_OTHER_BITS && !bits.overrun);
  return length;
}

/** LatmGetValue (table 1.43). */
function readValue(bits: BitReader): number {
  const bytes = bits.unsigned(2) + 1;
  return bits.unsigned(8 * bytes);
}

function sameTrack(previous: StreamMuxConfig | null, description: Uint8Array): AudioTrackConfig | null {
  const old = previous?.track.description;
  const isSame = old?.length === description.length && old.every((byte, index) => byte === description[index]);
  return isSame ? (previous?.track ?? null) : null;
}
