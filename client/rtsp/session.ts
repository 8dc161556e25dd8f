import type { Credentials } from '../../shared/authentication.js';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { MAX_REDIRECTS, TEARDOWN_TIMEOUT_MS } from '../../shared/limits.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import type { RtspResponse } from '../../shared/rtsp-message.js';
import { baseUrl, controlUrls, formatRtspUrl, parseRtspUrl } from '../../shared/rtsp-url.js';
import {
  type MediaDescription,
  parseSessionDescription,
  type SessionDescription,
} from '../../shared/session-description.js';
import type { ByteTransport } from '../transport/byte-transport.js';
import { type AccessTokens, fetchToken } from './access-token.js';
import { Exchange } from './exchange.js';
import { formatTransport, parseRange, parseTransport, type Range } from './headers.js';
import { InterleavedChannels, type InterleavedChannelsStats } from './interleaved-channels.js';
import { KeepAlive } from './keep-alive.js';
import { mergePlayResults, type PlayResult, parsePlayResult, type SetUpMedium } from './play-result.js';
import { Requester } from './requester.js';
import { isSuccess } from './status.js';

/**
 * One RTSP session over one connection (RFC 2326): what is there, set it up, play, pause, end. Turns interleaved frames
 * into the RTP and RTCP packets of the media that were set up.
 *
 * Round trips before the first picture are few: no OPTIONS, DESCRIBE, one SETUP for each medium, PLAY; and one more for a
 * challenge, which is remembered. SETUPs are not sent together, since cameras mix up CSeq and some take the second SETUP
 * for a session of its own as long as it does not carry the first one's id.
 */

export type { PlayResult } from './play-result.js';

export interface RtspSessionOptions {
  transport: ByteTransport;
  /** rtsp:// or rtsps:// URL; credentials in it are used, unless there are others, and are not sent as part of it. */
  url: string;
  credentials?: Credentials | null;
  /** For a proxy that wants to know who is there; renewed with the keep-alive. */
  tokens?: AccessTokens | null;
  /** Value of the Require header: what the server has to know, if it can (RFC 2326, 12.32). */
  require?: string | null;
  clock: Clock;
  logger?: Logger;
  userAgent?: string;
  /** For each response. Default: REQUEST_TIMEOUT_MS. */
  requestTimeoutMs?: number;
}

/** Called synchronously, in the order of the bytes received. */
export interface RtspSessionHandlers {
  /** A new PLAY was accepted: packets before this call belong to what was played before, those after it to the result. */
  onPlay(result: PlayResult): void;
  /**
   * The packet may be kept; nobody writes to it any more.
   * @param wasHeld - it came before the reply to PLAY, which has been reported by now
   */
  onRtp(mediaIndex: number, bytes: Uint8Array, wasHeld?: boolean): void;
  onRtcp(mediaIndex: number, bytes: Uint8Array): void;
  /** The connection is over, once, after `connect` succeeded; null when `close` or `teardown` ended it. */
  onClose(error: StreamError | null): void;
}

/**
 * - `idle`: not connected yet.
 * - `connecting`: the transport is being opened.
 * - `init`: connected, no medium is set up (RFC 2326, A.1, as the next two).
 * - `ready`: set up, not playing.
 * - `playing`
 * - `closed`: for good.
 */
export type RtspSessionState = 'idle' | 'connecting' | 'init' | 'ready' | 'playing' | 'closed';

export interface RtspSessionStats extends InterleavedChannelsStats {
  bytesReceived: number;
  /** How often junk stood between messages and frames. */
  resyncs: number;
  /** Bytes of that junk. */
  skippedBytes: number;
}

/** Statuses by which servers refuse one form of a URL and may take the other (Dahua and Axis, among many). */
const otherUrlStatuses: ReadonlySet<number> = new Set([400, 404, 451, 455, 503]);
/** The same for PLAY on the aggregate URL; PTZOptics answers 405 to one that ends with a slash. */
const otherAggregateUrlStatuses: ReadonlySet<number> = new Set([...otherUrlStatuses, 405]);
/** Statuses of PLAY after which each medium may be played by itself; 459 says so. */
const perMediumStatuses: ReadonlySet<number> = new Set([...otherAggregateUrlStatuses, 459]);
const INVALID_RANGE = 457;

