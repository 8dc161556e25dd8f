/**
 * The demo camera's clip, made by make-clip.mjs: elementary streams of one minute → access units and what a session
 * description has to say about them.
 */
import { readFile } from 'node:fs/promises';

/** What the clip lasts, after which it begins again, in milliseconds. */
export const CLIP_MS = 60_000;

export interface MediaUnit {
  /** H.264: NAL units without start codes. AAC: one raw_data_block. */
  readonly pieces: readonly Uint8Array[];
  readonly isKeyFrame: boolean;
}

interface ElementaryStream {
  /** One minute of access units, all of the same duration; the first of them can be decoded by itself. */
  readonly units: readonly MediaUnit[];
  /** Duration of one unit. */
  readonly unitMs: number;
  /** Ticks of the RTP clock a second. */
  readonly clockRate: number;
}

export interface VideoStream extends ElementaryStream {
  readonly kind: 'video';
  readonly sequenceParameterSet: Uint8Array;
  readonly pictureParameterSet: Uint8Array;
}

export interface AudioStream extends ElementaryStream {
  readonly kind: 'audio';
  readonly channels: number;
  /** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). */
  readonly audioConfig: Uint8Array;
}

export interface Clip {
  /** 640 × 360, 25 frames a second, a key frame each second. */
  readonly main: VideoStream;
  /** 320 × 180, 10 frames a second, a key frame every other second. */
  readonly sub: VideoStream;
  readonly sound: AudioStream;
}

/** Reads the files beside this one. Rejects when one is missing, or is no stream of one minute. */
export async function loadClip(): Promise<Clip> {
  const [main, sub, sound] = await Promise.all(['main.h264', 'sub.h264', 'sound.aac'].map(readBesides));
  return { main: videoStream(main, 25), sub: videoStream(sub, 10), sound: audioStream(sound) };
}

function readBesides(name: string): Promise<Buffer> {
  return readFile(new URL(`./${name}`, import.meta.url));
}

// NAL unit types (ITU-T H.264, table 7-1).
const SLICE = 1;
const IDR_SLICE = 5;
const SEQUENCE_PARAMETER_SET = 7;
const PICTURE_PARAMETER_SET = 8;

function videoStream(bytes: Buffer = Buffer.alloc(0), frameRate: number): VideoStream {
  const nalUnits = splitAnnexB(bytes);
  const sequenceParameterSet = nalUnits.find((nalUnit) => nalUnitType(nalUnit) === SEQUENCE_PARAMETER_SET);
  const pictureParameterSet = nalUnits.find((nalUnit) => nalUnitType(nalUnit) === PICTURE_PARAMETER_SET);
  const units: MediaUnit[] = [];
  let pieces: Uint8Array[] = [];
  for (const nalUnit of nalUnits) {
    pieces.push(nalUnit);
    const type = nalUnitType(nalUnit);
    if (type !== SLICE && type !== IDR_SLICE) continue;
    // The clip has one slice a picture.
    units.push({ pieces, isKeyFrame: type === IDR_SLICE });
    pieces = [];
  }
  if (sequenceParameterSet === undefined || pictureParameterSet === undefined) {
    throw new Error('The demo clip has no H.264 parameter sets; make it anew with make-clip.mjs.');
  }
  const unitMs = checkedUnitMs(units, 1000 / frameRate);
  return { kind: 'video', units, unitMs, clockRate: 90_000, sequenceParameterSet, pictureParameterSet };
}

function nalUnitType(nalUnit: Uint8Array): number {
  return (nalUnit[0] ?? 0) & 0x1f;
}

/** ITU-T H.264, annex B: what lies between start codes, without the zeros that may follow it. */
function splitAnnexB(bytes: Buffer): Uint8Array[] {
  const startCode = Uint8Array.of(0, 0, 1);
  const nalUnits: Uint8Array[] = [];
  let start = bytes.indexOf(startCode);
  while (start >= 0) {
    const next = bytes.indexOf(startCode, start + 3);
    let end = next < 0 ? bytes.length : next;
    while (bytes[end - 1] === 0) end--;
    nalUnits.push(bytes.subarray(start + 3, end));
    start = next;
  }
  return nalUnits;
}

const ADTS_HEADER_BYTES = 7;
const SAMPLES_PER_BLOCK = 1_024;
/** By sampling_frequency_index (ISO/IEC 14496-3, table 1.18). */
const sampleRates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000];

/** ADTS frames without error protection (ISO/IEC 14496-3, 1.A.2.2); the first one's header stands for all. */
function audioStream(bytes: Buffer = Buffer.alloc(0)): AudioStream {
  const units: MediaUnit[] = [];
  let start = 0;
  while (start + ADTS_HEADER_BYTES <= bytes.length) {
    const end = start + ((bytes.readUInt32BE(start + 3) >>> 13) & 0x1fff);
    if (bytes.readUInt16BE(start) !== 0xfff1 || end <= start + ADTS_HEADER_BYTES || end > bytes.length) break;
    units.push({ pieces: [bytes.subarray(start + ADTS_HEADER_BYTES, end)], isKeyFrame: true });
    start = end;
  }
  const header = bytes.length < ADTS_HEADER_BYTES ? 0 : bytes.readUInt16BE(2);
  const objectType = (header >> 14) + 1;
  const frequencyIndex = (header >> 10) & 0x0f;
  const channels = (header >> 6) & 0x07;
  const clockRate = sampleRates[frequencyIndex] ?? 0;
  const config = (objectType << 11) | (frequencyIndex << 7) | (channels << 3);
  const unitMs = checkedUnitMs(units, (SAMPLES_PER_BLOCK * 1000) / clockRate);
  return { kind: 'audio', units, unitMs, clockRate, channels, audioConfig: Uint8Array.of(config >> 8, config & 0xff) };
}

/** Whole milliseconds, so that every time stamp is exact; and one minute, so that the loop joins. */
function checkedUnitMs(units: readonly MediaUnit[], unitMs: number): number {
  if (!Number.isInteger(unitMs) || units.length * unitMs !== CLIP_MS || units[0]?.isKeyFrame !== true) {
    throw new Error(`The demo clip does not last a minute (${units.length} units of ${unitMs} ms).`);
  }
  return unitMs;
}
