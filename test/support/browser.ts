import { readFileSync } from 'node:fs';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { chromiumFlags, findChromium } from './chromium.mjs';

/** A Chromium of its own, with a fresh profile. */
export interface TestBrowser {
  readonly pid: number;
  readonly browser: Browser;
  /** A new tab at `url`; its console's errors and CSP violations are kept. */
  open(url: string, options?: { width?: number; height?: number }): Promise<TestPage>;
  /** Ends it, by process id if it does not go by itself. */
  close(): Promise<void>;
}

export interface TestPage {
  readonly page: Page;
  /** Errors on the console, exceptions that nobody caught, and violations of the page's content security policy. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const clockSource = readFileSync(new URL('./picture-clock.mjs', import.meta.url), 'utf8').replace(/^export /gm, '');

/**
 * In every page before its own scripts: `pictureClock` is picture-clock.mjs; `playerChanges` records every
 * player's changes of state (they do not bubble, but can be captured); `__name` is what tsx wraps functions in that a test hands to `evaluate`.
 */
const preamble = `
globalThis.__name = (value) => value;
globalThis.pictureClock = (() => { ${clockSource}; return { clockArea, readPictureClock, createVideoClockReader }; })();
addEventListener('securitypolicyviolation', (event) => {
  console.error('content security policy: ' + event.violatedDirective + ' ' + event.blockedURI);
});
globalThis.playerChanges = [];
addEventListener('statechange', ({ target, detail }) => {
  const { state, error } = detail;
  playerChanges.push({
    id: target.id, state, code: error?.code ?? null, message: error?.message ?? null, timeMs: Date.now(),
  });
}, true);
`;

export async function startBrowser(options: { flags?: readonly string[] } = {}): Promise<TestBrowser> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error('No Chromium found; see test/support/system-packages.mjs.');
  const browser = await puppeteer.launch({
    executablePath,
    args: [...chromiumFlags, ...(options.flags ?? [])],
    // The flags say it themselves.
    headless: false,
    waitForInitialPage: false,
    protocolTimeout: 120_000,
  });
  const child = browser.process();
  const killOnExit = () => child?.kill('SIGKILL');
  process.on('exit', killOnExit);
  return {
    pid: child?.pid ?? -1,
    browser,
    async open(url, { width = 1_000, height = 700 } = {}) {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url ?? 'no URL'})`);
      });
      page.on('pageerror', (error) => errors.push(String(error)));
      await page.setViewport({ width, height });
      await page.evaluateOnNewDocument(preamble);
      await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 30_000 });
      return { page, errors, close: () => page.close() };
    },
    async close() {
      const timer = setTimeout(killOnExit, 5_000);
      await browser.close().catch(() => {});
      clearTimeout(timer);
      process.off('exit', killOnExit);
    },
  };
}
