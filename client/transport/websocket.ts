import { type Clock, systemClock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { CONNECT_TIMEOUT_MS } from '../../shared/limits.js';
import { BINARY_SUBPROTOCOL, closeError, RTSP_SUBPROTOCOL, TUNNEL_PATHS } from '../../shared/proxy-protocol.js';
import type { ByteTransport, ByteTransportHandlers } from './byte-transport.js';

/**
 * A WebSocket → a byte stream: RTSP over WebSocket (ONVIF Streaming Specification, 5.1.1.4; RFC 6455), whose binary
 * messages carry bytes and whose message boundaries mean nothing.
 */

/** What is used of a WebSocket: the browser's own has it, and so has `ws` for Node. */
export interface WebSocketLike {
  binaryType: string;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: WebSocketEvent) => void): void;
}

/** The members of message and close events. */
export interface WebSocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** A subprotocol to offer; null offers none. */
export type SubprotocolOffer = string | null;

/**
 * What to offer, one at a time, the next one when a connection with the one before could not be opened:
 * - `onvif`: ONVIF's name alone. Our proxy takes it, so a failure has another reason, and trying again would hide it.
 * - `onvif-binary-none`: for endpoints of cameras and servers: ONVIF's name, then what Axis wants, then none.
 * - a single offer: the one that an earlier connection to the same endpoint was opened with (`acceptedOffer`).
 */
export type SubprotocolPolicy = 'onvif' | 'onvif-binary-none' | { only: SubprotocolOffer };

