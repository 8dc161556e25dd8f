/**
 * A camera that pages know by its name only: its streams' URLs, its credentials, and whether it answers, for all its
 * viewers together.
 */
import { Authenticator, type Credentials } from '../shared/authentication.js';
import { StreamError } from '../shared/errors.js';
import { emptyBody, RtspHeaders } from '../shared/rtsp-message.js';
import { formatRtspUrl, parseRtspUrl, type RtspUrl } from '../shared/rtsp-url.js';
import { CameraConnection } from './camera-connection.js';
import { CameraProber } from './camera-prober.js';
import type { CameraConfig, CameraTlsConfig } from './config.js';
import type { Environment } from './connection.js';
import type { CredentialsGate } from './credentials-gate.js';
import type { UpstreamOptions } from './upstream.js';
import type { UpstreamPolicy, UpstreamTarget } from './upstream-policy.js';

/** What a camera needs of the proxy. */
export interface CameraEnvironment {
  policy: UpstreamPolicy;
  upstream: UpstreamOptions;
  environment: Environment;
  /** The gate of an account: streams and cameras behind one address share it. */
  gateOf: (url: RtspUrl) => CredentialsGate;
}

/** A connection, and the URL at which the camera's media are to be asked for on it, without credentials. */
export interface OpenCamera {
  connection: CameraConnection;
  url: string;
}

export class NamedCamera {
  readonly name: string;
  readonly title: string;
  /** Query parameters that a page may add to the camera's URL. */
  readonly queryParameters: ReadonlySet<string>;
  /** By name, the first being the one that plays when none is named. */
  readonly streams: ReadonlyMap<string, CameraStream>;

  constructor(config: CameraConfig, environment: CameraEnvironment) {
    this.name = config.name;
    this.title = config.title;
    this.queryParameters = new Set(config.queryParameters);
    this.streams = new Map(
      [...config.streams].map(
        ([stream, url]) =>
          [stream, new CameraStream(`${config.name}/${stream}`, url, config.tls, environment)] as const,
      ),
    );
  }

  /** @param name - null for the first one */
  stream(name: string | null): CameraStream | null {
    const wanted = name ?? this.streams.keys().next().value;
    return wanted === undefined ? null : (this.streams.get(wanted) ?? null);
  }
}

export class CameraStream {
  readonly #url: RtspUrl;
  readonly #credentials: Credentials | null;
  readonly #camera: CameraEnvironment;
  /** Connections to the configured host: its certificate may be known in another way. */
  readonly #upstream: UpstreamOptions;
  readonly #gate: CredentialsGate;
  readonly #prober: CameraProber<CameraConnection>;
  #answers: boolean | null = null;

  /**
   * @param label - for the log
   * @param url - with the credentials, if any; throws `invalid-url`
   */
  constructor(label: string, url: string, tls: CameraTlsConfig, camera: CameraEnvironment) {
    this.#url = parseRtspUrl(url);
    const { username, password } = this.#url;
    this.#credentials = username === null ? null : { username, password: password ?? '' };
    this.#camera = camera;
    this.#upstream = {
      ...camera.upstream,
      ...(tls.authorities === null ? {} : { certificateAuthorities: tls.authorities }),
      ...(tls.fingerprint === null ? {} : { fingerprint: tls.fingerprint }),
    };
    this.#gate = camera.gateOf(this.#url);
    const { timeouts, clock, logger } = camera.environment;
    this.#prober = new CameraProber(
      {
        connect: (signal) =>
          this.#open(() => camera.policy.resolveConfigured(this.#url), this.#upstream, this.#credentials, signal),
        verify: async (connection) => {
          await connection.request('OPTIONS', this.url, new RtspHeaders(), emptyBody, timeouts.responseMs);
        },
        discard: (connection) => connection.close(),
        report: (failure) => {
          this.#answers = failure === null;
          if (failure === null) logger.info('A camera answers again.', { camera: label });
          else logger.warn('A camera does not answer.', { camera: label, reason: failure.message });
        },
      },
      clock,
    );
  }

  /** Whether the camera answered when it was last asked; null before it was. */
  get answers(): boolean | null {
    return this.#answers;
  }

  /** The configured URL without credentials. It must not leave the proxy. */
  get url(): string {
    return formatRtspUrl(this.#url);
  }

  /** A connection, now or when the camera is back; see `CameraProber.connect`. */
  async connect(signal: AbortSignal): Promise<OpenCamera> {
    this.#refuseRejected();
    const connection = await this.#prober.connect(this.#camera.environment.timeouts.holdMs, signal);
    return { connection, url: this.url };
  }

  /**
   * A connection to where the camera redirects (301, 302), if the policy of targets allows it. The credentials go along
   * to the same host only. Rejects with `forbidden`, and as `connect` does, without holding.
   */
  async follow(from: string, location: string, signal: AbortSignal): Promise<OpenCamera> {
    let url: RtspUrl;
    try {
      url = parseRtspUrl(location);
    } catch (error) {
      throw new StreamError('request-failed', 'The camera redirects to what is no RTSP URL.', { cause: error });
    }
    const last = parseRtspUrl(from);
    if (last.scheme === 'rtsps' && url.scheme === 'rtsp') {
      throw new StreamError('forbidden', 'The camera redirects from an encrypted connection to an open one.');
    }
    const isSameHost = url.host.toLowerCase() === this.#url.host.toLowerCase();
    const isSamePlace = isSameHost && url.port === this.#url.port && url.scheme === this.#url.scheme;
    const connection = await this.#open(
      () => (isSamePlace ? this.#camera.policy.resolveConfigured(url) : this.#resolveElsewhere(url)),
      isSameHost ? this.#upstream : this.#camera.upstream,
      isSameHost ? this.#credentials : null,
      signal,
    );
    return { connection, url: formatRtspUrl(url) };
  }

  /** The next viewer would meet this failure as well: a camera that does not answer. */
  reportFailure(error: StreamError): void {
    this.#prober.fail(error);
    this.#gate.doubt();
  }

  /** The camera closed a connection in the middle of it. */
  reportClosed(): void {
    this.#prober.doubt();
    this.#gate.doubt();
  }

  async #open(
    resolve: () => Promise<UpstreamTarget>,
    upstream: UpstreamOptions,
    credentials: Credentials | null,
    signal: AbortSignal,
  ): Promise<CameraConnection> {
    this.#refuseRejected();
    const { environment } = this.#camera;
    const { clock, onCameraConnected } = environment;
    const startedAt = clock.now();
    const connection = await CameraConnection.open(
      {
        target: await resolve(),
        since: startedAt,
        upstream,
        authenticator: credentials === null ? null : new Authenticator(credentials),
        gate: this.#gate,
        environment,
      },
      signal,
    );
    this.#answers = true;
    onCameraConnected?.((clock.now() - startedAt) / 1_000);
    return connection;
  }

  /** Wrong credentials are known without asking the camera again. */
  #refuseRejected(): void {
    const { rejection } = this.#gate;
    if (rejection !== null) throw rejection;
  }

  async #resolveElsewhere(url: RtspUrl): Promise<UpstreamTarget> {
    try {
      return await this.#camera.policy.resolve(url);
    } catch (error) {
      // The page need not know where to.
      const failure = StreamError.from(error, 'forbidden', '');
      if (failure.code !== 'forbidden') throw failure;
      throw new StreamError('forbidden', 'The camera redirects to a place that the allowlist does not have.');
    }
  }
}
