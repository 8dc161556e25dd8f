import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { startProxy } from '../support/proxy.js';
import type { listen, record, setMuted, takeRecording } from './page/recorder.js';
import type { ShowingModule, ShowingOptions } from './page/showing.js';
import { startTunnel } from './tunnel-process.js';

/** The product, media-stream-library, and a page that leaves everything to the browser. */
export type PageName = 'ours' | 'peer' | 'plain';

/** What the pages have in `globalThis.bench`: the recorder, and the module that shows the camera. */
export interface PageBench {
  module: ShowingModule;
  record: typeof record;
  listen: typeof listen;
  setMuted: typeof setMuted;
  takeRecording: typeof takeRecording;
}

/** A browser and the pages of the players, on an origin that is not the proxy's. */
export interface BenchPages {
  readonly origin: string;
  readonly browser: TestBrowser;
  /** @param substitute - path of a module that takes the place of ours */
  add(name: PageName, substitute?: string): Promise<void>;
  /** Opens a page that was added and waits for its scripts. */
  open(name: PageName): Promise<TestPage>;
  stop(): Promise<void>;
}

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

declare const bench: PageBench;

export async function startBenchPages(): Promise<BenchPages> {
  const pages = await startPageServer();
  const browser = await startBrowser();
  return {
    origin: pages.origin,
    browser,
    add(name, substitute) {
      const isReplaced = name === 'ours' && substitute !== undefined;
      return addPage(pages, name, isReplaced ? resolve(substitute) : join(here, 'page', `${name}.ts`));
    },
    async open(name) {
      const tab = await browser.open(`${pages.origin}/${name}`, { width: 700, height: 500 });
      await tab.page.waitForFunction(() => typeof bench === 'object');
      return tab;
    },
    async stop() {
      await browser.close();
      await pages.stop();
    },
  };
}

async function addPage(pages: PageServer, name: PageName, entry: string): Promise<void> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as recorder from './page/recorder.js';
        import * as module from ${JSON.stringify(entry)};
        globalThis.bench = { ...recorder, module };`,
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
  let body = '';
  if (name === 'peer') {
    const main = require.resolve('media-stream-library');
    pages.set('/media-stream-library.js', readFileSync(join(dirname(main), 'media-stream-library.min.js'), 'utf8'));
    body = '<script src="/media-stream-library.js"></script>';
  }
  pages.set(`/${name}`, htmlPage(body, [`/${name}.js`]));
}

/** What a player reaches its camera through. */
export interface Relays {
  readonly addresses: Pick<ShowingOptions, 'proxyOrigin' | 'cameraName' | 'cameraUrl' | 'tunnelUrl'>;
  stop(): Promise<void>;
}

/** Starts the proxies of a player: the product's, the peer's own, or a bare relay. */
export async function startRelays(
  name: PageName,
  cameraUrl: string,
  pages: BenchPages,
  substitute?: string,
): Promise<Relays> {
  const target = new URL(cameraUrl).host;
  const cameraName = 'cam';
  const proxy =
    name === 'ours'
      ? await startProxy({ args: ['--camera', `${cameraName}=${cameraUrl}`, '--allow-origin', pages.origin] })
      : null;
  const needsTunnel = name !== 'ours' || substitute !== undefined;
  const tunnel = needsTunnel ? await startTunnel(name === 'peer' ? 'peer' : 'bare') : null;
  return {
    addresses: {
      proxyOrigin: proxy?.origin ?? '',
      cameraName,
      cameraUrl,
      tunnelUrl: tunnel === null ? '' : `ws://127.0.0.1:${tunnel.port}${tunnel.path(target)}`,
    },
    async stop() {
      await proxy?.stop();
      await tunnel?.stop();
    },
  };
}
