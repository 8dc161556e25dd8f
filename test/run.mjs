// What `npm test` runs, stage by stage; the first stage that fails ends it.
//   npm test                          everything
//   npm test -- unit|browser|e2e      one kind of test, after the system packages and the build
//   npm test -- unit|e2e FILTER       of that kind, the files whose path contains FILTER
//   npm test -- lint|size             that stage alone (size after the build)

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureSystemPackages } from './support/system-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [part = 'all', filter = ''] = process.argv.slice(2);

/** Runs a program to its end in the checkout; no stdin, so that nothing can wait for a key. */
function run(program, args, timeoutMinutes = 10) {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: timeoutMinutes * 60_000,
    env: { ...process.env, NODE_NO_WARNINGS: process.env.NODE_NO_WARNINGS ?? '1' },
  });
  if (error) process.stderr.write(`${program}: ${error.message}\n`);
  else if (signal) process.stderr.write(`${program} was ended by ${signal}.\n`);
  return status === 0;
}

const node = (...args) => run(process.execPath, args);
const tool = (name, ...args) => run(join(root, 'node_modules', '.bin', name), args);

/** Paths of test files, sorted; Node 20 knows no globs. */
function testFiles(matches) {
  return readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => matches(path) && path.includes(filter))
    .sort();
}

function nodeTests(files, timeoutMinutes, ...flags) {
  if (files.length === 0) {
    process.stderr.write('There is no such test file.\n');
    return false;
  }
  // A test that fails may leave something open: that must not hold up the rest.
  const args = ['--import', 'tsx', '--test', '--test-force-exit', '--test-reporter=spec', ...flags, ...files];
  return run(process.execPath, args, timeoutMinutes);
}

const isEndToEnd = (path) => path.startsWith(join('test', 'e2e'));
const isBrowser = (path) => path.endsWith('.browser.test.ts');

const stages = {
  packages: () => ensureSystemPackages(),
  build: () => node('test/support/build.mjs', '--with-tests'),
  lint: () => tool('biome', 'ci', '.'),
  size: () => node('test/support/size-budget.mjs'),
  unit: () =>
    nodeTests(
      testFiles((path) => !isEndToEnd(path) && !isBrowser(path)),
      15,
      `--test-concurrency=${availableParallelism()}`,
    ),
  browser: () => tool('wtr', '--config', 'web-test-runner.config.mjs'),
  // One file at a time: they start browsers and cameras, and look at the clock.
  e2e: () => nodeTests(testFiles(isEndToEnd), 40, '--test-concurrency=1'),
};

const parts = {
  all: Object.keys(stages),
  lint: ['lint'],
  size: ['build', 'size'],
  unit: ['packages', 'build', 'unit'],
  browser: ['packages', 'build', 'browser'],
  e2e: ['packages', 'build', 'e2e'],
};

if (!Object.hasOwn(parts, part)) {
  process.stderr.write(`There is no part "${part}" of the tests; expected one of ${Object.keys(parts).join(', ')}.\n`);
  process.exit(1);
}
for (const name of parts[part]) {
  process.stdout.write(`— ${name}\n`);
  const startedMs = performance.now();
  const passed = stages[name]();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`— ${name} ${passed ? 'passed' : 'FAILED'} after ${seconds} s\n`);
  if (!passed) process.exit(1);
}
