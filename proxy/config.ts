/**
 * What the administrator wants, from a JSON file, the command line or a host program's code → checked settings. Every
 * complaint names the place, the value (without credentials) and what was expected.
 */
import { StreamError } from '../shared/errors.js';
import { CAMERA_NAME_PATTERN } from '../shared/proxy-protocol.js';
import { parseRtspUrl, redactUrl } from '../shared/rtsp-url.js';
import { parseHost } from './ip-address.js';
import { type AllowRule, parseAllowRule } from './upstream-policy.js';

/** A camera as it is written in a configuration. */
export interface CameraOptions {
  /** What pages call it: `a-z`, `0-9`, `-` and `_`. */
  name: string;
  /** For people; the name by default. */
  title?: string;
  /** rtsp:// or rtsps://, with credentials if the camera wants them. Either this or `streams`. */
  url?: string;
  /** URLs by the stream's name, `main` and `sub` for example; the first one plays when a page names none. */
  streams?: Readonly<Record<string, string>>;
  /** Query parameters that a page may add to the URL, a recorder's start time for example. */
  queryParameters?: readonly string[];
}

/** A camera whose settings make sense. */
export interface CameraConfig {
  name: string;
  title: string;
  /** URLs, with their credentials, by the stream's name; at least one. */
  streams: ReadonlyMap<string, string>;
  queryParameters: readonly string[];
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
}

export interface AccessConfig {
  cameras: CameraConfig[];
  allow: AllowRule[];
  allowOrigins: string[];
  publicHosts: string[];
}

export interface ListenAddress {
  host: string;
  port: number;
}

/** A configuration file's contents. */
export interface FileConfig {
  access: AccessOptions;
  listen: ListenAddress | null;
  demo: boolean;
}

const DEFAULT_STREAM = 'main';
const namePhrase = 'a name of a-z, 0-9, - and _ (at most 63, with a letter or digit at both ends)';
const accessKeys = ['cameras', 'allow', 'allowOrigins', 'publicHosts'];

/** Checks what the proxy may do; throws `invalid-argument` at the first thing that makes no sense. */
export function parseAccess(value: unknown): AccessConfig {
  const options = asObject(value, 'the configuration', accessKeys);
  const cameras = asArray(options.cameras, 'cameras').map((camera, index) => parseCamera(camera, `cameras[${index}]`));
  for (const [index, camera] of cameras.entries()) {
    const isTaken = cameras.findIndex((other) => other.name === camera.name) < index;
    if (isTaken) throw invalid(`cameras[${index}].name`, camera.name, 'a name that no other camera has');
  }
  return {
    cameras,
    allow: asStrings(options.allow, 'allow').map(parseAllowRule),
    allowOrigins: asStrings(options.allowOrigins, 'allowOrigins').map(parseOrigin),
    publicHosts: asStrings(options.publicHosts, 'publicHosts').map(parsePublicHost),
  };
}

/** Reads a configuration file's text; throws `invalid-argument`. */
export function parseConfigFile(text: string): FileConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own words would show a piece of the file, with a password perhaps.
    throw new StreamError('invalid-argument', 'The configuration file is not valid JSON.');
  }
  const { listen, demo, ...access } = asObject(value, 'the configuration', [...accessKeys, 'listen', 'demo']);
  if (demo !== undefined && typeof demo !== 'boolean') throw invalid('demo', demo, 'true or false');
  parseAccess(access);
  return {
    access: access as AccessOptions,
    listen: listen === undefined ? null : parseListen(asString(listen, 'listen')),
    demo: demo ?? false,
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

/** `NAME=RTSP-URL`, or `NAME/STREAM=RTSP-URL`; several streams of a name make one camera. */
export function parseCameraArguments(texts: readonly string[]): CameraOptions[] {
  const cameras = new Map<string, Record<string, string>>();
  for (const text of texts) {
    const match = /^([^=/]*)(?:\/([^=/]*))?=(.*)$/s.exec(text);
    if (match === null) throw invalid('--camera', text, 'NAME=RTSP-URL');
    const [, name = '', stream = DEFAULT_STREAM, url = ''] = match;
    // Checked one by one, so that the complaint names the option rather than a place in a list.
    parseCamera({ name, streams: { [stream]: url } }, '--camera');
    const streams = cameras.get(name) ?? {};
    if (stream in streams) throw invalid('--camera', name, 'each name once, or NAME/STREAM=RTSP-URL');
    streams[stream] = url;
    cameras.set(name, streams);
  }
  return [...cameras].map(([name, streams]) => ({ name, streams }));
}

/** Every password in these cameras' URLs, as written and decoded: words that must not reach a log. */
export function secretsOf(cameras: readonly CameraConfig[]): string[] {
  const passwords = cameras
    .flatMap((camera) => [...camera.streams.values()])
    .map((url) => parseRtspUrl(url).password)
    .filter((password) => password !== null && password !== '');
  return [...new Set(passwords.flatMap((password) => [password ?? '', encodeURIComponent(password ?? '')]))];
}

function parseCamera(value: unknown, path: string): CameraConfig {
  const camera = asObject(value, path, ['name', 'title', 'url', 'streams', 'queryParameters']);
  const name = asString(camera.name, `${path}.name`);
  if (!CAMERA_NAME_PATTERN.test(name)) throw invalid(`${path}.name`, name, namePhrase);
  const { url, streams } = camera;
  if ((url === undefined) === (streams === undefined)) {
    throw new StreamError('invalid-argument', `${path} needs either a url or streams.`);
  }
  const byName = url === undefined ? asObject(streams, `${path}.streams`) : { [DEFAULT_STREAM]: url };
  const entries = Object.entries(byName).map(([stream, streamUrl]) => {
    const streamPath = url === undefined ? `${path}.streams.${stream}` : `${path}.url`;
    if (!CAMERA_NAME_PATTERN.test(stream)) throw invalid(`${path}.streams`, stream, namePhrase);
    return [stream, parseCameraUrl(asString(streamUrl, streamPath), streamPath)] as const;
  });
  if (entries.length === 0) throw new StreamError('invalid-argument', `${path}.streams needs at least one stream.`);
  return {
    name,
    title: camera.title === undefined ? name : asString(camera.title, `${path}.title`),
    streams: new Map(entries),
    queryParameters: asStrings(camera.queryParameters, `${path}.queryParameters`),
  };
}

function parseCameraUrl(text: string, path: string): string {
  try {
    parseRtspUrl(text);
  } catch {
    throw invalid(path, text, 'an rtsp:// or rtsps:// URL');
  }
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

function asObject(value: unknown, path: string, keys: readonly string[] | null = null): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, value, 'an object');
  const unknown = keys === null ? undefined : Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw invalid(path, unknown, `one of ${keys?.join(', ')} as a key`);
  return value as Record<string, unknown>;
}

function asArray(value: unknown, path: string): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(path, value, 'a list');
  return value;
}

function asString(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(path, value, 'a text that is not empty');
  return value;
}

function asStrings(value: unknown, path: string): string[] {
  return asArray(value, path).map((item, index) => asString(item, `${path}[${index}]`));
}

function invalid(path: string, value: unknown, expected: string): StreamError {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return new StreamError('invalid-argument', `${path}: got "${redactUrl(text).slice(0, 200)}", expected ${expected}.`);
}
