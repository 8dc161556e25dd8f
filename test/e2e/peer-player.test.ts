import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { startBrowser } from '../support/browser.js';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, startPageServer } from '../support/page-server.js';
import { startProxy } from '../support/proxy.js';

// Another RTSP client for browsers, as published, through our proxy: its own path and subprotocol (Axis's).

const keep = keeper(after);

interface PeerPipeline {
  ready: Promise<void>;
  rtsp: { play(): void; onError?: (error: Error) => void };
}
declare const mediaStreamLibrary: { pipelines: { Html5VideoPipeline: new (options: object) => PeerPipeline } };

test("media-stream-library's player shows H.264 through the tunnel", { timeout: 60_000 }, async () => {
  const main = createRequire(import.meta.url).resolve('media-stream-library');
  const library = readFileSync(join(dirname(main), 'media-stream-library.min.js'));
  const camera = await keep(startGStreamerCamera());
  const page = htmlPage('<video muted></video><script src="/peer.js"></script>');
  const pages = await keep(startPageServer({ '/': page, '/peer.js': library }));
  const proxy = await keep(
    startProxy({ args: ['--allow', `127.0.0.1:${camera.port}`, '--allow-origin', pages.origin] }),
  );
  const browser = await keep(startBrowser());
  const tab = await browser.open(`${pages.origin}/`);

  const sockets: string[] = [];
  const session = await tab.page.createCDPSession();
  await session.send('Network.enable');
  session.on('Network.webSocketCreated', ({ url }) => sockets.push(url));
  let subprotocol: string | undefined;
  session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
    const name = Object.keys(response.headers).find((header) => header.toLowerCase() === 'sec-websocket-protocol');
    subprotocol = name === undefined ? undefined : response.headers[name];
  });

  const shown = await tab.page.evaluate(
    async (host, uri) => {
      const video = document.querySelector('video');
      if (video === null) throw new Error('no video');
      const pipeline = new mediaStreamLibrary.pipelines.Html5VideoPipeline({
        ws: { host, scheme: 'http:' },
        rtsp: { uri },
        mediaElement: video,
      });
      await pipeline.ready;
      pipeline.rtsp.play();
      void video.play();
      let frames = 0;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20_000);
        const onFrame = () => {
          frames++;
          if (frames < 30) {
            video.requestVideoFrameCallback(onFrame);
            return;
          }
          clearTimeout(timer);
          resolve();
        };
        video.requestVideoFrameCallback(onFrame);
      });
      return { frames, width: video.videoWidth, height: video.videoHeight };
    },
    `127.0.0.1:${proxy.port}`,
    camera.url(),
  );
  assert.deepEqual(shown, { frames: 30, width: 640, height: 360 });
  assert.deepEqual(sockets, [`ws://127.0.0.1:${proxy.port}/rtsp-over-websocket`]);
  assert.equal(subprotocol, 'binary');
});
