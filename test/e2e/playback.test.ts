import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { makeCertificate } from '../support/certificate.js';
import { type CameraEvent, type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { pictureAgeMs, readPlayer, waitForFrames, waitForSound, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';

// GStreamer's server → the proxy → the element in Chromium, on a page of another origin.

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;
let plain: GStreamerCamera;

before(
  async () => {
    const password = 'p@ss/w:rd';
    const users = { username: 'viewer', password };
    const tls = await keep(makeCertificate());
    plain = await keep(
      startGStreamerCamera({
        mounts: [
          { path: '/video', video: true },
          { path: '/small', video: { width: 320, height: 180, profile: 'baseline', slices: 4, aggregate: true } },
          { path: '/repeated', video: { slices: 4, parameterSets: 'before-every-slice' } },
          { path: '/sdp-only', video: { parameterSets: 'sdp-only' } },
          { path: '/both', video: true, audio: true },
          { path: '/audio', audio: true },
          { path: '/shared', video: { keyInterval: 50 }, audio: true, shared: true },
        ],
      }),
    );
    const basic = await keep(startGStreamerCamera({ users: { scheme: 'basic', ...users } }));
    const digest = await keep(startGStreamerCamera({ users: { scheme: 'digest', ...users } }));
    const secure = await keep(startGStreamerCamera({ tls, users: { scheme: 'digest', ...users } }));
    pages = await keep(startPageServer());
    const cameras = {
      video: plain.url('/video'),
      'streams/main': plain.url('/video'),
      'streams/sub': plain.url('/small'),
      repeated: plain.url('/repeated'),
      'sdp-only': plain.url('/sdp-only'),
      both: plain.url('/both'),
      audio: plain.url('/audio'),
      shared: plain.url('/shared'),
      basic: basic.url('/live', 'with-credentials'),
      digest: digest.url('/live', 'with-credentials'),
      secure: secure.url('/live', 'with-credentials'),
    };
    proxy = await keep(
      startProxy({
        args: [
          ...Object.entries(cameras).flatMap(([name, url]) => ['--camera', `${name}=${url}`]),
          ...['--allow', `127.0.0.1:${plain.port}`, '--allow', `127.0.0.1:${digest.port}`],
          ...['--allow-origin', pages.origin],
        ],
        env: { NODE_EXTRA_CA_CERTS: tls.certificate },
      }),
    );
    browser = await keep(startBrowser());
    pages.set('/tunnel-digest', playerPage(`src="${digest.url()}" username="viewer" password="${password}"`));
  },
  { timeout: 60_000 },
);

function playerPage(attributes: string): string {
  return htmlPage(`<rtsp-player ${attributes} autoplay muted controls></rtsp-player>`, [
    `${proxy.origin}/rtsp-player.js`,
  ]);
}

/** Opens a page with a player and checks that it shows a live picture that moves, without a word on the console. */
async function expectPlay(path: string, size: { width: number; height: number } | null) {
  const tab = await browser.open(`${pages.origin}${path}`);
  await waitForState(tab.page, ['playing']);
  if (size === null) return tab;
  const { frames, spanMs } = await waitForFrames(tab.page, 26);
  // 25 intervals of 40 ms; a machine that is busy may lose some frames on the way to the screen.
  assert.ok(spanMs < 2_500, `${frames} frames took ${spanMs} ms`);
  const { videoWidth, videoHeight, error } = await readPlayer(tab.page);
  assert.deepEqual({ width: videoWidth, height: videoHeight, error }, { ...size, error: null });
  const ageMs = await pictureAgeMs(tab.page);
  assert.ok(ageMs !== null, 'the picture has no clock in it');
  assert.ok(ageMs > 0 && ageMs < 2_000, `the picture is ${ageMs} ms old`);
  return tab;
}

const large = { width: 640, height: 360 };

for (const name of ['video', 'basic', 'digest', 'secure', 'sdp-only', 'both', 'shared', 'streams', 'streams/main']) {
  test(`shows the named camera ${name}`, { timeout: 60_000 }, async () => {
    const path = `/named/${name}`;
    pages.set(path, playerPage(`src="${name}"`));
    const tab = await expectPlay(path, large);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

test('shows the sub stream of a camera, in several slices', { timeout: 60_000 }, async () => {
  pages.set('/sub', playerPage('src="streams/sub"'));
  const tab = await expectPlay('/sub', { width: 320, height: 180 });
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('shows a camera that sends parameter sets before every slice (GStreamer)', { timeout: 60_000 }, async () => {
  pages.set('/repeated', playerPage('src="repeated"'));
  const tab = await expectPlay('/repeated', large);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

for (const name of ['both', 'shared']) {
  test(`plays the sound of ${name} when it is unmuted, and the picture goes on`, { timeout: 60_000 }, async () => {
    const path = `/sound/${name}`;
    pages.set(path, playerPage(`src="${name}"`));
    const tab = await expectPlay(path, large);
    await tab.page.$eval('rtsp-player', (player) => {
      player.muted = false;
    });
    await waitForSound(tab.page);
    await waitForFrames(tab.page, 26);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

test('plays a camera that has sound only', { timeout: 60_000 }, async () => {
  pages.set('/audio', playerPage('src="audio"').replace(' muted', ''));
  const tab = await expectPlay('/audio', null);
  await waitForSound(tab.page);
  const playedS = await tab.page.$eval('rtsp-player', async (player) => {
    const from = player.currentTime;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 5_000);
      player.addEventListener('timeupdate', () => {
        if (player.currentTime > from + 1) resolve();
      });
    });
    return player.currentTime - from;
  });
  assert.ok(playedS > 1, `the player's time went on by ${playedS} s`);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('shows a camera by its address through the tunnel', { timeout: 60_000 }, async () => {
  pages.set('/tunnel', playerPage(`src="${plain.url('/both')}"`));
  const tab = await expectPlay('/tunnel', large);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test("shows a camera by its address, with the page's own credentials", { timeout: 60_000 }, async () => {
  const tab = await expectPlay('/tunnel-digest', large);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('lets several players in one page play at once', { timeout: 60_000 }, async () => {
  const ids = ['one', 'two', 'three', 'four'];
  const sources = ['shared', 'shared', 'both', 'video'];
  const players = ids.map((id, i) => `<rtsp-player id="${id}" src="${sources[i]}" autoplay muted></rtsp-player>`);
  pages.set('/several', htmlPage(players.join(''), [`${proxy.origin}/rtsp-player.js`]));
  const tab = await browser.open(`${pages.origin}/several`);
  for (const id of ids) await waitForState(tab.page, ['playing'], 20_000, `#${id}`);
  for (const id of ids) await waitForFrames(tab.page, 15, 15_000, `#${id}`);
  assert.deepEqual(tab.errors, []);
  await tab.close();
});

test('tells the camera when a viewer leaves, and plays again for the next', { timeout: 60_000 }, async () => {
  const isGoodbye = (event: CameraEvent) => event.event === 'request' && event.method === 'TEARDOWN';
  const before = plain.events.filter(isGoodbye).length;
  pages.set('/leave', playerPage('src="video"'));
  for (const round of [1, 2]) {
    const tab = await expectPlay('/leave', large);
    await tab.close();
    await plain.waitForEvent(isGoodbye, before + round);
  }
});

test('goes on muted, and says so, where the browser refuses sound', { timeout: 60_000 }, async () => {
  const strict = await keep(startBrowser({ flags: ['--autoplay-policy=document-user-activation-required'] }));
  pages.set('/refused', playerPage('src="both"').replace(' muted', ''));
  const tab = await strict.open(`${pages.origin}/refused`);
  await waitForState(tab.page, ['playing']);
  await waitForFrames(tab.page, 26);
  const report = await readPlayer(tab.page);
  assert.equal(report.muted, true);
  assert.match(report.text, /unmute|sound/i);
  assert.deepEqual(tab.errors, []);
});
