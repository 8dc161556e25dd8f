/**
 * Who may see what: a viewer's request → a verdict. What decides is a JSON Web Token, the portal (forward
 * authentication), or a function of the host program; the rest of the proxy knows only the shape below.
 */
import type { IncomingMessage } from 'node:http';
import { StreamError } from '../../shared/errors.js';
import { CloseCode } from '../../shared/proxy-protocol.js';

/** Where a token was found, which decides how long it is good for. */
export type TokenSource = 'header' | 'cookie' | 'query';

export interface ViewerToken {
  text: string;
  source: TokenSource;
}

/** One thing that a viewer wants. */
export interface AccessQuestion {
  /** The camera's name as the viewer gave it, in the form of a name; null: a raw tunnel, whose target is not known yet. */
  camera: string | null;
  token: ViewerToken | null;
  /** The viewer's IP address, behind trusted proxies too. */
  address: string;
  /** The Origin header, which has passed the allowlist of origins; null when there is none. */
  origin: string | null;
  /** The HTTP request: cookies and whatever else tells who it is. */
  request: IncomingMessage;
}

/**
 * - `allowed`: who the viewer is, if that is known, and until when this holds (UTC in milliseconds; null: for good).
 * - `unauthenticated`: it is not known who the viewer is; a token, or a newer one, would help.
 * - `forbidden`: it is known, and may not.
 * - `unavailable`: what decides cannot be asked; later it may be.
 */
export type Verdict =
  | { kind: 'allowed'; viewer: string | null; validUntil: number | null }
  | {
      kind: 'unauthenticated' | 'forbidden' | 'unavailable';
      sentence: string;
      /** What the viewer showed was good once. */
      hasExpired?: boolean;
    };

export type Denial = Exclude<Verdict, { kind: 'allowed' }>;

export interface Authorizer {
  /** Whether tokens in RTSP requests are for it: then they are read, and never reach a camera. */
  readonly readsTokens: boolean;
  /** The cookie that may carry a token; null for none. */
  readonly tokenCookie: string | null;
  /** Never answers `allowed` when in doubt. May reject, which means `unavailable`. */
  authorize(question: AccessQuestion): Promise<Verdict>;
}

const closeCodes: Record<Denial['kind'], CloseCode> = {
  unauthenticated: CloseCode.tokenInvalid,
  forbidden: CloseCode.forbidden,
  unavailable: CloseCode.tryAgainLater,
};

const statuses: Record<Denial['kind'], number> = { unauthenticated: 401, forbidden: 403, unavailable: 503 };

/** What a WebSocket is closed with. */
export function closeCodeOfDenial(denial: Denial): CloseCode {
  return closeCodes[denial.kind];
}

/** What an HTTP request is answered with. */
export function statusOfDenial(denial: Denial): number {
  return statuses[denial.kind];
}

/** Asks, and turns a failure to answer, or to answer in time, into a verdict. Never rejects. */
export async function askAuthorizer(
  authorizer: Authorizer,
  question: AccessQuestion,
  after: (timeoutMs: number, callback: () => void) => () => void,
  timeoutMs: number,
): Promise<Verdict> {
  let cancel = (): void => {};
  const late = new Promise<Verdict>((resolve) => {
    cancel = after(timeoutMs, () => resolve(unavailable(`was not known within ${timeoutMs} ms`)));
  });
  try {
    return await Promise.race([authorizer.authorize(question), late]);
  } catch (thrown) {
    // The words of foreign errors may show what is none of the viewer's business.
    return unavailable(thrown instanceof StreamError ? 'could not be asked' : 'could not be found out');
  } finally {
    cancel();
  }
}

function unavailable(why: string): Verdict {
  return { kind: 'unavailable', sentence: `Who may see this ${why}.` };
}
