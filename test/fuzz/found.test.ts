import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { loadBundled } from './bundle.js';
import { parseCase } from './fuzz-case.js';
import type { Chunking } from './play.js';

// What the fuzzer has found is played again, and a conversation in good order, at several ways of splitting.

const folder = new URL('found/', import.meta.url);
let player: typeof import('./play.js');
before(async () => {
  player = await loadBundled();
});

const chunkings: Readonly<Record<string, () => Chunking>> = {
  'at once': () => (bytesLeft) => bytesLeft,
  'byte by byte': () => () => 1,
  'in chunks of 7': () => () => 7,
  'in chunks of 1,000': () => () => 1_000,
};

for (const name of readdirSync(folder).filter((file) => file.endsWith('.txt'))) {
  test(`found/${name}`, { timeout: 60_000 }, async () => {
    const testCase = parseCase(readFileSync(new URL(name, folder), 'utf8'));
    const outcomes = [];
    for (const [how, chunking] of Object.entries(chunkings)) {
      const outcome = await player.playCase(testCase, chunking());
      // Time is no matter here: what other tests do meanwhile would be in it.
      const failures = outcome.failures.filter(({ kind }) => kind !== 'hang');
      assert.deepEqual(failures, [], how);
      outcomes.push(outcome);
    }
    const [first, ...others] = outcomes;
    assert.ok(first !== undefined);
    for (const other of others) assert.equal(player.difference(first, other), null);
  });
}
