/**
 * One RTSP connection to a named camera: requests with the proxy's own CSeq and answers to challenges, replies matched to
 * them, interleaved frames handed on as they come (RFC 2326).
 */
import type { Authenticator } from '../shared/authentication.js';
import { StreamError } from '../shared/errors.js';
import { MAX_UPSTREAM_BACKLOG_BYTES, TEARDOWN_TIMEOUT_MS } from '../shared/limits.js';
import {
  emptyBody,
  RtspHeaders,
  type RtspMessage,
  type RtspRequest,
  type RtspResponse,
  serializeInterleaved,
  serializeRequest,
  serializeResponse,
} from '../shared/rtsp-message.js';
import { CameraReader, type FrameSink } from './camera-reader.js';
import type { Environment } from './connection.js';
import { type CredentialsGate, rejectedCredentials } from './credentials-gate.js';
import { FirstFrameAcknowledger, type FirstFrameChannels } from './first-frame-acknowledger.js';
import { Upstream, type UpstreamOptions } from './upstream.js';
import type { UpstreamTarget } from './upstream-policy.js';
import type { Holder } from './write-coalescer.js';

/** Some cameras answer 401 to whoever does not say who it is. */
export const USER_AGENT = 'rtsp-player-proxy';

export interface CameraConnectionOptions {
  target: UpstreamTarget;
  /** When the attempt began, with looking up the name. */
  since: number;
  upstream: UpstreamOptions;
  /** Null when the proxy has no credentials for this camera. */
  authenticator: Authenticator | null;
  gate: CredentialsGate;
  environment: Environment;
}

interface PendingRequest {
  cseq: number;
  onSuccess(response: RtspResponse): void;
  settle(result: RtspResponse | StreamError): void;
}

/** Answers to requests that a camera may send; others are answered 501. */
const answeredMethods: ReadonlySet<string> = new Set([
  'OPTIONS',
  'GET_PARAMETER',
  'SET_PARAMETER',
  'ANNOUNCE',
  'REDIRECT',
]);
/** Attempts at one request: the first, the answer to a challenge, and two for nonces that the camera calls stale. */
const MAX_ATTEMPTS = 4;
/** CSeq numbers of requests whose time was up that are remembered, so that a late reply is not taken for another's. */
const MAX_EXPIRED = 16;

export class CameraConnection implements Holder {
  readonly #upstream: Upstream;
  readonly #authenticator: Authenticator | null;
  readonly #gate: CredentialsGate;
  readonly #environment: Environment;
  readonly #reader: CameraReader;
  /** In the order in which they were sent. */
  #pending: PendingRequest[] = [];
  readonly #expired: number[] = [];
  #nextCseq = 1;
  #failure: StreamError | null = null;
  /** Of what is held back until the coalescer calls: whether more has come since. */
  #hold: 'none' | 'begun' | 'joined' = 'none';
  #isReleasing = false;
  #isChallenged = false;
  /** Whether the camera took the credentials on this connection. */
  #isAccepted = false;
  /** Receives frames; without one they are dropped. */
  sink: FrameSink | null = null;
  /** Called once when the connection ends, whoever ended it. */
  onEnd: (error: StreamError) => void = () => {};
  /** Called when the camera asks for the session to go on elsewhere (REDIRECT). */
  onRedirect: () => void = () => {};

