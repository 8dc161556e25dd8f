import { readFile } from 'node:fs/promises';

/**
 * The demo camera's clip, made by make-clip.sh: two elementary streams of one minute, cut into access units.
 */

/** Frames a second, and ticks of the RTP clock a frame. */
export const FRAME_RATE = 25;
export const VIDEO_CLOCK_RATE = 90_000;
/** Samples a second (which is the RTP clock too), and samples of an access unit. */
export const SAMPLE_RATE = 32_000;
export const SAMPLES_PER_UNIT = 1_024;
/** Seconds after which the clip begins again. */
export const CLIP_SECONDS = 60;

export interface VideoFrame {
  /** Without start codes. */
  readonly nalUnits: readonly Uint8Array[];
  readonly isKeyFrame: boolean;
}

export interface Clip {
  readonly frames: readonly VideoFrame[];
  /** One raw_data_block each. */
  readonly audioUnits: readonly Uint8Array[];
  readonly sequenceParameterSet: Uint8Array;
  readonly pictureParameterSet: Uint8Array;
  /** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). */
  readonly audioConfig: Uint8Array;
}

const SLICE = 1;
const IDR_SLICE = 5;
const SPS = 7;
const PPS = 8;

/** Reads the clip that lies beside this file. */
export async function loadClip(): Promise<Clip> {
  const [video, audio] = await Promise.all([
    readFile(new URL('./clip.h264', import.meta.url)),
    readFile(new URL('./clip.aac', import.meta.url)),
  ]);
  const nalUnits = splitAnnexB(video);
  const sequenceParameterSet = nalUnits.find((nalUnit) => typeOf(nalUnit) === SPS);
  const pictureParameterSet = nalUnits.find((nalUnit) => typeOf(nalUnit) === PPS);
  if (sequenceParameterSet === undefined || pictureParameterSet === undefined) {
    throw new Error('clip.h264 has no parameter sets; make it anew with make-clip.sh.');
  }
  return {
    frames: groupFrames(nalUnits),
    sequenceParameterSet,
    pictureParameterSet,
    ...splitAdts(audio),
  };
}

function typeOf(nalUnit: Uint8Array): number {
  return (nalUnit[0] ?? 0) & 0x1f;
}

/** NAL units between start codes (ITU-T H.264, annex B). */
function splitAnnexB(bytes: Uint8Array): Uint8Array[] {
  const nalUnits: Uint8Array[] = [];
  let start = -1;
  for (let at = 0; at + 2 < bytes.length; at++) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1) continue;
    if (start >= 0) nalUnits.push(withoutTrailingZeros(bytes.subarray(start, at)));
    start = at + 3;
    at += 2;
  }
  if (start >= 0) nalUnits.push(withoutTrailingZeros(bytes.subarray(start)));
  return nalUnits;
}

function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

/** The clip has one slice a picture, so a slice ends its frame. */
function groupFrames(nalUnits: readonly Uint8Array[]): VideoFrame[] {
  const frames: VideoFrame[] = [];
  let pending: Uint8Array[] = [];
  for (const nalUnit of nalUnits) {
    pending.push(nalUnit);
    const type = typeOf(nalUnit);
    if (type !== SLICE && type !== IDR_SLICE) continue;
    frames.push({ nalUnits: pending, isKeyFrame: type === IDR_SLICE });
    pending = [];
  }
  return frames;
}

/** Blocks behind ADTS headers (ISO/IEC 14496-3, 1.A.2.2), and the configuration that the headers tell. */
function splitAdts(bytes: Uint8Array): { audioUnits: Uint8Array[]; audioConfig: Uint8Array } {
  const audioUnits: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 7 <= bytes.length; ) {
    const headerBytes = (view.getUint8(at + 1) & 1) === 1 ? 7 : 9;
    const length = (view.getUint32(at + 3) >>> 13) & 0x1fff;
    if (view.getUint16(at) >> 4 !== 0xfff || length <= headerBytes || at + length > bytes.length) {
      throw new Error('clip.aac is no ADTS stream; make it anew with make-clip.sh.');
    }
    audioUnits.push(bytes.subarray(at + headerBytes, at + length));
    at += length;
  }
  const objectType = (view.getUint8(2) >> 6) + 1;
  const frequencyIndex = (view.getUint8(2) >> 2) & 0x0f;
  const channels = ((view.getUint16(2) >> 6) & 0x07) as number;
  const config = (objectType << 11) | (frequencyIndex << 7) | (channels << 3);
  return { audioUnits, audioConfig: new Uint8Array([config >> 8, config & 0xff]) };
}
