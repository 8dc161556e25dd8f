import { StreamError } from '../../shared/errors.js';
import { redactUrl } from '../../shared/redaction.js';
import { formatRtspUrl, parseRtspUrl } from '../../shared/rtsp-url.js';

/** The Location of a redirect (RFC 2326, 11.3 and 10.10) → where to go on, or why not. */

/** The camera sends the client to another host, port or scheme: it takes another connection to follow. */
export class RedirectError extends StreamError {
  /** The new rtsp:// or rtsps:// URL, without credentials. */
  readonly location: string;

  constructor(location: string, options: { status?: number } = {}) {
    super('redirected', `The camera says that the stream is at ${redactUrl(location)} now.`, options);
    this.location = location;
  }
}

/**
 * - `here`: the same host, port and scheme; the URL can be asked for on this connection.
 * - `elsewhere`: it takes another connection.
 * - `refused`: nowhere.
 */
export type Redirect =
  | { readonly kind: 'here'; readonly url: string }
  | { readonly kind: 'elsewhere'; readonly error: RedirectError }
  | { readonly kind: 'refused'; readonly error: StreamError };

/**
 * @param from - the URL that was asked for
 * @param location - as the server sent it, null when it did not; credentials in it are left out
 */
export function redirectOf(from: string, location: string | null, options: { status?: number } = {}): Redirect {
  const here = parseRtspUrl(from);
  const text = location?.trim() ?? '';
  let there: typeof here;
  try {
    there = text.startsWith('/') ? { ...here, path: text } : parseRtspUrl(text);
  } catch (cause) {
    const error = new StreamError('request-failed', 'The camera says that the stream has moved, but not where.', {
      ...options,
      cause,
    });
    return { kind: 'refused', error };
  }
  if (here.scheme === 'rtsps' && there.scheme === 'rtsp') {
    const sentence =
      'The camera wants to go on without encryption (it redirects from rtsps to rtsp), which is not followed.';
    return { kind: 'refused', error: new StreamError('request-failed', sentence, { ...options, retry: 'never' }) };
  }
  const url = formatRtspUrl(there);
  const isHere =
    there.scheme === here.scheme && there.port === here.port && there.host.toLowerCase() === here.host.toLowerCase();
  return isHere ? { kind: 'here', url } : { kind: 'elsewhere', error: new RedirectError(url, options) };
}
