import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { TcpTransport, type TcpTransportOptions } from '../../../client/transport/tcp.js';
import { StreamError } from '../../../shared/errors.js';
import { ManualClock } from '../../proxy/manual-clock.js';
import { type Certificate, makeCertificate } from '../../support/certificate.js';

let certificate: Certificate;
const servers: Server[] = [];
const sockets = new Set<Socket>();

before(async () => {
  certificate = await makeCertificate();
});

after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await certificate.remove();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function transportTo(port: number, scheme: 'rtsp' | 'rtsps' = 'rtsp', options: TcpTransportOptions = {}): TcpTransport {
  return new TcpTransport({ scheme, host: '127.0.0.1', port }, options);
}

/** Handlers whose data and end can be awaited. */
function recorder() {
  const chunks: Uint8Array[] = [];
  const closes: (StreamError | null)[] = [];
  let wake = () => {};
  return {
    chunks,
    closes,
    onData(bytes: Uint8Array) {
      chunks.push(bytes);
      wake();
    },
    onClose(error: StreamError | null) {
      closes.push(error);
      wake();
    },
    text: () => Buffer.concat(chunks).toString(),
    async until(condition: () => boolean) {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function rejectsWith(promise: Promise<unknown>, code: string, pattern = /./): Promise<void> {
  return assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof StreamError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

test('bytes go both ways, and what the other end sends last arrives before its end', async () => {
  const port = await listen(createServer((socket) => socket.on('data', (bytes) => socket.end(bytes))));
  const handlers = recorder();
  const transport = transportTo(port);
  await transport.open(handlers);
  transport.send(Buffer.from('ping'));
  await handlers.until(() => handlers.closes.length > 0);
  assert.equal(handlers.text(), 'ping');
  assert.equal(handlers.closes[0]?.code, 'connection-closed');
  assert.match(handlers.closes[0]?.message ?? '', /^127\.0\.0\.1:\d+ closed the connection/);
  transport.send(Buffer.from('ignored'));
  transport.close();
  assert.equal(handlers.closes.length, 1);
});

test('a reset is the end, with its reason', async () => {
  const port = await listen(createServer((socket) => socket.on('data', () => socket.resetAndDestroy())));
  const handlers = recorder();
  const transport = transportTo(port);
  await transport.open(handlers);
  transport.send(Buffer.from('x'));
  await handlers.until(() => handlers.closes.length > 0);
  assert.match(handlers.closes[0]?.message ?? '', /ECONNRESET/);
});

test('close says so once, and what was written last still goes out', async () => {
  const received: Buffer[] = [];
  const ended = new Promise<void>((resolve) => {
    const server = createServer((socket) => {
      socket.on('data', (bytes) => received.push(bytes));
      socket.on('end', resolve);
    });
    listen(server).then(async (port) => {
      const handlers = recorder();
      const transport = transportTo(port);
      await transport.open(handlers);
      // More than the kernel takes at once.
      transport.send(new Uint8Array(4_000_000));
      transport.send(Buffer.from('goodbye'));
      transport.close();
      transport.close();
      assert.deepEqual(handlers.closes, [null]);
    }, assert.fail);
  });
  await ended;
  const all = Buffer.concat(received);
  assert.equal(all.length, 4_000_007);
  assert.equal(all.subarray(-7).toString(), 'goodbye');
});

test('a peer that does not read does not keep a closed connection', async () => {
  const clock = new ManualClock();
  const port = await listen(createServer((socket) => socket.pause()));
  const transport = transportTo(port, 'rtsp', { clock });
  await transport.open(recorder());
  const [peer] = [...sockets].slice(-1);
  transport.send(new Uint8Array(64_000_000));
  transport.close();
  assert.ok(clock.pending > 0);
  await clock.advance(1_000);
  assert.ok(peer !== undefined);
  peer.resume();
  await once(peer, 'close');
});

test('nothing listens', async () => {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await rejectsWith(transportTo(port).open(recorder()), 'connection-failed', /nothing listens there/);
});

test('an unknown name', async () => {
  const transport = new TcpTransport({ scheme: 'rtsp', host: 'camera.invalid', port: 554 });
  await rejectsWith(transport.open(recorder()), 'connection-failed', /camera\.invalid:554/);
});

test('a port that makes no sense is refused, not thrown', async () => {
  await rejectsWith(transportTo(99_999).open(recorder()), 'connection-failed');
});

test('abort, close and time-out while it is being opened', async () => {
  // TLS that is never answered.
  const port = await listen(createServer());
  const clock = new ManualClock();
  const options = { clock, connectTimeoutMs: 3_000 };

  const controller = new AbortController();
  const aborting = transportTo(port, 'rtsps', options).open(recorder(), controller.signal);
  controller.abort(new Error('enough'));
  await rejectsWith(aborting, 'aborted');
  await rejectsWith(transportTo(port, 'rtsps', options).open(recorder(), AbortSignal.abort()), 'aborted');

  const closed = transportTo(port, 'rtsps', options);
  const handlers = recorder();
  const closing = closed.open(handlers);
  closed.close();
  await rejectsWith(closing, 'aborted');
  assert.deepEqual(handlers.closes, []);

  const slow = rejectsWith(transportTo(port, 'rtsps', options).open(recorder()), 'timeout', /within 3 s/);
  await clock.advance(3_000);
  await slow;
  assert.equal(clock.pending, 0);
});

test('it opens once', async () => {
  const port = await listen(createServer());
  const transport = transportTo(port);
  await transport.open(recorder());
  await rejectsWith(transport.open(recorder()), 'invalid-state');
  transport.close();
  await rejectsWith(transport.open(recorder()), 'invalid-state');
});

test('rtsps: a self-signed certificate is refused, unless it or any is trusted', async () => {
  const [cert, key] = await Promise.all([readFile(certificate.certificate), readFile(certificate.key)]);
  const port = await listen(createTlsServer({ cert, key }, (socket) => socket.pipe(socket).on('error', () => {})));
  await rejectsWith(transportTo(port, 'rtsps').open(recorder()), 'certificate-invalid', /could not be verified/);
  for (const certificates of ['trust-any', { authorities: cert.toString() }] as const) {
    const handlers = recorder();
    const transport = transportTo(port, 'rtsps', { certificates });
    await transport.open(handlers);
    transport.send(Buffer.from('secret'));
    await handlers.until(() => handlers.text() === 'secret');
    transport.close();
  }
});

test('rtsps to a server without TLS', async () => {
  const port = await listen(createServer((socket) => socket.end('RTSP/1.0 400 Bad Request\r\n\r\n')));
  await rejectsWith(transportTo(port, 'rtsps').open(recorder()), 'connection-failed');
});
