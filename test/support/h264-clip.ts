import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.js';

/** Two seconds of H.264 at 25 frames a second, 320×180, a key frame a second, nothing reordered; fit for a loop. */
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

let clip: Promise<H264Clip> | null = null;

/** The clip, made with FFmpeg once in a process. */
export function h264Clip(): Promise<H264Clip> {
  clip ??= makeClip();
  return clip;
}

async function makeClip(): Promise<H264Clip> {
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-clip-'));
  try {
    const path = join(folder, 'clip.h264');
    await runProgram('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=2'],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-threads', '1', '-pix_fmt', 'yuv420p'],
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
