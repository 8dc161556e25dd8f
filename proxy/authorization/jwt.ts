/**
 * JSON Web Tokens (RFC 7519) that name the cameras a viewer may see. The signature's algorithm follows from the
 * administrator's key and never from the token, so `none`, and a public key taken for a secret, are refused.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import {
  AUTHORIZATION_TIMEOUT_MS,
  MAX_CAMERA_PATTERNS,
  MAX_QUERY_TOKEN_AGE_MS,
  MAX_TOKEN_LENGTH,
  TOKEN_CACHE_MS,
} from '../../shared/limits.js';
import type { AccessQuestion, Authorizer, Verdict, ViewerToken } from './authorizer.js';
import { matchesGlob } from './glob.js';

/** Exactly one of the first three. */
export interface JwtOptions {
  /** For HS256: at least 32 bytes of UTF-8. */
  secret?: string | undefined;
  /** For RS256, ES256 or EdDSA: PEM of the public key or of a certificate. */
  publicKey?: string | undefined;
  /** Where the keys are, as a JSON Web Key Set (RFC 7517). */
  jwksUrl?: string | undefined;
  /** What `iss` and `aud` must be; not looked at by default. */
  issuer?: string | undefined;
  audience?: string | undefined;
  /** The claim with the list of cameras' names or globs; `cameras` by default. */
  camerasClaim?: string | undefined;
  /** The cookie that may carry the token; null for none. */
  cookie?: string | null | undefined;
  /** How far the issuer's clock may be off, in seconds; 5 by default. */
  clockToleranceSeconds?: number | undefined;
}

export const DEFAULT_TOKEN_COOKIE = 'rtsp_token';
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2_048;
const DEFAULT_TOLERANCE_SECONDS = 5;
const MAX_VIEWER_LENGTH = 256;

interface Verifier {
  key: KeyObject | JWTVerifyGetKey;
  algorithms: string[];
}

export class JwtAuthorizer implements Authorizer {
  readonly readsTokens = true;
  readonly tokenCookie: string | null;
  readonly #clock: Clock;
  readonly #options: JwtOptions;
  readonly #verifier: Verifier;
  readonly #toleranceMs: number;
  /** The wall's list asks about every camera with the same token. */
  #last: { text: string; payload: Promise<JWTPayload>; at: number } | null = null;

  /** Throws `invalid-argument` when the key is none, or too weak. */
  constructor(options: JwtOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#verifier = makeVerifier(options);
    this.#toleranceMs = 1_000 * (options.clockToleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS);
    this.tokenCookie = options.cookie === undefined ? DEFAULT_TOKEN_COOKIE : options.cookie;
  }

