/**
 * What to do about a failure:
 * - `never`: the same attempt fails again; a person must change something.
 * - `back-off`: try again, waiting longer each time.
 * - `at-once`: try again without waiting (the other end said that it goes away in good order).
 * - `new-token`: try again with a new access token.
 */
export type RetryPolicy = 'never' | 'back-off' | 'at-once' | 'new-token';

/** Every error code, and what a player does about it when nobody said otherwise. Codes are stable; sentences are not. */
const retryPolicies = {
  /** An option or attribute value makes no sense. */
  'invalid-argument': 'never',
  /** The address is not a usable rtsp:// or rtsps:// URL, camera name, or ws:// or wss:// URL. */
  'invalid-url': 'never',
  /** The peer does not speak RTSP. */
  'not-rtsp': 'never',
  /** A header, body or line is larger than the limit. */
  'message-too-large': 'back-off',
  /** A message breaks RTSP's grammar beyond repair. */
  'malformed-message': 'back-off',
  /** No answer within the time allowed. */
  timeout: 'back-off',
  /** The connection could not be opened. */
  'connection-failed': 'back-off',
  /** The connection ended without a word. */
  'connection-closed': 'back-off',
  /** Media stopped arriving. */
  'no-data': 'back-off',
  /** The camera asks for credentials, or rejects those it got. */
  unauthorized: 'never',
  /** The proxy wants a (newer) access token. */
  'token-invalid': 'new-token',
  /** The proxy or the camera does not allow this. */
  forbidden: 'never',
  /** No such camera, path or stream. */
  'not-found': 'never',
  /** A limit of connections or sessions is reached. */
  'limit-reached': 'back-off',
  /** The camera cannot send RTP interleaved in the RTSP connection. */
  'transport-unsupported': 'never',
  /** The camera refused the connection, or closed it. */
  'camera-refused': 'back-off',
  /** The camera did not answer. */
  'camera-unreachable': 'back-off',
  /** The camera rejects the credentials that the proxy has for it. */
  'camera-rejects-credentials': 'never',
  /** The proxy is going down and says so. */
  'proxy-going-down': 'at-once',
  /** The camera answered with a 5xx status. */
  'server-error': 'back-off',
  /** The camera answered with another status that is not success. */
  'request-failed': 'back-off',
  /** The camera sends the client to another address, which takes another connection (see rtsp/status). */
  redirected: 'never',
  /** A certificate could not be verified. */
  'certificate-invalid': 'never',
  /** The session description has no track that can be played. */
  'no-playable-track': 'never',
  /** This browser cannot play the codec. */
  'codec-unsupported': 'never',
  /** The browser's decoder or media source failed. */
  'media-failed': 'back-off',
  /** This browser has no Media Source Extensions. */
  'media-source-missing': 'never',
  /** The caller gave up. */
  aborted: 'never',
  /** A request that does not fit the session's state (PLAY before SETUP). */
  'invalid-state': 'never',
} as const satisfies Record<string, RetryPolicy>;

/** A stable name for a kind of failure. */
export type ErrorCode = keyof typeof retryPolicies;

export interface StreamErrorOptions {
  /** What lies underneath. Never shown to a person; may be logged after redaction. */
  cause?: unknown;
  /** The RTSP status code, where a response is the reason. */
  status?: number;
  /** Overrides the code's own policy. */
  retry?: RetryPolicy;
}

/**
 * The one error type of the project. `message` is a sentence for a person, with the value met and what was expected,
 * and without credentials; callers branch on `code` and `retry`.
 */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  readonly code: ErrorCode;
  readonly retry: RetryPolicy;
  readonly status: number | null;

  constructor(code: ErrorCode, message: string, options: StreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? retryPolicies[code];
    this.status = options.status ?? null;
  }

  /** Converts anything thrown at a boundary; a StreamError passes unchanged. */
  static from(thrown: unknown, code: ErrorCode, message: string): StreamError {
    return thrown instanceof StreamError ? thrown : new StreamError(code, message, { cause: thrown });
  }
}