export interface PlayOptions {
  /**
   * Value of the Range header. By default the live edge where the session description says `now`, else the beginning;
   * after a pause, where it was.
   */
  range?: string;
  /** What else there is to say of how to play: Scale (RFC 2326, 12.34), or a recorder's Rate-Control. */
  headers?: readonly (readonly [string, string])[];
  /** While playing: what comes before the answer may belong to it, and is held. By default, it belongs to what was played. */
  holds?: boolean;
  signal?: AbortSignal;
}

export class RtspSession {
  readonly #handlers: RtspSessionHandlers;
  readonly #logger: Logger;
  readonly #requester: Requester;
  readonly #exchange: Exchange;
  readonly #channels: InterleavedChannels;
  readonly #keepAlive: KeepAlive;
  readonly #tokens: AccessTokens | null;
  readonly #clock: Clock;

  #state: RtspSessionState = 'idle';
  #wasConnected = false;
  #closeError: StreamError | null = null;
  #teardown: Promise<void> | null = null;

  /** The URL of DESCRIBE, without credentials; a redirect changes it. */
  #url: string;
  #description: SessionDescription | null = null;
  /** Content-Base, Content-Location or the URL of DESCRIBE. */
  #base: string;
  /** URLs that can mean the whole session, the likeliest first; after PLAY the one that it was accepted with, alone. */
  #aggregateUrls: string[];
  readonly #media: SetUpMedium[] = [];
  /** Which form of control URL the server took last, as an index into `controlUrls`. */
  #controlForm: 0 | 1 = 0;
  #hasPlayed = false;
  /** The server wants PLAY and PAUSE for each medium by itself. */
  #isPerMedium = false;

