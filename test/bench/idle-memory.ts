// benchmark: memory that a viewer costs whose camera sends nothing, beside the bare relay

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import { type LoadProxyName, startLoadCamera, startLoadProxy, startLoadViewers } from './load.js';
import { printTable, say } from './report.js';
import { median } from './statistics.js';

/*
 * The proxy's resident memory before its viewers come, and some time after all of them play a camera that is silent. A
 * first crowd, smaller and gone again, has made the process allocate what it needs once.
 */

const { values: options } = parseArgs({
  options: {
    viewers: { type: 'string', default: '500' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const WARM_UP_VIEWERS = 50;
const SETTLE_MS = 3_000;
const viewers = Number(options.viewers);
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
const names: LoadProxyName[] = ['bare relay', 'ours, raw tunnel', 'ours, named camera', 'ours, everything on', 'peer'];

/** Resident memory of a process, bytes (Linux: proc_pid_status(5)). */
function residentBytes(pid: number): number {
  const [, kilobytes = 'NaN'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

async function measure(name: LoadProxyName, port: number): Promise<number> {
  const proxy = await startLoadProxy(name, { quiet: port });
  try {
    const crowd = (count: number) => startLoadViewers({ ...proxy.viewers('quiet'), count, isStuck: false });
    await (await crowd(WARM_UP_VIEWERS)).stop();
    await delay(SETTLE_MS);
    const before = residentBytes(proxy.pid);
    const all = await crowd(viewers);
    await delay(SETTLE_MS);
    const after = residentBytes(proxy.pid);
    await all.stop();
    return (after - before) / viewers / 1024;
  } finally {
    await proxy.stop();
  }
}

async function main(): Promise<void> {
  const camera = await startLoadCamera(1_000_000);
  const found = new Map<LoadProxyName, number[]>(names.map((name) => [name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const name of names) found.get(name)?.push(await measure(name, camera.port));
      say(`${round + 1}: ${names.map((name) => `${name} ${found.get(name)?.at(-1)?.toFixed(0)}`).join(', ')} KB`);
    }
  } finally {
    await camera.process.kill();
  }
  const bare = median(found.get('bare relay') ?? []);
  printTable(
    `Memory of a viewer whose camera sends nothing: ${viewers} viewers; median of ${rounds}`,
    [...found].map(([name, all]) => ({
      proxy: name,
      'KB a viewer': median(all),
      'beyond the bare relay': median(all) - bare,
    })),
  );
}

if (options.help) say('npm run bench -- idle-memory [--viewers N] [--rounds N] [--quick]');
else await main();
