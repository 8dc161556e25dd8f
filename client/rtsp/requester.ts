import { type Clock, systemClock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { MAX_SERVER_REQUESTS_PER_SECOND, MAX_UNANSWERED_REQUESTS, REQUEST_TIMEOUT_MS } from '../../shared/limits.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import {
  emptyBody,
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
  /** The headers beside CSeq and User-Agent, in this order; asked for when the request is sent, which may be later. */
  headers?: () => Iterable<readonly [string, string]>;
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

/** A response without a body. */
export interface ServerRequestAnswer {
  status: number;
  /** Beside CSeq. */
  headers?: Iterable<readonly [string, string]>;
  /** Called when the response was sent. */
  afterwards?: () => void;
}

export interface RequesterHandlers {
  /** Called synchronously; the payload may be held. */
  onInterleavedFrame(channel: number, payload: Uint8Array): void;
  /** A request of the server, to be answered soon. */
  onServerRequest(request: RtspRequest): Promise<ServerRequestAnswer>;
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
  /** 0 until it is sent. */
  cseq: number;
  readonly method: string;
  readonly url: string;
  readonly headers: () => Iterable<readonly [string, string]>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
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

  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #closeError: StreamError | null = null;
  #concurrent = false;
  #nextCseq = 1;
  /** Not sent yet, in order. */
  readonly #queue: PendingRequest[] = [];
  /** Sent and without response, in order; of those given up, so that late responses are known, the newest few. */
  readonly #sent: PendingRequest[] = [];
  #unmatchedResponses = 0;
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

  /** Opens the transport. Rejects with its error, and then the requester is closed. */
  async open(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'new') throw this.#refusal();
    this.#state = 'opening';
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

  /** From now on several requests may be outstanding (after PLAY: a camera that never answers keep-alives blocks none). */
  allowConcurrency(): void {
    this.#concurrent = true;
    this.#sendNext();
  }

  /** Tells the reader which channels were set up, which is what it trusts after junk. */
  setChannels(channels: Iterable<number>): void {
    this.#reader.setChannels(channels);
  }

  /**
   * Sends a request.
   * @returns the response, whatever its status
   * @throws StreamError `timeout`, `aborted`, `invalid-argument`, `invalid-state` before `open`, or why the connection
   *   ended; the promise settles in every case
   */
  request(method: string, url: string, options: RequestOptions = {}): Promise<RtspResponse> {
    const { signal, onResponse, order = 'queued', timeoutMs = this.#requestTimeoutMs } = options;
    const { headers = () => [], body = emptyBody } = options;
    if (this.#state !== 'open') return Promise.reject(this.#refusal());
    if (signal?.aborted) return Promise.reject(aborted(method, signal));
    return new Promise<RtspResponse>((resolve, reject) => {
      const onAbort = () => this.#abandon(request, aborted(method, signal));
      const request: PendingRequest = {
        cseq: 0,
        method,
        url,
        headers,
        body,
        timeoutMs,
        signal,
        onResponse,
        cancelTimer: () => {},
        settle: (outcome) => {
          request.settle = null;
          request.cancelTimer();
          signal?.removeEventListener('abort', onAbort);
          if (outcome instanceof StreamError) reject(outcome);
          else resolve(outcome);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (order === 'at-once') {
        this.#send(request);
      } else {
        this.#queue.push(request);
        this.#sendNext();
      }
    });
  }

  /** Sends an interleaved frame; ignored unless the connection is open. */
  sendInterleaved(channel: number, payload: Uint8Array): void {
    if (this.#state === 'open') this.#transport.send(serializeInterleaved(channel, payload));
  }

  /**
   * Ends the connection at once; may be called twice.
   * @param error - what `onClose` and the requests under way get; null: this end wants it so, and they get `aborted`
   */
  close(error: StreamError | null = null): void {
    this.#end(error);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #refusal(): StreamError {
    if (this.#closeError !== null) return this.#closeError;
    return new StreamError('invalid-state', `This does not fit the state of the connection (${this.#state}).`);
  }

  #sendNext(): void {
    while (this.#state === 'open' && (this.#concurrent || this.#sent.every((request) => request.settle === null))) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      // Its own listener runs later, when one signal aborts several requests.
      if (request.signal?.aborted) request.settle?.(aborted(request.method, request.signal));
      else this.#send(request);
    }
  }

  #send(request: PendingRequest): void {
    const { method, url, body, timeoutMs } = request;
    let bytes: Uint8Array;
    try {
      request.cseq = this.#nextCseq++;
      // Several servers want exactly the spelling `CSeq`.
      const headers = new RtspHeaders([['CSeq', String(request.cseq)]]);
      for (const [name, value] of request.headers()) headers.append(name, value);
      headers.append('User-Agent', this.#userAgent);
      bytes = serializeRequest({ method, url, headers, body });
    } catch (thrown) {
      request.settle?.(StreamError.from(thrown, 'invalid-argument', `${method} could not be written.`));
      return;
    }
    this.#sent.push(request);
    request.cancelTimer = this.#clock.schedule(timeoutMs, () => {
      const sentence = `The camera did not answer ${method} within ${timeoutMs / 1000} s.`;
      this.#abandon(request, new StreamError('timeout', sentence));
    });
    this.#transport.send(bytes);
  }

  /** Settles a request whose response is not waited for any longer. */
  #abandon(request: PendingRequest, error: StreamError): void {
    request.settle?.(error);
    const queued = this.#queue.indexOf(request);
    if (queued >= 0) this.#queue.splice(queued, 1);
    const abandoned = this.#sent.filter((other) => other.settle === null);
    const oldest = abandoned[0];
    if (abandoned.length > MAX_UNANSWERED_REQUESTS && oldest !== undefined) {
      this.#sent.splice(this.#sent.indexOf(oldest), 1);
    }
    this.#sendNext();
  }

  #onMessage(message: RtspMessage): void {
    if (message.kind === 'request') void this.#onServerRequest(message);
    else if (message.status >= 200) this.#onResponse(message);
    // 1xx: the real response follows (RFC 2326, 7.1.1).
  }

  #onResponse(response: RtspResponse): void {
    const index = this.#indexOfRequest(response.headers.get('CSeq'));
    const request = this.#sent[index];
    if (request === undefined) {
      this.#unmatchedResponses++;
      this.#logger.debug('A response that no request waits for was ignored.', { status: response.status });
      return;
    }
    this.#sent.splice(index, 1);
    if (request.settle === null) {
      this.#unmatchedResponses++;
    } else {
      request.settle(response);
      request.onResponse?.(response);
    }
    this.#sendNext();
  }

  /** The request that a response answers, as an index into those sent; -1 when there is none. */
  #indexOfRequest(cseq: string | null): number {
    const number = cseq === null || !/^\d{1,10}$/.test(cseq) ? null : Number(cseq);
    const index = this.#sent.findIndex((request) => request.cseq === number);
    if (index >= 0) return index;
    // VLC leaves CSeq out of error replies, TP-Link C520WS echoes the one before: the oldest that is waited for is meant.
    return this.#sent.findIndex((request) => request.settle !== null);
  }

  /** Never rejects. */
  async #onServerRequest(request: RtspRequest): Promise<void> {
    const now = this.#clock.now();
    if (now - this.#serverRequestWindowMs >= 1000) {
      this.#serverRequestWindowMs = now;
      this.#serverRequestsInWindow = 0;
    }
    if (++this.#serverRequestsInWindow > MAX_SERVER_REQUESTS_PER_SECOND) return;
    const answer = await this.#handlers.onServerRequest(request).catch(() => null);
    if (answer === null) return;
    const { status, headers = [], afterwards } = answer;
    const all = new RtspHeaders();
    const cseq = request.headers.get('CSeq');
    if (cseq !== null) all.append('CSeq', cseq);
    for (const [name, value] of headers) all.append(name, value);
    if (this.#state === 'open') this.#transport.send(serializeResponse({ status, headers: all }));
    afterwards?.();
  }

  /** The connection ends: `error` is null when this end wants it so. */
  #end(error: StreamError | null): void {
    const wasOpen = this.#state === 'open';
    if (!this.#finish(error)) return;
    this.#transport.close();
    if (wasOpen) this.#handlers.onClose(error);
  }

  #finish(error: StreamError | null): boolean {
    if (this.#state === 'closed') return false;
    this.#state = 'closed';
    this.#closeError = error;
    this.#reader.close();
    const outcome = error ?? new StreamError('aborted', 'The connection was closed.');
    for (const request of this.#sent.splice(0)) request.settle?.(outcome);
    for (const request of this.#queue.splice(0)) request.settle?.(outcome);
    return true;
  }
}

function aborted(method: string, signal: AbortSignal | undefined): StreamError {
  return new StreamError('aborted', `${method} was given up.`, { cause: signal?.reason });
}
