/** The cameras that a viewer may see, as `/cameras` lists them. */
import type { IncomingMessage } from 'node:http';
import { MAX_LISTING_QUESTIONS } from '../shared/limits.js';
import type { CameraListing } from '../shared/proxy-protocol.js';
import { type Authorizer, askAuthorizer, type Denial, type Verdict } from './authorization/authorizer.js';
import { requestToken } from './authorization/request-token.js';
import type { Environment } from './connection.js';

export interface ListingRequest {
  request: IncomingMessage;
  address: string;
  cameras: readonly CameraListing[];
  /** Null: everybody may see everything. */
  authorizer: Authorizer | null;
  environment: Pick<Environment, 'clock' | 'timeouts'>;
}

/**
 * The list, or why there is none: nobody knows who it is, or who may see what could not be found out for one of them.
 * Who is known and may see nothing gets an empty list.
 */
export async function listCameras({
  request,
  address,
  cameras,
  authorizer,
  environment,
}: ListingRequest): Promise<CameraListing[] | Denial> {
  if (authorizer === null) return [...cameras];
  const { clock, timeouts } = environment;
  const token = requestToken(request, authorizer.tokenCookie);
  const origin = request.headers.origin ?? null;
  const ask = (camera: CameraListing): Promise<Verdict> =>
    askAuthorizer(
      authorizer,
      { camera: camera.name, token, address, origin, request },
      (timeoutMs, callback) => clock.schedule(timeoutMs, callback),
      timeouts.authorizationMs,
    );
  const visible: CameraListing[] = [];
  let unknown: Denial | null = null;
  for (let start = 0; start < cameras.length; start += MAX_LISTING_QUESTIONS) {
    const some = cameras.slice(start, start + MAX_LISTING_QUESTIONS);
    const verdicts = await Promise.all(some.map(ask));
    for (const [index, verdict] of verdicts.entries()) {
      const camera = some[index];
      if (verdict.kind === 'unavailable') return verdict;
      if (verdict.kind === 'unauthenticated') unknown = verdict;
      else if (verdict.kind === 'allowed' && camera !== undefined) visible.push(camera);
    }
    // Who is not known for the first cameras is not for the others.
    if (unknown !== null && visible.length === 0) return unknown;
  }
  return visible;
}
