/** The proxy on an HTTP server of its own. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { StreamError } from '../shared/errors.js';
import type { ListenAddress } from './config.js';
import { isLoopback, parseHost } from './ip-address.js';
import { createRtspProxy, type RtspProxy, type RtspProxyOptions } from './proxy.js';

export interface RtspProxyServerOptions extends RtspProxyOptions {
  listen: ListenAddress;
}

export interface RtspProxyServer {
  readonly proxy: RtspProxy;
  readonly port: number;
  /** Pages to open, from this machine and, when it listens beyond loopback, from others. */
  readonly urls: readonly string[];
  /** Whether other machines can reach it. */
  readonly isPublic: boolean;
  /** See `RtspProxy.close`. */
  close(): Promise<void>;
}

/** Bytes of all headers of an HTTP request: cookies of a portal fit. */
const MAX_HTTP_HEADER_BYTES = 16_384;
/** For the headers of an HTTP request, in milliseconds: against clients that send a byte now and then. */
const HTTP_HEADERS_TIMEOUT_MS = 10_000;
const HTTP_REQUEST_TIMEOUT_MS = 20_000;

/** Starts listening. Rejects with `invalid-argument` when the address cannot be had. */
export async function startRtspProxyServer(options: RtspProxyServerOptions): Promise<RtspProxyServer> {
  const { listen, ...rest } = options;
  const proxy = createRtspProxy(rest);
  const server = createServer({
    maxHeaderSize: MAX_HTTP_HEADER_BYTES,
    headersTimeout: HTTP_HEADERS_TIMEOUT_MS,
    requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
  });
  server.on('request', (request, response) => {
    if (!proxy.handleRequest(request, response)) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is nothing here.\n');
    }
  });
  server.on('upgrade', (request, socket, head) => {
    if (proxy.handleUpgrade(request, socket, head)) return;
    socket.on('error', () => {});
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  await listening(server, listen);
  const { port } = server.address() as AddressInfo;
  const form = parseHost(listen.host);
  const isPublic = form.kind === 'address' ? !isLoopback(form.address) : listen.host !== 'localhost';
  return {
    proxy,
    port,
    urls: pageUrls(listen.host, port),
    isPublic,
    async close() {
      // While the viewers leave, it still answers: /readyz says that it goes.
      await proxy.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new StreamError('invalid-argument', `Cannot listen on ${host} port ${port} (${error.code ?? error.message}).`, {
          cause: error,
        }),
      );
    });
    server.listen({ host, port }, () => resolve());
  });
}

/** Where a browser finds a server that listens on this host. */
function pageUrls(host: string, port: number): string[] {
  const url = (name: string): string => `http://${name.includes(':') ? `[${name}]` : name}:${port}/`;
  if (host !== '0.0.0.0' && host !== '::') return [url(host)];
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => url(entry.address));
  return [url('localhost'), ...addresses];
}
