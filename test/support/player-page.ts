import type { Page } from 'puppeteer-core';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';

/**
 * What a test reads from a `<rtsp-player>` in a page: everything from outside, as the page's own code would.
 * `selector` finds the element; shadow roots are pierced by puppeteer's `>>>` where needed.
 */

export interface PlayerReport {
  state: string;
  error: { code: string; message: string } | null;
  videoWidth: number;
  videoHeight: number;
  muted: boolean;
  /** What the overlay says to a person. */
  text: string;
}

export const playerSelector = 'rtsp-player';

export function readPlayer(page: Page, selector = playerSelector): Promise<PlayerReport> {
  return page.$eval(selector, (node) => {
    const player = node as RtspPlayerElement;
    const error = player.error as { code: string; message: string } | null;
    return {
      state: player.state,
      error: error === null ? null : { code: error.code, message: error.message },
      videoWidth: player.videoWidth,
      videoHeight: player.videoHeight,
      muted: player.muted,
      text: player.shadowRoot?.textContent?.replace(/\s+/g, ' ').trim() ?? '',
    };
  });
}

/** Waits until the element is in one of these states, and returns which. */
export async function waitForState(
  page: Page,
  states: readonly string[],
  timeoutMs = 15_000,
  selector = playerSelector,
): Promise<string> {
  const element = await page.waitForSelector(selector, { timeout: timeoutMs });
  const reached = await element?.evaluate(
    async (node, wanted, timeout) => {
      const player = node as RtspPlayerElement;
      await customElements.whenDefined(player.localName);
      return new Promise<string | null>((resolve) => {
        const check = () => {
          if (!wanted.includes(player.state)) return;
          clearTimeout(timer);
          player.removeEventListener('statechange', check);
          resolve(player.state);
        };
        const timer = setTimeout(() => {
          player.removeEventListener('statechange', check);
          resolve(null);
        }, timeout);
        player.addEventListener('statechange', check);
        check();
      });
    },
    [...states],
    timeoutMs,
  );
  if (reached === null || reached === undefined) {
    const report = JSON.stringify(await readPlayer(page, selector));
    throw new Error(`The player was not ${states.join(' or ')} within ${timeoutMs} ms: ${report}`);
  }
  return reached;
}

export interface PlayerChange {
  /** The element's id. */
  id: string;
  state: string;
  /** Of the error that goes with the state, or null. */
  code: string | null;
  message: string | null;
  /** UTC in milliseconds. */
  timeMs: number;
}

declare const playerChanges: PlayerChange[];

/** Every change of state of the page's players since it was opened. */
export function readChanges(page: Page): Promise<PlayerChange[]> {
  return page.evaluate(() => playerChanges);
}

/** Waits until a player says that something failed, and returns the first such change. */
export async function waitForFailure(page: Page, timeoutMs = 15_000): Promise<PlayerChange> {
  const failure = await page.evaluate((timeout) => {
    return new Promise<PlayerChange | null>((resolve) => {
      const check = () => {
        const found = playerChanges.find((change) => change.code !== null);
        if (found === undefined) return;
        clearTimeout(timer);
        removeEventListener('statechange', check, true);
        resolve(found);
      };
      const timer = setTimeout(() => resolve(null), timeout);
      addEventListener('statechange', check, true);
      check();
    });
  }, timeoutMs);
  if (failure === null) {
    throw new Error(`No player failed within ${timeoutMs} ms: ${JSON.stringify(await readChanges(page))}`);
  }
  return failure;
}

export interface FrameCount {
  /** Frames presented, on whichever `<video>` was showing. */
  frames: number;
  /** Milliseconds from the first of them to the last. */
  spanMs: number;
}

