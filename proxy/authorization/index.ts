/** The settings of authorization → the Authorizer that they ask for. */
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { Authorizer } from './authorizer.js';
import { ForwardAuthorizer, type ForwardOptions } from './forward.js';
import { type Authorize, HookAuthorizer } from './hook.js';
import { JwtAuthorizer, type JwtOptions } from './jwt.js';

/** One of these at most. */
export interface AuthorizerOptions {
  jwt?: JwtOptions | undefined;
  forward?: ForwardOptions | undefined;
  authorize?: Authorize | undefined;
}

/** Null when nobody is asked: then whoever reaches the proxy sees its cameras. Throws `invalid-argument`. */
export function makeAuthorizer({ jwt, forward, authorize }: AuthorizerOptions, clock: Clock): Authorizer | null {
  if ([jwt, forward, authorize].filter((value) => value !== undefined).length > 1) {
    throw new StreamError(
      'invalid-argument',
      'authorization: expected one of jwt, forward and authorize, not several.',
    );
  }
  if (jwt !== undefined) return new JwtAuthorizer(jwt, clock);
  if (forward !== undefined) return new ForwardAuthorizer(forward, clock);
  return authorize === undefined ? null : new HookAuthorizer(authorize);
}
