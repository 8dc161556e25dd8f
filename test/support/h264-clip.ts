import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.js';

/** Two seconds of H.264 at 25 frames a second, a key frame a second; fit for a loop. */
export interface H264Clip {
  /** NAL units of each access unit, without start codes; parameter sets in the stream before each key frame. */
  readonly accessUnits: readonly (readonly Uint8Array[])[];
  readonly sps: Uint8Array;
  readonly pps: Uint8Array;
  readonly frameRate: number;
}

const NAL_TYPE_SPS = 7;
const NAL_TYPE_PPS = 8;
const NAL_TYPE_AUD = 9;

export interface H264ClipOptions {
  /** Default: 320x180. */
  size?: string;
  /** B-frames between any two others, in decoding order; 2 at most. By default nothing is reordered. */
  bFrames?: number;
}

const clips = new Map<string, Promise<H264Clip>>();

/** A clip, made with FFmpeg once in a process. */
export function h264Clip({ size = '320x180', bFrames = 0 }: H264ClipOptions = {}): Promise<H264Clip> {
  const key = `${size} ${bFrames}`;
  const clip = clips.get(key) ?? makeClip(size, bFrames);
  clips.set(key, clip);
  return clip;
}

async function makeClip(size: string, bFrames: number): Promise<H264Clip> {
  const order =
    bFrames === 0
      ? ['-tune', 'zerolatency']
      : ['-x264-params', `bframes=${bFrames}:b-adapt=0:b-pyramid=none:scenecut=0:open-gop=0`];
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-clip-'));
  try {
    const path = join(folder, 'clip.h264');
    await runProgram('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=2`],
      ...['-c:v', 'libx264', '-preset', 'veryfast', ...order, '-threads', '1', '-pix_fmt', 'yuv420p'],
      ...['-g', '25', '-bsf:v', 'h264_metadata=aud=insert', '-f', 'h264', path],
    ]);
    const made = readClip(await readFile(path), 25);
    if (made.accessUnits.length !== 50) throw new Error(`FFmpeg made ${made.accessUnits.length} frames; expected 50.`);
    return made;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Takes an elementary stream apart; each access unit of it begins with a delimiter. */
export function readClip(stream: Uint8Array, frameRate: number): H264Clip {
  const accessUnits: Uint8Array[][] = [];
  let sps: Uint8Array | null = null;
  let pps: Uint8Array | null = null;
  for (const nalUnit of splitAnnexB(stream)) {
    const type = (nalUnit[0] ?? 0) & 0x1f;
    if (type === NAL_TYPE_AUD) {
      accessUnits.push([]);
      continue;
    }
    if (type === NAL_TYPE_SPS) sps ??= nalUnit;
    if (type === NAL_TYPE_PPS) pps ??= nalUnit;
    accessUnits.at(-1)?.push(nalUnit);
  }
  if (sps === null || pps === null) throw new Error('The stream has no parameter sets.');
  return { accessUnits, sps, pps, frameRate };
}

/** Splits at start codes of three or four bytes (H.264, Annex B). */
function splitAnnexB(stream: Uint8Array): Uint8Array[] {
  const nalUnits: Uint8Array[] = [];
  let start = -1;
  for (let i = 0; i + 2 < stream.length; i++) {
    if (stream[i] !== 0 || stream[i + 1] !== 0 || stream[i + 2] !== 1) continue;
    if (start >= 0) nalUnits.push(withoutTrailingZeros(stream.subarray(start, i)));
    start = i + 3;
  }
  if (start >= 0) nalUnits.push(withoutTrailingZeros(stream.subarray(start)));
  return nalUnits;
}

function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
