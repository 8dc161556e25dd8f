import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { AccessQuestion, TokenSource, Verdict } from '../../../proxy/authorization/authorizer.js';
import { JwtAuthorizer, type JwtOptions } from '../../../proxy/authorization/jwt.js';
import { systemClock } from '../../../shared/clock.js';
import { StreamError } from '../../../shared/errors.js';
import { ManualClock } from '../manual-clock.js';
import { asymmetric, claims, hs256, keys, nowSeconds, pem, secret, unsigned } from './tokens.js';

function question(
  text: string | null,
  camera: string | null = 'front',
  source: TokenSource = 'header',
): AccessQuestion {
  const token = text === null ? null : { text, source };
  return { camera, token, address: '10.0.0.1', origin: null, request: {} as AccessQuestion['request'] };
}

async function verdict(text: string | null, options: JwtOptions = { secret }, camera: string | null = 'front') {
  return new JwtAuthorizer(options, systemClock).authorize(question(text, camera));
}

const kind = async (result: Promise<Verdict>): Promise<string> => (await result).kind;

describe('tokens', () => {
  test('a good one lets in to the cameras that it names, as its subject, until it expires', async () => {
    const payload = claims(['front', 'yard-*']);
    const text = hs256(payload);
    assert.deepEqual(await verdict(text), {
      kind: 'allowed',
      viewer: 'alice',
      validUntil: (Number(payload.exp) + 5) * 1_000,
    });
    assert.equal(await kind(verdict(text, { secret }, 'yard-2')), 'allowed');
    assert.equal(await kind(verdict(text, { secret }, 'yard')), 'forbidden');
    assert.equal(await kind(verdict(text, { secret }, 'front-door')), 'forbidden');
  });

  test('raw tunnels have a claim of their own', async () => {
    assert.equal(await kind(verdict(hs256(claims(['*'])), { secret }, null)), 'forbidden');
    assert.equal(await kind(verdict(hs256(claims([], { tunnel: true })), { secret }, null)), 'allowed');
    assert.equal(await kind(verdict(hs256(claims([], { tunnel: 'yes' })), { secret }, null)), 'forbidden');
  });

  test('the claim may have another name, and must be a list', async () => {
    const options = { secret, camerasClaim: 'https://portal.example/cameras' };
    const text = hs256(claims([], { 'https://portal.example/cameras': ['front', 7] }));
    assert.equal(await kind(verdict(text, options)), 'allowed');
    assert.equal(await kind(verdict(text)), 'forbidden');
    for (const wrong of ['*', { front: true }, null, 7]) {
      assert.equal(await kind(verdict(hs256(claims([], { cameras: wrong })))), 'forbidden', String(wrong));
    }
  });

  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
    test(`${alg} with a public key`, async () => {
      const { publicKey, privateKey } = keys[alg];
      const options = { publicKey: pem(publicKey) };
      assert.equal(await kind(verdict(asymmetric(alg, claims(['*']), privateKey), options)), 'allowed');
      const other = alg === 'RS256' ? keys.ES256 : keys.RS256;
      const otherAlg = alg === 'RS256' ? 'ES256' : 'RS256';
      const wrong = [
        asymmetric(otherAlg, claims(['*']), other.privateKey),
        // The public key is known to everybody: it must not pass as the secret of HS256.
        hs256(claims(['*']), pem(publicKey)),
        hs256(claims(['*']), pem(publicKey).trim()),
        hs256(claims(['*']), publicKey.export({ type: 'spki', format: 'der' })),
        unsigned(claims(['*'])),
      ];
      for (const text of wrong) assert.equal(await kind(verdict(text, options)), 'unauthenticated');
    });
  }

  test('what is wrong with a token keeps out', async () => {
    const good = hs256(claims(['*']));
    const [head = '', body = '', signature = ''] = good.split('.');
    const wrong: Record<string, string | null> = {
      'no token': null,
      'an empty one': '',
      'no token at all': 'not.a.token',
      'alg none': unsigned(claims(['*'])),
      'alg None': unsigned(claims(['*']), 'None'),
      'an empty signature': `${head}.${body}.`,
      'another signature': `${head}.${body}.${signature.slice(0, -2)}AA`,
      'another secret': hs256(claims(['*']), 'another secret of more than thirty-two bytes'),
      'HS512 in the header': hs256(claims(['*']), secret, { alg: 'HS512' }),
      'a critical extension': hs256(claims(['*']), secret, { alg: 'HS256', crit: ['x'], x: 1 }),
      'a key in the header': hs256(claims(['*']), 'another secret of more than thirty-two bytes', {
        alg: 'HS256',
        jwk: { kty: 'oct', k: Buffer.from('another secret of more than thirty-two bytes').toString('base64url') },
      }),
      expired: hs256(claims(['*'], { exp: nowSeconds() - 60 })),
      'without expiry': hs256(claims(['*'], { exp: undefined })),
      'an expiry that is no number': hs256(claims(['*'], { exp: 'never' })),
      'not valid yet': hs256(claims(['*'], { nbf: nowSeconds() + 600 })),
      'too long': `${good}${'A'.repeat(5_000)}`,
      'no object': `${head}.${Buffer.from('[]').toString('base64url')}.${signature}`,
    };
    for (const [what, text] of Object.entries(wrong)) assert.equal(await kind(verdict(text)), 'unauthenticated', what);
  });

  test('issuer and audience', async () => {
    const options = { secret, issuer: 'https://portal.example', audience: 'cameras' };
    const right = { iss: 'https://portal.example', aud: ['other', 'cameras'] };
    assert.equal(await kind(verdict(hs256(claims(['*'], right)), options)), 'allowed');
    for (const wrong of [{}, { ...right, iss: 'https://evil.example' }, { ...right, aud: 'other' }]) {
      assert.equal(await kind(verdict(hs256(claims(['*'], wrong)), options)), 'unauthenticated');
    }
  });

  test('in a URL it is good for 60 s after its issue', async () => {
    const clock = new ManualClock();
    const authorizer = new JwtAuthorizer({ secret }, clock);
    const ask = (others: Record<string, unknown>) =>
      kind(authorizer.authorize(question(hs256(claims(['*'], others)), 'front', 'query')));
    const now = Math.floor(clock.utc() / 1_000);
    assert.equal(await ask({ iat: now - 59 }), 'allowed');
    assert.equal(await ask({ iat: now - 62 }), 'unauthenticated');
    assert.equal(await ask({ iat: now + 60 }), 'unauthenticated');
    assert.equal(await ask({ iat: undefined }), 'unauthenticated');
    // Elsewhere its age does not count.
    const old = hs256(claims(['*'], { iat: now - 3_000 }));
    assert.equal(await kind(authorizer.authorize(question(old, 'front', 'cookie'))), 'allowed');
  });

  test('a token that was good a moment ago is refused when it has expired', async () => {
    const clock = new ManualClock();
    const authorizer = new JwtAuthorizer({ secret, clockToleranceSeconds: 0 }, clock);
    const text = hs256(claims(['*'], { exp: Math.floor(clock.utc() / 1_000) + 2 }));
    assert.equal(await kind(authorizer.authorize(question(text))), 'allowed');
    await clock.advance(2_500);
    assert.equal(await kind(authorizer.authorize(question(text))), 'unauthenticated');
  });

  test('keys that are no good are refused at the start', () => {
    const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const cases: [JwtOptions, RegExp][] = [
      [{}, /exactly one of secret, publicKey and jwksUrl/],
      [{ secret, jwksUrl: 'https://portal.example/keys' }, /exactly one/],
      [{ secret: 'short' }, /secret of 5 bytes; HS256 wants at least 32/],
      [{ publicKey: 'nonsense' }, /expected a public key in PEM/],
      [{ publicKey: keys.ES256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }, /private key/],
      [{ publicKey: pem(weakRsa.publicKey) }, /RSA key of 1024 bits/],
      [{ publicKey: pem(p384.publicKey) }, /another kind/],
      [{ jwksUrl: 'file:///etc/passwd' }, /expected an https:\/\/ URL/],
    ];
    for (const [options, expected] of cases) {
      assert.throws(
        () => new JwtAuthorizer(options, systemClock),
        (error) => error instanceof StreamError && error.code === 'invalid-argument' && expected.test(error.message),
        String(expected),
      );
    }
  });
});

