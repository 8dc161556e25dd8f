// Plays mutated conversations to the client for a while: npm run fuzz -- --seconds N [--seed S] [--cases N]
// What fails is made smaller and written to found/, from where a unit test plays it again.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import { loadBundled } from './bundle.js';
import { makeConversations } from './conversations.js';
import { type FuzzCase, formatCase, sizeOf } from './fuzz-case.js';
import { minimise } from './minimise.js';
import { mutate } from './mutations.js';
import type { Outcome } from './play.js';
import { Random, randomChunking } from './random.js';

/** What is slow or large once may be so by chance, for as long as the machine is busy; a fault is so every time. */
const MAX_CHANCE_TRIES = 10;
const CHANCE_PAUSE_MS = 300;
/** Between two looks at the memory of the whole process, cases, and what it may grow by since the first look. */
const MEMORY_CASES = 1_000;
const MAX_GROWTH_BYTES = 64 * 1_048_576;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    cases: { type: 'string', default: 'Infinity' },
  },
});
const seconds = Number(values.seconds);
const firstSeed = Number(values.seed);
const lastSeed = firstSeed + Number(values.cases);
if (!(seconds > 0) || !Number.isSafeInteger(firstSeed)) {
  say('npm run fuzz -- --seconds N [--seed S] [--cases N]: N above 0, S a whole number');
  process.exit(1);
}

const { difference, playCase } = await loadBundled();

interface Fault {
  kind: string;
  what: string;
  detail: string;
}

/** Plays a case twice, split in two ways; null when nothing is wrong. */
async function faultOf(testCase: FuzzCase, seed: number): Promise<{ fault: Fault | null; outcome: Outcome }> {
  const random = new Random(seed ^ 0x5eed);
  const first = await playCase(testCase, randomChunking(random));
  const second = await playCase(testCase, randomChunking(random));
  const [failure] = [...first.failures, ...second.failures];
  if (failure !== undefined) return { fault: failure, outcome: first };
  const detail = difference(first, second);
  if (detail === null) return { fault: null, outcome: first };
  return { fault: { kind: 'split', what: detail.split(' ')[0] ?? '', detail }, outcome: first };
}

/** The same, but a fault that may be the machine's has to come again and again. */
async function sureFaultOf(testCase: FuzzCase, seed: number): Promise<{ fault: Fault | null; outcome: Outcome }> {
  let found = await faultOf(testCase, seed);
  for (let tries = 1; tries < MAX_CHANCE_TRIES && found.fault !== null; tries++) {
    if (found.fault.kind !== 'hang' && found.fault.kind !== 'memory') return found;
    await delay(CHANCE_PAUSE_MS);
    found = await faultOf(testCase, seed);
  }
  return found;
}

const known = new Set<string>();

async function report(testCase: FuzzCase, fault: Fault, seed: number): Promise<void> {
  const name = `${fault.kind} ${fault.what.replace(/\d+/g, 'N')}`;
  if (known.has(name)) {
    say(`seed ${seed}: ${name}, again`);
    return;
  }
  known.add(name);
  say(`seed ${seed}: ${fault.kind}: ${fault.detail}`);
  const small = await minimise(testCase, async (smaller) => {
    const { fault: other } = await sureFaultOf(smaller, seed);
    return other !== null && `${other.kind} ${other.what.replace(/\d+/g, 'N')}` === name;
  });
  const text = formatCase(small, `${fault.kind}: ${fault.what}`);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8);
  const file = new URL(`found/${fault.kind}-${hash}.txt`, import.meta.url);
  await writeFile(file, text);
  say(`  from ${sizeOf(testCase)} bytes down to ${sizeOf(small)}, in test/fuzz/found/${fault.kind}-${hash}.txt`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const conversations = await makeConversations();
say(`${conversations.length} conversations; the first seed is ${firstSeed}`);
for (const { name, steps } of conversations) {
  for (const mode of ['record', 'receive', 'stored'] as const) {
    const testCase: FuzzCase = { mode, end: 'silence', steps };
    const { fault, outcome } = await sureFaultOf(testCase, firstSeed);
    if (fault !== null) await report(testCase, fault, firstSeed);
    else if (outcome.units === 0) say(`${name} gives no media when nothing is wrong with it (${mode}).`);
  }
}

const started = performance.now();
const elapsed = () => (performance.now() - started) / 1_000;
let seed = firstSeed;
let faults = 0;
let withMedia = 0;
let bytes = 0;
let baseline = Number.NaN;
let lastWords = 0;
for (; elapsed() < seconds && seed < lastSeed; seed++) {
  const testCase = mutate(conversations, new Random(seed));
  const { fault, outcome } = await sureFaultOf(testCase, seed);
  bytes += sizeOf(testCase);
  if (outcome.units > 0) withMedia++;
  if (fault !== null) {
    faults++;
    await report(testCase, fault, seed);
  }
  const done = seed - firstSeed + 1;
  if (done % MEMORY_CASES === 0) {
    const heap = heapBytes();
    if (Number.isNaN(baseline)) baseline = heap;
    if (heap > baseline + MAX_GROWTH_BYTES) {
      faults++;
      say(`seeds up to ${seed}: the heap has grown by ${Math.round((heap - baseline) / 1_048_576)} MB`);
      baseline = heap;
    }
  }
  if (elapsed() - lastWords >= 30) {
    lastWords = elapsed();
    say(`${done} cases, ${(done / elapsed()).toFixed(0)} a second, ${faults} failures`);
  }
}
const cases = seed - firstSeed;
const rate = (cases / elapsed()).toFixed(0);
const share = ((100 * withMedia) / Math.max(1, cases)).toFixed(0);
say(
  `${cases} cases in ${elapsed().toFixed(0)} s, ${rate} a second, ${Math.round(bytes / 1_048_576)} MB; ` +
    `${share} % of them got as far as media; ${faults} failures of ${known.size} kinds`,
);
process.exit(faults + known.size > 0 ? 1 : 0);
