import { StreamError } from '../../shared/errors.js';
import { CAMERA_NAME_PATTERN } from '../../shared/proxy-protocol.js';
import { formatRtspUrl, parseRtspUrl } from '../../shared/rtsp-url.js';
import type { PlayerSource } from './player-factory.js';

/** The attributes of the element that say what to play; empty strings where an attribute is absent. */
export interface SourceAttributes {
  /** `front-door`, `front-door/sub`, both also with a query (`recorder?starttime=20260503T100000Z`), or an rtsp:// or rtsps:// URL. */
  readonly src: string;
  /** The proxy's WebSocket URL: ws, wss, http or https, absolute or relative to the page. */
  readonly proxy: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Turns the element's attributes into what the player connects to and asks for.
 * @param pageUrl - absolute; what a relative `proxy` is resolved against
 * @returns null when there is no `src`
 * @throws StreamError `invalid-url`
 */
export function resolveSource(attributes: SourceAttributes, pageUrl: string): PlayerSource | null {
  const src = attributes.src.trim();
  if (src === '') return null;
  return /^rtsps?:/i.test(src) ? addressedCamera(src, attributes, pageUrl) : namedCamera(src, attributes, pageUrl);
}

/** A camera that the page knows by address: the proxy's tunnel passes the bytes. */
function addressedCamera(src: string, attributes: SourceAttributes, pageUrl: string): PlayerSource {
  const url = parseRtspUrl(src);
  const username = attributes.username || (url.username ?? '');
  const password = attributes.password || (url.password ?? '');
  return {
    url: formatRtspUrl(url),
    webSocketUrl: proxyUrl(attributes.proxy, pageUrl).href,
    credentials: username === '' && password === '' ? null : { username, password },
  };
}

/** A camera that the proxy knows by name; its address and credentials stay there. */
function namedCamera(src: string, attributes: SourceAttributes, pageUrl: string): PlayerSource {
  // A recorder's parameters, which the proxy adds where its configuration lists them.
  const query = src.replace(/^[^?]*/, '');
  const [name = '', ...streams] = src.slice(0, src.length - query.length).split('/');
  if (streams.length > 1 || ![name, ...streams].every((part) => CAMERA_NAME_PATTERN.test(part))) {
    throw new StreamError(
      'invalid-url',
      `The src is neither an rtsp:// URL nor a camera's name such as "front-door" or "front-door/sub" (lower-case letters, digits, "-" and "_").`,
    );
  }
  const webSocketUrl = proxyUrl(attributes.proxy, pageUrl);
  webSocketUrl.pathname = [webSocketUrl.pathname.replace(/\/+$/, ''), name, ...streams].join('/');
  const { username, password } = attributes;
  return {
    url: `rtsp://${name}/${query}`,
    webSocketUrl: webSocketUrl.href,
    credentials: username === '' && password === '' ? null : { username, password },
  };
}

function proxyUrl(proxy: string, pageUrl: string): URL {
  const text = proxy.trim();
  if (text === '') {
    throw new StreamError(
      'invalid-url',
      'The proxy attribute is missing. It says where the proxy is, for example "wss://proxy.example/rtsp".',
    );
  }
  const url = parseUrl(text, pageUrl);
  const scheme = url === null ? undefined : webSocketSchemes.get(url.protocol);
  if (url === null || scheme === undefined) {
    throw new StreamError('invalid-url', `The proxy is not a WebSocket URL such as "wss://proxy.example/rtsp".`);
  }
  url.protocol = scheme;
  url.hash = '';
  return url;
}

const webSocketSchemes: ReadonlyMap<string, string> = new Map([
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
  ['http:', 'ws:'],
  ['https:', 'wss:'],
]);

function parseUrl(text: string, base: string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