  /** Throws `invalid-url`, or `invalid-argument` for credentials that cannot be sent. */
  constructor(options: RtspSessionOptions, handlers: RtspSessionHandlers) {
    const url = parseRtspUrl(options.url);
    const fromUrl = url.username === null ? null : { username: url.username, password: url.password ?? '' };
    const credentials = options.credentials ?? fromUrl;
    this.#url = formatRtspUrl(url);
    this.#base = this.#url;
    this.#aggregateUrls = [this.#url];
    this.#handlers = handlers;
    this.#tokens = options.tokens ?? null;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#channels = new InterleavedChannels(handlers);
    this.#requester = new Requester({
      transport: options.transport,
      clock: options.clock,
      logger: this.#logger,
      userAgent: options.userAgent ?? 'rtsp-websocket-player',
      ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs }),
      handlers: {
        onInterleavedFrame: (channel, payload) => this.#channels.push(channel, payload),
        onServerRequest: async (request) => {
          const { answerServerRequest } = await import('./server-requests.js');
          return answerServerRequest(request, {
            onRedirect: (location) => void this.#onServerRedirect(location),
            onTeardown: () => this.#fail(new StreamError('connection-closed', 'The camera has ended the session.')),
          });
        },
        onDataRead: () => this.#keepAlive.poll(),
        onClose: (error) => this.#onClose(error),
      },
    });
    this.#exchange = new Exchange(this.#requester, credentials);
    this.#exchange.require = options.require ?? null;
    this.#keepAlive = new KeepAlive({
      clock: options.clock,
      timeoutMs: () => this.#exchange.timeoutMs,
      supports: (method) => this.#exchange.supports(method),
      send: async (method) => {
        // The last one is good for a while yet.
        if (this.#tokens !== null) await this.#renewToken().catch(() => {});
        return isSuccess(await this.#exchange.send(method, this.#aggregateUrl));
      },
    });
  }

  get state(): RtspSessionState {
    return this.#state;
  }

  get description(): SessionDescription | null {
    return this.#description;
  }

  /** The session's time-out by the newest reply that named one, in milliseconds. */
  get timeoutMs(): number {
    return this.#exchange.timeoutMs;
  }

  /** Methods that the server has listed (Public), less those that it then refused as such; null before it listed any. */
  get supportedMethods(): ReadonlySet<string> | null {
    return this.#exchange.supportedMethods;
  }

  /** Whether the server has a method: false also when it has refused it as such; null while nothing is known. */
  supports(method: string): boolean | null {
    return this.#exchange.supports(method);
  }

  get stats(): RtspSessionStats {
    const { bytes, resyncs, skippedBytes } = this.#requester.stats;
    return { ...this.#channels.stats, bytesReceived: bytes, resyncs, skippedBytes };
  }

  /** Opens the transport. Rejects with a StreamError, and then the session is closed. */
  async connect(signal?: AbortSignal): Promise<void> {
    this.#require('connect', 'idle');
    this.#state = 'connecting';
    try {
      // The connection is made at once: the token goes with the first request.
      await Promise.all([this.#requester.open(signal), this.#renewToken()]);
    } catch (thrown) {
      this.close();
      throw thrown;
    }
    // Between the opening and here it may have been closed already: a proxy that refuses does so right then.
    this.#require('connect', 'connecting');
    this.#wasConnected = true;
    this.#state = 'init';
  }

  async #renewToken(): Promise<void> {
    if (this.#tokens !== null) this.#exchange.token = await fetchToken(this.#tokens, this.#clock);
  }

  /**
   * Asks what there is. Redirects on the same host are followed; one elsewhere rejects with a RedirectError, whose
   * `location` takes another connection.
   */
  async describe(signal?: AbortSignal): Promise<SessionDescription> {
    this.#require('DESCRIBE', 'init');
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#exchange.send('DESCRIBE', this.#url, {
        headers: [['Accept', 'application/sdp']],
        signal,
      });
      if (isSuccess(response)) return this.#onDescription(response);
      const { status } = response;
      if (status < 300 || status >= 400) throw await this.#errorOf('DESCRIBE', response);
      const { redirectOf } = await loadRefusal();
      const redirect = redirectOf(this.#url, response.headers.get('Location'), { status });
      if (redirect.kind !== 'here') throw redirect.error;
      this.#url = redirect.url;
    }
    const sentence = `The camera redirects in a circle (more than ${MAX_REDIRECTS} times).`;
    throw new StreamError('request-failed', sentence, { retry: 'never' });
  }

  /**
   * Sets one medium up, interleaved in this connection. To be called for one medium after the other. A refusal is not the
   * end of the session: `transport-unsupported`, `not-found`, …
   */
  async setup(media: MediaDescription, signal?: AbortSignal): Promise<void> {
    this.#require('SETUP', 'init', 'ready');
    const channels = { rtp: (2 * media.index) % 256, rtcp: (2 * media.index + 1) % 256 };
    const transport = formatTransport(/\/AVPF$/i.test(media.protocol) ? 'RTP/AVPF/TCP' : 'RTP/AVP/TCP', channels);
    const urls = this.#controlUrlsOf(media);
    let refusal: RtspResponse | null = null;
    for (const url of urls) {
      const response = await this.#exchange.send('SETUP', url, { headers: [['Transport', transport]], signal });
      if (isSuccess(response)) {
        if (refusal !== null) this.#controlForm = this.#controlForm === 0 ? 1 : 0;
        this.#onSetUp({ mediaIndex: media.index, url }, response, channels);
        return;
      }
      refusal = response;
      if (!otherUrlStatuses.has(response.status)) break;
    }
    if (refusal !== null) throw await this.#errorOf('SETUP', refusal);
  }

  /**
   * Plays what was set up; while playing, from another position.
   * @returns what the server says; `onPlay` gets the same, before any packet that belongs to it
   */
  async play(options: PlayOptions = {}): Promise<PlayResult> {
    this.#require('PLAY', 'ready', 'playing');
    if (options.holds || this.#channels.delivery === 'drop') this.#channels.delivery = 'hold';
    try {
      const outcome = this.#isPerMedium ? null : await this.#playAggregate(options);
      if (outcome !== null && 'result' in outcome) return outcome.result;
      if (outcome !== null && !perMediumStatuses.has(outcome.refusal.status))
        throw await this.#errorOf('PLAY', outcome.refusal);
      return await this.#playPerMedium(options, outcome?.refusal ?? null);
    } finally {
      if (this.#state === 'ready' && this.#hasPlayed) this.#channels.delivery = 'drop';
    }
  }

  /** Pauses; the session stays. Rejects where the server cannot; `supports('PAUSE')` is false then. */
  async pause(signal?: AbortSignal): Promise<void> {
    this.#require('PAUSE', 'ready', 'playing');
    if (this.#state === 'ready') return;
    for (const url of this.#isPerMedium ? this.#media.map((medium) => medium.url) : [this.#aggregateUrl]) {
      const response = await this.#exchange.send('PAUSE', url, {
        signal,
        onSuccess: () => {
          this.#state = 'ready';
          this.#channels.delivery = 'drop';
        },
      });
      if (!isSuccess(response)) throw await this.#errorOf('PAUSE', response);
    }
  }

  /** The values of parameters (RFC 2326, 10.8), as the server writes them, one a line; without names, a sign of life. */
  async getParameter(names: readonly string[] = [], signal?: AbortSignal): Promise<string> {
    const body = names.map((name) => `${name}\r\n`).join('');
    const response = await this.#sendParameters('GET_PARAMETER', body, signal);
    return new TextDecoder().decode(response.body);
  }

  /** Sets parameters (RFC 2326, 10.9): lines of `name: value`. */
  async setParameter(parameters: string, signal?: AbortSignal): Promise<void> {
    await this.#sendParameters('SET_PARAMETER', parameters, signal);
  }

  /** Asks which methods there are; empty when the server does not say. */
  async options(signal?: AbortSignal): Promise<ReadonlySet<string>> {
    this.#require('OPTIONS', 'init', 'ready', 'playing');
    const response = await this.#exchange.send('OPTIONS', this.#aggregateUrl, { signal });
    if (!isSuccess(response)) throw await this.#errorOf('OPTIONS', response);
    return this.supportedMethods ?? new Set();
  }

  /** Sends RTCP about a medium; ignored unless the medium is set up. */
  sendRtcp(mediaIndex: number, bytes: Uint8Array): void {
    const channel = this.#channels.rtcpChannelOf(mediaIndex);
    if (channel !== null) this.#requester.sendInterleaved(channel, bytes);
  }

  /** Ends politely: TEARDOWN, for whose response nobody waits long, then `close`. Never rejects. */
  teardown(): Promise<void> {
    this.#teardown ??= this.#endPolitely();
    return this.#teardown;
  }

  /** Ends at once; may be called at any time and twice. Whatever is under way rejects with `aborted`. */
  close(): void {
    this.#requester.close();
    this.#state = 'closed';
  }

  // DESCRIBE and SETUP.

  #onDescription(response: RtspResponse): SessionDescription {
    const description = parseSessionDescription(response.body);
    this.#description = description;
    this.#base = baseUrl(this.#url, {
      contentBase: response.headers.get('Content-Base'),
      contentLocation: response.headers.get('Content-Location'),
    });
    // TP-Link and VStarcam have no session-level a=control; then, and where the base is refused, it is the request's URL.
    this.#aggregateUrls = [...new Set([...controlUrls(this.#base, description.control), this.#url])];
    return description;
  }

  /** The URL that stands for the whole session. Keep-alives must use it too, for some servers. */
  get #aggregateUrl(): string {
    return this.#aggregateUrls[0] ?? this.#url;
  }

  /** One or two, in the form that the server took before first. */
  #controlUrlsOf(media: MediaDescription): string[] {
    // An absolute session-level a=control comes before Content-Base, which is the other form then.
    const isAbsolute = /^rtsps?:\/\//i.test(this.#description?.control?.trim() ?? '');
    const bases = isAbsolute ? [this.#aggregateUrl, this.#base] : [this.#base];
    const urls = [...new Set(bases.flatMap((base) => controlUrls(base, media.control)))].slice(0, 2);
    return this.#controlForm === 0 ? urls : urls.reverse();
  }

  #onSetUp(medium: SetUpMedium, response: RtspResponse, asked: { rtp: number; rtcp: number }): void {
    // The end may have come right behind the response.
    this.#require('SETUP', 'init', 'ready');
    const { status } = response;
    const text = response.headers.get('Transport');
    const transport = text === null ? null : parseTransport(text);
    // Escam Q6 writes `RTP/AVP` without `/TCP`, but with its channels; others leave out one or the other.
    const isInterleaved = transport === null || transport.interleaved !== null || transport.protocol.endsWith('/TCP');
    if (!isInterleaved) {
      const sentence = 'The camera wants to send media over UDP, which this connection cannot carry';
      const words = transport.protocol.slice(0, 40);
      throw new StreamError('transport-unsupported', `${sentence} (SETUP: ${status}, ${words}).`, { status });
    }
    // Some answer with other channels than those asked for: theirs count.
    const channels = transport?.interleaved ?? asked;
    if (!this.#channels.assign(medium.mediaIndex, channels)) {
      const sentence = `The camera wants to send two media on channel ${channels.rtp} (SETUP: ${status}).`;
      throw new StreamError('request-failed', sentence, { status });
    }
    this.#media.push(medium);
    this.#requester.setChannels(this.#channels.channels);
    this.#state = 'ready';
    this.#keepAlive.start();
  }

  // PLAY.

  /** With each URL that can mean the whole session, until one is accepted. */
  async #playAggregate(options: PlayOptions): Promise<{ result: PlayResult } | { refusal: RtspResponse } | null> {
    let refusal: RtspResponse | null = null;
    for (const url of this.#aggregateUrls) {
      const results: PlayResult[] = [];
      const response = await this.#sendPlay(url, options, (success) => {
        const result = parsePlayResult(success, this.#media);
        results.push(result);
        this.#aggregateUrls = [url];
        this.#onPlaying(result);
      });
      const [result] = results;
      if (result !== undefined) return { result };
      refusal = response;
      if (!otherAggregateUrlStatuses.has(response.status)) break;
    }
    return refusal === null ? null : { refusal };
  }

  /** Each medium by itself; one that is refused does not end the others. */
  async #playPerMedium(options: PlayOptions, aggregateRefusal: RtspResponse | null): Promise<PlayResult> {
    const results: PlayResult[] = [];
    let refusal = aggregateRefusal;
    for (const medium of this.#media) {
      const response = await this.#sendPlay(medium.url, options, (success) => {
        results.push(parsePlayResult(success, [medium]));
      });
      if (!isSuccess(response)) refusal ??= response;
    }
    if (results.length === 0) {
      if (refusal !== null) throw await this.#errorOf('PLAY', refusal);
      throw new StreamError('invalid-state', 'PLAY has nothing to play.');
    }
    this.#isPerMedium = true;
    const result = mergePlayResults(results);
    this.#onPlaying(result);
    return result;
  }

  async #sendPlay(
    url: string,
    options: PlayOptions,
    onSuccess: (response: RtspResponse) => void,
  ): Promise<RtspResponse> {
    const { signal, headers = [] } = options;
    const range = options.range ?? this.#defaultRange();
    const response = await this.#exchange.send('PLAY', url, {
      headers: range === null ? headers : [...headers, ['Range', range]],
      signal,
      onSuccess,
    });
    // Nobody asked for this Range, so none will do.
    const mayLeaveOutRange = options.range === undefined && range !== null;
    if (response.status !== INVALID_RANGE || !mayLeaveOutRange) return response;
    return this.#exchange.send('PLAY', url, { headers, signal, onSuccess });
  }

  /**
   * FFmpeg and VLC ask every server for `npt=0.000-`, live ones too, so this is what cameras were tested with; Parrot wants
   * some Range. Only where the server itself says that its media begin now, that is what is asked for. Resuming takes no
   * Range (RFC 2326, 10.5). Never with `mode`, which upsets some.
   */
  #defaultRange(): string | null {
    if (this.#hasPlayed) return null;
    const described = this.#description === null ? null : describedRange(this.#description);
    // GStreamer describes a file that nobody plays yet as `now-40`: what ends is not live.
    return described?.start === 'now' && described.end === null ? 'npt=now-' : 'npt=0.000-';
  }

  #onPlaying(result: PlayResult): void {
    if (this.#state === 'closed' || this.#teardown !== null) return;
    this.#state = 'playing';
    this.#hasPlayed = true;
    this.#requester.allowConcurrency();
    this.#keepAlive.start();
    this.#handlers.onPlay(result);
    this.#channels.delivery = 'deliver';
  }

  // Other requests, and the end.

  async #sendParameters(method: string, text: string, signal: AbortSignal | undefined): Promise<RtspResponse> {
    this.#require(method, 'init', 'ready', 'playing');
    const body = new TextEncoder().encode(text);
    const headers: [string, string][] = text === '' ? [] : [['Content-Type', 'text/parameters']];
    const response = await this.#exchange.send(method, this.#aggregateUrl, { headers, body, signal });
    if (!isSuccess(response)) throw await this.#errorOf(method, response);
    return response;
  }

  async #errorOf(method: string, response: RtspResponse): Promise<StreamError> {
    const { errorOf } = await loadRefusal();
    return errorOf(method, response, this.#exchange.refusal, this.#url);
  }

  async #onServerRedirect(location: string | null): Promise<void> {
    try {
      const { redirectOf } = await loadRefusal();
      const redirect = redirectOf(this.#url, location);
      if (redirect.kind !== 'here') throw redirect.error;
    } catch (thrown) {
      this.#fail(StreamError.from(thrown, 'connection-closed', 'The camera has moved.'));
      return;
    }
    // On the same host too: a session does not move within its connection.
    const startAnew = 'The camera wants the session to be started anew.';
    this.#fail(new StreamError('connection-closed', startAnew, { retry: 'at-once' }));
  }

  async #endPolitely(): Promise<void> {
    if (this.#exchange.sessionId !== null && (this.#state === 'ready' || this.#state === 'playing')) {
      this.#keepAlive.stop();
      this.#channels.delivery = 'drop';
      try {
        const options = { timeoutMs: TEARDOWN_TIMEOUT_MS, order: 'at-once' } as const;
        await this.#exchange.send('TEARDOWN', this.#aggregateUrl, options);
      } catch (thrown) {
        this.#logger.debug('TEARDOWN was not answered.', { reason: StreamError.from(thrown, 'timeout', '').code });
      }
    }
    this.close();
  }

  #fail(error: StreamError): void {
    this.#requester.close(error);
  }

  #onClose(error: StreamError | null): void {
    this.#state = 'closed';
    this.#closeError = error;
    this.#keepAlive.stop();
    this.#channels.close();
    // Before that, `connect` rejects with it.
    if (this.#wasConnected) this.#handlers.onClose(error);
  }

  #require(what: string, ...states: RtspSessionState[]): void {
    if (states.includes(this.#state)) return;
    if (this.#state !== 'closed') {
      throw new StreamError('invalid-state', `${what} does not fit the state of the session (${this.#state}).`);
    }
    throw this.#closeError ?? new StreamError('aborted', 'The session was closed.');
  }
}

/** What a session description says of the media's time: of the whole, else of the first medium that has a range. */
export function describedRange({ range, media }: SessionDescription): Range | null {
  return parseRange(range ?? media.find((medium) => medium.range !== null)?.range ?? '');
}

async function loadRefusal(): Promise<typeof import('./refusal.js')> {
  try {
    return await import('./refusal.js');
  } catch (cause) {
    const sentence = "The camera refuses, and the player's code that tells why could not be loaded.";
    throw new StreamError('connection-failed', sentence, { cause });
  }
}
