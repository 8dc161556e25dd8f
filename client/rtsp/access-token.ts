/** The page's access token for the proxy → `Proxy-Authorization` (RFC 6750), newer ones as the page gets them. */
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';

/** Where tokens come from. */
export interface AccessTokens {
  /** The token to send now; empty for none. Called before each connection and with each keep-alive. */
  get(): string | Promise<string>;
  /** Whether asking again can bring another one, which makes it worthwhile to come back after a refusal. */
  isRenewable(): boolean;
}

/** For the page's token; it goes along with a request that the proxy waits for. */
const TOKEN_TIMEOUT_MS = 5_000;

/** Asks for the token. Rejects with `token-invalid`, to be tried again. */
export async function fetchToken(tokens: AccessTokens, clock: Clock): Promise<string> {
  let cancel = () => {};
  try {
    return await Promise.race([
      tokens.get(),
      new Promise<never>((_, reject) => {
        cancel = clock.schedule(TOKEN_TIMEOUT_MS, () => reject(new Error('late')));
      }),
    ]);
  } catch (cause) {
    throw new StreamError('token-invalid', 'The page could not get an access token.', { cause, retry: 'back-off' });
  } finally {
    cancel();
  }
}
