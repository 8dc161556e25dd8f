import type { Authenticator, Credentials } from '../../shared/authentication.js';
import { StreamError } from '../../shared/errors.js';
import { DEFAULT_SESSION_TIMEOUT_MS, MAX_AUTHENTICATION_ROUNDS } from '../../shared/limits.js';
import type { RtspResponse } from '../../shared/rtsp-message.js';
import { parsePublic, parseSession } from './headers.js';
import type { Requester, RequestOptions } from './requester.js';
import { isSuccess, type Refusal, saysMethodUnavailable } from './status.js';

/**
 * Requests of one session → responses, with what all of them have in common (RFC 2326, section 12): the session's id, the
 * answer to a challenge, and what any response may say about the session and the server.
 */

export interface ExchangeOptions extends Omit<RequestOptions, 'headers' | 'onResponse'> {
  /** Beside those that every request has. */
  headers?: readonly (readonly [string, string])[];
  /** Called with a 2xx response before the bytes behind it are read. */
  onSuccess?: (response: RtspResponse) => void;
}

/** Methods that a server may lack without being of no use. */
const optionalMethods: ReadonlySet<string> = new Set(['OPTIONS', 'PAUSE', 'GET_PARAMETER', 'SET_PARAMETER']);

/** Methods that say what the server has to know (RFC 2326, 12.32). */
const requiringMethods = /^(?:DESCRIBE|SETUP|PLAY)$/;
const OPTION_NOT_SUPPORTED = 551;

export class Exchange {
  readonly #requester: Requester;
  readonly #credentials: Credentials | null;
  /** Made at the first challenge: most pages never need the code, and load it only then. */
  #authenticator: Authenticator | null = null;
  #knowsScheme = true;
  #sessionId: string | null = null;
  /** For the proxy, with the next request and no other. */
  /** What a server has to know for this session, such as `onvif-replay`; null when nothing, or when it does not. */
  require: string | null = null;
  #token = '';
  #sentToken = '';
  #timeoutMs = DEFAULT_SESSION_TIMEOUT_MS;
  #publicMethods: ReadonlySet<string> | null = null;
  readonly #unavailableMethods = new Set<string>();

  constructor(requester: Requester, credentials: Credentials | null) {
    this.#requester = requester;
    this.#credentials = credentials;
  }

  /** Sends this token with the next request, unless the proxy has it already. */
  set token(token: string) {
    this.#token = token;
  }

  /** The session's id, null before a SETUP was accepted or when the server gave none. */
  get sessionId(): string | null {
    return this.#sessionId;
  }

  /** The session's time-out by the newest response that named one, in milliseconds. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Methods that the server has listed (Public), less those that it then refused as such; null before it listed any. */
  get supportedMethods(): ReadonlySet<string> | null {
    if (this.#publicMethods === null) return null;
    return new Set([...this.#publicMethods].filter((method) => !this.#unavailableMethods.has(method)));
  }

  /** Whether the server has a method: false also when it has refused it as such; null while nothing is known. */
  supports(method: string): boolean | null {
    if (this.#unavailableMethods.has(method)) return false;
    return this.#publicMethods?.has(method) ?? null;
  }

  /** What a 401 means that was not got over. */
  get refusal(): Refusal {
    if (this.#credentials === null) return 'credentials-missing';
    return this.#knowsScheme ? 'credentials-rejected' : 'scheme-unknown';
  }

  /**
   * Sends a request, and sends it again when it is challenged. Any request can be, at any time: Axis M5525 changes its
   * nonce after 150 s.
   * @returns the response, whatever its status
   * @throws StreamError as `Requester.request`
   */
  async send(method: string, url: string, options: ExchangeOptions = {}): Promise<RtspResponse> {
    const { headers = [], onSuccess, ...rest } = options;
    for (let round = 1; ; round++) {
      const response = await this.#requester.request(method, url, {
        ...rest,
        headers: () => [...this.#commonHeaders(method, url), ...headers],
        onResponse: (received) => {
          this.#learn(method, received);
          if (isSuccess(received)) onSuccess?.(received);
        },
      });
      // GStreamer's server refuses to promise a replay that it gives.
      if (response.status === OPTION_NOT_SUPPORTED && this.require !== null && requiringMethods.test(method)) {
        this.require = null;
        continue;
      }
      // Rubetek sends WWW-Authenticate with a 200: only a 401 is a challenge.
      if (response.status !== 401 || round === MAX_AUTHENTICATION_ROUNDS) return response;
      if (!(await this.#takesChallenge(response))) return response;
    }
  }

  /** Whether the request is worth another try. */
  async #takesChallenge(response: RtspResponse): Promise<boolean> {
    if (this.#credentials === null) return false;
    const { Authenticator, parseChallenges } = await loadAuthentication();
    this.#authenticator ??= new Authenticator(this.#credentials);
    const challenges = response.headers.getAll('WWW-Authenticate');
    this.#knowsScheme = parseChallenges(challenges).length > 0;
    return this.#authenticator.challenge(challenges);
  }

  #commonHeaders(method: string, url: string): [string, string][] {
    const headers: [string, string][] = [];
    const authorization = this.#authenticator?.authorize(method, url) ?? null;
    if (authorization !== null) headers.push(['Authorization', authorization]);
    if (this.#token !== this.#sentToken && this.#token !== '') {
      headers.push(['Proxy-Authorization', `Bearer ${this.#token}`]);
      this.#sentToken = this.#token;
    }
    if (this.#sessionId !== null) headers.push(['Session', this.#sessionId]);
    if (this.require !== null && requiringMethods.test(method)) headers.push(['Require', this.require]);
    return headers;
  }

  #learn(method: string, response: RtspResponse): void {
    const session = parseSession(response.headers.get('Session') ?? '');
    // GW and TP-Link name one time-out at SETUP and another at PLAY.
    if (session?.timeoutMs != null) this.#timeoutMs = session.timeoutMs;
    // H264DVR names another session in the response to each SETUP; the first one is the one that plays.
    if (method === 'SETUP' && isSuccess(response)) this.#sessionId ??= session?.id ?? null;
    const methods = response.headers.getAll('Public');
    if (methods.length > 0) this.#publicMethods = parsePublic(methods.join(','));
    if (!optionalMethods.has(method)) return;
    // Hikvision DS-2CD2732F answers 551 to the PAUSE that it lists.
    if (saysMethodUnavailable(response.status)) this.#unavailableMethods.add(method);
    else if (isSuccess(response)) this.#unavailableMethods.delete(method);
  }
}

async function loadAuthentication(): Promise<typeof import('../../shared/authentication.js')> {
  try {
    return await import('../../shared/authentication.js');
  } catch (cause) {
    throw new StreamError('connection-failed', "The player's code for passwords could not be loaded.", { cause });
  }
}
