/** The proxy without a server of its own: upgrade requests → raw tunnels and named cameras' sessions. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlockList, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../shared/clock.js';
import { CLOSE_HANDSHAKE_TIMEOUT_MS, MAX_VIEWER_MESSAGE_BYTES, VIEWER_BURST_SECONDS } from '../shared/limits.js';
import { type Logger, silentLogger } from '../shared/logger.js';
import {
  BINARY_SUBPROTOCOL,
  CAMERA_NAME_PATTERN,
  CloseCode,
  RTSP_SUBPROTOCOL,
  TUNNEL_PATHS,
} from '../shared/proxy-protocol.js';
import { Admission } from './authorization/admission.js';
import type { Authorizer } from './authorization/authorizer.js';
import type { Authorize } from './authorization/hook.js';
import { makeAuthorizer } from './authorization/index.js';
import { requestToken } from './authorization/request-token.js';
import { CameraRegistry } from './camera-registry.js';
import { CameraSession } from './camera-session.js';
import { type AccessConfig, type AccessOptions, parseAccess } from './config.js';
import { type Connection, type Counters, defaultTimeouts, type Environment } from './connection.js';
import { ConnectionLimits, type Place } from './connection-limits.js';
import { HttpPages } from './http-pages.js';
import type { CameraStream } from './named-camera.js';
import { noRefusals, type RefusalCounts, type RefusalReason } from './refusals.js';
import { RequestGuard } from './request-guard.js';
import { StaticFiles } from './static-files.js';
import { TokenBucket } from './token-bucket.js';
import { Tunnel } from './tunnel.js';
import type { UpstreamOptions } from './upstream.js';
import { type Lookup, UpstreamPolicy } from './upstream-policy.js';
import { Viewer, type ViewerRates } from './viewer.js';
import { viewerAddress } from './viewer-address.js';
import { WriteCoalescer } from './write-coalescer.js';

/** Settings of the proxy. Without cameras and an allowlist it connects to nothing. */
export interface RtspProxyOptions extends AccessOptions {
  /** Decides who may see what; instead of `authorization`. */
  authorize?: Authorize;
  logger?: Logger;
  /** PEM certificates of authorities to trust for rtsps:// cameras, instead of the system's. */
  certificateAuthorities?: string;
  /** Looks up host names; the system's resolver by default. */
  lookup?: Lookup;
  clock?: Clock;
  /** Share of its time, 0 to 1, for which this thread worked since the last call; the event loop's by default. */
  utilization?: () => number;
  /** A connection to a camera was made, in so many seconds. */
  onCameraConnected?: (seconds: number) => void;
}

/** A stream of a named camera, as it is now. */
export interface CameraState {
  camera: string;
  stream: string;
  /** Whether it answered when it was last asked; null before it was. */
  answers: boolean | null;
  viewers: number;
}

/** What a running proxy has done; no names, addresses or URLs. */
export interface RtspProxyStats {
  /** Viewers that are connected to a raw tunnel, and to a named camera. */
  tunnels: number;
  cameraSessions: number;
  /** Viewers so far. */
  viewers: number;
  /** Viewers that the proxy has closed, by close code. */
  closed: Record<number, number>;
  bytesToViewers: number;
  bytesFromViewers: number;
  /** Frames of live streams that slow viewers did not get. */
  droppedFrames: number;
  /** Interleaved frames of viewers for channels that are not theirs. */
  rejectedFrames: number;
  /** Viewers that were turned away, over WebSocket or at `/cameras` and the pages, by the reason. */
  refusals: RefusalCounts;
}

export interface RtspProxy {
  /**
   * For the `upgrade` event of an HTTP server. Returns false, with the socket untouched, when the path is not the
   * proxy's; otherwise the socket is its own.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /**
   * For the `request` event: `/`, `/rtsp-player.js`, `/cameras`, `/healthz`, `/readyz`. Returns false, with nothing
   * touched, for other paths. A server that has pages of its own need not call it.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /**
   * Closes all viewers with 1001 and their cameras in good order; resolves when all have ended, a few seconds after the
   * last was closed at most. From now on it is not ready.
   * @param drainMs - the viewers are closed over this time, so that they do not all come back at once; 0 by default
   */
  close(drainMs?: number): Promise<void>;
  /**
   * Takes other settings while it runs. Viewers of cameras that are as they were stay; those of others are closed, to come
   * again; raw tunnels whose target is not in the allowlist any more are closed. What was checked when a viewer came (who it is, which page it is on) is not checked again. Throws
   * `invalid-argument`, and then everything stays as it was.
   */
  reconfigure(options: AccessOptions): void;
  stats(): RtspProxyStats;
  /** The streams of the named cameras. */
  cameraStates(): CameraState[];
  /** Whether new viewers are let in. */
  readonly isReady: boolean;
  /** Viewers that are let in at once; null: without limit. */
  readonly maxConnections: number | null;
}