  private constructor(upstream: Upstream, options: CameraConnectionOptions) {
    this.#upstream = upstream;
    this.#authenticator = options.authenticator;
    this.#gate = options.gate;
    this.#environment = options.environment;
    this.#reader = new CameraReader({
      onMessage: (message) => this.#onMessage(message),
      onError: (error) => this.#fail(withoutQuotation(error)),
    });
    upstream.attach({
      onData: (memory, start, end) => this.#onData(memory, start, end),
      onDrain: () => {},
      onClose: (error) => {
        this.release();
        this.#fail(error ?? new StreamError('camera-refused', 'The camera has closed the connection.'));
      },
    });
  }

  /** Dials; rejects as `Upstream.dial` does. */
  static async open(options: CameraConnectionOptions, signal?: AbortSignal): Promise<CameraConnection> {
    return new CameraConnection(await Upstream.dial(options.target, options.upstream, signal, options.since), options);
  }

  #onData(memory: Buffer, start: number, end: number): number {
    const { sink } = this;
    const { coalescer } = this.#environment;
    const mayHold = !this.#isReleasing && coalescer.holdMs > 0;
    const unread = this.#reader.push(memory, start, end, sink, mayHold);
    if (sink?.isMemoryInUse) this.#upstream.retain();
    if (this.#hold !== 'none') {
      this.#hold = 'joined';
    } else if (sink?.isHolding) {
      this.#hold = 'begun';
      coalescer.add(this);
    }
    return unread;
  }

  /** Lets go what is held back, if anything is. */
  release(): boolean {
    const isVain = this.#hold === 'begun';
    if (this.sink?.isHolding) {
      this.#isReleasing = true;
      this.#upstream.deliverAgain();
      this.#isReleasing = false;
    }
    this.#hold = 'none';
    return isVain;
  }

  /** Bytes from the camera so far. */
  get bytesRead(): number {
    return this.#upstream.bytesRead;
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  get isPaused(): boolean {
    return this.#upstream.isPaused;
  }

  pause(): void {
    this.#upstream.pause();
  }

  resume(): void {
    this.#upstream.resume();
  }

  /** Tells which channels are the session's, for finding frames again after junk. */
  setChannels(channels: Iterable<number>): void {
    this.#reader.setChannels(channels);
  }

  /**
   * Sends a request and answers challenges to it. `CSeq`, `User-Agent` and `Authorization` are added here. Rejects with
   * `timeout`, `camera-rejects-credentials`, and with the connection's failure when it ends.
   * @param onSuccess - called with a 200 before the bytes behind it are looked at: what is awaited comes after them
   */
  async request(
    method: string,
    url: string,
    headers: RtspHeaders,
    body: Uint8Array,
    timeoutMs: number,
    onSuccess: (response: RtspResponse) => void = () => {},
  ): Promise<RtspResponse> {
    for (let attempt = 1; ; attempt++) {
      const isTest = this.#isChallenged && (await this.#gate.enter());
      const authorization = this.#authenticator?.authorize(method, url) ?? null;
      let response: RtspResponse;
      try {
        response = await this.#exchange(method, url, headers, body, authorization, timeoutMs, onSuccess);
      } catch (error) {
        if (isTest) this.#gate.abandon();
        throw error;
      }
      if (response.status !== 401) {
        if (authorization !== null) {
          this.#gate.accept();
          this.#isAccepted = true;
        }
        return response;
      }
      const isWorthRetrying = this.#authenticator?.challenge(response.headers.getAll('WWW-Authenticate')) ?? false;
      if (isWorthRetrying && attempt < MAX_ATTEMPTS) {
        this.#isChallenged = true;
        if (isTest) this.#gate.abandon();
        continue;
      }
      // Right credentials that may not do this one thing; the account is not in danger, and others may go on.
      if (this.#isAccepted) return { ...response, status: 403 };
      this.#gate.reject();
      throw rejectedCredentials();
    }
  }

  /** Sends one RTCP packet; drops it when the camera does not read. */
  sendReport(channel: number, payload: Uint8Array): void {
    if (this.#upstream.backlogBytes > MAX_UPSTREAM_BACKLOG_BYTES) return;
    this.#upstream.writeReport(serializeInterleaved(channel, payload));
  }

  /** A PLAY was accepted: its first frame shall not wait for acknowledgements. */
  awaitFirstFrame(channels: FirstFrameChannels): void {
    const { sink } = this;
    if (sink === null || sink instanceof FirstFrameAcknowledger) return;
    const acknowledger = new FirstFrameAcknowledger(
      sink,
      channels,
      (bytes) => this.#upstream.write(bytes),
      () => {
        if (this.sink === acknowledger) this.sink = sink;
      },
    );
    this.sink = acknowledger;
  }

  /** Says TEARDOWN, waits for the answer a moment, and closes. Resolves with whether there was one; never rejects. */
  async teardown(url: string, sessionId: string): Promise<boolean> {
    this.sink = null;
    if (this.#upstream.isPaused) this.#upstream.resume();
    let isAnswered = true;
    try {
      await this.request('TEARDOWN', url, new RtspHeaders([['Session', sessionId]]), emptyBody, TEARDOWN_TIMEOUT_MS);
    } catch {
      isAnswered = false;
    }
    this.close();
    return isAnswered;
  }

  /** Ends the connection now. Requests under way reject with `aborted`. */
  close(): void {
    this.#fail(new StreamError('aborted', 'The viewer has gone.'));
  }

  #exchange(
    method: string,
    url: string,
    headers: RtspHeaders,
    body: Uint8Array,
    authorization: string | null,
    timeoutMs: number,
    onSuccess: (response: RtspResponse) => void,
  ): Promise<RtspResponse> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const cseq = this.#nextCseq++;
    // Some cameras know this spelling only, and some choke on many headers.
    const all = new RtspHeaders([
      ['CSeq', String(cseq)],
      ['User-Agent', USER_AGENT],
    ]);
    if (authorization !== null) all.append('Authorization', authorization);
    for (const [name, value] of headers) all.append(name, value);
    const bytes = serializeRequest({ method, url, headers: all, body });
    return new Promise((resolve, reject) => {
      const cancel = this.#environment.clock.schedule(timeoutMs, () => {
        this.#expired.push(cseq);
        if (this.#expired.length > MAX_EXPIRED) this.#expired.shift();
        pending.settle(new StreamError('timeout', `The camera did not answer ${method} within ${timeoutMs} ms.`));
      });
      const pending: PendingRequest = {
        cseq,
        onSuccess,
        settle: (result) => {
          cancel();
          this.#pending = this.#pending.filter((other) => other !== pending);
          if (result instanceof StreamError) reject(result);
          else resolve(result);
        },
      };
      this.#pending.push(pending);
      this.#upstream.write(bytes);
    });
  }

  #onMessage(message: RtspMessage): void {
    if (message.kind === 'request') this.#answer(message);
    else if (message.status >= 200) this.#onResponse(message);
  }

  #onResponse(response: RtspResponse): void {
    const cseq = Number(response.headers.get('CSeq') ?? Number.NaN);
    if (this.#expired.includes(cseq)) return;
    // TP-Link C520WS echoes the CSeq before, VLC's server none in error replies: the oldest request is meant.
    const pending = this.#pending.find((other) => other.cseq === cseq) ?? this.#pending[0];
    if (pending === undefined) return;
    if (response.status === 200) pending.onSuccess(response);
    // The body may lie in memory that is used again.
    pending.settle({ ...response, body: response.body.slice() });
  }

  /** Several cameras send requests of their own. */
  #answer(request: RtspRequest): void {
    const isKnown = answeredMethods.has(request.method);
    const cseq = request.headers.get('CSeq');
    const headers = new RtspHeaders(cseq === null ? [] : [['CSeq', cseq]]);
    this.#upstream.write(serializeResponse({ status: isKnown ? 200 : 501, headers }));
    if (request.method === 'REDIRECT') this.onRedirect();
  }

  #fail(error: StreamError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.sink = null;
    this.#reader.close();
    this.#upstream.destroy();
    for (const pending of [...this.#pending]) pending.settle(error);
    this.onEnd(error);
  }
}

/** The reader's words quote what it met, which viewers of a named camera must not see. */
function withoutQuotation(error: StreamError): StreamError {
  const sentence =
    error.code === 'not-rtsp' ? 'The camera does not speak RTSP.' : 'The camera sent a message that cannot be read.';
  return new StreamError(error.code, sentence, { cause: error });
}
