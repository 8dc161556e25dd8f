/**
 * What the administrator wants, from a JSON file, the command line or a host program's code → checked settings. Every
 * complaint names the place, the value (without credentials) and what was expected.
 */
import type { BlockList } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { StreamError } from '../shared/errors.js';
import { DRAIN_MS } from '../shared/limits.js';
import { CAMERA_NAME_PATTERN } from '../shared/proxy-protocol.js';
import { formatRtspUrl, parseRtspUrl, type RtspUrl } from '../shared/rtsp-url.js';
import type { ForwardOptions } from './authorization/forward.js';
import type { JwtOptions } from './authorization/jwt.js';
import { checkShape, invalid } from './config-check.js';
import type { Timeouts } from './connection.js';
import type { ConnectionLimitOptions } from './connection-limits.js';
import { parseHost } from './ip-address.js';
import type { LogFormat, LogLevel } from './log.js';
import { parseSecretArgument, readSecret, readTextFile, type Secret } from './secret.js';
import { type AllowRule, parseAllowRule } from './upstream-policy.js';
import { parseNetworks } from './viewer-address.js';

/** A camera as it is written in a configuration. */
export interface CameraOptions {
  /** What pages call it: `a-z`, `0-9`, `-` and `_`. */
  name: string;
  /** For people; the name by default. */
  title?: string;
  /** rtsp:// or rtsps://, with credentials if the camera wants them. Either this or `streams`. */
  url?: Secret;
  /** URLs by the stream's name, `main` and `sub` for example; the first one plays when a page names none. */
  streams?: Readonly<Record<string, Secret>>;
  /** Instead of those in the URLs. */
  username?: Secret;
  password?: Secret;
  /** Query parameters that a page may add to the URL, a recorder's start time for example. */
  queryParameters?: readonly string[];
  /** How its certificate is known; by the system's authorities otherwise. */
  tls?: CameraTlsOptions;
}

/** One of the two. */
export interface CameraTlsOptions {
  /** SHA-256 of the certificate in hexadecimal, with or without colons. */
  fingerprint?: string;
  /** A PEM file. */
  authorities?: string;
}

/** A camera whose settings make sense. */
export interface CameraConfig {
  name: string;
  title: string;
  /** URLs, with their credentials, by the stream's name; at least one. */
  streams: ReadonlyMap<string, string>;
  queryParameters: readonly string[];
  tls: CameraTlsConfig;
}

/** Both null: the proxy's own authorities. */
export interface CameraTlsConfig {
  /** 64 capital hexadecimal digits. */
  fingerprint: string | null;
  /** PEM. */
  authorities: string | null;
}

/** One of the two. */
export interface AuthorizationOptions {
  jwt?: Omit<JwtOptions, 'secret' | 'publicKey'> & { secret?: Secret; publicKey?: Secret };
  forward?: ForwardOptions;
}

/** The part of a configuration that `createRtspProxy` takes as well. */
export interface AccessOptions {
  cameras?: readonly CameraOptions[];
  /** Targets of raw tunnels: HOST or CIDR, with an optional :PORT. Nothing by default. */
  allow?: readonly string[];
  /** Origins of other sites' pages that may connect: `https://portal.example`. */
  allowOrigins?: readonly string[];
  /** Names under which pages reach the proxy, besides localhost and addresses. */
  publicHosts?: readonly string[];
  /** Who may see what; everybody by default. */
  authorization?: AuthorizationOptions;
  /** Addresses and networks of load balancers whose X-Forwarded-For is believed. */
  trustProxy?: readonly string[];
  limits?: Partial<ConnectionLimitOptions>;
  /** Waits that shall differ from the defaults, in milliseconds. */
  timeouts?: Partial<Timeouts>;
  /** A PEM file with the authorities to trust for rtsps:// cameras instead of the system's. */
  cameraAuthorities?: string;
}

export interface AccessConfig {
  cameras: CameraConfig[];
  allow: AllowRule[];
  allowOrigins: string[];
  publicHosts: string[];
  authorization: { jwt?: JwtOptions; forward?: ForwardOptions };
  trustProxy: BlockList;
  limits: Partial<ConnectionLimitOptions>;
  timeouts: Partial<Timeouts>;
  /** PEM; null: the system's. */
  cameraAuthorities: string | null;
}

export interface ListenAddress {
  host: string;
  port: number;
}

/** PEM files. */
export interface TlsFiles {
  /** The server's certificate, with the intermediate ones behind it. */
  certificate: string;
  key: string;
}

