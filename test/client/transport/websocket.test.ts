import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { after, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import {
  subprotocolPolicyFor,
  type WebSocketConstructor,
  WebSocketTransport,
  type WebSocketTransportOptions,
} from '../../../client/transport/websocket.js';
import { StreamError } from '../../../shared/errors.js';
import { ManualClock } from '../../proxy/manual-clock.js';

const NodeWebSocket = WebSocket as unknown as WebSocketConstructor;

/** What a transport said, in order. */
class Recorder {
  readonly chunks: Uint8Array[] = [];
  readonly closes: (StreamError | null)[] = [];
  readonly #waiting: (() => void)[] = [];

  onData(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.#wake();
  }

  onClose(error: StreamError | null): void {
    this.closes.push(error);
    this.#wake();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const servers: { close(): unknown }[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** A WebSocket server that takes the subprotocols named (null: also none), and notes what it was offered. */
async function startServer(takes: readonly (string | null)[] = ['rtsp.onvif.org', null]) {
  const offers: string[] = [];
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (protocols) => [...protocols][0] ?? false,
    verifyClient: ({ req }: { req: IncomingMessage }) => {
      const offer = req.headers['sec-websocket-protocol'];
      offers.push(`${req.url} ${offer ?? 'none'}`);
      return takes.includes(offer ?? null);
    },
  });
  servers.push(server);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, offers, url: (path: string) => `ws://127.0.0.1:${port}${path}` };
}

