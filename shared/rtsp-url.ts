/**
 * rtsp:// and rtsps:// URLs: taking them apart, the URLs of a session and of its media (RFC 2326, C.1.1, and what cameras
 * make of it). The path is an opaque string here: cameras compare it as text, and many write one that no URL grammar knows.
 */
import { StreamError } from './errors.js';
import { MAX_HEADER_LINE_BYTES } from './limits.js';

export interface RtspUrl {
  scheme: 'rtsp' | 'rtsps';
  /** Percent-decoded; null when the URL has no userinfo. */
  username: string | null;
  /** Percent-decoded; null when there is none. */
  password: string | null;
  /** Name or address; IPv6 without brackets. */
  host: string;
  port: number;
  /** Path and query as they stand, blanks alone encoded: empty, or beginning with `/`. */
  path: string;
}

const defaultPorts = { rtsp: 554, rtsps: 322 } as const;

const schemePattern = /^(rtsps?):\/\//i;

/**
 * Takes a URL apart. A password may contain `@`, `:` and `/` as people type them; see `userinfoEnds`. Throws
 * `invalid-url` with a sentence that holds no credentials.
 */
export function parseRtspUrl(text: string): RtspUrl {
  // A URL is part of a request's first line.
  if (text.length > MAX_HEADER_LINE_BYTES) {
    throw new StreamError(
      'invalid-url',
      `A URL may have ${MAX_HEADER_LINE_BYTES} characters (this one has ${text.length}).`,
    );
  }
  const trimmed = text.trim();
  if (/\p{Cc}/u.test(trimmed)) throw invalidUrl('it has control characters in it');
  let scheme: RtspUrl['scheme'] | null = null;
  let rest = trimmed;
  // Several cameras and people write `rtsp://rtsp://…`.
  for (let match = schemePattern.exec(rest); match !== null; match = schemePattern.exec(rest)) {
    scheme ??= match[1]?.toLowerCase() === 'rtsps' ? 'rtsps' : 'rtsp';
    rest = rest.slice(match[0].length);
  }
  if (scheme === null) throw invalidUrl('it does not begin with rtsp:// or rtsps://');

  let chosen: { userinfoEnd: number; authority: Authority } | null = null;
  for (const userinfoEnd of userinfoEnds(rest)) {
    const authority = parseAuthority(rest.slice(userinfoEnd + 1, endOfAuthority(rest, userinfoEnd + 1)));
    if (authority === null) continue;
    chosen ??= { userinfoEnd, authority };
    // `user:p@ss/word@10.0.0.1`: what follows the first @ could be a host, but the second one certainly is.
    if (!authority.isCertain) continue;
    chosen = { userinfoEnd, authority };
    break;
  }
  if (chosen === null) throw invalidUrl('its host or port makes no sense');

  const { userinfoEnd, authority } = chosen;
  const path = encodeBlanks(rest.slice(endOfAuthority(rest, userinfoEnd + 1)));
  return {
    scheme,
    ...parseUserinfo(rest.slice(0, Math.max(userinfoEnd, 0))),
    host: authority.host,
    port: authority.port ?? defaultPorts[scheme],
    path: path === '' || path.startsWith('/') ? path : `/${path}`,
  };
}

/** The URL without credentials; brackets around IPv6, the scheme's default port left out. */
export function formatRtspUrl(url: RtspUrl): string {
  return origin(url) + url.path;
}

/**
 * The base for a session's control URLs: Content-Base, else Content-Location, else the request's URL (the order of
 * RFC 2326, C.1.1; a session-level a=control comes before them: `controlUrls(base, control)`). Cameras put inner
 * addresses into these headers, so scheme, host and port are always the request's; credentials are removed. Throws
 * `invalid-url` only when the request's URL is none.
 */
export function baseUrl(
  requestUrl: string,
  headers: { contentBase: string | null; contentLocation: string | null },
): string {
  const request = parseRtspUrl(requestUrl);
  for (const value of [headers.contentBase, headers.contentLocation]) {
    const path = value === null ? null : pathOfHeader(encodeBlanks(value.trim()), request);
    if (path !== null) return origin(request) + path;
  }
  return formatRtspUrl(request);
}

