/** The proxy on an HTTP server of its own. */
import { createServer, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { StreamError } from '../shared/errors.js';
import { TLS_HANDSHAKE_TIMEOUT_MS } from '../shared/limits.js';
import { type Logger, silentLogger } from '../shared/logger.js';
import type { AccessOptions, ListenAddress, TlsFiles } from './config.js';
import { isLoopback, parseHost } from './ip-address.js';
import type { Metrics, MetricsSource } from './metrics.js';
import { createRtspProxy, type RtspProxy, type RtspProxyOptions } from './proxy.js';
import { readTlsFiles, watchTlsFiles } from './tls.js';

export interface RtspProxyServerOptions extends RtspProxyOptions {
  listen: ListenAddress;
  /** For HTTPS and WSS; read again when they change. */
  tls?: TlsFiles | undefined;
  /** Listens beyond loopback though nobody is asked who may see what. */
  insecurePublic?: boolean;
  /**
   * Whether /metrics is there for Prometheus: beside the pages, or at an address of its own. A function gets this server's
   * metrics, and returns what /metrics beside the pages shows instead; null for nothing.
   */
  metrics?: boolean | ListenAddress | ((own: Metrics) => MetricsSource | null);
  /** For the metrics: whether the settings that were last read are in force. */
  areSettingsCurrent?: () => boolean;
  /** How often the certificate's files are looked at, in milliseconds. */
  certificatePollMs?: number;
}

export interface RtspProxyServer {
  readonly proxy: RtspProxy;
  readonly port: number;
  /** Pages to open, from this machine and, when it listens beyond loopback, from others. */
  readonly urls: readonly string[];
  /** Whether other machines can reach it. */
  readonly isPublic: boolean;
  /** Where Prometheus finds the metrics; null: nowhere. */
  readonly metricsUrl: string | null;
  /**
   * As `RtspProxy.reconfigure`, which leaves it to the caller who may reach the proxy. This one throws `invalid-argument`,
   * and leaves all as it was, when whoever was asked who they are would not be asked any more.
   */
  reconfigure(options: AccessOptions, insecurePublic?: boolean): void;
  /** See `RtspProxy.close`. */
  close(drainMs?: number): Promise<void>;
}

/** Bytes of all headers of an HTTP request: cookies of a portal fit. */
const MAX_HTTP_HEADER_BYTES = 16_384;
/** For the headers of an HTTP request, in milliseconds: against clients that send a byte now and then. */
const HTTP_HEADERS_TIMEOUT_MS = 10_000;
const HTTP_REQUEST_TIMEOUT_MS = 20_000;
/** How often those two are looked at. */
const HTTP_TIMEOUT_CHECK_MS = 2_000;
/** Those who read the metrics are few. */
const MAX_METRICS_CONNECTIONS = 20;
/** Connections that have not become viewers, beyond those that may. */
const SPARE_CONNECTIONS = 1_000;

/** Why it does not listen beyond loopback; said to the administrator in full. */
export const insecurePublicWarning =
  'Other machines could reach this proxy, and nobody would be asked who they are: whoever reaches it sees every camera, ' +
  'and through --allow every target in it. Set up authorization (tokens with --jwt-secret, --jwt-public-key or ' +
  '--jwt-jwks-url, or your portal with --forward-auth-url), or listen on 127.0.0.1 behind a server that has it, or, where ' +
  'everybody on the network may see everything, say --insecure-public.';

/**
 * Starts listening. Rejects with `invalid-argument` when the address cannot be had, the certificate cannot be used, or
 * others could reach it without being asked who they are.
 */
export async function startRtspProxyServer(options: RtspProxyServerOptions): Promise<RtspProxyServer> {
  const {
    listen,
    tls,
    insecurePublic = false,
    certificatePollMs,
    metrics: wantsMetrics = false,
    areSettingsCurrent,
    ...rest
  } = options;
  const form = parseHost(listen.host);
  const isPublic = form.kind === 'address' ? !isLoopback(form.address) : listen.host !== 'localhost';
  const hasAuthorization = rest.authorize !== undefined || asksWhoItIs(rest);
  if (isPublic && !hasAuthorization && !insecurePublic) {
    throw new StreamError('invalid-argument', `Refusing to listen on ${listen.host}. ${insecurePublicWarning}`);
  }
  let asks = hasAuthorization;
  const logger = rest.logger ?? silentLogger;
  const credentials = tls === undefined ? null : readTlsFiles(tls);
  let metrics: Metrics | null = null;
  const proxy = createRtspProxy({ ...rest, onCameraConnected: (seconds) => metrics?.onCameraConnected(seconds) });
  if (wantsMetrics !== false)
    metrics = new (await import('./metrics.js')).Metrics(proxy, () => lostLines(logger), areSettingsCurrent);
  const shown = typeof wantsMetrics === 'function' && metrics !== null ? wantsMetrics(metrics) : metrics;
  const beside = typeof wantsMetrics === 'object' ? null : shown;
  const common: ServerOptions = {
    maxHeaderSize: MAX_HTTP_HEADER_BYTES,
    headersTimeout: HTTP_HEADERS_TIMEOUT_MS,
    requestTimeout: HTTP_REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: HTTP_TIMEOUT_CHECK_MS,
  };
  const server =
    credentials === null
      ? createServer(common)
      : createSecureServer({ ...common, ...credentials, handshakeTimeout: TLS_HANDSHAKE_TIMEOUT_MS });
  if (proxy.maxConnections !== null) server.maxConnections = proxy.maxConnections + SPARE_CONNECTIONS;
  server.on('request', (request, response) => {
    if (beside !== null && request.url === '/metrics') sendMetrics(beside, response);
    else if (!proxy.handleRequest(request, response)) sendNothing(response);
  });
  server.on('upgrade', (request, socket, head) => {
    if (proxy.handleUpgrade(request, socket, head)) return;
    socket.on('error', () => {});
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  const metricsServer =
    metrics !== null && typeof wantsMetrics === 'object' ? await startMetricsServer(metrics, wantsMetrics) : null;
  try {
    await listening(server, listen);
  } catch (error) {
    metricsServer?.close();
    throw error;
  }
  const unwatch =
    tls === undefined
      ? null
      : watchTlsFiles(tls, (fresh) => (server as SecureServer).setSecureContext(fresh), logger, certificatePollMs);
  const { port } = server.address() as AddressInfo;
  const scheme = tls === undefined ? 'http' : 'https';
  return {
    proxy,
    port,
    urls: pageUrls(scheme, listen.host, port),
    isPublic,
    metricsUrl: metricsServer?.url ?? (beside === null ? null : `${pageUrls(scheme, listen.host, port)[0]}metrics`),
    reconfigure(next, isInsecure = insecurePublic) {
      // The host program's own function stays.
      if (rest.authorize === undefined) checkOpenness(next, { isPublic, asks, insecurePublic: isInsecure });
      proxy.reconfigure(next);
      asks = rest.authorize !== undefined || asksWhoItIs(next);
    },
    async close(drainMs) {
      unwatch?.();
      // While the viewers leave, it still answers: /readyz says that it goes.
      await proxy.close(drainMs);
      metricsServer?.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Whether viewers are asked who they are. */
export function asksWhoItIs({ authorization = {} }: AccessOptions): boolean {
  return Object.keys(authorization).length > 0;
}

export interface Openness {
  isPublic: boolean;
  /** Whether viewers have been asked who they are so far. */
  asks: boolean;
  insecurePublic: boolean;
}

/** Throws `invalid-argument` when these settings may not follow on those that are in force. */
export function checkOpenness(next: AccessOptions, { isPublic, asks, insecurePublic }: Openness): void {
  if (asksWhoItIs(next)) return;
  // A slip in a file must not open a running proxy, behind a load balancer neither; a restart is a decision.
  if (asks) {
    throw new StreamError(
      'invalid-argument',
      'Viewers have been asked who they are, and would not be any more. Start the proxy anew if that is meant.',
    );
  }
  if (isPublic && !insecurePublic) throw new StreamError('invalid-argument', insecurePublicWarning);
}

export interface MetricsServer {
  readonly url: string;
  close(): void;
}

/** A server for nothing but /metrics. Rejects with `invalid-argument` when the address cannot be had. */
export async function startMetricsServer(metrics: MetricsSource, listen: ListenAddress): Promise<MetricsServer> {
  const server = createServer({ headersTimeout: HTTP_HEADERS_TIMEOUT_MS, requestTimeout: HTTP_REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_METRICS_CONNECTIONS;
  server.on('request', (request, response) => {
    if (request.url === '/metrics') sendMetrics(metrics, response);
    else sendNothing(response);
  });
  await listening(server, listen);
  const { port } = server.address() as AddressInfo;
  return {
    url: `${pageUrls('http', listen.host, port)[0]}metrics`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function sendMetrics(metrics: MetricsSource, response: ServerResponse): void {
  metrics.text().then(
    (text) => response.writeHead(200, { 'Content-Type': metrics.contentType, 'Cache-Control': 'no-store' }).end(text),
    () => response.writeHead(500).end(),
  );
}

/** Of a logger that counts them. */
function lostLines(logger: Logger): number {
  return 'lostLines' in logger && typeof logger.lostLines === 'number' ? logger.lostLines : 0;
}

function sendNothing(response: ServerResponse): void {
  response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is nothing here.\n');
}

function listening(server: Server | SecureServer, { host, port }: ListenAddress): Promise<void> {
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
function pageUrls(scheme: string, host: string, port: number): string[] {
  const url = (name: string): string => `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}/`;
  if (host !== '0.0.0.0' && host !== '::') return [url(host)];
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => url(entry.address));
  return [url('localhost'), ...addresses];
}
