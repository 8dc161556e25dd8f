/**
 * One viewer of a named camera: its RTSP requests are understood, looked up in the camera's table of URLs and built anew
 * for the camera; the camera's replies are built anew for it. Address, path and credentials stay here.
 */
import { StreamError } from '../shared/errors.js';
import {
  MAX_LIVE_BACKLOG_BYTES,
  MAX_QUEUED_REQUESTS,
  MAX_REDIRECTS,
  MIN_CAMERA_RESPONSE_MS,
} from '../shared/limits.js';
import { CloseCode } from '../shared/proxy-protocol.js';
import { reasonPhrase } from '../shared/reason-phrases.js';
import { looksLikeRtcp } from '../shared/rtp-packet.js';
import {
  decodeText,
  emptyBody,
  RtspHeaders,
  type RtspRequest,
  type RtspResponse,
  serializeResponse,
} from '../shared/rtsp-message.js';
import { RtspReader } from '../shared/rtsp-reader.js';
import { parseSessionDescription, type SessionDescription } from '../shared/session-description.js';
import {
  allowedMethods,
  forwardedRequestHeaders,
  forwardedResponseHeaders,
  otherMethods,
  parseChannels,
  parseSession,
  publicMethods,
  requestTransport,
  responseTransport,
  rewriteRtpInfo,
} from './camera-headers.js';
import { addQuery, allowedQuery } from './camera-query.js';
import { type Connection, closeCodeOf, type Environment, type Progress } from './connection.js';
import type { FirstFrameChannels } from './first-frame-acknowledger.js';
import { MediaRelay } from './media-relay.js';
import type { CameraStream, NamedCamera, OpenCamera } from './named-camera.js';
import { rewriteSessionDescription } from './sdp-rewrite.js';
import { SilenceWatch } from './silence-watch.js';
import { type TableEntry, UrlTable } from './url-table.js';
import type { Viewer } from './viewer.js';

export interface CameraSessionOptions {
  viewer: Viewer;
  camera: NamedCamera;
  stream: CameraStream;
  environment: Environment;
}

/** Statuses after which the other way to join a control URL is tried (Dahua, Axis), and 405 (PTZOptics, PLAY). */
const otherUrlStatuses: ReadonlySet<number> = new Set([400, 404, 405, 451, 455, 503]);
/** Once media flow these need not wait for each other: some cameras never answer a keep-alive. */
const keepAliveMethods: ReadonlySet<string> = new Set(['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER']);

/** The connection to the camera, with what belongs to it alone. */
interface OpenSession extends OpenCamera {
  relay: MediaRelay;
}

export class CameraSession implements Connection {
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  readonly #viewer: Viewer;
  readonly #camera: NamedCamera;
  readonly #stream: CameraStream;
  readonly #environment: Environment;
  readonly #reader: RtspReader;
  readonly #silence: SilenceWatch;
  readonly #abort = new AbortController();
  readonly #cancelFirstRequest: () => void;
  readonly #queue: RtspRequest[] = [];
  #isServing = false;
  /** Requests under way, those in the queue not counted. */
  #underWay = 0;

  /** Begun before the viewer's first request, which is still on its way then. */
  readonly #connecting: Promise<OpenSession>;
  readonly #describing: Promise<RtspResponse>;
  #open: OpenSession | null = null;
  #table: UrlTable;
  #description: SessionDescription | null = null;
  #hasDescribed = false;
  #sessionId: string | null = null;
  /** Media in the order of their SETUP. */
  readonly #setUp: number[] = [];
  readonly #channels = new Set<number>();
  /** Channels on which the viewer may send: those of receiver reports. */
  readonly #reportChannels = new Set<number>();
  /** The medium whose first frame the viewer waits for: the first video, else the first. */
  #watched: { kind: string | undefined; channels: FirstFrameChannels } | null = null;
  /** Those of connections that a redirect has replaced. */
  #droppedFrames = 0;
  #hasPlayed = false;
  #plays = false;
  #isTornDown = false;

