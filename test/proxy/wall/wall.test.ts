import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, launch, type Page } from 'puppeteer-core';
import type { CameraListing } from '../../../shared/proxy-protocol.js';
import { chromiumFlags, findChromium } from '../../support/chromium.mjs';

const folder = new URL('../../../proxy/wall/', import.meta.url);
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
/** As strict as the proxy's, or stricter. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'";

const cameras: CameraListing[] = [
  { name: 'front', title: 'Front <door> & "co"', streams: ['main', 'sub'] },
  { name: 'garden', title: 'garden', streams: ['main'] },
  { name: 'gate', title: 'Gate', streams: [] },
];

describe('The wall', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let bundle: string;
  let url: string;
  let answer: { status: number; body: unknown };
  /** What the page complained about: refused by the policy, thrown, or logged as an error. */
  let complaints: string[];

  before(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('fake-bundle.ts', import.meta.url))],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      logLevel: 'silent',
    });
    bundle = outputFiles[0]?.text ?? '';
    server = createServer(async (request, response) => {
      const path = new URL(request.url ?? '/', 'http://proxy').pathname;
      if (path === '/cameras') {
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
        return;
      }
      const name = path === '/' ? 'index.html' : path.slice(1);
      const content = name === 'rtsp-player.js' ? bundle : await readFile(new URL(name, folder)).catch(() => null);
      if (content === null) {
        response.writeHead(404).end();
        return;
      }
      response.setHeader('content-type', types[extname(name)] ?? 'text/plain');
      response.setHeader('content-security-policy', policy);
      response.end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    browser = await launch({ executablePath: findChromium() ?? '', args: chromiumFlags });
  });

  after(async () => {
    await browser?.close();
    server?.close();
    server?.closeAllConnections();
  });

  beforeEach(async () => {
    answer = { status: 200, body: cameras };
    complaints = [];
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  });

  afterEach(() => page.close());

  async function open(width = 1280, height = 800, fragment = ''): Promise<void> {
    await page.setViewport({ width, height });
    await page.goto(url + fragment);
    await page.waitForSelector('#loading[hidden]');
  }

  const text = (selector: string) => page.$eval(selector, (found) => found.textContent?.trim().replaceAll(/\s+/g, ' '));
  const isShown = (selector: string) => page.$eval(selector, (found) => found.checkVisibility());

  it('shows a tile for each camera, by its title, and plays it muted', async () => {
    await open();
    const tiles = await page.$$eval('.tile', (found) =>
      found.map((tile) => [
        tile.querySelector('.title')?.textContent,
        ...['src', 'label', 'autoplay', 'muted', 'controls'].map((name) =>
          tile.querySelector('rtsp-player')?.getAttribute(name),
        ),
      ]),
    );
    assert.deepEqual(
      tiles,
      cameras.map(({ name, title }) => [title, name, title, '', '', '']),
    );
    assert.equal(await page.title(), 'Cameras');
    assert.deepEqual(complaints, []);
  });

  it('says how each camera is', async () => {
    await open();
    await page.evaluate(async () => {
      const players = (globalThis as unknown as { FakePlayer: { made: FakePlayerLike[] } }).FakePlayer.made;
      await players[0]?.showPicture();
      players[1]?.fail('camera-unreachable', 'The camera did not answer.');
    });
    assert.equal(await text('#camera-front .status'), 'Live');
    assert.equal(await text('#camera-garden .status'), 'Not available');
    assert.equal(await text('#camera-gate .status'), 'Connecting');
    assert.equal(await text('#summary'), '3 cameras, 1 live');
    assert.deepEqual(complaints, []);
  });

  it('offers the streams of a camera that has several', async () => {
    await open();
    assert.equal(await isShown('#camera-front .stream'), true);
    assert.equal(await isShown('#camera-garden .stream'), false);
    await page.select('#camera-front .stream', 'sub');
    assert.equal(await page.$eval('#camera-front rtsp-player', (found) => found.getAttribute('src')), 'front/sub');
    await page.select('#camera-front .stream', 'main');
    assert.equal(await page.$eval('#camera-front rtsp-player', (found) => found.getAttribute('src')), 'front');
  });

  it('shows how to embed the stream that is chosen', async () => {
    await open();
    await page.select('#camera-front .stream', 'sub');
    await page.click('#camera-front .embed');
    const { origin, host } = new URL(url);
    assert.equal(
      await page.$eval('#embed-code', (found) => found.textContent),
      `<script type="module" src="${origin}/rtsp-player.js"></script>\n` +
        '<rtsp-player src="front/sub" label="Front &lt;door> &amp; &quot;co&quot;" autoplay muted controls></rtsp-player>',
    );
    assert.match((await text('#embed')) ?? '', /--allow-origin https:\/\/your-page\.example/);
    assert.equal(await text('#embed-policy'), `script-src ${origin}; connect-src ws://${host}; media-src blob:`);
    await page.keyboard.press('Escape');
    assert.equal(await isShown('#embed'), false);
    await page.click('#camera-garden .embed');
    assert.match((await text('#embed-code')) ?? '', /<rtsp-player src="garden" autoplay muted controls>/);
  });

  it('copies the snippet, and says so', async () => {
    await open();
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', {
        value: {
          writeText(copied: string) {
            Object.assign(globalThis, { copied });
            return Promise.resolve();
          },
        },
      });
    });
    await page.click('#camera-gate .embed');
    await page.click('#embed .copy');
    await page.waitForFunction(() => document.querySelector('#embed .copy')?.textContent === 'Copied');
    assert.equal(await text('#copied'), 'Copied');
    const copied = await page.evaluate(() => (globalThis as unknown as { copied: string }).copied);
    assert.match(copied, /^<script type="module" .*<\/rtsp-player>$/s);
  });

  it('copies without a clipboard, as on a plain-HTTP page', async () => {
    await open();
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', { value: undefined });
      document.execCommand = (command) => {
        Object.assign(globalThis, { copied: `${command}: ${getSelection()?.toString()}` });
        return true;
      };
    });
    await page.click('#camera-gate .embed');
    await page.click('#embed .copy');
    await page.waitForFunction(() => document.querySelector('#embed .copy')?.textContent === 'Copied');
    const copied = await page.evaluate(() => (globalThis as unknown as { copied: string }).copied);
    assert.match(copied, /^copy: <script type="module" .*<\/rtsp-player>$/s);
  });

  it('enlarges a camera at a click on its picture, and goes back with Escape', async () => {
    await open();
    await page.click('#camera-garden rtsp-player');
    const { width, height } = await page.$eval('#camera-garden', (found) => found.getBoundingClientRect().toJSON());
    assert.deepEqual([width, height], [1280, 800]);
    assert.equal(new URL(page.url()).hash, '#garden');
    assert.equal(await page.$eval('#camera-gate', (found) => (found as HTMLElement).inert), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.$('.enlarged'), null);
    assert.equal(new URL(page.url()).hash, '');
    assert.equal(await page.$eval('#camera-gate', (found) => (found as HTMLElement).inert), false);
    assert.deepEqual(complaints, []);
  });

  it('enlarges with the keyboard alone, and keeps the connection', async () => {
    await open();
    await page.focus('#camera-gate .enlarge');
    await page.keyboard.press('Enter');
    assert.equal(await page.$eval('.enlarged', (found) => found.id), 'camera-gate');
    assert.equal(await page.$eval('.enlarged .enlarge', (found) => found.ariaLabel), 'Back to all cameras');
    await page.keyboard.press('Enter');
    assert.equal(await page.$('.enlarged'), null);
    const made = await page.evaluate(
      () => (globalThis as unknown as { FakePlayer: { made: unknown[] } }).FakePlayer.made.length,
    );
    assert.equal(made, cameras.length);
  });

  it('leaves a click on a control to the control', async () => {
    await open();
    await page.$eval('#camera-gate rtsp-player', (found) =>
      found.shadowRoot?.querySelector<HTMLElement>('.bar .play')?.click(),
    );
    assert.equal(await page.$('.enlarged'), null);
  });

  it('opens with the camera that the URL names, and with all for a name that is none', async () => {
    await open(1280, 800, '#gate');
    assert.equal(await page.$eval('.enlarged', (found) => found.id), 'camera-gate');
    await page.goto('about:blank');
    await open(1280, 800, '#%zz');
    assert.equal(await page.$('.enlarged'), null);
    assert.deepEqual(complaints, []);
  });

  it('fits every tile on the screen, and scrolls when they would be too small', async () => {
    for (const [count, width, height, scrolls] of [
      [1, 1366, 768, false],
      [5, 1366, 768, false],
      [12, 1920, 1080, false],
      [30, 3840, 2160, false],
      [12, 1366, 500, true],
      [6, 320, 640, true],
      [2, 320, 300, true],
    ] as const) {
      answer.body = Array.from({ length: count }, (_, i) => ({
        name: `c${i}`,
        title: `Camera ${i}`,
        streams: ['a', 'b'],
      }));
      await page.goto('about:blank');
      await open(width, height);
      await page.waitForFunction(() => document.querySelector<HTMLElement>('#grid')?.style.length);
      const { scrollWidth, scrollHeight, right } = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        scrollHeight: document.documentElement.scrollHeight,
        right: Math.max(
          ...[...document.querySelectorAll('.caption')].map((caption) => caption.scrollWidth - caption.clientWidth),
        ),
      }));
      const title = `${count} at ${width} × ${height}`;
      assert.ok(scrollWidth <= width, `${title}: ${scrollWidth} wide`);
      assert.equal(scrollHeight > height, scrolls, `${title}: ${scrollHeight} high`);
      assert.equal(right, 0, `${title}: the caption does not fit`);
    }
  });

  it('says how to add a camera where there is none', async () => {
    answer.body = [];
    await open();
    assert.match((await text('#empty')) ?? '', /No cameras yet .*--camera NAME=URL/);
    assert.equal(await isShown('#empty'), true);
    assert.equal(await isShown('#grid'), false);
    assert.deepEqual(complaints, []);
  });

  for (const [title, status, body, reason] of [
    ['refuses', 403, {}, 'The proxy answered with status 403.'],
    ['answers nonsense', 200, { cameras: 1 }, 'The proxy answered with something that is not a list of cameras.'],
  ] as const) {
    it(`says so when the proxy ${title}, and loads again when it is asked`, async () => {
      answer = { status, body };
      await open();
      assert.equal(await isShown('#failure'), true);
      assert.equal(await text('#failure-reason'), reason);
      answer = { status: 200, body: cameras };
      await Promise.all([page.waitForNavigation(), page.click('#retry')]);
      await page.waitForSelector('.tile');
    });
  }

  it('holds nothing that its policy forbids', async () => {
    const html = await readFile(new URL('index.html', folder), 'utf8');
    assert.doesNotMatch(html, /\sstyle=|<style|\son\w+=|javascript:/i);
    for (const [, script] of html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)) assert.equal(script, '');
    for (const [, path = ''] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      assert.match(path, /^\.\//, 'relative, so that the proxy may live below another path');
      if (path !== './rtsp-player.js') await readFile(new URL(path, folder));
    }
  });
});

interface FakePlayerLike {
  showPicture(): Promise<void>;
  fail(code: string, message: string): void;
}
