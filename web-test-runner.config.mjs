// Browser unit tests: test/**/*.browser.test.ts in Chromium. Each file is bundled, so that dependencies which are
// CommonJS (sdp-transform) work as they do in the shipped file.

import { fileURLToPath } from 'node:url';
import { chromeLauncher } from '@web/test-runner-chrome';
import { build } from 'esbuild';
import { chromiumFlags, findChromium } from './test/support/chromium.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Serves a test file as one module with everything inside and its source map. */
const bundledTests = {
  name: 'bundled-tests',
  async serve({ path }) {
    if (!path.endsWith('.browser.test.ts')) return undefined;
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [`.${decodeURIComponent(path)}`],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      sourcemap: 'inline',
      logLevel: 'silent',
    });
    return { body: outputFiles[0].text, type: 'js' };
  },
};

export default {
  rootDir: root,
  files: 'test/**/*.browser.test.ts',
  concurrency: 1,
  nodeResolve: false,
  plugins: [bundledTests],
  browsers: [chromeLauncher({ launchOptions: { executablePath: findChromium() ?? undefined, args: chromiumFlags } })],
  testFramework: { config: { timeout: '10000' } },
  testsFinishTimeout: 120_000,
};
