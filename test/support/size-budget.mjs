// Weighs what a page downloads and fails when it is over its budget.
//   node test/support/size-budget.mjs

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const entry = 'rtsp-player.js';
if (!existsSync(join(dist, entry))) {
  process.stderr.write(`dist/${entry} does not exist: run \`npm run build\` first.\n`);
  process.exit(1);
}

/** A file, and those that it imports before it runs. */
function withImports(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const code = readFileSync(join(dist, name), 'utf8');
  for (const [, imported] of code.matchAll(/\bfrom ?["']\.\/([\w-]+\.js)["']/g)) withImports(imported, found);
  return found;
}

const first = [...withImports(entry)];
const parts = readdirSync(dist).filter((name) => /^rtsp-player-[\w-]+\.js$/.test(name) && !first.includes(name));

/** Kilobytes of 1,024 bytes after `gzip -9`. */
const budgets = [
  { what: 'before a live H.264 picture', files: first, gzipKilobytes: 45 },
  ...parts.map((name) => ({ what: name, files: [name], gzipKilobytes: 15 })),
];

const kilobytes = (bytes) => (bytes / 1024).toFixed(1);
const sum = (files, weigh) => files.reduce((total, name) => total + weigh(readFileSync(join(dist, name))), 0);
let isOver = false;
const rows = budgets.map(({ what, files, gzipKilobytes }) => {
  const compressed = sum(files, (content) => gzipSync(content, { level: 9 }).length);
  const fits = compressed <= gzipKilobytes * 1024;
  isOver ||= !fits;
  return {
    loaded: what,
    'minified KB': kilobytes(sum(files, (content) => content.length)),
    'gzip KB': kilobytes(compressed),
    'brotli KB': kilobytes(sum(files, (content) => brotliCompressSync(content).length)),
    'budget (gzip KB)': kilobytes(gzipKilobytes * 1024),
    verdict: fits ? 'fits' : 'OVER',
  };
});

const columns = Object.keys(rows[0]);
const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)));
for (const cells of [columns, ...rows.map((row) => columns.map((column) => row[column]))]) {
  process.stdout.write(`${cells.map((cell, i) => cell.padEnd(widths[i])).join('  ')}\n`.replace(/ +\n$/, '\n'));
}
if (isOver) process.exit(1);
