import { type ErrorCode, type RetryPolicy, StreamError } from '../../shared/errors.js';
import { redactUrl } from '../../shared/redaction.js';
import type { RtspResponse } from '../../shared/rtsp-message.js';
import { redirectOf } from './redirect.js';
import { type Refusal, saysMethodUnavailable } from './status.js';

/**
 * An RTSP response that is not success → an error with a sentence that a page can show (RFC 2326, 7.1.1 and section 11).
 * Most pages never need it: it is loaded with the first such response.
 */

export { redirectOf };

interface Meaning {
  code: ErrorCode;
  /** Without the full stop: the method, status and reason follow. */
  sentence: string;
  retry?: RetryPolicy;
}

const meanings: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [403, { code: 'forbidden', sentence: 'The camera does not allow this' }],
  [404, { code: 'not-found', sentence: 'The camera has no stream at this address' }],
  [408, { code: 'timeout', sentence: 'The camera waited too long for the request' }],
  [410, { code: 'not-found', sentence: 'The stream is no longer at this address' }],
  [453, { code: 'limit-reached', sentence: 'The camera has no bandwidth left for another viewer' }],
  [454, { code: 'request-failed', sentence: 'The camera has ended the session' }],
  [461, { code: 'transport-unsupported', sentence: 'The camera cannot send media over TCP, inside the connection' }],
  [503, { code: 'limit-reached', sentence: 'The camera is busy, or has no room for another viewer' }],
]);

const refusals: Readonly<Record<Refusal, string>> = {
  'credentials-missing': 'The camera asks for a user name and a password',
  'credentials-rejected': 'The camera rejects the user name or the password',
  'scheme-unknown': 'The camera asks for credentials in a way that is not known here',
};

/**
 * The error for a response that is neither success nor a redirect to be followed here.
 * @param from - the URL that was asked for
 */
export function errorOf(method: string, response: RtspResponse, refusal: Refusal, from: string): StreamError {
  const { status, headers } = response;
  if (status >= 300 && status < 400 && headers.has('Location')) {
    const redirect = redirectOf(from, headers.get('Location'), { status });
    if (redirect.kind !== 'here') return redirect.error;
  }
  return statusError(method, response, refusal);
}

/**
 * The error for a response that is not success.
 * @param refusal - what a 401 means
 */
export function statusError(method: string, response: RtspResponse, refusal: Refusal): StreamError {
  const { status } = response;
  const meaning = meaningOf(method, response, refusal);
  const options = meaning.retry === undefined ? { status } : { status, retry: meaning.retry };
  return new StreamError(meaning.code, `${meaning.sentence} (${method}: ${describe(response)}).`, options);
}

function meaningOf(method: string, response: RtspResponse, refusal: Refusal): Meaning {
  const { status } = response;
  if (status === 401) return { code: 'unauthorized', sentence: refusals[refusal] };
  // Cameras without TCP answer 400 to SETUP as well as 461.
  if (status === 400 && method === 'SETUP') {
    return {
      code: 'transport-unsupported',
      sentence: 'The camera refuses to send media over TCP, inside the connection',
    };
  }
  const known = meanings.get(status);
  if (known !== undefined) return known;
  if (saysMethodUnavailable(status))
    return { code: 'request-failed', sentence: 'The camera cannot do this', retry: 'never' };
  if (status >= 500) return { code: 'server-error', sentence: 'The camera has an internal error' };
  return { code: 'request-failed', sentence: 'The camera refuses the request' };
}

/** Status and the camera's own words, which may be hostile: cut, and without control characters and credentials. */
function describe(response: RtspResponse): string {
  const printable = response.reason.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, 80);
  return `${response.status} ${redactUrl(printable)}`.trim();
}
