/** Tokens for tests, written by hand from RFC 7515 and RFC 7519, so that they can also be wrong. */
import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export const secret = 'a secret of more than thirty-two bytes';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

export type Claims = Record<string, unknown>;

/** Good for `cameras`, from now for an hour, unless the claims say otherwise. */
export function claims(cameras: readonly string[], others: Claims = {}): Claims {
  return { sub: 'alice', iat: nowSeconds(), exp: nowSeconds() + 3_600, cameras, ...others };
}

export function hs256(
  payload: Claims,
  key: string | Buffer = secret,
  header: Claims = { alg: 'HS256', typ: 'JWT' },
): string {
  const text = `${encode(header)}.${encode(payload)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

export function unsigned(payload: Claims, alg = 'none'): string {
  return `${encode({ alg, typ: 'JWT' })}.${encode(payload)}.`;
}

export function asymmetric(alg: 'RS256' | 'ES256' | 'EdDSA', payload: Claims, key: KeyObject, kid?: string): string {
  const text = `${encode({ alg, ...(kid === undefined ? {} : { kid }) })}.${encode(payload)}`;
  const signature =
    alg === 'EdDSA'
      ? sign(null, Buffer.from(text), key)
      : createSign('sha256')
          .update(text)
          .sign(alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
  return `${text}.${signature.toString('base64url')}`;
}

export const keys = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

export const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