/** The policy for an endpoint by its path: our proxy's own paths take ONVIF's name; an unknown path may be anybody's. */
export function subprotocolPolicyFor(webSocketUrl: string): SubprotocolPolicy {
  const path = /^wss?:\/\/[^/?#]*([^?#]*)/i.exec(webSocketUrl)?.[1] ?? '';
  const [ours] = TUNNEL_PATHS;
  return path === ours || path.startsWith(`${ours}/`) ? 'onvif' : 'onvif-binary-none';
}

export interface WebSocketTransportOptions {
  /** Default: by the URL's path, see `subprotocolPolicyFor`. */
  subprotocols?: SubprotocolPolicy;
  /** Access token for the proxy, sent as the query parameter `token`, since a page cannot set headers here. */
  token?: string;
  clock?: Clock;
  /** For all offers together. Default: CONNECT_TIMEOUT_MS. */
  connectTimeoutMs?: number;
  /** Default: the global one. */
  WebSocket?: WebSocketConstructor;
}

/** Bytes over one WebSocket. */
export class WebSocketTransport implements ByteTransport {
  readonly #url: string;
  readonly #offers: readonly SubprotocolOffer[];
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  readonly #WebSocket: WebSocketConstructor | undefined;

  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #socket: WebSocketLike | null = null;
  #handlers: ByteTransportHandlers | null = null;
  #failOpening: ((error: StreamError) => void) | null = null;
  #acceptedOffer: SubprotocolOffer | undefined;
  #textMessages = 0;

  /** @throws StreamError `invalid-url` unless the URL starts with ws:// or wss:// */
  constructor(url: string, options: WebSocketTransportOptions = {}) {
    if (!/^wss?:\/\/[^/?#\s]+/i.test(url) || /\s/.test(url)) {
      throw new StreamError(
        'invalid-url',
        `The proxy's address must be a ws:// or wss:// URL (got "${url.slice(0, 200)}").`,
      );
    }
    this.#url = options.token === undefined ? url : withToken(url, options.token);
    this.#offers = offersOf(options.subprotocols ?? subprotocolPolicyFor(url));
    this.#clock = options.clock ?? systemClock;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  }

  /** What the connection was opened with, to be offered alone next time; undefined before. */
  get acceptedOffer(): SubprotocolOffer | undefined {
    return this.#acceptedOffer;
  }

  /** Text messages received. RTSP over WebSocket has none, so they are ignored. */
  get textMessages(): number {
    return this.#textMessages;
  }

  open(handlers: ByteTransportHandlers, signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'new') {
      const why =
        this.#state === 'closed'
          ? 'The connection was closed before it was opened.'
          : 'The connection is open already.';
      return Promise.reject(new StreamError('invalid-state', why));
    }
    if (signal?.aborted) {
      this.#state = 'closed';
      return Promise.reject(aborted(signal));
    }
    this.#state = 'opening';
    this.#handlers = handlers;
    return new Promise<void>((resolve, reject) => {
      const cancelTimer = this.#clock.schedule(this.#connectTimeoutMs, () => {
        const seconds = this.#connectTimeoutMs / 1000;
        fail(new StreamError('timeout', `The proxy at ${origin(this.#url)} did not answer within ${seconds} s.`));
      });
      const onAbort = () => fail(aborted(signal));
      const settle = () => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        this.#failOpening = null;
      };
      const fail = (error: StreamError) => {
        settle();
        this.#state = 'closed';
        this.#drop();
        reject(error);
      };
      signal?.addEventListener('abort', onAbort);
      this.#failOpening = fail;
      this.#connect(0, () => {
        settle();
        this.#state = 'open';
        resolve();
      });
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#socket?.send(bytes);
  }

  close(): void {
    if (this.#failOpening !== null) {
      this.#failOpening(new StreamError('aborted', 'The connection was closed while it was being opened.'));
      return;
    }
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    if (!wasOpen) return;
    this.#drop();
    this.#handlers?.onClose(null);
  }

  /** Tries the offer at `index`, and the next one when the WebSocket ends before it was opened. */
  #connect(index: number, onOpen: () => void): void {
    const offer = this.#offers[index] ?? null;
    let socket: WebSocketLike;
    try {
      if (this.#WebSocket === undefined) throw new Error('There is no global WebSocket.');
      socket = offer === null ? new this.#WebSocket(this.#url) : new this.#WebSocket(this.#url, offer);
    } catch (thrown) {
      // A page under https may not open ws://; a CSP may forbid the endpoint: both throw here, or fail like any other.
      this.#failOpening?.(new StreamError('connection-failed', openFailure(this.#url), { cause: thrown }));
      return;
    }
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    let opened = false;
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return;
      opened = true;
      this.#acceptedOffer = offer;
      onOpen();
    });
    socket.addEventListener('message', (event) => {
      if (this.#socket !== socket) return;
      if (event.data instanceof ArrayBuffer) this.#handlers?.onData(new Uint8Array(event.data));
      else this.#textMessages++;
    });
    // Nothing to learn: the event has no reason, and a close event follows. But `ws` throws when nobody listens.
    socket.addEventListener('error', () => {});
    socket.addEventListener('close', (event) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      const { code = 1006, reason = '' } = event;
      if (opened) {
        this.#state = 'closed';
        this.#handlers?.onClose(closeError(code, reason));
      } else if (index + 1 < this.#offers.length) {
        this.#connect(index + 1, onOpen);
      } else {
        this.#failOpening?.(new StreamError('connection-failed', openFailure(this.#url)));
      }
    });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    try {
      socket?.close(1000);
    } catch {
      // Closing is all that is wanted.
    }
  }
}

function offersOf(policy: SubprotocolPolicy): readonly SubprotocolOffer[] {
  if (policy === 'onvif') return [RTSP_SUBPROTOCOL];
  if (policy === 'onvif-binary-none') return [RTSP_SUBPROTOCOL, BINARY_SUBPROTOCOL, null];
  return [policy.only];
}

function withToken(url: string, token: string): string {
  const withoutFragment = url.replace(/#.*$/s, '');
  return `${withoutFragment}${withoutFragment.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;
}

/** Scheme and host alone: the rest may hold a token. */
function origin(url: string): string {
  return (/^wss?:\/\/[^/?#]*/i.exec(url)?.[0] ?? '').replace(/\/\/.*@/, '//');
}

/** Browsers hide why a WebSocket failed, even from the page itself, so the sentence names what it can be. */
function openFailure(url: string): string {
  return (
    `No connection to the proxy at ${origin(url)}: it does not run, is not reachable from here, refused the connection, ` +
    'or its certificate is not trusted. The browser does not tell which; its console may.'
  );
}

function aborted(signal: AbortSignal | undefined): StreamError {
  return new StreamError('aborted', 'The connection was given up while it was being opened.', {
    cause: signal?.reason,
  });
}
