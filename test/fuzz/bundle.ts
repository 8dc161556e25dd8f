import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** What play.ts exports, out of one file: nothing is loaded from the disk in the middle of a case. */
export async function loadBundled(): Promise<typeof import('./play.js')> {
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-fuzz-'));
  try {
    const outfile = join(folder, 'play.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('play.ts', import.meta.url))],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      sourcemap: 'inline',
      logLevel: 'error',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
