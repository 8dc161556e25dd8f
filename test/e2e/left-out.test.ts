import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import { serializeRtpPacket } from '../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { waitForFailure, waitForSound, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { startScriptedCamera } from '../support/scripted-camera.js';

// Pictures that nothing here reads, beside sound that is played.

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;

before(
  async () => {
    pages = await keep(startPageServer());
    proxy = await keep(startProxy({ args: ['--allow', '127.0.0.1', '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);

const BLOCK = 160;

/** A camera with this picture, of which it sends nothing, and a tone in PCMU. */
async function cameraWith(picture: readonly string[], sound = ['m=audio 0 RTP/AVP 0 13', 'a=control:trackID=1']) {
  const octets = new Uint8Array(BLOCK).map((_, index) => (index % 16 < 8 ? 0x20 : 0xa0));
  return keep(
    startScriptedCamera({
      sdp: ['v=0', 's=-', ...picture, 'a=control:trackID=0', ...sound, ''].join('\r\n'),
      on: {
        PLAY(request, connection) {
          connection.reply(request, {});
          const setUp = connection.requests.find(({ method }) => method === 'SETUP');
          const channel = Number(/interleaved=(\d+)/.exec(setUp?.headers.get('Transport') ?? '')?.[1]);
          let block = 0;
          const timer = setInterval(() => {
            if (connection.socket.destroyed) clearInterval(timer);
            const packet = { payloadType: 0, marker: block === 0, ssrc: 7, payload: octets };
            const bytes = serializeRtpPacket({ ...packet, sequenceNumber: block & 0xffff, timestamp: BLOCK * block });
            connection.send(serializeInterleaved(channel, bytes));
            block++;
          }, 20);
        },
      },
    }),
  );
}

/** `addEventListener` of a page's own script, before the camera is asked for anything. */
const NOTE_WARNINGS = `<script>
  warnings = [];
  addEventListener('warning', ({ detail }) => warnings.push(detail.code + ': ' + detail.message), true);
</script>`;
declare const warnings: string[];

async function open(url: string, tracks = 'video audio') {
  const player = `${NOTE_WARNINGS}<rtsp-player src="${url}" tracks="${tracks}" autoplay></rtsp-player>`;
  pages.set('/', htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
  return browser.open(`${pages.origin}/`);
}

for (const { name, picture, words, codec } of [
  {
    name: 'MPEG-4 part 2',
    picture: ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 MP4V-ES/90000', 'a=fmtp:96 profile-level-id=3;config=000001B003'],
    words: 'it is MPEG-4 part 2 (MP4V-ES, mp4v.20.3).',
    codec: 'mp4v.20.3',
  },
  { name: 'H.263', picture: ['m=video 0 RTP/AVP 34'], words: 'it is H.263 (H263).', codec: null },
  {
    name: 'JPEG 2000 with repetitions',
    picture: ['m=video 0 RTP/AVP 97 96', 'a=rtpmap:97 rtx/90000', 'a=rtpmap:96 jpeg2000/90000'],
    words: 'it is JPEG 2000 (JPEG2000).',
    codec: null,
  },
  {
    name: "a maker's own format",
    picture: ['m=video 0 RTP/AVP 96', 'a=rtpmap:96 X-VENDOR/90000'],
    words: 'it is X-VENDOR.',
    codec: null,
  },
  {
    name: 'a format without a name',
    picture: ['m=video 0 RTP/AVP 99'],
    words: 'the camera does not say what it is.',
    codec: null,
  },
]) {
  test(`${name} is named to the page, and the sound plays`, { timeout: 60_000 }, async () => {
    const tab = await open((await cameraWith(picture)).url());
    await waitForState(tab.page, ['playing']);
    await waitForSound(tab.page);
    assert.deepEqual(await tab.page.evaluate(() => warnings), [
      `codec-unsupported: The camera's picture cannot be played: ${words}`,
    ]);
    const tracks = await tab.page.$eval('rtsp-player', (node) =>
      (node as RtspPlayerElement).tracks.map(({ kind, codec, state }) => ({ kind, codec, state })),
    );
    assert.deepEqual(tracks, [
      { kind: 'video', codec, state: 'unsupported' },
      { kind: 'audio', codec: 'flac', state: 'playing' },
    ]);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

test('where there is nothing else, the error names what is offered', { timeout: 60_000 }, async () => {
  const sound = ['m=audio 0 RTP/AVP 18', 'a=control:trackID=1'];
  const camera = await cameraWith(['m=video 0 RTP/AVP 96', 'a=rtpmap:96 MP4V-ES/90000'], sound);
  const tab = await open(camera.url());
  const { code, message } = await waitForFailure(tab.page);
  assert.equal(code, 'no-playable-track');
  assert.match(message ?? '', /MP4V-ES, G729/);
  await tab.close();
});

test('metadata alone are nothing to play', { timeout: 60_000 }, async () => {
  const camera = await cameraWith(['m=application 0 RTP/AVP 107', 'a=rtpmap:107 vnd.onvif.metadata/90000']);
  const tab = await open(camera.url(), 'video metadata');
  const { code, message } = await waitForFailure(tab.page);
  assert.equal(code, 'no-playable-track');
  assert.match(message ?? '', /neither picture nor sound/);
  await tab.close();
});