/** Everything that a configuration file may say, in its own form. */
export interface Settings extends AccessOptions {
  listen?: string;
  tls?: TlsFiles;
  insecurePublic?: boolean;
  /** Processes that share the address; 1 by default. */
  workers?: number;
  demo?: boolean;
  log?: LogOptions;
  /** Whether Prometheus finds /metrics beside the pages. */
  metrics?: boolean;
  /** An address of its own for /metrics, instead. */
  metricsListen?: string;
  /** Over how long viewers are sent away after SIGTERM, milliseconds. */
  drainMs?: number;
}

export interface LogOptions {
  level?: LogLevel;
  format?: LogFormat;
}

/** A configuration file's contents. */
export interface FileConfig {
  access: AccessOptions;
  listen: ListenAddress | null;
  tls: TlsFiles | null;
  insecurePublic: boolean;
  workers: number;
  demo: boolean;
  log: LogOptions;
  metrics: boolean;
  metricsListen: ListenAddress | null;
  drainMs: number;
}

const DEFAULT_STREAM = 'main';
const namePhrase = 'a name of a-z, 0-9, - and _ (at most 63, with a letter or digit at both ends)';

/** Checks what the proxy may do; throws `invalid-argument` at the first thing that makes no sense. */
export function parseAccess(options: unknown): AccessConfig {
  checkShape(options);
  const value = options as AccessOptions;
  const { authorization = {}, limits = {}, timeouts = {}, cameraAuthorities } = value;
  const cameras = (value.cameras ?? []).map((camera, index) => parseCamera(camera, `cameras[${index}]`));
  for (const [index, camera] of cameras.entries()) {
    const isTaken = cameras.findIndex((other) => other.name === camera.name) < index;
    if (isTaken) throw invalid(`cameras[${index}].name`, camera.name, 'a name that no other camera has');
  }
  return {
    cameras,
    allow: (value.allow ?? []).map(parseAllowRule),
    allowOrigins: (value.allowOrigins ?? []).map(parseOrigin),
    publicHosts: (value.publicHosts ?? []).map(parsePublicHost),
    authorization: parseAuthorization(authorization),
    trustProxy: parseNetworks(value.trustProxy ?? [], 'trustProxy'),
    limits,
    timeouts,
    cameraAuthorities: cameraAuthorities === undefined ? null : readPem(cameraAuthorities, 'cameraAuthorities'),
  };
}

/**
 * Reads a configuration file's text; throws `invalid-argument`.
 * @param folder - what the names of files in it are relative to
 */
export function parseConfigFile(text: string, folder = process.cwd()): FileConfig {
  return parseSettings(readSettings(text, folder));
}

/** A file's settings, not checked beyond being an object, with absolute names of files. */
export function readSettings(text: string, folder: string): Settings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words would show a piece of the file, with a password perhaps.
    throw new StreamError('invalid-argument', 'The configuration file is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) checkShape(value);
  return withAbsoluteNames(value, folder) as Settings;
}

/** Checks everything. Throws `invalid-argument`. */
export function parseSettings(settings: Settings): FileConfig {
  checkShape(settings);
  const { $schema: _, ...known } = settings as Settings & { $schema?: string };
  const { listen, tls, insecurePublic, workers, demo, log, metrics, metricsListen, drainMs, ...access } = known;
  parseAccess(access);
  return {
    access,
    listen: listen === undefined ? null : parseListen(listen),
    tls: tls ?? null,
    insecurePublic: insecurePublic ?? false,
    workers: workers ?? 1,
    demo: demo ?? false,
    log: log ?? {},
    metrics: metrics ?? false,
    metricsListen: metricsListen === undefined ? null : parseListen(metricsListen),
    drainMs: drainMs ?? DRAIN_MS,
  };
}

/** Settings whose value is the name of a file. */
const fileKeys: ReadonlySet<string> = new Set(['file', 'authorities', 'cameraAuthorities', 'certificate', 'key']);

function withAbsoluteNames(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withAbsoluteNames(item, folder));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const isName = fileKeys.has(key) && typeof item === 'string' && item !== '' && !isAbsolute(item);
    return [key, isName ? join(folder, item) : withAbsoluteNames(item, folder)] as const;
  });
  return Object.fromEntries(entries);
}

function parseAuthorization({ jwt, forward }: AuthorizationOptions): AccessConfig['authorization'] {
  if (forward !== undefined) return { forward };
  if (jwt === undefined) return {};
  const { secret, publicKey, ...rest } = jwt;
  const path = 'authorization.jwt';
  return {
    jwt: {
      ...rest,
      secret: readSecret(secret, `${path}.secret`) ?? undefined,
      publicKey: readSecret(publicKey, `${path}.publicKey`) ?? undefined,
    },
  };
}

/** `HOST:PORT`; IPv6 in brackets, port 0 for a free one. */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? -1);
  if (port < 0 || port > 65_535 || parseHost(host).kind === 'invalid') {
    throw invalid('listen', text, 'HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080');
  }
  return { host, port };
}