/** Where a path leads. */
type Route = { kind: 'tunnel' } | { kind: 'camera'; name: string; stream: string | null };

/** One viewer from its upgrade to the end of both sides. */
interface Visit {
  route: Route;
  viewer: Viewer;
  address: string;
  /** Who it is, once that is known. */
  name: string | null;
  /** Whether it was turned away, and is counted as such. */
  isRefused: boolean;
  startedAt: number;
  /** Of a named camera, once it is admitted. */
  stream: CameraStream | null;
  place: Place | null;
  admission: Admission | null;
  connection: Connection | null;
}

/** The same with what was left out, as `undefined`. */
type RtspProxyOptionsOrNothing = { [K in keyof RtspProxyOptions]?: RtspProxyOptions[K] | undefined };

interface Refusal {
  reason: RefusalReason;
  code: CloseCode;
  sentence: string;
}

const noSuchCamera: Refusal = refusal(
  'unknown_camera',
  CloseCode.cameraUnknown,
  'The proxy knows no camera of this name.',
);
const goingDown: Refusal = refusal('going_down', CloseCode.goingDown, 'The proxy is going down.');
const tunnelPaths: ReadonlySet<string> = new Set(TUNNEL_PATHS);
const cameraPrefix = `${TUNNEL_PATHS[0]}/`;
/** How often silence is looked for within its time-out. */
const SILENCE_LOOKS = 6;
const IDLE_LOOKS = 4;
/** Least wait between viewers that are closed one after the other, milliseconds. */
const DRAIN_STEP_MS = 20;

/** Makes a proxy for a server that exists already. Throws `invalid-argument` when an option makes no sense. */
export function createRtspProxy(options: RtspProxyOptions = {}): RtspProxy {
  const { logger, authorize, certificateAuthorities, lookup, clock, utilization, onCameraConnected, ...access } =
    options;
  const rest = { logger, authorize, certificateAuthorities, lookup, clock, utilization, onCameraConnected };
  return new WebSocketProxy(parseAccess(access), rest);
}

