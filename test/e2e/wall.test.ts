import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import { startBrowser, type TestBrowser, type TestPage } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { startPageServer } from '../support/page-server.js';
import { readPlayer, waitForFailure, waitForFrames, waitForSound, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// What a newcomer sees: the proxy with its demo camera, its wall page, and the snippet that the wall hands out.

const keep = keeper(after);
let browser: TestBrowser;
let proxy: ProxyProcess;
let wall: TestPage;

before(
  async () => {
    proxy = await keep(startProxy({ args: ['--demo'] }));
    browser = await keep(startBrowser());
    wall = await browser.open(`${proxy.origin}/`);
  },
  { timeout: 60_000 },
);

/** Colours of 16 × 9 points of what the player shows. */
function samplePicture(page: Page): Promise<number[]> {
  return page.$eval('rtsp-player', (player) => {
    const canvas = document.createElement('canvas');
    canvas.width = 16;
    canvas.height = 9;
    const context = canvas.getContext('2d');
    if (context === null || player.video === null) return [];
    context.drawImage(player.video, 0, 0, canvas.width, canvas.height);
    return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
  });
}

test('the wall shows the demo camera with a picture that moves', { timeout: 60_000 }, async () => {
  await waitForState(wall.page, ['playing']);
  const { frames, spanMs } = await waitForFrames(wall.page, 50);
  assert.ok(spanMs < 4_000, `${frames} frames took ${spanMs} ms`);
  const first = await samplePicture(wall.page);
  await waitForFrames(wall.page, 15);
  const second = await samplePicture(wall.page);
  assert.ok(new Set(first).size > 8, 'the picture is of one colour');
  assert.notDeepEqual(first, second, 'the picture stands still');
  assert.equal((await readPlayer(wall.page)).error, null);
});

test("the demo camera's tone can be unmuted", { timeout: 60_000 }, async () => {
  assert.equal((await readPlayer(wall.page)).muted, true);
  await wall.page.$eval('rtsp-player', (player) => {
    player.muted = false;
  });
  await waitForSound(wall.page);
  await waitForFrames(wall.page, 25);
});

test('the wall page has a strict content security policy and keeps to it', async () => {
  const response = await fetch(`${proxy.origin}/`);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'|default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  await response.text();
  assert.deepEqual(wall.errors, []);
});

test('the proxy lists its cameras and says that it is well', async () => {
  const cameras = (await (await fetch(`${proxy.origin}/cameras`)).json()) as { name: string; streams: string[] }[];
  assert.equal(cameras.length, 1);
  assert.equal(typeof cameras[0]?.name, 'string');
  for (const path of ['/healthz', '/readyz']) {
    const response = await fetch(`${proxy.origin}${path}`);
    assert.equal(response.status, 200, path);
    await response.text();
  }
});

/** What the wall says is to be pasted into another page for its first camera, and what that page's policy has to allow. */
async function embeddingOf(page: Page): Promise<{ snippet: string; policy: string }> {
  await page.click('button.embed');
  await page.waitForSelector('dialog[open] code', { visible: true });
  const texts = await page.$$eval('dialog[open] code', (nodes) => nodes.map((node) => node.textContent ?? ''));
  await page.keyboard.press('Escape');
  const find = (mark: string) => texts.find((text) => text.includes(mark)) ?? '';
  return { snippet: find('<rtsp-player'), policy: find('script-src').replaceAll('\n', ' ') };
}

test('the embed snippet plays in a page of an allowed origin, and only there', { timeout: 60_000 }, async () => {
  const { snippet, policy } = await embeddingOf(wall.page);
  assert.match(snippet, /<script type="module"[^>]* src="http:\/\/127\.0\.0\.1:\d+\/rtsp-player\.js"/);
  const allowed = await keep(startPageServer());
  const foreign = await keep(startPageServer());
  const embedding = await keep(startProxy({ args: ['--demo', '--allow-origin', allowed.origin] }));
  const port = new RegExp(`:${proxy.port}\\b`, 'g');
  const page = `<!doctype html><title>Portal</title>${snippet.replace(port, `:${embedding.port}`)}`;
  const strict = `default-src 'none'; ${policy.replace(port, `:${embedding.port}`)}`;
  allowed.set('/', page, { 'Content-Security-Policy': strict });
  foreign.set('/', page);

  const good = await browser.open(`${allowed.origin}/`);
  await waitForState(good.page, ['playing']);
  await waitForFrames(good.page, 25);
  assert.deepEqual(good.errors, []);
  await good.close();

  const refused = await browser.open(`${foreign.origin}/`);
  const { code, message } = await waitForFailure(refused.page);
  assert.equal(code, 'forbidden');
  assert.match(message ?? '', /origin/i);
  assert.equal((await readPlayer(refused.page)).state, 'error');
  await refused.close();
});
