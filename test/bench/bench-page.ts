import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';

/** A browser and the pages of the benchmarks, on an origin of their own. */
export interface BenchPages {
  readonly origin: string;
  readonly browser: TestBrowser;
  /**
   * Bundles a module of the page and puts it at `/NAME`; the module's exports are there as `globalThis.bench`.
   * @param entry - path of a TypeScript or JavaScript module
   */
  addModule(name: string, entry: string, options?: { withPeer?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** Path of one of the pages beside this file. */
export function pageModule(name: string): string {
  return join(here, 'page', `${name}.ts`);
}

export async function startBenchPages(): Promise<BenchPages> {
  const pages = await startPageServer();
  const browser = await startBrowser();
  return {
    origin: pages.origin,
    browser,
    addModule: (name, entry, options = {}) => addModule(pages, name, entry, options.withPeer ?? false),
    async stop() {
      await browser.close();
      await pages.stop();
    },
  };
}

async function addModule(pages: PageServer, name: string, entry: string, withPeer: boolean): Promise<void> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as recorder from './page/recorder.js';
        import { start } from ${JSON.stringify(entry)};
        globalThis.bench = { ...recorder, start };`,
      resolveDir: here,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  });
  pages.set(`/${name}.js`, outputFiles[0]?.text ?? '');
  let head = '';
  if (withPeer) {
    const main = require.resolve('media-stream-library');
    pages.set('/media-stream-library.js', readFileSync(join(dirname(main), 'media-stream-library.min.js'), 'utf8'));
    head = '<script src="/media-stream-library.js"></script>';
  }
  pages.set(`/${name}`, htmlPage(head, [`/${name}.js`]));
}