/**
 * The URLs that a medium's a=control (or a session's) can mean, the likeliest first: the control appended to the base as
 * text, as most cameras expect it, then resolved by RFC 3986. One or two, never the same twice, always on the base's
 * host. A control that is null, empty or `*` is the base itself. Throws `invalid-url` only when the base is none.
 */
export function controlUrls(base: string, control: string | null): string[] {
  const reference = encodeBlanks(control?.trim() ?? '');
  if (reference === '' || reference === '*') return [base];
  const url = parseRtspUrl(base);
  const absolute = pathOfAbsolute(reference);
  // Samsung puts credentials and a foreign host into its absolute control URLs.
  if (absolute !== null) return [origin(url) + absolute];
  const relative = reference.replace(/^\/+/, '/');
  const appended = origin(url) + appendPath(url.path, relative);
  const resolved = origin(url) + resolvePath(url.path, relative);
  return appended === resolved ? [appended] : [appended, resolved];
}

/** What stands between the userinfo and the path. */
interface Authority {
  host: string;
  /** Null when the URL names none. */
  port: number | null;
  /** Whether this is a host for sure: an address, a name with a dot, `localhost`, or one with a port. */
  isCertain: boolean;
}

/**
 * Positions of the `@` that can end the userinfo, the likeliest first; -1 stands for no userinfo. By the standard it is
 * the last one before the first `/`, `?` or `#`. A URL whose userinfo has a colon may have a password with these in it,
 * so the last ones of the parts behind count too.
 */
function* userinfoEnds(rest: string): Generator<number> {
  let end = endOfAuthority(rest, 0);
  if (end === 0) return;
  const standard = rest.lastIndexOf('@', end - 1);
  yield standard;
  const firstAt = rest.indexOf('@');
  if (firstAt < 0 || !rest.slice(0, firstAt).includes(':')) return;
  while (end < rest.length) {
    const start = end + 1;
    end = endOfAuthority(rest, start);
    const at = rest.slice(start, end).lastIndexOf('@');
    if (at >= 0) yield start + at;
  }
}

function parseAuthority(text: string): Authority | null {
  const bracketed = /^\[([^\]]*)\](?::(\d*))?$/.exec(text);
  if (bracketed !== null) {
    const host = (bracketed[1] ?? '').replace('%25', '%');
    return isIpv6(host) ? withPort(host, bracketed[2], true) : null;
  }
  // Several cameras write `rtsp://::ffff:1.2.3.4/`.
  if (isIpv6(text)) return withPort(text, undefined, true);
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? text : text.slice(0, colon);
  const port = colon < 0 ? undefined : text.slice(colon + 1);
  if (isIpv6(host)) return withPort(host, port, true);
  if (host === '' || /[\s\p{Cc}"#%/:<>?@[\\\]^`{|}]/u.test(host)) return null;
  const isNumeric = host.includes('.') && /^[\d.]+$/.test(host);
  if (isNumeric && !isIpv4(host)) return null;
  return withPort(host, port, host.includes('.') || host.toLowerCase() === 'localhost');
}

function withPort(host: string, digits: string | undefined, isCertain: boolean): Authority | null {
  if (digits === undefined || digits === '') return { host, port: null, isCertain };
  const port = Number(digits);
  return /^\d{1,5}$/.test(digits) && port >= 1 && port <= 65_535 ? { host, port, isCertain: true } : null;
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

/** RFC 4291, 2.2, with an optional zone (RFC 4007, 11). */
export function isIpv6(text: string): boolean {
  const address = /^([^%]*)(?:%[\w.~-]+)?$/.exec(text)?.[1];
  if (address === undefined) return false;
  const halves = address.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  let count = 0;
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && isIpv4(group)) count += 2;
    else if (/^[0-9a-f]{1,4}$/i.test(group)) count++;
    else return false;
  }
  return halves.length === 2 ? count <= 7 : count === 8;
}