/** Waits until `count` frames have been presented from now on. */
export async function waitForFrames(
  page: Page,
  count: number,
  timeoutMs = 15_000,
  selector = playerSelector,
): Promise<FrameCount> {
  const element = await page.waitForSelector(selector, { timeout: timeoutMs });
  const result = await element?.evaluate(
    (node, wanted, timeout) => {
      const player = node as RtspPlayerElement;
      return new Promise<{ frames: number; spanMs: number }>((resolve) => {
        let frames = 0;
        let first = 0;
        let last = 0;
        let watched: HTMLVideoElement | null = null;
        const finish = () => {
          clearInterval(poll);
          clearTimeout(timer);
          watched = null;
          resolve({ frames, spanMs: last - first });
        };
        // The video that shows is replaced when sound joins.
        const follow = () => {
          const video = player.video;
          if (video === null || video === watched) return;
          watched = video;
          const onFrame = (now: number) => {
            if (watched !== video) return;
            if (frames === 0) first = now;
            last = now;
            frames++;
            if (frames >= wanted) finish();
            else video.requestVideoFrameCallback(onFrame);
          };
          video.requestVideoFrameCallback(onFrame);
        };
        const poll = setInterval(follow, 50);
        const timer = setTimeout(finish, timeout);
        follow();
      });
    },
    count,
    timeoutMs,
  );
  if (result === undefined || result.frames < count) {
    const report = JSON.stringify(await readPlayer(page, selector));
    throw new Error(`${result?.frames ?? 0} of ${count} frames were presented within ${timeoutMs} ms: ${report}`);
  }
  return result;
}

declare const pictureClock: typeof import('./picture-clock.mjs');

/** How old the frame on screen is, in milliseconds, by the camera's picture clock; null when there is no clock in it. */
export function pictureAgeMs(page: Page, selector = playerSelector): Promise<number | null> {
  return page.$eval(selector, (node) => {
    const { video } = node as RtspPlayerElement;
    const time = video === null ? null : pictureClock.createVideoClockReader()(video);
    return time === null ? null : performance.timeOrigin + performance.now() - time;
  });
}

/** Waits until the browser has decoded sound of the player's present video. */
export async function waitForSound(page: Page, timeoutMs = 15_000, selector = playerSelector): Promise<void> {
  const isHeard = await page.$eval(
    selector,
    (node, timeout) =>
      new Promise<boolean>((resolve) => {
        const check = () => {
          const video = (node as RtspPlayerElement).video as
            | (HTMLVideoElement & { webkitAudioDecodedByteCount: number })
            | null;
          if (video !== null && !video.muted && video.webkitAudioDecodedByteCount > 0) finish(true);
        };
        const finish = (result: boolean) => {
          clearInterval(poll);
          clearTimeout(timer);
          resolve(result);
        };
        const poll = setInterval(check, 100);
        const timer = setTimeout(() => finish(false), timeout);
        check();
      }),
    timeoutMs,
  );
  if (!isHeard) {
    throw new Error(`No sound within ${timeoutMs} ms: ${JSON.stringify(await readPlayer(page, selector))}`);
  }
}

/** The strongest frequency, in Hz, in a second of what the player's present video plays, by Web Audio. */
export function toneFrequency(page: Page, selector = playerSelector): Promise<number> {
  return page.$eval(selector, async (node) => {
    const { video } = node as RtspPlayerElement;
    if (video === null) return Number.NaN;
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 32_768, smoothingTimeConstant: 0 });
    context.createMediaElementSource(video).connect(analyser).connect(context.destination);
    await context.resume();
    // The analyser looks at the newest samples: as many as it wants have to come by.
    const end = context.currentTime + (1.5 * analyser.fftSize) / context.sampleRate;
    await new Promise<void>((resolve) => {
      const poll = setInterval(() => {
        if (context.currentTime < end) return;
        clearInterval(poll);
        resolve();
      }, 50);
    });
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const strongest = levels.reduce((best, level, bin) => (level > (levels[best] ?? 0) ? bin : best), 0);
    return (levels[strongest] ?? -200) < -80 ? 0 : (strongest * context.sampleRate) / analyser.fftSize;
  });
}
