// benchmark: what unmuting in mid-play does to the picture: how long it stands, whether the screen goes black

import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { type BenchPages, type PageBench, startBenchPages, startRelays } from './bench-page.js';
import type { Recording } from './page/recorder.js';
import { type Cell, printTable, say } from './report.js';
import { type ScreenPicture, startScreencast } from './screencast.js';
import { median, quantile } from './statistics.js';

/*
 * A camera with sound plays muted; then the page unmutes it. Two ways of looking, in turn, as each would disturb the other:
 * the frames that the browser presents (requestVideoFrameCallback), and pictures of the screen, from which the camera's
 * clock is read, or that there is none.
 */

const { values: options } = parseArgs({
  options: {
    times: { type: 'string' },
    latency: { type: 'string', default: 'low' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const times = Number(options.times ?? (options.quick ? 2 : 8));
const WIDTH = 640;
const HEIGHT = 360;
const BEFORE_MS = 3_000;
const AFTER_MS = 4_000;
/** Mean brightness under which a picture counts as black; the camera's test card is far above. */
const BLACK = 24;

declare const bench: PageBench;

interface Unmuting {
  atMs: number;
  recording: Recording;
  screen: ScreenPicture[] | null;
}

async function unmute(pages: BenchPages, cameraUrl: string, isFilmed: boolean): Promise<Unmuting> {
  const relays = await startRelays('ours', cameraUrl, pages);
  const tab = await pages.open('ours');
  try {
    const showing = { ...relays.addresses, latency: options.latency, muted: true };
    await tab.page.evaluate((given) => bench.record(bench.module, given), showing);
    await tab.page.waitForFunction(() => bench.takeRecording().frames.length > 25, { timeout: 15_000, polling: 50 });
    const film = isFilmed ? await startScreencast(tab.page, WIDTH, HEIGHT) : null;
    await delay(BEFORE_MS);
    const atMs = Date.now();
    await tab.page.evaluate(() => bench.setMuted(false));
    await delay(AFTER_MS);
    const recording = await tab.page.evaluate(() => bench.takeRecording());
    return { atMs, recording, screen: (await film?.stop()) ?? null };
  } finally {
    for (const error of tab.errors) say(`  the page: ${error}`);
    await tab.close();
    await relays.stop();
  }
}

/** Longest time between two changes within a stretch, its ends included. */
function longestGap(changes: readonly number[], from: number, to: number): number {
  const times = [from, ...changes.filter((ms) => ms > from && ms < to), to];
  return Math.max(...times.slice(1).map((ms, i) => ms - (times[i] ?? ms)));
}

/** When the screen first showed each of the camera's frames. */
function screenChanges(screen: readonly ScreenPicture[]): number[] {
  let newest = 0;
  return screen.flatMap(({ ms, captureMs }) => {
    if (captureMs === null || captureMs <= newest) return [];
    newest = captureMs;
    return [ms];
  });
}

async function main(): Promise<void> {
  const camera = await startGStreamerCamera({ mounts: [{ path: '/live', video: true, audio: true }] });
  const pages = await startBenchPages();
  const all: Unmuting[] = [];
  try {
    await pages.add('ours');
    for (let i = 0; i < times; i++) {
      all.push(await unmute(pages, camera.url(), i % 2 === 1));
      say(`${i + 1} of ${times}`);
    }
  } finally {
    await pages.stop();
    await camera.stop();
  }
  const row = (name: string, of: readonly Unmuting[], changesOf: (one: Unmuting) => number[]): Record<string, Cell> => {
    const before = of.map((one) => longestGap(changesOf(one), one.atMs - BEFORE_MS + 500, one.atMs));
    const after = of.map((one) => longestGap(changesOf(one), one.atMs, one.atMs + AFTER_MS - 500));
    const pictures = of.flatMap(({ atMs, screen }) => (screen ?? []).filter(({ ms }) => ms > atMs));
    const sound = of.map(({ atMs, recording }) => {
      const heard = recording.samples.find(({ ms, audioBytes }) => ms > atMs && audioBytes > 0);
      return (heard?.ms ?? Number.NaN) - atMs;
    });
    return {
      seen: name,
      times: of.length,
      'longest gap before, median ms': Math.round(median(before)),
      'longest gap after, median ms': Math.round(median(after)),
      'longest gap after, most ms': Math.round(quantile(after, 1)),
      'sound decoded after ms (±250)': Math.round(median(sound)),
      'pictures of the screen': pictures.length,
      black: pictures.filter((picture) => picture.brightness < BLACK).length,
      'without a clock': pictures.filter(({ captureMs }) => captureMs === null).length,
    };
  };
  printTable(`Unmuting in mid-play, latency="${options.latency}"`, [
    row(
      'by the page',
      all.filter(({ screen }) => screen === null),
      ({ recording }) => recording.frames.map(({ presentedMs }) => presentedMs),
    ),
    row(
      'on the screen',
      all.filter(({ screen }) => screen !== null),
      ({ screen }) => screenChanges(screen ?? []),
    ),
  ]);
}

if (options.help) say('npm run bench -- unmute [--times N] [--latency VALUE] [--quick]');
else await main();
