import { type Clock, systemClock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { MAX_SERVER_REQUESTS_PER_SECOND, MAX_UNANSWERED_REQUESTS, REQUEST_TIMEOUT_MS } from '../../shared/limits.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import {
  RtspHeaders,
  type RtspMessage,
  type RtspRequest,
  type RtspResponse,
  serializeInterleaved,
  serializeRequest,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader, type RtspReaderStats } from '../../shared/rtsp-reader.js';
import type { ByteTransport } from '../transport/byte-transport.js';

/**
 * A byte stream → requests that settle (RFC 2326, section 10 and 12.17): gives each its CSeq, pairs responses with them,
 * and answers what the server asks. Knows nothing of sessions; see session.ts.
 *
 * Cameras mix up CSeq, so one request is outstanding at a time until `allowConcurrency`.
 */

export interface RequestOptions {
  /** Beside CSeq and User-Agent, in this order. */
  headers?: Iterable<readonly [string, string]>;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
  /** From sending to response. Default: the requester's. */
  timeoutMs?: number;
  /** `queued` waits for the requests before it, where only one may be outstanding; `at-once` never waits (TEARDOWN). */
  order?: 'queued' | 'at-once';
  /**
   * Called with the response inside the reader's loop, before the bytes behind it are looked at: what a promise's
   * continuation comes too late for.
   */
  onResponse?: (response: RtspResponse) => void;
}

export interface RequesterHandlers {
  /** Called synchronously; the payload may be held. */
  onInterleavedFrame(channel: number, payload: Uint8Array): void;
  /** A request of the server. Returns the response's status and headers beside CSeq; the body of the answer is empty. */
  onServerRequest(request: RtspRequest): { status: number; headers?: Iterable<readonly [string, string]> };
  /** After each piece of data that was received and read. */
  onDataRead(): void;
  /** The connection has ended, once, if it was ever open; null when `close` ended it. Every request is settled by then. */
  onClose(error: StreamError | null): void;
}

export interface RequesterOptions {
  transport: ByteTransport;
  handlers: RequesterHandlers;
  clock?: Clock;
  logger?: Logger;
  /** Some servers answer 401 to requests without one, so it is always sent. */
  userAgent: string;
  /** Default: REQUEST_TIMEOUT_MS. */
  requestTimeoutMs?: number;
}

interface PendingRequest {
  readonly cseq: number;
  readonly method: string;
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
  readonly onResponse: ((response: RtspResponse) => void) | undefined;
  /** Null once the caller has its answer (time-out, abort): the response that may yet come is for nobody. */
  settle: ((outcome: RtspResponse | StreamError) => void) | null;
  cancelTimer: () => void;
}

/** One connection's requests and responses. */
export class Requester {
  readonly #transport: ByteTransport;
  readonly #handlers: RequesterHandlers;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #userAgent: string;
  readonly #requestTimeoutMs: number;
  readonly #reader: RtspReader;

  #state: 'new' | 'open' | 'closed' = 'new';
  #closeError: StreamError | null = null;
  #concurrent = false;
  #nextCseq = 1;
  /** Not sent yet, in order. */
  readonly #queue: PendingRequest[] = [];
  /** Sent and without response, in order; abandoned ones stay until a response to a later one has come. */
  readonly #sent: PendingRequest[] = [];
  #unmatchedResponses = 0;
  #serverRequests = 0;
  #serverRequestWindowMs = Number.NEGATIVE_INFINITY;
  #serverRequestsInWindow = 0;

  constructor(options: RequesterOptions) {
    this.#transport = options.transport;
    this.#handlers = options.handlers;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#userAgent = options.userAgent;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#reader = new RtspReader({
      onMessage: (message) => this.#onMessage(message),
      onInterleavedFrame: (channel, payload) => this.#handlers.onInterleavedFrame(channel, payload),
      onError: (error) => this.#end(error),
    });
  }

  /** Counters of the bytes read. */
  get stats(): Readonly<RtspReaderStats> {
    return this.#reader.stats;
  }

  /** Responses that no request was waiting for. */
  get unmatchedResponses(): number {
    return this.#unmatchedResponses;
  }

  /** Requests that the server sent. */
  get serverRequests(): number {
    return this.#serverRequests;
  }

  /** Opens the transport. Rejects with its error, and then the requester is closed. */
  async open(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'new') throw this.#refusal();
    try {
      await this.#transport.open(
        {
          onData: (bytes) => {
            this.#reader.push(bytes);
            if (this.#state === 'open') this.#handlers.onDataRead();
          },
          onClose: (error) => this.#end(error),
        },
        signal,
      );
    } catch (thrown) {
      const error = StreamError.from(thrown, 'connection-failed', 'The connection could not be opened.');
      this.#finish(error);
      throw error;
    }
    // A proxy's refusal may come right behind the opening.
    if (this.#isClosed()) throw this.#refusal();
    this.#state = 'open';
    this.#sendNext();
  }
}
