import { BitWriter } from './bit-writer.js';
import type { AudioTrackConfig } from './track-config.js';

/**
 * 16-bit samples → FLAC frames (RFC 9639), which browsers take in MP4 where they take no PCM. The samples are written as
 * they are: cameras' sound is a few kilobytes a second, and what matters is that nothing is lost or held back.
 */

const BITS_PER_SAMPLE = 16;
/** Frame header at most (sync to CRC-8), and the CRC-16. */
const MAX_OVERHEAD_BYTES = 16 + 2;
/** Subframe header (9.2.1): padding, type, no wasted bits. */
const CONSTANT = 0;
const VERBATIM = 1 << 1;

/**
 * The configuration of a FLAC track.
 * @param sampleRate - samples a second, 1 to 655,350
 * @param channels - 1 to 8
 * @param samplesPerUnit - samples of each channel in a frame, 16 to 65,535
 */
export function flacConfig(sampleRate: number, channels: number, samplesPerUnit: number): AudioTrackConfig {
  const bits = new BitWriter(38);
  bits.write(0x80, 8); // the last metadata block; STREAMINFO
  bits.write(34, 24); // its length
  bits.write(samplesPerUnit, 16); // minimum block size
  bits.write(samplesPerUnit, 16); // maximum block size
  bits.write(0, 24); // minimum frame size: unknown
  bits.write(0, 24); // maximum frame size: unknown
  bits.write(sampleRate, 20);
  bits.write(channels - 1, 3);
  bits.write(BITS_PER_SAMPLE - 1, 5);
  bits.write(0, 4); // total samples: unknown
  bits.write(0, 32);
  for (let word = 0; word < 4; word++) bits.write(0, 32); // MD5: unknown
  return {
    kind: 'audio',
    codec: 'flac',
    sampleEntry: 'fLaC',
    description: bits.bytes(),
    sampleRate,
    channels,
    samplesPerUnit,
  };
}

/**
 * Writes one frame.
 * @param samples - of all channels, interleaved
 * @param frameNumber - from 0; counted in frames
 */
export function writeFlacFrame(samples: Int16Array, channels: number, frameNumber: number): Uint8Array<ArrayBuffer> {
  const blockSize = samples.length / channels;
  const bytes = new Uint8Array(MAX_OVERHEAD_BYTES + channels + 2 * samples.length);
  let at = writeHeader(bytes, blockSize, channels, frameNumber);
  for (let channel = 0; channel < channels; channel++) {
    const isConstant = isConstantChannel(samples, channels, channel);
    bytes[at++] = isConstant ? CONSTANT : VERBATIM;
    const count = isConstant ? 1 : blockSize;
    for (let index = 0; index < count; index++) {
      const sample = samples[index * channels + channel] ?? 0;
      bytes[at++] = sample >> 8;
      bytes[at++] = sample;
    }
  }
  const check = crc16(bytes, at);
  bytes[at++] = check >> 8;
  bytes[at++] = check;
  return bytes.subarray(0, at);
}

/** A frame of nothing but zeros. */
export function silentFlacFrame({ channels, samplesPerUnit }: AudioTrackConfig): Uint8Array {
  return writeFlacFrame(new Int16Array(samplesPerUnit * channels), channels, 0);
}

/** Frame header (9.1); returns its length. */
function writeHeader(bytes: Uint8Array, blockSize: number, channels: number, frameNumber: number): number {
  bytes[0] = 0xff;
  bytes[1] = 0xf8; // sync code; fixed block size
  bytes[2] = 0x70; // block size: 16 bits follow; sample rate: as in STREAMINFO
  bytes[3] = ((channels - 1) << 4) | 0x08; // independent channels; 16 bits a sample
  let at = writeCodedNumber(bytes, 4, frameNumber % 2 ** 31);
  bytes[at++] = (blockSize - 1) >> 8;
  bytes[at++] = blockSize - 1;
  bytes[at] = crc8(bytes, at);
  return at + 1;
}

/** A number of up to 31 bits, coded as UTF-8 codes its own (9.1.5). */
function writeCodedNumber(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value;
    return at + 1;
  }
  let followers = 1;
  while (value >= 2 ** (6 * followers + (6 - followers))) followers++;
  bytes[at] = (0xff00 >> (followers + 1)) | Math.floor(value / 2 ** (6 * followers));
  for (let index = followers - 1; index >= 0; index--) {
    bytes[at + followers - index] = 0x80 | (Math.floor(value / 2 ** (6 * index)) & 0x3f);
  }
  return at + followers + 1;
}

function isConstantChannel(samples: Int16Array, channels: number, channel: number): boolean {
  for (let at = channel + channels; at < samples.length; at += channels) {
    if (samples[at] !== samples[channel]) return false;
  }
  return true;
}

const crc8Table = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x80 ? 0x07 : 0);
  return crc;
});

const crc16Table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x8005 : 0);
  return crc;
});

function crc8(bytes: Uint8Array, length: number): number {
  let crc = 0;
  for (let at = 0; at < length; at++) crc = crc8Table[crc ^ (bytes[at] ?? 0)] ?? 0;
  return crc;
}

function crc16(bytes: Uint8Array, length: number): number {
  let crc = 0;
  for (let at = 0; at < length; at++) {
    crc = ((crc << 8) & 0xffff) ^ (crc16Table[(crc >> 8) ^ (bytes[at] ?? 0)] ?? 0);
  }
  return crc;
}
