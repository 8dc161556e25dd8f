import assert from 'node:assert/strict';
import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { FILM_BITS, readFilmFrame } from './numbered-film.js';

/** What an `<rtsp-player>` shows of a numbered film that was recorded at some time of the day. */

export interface OnScreen {
  /** By its pixels. */
  frame: number;
  /** `currentDate`, milliseconds since 1970. */
  date: number | null;
  position: number;
}

/** In the page, once it is prepared. */
declare const filmOnScreen: (player: RtspPlayerElement) => OnScreen;

/** Gives the page what the functions below call in it. */
export async function prepareFilmPage(page: Page): Promise<void> {
  await page.evaluate(`
    const readFilmFrame = ${readFilmFrame.toString()};
    globalThis.filmOnScreen = (player) => ({
      frame: readFilmFrame(player.video, ${FILM_BITS}),
      date: player.currentDate?.getTime() ?? null,
      position: player.currentTime,
    });
  `);
}

/** What is on screen when a frame has been presented `count` times more. */
export function look(page: Page, count = 1): Promise<OnScreen> {
  return page.$eval(
    'rtsp-player',
    async (node, frames) => {
      const player = node as RtspPlayerElement;
      for (let index = 0; index < frames; index++) {
        await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
      }
      return filmOnScreen(player);
    },
    count,
  );
}

export function seekTo(page: Page, utc: number): Promise<void> {
  return page.$eval(
    'rtsp-player',
    async (node, time) => {
      const player = node as RtspPlayerElement;
      const seeked = new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
      player.seekTo(new Date(time));
      await seeked;
    },
    utc,
  );
}

/** Sets `playbackRate`, and waits until the picture moves again. */
export function setRate(page: Page, rate: number): Promise<number> {
  return page.$eval(
    'rtsp-player',
    async (node, wanted) => {
      const player = node as RtspPlayerElement;
      const changed = new Promise((resolve) => player.addEventListener('ratechange', resolve, { once: true }));
      player.playbackRate = wanted;
      await changed;
      await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
      return player.playbackRate;
    },
    rate,
  );
}

export interface Shown extends OnScreen {
  /** Milliseconds of the page's clock. */
  at: number;
}

/** Each frame that is presented, until one of a condition, or until the end. */
export async function watch(page: Page, isEnough: (shown: Shown) => boolean): Promise<Shown[]> {
  const seen: Shown[] = [];
  for (;;) {
    const next = await page.$eval('rtsp-player', async (node) => {
      const player = node as RtspPlayerElement;
      const frame = new Promise<boolean>((resolve) => player.requestVideoFrameCallback(() => resolve(true)));
      const end = new Promise<boolean>((resolve) =>
        player.addEventListener('ended', () => resolve(false), { once: true }),
      );
      if (player.ended || !(await Promise.race([frame, end]))) return null;
      return { ...filmOnScreen(player), at: performance.now() };
    });
    if (next === null) return seen;
    seen.push(next);
    if (isEnough(next)) return seen;
  }
}

/** Pictures from one to the next that make a pace. */
const PACE_PICTURES = 8;

/** Media seconds in a second of the page's clock: the median over all of the time, since a busy machine stalls. */
export function paceOf(shown: readonly Shown[]): number {
  const paces = shown.slice(PACE_PICTURES).map(({ position, at }, index) => {
    const before = shown[index];
    return before === undefined ? Number.NaN : (position - before.position) / ((at - before.at) / 1_000);
  });
  assert.ok(paces.length > 0, `${shown.length} pictures`);
  return paces.sort((a, b) => a - b)[Math.floor(paces.length / 2)] ?? Number.NaN;
}