describe('keys from a URL', () => {
  let asked = 0;
  let status = 200;
  const server = createServer((_, response) => {
    asked++;
    const jwk = (name: keyof typeof keys) => ({ ...keys[name].publicKey.export({ format: 'jwk' }), kid: name });
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ keys: [jwk('RS256'), jwk('ES256'), jwk('EdDSA')] }));
  });
  let jwksUrl = '';
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  after(() => server.close());

  test('are fetched once for many tokens', async () => {
    const authorizer = new JwtAuthorizer({ jwksUrl }, systemClock);
    for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
      const text = asymmetric(alg, claims(['front']), keys[alg].privateKey, alg);
      assert.equal(await kind(authorizer.authorize(question(text))), 'allowed', alg);
    }
    assert.equal(asked, 1);
    const unknown = asymmetric('RS256', claims(['front']), keys.RS256.privateKey, 'other');
    assert.equal(await kind(authorizer.authorize(question(unknown))), 'unauthenticated');
    assert.equal(await kind(authorizer.authorize(question(hs256(claims(['front']))))), 'unauthenticated');
    assert.equal(await kind(authorizer.authorize(question(unsigned(claims(['front']))))), 'unauthenticated');
  });

  test('that cannot be had keep out, but not for good', async () => {
    const authorizer = new JwtAuthorizer({ jwksUrl }, systemClock);
    const text = asymmetric('ES256', claims(['front']), keys.ES256.privateKey, 'ES256');
    status = 500;
    assert.equal(await kind(authorizer.authorize(question(text))), 'unavailable');
    status = 200;
    assert.equal(await kind(authorizer.authorize(question(text))), 'allowed');
    const nobody = new JwtAuthorizer({ jwksUrl: 'http://127.0.0.1:1/keys' }, systemClock);
    assert.equal(await kind(nobody.authorize(question(text))), 'unavailable');
  });
});
