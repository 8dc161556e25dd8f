import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { CDPSession, Page } from 'puppeteer-core';
import { clockArea, readPictureClock } from '../support/picture-clock.mjs';

/** A picture of the page as the browser put it on the screen. */
export interface ScreenPicture {
  /** Wall-clock ms. */
  ms: number;
  /** When the camera made what is to be seen in the top left corner; null when its clock cannot be read. */
  captureMs: number | null;
  /** Mean of the top left corner, 0 (black) to 255, leaving the clock out. */
  brightness: number;
}

/** Records the screen; every change of the page gives a picture. */
export interface Screencast {
  /** Ends it and reads its pictures. */
  stop(): Promise<ScreenPicture[]>;
}

/**
 * @param width - of the camera's picture in the page's top left corner, shown pixel by pixel
 * @param height - of it
 */
export async function startScreencast(page: Page, width: number, height: number): Promise<Screencast> {
  const session: CDPSession = await page.createCDPSession();
  const images: { ms: number; jpeg: Buffer }[] = [];
  session.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
    images.push({ ms: (metadata.timestamp ?? 0) * 1000, jpeg: Buffer.from(data, 'base64') });
    void session.send('Page.screencastFrameAck', { sessionId }).catch(() => {});
  });
  await session.send('Page.startScreencast', { format: 'jpeg', quality: 60, everyNthFrame: 1 });
  return {
    async stop() {
      await session.send('Page.stopScreencast');
      await session.detach();
      return read(images, width, height);
    },
  };
}

async function read(images: readonly { ms: number; jpeg: Buffer }[], width: number, height: number) {
  const pixels = await decode(
    images.map(({ jpeg }) => jpeg),
    width,
    height,
  );
  const size = width * height;
  return images.flatMap(({ ms }, i): ScreenPicture[] => {
    const luma = pixels.subarray(i * size, (i + 1) * size);
    return luma.length < size ? [] : [{ ms, captureMs: readClock(luma, width), brightness: brightness(luma, width) }];
  });
}

/** JPEGs → luma planes of their top left corners, one after the other. */
async function decode(jpegs: readonly Buffer[], width: number, height: number): Promise<Buffer> {
  const ffmpeg = spawn(
    'ffmpeg',
    [
      ...['-loglevel', 'error', '-f', 'mjpeg', '-i', 'pipe:0', '-fps_mode', 'passthrough'],
      ...['-vf', `crop=${width}:${height}:0:0`, '-f', 'rawvideo', '-pix_fmt', 'gray', 'pipe:1'],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const chunks: Buffer[] = [];
  ffmpeg.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  ffmpeg.stdin.on('error', () => {});
  ffmpeg.stdin.end(Buffer.concat(jpegs));
  await once(ffmpeg, 'close');
  return Buffer.concat(chunks);
}

function readClock(luma: Uint8Array, width: number): number | null {
  const area = clockArea(width);
  const rgba = new Uint8Array(area.width * area.height * 4);
  for (let y = 0; y < area.height; y++) {
    for (let x = 0; x < area.width; x++) rgba[(y * area.width + x) * 4 + 1] = luma[y * width + x] ?? 0;
  }
  return readPictureClock(rgba, width);
}

function brightness(luma: Uint8Array, width: number): number {
  const below = luma.subarray(clockArea(width).height * width);
  let total = 0;
  for (let i = 0; i < below.length; i += 7) total += below[i] ?? 0;
  return total / Math.ceil(below.length / 7);
}
