import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.js';
import { type H264Clip, readClip } from './h264-clip.js';
import type { MediaFile } from './media-file.js';

/**
 * A film whose frames say their own number, as a row of light and dark fields at the top, lowest bit first: what is on
 * screen can be read from its pixels.
 */

export const FILM_BITS = 12;
export const FILM_WIDTH = 336;
const HEIGHT = 192;
const FIELD_WIDTH = FILM_WIDTH / FILM_BITS;
const FIELD_HEIGHT = 48;

export interface FilmOptions {
  seconds: number;
  frameRate: number;
  keyInterval: number;
  bFrames?: number;
}

/** Makes it as MP4: H.264, and a tone in AAC. */
export async function makeNumberedFilm(options: FilmOptions): Promise<MediaFile> {
  const { seconds, frameRate, keyInterval, bFrames = 0 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-film-'));
  const path = join(folder, 'film.mp4');
  const fields = Array.from({ length: FILM_BITS }, (_, bit) => {
    const place = `x=${bit * FIELD_WIDTH}:y=0:w=${FIELD_WIDTH}:h=${FIELD_HEIGHT}`;
    return `drawbox=${place}:color=white:t=fill:enable='gte(mod(n\\,${2 ** (bit + 1)})\\,${2 ** bit})'`;
  });
  const source = `testsrc2=size=${FILM_WIDTH}x${HEIGHT}:rate=${frameRate}:duration=${seconds}`;
  const dark = `drawbox=x=0:y=0:w=${FILM_WIDTH}:h=${FIELD_HEIGHT}:color=black:t=fill`;
  await runProgram('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', [source, dark, ...fields].join(',')],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${seconds}`],
    ...['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-preset', 'veryfast', '-threads', '1'],
    ...['-g', `${keyInterval}`, '-keyint_min', `${keyInterval}`, '-sc_threshold', '0', '-bf', `${bFrames}`],
    ...['-c:a', 'aac', '-b:a', '64k', '-movflags', '+faststart', path],
  ]);
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The same as an elementary stream for scripted cameras, without the tone. */
export async function makeNumberedClip(options: FilmOptions): Promise<H264Clip> {
  const film = await makeNumberedFilm(options);
  try {
    const path = `${film.path}.h264`;
    const filters = 'h264_mp4toannexb,h264_metadata=aud=insert';
    await runProgram('ffmpeg', ['-v', 'error', '-i', film.path, '-c:v', 'copy', '-an', '-bsf:v', filters, path]);
    return readClip(await readFile(path), options.frameRate);
  } finally {
    await film.remove();
  }
}

/** Runs in the page: the number of the frame that a `<video>` is showing. */
export function readFilmFrame(video: HTMLVideoElement, bits: number): number {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = 48;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas');
  context.drawImage(video, 0, 0);
  let number = 0;
  for (let bit = 0; bit < bits; bit++) {
    const [light = 0] = context.getImageData(Math.round((bit + 0.5) * (canvas.width / bits)), 24, 1, 1).data;
    if (light > 127) number += 2 ** bit;
  }
  return number;
}
