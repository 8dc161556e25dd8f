// Weighs the files that a page downloads and fails when one is over its budget.
//   node test/support/size-budget.mjs

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Kilobytes (1,000 bytes) after `gzip -9`. A ratchet: it goes down, towards 45, and never up. */
const budgets = [{ path: 'dist/rtsp-player.js', gzipKilobytes: 64 }];

const kilobytes = (bytes) => (bytes / 1000).toFixed(1);
let isOver = false;
const rows = budgets.map(({ path, gzipKilobytes }) => {
  const file = join(root, path);
  if (!existsSync(file)) {
    process.stderr.write(`${path} does not exist: run \`npm run build\` first.\n`);
    process.exit(1);
  }
  const content = readFileSync(file);
  const compressed = gzipSync(content, { level: 9 }).length;
  const fits = compressed <= gzipKilobytes * 1000;
  isOver ||= !fits;
  return {
    file: path,
    'minified KB': kilobytes(content.length),
    'gzip KB': kilobytes(compressed),
    'brotli KB': kilobytes(brotliCompressSync(content).length),
    'budget (gzip KB)': kilobytes(gzipKilobytes * 1000),
    verdict: fits ? 'fits' : 'OVER',
  };
});

const columns = Object.keys(rows[0]);
const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)));
for (const cells of [columns, ...rows.map((row) => columns.map((column) => row[column]))]) {
  process.stdout.write(`${cells.map((cell, i) => cell.padEnd(widths[i])).join('  ')}\n`.replace(/ +\n$/, '\n'));
}
if (isOver) process.exit(1);