/** A TCP server that does what is told with each connection. */
async function startTcpServer(onConnection: Parameters<Server['on']>[1]): Promise<string> {
  const server = createServer(onConnection as () => void);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/rtsp`;
}

function transportTo(url: string, options: WebSocketTransportOptions = {}): WebSocketTransport {
  return new WebSocketTransport(url, { WebSocket: NodeWebSocket, ...options });
}

function rejectsWith(promise: Promise<unknown>, code: string, pattern = /./): Promise<void> {
  return assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof StreamError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

test('bytes go both ways, and text messages are ignored and counted', async () => {
  const { server, url } = await startServer();
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      socket.send('hello');
      socket.send(data, { binary: true });
    });
  });
  const transport = transportTo(url('/rtsp'));
  const recorder = new Recorder();
  await transport.open(recorder);
  transport.send(Uint8Array.of(1, 2, 3));
  await recorder.until(() => recorder.chunks.length === 1);
  assert.deepEqual([...(recorder.chunks[0] ?? [])], [1, 2, 3]);
  assert.equal(transport.textMessages, 1);
  transport.close();
  transport.close();
  assert.deepEqual(recorder.closes, [null]);
  transport.send(Uint8Array.of(4));
});

test('the proxy is offered ONVIF’s subprotocol alone, and a refusal is not tried again', async () => {
  const { url, offers } = await startServer([]);
  await rejectsWith(transportTo(url('/rtsp/front')).open(new Recorder()), 'connection-failed', /does not tell which/);
  assert.deepEqual(offers, ['/rtsp/front rtsp.onvif.org']);
});

test('a camera’s own endpoint that wants `binary` (Axis) gets it after ONVIF’s name failed', async () => {
  const { url, offers } = await startServer(['binary']);
  const transport = transportTo(url('/rtsp-over-websocket'));
  await transport.open(new Recorder());
  assert.deepEqual(offers, ['/rtsp-over-websocket rtsp.onvif.org', '/rtsp-over-websocket binary']);
  assert.equal(transport.acceptedOffer, 'binary');
  transport.close();
  // The next connection offers what worked, and nothing else.
  const again = transportTo(url('/rtsp-over-websocket'), { subprotocols: { only: 'binary' } });
  await again.open(new Recorder());
  assert.equal(offers.length, 3);
  again.close();
});

test('an endpoint that wants no subprotocol gets none, as the last try', async () => {
  const { url, offers } = await startServer([null]);
  const transport = transportTo(url('/rtspoverwebsocket'));
  await transport.open(new Recorder());
  assert.equal(offers.at(-1), '/rtspoverwebsocket none');
  assert.equal(transport.acceptedOffer, null);
  transport.close();
});

test('the policy goes by the path of the endpoint', () => {
  assert.equal(subprotocolPolicyFor('wss://portal:8080/rtsp'), 'onvif');
  assert.equal(subprotocolPolicyFor('ws://portal/rtsp/front-door?token=a/b'), 'onvif');
  assert.equal(subprotocolPolicyFor('ws://camera/rtsp-over-websocket'), 'onvif-binary-none');
  assert.equal(subprotocolPolicyFor('ws://camera'), 'onvif-binary-none');
});

test('close codes of the proxy become their errors, with the proxy’s sentence and the retry policy', async () => {
  const cases = [
    [4404, 'not-found', 'never'],
    [4401, 'token-invalid', 'new-token'],
    [4429, 'limit-reached', 'back-off'],
    [1001, 'proxy-going-down', 'at-once'],
    [1011, 'connection-closed', 'back-off'],
  ] as const;
  for (const [code, error, retry] of cases) {
    const { server, url } = await startServer();
    // Right behind the upgrade, as a proxy that refuses does.
    server.on('connection', (socket) => socket.close(code, 'The reason.'));
    const recorder = new Recorder();
    await transportTo(url('/rtsp')).open(recorder);
    await recorder.until(() => recorder.closes.length > 0);
    assert.equal(recorder.closes[0]?.code, error);
    assert.equal(recorder.closes[0]?.retry, retry);
    assert.match(recorder.closes[0]?.message ?? '', /The reason\./);
  }
});

test('a connection that breaks is connection-closed', async () => {
  const { server, url } = await startServer();
  server.on('connection', (socket) => socket.terminate());
  const recorder = new Recorder();
  await transportTo(url('/rtsp')).open(recorder);
  await recorder.until(() => recorder.closes.length > 0);
  assert.equal(recorder.closes[0]?.code, 'connection-closed');
});

test('nothing listens: the sentence names the host, not the path with the token', async () => {
  const { server, url } = await startServer();
  server.close();
  const transport = transportTo(url('/rtsp'), { token: 'geheim' });
  await assert.rejects(transport.open(new Recorder()), (error: StreamError) => {
    assert.equal(error.code, 'connection-failed');
    assert.match(error.message, /ws:\/\/127\.0\.0\.1:\d+:/);
    assert.doesNotMatch(error.message, /geheim/);
    return true;
  });
});

test('a server that never answers the upgrade is given up after the time allowed', async () => {
  const url = await startTcpServer(() => {});
  const clock = new ManualClock();
  const transport = transportTo(url, { clock, connectTimeoutMs: 2_500 });
  const opening = transport.open(new Recorder());
  const rejected = rejectsWith(opening, 'timeout', /within 2\.5 s/);
  await clock.advance(2_500);
  await rejected;
  assert.equal(clock.pending, 0);
});

test('a server that speaks something else is connection-failed', async () => {
  const url = await startTcpServer(((socket: import('node:net').Socket) => {
    socket.end('RTSP/1.0 400 Bad Request\r\n\r\n');
  }) as () => void);
  await rejectsWith(transportTo(url).open(new Recorder()), 'connection-failed');
});

test('opening can be aborted before and while it is under way, and be ended by close', async () => {
  const url = await startTcpServer(() => {});
  const clock = new ManualClock();
  await rejectsWith(transportTo(url, { clock }).open(new Recorder(), AbortSignal.abort()), 'aborted');

  const controller = new AbortController();
  const opening = transportTo(url, { clock }).open(new Recorder(), controller.signal);
  controller.abort();
  await rejectsWith(opening, 'aborted');

  const transport = transportTo(url, { clock });
  const recorder = new Recorder();
  const closing = transport.open(recorder);
  transport.close();
  await rejectsWith(closing, 'aborted');
  assert.deepEqual(recorder.closes, []);
  assert.equal(clock.pending, 0);
});

test('it opens once', async () => {
  const { url } = await startServer();
  const transport = transportTo(url('/rtsp'));
  await transport.open(new Recorder());
  await rejectsWith(transport.open(new Recorder()), 'invalid-state');
  transport.close();
  await rejectsWith(transport.open(new Recorder()), 'invalid-state');
  const unopened = transportTo(url('/rtsp'));
  unopened.close();
  await rejectsWith(unopened.open(new Recorder()), 'invalid-state');
});

test('the token goes as a query parameter, encoded', async () => {
  const { url, offers } = await startServer();
  const transport = transportTo(url('/rtsp/front?x=1'), { token: 'a&b=c' });
  await transport.open(new Recorder());
  assert.deepEqual(offers, ['/rtsp/front?x=1&token=a%26b%3Dc rtsp.onvif.org']);
  transport.close();
});

test('an address that is no WebSocket URL is refused at once', () => {
  for (const url of ['', 'http://portal/rtsp', 'ws://', 'wss:///rtsp', 'ws://a b/', 'rtsp://camera/']) {
    assert.throws(() => transportTo(url), { code: 'invalid-url' }, url);
  }
});

test('a browser that forbids the connection (mixed content, CSP) is connection-failed, with the cause', async () => {
  class Forbidden {
    constructor() {
      throw new Error('SecurityError');
    }
  }
  const transport = transportTo('ws://portal/rtsp', { WebSocket: Forbidden as unknown as WebSocketConstructor });
  await assert.rejects(transport.open(new Recorder()), (error: StreamError) => {
    assert.equal(error.code, 'connection-failed');
    assert.match(String(error.cause), /SecurityError/);
    return true;
  });
});
