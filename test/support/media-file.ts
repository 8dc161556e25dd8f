import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.js';

export interface MediaFileOptions {
  seconds?: number;
  frameRate?: number;
  /** Frames from one key frame to the next. */
  keyInterval?: number;
  /** Frames that refer to later ones; 0 as cameras do. */
  bFrames?: number;
  /** Default: H.264. */
  codec?: 'h264' | 'h265';
  /** AAC, stereo, 48 kHz: a tone, or noise, of which no two packets are the same. */
  audio?: boolean | 'noise';
}

export interface MediaFile {
  readonly path: string;
  remove(): Promise<void>;
}

const encoders = {
  h264: ['-c:v', 'libx264', '-preset', 'veryfast', '-threads', '1'],
  h265: ['-c:v', 'libx265', '-preset', 'ultrafast', '-tag:v', 'hvc1', '-x265-params', 'log-level=none:pools=1'],
} as const;

/** Makes an MP4 file of a moving test picture (320×180, H.264 high or H.265 main) and, if wanted, a tone. */
export async function makeMediaFile(options: MediaFileOptions = {}): Promise<MediaFile> {
  const { seconds = 4, frameRate = 25, keyInterval = 25, bFrames = 0, codec = 'h264', audio = false } = options;
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-media-'));
  const path = join(folder, 'clip.mp4');
  const sound =
    audio === 'noise' ? 'anoisesrc=sample_rate=48000:duration' : 'sine=frequency=440:sample_rate=48000:duration';
  await runProgram('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=320x180:rate=${frameRate}:duration=${seconds}`],
    ...(audio === false ? [] : ['-f', 'lavfi', '-i', `${sound}=${seconds}`, '-ac', '2']),
    ...['-pix_fmt', 'yuv420p', '-g', `${keyInterval}`, '-bf', `${bFrames}`, ...encoders[codec]],
    ...(audio === false ? [] : ['-c:a', 'aac', '-b:a', '96k']),
    ...['-movflags', '+faststart', path],
  ]);
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Hash of every decoded video frame, in display order, as FFmpeg sees the file or URL. */
export function frameHashes(input: string, extra: readonly string[] = []): Promise<string[]> {
  return streamHashes(input, 'v:0', ['-fps_mode', 'passthrough'], extra);
}

/** Hash of every packet of a stream (`a:0`), as it is in the file. */
export function packetHashes(input: string, stream: string): Promise<string[]> {
  return streamHashes(input, stream, ['-c', 'copy']);
}

/** The presentation time of every packet of a stream, seconds, by its hash (MD5). */
export async function packetTimes(input: string, stream: string): Promise<Map<string, number>> {
  const text = await runProgram('ffprobe', [
    ...['-v', 'error', '-select_streams', stream, '-show_data_hash', 'MD5'],
    ...['-show_entries', 'packet=pts_time,data_hash', '-of', 'csv=p=0', input],
  ]);
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [time = '', hash = ''] = line.split(',');
      return [hash.replace('MD5:', '').toLowerCase(), Number(time)];
    }),
  );
}

async function streamHashes(
  input: string,
  stream: string,
  output: readonly string[],
  inputOptions: readonly string[] = [],
): Promise<string[]> {
  const text = await runProgram('ffmpeg', [
    ...['-v', 'error', ...inputOptions, '-i', input, '-map', `0:${stream}`],
    ...[...output, '-f', 'framemd5', '-'],
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(',')[5]?.trim() ?? '');
}
