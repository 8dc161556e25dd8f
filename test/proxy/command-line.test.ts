import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { runProgram as run } from './program.js';
import { TestViewer, within } from './test-peers.js';

describe('the program', () => {
  test('npm start without a camera shows the demo camera; SIGTERM tells the viewers', async () => {
    const proxy = run('start', '--listen', '127.0.0.1:0');
    const port = await proxy.port();
    const cameras = await fetch(`http://127.0.0.1:${port}/cameras`);
    assert.deepEqual(await cameras.json(), [{ name: 'demo', title: 'Demo camera', streams: ['main', 'sub'] }]);
    const viewer = new TestViewer(port, '/rtsp/demo', { protocols: ['rtsp.onvif.org'] });
    const description = await viewer.request('DESCRIBE', 'rtsp://demo/');
    assert.match(Buffer.from(description.body).toString(), /H264.*a=control:rtsp:\/\/demo\/0/s);
    await viewer.request('SETUP', 'rtsp://demo/0', { Transport: 'RTP/AVP/TCP;unicast;interleaved=0-1' });
    await viewer.request('PLAY', 'rtsp://demo/');
    await within(
      (async () => {
        while (viewer.frames.length < 5) await once(viewer.webSocket, 'message');
      })(),
      'Media',
    );
    proxy.kill('SIGTERM');
    assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.goingDown);
    assert.equal(await proxy.exit, 0);
    assert.match(proxy.stderr(), /"camera":"demo".*"message":"A viewer has left\."/);
  });

  test('SIGINT ends it even when a viewer does not take part', async () => {
    const proxy = run('cli', '--listen', '127.0.0.1:0', '--demo');
    const viewer = new TestViewer(await proxy.port(), '/rtsp/demo');
    await viewer.opened;
    viewer.webSocket.pause();
    proxy.kill('SIGINT');
    assert.equal(await proxy.exit, 0);
    viewer.webSocket.terminate();
  });

  test('help, version, and words about wrong options, without passwords', async () => {
    const help = run('cli', '--help');
    assert.equal(await help.exit, 0);
    assert.match(help.stdout(), /^Usage: rtsp-player-proxy/);
    const version = run('start', '--version');
    assert.equal(await version.exit, 0);
    assert.match(version.stdout(), /^\d+\.\d+\.\d+\n$/);
    const wrong = run('cli', '--camera', 'front=http://user:hunter2@10.0.0.7/');
    assert.equal(await wrong.exit, 2);
    assert.match(wrong.stderr(), /expected an rtsp:\/\/ or rtsps:\/\/ URL\.\nSee rtsp-player-proxy --help\.\n$/);
    assert.doesNotMatch(wrong.stderr(), /hunter2| {4}at /);
  });

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const proxy = run('cli', '--listen', `127.0.0.1:${port}`, '--demo');
    assert.equal(await proxy.exit, 2);
    assert.match(proxy.stderr(), /Cannot listen on 127\.0\.0\.1 port \d+ \(EADDRINUSE\)/);
    server.close();
  });

  test('warns of what cannot work and of what others can see', async () => {
    const nothing = run('cli', '--listen', '127.0.0.1:0');
    await nothing.port();
    const everybody = run('cli', '--listen', '0.0.0.0:0', '--camera', 'front=rtsp://10.0.0.7/', '--insecure-public');
    await everybody.says(/Open http:\/\/localhost:\d+\//);
    nothing.kill('SIGTERM');
    everybody.kill('SIGTERM');
    await Promise.all([nothing.exit, everybody.exit]);
    assert.match(nothing.stderr(), /"level":"warn".*There is no camera and no allowlist/);
    assert.match(everybody.stderr(), /"level":"warn".*Other machines can reach this proxy/);
  });
});
