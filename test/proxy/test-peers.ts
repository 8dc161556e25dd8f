/** A proxy, cameras and viewers for tests: all on loopback, over real sockets. */

import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { WebSocket } from 'ws';
import { createRtspProxy, type RtspProxy, type RtspProxyOptions } from '../../proxy/proxy.js';
import type { LogFields, Logger } from '../../shared/logger.js';
import { parseRtcp } from '../../shared/rtcp.js';
import {
  RtspHeaders,
  type RtspRequest,
  type RtspResponse,
  serializeInterleaved,
  serializeRequest,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';

const WAIT_MS = 10_000;

/** Rejects when it takes too long, so that a test fails with words rather than by hanging. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = WAIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for a condition that no event tells of. */
export async function until(condition: () => boolean, what: string, timeoutMs = WAIT_MS): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface TestProxy {
  proxy: RtspProxy;
  server: Server;
  port: number;
  /** Every line that was logged, at any level. */
  log: string[];
  stop(): Promise<void>;
}

/** A proxy on an HTTP server of the test's own. */
export async function startTestProxy(options: RtspProxyOptions = {}): Promise<TestProxy> {
  const log: string[] = [];
  const write = (message: string, fields?: LogFields): void => {
    log.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const proxy = createRtspProxy({ logger, ...options });
  const server = createHttpServer((request, response) => {
    if (!proxy.handleRequest(request, response)) response.writeHead(404).end('nothing here');
  });
  server.on('upgrade', (request, socket, head) => {
    if (!proxy.handleUpgrade(request, socket, head)) socket.end('HTTP/1.1 418 Teapot\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    proxy,
    server,
    port: (server.address() as AddressInfo).port,
    log,
    async stop() {
      await proxy.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

export interface CameraReply {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

/** What a camera does with a request: a reply, or null when it does all by itself. */
export type CameraScript = (request: RtspRequest, connection: CameraConnection) => CameraReply | null;

export class CameraConnection {
  readonly requests: RtspRequest[] = [];
  readonly frames: { channel: number; payload: Uint8Array }[] = [];
  /** Replies of the proxy to the camera's own requests. */
  readonly responses: RtspResponse[] = [];
  readonly closed: Promise<void>;
  bytesRead = 0;

  constructor(
    readonly socket: Socket,
    script: CameraScript,
  ) {
    const reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind === 'response') {
          this.responses.push(message);
          return;
        }
        this.requests.push(message);
        const reply = script(message, this);
        if (reply !== null) this.reply(message, reply);
      },
      onInterleavedFrame: (channel, payload) => this.frames.push({ channel, payload: Uint8Array.from(payload) }),
      onError: (error) => socket.destroy(error),
    });
    socket.on('data', (chunk: Buffer) => {
      this.bytesRead += chunk.length;
      reader.push(chunk);
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  reply(request: RtspRequest, { status = 200, headers = {}, body = '' }: CameraReply): void {
    const all = new RtspHeaders([['CSeq', request.headers.get('CSeq') ?? '']]);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    this.socket.write(serializeResponse({ status, headers: all, body: Buffer.from(body) }));
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  sendFrame(channel: number, payload: Uint8Array): void {
    this.socket.write(serializeInterleaved(channel, payload));
  }

  methods(): string[] {
    return this.requests.map((request) => request.method);
  }
}

export interface TestCamera {
  port: number;
  connections: CameraConnection[];
  url: string;
  /** The last request of this method over all connections, past or to come. */
  request(method: string): Promise<RtspRequest>;
  /** All methods over all connections, in order. */
  methods(): string[];
  stop(): void;
}

export const sdp = [
  'v=0',
  'o=admin 1234 5678 IN IP4 10.9.8.7',
  's=/secret-path',
  'i=secret-path',
  'u=http://10.9.8.7/',
  'c=IN IP4 10.9.8.7',
  't=0 0',
  'a=control:*',
  'm=video 0 RTP/AVP 96',
  'a=rtpmap:96 H264/90000',
  'a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAHg==,aM4xsg==',
  'a=control:trackID=1',
  'm=audio 0 RTP/AVP 97',
  'a=rtpmap:97 MPEG4-GENERIC/48000/2',
  'a=control:trackID=2',
  '',
].join('\r\n');

/** What a healthy camera answers. */
export function healthy(request: RtspRequest): CameraReply {
  switch (request.method) {
    case 'DESCRIBE':
      return { headers: { 'Content-Type': 'application/sdp', 'Content-Base': `${request.url}/` }, body: sdp };
    case 'SETUP':
      return { headers: { Session: 'abc;timeout=60', Transport: request.headers.get('Transport') ?? '' } };
    case 'OPTIONS':
      return { headers: { Public: 'OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, PAUSE, RECORD, GET_PARAMETER' } };
    default:
      return { headers: { Session: 'abc' } };
  }
}

export async function startCamera(
  script: CameraScript = healthy,
  options: { tls?: TlsOptions; port?: number } = {},
): Promise<TestCamera> {
  const connections: CameraConnection[] = [];
  const onSocket = (socket: Socket): void => {
    connections.push(new CameraConnection(socket, script));
  };
  const server = options.tls === undefined ? createServer(onSocket) : createTlsServer(options.tls, onSocket);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const find = (method: string): RtspRequest | undefined =>
    connections
      .flatMap((connection) => connection.requests)
      .filter((request) => request.method === method)
      .at(-1);
  return {
    port,
    connections,
    url: `${options.tls === undefined ? 'rtsp' : 'rtsps'}://127.0.0.1:${port}/secret-path`,
    async request(method) {
      await until(() => find(method) !== undefined, `A ${method} at the camera`);
      const found = find(method);
      if (found === undefined) throw new Error('gone');
      return found;
    },
    methods: () => connections.flatMap((connection) => connection.methods()),
    stop() {
      for (const { socket } of connections) socket.destroy();
      server.close();
    },
  };
}

/** A viewer with the `ws` package and the project's reader. */
export class TestViewer {
  readonly webSocket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly frames: { channel: number; payload: Uint8Array }[] = [];
  readonly messages: Buffer[] = [];
  readonly #responses: RtspResponse[] = [];
  #cseq = 0;

  constructor(port: number, path: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}) {
    this.webSocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options.protocols ?? [], {
      headers: options.headers ?? {},
      perMessageDeflate: false,
    });
    const reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind === 'response') this.#responses.push(message);
      },
      onInterleavedFrame: (channel, payload) => this.frames.push({ channel, payload: Uint8Array.from(payload) }),
      onError: () => {},
    });
    this.webSocket.on('message', (data: Buffer) => {
      this.messages.push(data);
      reader.push(data);
    });
    this.opened = new Promise((resolve, reject) => {
      this.webSocket.once('open', () => resolve());
      this.webSocket.once('error', reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => {
      this.webSocket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Everything received, as one buffer. */
  get bytes(): Buffer {
    return Buffer.concat(this.messages);
  }

  send(data: string | Uint8Array): void {
    this.webSocket.send(typeof data === 'string' ? Buffer.from(data) : data);
  }

  async request(method: string, url: string, headers: Record<string, string> = {}, body = ''): Promise<RtspResponse> {
    await within(this.opened, 'The WebSocket');
    const all = new RtspHeaders([['CSeq', String(++this.#cseq)], ...Object.entries(headers)]);
    this.send(serializeRequest({ method, url, headers: all, body: Buffer.from(body) }));
    return this.response(String(this.#cseq));
  }

  /** The response with this CSeq, past or to come; the next one for null. */
  async response(cseq: string | null = null): Promise<RtspResponse> {
    let isClosed = false;
    void this.closed.then(() => {
      isClosed = true;
    });
    let found: RtspResponse | undefined;
    await until(
      () => {
        found = this.#responses.find((response) => cseq === null || response.headers.get('CSeq') === cseq);
        return found !== undefined || isClosed;
      },
      `The response ${cseq ?? ''}`,
    );
    if (found === undefined) {
      const { code, reason } = await this.closed;
      throw new Error(`closed instead: ${code} ${reason}`);
    }
    this.#responses.splice(this.#responses.indexOf(found), 1);
    return found;
  }

  /** DESCRIBE, SETUP of the first `media` media and PLAY of a named camera. */
  async play(name: string, media = 1): Promise<void> {
    const url = `rtsp://${name}/`;
    await this.request('DESCRIBE', url);
    for (let index = 0; index < media; index++) {
      const transport = `RTP/AVP/TCP;unicast;interleaved=${2 * index}-${2 * index + 1}`;
      await this.request('SETUP', `${url}${index}`, { Transport: transport });
    }
    await this.request('PLAY', url);
  }

  async close(): Promise<void> {
    this.webSocket.close();
    await within(this.closed, 'The end of the WebSocket');
  }
}

/** Whether the proxy has sent a report of its own: one that tells nothing, and by whom (see FirstFrameAcknowledger). */
export function isAcknowledgement({ payload }: { payload: Uint8Array }): boolean {
  const [report, description] = parseRtcp(payload);
  return (
    report?.kind === 'receiver-report' && report.reports.length === 0 && description?.kind === 'source-description'
  );
}
