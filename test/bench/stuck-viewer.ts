// benchmark: memory that a proxy spends on a viewer who stops reading, and what other viewers notice

import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import { type LoadProxyName, residentBytes, startLoadCamera, startLoadProxy, startLoadViewers } from './load.js';
import { type Cell, printTable, say } from './report.js';

/*
 * One viewer watches at 4 Mbit/s. Then another asks for a camera that has 600 MB to send as quickly as they are taken, and
 * stops reading at the answer to PLAY. Watched are the resident memory of the proxy's process, from just before to its
 * peak, and the first viewer's longest wait for data.
 */

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const VIEWER_BITS_PER_SECOND = 4_000_000;
const SAMPLE_MS = 50;
const seconds = Number(options.seconds ?? (options.quick ? 5 : 15));
const names: LoadProxyName[] = ['ours, raw tunnel', 'ours, named camera', 'bare relay', 'peer'];

async function measure(name: LoadProxyName): Promise<Record<string, Cell>> {
  const camera = await startLoadCamera(VIEWER_BITS_PER_SECOND);
  // Of its own: what the other viewer notices is to be the proxy's doing.
  const flooding = await startLoadCamera(VIEWER_BITS_PER_SECOND);
  const proxy = await startLoadProxy(name, { live: camera.port, flood: flooding.port });
  try {
    const watcher = await startLoadViewers({ ...proxy.viewers('live'), count: 1, isStuck: false });
    await delay(2_000);
    watcher.resetGap();
    await delay(3_000);
    const usualGap = watcher.longestGapMs;
    watcher.resetGap();
    const before = residentBytes(proxy.pid);
    let peak = before;
    const stuck = await startLoadViewers({ ...proxy.viewers('flood'), count: 1, isStuck: true });
    for (let waited = 0; waited < seconds * 1000; waited += SAMPLE_MS) {
      await delay(SAMPLE_MS);
      peak = Math.max(peak, residentBytes(proxy.pid));
    }
    const gap = watcher.longestGapMs;
    const isEmptied = flooding.process.lines.some((line) => line.startsWith('flooded'));
    await stuck.stop();
    await watcher.stop();
    return {
      proxy: name,
      'memory before MB': Math.round(before / 1e6),
      'growth MB': Math.round((peak - before) / 1e6),
      'camera could send all': isEmptied ? 'yes' : 'no',
      "other viewer's longest wait ms": Math.round(gap),
      'without the stuck one ms': Math.round(usualGap),
    };
  } finally {
    await proxy.stop();
    await flooding.process.kill();
    await camera.process.kill();
  }
}

async function main(): Promise<void> {
  const rows: Record<string, Cell>[] = [];
  for (const name of names) {
    say(`${name} …`);
    rows.push(await measure(name));
  }
  printTable(`A viewer stops reading while the camera has 600 MB for it; ${seconds} s each`, rows);
}

if (options.help) say('npm run bench -- stuck-viewer [--seconds N] [--quick]');
else await main();
