// Runs a benchmark by its name: npm run bench -- NAME [OPTIONS]; without a name it lists them.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('.', import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A benchmark is a file whose first line is `// benchmark: what it tells`. */
const benchmarks = new Map();
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.ts')) continue;
  const [, summary] = /^\/\/ benchmark: (.*)/.exec(readFileSync(new URL(file, folder), 'utf8')) ?? [];
  if (summary !== undefined) benchmarks.set(file.slice(0, -3), summary);
}

const [name, ...options] = process.argv.slice(2);
if (name === undefined || !benchmarks.has(name)) {
  if (name !== undefined) process.stderr.write(`There is no benchmark "${name}".\n`);
  process.stdout.write('npm run bench -- NAME [--quick] [--help]\n');
  for (const [known, summary] of benchmarks) process.stdout.write(`  ${known.padEnd(14)}${summary}\n`);
  process.exit(name === undefined ? 0 : 1);
}
const file = fileURLToPath(new URL(`${name}.ts`, folder));
const child = spawn(process.execPath, ['--import', 'tsx', file, ...options], { cwd: root, stdio: 'inherit' });
child.on('close', (code, signal) => {
  if (signal !== null) process.stderr.write(`The benchmark was ended by ${signal}.\n`);
  process.exit(code ?? 1);
});
