// benchmark: processor time that a proxy takes for what it carries, 100 viewers at 4 Mbit/s; delay, and who gets how much

import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import {
  type LoadCamera,
  type LoadProxyName,
  processorSeconds,
  startLoadCamera,
  startLoadProxy,
  startLoadViewers,
} from './load.js';
import { printTable, say, watchMachine } from './report.js';
import { median, quantile } from './statistics.js';

/*
 * Camera, proxy and viewers are processes of their own. Each viewer has its own connection through the proxy; each frame
 * reaches the proxy in four writes. Counted is what the proxy's process uses (user and system time, all its threads) while
 * the viewers receive; each round runs every proxy, and ratios are made within a round, so that a busy machine matters less.
 */

const { values: options } = parseArgs({
  options: {
    viewers: { type: 'string' },
    mbits: { type: 'string', default: '4' },
    spread: { type: 'string', default: '30' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const VIEWER_BITS_PER_SECOND = Number(options.mbits) * 1_000_000;
const SETTLE_MS = 2_000;
const viewers = Number(options.viewers ?? (options.quick ? 20 : 100));
const rounds = Number(options.rounds ?? (options.quick ? 3 : 7));
const seconds = Number(options.seconds ?? (options.quick ? 3 : 5));
const allNames: LoadProxyName[] = [
  'bare relay',
  'ours, raw tunnel',
  'ours, named camera',
  'ours, everything on',
  'peer',
];
const names = allNames.filter((name) => options.only?.some((part) => name.includes(part)) ?? true);

interface Cost {
  secondsPerGigabyte: number;
  /** Share of what the camera sent in that time that reached the viewers. */
  delivered: number;
  /** From the camera's write to the viewer's read, of 99 in 100 frames. */
  delayMs: number;
  /** What the slowest viewer received, to the one in the middle. */
  slowest: number;
  load: number;
}

async function measure(name: LoadProxyName, camera: LoadCamera): Promise<Cost> {
  const proxy = await startLoadProxy(name, { live: camera.port });
  try {
    const crowd = await startLoadViewers({ ...proxy.viewers('live'), count: viewers, isStuck: false });
    try {
      await delay(SETTLE_MS);
      const readLoad = watchMachine();
      const { bytes: startBytes, bytesOfEach: startOfEach } = crowd.report;
      crowd.resetDelays();
      const startSeconds = processorSeconds(proxy.pid);
      const startMs = performance.now();
      await delay(seconds * 1000);
      const bytes = crowd.report.bytes - startBytes;
      const used = processorSeconds(proxy.pid) - startSeconds;
      const sent = (viewers * VIEWER_BITS_PER_SECOND * (performance.now() - startMs)) / 8000;
      const ofEach = crowd.report.bytesOfEach.map((total, index) => total - (startOfEach[index] ?? 0));
      return {
        secondsPerGigabyte: (used / bytes) * 1e9,
        delivered: bytes / sent,
        delayMs: quantile(crowd.delaysMs, 0.99),
        slowest: Math.min(...ofEach) / median(ofEach),
        load: readLoad(),
      };
    } finally {
      await crowd.stop();
    }
  } finally {
    await proxy.stop();
  }
}

async function main(): Promise<void> {
  const camera = await startLoadCamera(VIEWER_BITS_PER_SECOND, Number(options.spread));
  const costs = new Map<LoadProxyName, Cost[]>(names.map((name) => [name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      // Every other round backwards, so that what comes first or last has no advantage.
      for (const name of round % 2 === 0 ? names : [...names].reverse()) {
        costs.get(name)?.push(await measure(name, camera));
      }
      const line = names.map((name) => `${name} ${costs.get(name)?.at(-1)?.secondsPerGigabyte.toFixed(2)}`);
      say(`${round + 1}: ${line.join(', ')} s/GB`);
    }
  } finally {
    await camera.process.kill();
  }
  const bare = costs.get('bare relay') ?? [];
  const peer = costs.get('peer') ?? [];
  const ratio = (all: readonly Cost[], to: readonly Cost[]) =>
    median(all.map((cost, i) => cost.secondsPerGigabyte / (to[i]?.secondsPerGigabyte ?? Number.NaN)));
  printTable(
    `Processor time for what is carried: ${viewers} viewers at ${options.mbits} Mbit/s, each frame in four writes over ${options.spread} ms; median of ${rounds}`,
    [...costs].map(([name, all]) => ({
      proxy: name,
      'CPU s/GB': median(all.map(({ secondsPerGigabyte }) => secondsPerGigabyte)),
      'to the bare relay': ratio(all, bare),
      'to the peer': ratio(all, peer),
      'p99 delay ms': median(all.map(({ delayMs }) => delayMs)),
      'slowest viewer to median': median(all.map(({ slowest }) => slowest)),
      'delivered %': Math.round(median(all.map(({ delivered }) => delivered)) * 100),
      'machine busy': `${Math.round(median(all.map(({ load }) => load)) * 100)} %`,
    })),
  );
}

if (options.help) {
  say(
    'npm run bench -- proxy-cost [--viewers N] [--mbits N] [--spread MS] [--rounds N] [--seconds N] [--only PART-OF-NAME]… [--quick]',
  );
} else {
  await main();
}
