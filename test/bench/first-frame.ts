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

async function timePage(pages: BenchPages, name: PageName, relays: Relays): Promise<number> {
  const tab = await pages.open(name);
  try {
    const showing = { ...relays.addresses, latency: 'low', muted: true };
    await tab.page.evaluate((given) => bench.record(bench.module, given), showing);
    await tab.page.waitForFunction(() => bench.takeRecording().frames.length > 0, { timeout: 20_000, polling: 20 });
    const { frames, startedMs } = await tab.page.evaluate(() => bench.takeRecording());
    return (frames[0]?.presentedMs ?? Number.NaN) - startedMs;
  } finally {
    await tab.close();
  }
}

async function main(): Promise<void> {
  const names = ['ours', 'peer'] as const;
  const camera = await startGStreamerCamera({ mounts: [{ path: '/live', video: { preset: 'medium' } }] });
  const pages = await startBenchPages();
  const relays = new Map<PageName, Relays>();
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
        if (used !== undefined) seen[name].push(await timePage(pages, name, used));
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

if (options.help) say('npm run bench -- first-frame [--times N] [--quick]');
else await main();
