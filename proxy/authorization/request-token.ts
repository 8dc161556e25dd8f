/** An HTTP request → the token that it carries: `?token=`, `Authorization: Bearer`, or a cookie (RFC 6750, RFC 6265). */
import type { IncomingMessage } from 'node:http';
import { MAX_TOKEN_LENGTH } from '../../shared/limits.js';
import type { ViewerToken } from './authorizer.js';

/** @param cookie - the name of the cookie that may carry one; null for none */
export function requestToken(request: IncomingMessage, cookie: string | null): ViewerToken | null {
  const { url = '', headers } = request;
  const question = url.indexOf('?');
  const query = question < 0 ? null : new URLSearchParams(url.slice(question + 1)).get('token');
  if (query !== null) return { text: query.slice(0, MAX_TOKEN_LENGTH + 1), source: 'query' };
  const bearer = bearerToken(headers.authorization ?? null);
  if (bearer !== null) return { text: bearer, source: 'header' };
  const value = cookie === null ? null : cookieValue(headers.cookie ?? '', cookie);
  return value === null ? null : { text: value, source: 'cookie' };
}

/** The token of an `Authorization` or `Proxy-Authorization` header; null when it has another scheme or none. */
export function bearerToken(value: string | null): string | null {
  return /^Bearer +([\w.~+/=-]+) *$/i.exec(value ?? '')?.[1] ?? null;
}

function cookieValue(header: string, name: string): string | null {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals >= 0 && part.slice(0, equals).trim() === name) {
      return part
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
  }
  return null;
}
