import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type Clock, systemClock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { CONNECT_TIMEOUT_MS, TEARDOWN_TIMEOUT_MS } from '../../shared/limits.js';
import type { ByteTransport, ByteTransportHandlers } from './byte-transport.js';

/** A TCP connection, or TLS over it, → a byte stream: how Node talks to a camera, with no proxy between. */

/** Where to connect; what `parseRtspUrl` gives fits. */
export interface TcpTarget {
  /** `rtsps` connects with TLS. */
  scheme: 'rtsp' | 'rtsps';
  /** Name or address, IPv6 without brackets. */
  host: string;
  port: number;
}

/**
 * Whose certificates are trusted:
 * - `verify`: those that the system's authorities vouch for, as everywhere;
 * - `trust-any`: all, the self-signed ones of cameras among them. Encrypts, but does not tell who is at the other end.
 * - authorities of one's own, in PEM.
 */
export type CertificatePolicy = 'verify' | 'trust-any' | { authorities: string };

export interface TcpTransportOptions {
  clock?: Clock;
  /** Default: CONNECT_TIMEOUT_MS. */
  connectTimeoutMs?: number;
  /** For rtsps. Default: `verify`. */
  certificates?: CertificatePolicy;
}

/** Bytes over one TCP or TLS connection. */
export class TcpTransport implements ByteTransport {
  readonly #target: TcpTarget;
  readonly #clock: Clock;
  readonly #connectTimeoutMs: number;
  readonly #certificates: CertificatePolicy;

  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #socket: Socket | null = null;
  #handlers: ByteTransportHandlers | null = null;
  #failOpening: ((error: StreamError) => void) | null = null;

  constructor(target: TcpTarget, options: TcpTransportOptions = {}) {
    this.#target = target;
    this.#clock = options.clock ?? systemClock;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#certificates = options.certificates ?? 'verify';
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
        fail(new StreamError('timeout', `${this.#where} did not answer within ${this.#connectTimeoutMs / 1000} s.`));
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
      this.#connect(() => {
        settle();
        this.#state = 'open';
        resolve();
      });
    });
  }

  send(bytes: Uint8Array): void {
    if (this.#state === 'open' && this.#socket?.writable) this.#socket.write(bytes);
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

  get #where(): string {
    const { host, port } = this.#target;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  #connect(onOpen: () => void): void {
    const { scheme, host, port } = this.#target;
    let socket: Socket;
    try {
      socket =
        scheme === 'rtsps'
          ? connectTls({
              host,
              port,
              ...(isIP(host) === 0 ? { servername: host } : {}),
              ...trustOptions(this.#certificates),
            })
          : connectTcp({ host, port });
    } catch (thrown) {
      this.#failOpening?.(new StreamError('connection-failed', `No connection to ${this.#where}.`, { cause: thrown }));
      return;
    }
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once(scheme === 'rtsps' ? 'secureConnect' : 'connect', () => {
      if (this.#socket === socket) onOpen();
    });
    // Node hands out each chunk as memory of its own, so views of it may be kept.
    socket.on('data', (bytes: Uint8Array) => {
      if (this.#socket === socket) this.#handlers?.onData(bytes);
    });
    let failure: NodeJS.ErrnoException | null = null;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('end', () => this.#end(socket, failure));
    socket.on('close', () => this.#end(socket, failure));
  }

  #end(socket: Socket, failure: NodeJS.ErrnoException | null): void {
    if (this.#socket !== socket) return;
    if (this.#failOpening !== null) {
      this.#failOpening(openFailure(this.#where, failure));
      return;
    }
    this.#state = 'closed';
    this.#drop();
    const why = failure === null ? '' : ` (${failure.code ?? failure.message})`;
    const options = failure === null ? {} : { cause: failure };
    this.#handlers?.onClose(
      new StreamError('connection-closed', `${this.#where} closed the connection${why}.`, options),
    );
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    if (socket.connecting || socket.destroyed || socket.writableLength === 0) {
      socket.destroy();
      return;
    }
    // What was written last (TEARDOWN) still goes out, unless the other end does not take it.
    const cancelTimer = this.#clock.schedule(TEARDOWN_TIMEOUT_MS, () => socket.destroy());
    socket.once('close', cancelTimer);
    socket.resume();
    socket.destroySoon();
  }
}

function trustOptions(policy: CertificatePolicy): ConnectionOptions {
  if (policy === 'verify') return {};
  if (policy === 'trust-any') return { rejectUnauthorized: false };
  return { ca: policy.authorities };
}

/** Node's codes that mean that TLS itself worked, and the certificate did not please. */
const certificateCodes = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY))/;

function openFailure(where: string, failure: NodeJS.ErrnoException | null): StreamError {
  const options = failure === null ? {} : { cause: failure };
  const code = failure?.code ?? '';
  if (certificateCodes.test(code)) {
    return new StreamError(
      'certificate-invalid',
      `The certificate of ${where} could not be verified (${code}).`,
      options,
    );
  }
  const reasons: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'the name is not known',
    EAI_AGAIN: 'the name could not be looked up',
    EHOSTUNREACH: 'the host cannot be reached',
    ENETUNREACH: 'the network cannot be reached',
    ETIMEDOUT: 'it does not answer',
    ECONNRESET: 'it closed the connection at once',
  };
  const reason = reasons[code] ?? (failure === null ? 'it closed the connection at once' : code || failure.message);
  return new StreamError('connection-failed', `No connection to ${where}: ${reason}.`, options);
}

function aborted(signal: AbortSignal | undefined): StreamError {
  return new StreamError('aborted', 'The connection was given up while it was being opened.', {
    cause: signal?.reason,
  });
}
