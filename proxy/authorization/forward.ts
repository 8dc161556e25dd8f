/**
 * Forward authentication: the portal is asked, with the viewer's own cookies, whether it may see a camera. The request
 * is the one that nginx's auth_request and Traefik's ForwardAuth make: 2xx lets in, 401 and redirects (to a page that
 * asks for a password) say that the viewer is not known, 403 keeps out, and everything else is no answer.
 */
import { createHash } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import {
  AUTHORIZATION_TIMEOUT_MS,
  FORWARD_CACHE_MS,
  FORWARD_RECHECK_MS,
  MAX_CACHED_VERDICTS,
  MAX_FORWARD_REQUESTS,
} from '../../shared/limits.js';
import type { AccessQuestion, Authorizer, Verdict } from './authorizer.js';

export interface ForwardOptions {
  /** http:// or https://; asked with GET. */
  url: string;
  timeoutMs?: number | undefined;
  /** How long an answer is used again for the same viewer and camera; 0 for not at all. */
  cacheMs?: number | undefined;
  /** How often the portal is asked again about a running connection. */
  recheckMs?: number | undefined;
  /** The header of the portal's answer that names the viewer; `Remote-User` by default. */
  userHeader?: string | undefined;
}

interface CachedVerdict {
  verdict: Verdict;
  until: number;
}

/** What a portal needs to tell who it is, as the viewer sent it. */
const copiedHeaders = ['cookie', 'authorization', 'origin', 'user-agent', 'accept-language'] as const;
const DEFAULT_USER_HEADER = 'Remote-User';
const MAX_ANSWER_HEADER_BYTES = 16_384;

export class ForwardAuthorizer implements Authorizer {
  readonly readsTokens = false;
  readonly tokenCookie = null;
  readonly #url: URL;
  readonly #agent: HttpAgent;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #cacheMs: number;
  readonly #recheckMs: number;
  readonly #userHeader: string;
  /** The oldest first. */
  readonly #cache = new Map<string, CachedVerdict>();
  readonly #underWay = new Map<string, Promise<Verdict>>();

  /** Throws `invalid-argument` when the URL is none. */
  constructor(options: ForwardOptions, clock: Clock) {
    const url = URL.canParse(options.url) ? new URL(options.url) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new StreamError('invalid-argument', 'authorization.forward.url: expected an http:// or https:// URL.');
    }
    this.#url = url;
    this.#clock = clock;
    this.#agent = url.protocol === 'https:' ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
    this.#timeoutMs = options.timeoutMs ?? AUTHORIZATION_TIMEOUT_MS / 2;
    this.#cacheMs = options.cacheMs ?? FORWARD_CACHE_MS;
    this.#recheckMs = options.recheckMs ?? FORWARD_RECHECK_MS;
    this.#userHeader = (options.userHeader ?? DEFAULT_USER_HEADER).toLowerCase();
  }

  async authorize(question: AccessQuestion): Promise<Verdict> {
    const headers = this.#headersOf(question);
    const key = createHash('sha256').update(JSON.stringify(headers)).digest('base64');
    const cached = this.#cache.get(key);
    if (cached !== undefined && this.#clock.now() < cached.until) return cached.verdict;
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    if (this.#underWay.size >= MAX_FORWARD_REQUESTS) return unavailable('is being asked about too many viewers');
    const asking = this.#ask(headers).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asking);
    const verdict = await asking;
    if (verdict.kind !== 'unavailable') this.#remember(key, verdict);
    return verdict;
  }

  #headersOf({ camera, address, request }: AccessQuestion): OutgoingHttpHeaders {
    const { headers } = request;
    const result: OutgoingHttpHeaders = {};
    for (const name of copiedHeaders) {
      if (headers[name] !== undefined) result[name] = headers[name];
    }
    // Without the query, where a secret could stand.
    result['x-forwarded-uri'] = camera === null ? '/rtsp' : `/rtsp/${camera}`;
    result['x-forwarded-method'] = 'GET';
    result['x-forwarded-for'] = address;
    if (headers.host !== undefined) result['x-forwarded-host'] = headers.host;
    result['x-forwarded-proto'] = 'encrypted' in request.socket ? 'https' : 'http';
    if (camera !== null) result['x-camera'] = camera;
    return result;
  }

  #ask(headers: OutgoingHttpHeaders): Promise<Verdict> {
    return new Promise((resolve) => {
      const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(this.#url, { agent: this.#agent, headers, maxHeaderSize: MAX_ANSWER_HEADER_BYTES });
      const cancel = this.#clock.schedule(this.#timeoutMs, () => {
        resolve(unavailable(`did not answer within ${this.#timeoutMs} ms`));
        request.destroy();
      });
      request.on('response', (response) => {
        cancel();
        resolve(this.#judge(response));
        // Its body is nobody's business, and may be endless; a short one leaves the connection fit for the next question.
        response.on('error', () => {});
        if (Number(response.headers['content-length'] ?? Number.NaN) <= MAX_ANSWER_HEADER_BYTES) response.resume();
        else response.destroy();
      });
      request.on('error', () => {
        cancel();
        resolve(unavailable('cannot be reached'));
      });
      request.end();
    });
  }

  #judge(response: IncomingMessage): Verdict {
    const { statusCode: status = 0, headers } = response;
    if (status >= 200 && status < 300) {
      const name = headers[this.#userHeader];
      const viewer = typeof name === 'string' && /^[\x20-\x7e]{1,256}$/.test(name) ? name : null;
      return { kind: 'allowed', viewer, validUntil: this.#clock.utc() + this.#recheckMs };
    }
    if (status === 401 || (status >= 300 && status < 400)) {
      return { kind: 'unauthenticated', sentence: 'The portal wants the viewer to sign in.' };
    }
    if (status === 403) return { kind: 'forbidden', sentence: 'The portal does not allow this.' };
    return unavailable(`answered with status ${status}`);
  }

  #remember(key: string, verdict: Verdict): void {
    if (this.#cacheMs === 0) return;
    this.#cache.delete(key);
    this.#cache.set(key, { verdict, until: this.#clock.now() + this.#cacheMs });
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= MAX_CACHED_VERDICTS) break;
      this.#cache.delete(oldest);
    }
  }
}

function unavailable(why: string): Verdict {
  return { kind: 'unavailable', sentence: `The portal that decides who may see this ${why}.` };
}
