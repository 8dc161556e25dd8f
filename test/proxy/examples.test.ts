import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { startCamera, type TestCamera, TestViewer, within } from './test-peers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs an example as its reader would, in a process of its own; the package's name leads to the built files. */
async function run(file: string, cameraUrl: string) {
  const child = spawn(process.execPath, [`proxy/examples/${file}`], {
    cwd: root,
    env: { ...process.env, PORT: '0', CAMERA_URL: cameraUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const port = await within(
    new Promise<number>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(output)?.[1];
        if (found !== undefined) resolve(Number(found));
      });
      void exit.then((code) => reject(new Error(`${file} ended with ${code}: ${output}`)));
    }),
    `The address of ${file}`,
    30_000,
  );
  return { port, exit, stop: () => child.kill('SIGTERM') };
}

describe('examples', { skip: existsSync(`${root}dist/proxy/index.js`) ? false : 'run `npm run build` first' }, () => {
  let camera: TestCamera;
  before(async () => {
    camera = await startCamera();
  });
  after(() => camera.stop());

  for (const file of ['node-http.mjs', 'express.mjs', 'fastify.mjs']) {
    test(file, async () => {
      const example = await run(file, camera.url);
      const origin = `http://127.0.0.1:${example.port}`;
      const page = await fetch(`${origin}/`);
      assert.match(await page.text(), /<rtsp-player src="front"/);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      assert.match((await fetch(`${origin}/rtsp-player.js`)).headers.get('content-type') ?? '', /javascript/);
      assert.equal((await fetch(`${origin}/nothing`)).status, 404);
      const cameras = async (session: string) =>
        (await fetch(`${origin}/cameras`, { headers: { Cookie: `session=${session}` } })).json();
      assert.deepEqual(await cameras('session-of-alice'), [{ name: 'front', title: 'Front door', streams: ['main'] }]);
      assert.deepEqual(await cameras('session-of-bob'), []);

      const headers = (session: string) => ({ Cookie: `session=${session}`, Origin: origin });
      const alice = new TestViewer(example.port, '/rtsp/front', { headers: headers('session-of-alice') });
      assert.equal((await alice.request('DESCRIBE', 'rtsp://front/')).status, 200);
      const bob = new TestViewer(example.port, '/rtsp/front', { headers: headers('session-of-bob') });
      assert.equal((await within(bob.closed, 'The close')).code, CloseCode.forbidden);

      example.stop();
      assert.equal((await within(alice.closed, 'The goodbye')).code, CloseCode.goingDown);
      assert.equal(await within(example.exit, 'The end'), 0);
    });
  }
});
