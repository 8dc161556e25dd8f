import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startCamera, type TestCamera, TestViewer, until, within } from './test-peers.js';

// Viewers that come and go, half of them rudely. PROXY_CHURN=10000 for a longer run.

const COUNT = Number(process.env.PROXY_CHURN ?? 1_000);
const WARM_UP = 400;
const AT_ONCE = 16;
/** What caches, compiled code and the allocator may add, however many come. */
const SLACK_BYTES = 1_000_000;
/** A leak of one object per viewer would be more. */
const BYTES_PER_VIEWER = 100;

interface Measure {
  heapUsed: number;
  arrayBuffers: number;
  open: number;
  viewers: number;
  sockets: number;
}

let camera: TestCamera;
let child: ChildProcess;
let port = 0;

before(async () => {
  camera = await startCamera();
  child = fork(fileURLToPath(new URL('./churn-proxy.ts', import.meta.url)), [camera.url], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  const [message] = await within(once(child, 'message'), 'The start of the proxy', 20_000);
  ({ port } = message as { port: number });
});
after(() => {
  child.kill('SIGKILL');
  camera.stop();
});

async function measure(): Promise<Measure> {
  const answer = once(child, 'message');
  child.send('measure');
  const [message] = await within(answer, 'The measure');
  return message as Measure;
}

const request = (method: string, url: string): Buffer => Buffer.from(`${method} ${url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`);

/** A message of a viewer (RFC 6455, 5.2), or its beginning when it announces more than it has. */
function message(payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x82;
  header[1] = 0x80 | 126;
  header.writeUInt16BE(length, 2);
  // The mask is zero, which leaves the bytes as they are.
  return Buffer.concat([header, payload]);
}

async function open(path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /);
  return socket;
}

async function polite(path: string, use: (viewer: TestViewer) => Promise<unknown>): Promise<void> {
  const viewer = new TestViewer(port, path);
  await use(viewer);
  await viewer.close();
}

/** One viewer from its first to its last byte; every second one is rude. */
const visits: readonly (() => Promise<unknown>)[] = [
  () => polite('/rtsp/front', (viewer) => viewer.play('front')),
  async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
  },
  () => polite('/rtsp', (viewer) => viewer.request('OPTIONS', camera.url)),
  async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /rtsp/front HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr', () => socket.resetAndDestroy());
  },
  () => polite('/rtsp/front', (viewer) => viewer.opened),
  async () => (await open('/rtsp/front')).resetAndDestroy(),
  () => polite('/rtsp/front', (viewer) => viewer.request('DESCRIBE', 'rtsp://front/')),
  async () => {
    // In the middle of a message, and of a request.
    const socket = await open('/rtsp/front');
    const bytes = request('DESCRIBE', 'rtsp://front/').subarray(0, 20);
    socket.write(message(bytes, 60_000), () => socket.resetAndDestroy());
  },
  () => polite('/rtsp/nobody', (viewer) => viewer.closed),
  async () => {
    // Its half is closed, without a word of WebSocket.
    const socket = await open('/rtsp/front');
    socket.resume().end(message(request('DESCRIBE', 'rtsp://front/')));
    await once(socket, 'close');
  },
  () => polite('/rtsp/front', (viewer) => viewer.play('front', 2)),
  async () => {
    const viewer = new TestViewer(port, '/rtsp/front');
    await viewer.play('front');
    viewer.webSocket.terminate();
  },
  () => polite('/rtsp', (viewer) => viewer.request('DESCRIBE', camera.url)),
  async () => {
    const socket = await open('/rtsp');
    socket.write(message(request('OPTIONS', camera.url)));
    await once(socket, 'data');
    socket.resetAndDestroy();
  },
];

/** So many viewers, some at once; then until the proxy and the camera have seen the last of them. */
async function churn(count: number): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) {
      const visit = visits[next++ % visits.length];
      if (visit !== undefined) await within(Promise.resolve(visit()), 'A visit');
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  await until(() => camera.connections.every(({ socket }) => socket.destroyed), 'The end at the camera', 20_000);
  camera.connections.length = 0;
}

test(`${COUNT} viewers leave nothing behind`, { timeout: 60_000 + COUNT * 60 }, async () => {
  const stayer = new TestViewer(port, '/rtsp/front');
  // Its connection is the camera's first, and not waited for.
  await stayer.play('front');
  const [own] = camera.connections.splice(0);
  // They are there, and will never say or read anything again, answers to pings included.
  const vanished = await Promise.all(['/rtsp', '/rtsp/front'].map((path) => open(path)));
  for (const socket of vanished) socket.pause();

  await churn(WARM_UP);
  const first = await measure();
  await churn(COUNT);
  let last = await measure();
  const end = Date.now() + 10_000;
  while ((last.open > 1 || last.sockets > first.sockets) && Date.now() < end) last = await measure();

  assert.equal(last.open, 1, 'only the one that stays');
  const news = last.viewers - first.viewers;
  assert.ok(news > COUNT * 0.8, `${news} became viewers`);
  const growth = last.heapUsed - first.heapUsed;
  const told = `${JSON.stringify(first)} to ${JSON.stringify(last)}`;
  assert.ok(growth < SLACK_BYTES + COUNT * BYTES_PER_VIEWER, told);
  assert.ok(last.arrayBuffers - first.arrayBuffers < SLACK_BYTES, told);
  // Whoever plays all the time has noticed nothing.
  const frames = stayer.frames.length;
  own?.sendFrame(0, new Uint8Array(100));
  await until(() => stayer.frames.length > frames, 'A frame for the one that stays');
  assert.equal((await stayer.request('GET_PARAMETER', 'rtsp://front/')).status, 200);
  await stayer.close();
  for (const socket of vanished) socket.destroy();
  if (process.env.PROXY_CHURN !== undefined) process.stderr.write(`${told}\n`);
});
