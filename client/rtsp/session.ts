/// <reference path="../../shared/globals.d.ts" />
import { Authenticator, type Credentials } from '../../shared/authentication.js';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import {
  DEFAULT_SESSION_TIMEOUT_MS,
  MAX_EARLY_PACKETS,
  MAX_REDIRECTS,
  TEARDOWN_TIMEOUT_MS,
} from '../../shared/limits.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import type { RtspRequest, RtspResponse } from '../../shared/rtsp-message.js';
import { baseUrl, controlUrls, formatRtspUrl, parseRtspUrl } from '../../shared/rtsp-url.js';
import {
  type MediaDescription,
  parseSessionDescription,
  type SessionDescription,
} from '../../shared/session-description.js';
import type { ByteTransport } from '../transport/byte-transport.js';
import {
  formatTransport,
  parsePublic,
  parseRange,
  parseRtpInfo,
  parseSession,
  parseTransport,
  type Range,
} from './headers.js';
import { KeepAlive } from './keep-alive.js';
import { Requester, type RequestOptions } from './requester.js';
import { RedirectError, saysMethodUnavailable, statusError } from './status.js';

/**
 * One RTSP session over one connection (RFC 2326): DESCRIBE, SETUP of media, PLAY and PAUSE of all of them together,
 * TEARDOWN, with authentication, keep-alive, and packets sorted by medium.
 */

const USER_AGENT = 'rtsp-websocket-player';
/** Statuses after which the other way to join a control URL is tried once (Dahua, Axis and others differ). */
const WRONG_URL_STATUSES: ReadonlySet<number> = new Set([400, 404, 451, 455, 503]);
/** The server wants PLAY and PAUSE of each medium, or has no aggregate: 455 by some, 459 and 460 by the standard. */
const NO_AGGREGATE_STATUSES: ReadonlySet<number> = new Set([404, 405, 455, 459, 460]);
const SESSION_NOT_FOUND = 454;

export interface RtspSessionOptions {
  transport: ByteTransport;
  /** rtsp:// or rtsps:// URL; credentials in it are used and taken out. */
  url: string;
  /** Instead of those in the URL. */
  credentials?: Credentials | null;
  clock: Clock;
  logger?: Logger;
  userAgent?: string;
  requestTimeoutMs?: number;
}

/** Called synchronously. */
export interface RtspSessionHandlers {
  /** PLAY was accepted; called before any packet that came with or after its reply. */
  onPlay(result: PlayResult): void;
  /** `bytes` may be held. */
  onRtp(mediaIndex: number, bytes: Uint8Array): void;
  onRtcp(mediaIndex: number, bytes: Uint8Array): void;
  /** The connection has ended, once, if `connect()` succeeded; null when this end closed it. */
  onClose(error: StreamError | null): void;
}

export interface PlayResult {
  /** Where play begins, as the server says; null when it does not. */
  range: Range | null;
  scale: number | null;
  rtpInfo: { mediaIndex: number; sequenceNumber: number | null; rtpTimestamp: number | null }[];
}

/**
 * - `idle`: not connected yet. `connecting`. `init`: connected, nothing set up.
 * - `ready`: at least one medium is set up. `playing`. `closed`: for good.
 */
export type RtspSessionState = 'idle' | 'connecting' | 'init' | 'ready' | 'playing' | 'closed';

interface SetUpMedia {
  readonly media: MediaDescription;
  readonly url: string;
  readonly rtp: number;
  readonly rtcp: number;
}

interface Channel {
  readonly mediaIndex: number;
  readonly isRtcp: boolean;
}

export class RtspSession {
  readonly #handlers: RtspSessionHandlers;
  readonly #logger: Logger;
  readonly #requester: Requester;
  readonly #authenticator: Authenticator | null;
  readonly #keepAlive: KeepAlive;
  /** Without credentials. */
  #url: string;
  #base: string;
  #state: RtspSessionState = 'idle';
  #description: SessionDescription | null = null;
  #supportedMethods: Set<string> | null = null;
  #sessionId: string | null = null;
  #timeoutMs = DEFAULT_SESSION_TIMEOUT_MS;
  #setUp: SetUpMedia[] = [];
  readonly #channels: (Channel | undefined)[] = [];
  /** PLAY goes to each medium by itself. */
  #perTrack = false;
  /** Packets that came before the PLAY reply; null while packets are handed on as they come. */
  #early: { channel: Channel; bytes: Uint8Array }[] | null = [];
  #unknownFrames = 0;
  #droppedEarly = 0;