/** `NAME=RTSP-URL`, or `NAME/STREAM=RTSP-URL`, where the URL may be `env:NAME` or `file:PATH`; several streams of a name make one camera. */
export function parseCameraArguments(texts: readonly string[]): CameraOptions[] {
  const cameras = new Map<string, Record<string, Secret>>();
  for (const text of texts) {
    const match = /^([^=/]*)(?:\/([^=/]*))?=(.*)$/s.exec(text);
    if (match === null) throw invalid('--camera', text, 'NAME=RTSP-URL');
    const [, name = '', stream = DEFAULT_STREAM, url = ''] = match;
    const secret = parseSecretArgument(url) ?? url;
    // Checked one by one, so that the complaint names the option rather than a place in a list.
    parseCamera({ name, streams: { [stream]: secret } }, '--camera');
    const streams = cameras.get(name) ?? {};
    if (stream in streams) throw invalid('--camera', name, 'each name once, or NAME/STREAM=RTSP-URL');
    streams[stream] = secret;
    cameras.set(name, streams);
  }
  return [...cameras].map(([name, streams]) => ({ name, streams }));
}

/** Every password in these cameras' URLs, as written and decoded, and the tokens' secret: words that must not reach a log. */
export function secretsOf({ cameras, authorization }: Pick<AccessConfig, 'cameras' | 'authorization'>): string[] {
  const passwords = cameras
    .flatMap((camera) => [...camera.streams.values()])
    .map((url) => parseRtspUrl(url).password)
    .concat(authorization.jwt?.secret ?? null)
    .filter((password) => password !== null && password !== '');
  return [...new Set(passwords.flatMap((password) => [password ?? '', encodeURIComponent(password ?? '')]))];
}

function parseCamera(camera: CameraOptions, path: string): CameraConfig {
  const { name, url, streams, title = name, queryParameters = [], tls = {} } = camera;
  if (!CAMERA_NAME_PATTERN.test(name)) throw invalid(`${path}.name`, name, namePhrase);
  if ((url === undefined) === (streams === undefined)) {
    throw new StreamError('invalid-argument', `${path} needs either a url or streams.`);
  }
  const username = readSecret(camera.username, `${path}.username`);
  const password = readSecret(camera.password, `${path}.password`);
  const byName = streams ?? (url === undefined ? {} : { [DEFAULT_STREAM]: url });
  const entries = Object.entries(byName).map(([stream, secret]) => {
    const place = streams === undefined ? `${path}.url` : `${path}.streams.${stream}`;
    if (!CAMERA_NAME_PATTERN.test(stream)) throw invalid(`${path}.streams`, stream, namePhrase);
    const text = readSecret(secret, place) ?? '';
    return [stream, withCredentials(text, parseCameraUrl(text, place), username, password, place)] as const;
  });
  return {
    name,
    title,
    streams: new Map(entries),
    queryParameters,
    tls: {
      fingerprint: tls.fingerprint?.replaceAll(':', '').toUpperCase() ?? null,
      authorities: tls.authorities === undefined ? null : readPem(tls.authorities, `${path}.tls.authorities`),
    },
  };
}

/** The URL with these credentials where they are given, as it was written otherwise. */
function withCredentials(
  text: string,
  url: RtspUrl,
  username: string | null,
  password: string | null,
  path: string,
): string {
  if (username === null && password === null) return text;
  const name = username ?? url.username;
  if (name === null) throw new StreamError('invalid-argument', `${path} needs a username beside the password.`);
  const rest = formatRtspUrl(url).slice(`${url.scheme}://`.length);
  const secret = password ?? url.password ?? '';
  return `${url.scheme}://${encodeURIComponent(name)}:${encodeURIComponent(secret)}@${rest}`;
}

function parseCameraUrl(text: string, path: string): RtspUrl {
  try {
    return parseRtspUrl(text);
  } catch {
    throw invalid(path, text, 'an rtsp:// or rtsps:// URL');
  }
}

function readPem(name: string, path: string): string {
  const text = readTextFile(name, path);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw invalid(path, name, 'a PEM file with certificates');
  return text;
}

function parseOrigin(text: string): string {
  let url: URL | null = null;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (url === null || !/^https?:$/.test(url.protocol) || url.origin !== text.toLowerCase().replace(/\/$/, '')) {
    throw invalid('allowOrigins', text, 'an origin such as https://portal.example, without a path');
  }
  return url.origin;
}

function parsePublicHost(text: string): string {
  const form = parseHost(text);
  if (form.kind !== 'name') throw invalid('publicHosts', text, 'a host name without a port');
  return form.name;
}
