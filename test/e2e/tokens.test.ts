import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { claims, hs256, nowSeconds, secret } from '../proxy/authorization/tokens.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { waitForFrames, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// A proxy that wants tokens, and pages that have one, get new ones, or have none.

const keep = keeper(after);
let browser: TestBrowser;
let proxy: ProxyProcess;

before(
  async () => {
    const env = { TOKEN_SECRET: secret };
    const args = ['--demo', '--jwt-secret', 'env:TOKEN_SECRET', '--jwt-clock-tolerance', '0'];
    proxy = await keep(startProxy({ args, env }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

test('the wall plays for whoever comes with a token, and does not keep it in its address', {
  timeout: 60_000,
}, async () => {
  const { page } = await browser.open(`${proxy.origin}/?token=${hs256(claims(['demo']))}`);
  await waitForState(page, ['playing']);
  await waitForFrames(page, 25);
  assert.equal(await page.evaluate(() => location.search), '');
});

test('the wall tells everybody else to sign in', { timeout: 60_000 }, async () => {
  const { page } = await browser.open(`${proxy.origin}/`);
  await page.waitForSelector('#failure:not([hidden])');
  assert.match(await page.$eval('#failure-reason', (element) => element.textContent ?? ''), /Sign in first/);
});

test('a token that is a function is asked again when the last one has run out', { timeout: 60_000 }, async () => {
  const { page } = await browser.open(`${proxy.origin}/?token=${hs256(claims([]))}`);
  const tokens = [hs256(claims(['demo'], { exp: nowSeconds() + 4 })), hs256(claims(['demo']))];
  await page.evaluate((given: string[]) => {
    const player = document.createElement('rtsp-player') as HTMLElement & { token: () => Promise<string> };
    player.token = async () => (given.length > 1 ? given.shift() : given[0]) ?? '';
    player.setAttribute('src', 'demo');
    player.setAttribute('autoplay', '');
    player.setAttribute('muted', '');
    document.body.replaceChildren(player);
    Object.assign(window, { states: [] as string[] });
    player.addEventListener('statechange', (event) => {
      (window as unknown as { states: string[] }).states.push((event as CustomEvent<{ state: string }>).detail.state);
    });
  }, tokens);
  await waitForState(page, ['playing']);
  await waitForState(page, ['reconnecting']);
  await waitForState(page, ['playing']);
  await waitForFrames(page, 25);
});