  /** @throws StreamError `invalid-url` */
  constructor(options: RtspSessionOptions, handlers: RtspSessionHandlers) {
    const url = parseRtspUrl(options.url);
    const own = url.username === null ? null : { username: url.username, password: url.password ?? '' };
    const credentials = options.credentials ?? own;
    this.#handlers = handlers;
    this.#logger = options.logger ?? silentLogger;
    this.#authenticator = credentials === null ? null : new Authenticator(credentials);
    this.#url = formatRtspUrl(url);
    this.#base = this.#url;
    this.#keepAlive = new KeepAlive(options.clock, this.#timeoutMs, (method) => this.#sendKeepAlive(method));
    this.#requester = new Requester({
      transport: options.transport,
      clock: options.clock,
      logger: this.#logger,
      userAgent: options.userAgent ?? USER_AGENT,
      ...(options.requestTimeoutMs === undefined ? {} : { requestTimeoutMs: options.requestTimeoutMs }),
      handlers: {
        onInterleavedFrame: (channel, payload) => this.#onInterleavedFrame(channel, payload),
        onServerRequest: (request) => this.#onServerRequest(request),
        onDataRead: () => this.#keepAlive.onData(),
        onClose: (error) => {
          this.#end();
          handlers.onClose(error);
        },
      },
    });
  }

  get state(): RtspSessionState {
    return this.#state;
  }

  get description(): SessionDescription | null {
    return this.#description;
  }

  /** What the server named in a Public header, less what it refused; null while it has said nothing. */
  get supportedMethods(): ReadonlySet<string> | null {
    return this.#supportedMethods;
  }

  /** The session's time-out, milliseconds, as last heard. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Frames on channels that were never set up, and packets that came too early in too great a number: dropped. */
  get droppedFrames(): number {
    return this.#unknownFrames + this.#droppedEarly;
  }

  /** Opens the connection. */
  async connect(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'idle') throw new StreamError('invalid-state', 'A session connects once.');
    this.#state = 'connecting';
    try {
      await this.#requester.open(signal);
    } catch (thrown) {
      this.#end();
      throw thrown;
    }
    if (this.#state === 'connecting') this.#state = 'init';
  }

  /** Asks for the session description. Throws RedirectError when the stream is on another host. */
  async describe(signal?: AbortSignal): Promise<SessionDescription> {
    for (let redirects = 0; ; redirects++) {
      const url = this.#url;
      const response = await this.#request('DESCRIBE', url, {
        headers: [['Accept', 'application/sdp']],
        signal,
        passes: [301, 302, 303, 305, 307],
      });
      const location = response.headers.get('Location');
      if (response.status >= 300 && location !== null) {
        if (redirects >= MAX_REDIRECTS) {
          throw new StreamError('request-failed', `The camera redirected more than ${MAX_REDIRECTS} times.`);
        }
        this.#url = this.#redirected(location, response.status);
        continue;
      }
      if (response.status >= 300) throw statusError('DESCRIBE', response, this.#credentialsContext);
      this.#base = baseUrl(url, {
        contentBase: response.headers.get('Content-Base'),
        contentLocation: response.headers.get('Content-Location'),
      });
      const description = parseSessionDescription(response.body);
      this.#description = description;
      return description;
    }
  }

  /** Sets a medium up, its RTP and RTCP to come interleaved in this connection. */
  async setup(media: MediaDescription, signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'init' && this.#state !== 'ready') {
      throw new StreamError('invalid-state', `SETUP does not fit the state ${this.#state}; expected init or ready.`);
    }
    const channels = this.#freeChannels();
    const protocol = /SAVP/i.test(media.protocol) ? 'RTP/SAVP/TCP' : 'RTP/AVP/TCP';
    const urls = controlUrls(this.#base, media.control);
    for (const [index, url] of urls.entries()) {
      const isLast = index === urls.length - 1;
      const response = await this.#request('SETUP', url, {
        headers: [['Transport', formatTransport(protocol, channels)]],
        signal,
        passes: isLast ? [] : [...WRONG_URL_STATUSES],
      });
      if (response.status >= 300) continue;
      this.#onSetUp(media, url, channels, response);
      return;
    }
    throw new StreamError('request-failed', 'The camera names no address for this medium.');
  }

  /**
   * Plays all media that are set up.
   * @param options.range - value of the Range header; by default what the description calls for
   */
  async play(options: { range?: string; scale?: number; signal?: AbortSignal } = {}): Promise<PlayResult> {
    if (this.#state !== 'ready' && this.#state !== 'playing') {
      throw new StreamError('invalid-state', `PLAY does not fit the state ${this.#state}; expected ready or playing.`);
    }
    const headers: [string, string][] = [['Range', options.range ?? this.#defaultRange]];
    if (options.scale !== undefined) headers.push(['Scale', String(options.scale)]);
    const { signal } = options;
    if (!this.#perTrack) {
      let result: PlayResult | null = null;
      const response = await this.#request('PLAY', this.#aggregateUrl, {
        headers,
        signal,
        passes: this.#setUp.length > 1 || this.#aggregateUrl !== this.#setUp[0]?.url ? [...NO_AGGREGATE_STATUSES] : [],
        onSuccess: (reply) => {
          result = this.#onPlaying([reply]);
        },
      });
      if (response.status < 300 && result !== null) return result;
      this.#logger.info('no aggregate control', { status: response.status });
      this.#perTrack = true;
    }
    const replies: RtspResponse[] = [];
    for (const { url } of this.#setUp) replies.push(await this.#request('PLAY', url, { headers, signal }));
    return this.#onPlaying(replies);
  }

  /** Holds the media; the session stays, kept alive. */
  async pause(signal?: AbortSignal): Promise<void> {
    if (this.#state !== 'playing') {
      throw new StreamError('invalid-state', `PAUSE does not fit the state ${this.#state}; expected playing.`);
    }
    const urls = this.#perTrack ? this.#setUp.map(({ url }) => url) : [this.#aggregateUrl];
    for (const url of urls) await this.#request('PAUSE', url, { signal });
    if (this.#isPlaying()) this.#state = 'ready';
    this.#early = [];
  }

  /** Asks for parameters, one name a line; an empty body is a sign of life (RFC 2326, 10.8). */
  async getParameter(body?: Uint8Array, signal?: AbortSignal): Promise<RtspResponse> {
    return this.#request('GET_PARAMETER', this.#aggregateUrl, { ...textBody(body), signal });
  }

  /** Sets parameters, `name: value` a line (RFC 2326, 10.9). */
  async setParameter(body: Uint8Array, signal?: AbortSignal): Promise<RtspResponse> {
    return this.#request('SET_PARAMETER', this.#aggregateUrl, { ...textBody(body), signal });
  }

  /** Asks which methods the server takes. */
  async options(signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const response = await this.#request('OPTIONS', this.#url, { signal });
    return parsePublic(response.headers.get('Public') ?? '');
  }

  /** Sends an RTCP packet to a medium that is set up; ignored otherwise. */
  sendRtcp(mediaIndex: number, bytes: Uint8Array): void {
    const target = this.#setUp.find(({ media }) => media.index === mediaIndex);
    if (target !== undefined) this.#requester.sendInterleaved(target.rtcp, bytes);
  }

  /** Ends the session in good order, then the connection. Never rejects, and never takes long. */
  async teardown(): Promise<void> {
    this.#keepAlive.stop();
    if (this.#sessionId !== null && (this.#state === 'ready' || this.#state === 'playing')) {
      this.#state = 'closed';
      const headers = this.#commonHeaders('TEARDOWN', this.#aggregateUrl);
      const options: RequestOptions = { headers, timeoutMs: TEARDOWN_TIMEOUT_MS, order: 'at-once' };
      await this.#requester.request('TEARDOWN', this.#aggregateUrl, options).catch(() => undefined);
    }
    this.close();
  }

  /** Ends the connection at once. May be called twice. */
  close(): void {
    this.#end();
    this.#requester.close();
  }

  #isPlaying(): boolean {
    return this.#state === 'playing';
  }

  #end(): void {
    this.#state = 'closed';
    this.#keepAlive.stop();
    this.#early = [];
  }

  get #aggregateUrl(): string {
    return controlUrls(this.#base, this.#description?.control ?? null)[0] ?? this.#base;
  }

  /** Parrot wants a Range in every PLAY; live servers take `npt=0.000-` for "from now on", or say `now` in the SDP. */
  get #defaultRange(): string {
    const range = this.#description?.range ?? this.#setUp[0]?.media.range ?? null;
    return range !== null && /npt\s*[=:]\s*now/i.test(range) ? 'npt=now-' : 'npt=0.000-';
  }

  get #credentialsContext() {
    return { credentialsSent: this.#authenticator !== null };
  }

  #freeChannels(): { rtp: number; rtcp: number } {
    let rtp = 0;
    while (this.#channels[rtp] !== undefined || this.#channels[rtp + 1] !== undefined) rtp += 2;
    if (rtp > 254) throw new StreamError('invalid-state', 'All 256 channels are taken.');
    return { rtp, rtcp: rtp + 1 };
  }

  #onSetUp(media: MediaDescription, url: string, asked: { rtp: number; rtcp: number }, response: RtspResponse): void {
    const transport = parseTransport(response.headers.get('Transport') ?? '');
    if (transport !== null && transport.interleaved === null && !transport.protocol.includes('TCP')) {
      throw new StreamError(
        'transport-unsupported',
        `The camera would send media by ${transport.protocol.slice(0, 40)}; expected RTP/AVP/TCP, inside the connection.`,
      );
    }
    // Cameras answer with other channels than asked for: theirs count.
    const { rtp, rtcp } = transport?.interleaved ?? asked;
    this.#setUp.push({ media, url, rtp, rtcp });
    this.#channels[rtp] = { mediaIndex: media.index, isRtcp: false };
    if (rtcp !== rtp) this.#channels[rtcp] = { mediaIndex: media.index, isRtcp: true };
    this.#requester.setChannels(this.#setUp.flatMap((one) => [one.rtp, one.rtcp]));
    this.#state = 'ready';
    this.#keepAlive.start();
  }

  /** Runs inside the reader's loop, so that no packet behind the reply overtakes it. */
  #onPlaying(replies: readonly RtspResponse[]): PlayResult {
    const [first] = replies;
    const scale = Number(first?.headers.get('Scale') ?? Number.NaN);
    const result: PlayResult = {
      range: parseRange(first?.headers.get('Range') ?? ''),
      scale: Number.isFinite(scale) ? scale : null,
      rtpInfo: replies.flatMap((reply, index) =>
        this.#matchRtpInfo(reply.headers.get('RTP-Info') ?? '', replies.length > 1 ? this.#setUp[index] : undefined),
      ),
    };
    this.#state = 'playing';
    this.#requester.allowConcurrency();
    const early = this.#early ?? [];
    this.#early = null;
    this.#handlers.onPlay(result);
    for (const { channel, bytes } of early) this.#deliver(channel, bytes);
    return result;
  }

  /** Cameras write URLs of every kind in there: the end decides, the order where it does not, and nothing with one. */
  #matchRtpInfo(value: string, only: SetUpMedia | undefined): PlayResult['rtpInfo'] {
    const entries = parseRtpInfo(value);
    const candidates = only === undefined ? this.#setUp : [only];
    return entries.flatMap((entry, index) => {
      const byUrl = candidates.find(({ url, media }) => {
        return entry.url !== '' && (url === entry.url || (media.control !== null && entry.url.endsWith(media.control)));
      });
      const target = candidates.length === 1 ? candidates[0] : (byUrl ?? candidates[index]);
      if (target === undefined) return [];
      const { sequenceNumber, rtpTimestamp } = entry;
      return [{ mediaIndex: target.media.index, sequenceNumber, rtpTimestamp }];
    });
  }

  #onInterleavedFrame(channelNumber: number, bytes: Uint8Array): void {
    const channel = this.#channels[channelNumber];
    if (channel === undefined) {
      this.#unknownFrames++;
      return;
    }
    if (this.#early === null) {
      this.#deliver(channel, bytes);
    } else if (this.#early.length < MAX_EARLY_PACKETS) {
      this.#early.push({ channel, bytes });
    } else {
      this.#droppedEarly++;
    }
  }

  #deliver(channel: Channel, bytes: Uint8Array): void {
    if (channel.isRtcp) this.#handlers.onRtcp(channel.mediaIndex, bytes);
    else this.#handlers.onRtp(channel.mediaIndex, bytes);
  }

  #onServerRequest(request: RtspRequest): { status: number } {
    switch (request.method) {
      case 'OPTIONS':
      case 'GET_PARAMETER':
      case 'SET_PARAMETER':
      case 'ANNOUNCE':
      case 'REDIRECT':
        return { status: 200 };
      default:
        return { status: 501 };
    }
  }

  #redirected(location: string, status: number): string {
    const to = parseRtspUrl(location);
    const from = parseRtspUrl(this.#url);
    if (from.scheme === 'rtsps' && to.scheme === 'rtsp') {
      throw new StreamError('forbidden', 'The camera redirects from an encrypted to an open connection.', { status });
    }
    const url = formatRtspUrl(to);
    if (to.host !== from.host || to.port !== from.port || to.scheme !== from.scheme) {
      throw new RedirectError(url, { status });
    }
    return url;
  }

  #sendKeepAlive(method: string): void {
    if (this.#state !== 'ready' && this.#state !== 'playing') return;
    const refused = (thrown: unknown) => {
      this.#logger.debug('keep-alive refused', { method, reason: String(thrown) });
      if (thrown instanceof StreamError && thrown.status === SESSION_NOT_FOUND) this.close();
      else if (thrown instanceof StreamError && thrown.status !== null) this.#keepAlive.refused(method);
    };
    this.#request(method, this.#aggregateUrl, {}).catch(refused);
  }

  #commonHeaders(method: string, url: string): [string, string][] {
    const headers: [string, string][] = [];
    const authorization = this.#authenticator?.authorize(method, url) ?? null;
    if (authorization !== null) headers.push(['Authorization', authorization]);
    if (this.#sessionId !== null) headers.push(['Session', this.#sessionId]);
    return headers;
  }

  /**
   * A request with authentication; any one can be challenged again. Throws unless the status is success or passes.
   */
  async #request(
    method: string,
    url: string,
    options: {
      headers?: readonly [string, string][];
      body?: Uint8Array;
      signal?: AbortSignal | undefined;
      passes?: readonly number[];
      onSuccess?: (response: RtspResponse) => void;
    },
  ): Promise<RtspResponse> {
    const { onSuccess } = options;
    for (;;) {
      this.#keepAlive.onRequest();
      const response = await this.#requester.request(method, url, {
        headers: [...(options.headers ?? []), ...this.#commonHeaders(method, url)],
        ...(options.body === undefined ? {} : { body: options.body }),
        signal: options.signal,
        onResponse: (reply) => {
          if (reply.status < 300) onSuccess?.(reply);
        },
      });
      this.#onReply(method, response);
      if (response.status === 401 && this.#authenticator?.challenge(response.headers.getAll('WWW-Authenticate'))) {
        continue;
      }
      if (response.status >= 300 && options.passes?.includes(response.status) !== true) {
        throw statusError(method, response, this.#credentialsContext);
      }
      return response;
    }
  }

  #onReply(method: string, response: RtspResponse): void {
    const publicHeader = response.headers.get('Public');
    if (publicHeader !== null && response.status < 300) {
      this.#supportedMethods = parsePublic(publicHeader);
      this.#keepAlive.preferFrom(this.#supportedMethods);
    }
    if (saysMethodUnavailable(response.status)) this.#supportedMethods?.delete(method);
    const session = parseSession(response.headers.get('Session') ?? '');
    if (session === null || response.status >= 300) return;
    // H264DVR changes the id from one SETUP to the next: the first one counts.
    this.#sessionId ??= session.id;
    this.#timeoutMs = session.timeoutMs ?? this.#timeoutMs;
    this.#keepAlive.timeoutMs = this.#timeoutMs;
  }
}

function textBody(body: Uint8Array | undefined): { body?: Uint8Array; headers?: [string, string][] } {
  return body === undefined ? {} : { body, headers: [['Content-Type', 'text/parameters']] };
}