function parseUserinfo(userinfo: string): Pick<RtspUrl, 'username' | 'password'> {
  if (userinfo === '') return { username: null, password: null };
  const colon = userinfo.indexOf(':');
  if (colon < 0) return { username: decodePercent(userinfo), password: null };
  return { username: decodePercent(userinfo.slice(0, colon)), password: decodePercent(userinfo.slice(colon + 1)) };
}

/** Percent-decodes; a text that is not well encoded is taken as it was typed. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where the authority ends that begins at `start`: at the next `/`, `?` or `#`, or with the text. */
export function endOfAuthority(text: string, start: number): number {
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (character === '/' || character === '?' || character === '#') return index;
  }
  return text.length;
}

function origin(url: RtspUrl): string {
  const host = url.host.includes(':') ? `[${url.host.replace('%', '%25')}]` : url.host;
  return `${url.scheme}://${host}${url.port === defaultPorts[url.scheme] ? '' : `:${url.port}`}`;
}

/** The path that a Content-Base or Content-Location names, as cameras write them; null when it names none. */
function pathOfHeader(reference: string, request: RtspUrl): string | null {
  if (reference === '' || reference === '*') return null;
  if (schemePattern.test(reference)) return pathOfAbsolute(reference);
  // A bare path is joined to the host.
  if (reference.startsWith('/')) return reference;
  // anjvision: `192.168.1.10:554/stream0/`, without the scheme.
  const authority = parseAuthority(reference.slice(0, endOfAuthority(reference, 0)));
  const isHost = authority !== null && (authority.host === request.host || authority.port !== null);
  if (isHost || (authority !== null && isIpv4(authority.host))) return pathOfAbsolute(`rtsp://${reference}`);
  return resolvePath(request.path, reference);
}

/** The path of a URL with scheme and host, as it stands; null when it has none of them. */
function pathOfAbsolute(reference: string): string | null {
  if (!schemePattern.test(reference)) return null;
  try {
    return parseRtspUrl(reference).path;
  } catch {
    // Its host is not used in any case.
    const rest = reference.slice(reference.lastIndexOf('://') + 3);
    const slash = rest.indexOf('/');
    return slash < 0 ? null : rest.slice(slash);
  }
}

/** The base's text, then the reference's, with one slash between them: a query in the base stays where it is. */
function appendPath(base: string, reference: string): string {
  if (reference.startsWith('?')) return base === '' ? `/${reference}` : base + reference;
  // Verint answers 404 to a double slash.
  const hasSlash = reference.startsWith('/');
  if (base.endsWith('/')) return base + (hasSlash ? reference.slice(1) : reference);
  return base + (hasSlash ? reference : `/${reference}`);
}

/** RFC 3986, 5.2, for references without a scheme and an authority. */
function resolvePath(base: string, reference: string): string {
  if (reference.startsWith('/')) return removeDotSegments(reference);
  const query = base.indexOf('?');
  const basePath = query < 0 ? base : base.slice(0, query);
  if (reference.startsWith('?')) return (basePath === '' ? '/' : basePath) + reference;
  return removeDotSegments(`${basePath.slice(0, basePath.lastIndexOf('/'))}/${reference}`);
}

/** RFC 3986, 5.2.4; the query is left alone. */
function removeDotSegments(path: string): string {
  const query = path.indexOf('?');
  const segments = (query < 0 ? path : path.slice(0, query)).split('/');
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..' && kept.length > 1) kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (isLast) kept.push('');
  }
  return kept.join('/') + (query < 0 ? '' : path.slice(query));
}

function encodeBlanks(text: string): string {
  return text.replace(/[\s\p{Cc}]/gu, (character) => encodeURIComponent(character));
}

/** The URL itself is not quoted: it may hold a password. */
function invalidUrl(reason: string): StreamError {
  return new StreamError('invalid-url', `This is not a usable RTSP URL: ${reason}.`);
}
