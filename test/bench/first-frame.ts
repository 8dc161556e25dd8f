// benchmark: from the element entering the page to its first picture

import { parseArgs } from 'node:util';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import {
  type BenchPages,
  type PageBench,
  type PageName,
  type Relays,
  startBenchPages,
  startRelays,
} from './bench-page.js';
import { startGStreamerClient } from './gstreamer-client.js';
import { installStageWatch } from './page/stage-watch.js';
import { printTable, say } from './report.js';
import { median, quantile } from './statistics.js';

/*
 * The camera starts an encoder for each viewer, so it begins with a key frame. A page is loaded, its scripts too; the clock
 * runs from the element's being put into it to the first `presentationTime` (see latency.ts). GStreamer's client, in a
 * process of its own, is timed from starting its pipeline to the first decoded frame.
 */

const { values: options } = parseArgs({
  options: {
    times: { type: 'string' },
    stages: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const times = Number(options.times ?? (options.quick ? 3 : 10));

declare const bench: PageBench;

async function timeGStreamer(url: string): Promise<number> {
  const client = startGStreamerClient(url, { pictures: false });
  const ms = await client.firstFrameMs;
  await client.stop();
  return ms;
}

declare const stages: Record<string, number>;

/** Milliseconds to each step of one start. */
type Stages = Map<string, number>;

async function timePage(pages: BenchPages, name: PageName, relays: Relays, all: Stages[]): Promise<number> {
  const tab = await pages.open(name);
  if (options.stages) {
    await tab.page.evaluateOnNewDocument(installStageWatch);
    await tab.page.reload();
    await tab.page.waitForFunction(() => typeof bench === 'object');
  }
  try {
    const showing = { ...relays.addresses, latency: 'low', muted: true };
    await tab.page.evaluate((given) => bench.record(bench.module, given), showing);
    await tab.page.waitForFunction(() => bench.takeRecording().frames.length > 0, { timeout: 20_000, polling: 20 });
    const { frames, startedMs } = await tab.page.evaluate(() => bench.takeRecording());
    const firstMs = (frames[0]?.presentedMs ?? Number.NaN) - startedMs;
    if (options.stages) {
      // The recorder's times are wall-clock ones, these the page's own: both start where the picture was asked for.
      const [seen, origin] = await tab.page.evaluate(() => [stages, performance.timeOrigin] as const);
      const steps = new Map(Object.entries(seen).map(([step, ms]) => [step, ms + origin - startedMs]));
      all.push(steps.set('first picture', firstMs));
    }
    return firstMs;
  } finally {
    await tab.close();
  }
}

async function main(): Promise<void> {
  const names = ['ours', 'peer'] as const;
  const camera = await startGStreamerCamera({ mounts: [{ path: '/live', video: { preset: 'medium' } }] });
  const pages = await startBenchPages();
  const relays = new Map<PageName, Relays>();
  const steps = { ours: [] as Stages[], peer: [] as Stages[] };
  const seen = { floor: [] as number[], ours: [] as number[], peer: [] as number[] };
  try {
    for (const name of names) {
      await pages.add(name);
      relays.set(name, await startRelays(name, camera.url(), pages));
    }
    for (let time = 0; time < times; time++) {
      seen.floor.push(await timeGStreamer(camera.url()));
      for (const name of names) {
        const used = relays.get(name);
        if (used !== undefined) seen[name].push(await timePage(pages, name, used, steps[name]));
      }
      say(
        `${time + 1}: ${Object.entries(seen)
          .map(([name, all]) => `${name} ${all.at(-1)?.toFixed(0)}`)
          .join(', ')} ms`,
      );
    }
  } finally {
    for (const used of relays.values()) await used.stop();
    await pages.stop();
    await camera.stop();
  }
  if (options.stages) for (const name of names) printSteps(name, steps[name]);
  const floor = median(seen.floor);
  const peer = median(seen.peer);
  printTable(
    `First picture, median of ${times}, in turn`,
    Object.entries(seen).map(([name, all]) => ({
      player: name,
      'median ms': median(all),
      'least ms': Math.min(...all),
      'most ms': quantile(all, 1),
      'after the floor ms': median(all) - floor,
      'to the peer': median(all) / peer,
    })),
  );
}

/** The steps of the median start, in order. */
function printSteps(name: string, all: readonly Stages[]): void {
  const names = new Set(all.flatMap((stagesOfOne) => [...stagesOfOne.keys()]));
  const rows = [...names].map((step) => ({
    step,
    'median ms': median(all.map((one) => one.get(step) ?? Number.NaN).filter(Number.isFinite)),
  }));
  printTable(
    `${name}, from the element to each step`,
    rows.sort((a, b) => a['median ms'] - b['median ms']),
  );
}

if (options.help) say('npm run bench -- first-frame [--times N] [--stages] [--quick]');
else await main();
