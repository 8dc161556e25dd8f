/** The host program's own function as an Authorizer. */
import type { IncomingMessage } from 'node:http';
import type { AccessQuestion, Authorizer, Verdict } from './authorizer.js';

/** What the function is told. */
export interface AuthorizeQuestion {
  /** The camera's name; null: a raw tunnel to a target of the allowlist. */
  camera: string | null;
  /** A token that the viewer has sent: in `?token=`, `Authorization: Bearer` or its first RTSP request. Not checked. */
  token: string | null;
  /** The viewer's IP address. */
  address: string;
  origin: string | null;
  /** The HTTP request, with its cookies. */
  request: IncomingMessage;
}

/**
 * - true or false: in or out.
 * - `token-wanted`: a token, or a newer one, is needed; asked again when the viewer has sent one.
 * - an object: in, as this viewer (for limits and logs), until this time (UTC in milliseconds), when it is asked again.
 */
export type AuthorizeAnswer = boolean | 'token-wanted' | { viewer?: string | null; validUntil?: number | null };

export type Authorize = (question: AuthorizeQuestion) => AuthorizeAnswer | Promise<AuthorizeAnswer>;

export class HookAuthorizer implements Authorizer {
  readonly readsTokens = true;
  readonly tokenCookie = null;
  readonly #authorize: Authorize;

  constructor(authorize: Authorize) {
    this.#authorize = authorize;
  }

  async authorize({ token, ...question }: AccessQuestion): Promise<Verdict> {
    const answer: unknown = await this.#authorize({ ...question, token: token?.text ?? null });
    if (answer === true) return { kind: 'allowed', viewer: null, validUntil: null };
    if (answer === 'token-wanted') return { kind: 'unauthenticated', sentence: 'A valid access token is wanted.' };
    if (typeof answer !== 'object' || answer === null) {
      return { kind: 'forbidden', sentence: 'This viewer may not see this.' };
    }
    const { viewer, validUntil } = answer as { viewer?: unknown; validUntil?: unknown };
    return {
      kind: 'allowed',
      viewer: typeof viewer === 'string' ? viewer : null,
      validUntil: typeof validUntil === 'number' ? validUntil : null,
    };
  }
}