class WebSocketProxy implements RtspProxy {
  readonly #environment: Environment;
  readonly #policy: UpstreamPolicy;
  readonly #options: Omit<RtspProxyOptionsOrNothing, keyof AccessOptions>;
  readonly #limits: ConnectionLimits;
  readonly #cameras: CameraRegistry;
  readonly #files = new StaticFiles();
  readonly #upstreamOptions: UpstreamOptions;
  #guard: RequestGuard;
  #authorizer: Authorizer | null;
  #trustedProxies: BlockList;
  #pages: HttpPages;
  readonly #server: WebSocketServer;
  readonly #connections = new Set<Connection>();
  readonly #visits = new Set<Visit>();
  /** One per viewer, from its upgrade to the end of both sides. */
  readonly #ends = new Set<Promise<void>>();
  readonly #closed: Record<number, number> = {};
  readonly #counters: Counters = {
    bytesFromViewers: 0,
    rejectedFrames: 0,
    refusals: noRefusals(),
  };
  #viewers = 0;
  #bytesToViewers = 0;
  #droppedFrames = 0;
  #cancelTimers: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(config: AccessConfig, options: RtspProxyOptionsOrNothing) {
    const { clock = systemClock, logger = silentLogger, onCameraConnected } = options;
    this.#options = options;
    this.#environment = {
      clock,
      logger,
      timeouts: { ...defaultTimeouts, ...config.timeouts },
      counters: this.#counters,
      coalescer: new WriteCoalescer(clock, options.utilization),
      ...(onCameraConnected === undefined ? {} : { onCameraConnected }),
    };
    this.#policy = new UpstreamPolicy(config.allow, options.lookup, this.#environment);
    this.#limits = new ConnectionLimits(config.limits, clock);
    this.#guard = new RequestGuard(config);
    this.#authorizer = this.#makeAuthorizer(config);
    this.#trustedProxies = config.trustProxy;
    this.#upstreamOptions = {
      clock,
      timeouts: this.#environment.timeouts,
      certificateAuthorities: options.certificateAuthorities ?? config.cameraAuthorities ?? undefined,
    };
    this.#cameras = new CameraRegistry({
      policy: this.#policy,
      upstream: this.#upstreamOptions,
      environment: this.#environment,
    });
    this.#cameras.replace(config.cameras);
    this.#pages = this.#makePages();
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MAX_VIEWER_MESSAGE_BYTES,
      skipUTF8Validation: true,
      ...{ closeTimeout: CLOSE_HANDSHAKE_TIMEOUT_MS },
      handleProtocols: (offered) =>
        [RTSP_SUBPROTOCOL, BINARY_SUBPROTOCOL].find((protocol) => offered.has(protocol)) ?? false,
    });
  }

  get maxConnections(): number | null {
    return this.#limits.options.connections;
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const route = findRoute(request.url ?? '');
    if (route === null) return false;
    if (!this.#limits.allowsHandshake(viewerAddress(request, this.#trustedProxies))) {
      this.#counters.refusals.limit++;
      socket.on('error', () => {});
      socket.end('HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n');
      return true;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      // Both net.Socket and tls.TLSSocket are; the HTTP server's types do not say so.
      this.#accept(request, route, webSocket, socket as Socket);
    });
    return true;
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#pages.handle(request, response);
  }

  get isReady(): boolean {
    return this.#closing === null;
  }

  close(drainMs = 0): Promise<void> {
    this.#closing ??= this.#shutDown(drainMs);
    return this.#closing;
  }

  reconfigure(options: AccessOptions): void {
    const config = parseAccess(options);
    const authorizer = this.#makeAuthorizer(config);
    // Nothing below throws.
    Object.assign(this.#environment.timeouts, defaultTimeouts, config.timeouts);
    this.#policy.rules = config.allow;
    this.#limits.change(config.limits);
    this.#guard = new RequestGuard(config);
    this.#authorizer = authorizer;
    this.#trustedProxies = config.trustProxy;
    const changed = this.#cameras.replace(config.cameras);
    this.#pages = this.#makePages();
    for (const { route, viewer } of this.#visits) {
      if (route.kind !== 'camera' || !changed.has(route.name)) continue;
      if (this.#cameras.get(route.name) === undefined) viewer.close(noSuchCamera.code, noSuchCamera.sentence);
      else viewer.close(CloseCode.tryAgainLater, 'The settings of the camera have changed.');
    }
    for (const connection of [...this.#connections]) {
      if (connection instanceof Tunnel) connection.checkPolicy();
    }
  }

  cameraStates(): CameraState[] {
    const viewers = new Map<CameraStream, number>();
    for (const { stream, connection } of this.#visits) {
      if (stream !== null && connection !== null) viewers.set(stream, (viewers.get(stream) ?? 0) + 1);
    }
    return [...this.#cameras.all.values()].flatMap((camera) =>
      [...camera.streams].map(([name, stream]) => ({
        camera: camera.name,
        stream: name,
        answers: stream.answers,
        viewers: viewers.get(stream) ?? 0,
      })),
    );
  }

  stats(): RtspProxyStats {
    const connections = [...this.#connections];
    const sum = (key: 'bytesToViewer' | 'droppedFrames'): number =>
      connections.reduce((total, connection) => total + connection.progress[key], 0);
    const tunnels = connections.filter((connection) => connection instanceof Tunnel).length;
    return {
      tunnels,
      cameraSessions: connections.length - tunnels,
      viewers: this.#viewers,
      closed: { ...this.#closed },
      bytesToViewers: this.#bytesToViewers + sum('bytesToViewer'),
      bytesFromViewers: this.#counters.bytesFromViewers,
      droppedFrames: this.#droppedFrames + sum('droppedFrames'),
      rejectedFrames: this.#counters.rejectedFrames,
      refusals: { ...this.#counters.refusals },
    };
  }

  #makeAuthorizer(config: AccessConfig): Authorizer | null {
    return makeAuthorizer({ ...config.authorization, authorize: this.#options.authorize }, this.#environment.clock);
  }

  #makePages(): HttpPages {
    return new HttpPages({
      guard: this.#guard,
      cameras: this.#cameras.all,
      files: this.#files,
      isReady: () => this.isReady,
      authorizer: this.#authorizer,
      addressOf: (request) => viewerAddress(request, this.#trustedProxies),
      environment: this.#environment,
    });
  }

  #accept(request: IncomingMessage, route: Route, webSocket: WebSocket, socket: Socket): void {
    const visit: Visit = {
      route,
      viewer: new Viewer(webSocket, socket),
      address: viewerAddress(request, this.#trustedProxies),
      name: null,
      isRefused: false,
      startedAt: this.#environment.clock.now(),
      stream: null,
      place: null,
      admission: null,
      connection: null,
    };
    this.#viewers++;
    this.#visits.add(visit);
    const gone = new Promise<void>((resolve) => {
      webSocket.once('close', () => {
        visit.admission?.stop();
        resolve();
      });
    });
    const end = gone
      .then(() => visit.connection?.ended)
      .then(() => {
        this.#ends.delete(end);
        this.#onEnd(visit);
      });
    this.#ends.add(end);
    this.#receive(request, visit);
  }

  /** Lets a viewer in, or closes it with the reason why not. */
  #receive(request: IncomingMessage, visit: Visit): void {
    const { route, viewer, address } = visit;
    const reason = this.#refusalOf(request, visit);
    if (reason !== null) {
      this.#refuse(visit, reason);
      return;
    }
    viewer.limitRates(this.#rates());
    const authorizer = this.#authorizer;
    if (authorizer === null) {
      this.#admit(visit, null);
      return;
    }
    visit.admission = new Admission({
      viewer,
      question: {
        camera: route.kind === 'camera' ? route.name : null,
        token: requestToken(request, authorizer.tokenCookie),
        address,
        origin: request.headers.origin ?? null,
        request,
      },
      authorizer,
      clock: this.#environment.clock,
      timeouts: this.#environment.timeouts,
      onAdmitted: (name) => this.#admit(visit, name),
      onRefused: (reason) => this.#countRefusal(visit, reason),
    });
  }

  #refuse(visit: Visit, { reason, code, sentence }: Refusal): void {
    this.#countRefusal(visit, reason);
    visit.viewer.close(code, sentence);
  }

  #countRefusal(visit: Visit, reason: RefusalReason): void {
    if (visit.isRefused) return;
    visit.isRefused = true;
    this.#counters.refusals[reason]++;
  }

  /** What keeps a viewer out, whoever it is; null when nothing does, and then it has its place. */
  #refusalOf(request: IncomingMessage, visit: Visit): Refusal | null {
    if (this.#closing !== null) return goingDown;
    if (!this.#guard.isOwnHost(request)) {
      return refusal('host', CloseCode.forbidden, 'This is not a name of the proxy; see --public-host.');
    }
    const origin = this.#guard.judgeOrigin(request);
    if (origin === 'refused') {
      return refusal('origin', CloseCode.forbidden, 'Pages of this origin may not connect; see --allow-origin.');
    }
    // Browsers always name the page that opens a WebSocket, and only browsers send cookies that somebody else has set.
    if (origin === 'absent' && request.headers.cookie !== undefined) {
      return refusal('origin', CloseCode.forbidden, 'Cookies are accepted only with the Origin of the page.');
    }
    if (visit.route.kind === 'camera' && !CAMERA_NAME_PATTERN.test(visit.route.name)) return noSuchCamera;
    const place = this.#limits.enter(visit.address);
    if (typeof place === 'string') return refusal('limit', CloseCode.limitReached, place);
    visit.place = place;
    return null;
  }

  #admit(visit: Visit, name: string | null): void {
    const { route, place } = visit;
    visit.name = name;
    const reason = place?.claim(name, route.kind === 'camera' ? route.name : null) ?? null;
    if (reason !== null) {
      this.#refuse(visit, refusal('limit', CloseCode.limitReached, reason));
      return;
    }
    // It may have begun to close while the viewer was asked about.
    const connection = this.#closing === null ? this.#connect(visit) : goingDown;
    if (isRefusal(connection)) {
      this.#refuse(visit, connection);
      return;
    }
    visit.connection = connection;
    this.#connections.add(connection);
    this.#startTimers();
  }

  #rates(): ViewerRates {
    const { messagesPerSecond, bytesPerSecond } = this.#limits.options;
    const { clock } = this.#environment;
    const bucket = (perSecond: number | null): TokenBucket | null =>
      perSecond === null ? null : new TokenBucket(perSecond, perSecond * VIEWER_BURST_SECONDS, clock.now());
    return { messages: bucket(messagesPerSecond), bytes: bucket(bytesPerSecond), now: () => clock.now() };
  }

  /** Starts what the viewer came for, or says why not. */
  #connect(visit: Visit): Connection | Refusal {
    const { route, viewer } = visit;
    const environment = this.#environment;
    if (route.kind === 'tunnel') {
      if (this.#policy.isEmpty) {
        return refusal(
          'target',
          CloseCode.forbidden,
          'This proxy has no allowlist: it connects to its named cameras only.',
        );
      }
      return new Tunnel({ viewer, policy: this.#policy, upstream: this.#upstreamOptions, environment });
    }
    const camera = this.#cameras.get(route.name);
    if (camera === undefined) return noSuchCamera;
    const stream = camera.stream(route.stream);
    if (stream === null)
      return refusal('unknown_camera', CloseCode.cameraUnknown, 'The camera has no stream of this name.');
    visit.stream = stream;
    return new CameraSession({ viewer, camera, stream, environment });
  }

  #onEnd(visit: Visit): void {
    const { route, viewer, connection } = visit;
    visit.place?.leave();
    this.#visits.delete(visit);
    const code = viewer.closeCode;
    if (code !== null) this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    // What its first request told.
    if (code === CloseCode.notRtsp) this.#countRefusal(visit, 'not_rtsp');
    else if (code === CloseCode.forbidden && connection instanceof Tunnel) this.#countRefusal(visit, 'target');
    if (connection !== null) {
      this.#connections.delete(connection);
      this.#bytesToViewers += connection.progress.bytesToViewer;
      this.#droppedFrames += connection.progress.droppedFrames;
    }
    if (this.#connections.size === 0) this.#stopTimers();
    const { clock, logger } = this.#environment;
    logger.info('A viewer has left.', {
      // Only names that exist: the rest is whatever somebody typed.
      camera: route.kind === 'camera' && connection !== null ? route.name : null,
      viewer: visit.address,
      name: visit.name,
      bytes: viewer.bytesSent,
      seconds: Math.round((clock.now() - visit.startedAt) / 1_000),
      closeCode: code,
      reason: viewer.closeSentence,
    });
  }

  #startTimers(): void {
    if (this.#cancelTimers !== null) return;
    const { timeouts } = this.#environment;
    const { clock } = this.#environment;
    const cancelLife = this.#repeat(timeouts.pingMs, (connection) => connection.checkLife());
    const cancelIdle = this.#repeat(timeouts.idleMs / IDLE_LOOKS, (connection) => {
      connection.checkIdle(clock.now(), timeouts.idleMs);
    });
    const cancelSilence = this.#repeat(timeouts.silenceMs / SILENCE_LOOKS, (connection) => connection.checkSilence());
    this.#cancelTimers = () => {
      cancelLife();
      cancelSilence();
      cancelIdle();
    };
  }

  #stopTimers(): void {
    this.#cancelTimers?.();
    this.#cancelTimers = null;
  }

  #repeat(intervalMs: number, look: (connection: Connection) => void): () => void {
    const { clock } = this.#environment;
    let cancel = (): void => {};
    const plan = (): void => {
      cancel = clock.schedule(intervalMs, () => {
        plan();
        for (const connection of [...this.#connections]) look(connection);
      });
    };
    plan();
    return () => cancel();
  }

  async #shutDown(drainMs: number): Promise<void> {
    // Set before the first viewer is closed: `#closing` itself is assigned only when this returns.
    await Promise.resolve();
    const { clock, timeouts } = this.#environment;
    const visits = [...this.#visits];
    let owedMs = 0;
    for (const [index, { viewer }] of visits.entries()) {
      viewer.close(goingDown.code, goingDown.sentence);
      owedMs += drainMs / visits.length;
      if (owedMs < DRAIN_STEP_MS || index === visits.length - 1) continue;
      const pauseMs = owedMs;
      owedMs = 0;
      await new Promise<void>((resolve) => clock.schedule(pauseMs, resolve));
    }
    let cancel = (): void => {};
    const timeout = new Promise<void>((resolve) => {
      cancel = clock.schedule(timeouts.shutdownMs, resolve);
    });
    await Promise.race([Promise.all(this.#ends), timeout]);
    cancel();
    for (const connection of [...this.#connections]) connection.destroy();
    for (const webSocket of this.#server.clients) webSocket.terminate();
    // The WebSocket server itself stays, to tell those who still come.
    this.#stopTimers();
  }
}

function isRefusal(result: Connection | Refusal): result is Refusal {
  return 'reason' in result;
}

function refusal(reason: RefusalReason, code: CloseCode, sentence: string): Refusal {
  return { reason, code, sentence };
}

/** @param url - of the request: path and query */
function findRoute(url: string): Route | null {
  const path = url.split('?', 1)[0] ?? '';
  if (tunnelPaths.has(path)) return { kind: 'tunnel' };
  if (!path.startsWith(cameraPrefix)) return null;
  const [name = '', stream = null, ...rest] = path.slice(cameraPrefix.length).split('/');
  // A path too long for any camera is still the proxy's, and leads to no camera.
  return rest.length > 0 ? { kind: 'camera', name: '', stream: null } : { kind: 'camera', name, stream };
}