  constructor(options: CameraSessionOptions) {
    this.#viewer = options.viewer;
    this.#camera = options.camera;
    this.#stream = options.stream;
    this.#environment = options.environment;
    this.#table = new UrlTable(options.camera.name, options.stream.url);
    const { clock, timeouts, counters } = options.environment;
    this.#silence = new SilenceWatch(clock, timeouts.silenceMs);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind === 'request') this.#onRequest(message);
      },
      onInterleavedFrame: (channel, payload) => this.#onViewerFrame(channel, payload),
      onError: (error) => this.close(CloseCode.notRtsp, error.message),
    });
    this.#cancelFirstRequest = clock.schedule(timeouts.firstRequestMs, () => {
      this.close(CloseCode.notRtsp, `No RTSP request came within ${timeouts.firstRequestMs} ms.`);
    });
    // Before the viewer is listened to: its first request may be here already.
    this.#connecting = this.#connect();
    this.#describing = this.#connecting.then((open) => this.#askEarly(open));
    // Failures are met where the viewer's request awaits them.
    this.#describing.catch(() => undefined);
    this.#viewer.attach({
      onData: (bytes) => {
        counters.bytesFromViewers += bytes.length;
        this.#reader.push(bytes);
        if (this.#viewer.backlogBytes > MAX_LIVE_BACKLOG_BYTES) this.#viewer.pause();
      },
      onDrain: () => {
        this.#open?.relay.onDrain();
        if (this.#viewer.isPaused) this.#viewer.resume();
      },
      onClose: () => void this.#onViewerClose(),
    });
  }

  async #connect(): Promise<OpenSession> {
    this.#open = this.#adopt(await this.#stream.connect(this.#abort.signal));
    return this.#open;
  }

  /** Every viewer's first question; the answer is there when it comes. */
  async #askEarly(open: OpenSession): Promise<RtspResponse> {
    const headers = new RtspHeaders([['Accept', 'application/sdp']]);
    const { responseMs } = this.#environment.timeouts;
    const response = await open.connection.request('DESCRIBE', open.url, headers, emptyBody, responseMs);
    // The next read overwrites what a body is a view of.
    return { ...response, body: Uint8Array.from(response.body) };
  }

  checkLife(): void {
    this.#viewer.checkLife();
  }

  checkIdle(now: number, timeoutMs: number): void {
    this.#viewer.checkIdle(now, timeoutMs);
  }

  checkSilence(): void {
    if (this.#open === null) return;
    const { connection } = this.#open;
    // A camera that waits for a slow viewer cannot be heard.
    if (connection.isPaused) this.#silence.restart();
    if (!this.#silence.isSilent(connection.bytesRead) || !this.#plays) return;
    const { silenceMs } = this.#environment.timeouts;
    this.#fail(new StreamError('timeout', `The camera has been silent for ${silenceMs} ms.`));
  }

  get progress(): Progress {
    return {
      bytesToViewer: this.#viewer.bytesSent,
      droppedFrames: this.#droppedFrames + (this.#open?.relay.dropper.droppedFrames ?? 0),
    };
  }

  close(code: CloseCode, sentence: string): void {
    this.#viewer.close(code, sentence);
  }

  destroy(): void {
    this.#viewer.terminate();
    this.#open?.connection.close();
  }

  #onRequest(request: RtspRequest): void {
    this.#cancelFirstRequest();
    if (this.#queue.length + this.#underWay >= MAX_QUEUED_REQUESTS) {
      this.close(CloseCode.limitReached, `More than ${MAX_QUEUED_REQUESTS} requests wait for answers.`);
    } else if (this.#plays && keepAliveMethods.has(request.method)) {
      void this.#serve(request);
    } else {
      this.#queue.push(request);
      if (!this.#isServing) void this.#serveQueue();
    }
  }

  /** One after the other: cameras mix up CSeq. Never rejects. */
  async #serveQueue(): Promise<void> {
    this.#isServing = true;
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) {
      await this.#serve(request);
    }
    this.#isServing = false;
  }

  /** Answers one request, or closes the viewer with the reason why not. Never rejects. */
  async #serve(request: RtspRequest): Promise<void> {
    this.#underWay++;
    try {
      await this.#answer(request);
    } catch (thrown) {
      const error = StreamError.from(thrown, 'camera-refused', 'The request could not be passed on.');
      if (error.code === 'timeout' && this.#hasPlayed) this.#reply(request, 504);
      else if (error.code === 'invalid-argument') this.#reply(request, 400);
      else this.#fail(error);
    } finally {
      this.#underWay--;
    }
  }

  async #answer(request: RtspRequest): Promise<void> {
    const { method } = request;
    if (!allowedMethods.includes(method)) {
      const headers = new RtspHeaders([['Allow', allowedMethods.join(', ')]]);
      this.#reply(request, otherMethods.has(method) ? 405 : 501, headers);
      return;
    }
    const entry = this.#table.find(request.url);
    if (entry === null) {
      this.#reply(request, 404);
      return;
    }
    const { clock, timeouts } = this.#environment;
    const deadline = clock.now() + timeouts.responseMs;
    await this.#connecting;
    // Cameras mix up CSeq.
    if (method !== 'DESCRIBE') await this.#describing.catch(() => undefined);
    if (method === 'DESCRIBE') await this.#describe(request, entry, deadline);
    else if (method === 'SETUP') await this.#setUpMedium(request, entry, deadline);
    else await this.#passOn(request, entry, deadline);
  }

  /** Takes a new connection over; the viewer may have gone in the meantime. */
  #adopt(open: OpenCamera): OpenSession {
    const { connection } = open;
    if (!this.#viewer.isOpen) {
      connection.close();
      throw new StreamError('aborted', 'The viewer has gone.');
    }
    const relay = new MediaRelay(this.#viewer, connection);
    connection.sink = relay;
    connection.onEnd = (error) => {
      // Not that of a connection that a redirect has replaced.
      if (this.#open === null || this.#open.connection === connection) this.#onCameraEnd(error);
    };
    connection.onRedirect = () => {
      this.#fail(new StreamError('camera-refused', 'The camera asks for a new connection.'));
    };
    return { ...open, relay };
  }

  async #describe(request: RtspRequest, entry: TableEntry, deadline: number): Promise<void> {
    if (entry.kind !== 'session') {
      this.#reply(request, 404);
      return;
    }
    const query = allowedQuery(entry.query, this.#camera.queryParameters);
    let open = this.#opened();
    let url = addQuery(open.url, query);
    let response = await this.#firstDescription(open, request, url, deadline);
    for (let hops = 0; response.status === 301 || response.status === 302; hops++) {
      if (hops === MAX_REDIRECTS) throw new StreamError('camera-refused', 'The camera redirects again and again.');
      const next = await this.#stream.follow(url, response.headers.get('Location') ?? '', this.#abort.signal);
      open.connection.onEnd = () => {};
      this.#droppedFrames += open.relay.dropper.droppedFrames;
      open.connection.close();
      open = this.#adopt(next);
      this.#open = open;
      url = open.url;
      response = await this.#ask(open, request, url, deadline);
    }
    if (response.status !== 200) {
      this.#reply(request, response.status, forwardedResponseHeaders(response.headers));
      return;
    }
    const description = parseSessionDescription(response.body);
    const { headers } = response;
    this.#table = new UrlTable(this.#camera.name, url);
    this.#table.describe(
      url,
      { contentBase: headers.get('Content-Base'), contentLocation: headers.get('Content-Location') },
      description,
    );
    this.#description = description;
    open.relay.slowViewerPolicy = isStored(description, request.headers) ? 'stored' : 'live';
    const forwarded = forwardedResponseHeaders(headers);
    forwarded.set('Content-Type', 'application/sdp');
    forwarded.set('Content-Base', this.#table.publicUrl(null));
    const text = rewriteSessionDescription(
      decodeText(response.body),
      (medium) => this.#table.publicUrl(medium),
      this.#camera.name,
    );
    this.#reply(request, 200, forwarded, new TextEncoder().encode(text));
  }

  /** The answer that was asked for early, where it is the same question. */
  #firstDescription(open: OpenSession, request: RtspRequest, url: string, deadline: number): Promise<RtspResponse> {
    const isEarly = !this.#hasDescribed && url === open.url && isPlain(request);
    this.#hasDescribed = true;
    return isEarly ? this.#describing : this.#ask(open, request, url, deadline);
  }

  async #setUpMedium(request: RtspRequest, entry: TableEntry, deadline: number): Promise<void> {
    const wanted = parseChannels(request.headers.get('Transport'));
    if (wanted === null) {
      this.#reply(request, 461);
      return;
    }
    const open = this.#opened();
    const response = await this.#askAny(open, request, entry, deadline, requestTransport(wanted));
    const forwarded = forwardedResponseHeaders(response.headers);
    if (response.status !== 200) {
      this.#reply(request, response.status, forwarded);
      return;
    }
    const transport = response.headers.get('Transport');
    const answered = parseChannels(transport);
    if (answered === null && /client_port|\/UDP/i.test(transport ?? '')) {
      // It insists on UDP and says so only here.
      this.#reply(request, 461);
      return;
    }
    // Some cameras answer with other channels than were asked for; theirs count.
    const channels = answered ?? wanted;
    const medium = entry.kind === 'medium' ? entry.index : 0;
    if (!this.#setUp.includes(medium)) this.#setUp.push(medium);
    this.#channels.add(channels.rtp).add(channels.rtcp);
    this.#reportChannels.add(channels.rtcp);
    const kind = this.#description?.media[medium]?.kind;
    if (this.#watched === null || (kind === 'video' && this.#watched.kind !== kind)) this.#watched = { kind, channels };
    open.connection.setChannels(this.#channels);
    open.relay.dropper.addChannel(channels.rtp, this.#description?.media[medium]?.formats ?? []);
    forwarded.set('Transport', responseTransport(transport, channels));
    this.#addSession(response, forwarded);
    this.#reply(request, 200, forwarded);
  }

  /** Everything but DESCRIBE and SETUP. */
  async #passOn(request: RtspRequest, entry: TableEntry, deadline: number): Promise<void> {
    // The media behind the answer to a PLAY are those of the new position: the answer has to go out before them.
    const onSuccess = (success: RtspResponse): void => this.#passBack(request, entry, success);
    const response = await this.#askAny(this.#opened(), request, entry, deadline, null, onSuccess);
    if (response.status !== 200) this.#passBack(request, entry, response);
  }

  #passBack(request: RtspRequest, entry: TableEntry, response: RtspResponse): void {
    const { method } = request;
    const { status, headers } = response;
    const forwarded = forwardedResponseHeaders(headers);
    this.#addSession(response, forwarded);
    if (method === 'OPTIONS' && status === 200) forwarded.set('Public', publicMethods(headers.get('Public')));
    const rtpInfo = headers.get('RTP-Info');
    if (rtpInfo !== null) {
      const table = this.#table;
      const rewritten = rewriteRtpInfo(
        rtpInfo,
        (url) => table.mediumOf(url),
        this.#setUp,
        (medium) => table.publicUrl(medium),
      );
      if (rewritten !== null) forwarded.set('RTP-Info', rewritten);
    }
    if (status === 200) this.#follow(method, entry);
    this.#reply(request, status, forwarded, method === 'GET_PARAMETER' && status === 200 ? response.body : emptyBody);
  }

  /** What a request that succeeded has changed. */
  #follow(method: string, entry: TableEntry): void {
    if (method === 'PLAY') {
      this.#plays = true;
      this.#hasPlayed = true;
      this.#silence.restart();
      if (this.#watched !== null) this.#open?.connection.awaitFirstFrame(this.#watched.channels);
    } else if (method === 'PAUSE') {
      this.#plays = false;
    } else if (method === 'TEARDOWN' && (entry.kind === 'session' || this.#setUp.length <= 1)) {
      this.#plays = false;
      this.#isTornDown = true;
    }
  }

  /** Asks at the entry's URLs in turn, until one is the right one. */
  async #askAny(
    open: OpenSession,
    request: RtspRequest,
    entry: TableEntry,
    deadline: number,
    transport: string | null,
    onSuccess?: (response: RtspResponse) => void,
  ): Promise<RtspResponse> {
    const urls = this.#table.urlsOf(entry);
    for (const [index, url] of urls.entries()) {
      const response = await this.#ask(open, request, url, deadline, transport, onSuccess);
      if (index < urls.length - 1 && otherUrlStatuses.has(response.status)) continue;
      if (response.status === 200 && urls.length > 1 && request.method !== 'OPTIONS') this.#table.prefer(entry, url);
      return response;
    }
    throw new StreamError('not-found', 'The camera has no URL for this medium.');
  }

  #ask(
    open: OpenSession,
    request: RtspRequest,
    url: string,
    deadline: number,
    transport: string | null = null,
    onSuccess?: (response: RtspResponse) => void,
  ): Promise<RtspResponse> {
    const headers = forwardedRequestHeaders(request.headers, request.body.length > 0);
    if (transport !== null) headers.set('Transport', transport);
    if (request.method === 'DESCRIBE' && !headers.has('Accept')) headers.set('Accept', 'application/sdp');
    if (this.#sessionId !== null) headers.set('Session', this.#sessionId);
    const { clock, timeouts } = this.#environment;
    const leftMs = Math.max(deadline - clock.now(), Math.min(MIN_CAMERA_RESPONSE_MS, timeouts.responseMs));
    return open.connection.request(request.method, url, headers, request.body, leftMs, onSuccess);
  }

  #opened(): OpenSession {
    if (this.#open === null) throw new StreamError('aborted', 'The viewer has gone.');
    return this.#open;
  }

  /** The viewer's Session header: the first id that the camera gave (H264DVR changes it), the time-out of this reply. */
  #addSession(response: RtspResponse, forwarded: RtspHeaders): void {
    const session = parseSession(response.headers.get('Session'));
    if (response.status === 200) this.#sessionId ??= session?.id ?? null;
    if (this.#sessionId === null) return;
    const timeout = session?.timeout ?? null;
    forwarded.set('Session', this.#sessionId + (timeout === null ? '' : `;timeout=${timeout}`));
  }

  #reply(request: RtspRequest, status: number, headers = new RtspHeaders(), body: Uint8Array = emptyBody): void {
    const all = new RtspHeaders();
    const cseq = request.headers.get('CSeq');
    if (cseq !== null) all.append('CSeq', cseq);
    for (const [name, value] of headers) all.append(name, value);
    this.#viewer.send(serializeResponse({ status, reason: reasonPhrase(status), headers: all, body }));
  }

  #onViewerFrame(channel: number, payload: Uint8Array): void {
    if (this.#open !== null && this.#reportChannels.has(channel) && looksLikeRtcp(payload)) {
      this.#open.connection.sendReport(channel, payload);
    } else {
      this.#environment.counters.rejectedFrames++;
    }
  }

  /** Ends the viewer's connection for a reason that lies with the camera. */
  #fail(error: StreamError): void {
    if (!this.#viewer.isOpen) return;
    if (error.code === 'timeout') this.#stream.reportFailure(error);
    this.close(closeCodeOf(error), error.message);
  }

  #onCameraEnd(error: StreamError): void {
    if (!this.#viewer.isOpen) return;
    if (this.#isTornDown) {
      this.#viewer.finish();
      return;
    }
    this.#stream.reportClosed();
    this.#fail(error);
  }

  async #onViewerClose(): Promise<void> {
    this.#cancelFirstRequest();
    this.#abort.abort();
    this.#reader.close();
    this.#queue.length = 0;
    const open = this.#open;
    if (open !== null) {
      const url = this.#table.urlsOf({ kind: 'session', query: '' })[0];
      if (this.#sessionId !== null && !this.#isTornDown && url !== undefined) {
        const isAnswered = await open.connection.teardown(url, this.#sessionId);
        // Perhaps that is why the viewer has left: the next one shall not take the camera for healthy.
        if (!isAnswered) this.#stream.reportClosed();
      }
      open.connection.close();
    }
    this.#end();
  }
}

/** Headers of a DESCRIBE that change nothing in its answer. */
const plainHeaders: ReadonlySet<string> = new Set(['accept', 'user-agent']);

/** Whether a DESCRIBE asks for nothing beyond the description. */
function isPlain(request: RtspRequest): boolean {
  return [...forwardedRequestHeaders(request.headers, false)].every(([name]) => plainHeaders.has(name.toLowerCase()));
}

/** Whether the media have an end, or the viewer asks for a recording as fast as it can take it (ONVIF replay). */
function isStored(description: SessionDescription, requested: RtspHeaders): boolean {
  if (/onvif-replay/i.test(requested.get('Require') ?? '')) return true;
  const ranges = [description.range, ...description.media.map((medium) => medium.range)];
  return ranges.some((range) => range !== null && hasEnd(range));
}

/** `npt=0-596.48`, `npt=0- 596.48`, `clock=…Z-…Z`, GStreamer's `npt=now-20` for a file; but `npt=now-` and `npt=0-0` are live. */
function hasEnd(range: string): boolean {
  const match = /^\s*(?:npt|clock|smpte[\w-]*)\s*=[^-]*-\s*([\d.:]+)/i.exec(range);
  return match !== null && /[1-9]/.test(match[1] ?? '');
}