  async authorize({ camera, token }: AccessQuestion): Promise<Verdict> {
    if (token === null) return unauthenticated('An access token is wanted.');
    if (token.text.length > MAX_TOKEN_LENGTH) return unauthenticated('The access token is too long.');
    let payload: JWTPayload;
    try {
      payload = await this.#verify(token.text);
    } catch (error) {
      return verdictOf(error);
    }
    const expiresAt = (payload.exp ?? 0) * 1_000;
    if (expiresAt + this.#toleranceMs <= this.#clock.utc()) return expired('The access token has expired.');
    const stale = this.#judgeAge(token, payload);
    if (stale !== null) return stale;
    if (!this.#names(payload, camera)) {
      const what = camera === null ? 'direct connections to cameras' : 'this camera';
      return { kind: 'forbidden', sentence: `The access token does not allow ${what}.` };
    }
    return {
      kind: 'allowed',
      viewer: payload.sub?.slice(0, MAX_VIEWER_LENGTH) ?? null,
      validUntil: expiresAt + this.#toleranceMs,
    };
  }

  #verify(text: string): Promise<JWTPayload> {
    const now = this.#clock.now();
    if (this.#last !== null && this.#last.text === text && now - this.#last.at < TOKEN_CACHE_MS) {
      return this.#last.payload;
    }
    const { issuer, audience } = this.#options;
    const { key, algorithms } = this.#verifier;
    const options = {
      algorithms,
      requiredClaims: ['exp'],
      clockTolerance: this.#toleranceMs / 1_000,
      currentDate: new Date(this.#clock.utc()),
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
    const verified = typeof key === 'function' ? jwtVerify(text, key, options) : jwtVerify(text, key, options);
    const payload = verified.then((result) => result.payload);
    this.#last = { text, payload, at: now };
    payload.catch(() => {
      if (this.#last?.payload === payload) this.#last = null;
    });
    return payload;
  }

  /** URLs are kept in histories and logs, so a token in one is good for as long as it takes to connect. */
  #judgeAge(token: ViewerToken, payload: JWTPayload): Verdict | null {
    if (token.source !== 'query') return null;
    const seconds = MAX_QUERY_TOKEN_AGE_MS / 1_000;
    if (payload.iat === undefined) return unauthenticated('A token in a URL must say when it was issued (iat).');
    const ageMs = this.#clock.utc() - payload.iat * 1_000;
    if (ageMs < -this.#toleranceMs) return unauthenticated('The access token is from the future (iat).');
    if (ageMs > MAX_QUERY_TOKEN_AGE_MS) {
      return expired(`A token in a URL is accepted for ${seconds} s after it was issued.`);
    }
    return null;
  }

  #names(payload: JWTPayload, camera: string | null): boolean {
    if (camera === null) return payload.tunnel === true;
    const claim = payload[this.#options.camerasClaim ?? 'cameras'];
    if (!Array.isArray(claim)) return false;
    return claim
      .slice(0, MAX_CAMERA_PATTERNS)
      .some((pattern) => typeof pattern === 'string' && matchesGlob(pattern, camera));
  }
}

function makeVerifier({ secret, publicKey, jwksUrl }: JwtOptions): Verifier {
  const given = [secret, publicKey, jwksUrl].filter((value) => value !== undefined).length;
  if (given !== 1) throw invalid('needs exactly one of secret, publicKey and jwksUrl');
  if (secret !== undefined) {
    const bytes = Buffer.from(secret, 'utf8');
    if (bytes.length < MIN_SECRET_BYTES) {
      throw invalid(`has a secret of ${bytes.length} bytes; HS256 wants at least ${MIN_SECRET_BYTES} (RFC 7518, 3.2)`);
    }
    return { key: createSecretKey(bytes), algorithms: ['HS256'] };
  }
  if (publicKey !== undefined) return makeKeyVerifier(publicKey);
  const url = parseHttpUrl(jwksUrl ?? '');
  if (url === null) throw invalid(`has the jwksUrl "${jwksUrl}"; expected an https:// URL`);
  return {
    key: createRemoteJWKSet(url, { timeoutDuration: AUTHORIZATION_TIMEOUT_MS / 2 }),
    algorithms: ['RS256', 'ES256', 'EdDSA', 'Ed25519'],
  };
}

function makeKeyVerifier(pem: string): Verifier {
  // A private key would also do for Node, and does not belong here.
  if (/PRIVATE KEY/.test(pem)) throw invalid('has a private key; expected the public key that belongs to it');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw new StreamError('invalid-argument', 'authorization.jwt.publicKey: expected a public key in PEM.', {
      cause: error,
    });
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < MIN_RSA_BITS)
      throw invalid(`has an RSA key of ${modulusLength} bits; ${MIN_RSA_BITS} are wanted`);
    return { key, algorithms: ['RS256'] };
  }
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return { key, algorithms: ['ES256'] };
  if (key.asymmetricKeyType === 'ed25519') return { key, algorithms: ['EdDSA', 'Ed25519'] };
  throw invalid('has a key of another kind than RSA, P-256 and Ed25519');
}

function invalid(what: string): StreamError {
  return new StreamError('invalid-argument', `authorization.jwt ${what}.`);
}

function parseHttpUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url : null;
}

function unauthenticated(sentence: string): Verdict {
  return { kind: 'unauthenticated', sentence };
}

function expired(sentence: string): Verdict {
  return { kind: 'unauthenticated', sentence, hasExpired: true };
}

/** jose's errors in our words: theirs may quote the token's claims. */
function verdictOf(error: unknown): Verdict {
  if (error instanceof errors.JWTExpired) return expired('The access token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(`The access token's claim "${error.claim}" is missing or not as expected.`);
  }
  if (error instanceof errors.JWKSTimeout) return { kind: 'unavailable', sentence: 'The keys cannot be fetched.' };
  const isTokensFault =
    error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC' && error.code !== 'ERR_JWKS_INVALID';
  if (isTokensFault) return unauthenticated('The access token is not valid.');
  return { kind: 'unavailable', sentence: 'The access token could not be checked.' };
}
