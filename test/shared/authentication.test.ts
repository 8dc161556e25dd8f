import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  Authenticator,
  type Challenge,
  type DigestAlgorithm,
  type DigestInput,
  digestResponse,
  parseChallenges,
} from '../../shared/authentication.js';
import { StreamError } from '../../shared/errors.js';

/** CPU time since `start`, in ms: unlike the wall clock, it does not depend on what else the machine does. */
function cpuMs(start: NodeJS.CpuUsage): number {
  return process.cpuUsage(start).user / 1_000;
}

describe('parseChallenges', () => {
  const plain: Challenge = { scheme: 'digest', realm: 'r', nonce: 'n', qop: null, stale: false };
  const cases: [name: string, headers: string[], challenges: Challenge[]][] = [
    ['Basic', ['Basic realm="Camera"'], [{ scheme: 'basic', realm: 'Camera', stale: false }]],
    ['Basic with a charset', ['Basic realm="a", charset="UTF-8"'], [{ scheme: 'basic', realm: 'a', stale: false }]],
    ['Digest', ['Digest realm="r", nonce="n"'], [plain]],
    ['any case, any blanks', ['  dIGEST  REALM = "r" ,\tNonce="n",'], [plain]],
    [
      'opaque and algorithm',
      ['Digest realm="r",nonce="n",opaque="o",algorithm=MD5'],
      [{ ...plain, opaque: 'o', algorithm: 'MD5' }],
    ],
    ['an empty opaque is one', ['Digest realm="r", nonce="n", opaque=""'], [{ ...plain, opaque: '' }]],
    [
      'a quoted algorithm in small letters',
      ['Digest realm="r", nonce="n", algorithm="sha-256"'],
      [{ ...plain, algorithm: 'SHA-256' }],
    ],
    ['-sess', ['Digest realm="r", nonce="n", algorithm=md5-SESS'], [{ ...plain, algorithm: 'MD5-sess' }]],
    [
      'SHA-256-sess',
      ['Digest realm="r", nonce="n", algorithm=SHA-256-sess'],
      [{ ...plain, algorithm: 'SHA-256-sess' }],
    ],
    ['an empty algorithm', ['Digest realm="r", nonce="n", algorithm='], [plain]],
    ['qop', ['Digest realm="r", nonce="n", qop="auth"'], [{ ...plain, qop: 'auth' }]],
    ['qop with auth-int', ['Digest realm="r", nonce="n", qop="auth-int, Auth"'], [{ ...plain, qop: 'auth' }]],
    ['qop unquoted', ['Digest realm="r", qop=auth, nonce="n"'], [{ ...plain, qop: 'auth' }]],
    ['qop unquoted, with a comma', ['Digest realm="r", qop=auth-int,auth, nonce="n"'], [{ ...plain, qop: 'auth' }]],
    ['an empty qop', ['Digest realm="r", nonce="n", qop=""'], [plain]],
    ['auth-int alone cannot be answered', ['Digest realm="r", nonce="n", qop="auth-int"'], []],
    ['stale', ['Digest realm="r", nonce="n", stale=true'], [{ ...plain, stale: true }]],
    ['stale="TRUE"', ['Digest realm="r", nonce="n", stale="TRUE"'], [{ ...plain, stale: true }]],
    ['stale="FALSE"', ['Digest realm="r", nonce="n", stale="FALSE"'], [plain]],
    [
      'an unquoted realm with blanks',
      ['Digest realm=IP Camera(12345), nonce="n"'],
      [{ ...plain, realm: 'IP Camera(12345)' }],
    ],
    ['an unquoted nonce that ends in =', ['Digest realm="r", nonce=bjE9PQ=='], [{ ...plain, nonce: 'bjE9PQ==' }]],
    [
      'commas, equals signs and schemes inside quotes',
      ['Digest realm="a, Basic realm=b", nonce="n"'],
      [{ ...plain, realm: 'a, Basic realm=b' }],
    ],
    ['escapes inside quotes', ['Digest realm="a\\"b\\\\c", nonce="n"'], [{ ...plain, realm: 'a"b\\c' }]],
    ['a quote that never ends', ['Digest nonce="n", realm="r'], [plain]],
    ['semicolons instead of commas', ['Digest realm="r"; nonce="n"'], [plain]],
    ['a stray quote', ['Digest realm="r"", nonce="n"'], [plain]],
    ['the first of two nonces', ['Digest realm="r", nonce="n", nonce="m"'], [plain]],
    ['Digest without a nonce', ['Digest realm="r"'], []],
    ['Digest without a realm', ['Digest nonce="n"'], [{ ...plain, realm: '' }]],
    ['an unknown algorithm', ['Digest realm="r", nonce="n", algorithm=SHA-512-256'], []],
    ['unknown schemes', ['Negotiate', 'NTLM TlRMTVNTUAAB==, Bearer realm="x"'], []],
    ['an unknown scheme before a known one', ['Negotiate, Digest realm="r", nonce="n"'], [plain]],
    [
      'an unknown scheme behind a known one keeps its parameters',
      ['Digest realm="r", nonce="n", Bearer nonce="m", opaque="x"'],
      [plain],
    ],
    ['nothing', [], []],
    ['empty', ['', ' , '], []],
    ['rubbish', ['"="=,="'], []],
  ];
  for (const [name, headers, challenges] of cases) {
    test(name, () => assert.deepEqual(parseChallenges(headers), challenges));
  }

  const expectedRanking = ['SHA-256', 'SHA-256-sess', 'MD5', undefined, 'basic'];
  const md5 = 'Digest realm="r", nonce="n", algorithm=MD5';
  const old = 'Digest realm="r", nonce="n"';
  const sha = 'Digest realm="r", nonce="n", algorithm=SHA-256';
  const session = 'Digest realm="r", nonce="n", algorithm=SHA-256-sess';
  const basic = 'Basic realm="r"';
  for (const [name, headers] of [
    ['in several headers', [basic, md5, sha, old, session]],
    ['in one header', [[basic, md5, sha, old, session].join(', ')]],
  ] as const) {
    test(`the strongest first: ${name}`, () => {
      const ranking = parseChallenges(headers).map((challenge) =>
        challenge.scheme === 'basic' ? 'basic' : challenge.algorithm,
      );
      assert.deepEqual(ranking, expectedRanking);
    });
  }

  test('property: any text, without an exception, in linear time', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'",= \\;ab', 'Digest ', 'Basic ', 'realm=', 'nonce=', 'qop=auth'),
      maxLength: 60,
    });
    fc.assert(fc.property(fc.array(text, { maxLength: 3 }), (headers) => Array.isArray(parseChallenges(headers))));
    for (const unit of ['"', ',', '=', 'a ', 'a=b,', '\\', 'Digest ', 'qop=auth,auth,']) {
      const start = process.cpuUsage();
      parseChallenges([unit.repeat(100_000)]);
      assert.ok(cpuMs(start) < 3_000, unit);
    }
  });
});

describe('digestResponse', () => {
  const rfc2617: DigestInput = {
    algorithm: 'MD5',
    username: 'Mufasa',
    realm: 'testrealm@host.com',
    password: 'Circle Of Life',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    qop: 'auth',
    nonceCount: '00000001',
    clientNonce: '0a4f113b',
    method: 'GET',
    url: '/dir/index.html',
  };
  const rfc7616: DigestInput = {
    ...rfc2617,
    realm: 'http-auth@example.org',
    password: 'Circle of Life',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    clientNonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  };

  test('the example of RFC 2617, 3.5', () => {
    assert.equal(digestResponse(rfc2617), '6629fae49393a05397450978507c4ef1');
  });

  test('the same without qop (RFC 2069)', () => {
    assert.equal(digestResponse({ ...rfc2617, qop: null }), '670fd8c2df070c60b045671b8b24ff02');
  });

  test('the example of RFC 7616, 3.9.1, MD5', () => {
    assert.equal(digestResponse(rfc7616), '8ca523f5e9506fed4657c9700eebdbec');
  });

  test('the example of RFC 7616, 3.9.1, SHA-256', () => {
    assert.equal(
      digestResponse({ ...rfc7616, algorithm: 'SHA-256' }),
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    );
  });

  function reference(input: DigestInput): string {
    const hash = (text: string): string =>
      createHash(input.algorithm.startsWith('SHA') ? 'sha256' : 'md5')
        .update(text, 'utf8')
        .digest('hex');
    let a1 = hash(`${input.username}:${input.realm}:${input.password}`);
    if (input.algorithm.endsWith('-sess')) a1 = hash(`${a1}:${input.nonce}:${input.clientNonce}`);
    const a2 = hash(`${input.method}:${input.url}`);
    const middle = input.qop === null ? '' : `${input.nonceCount}:${input.clientNonce}:${input.qop}:`;
    return hash(`${a1}:${input.nonce}:${middle}${a2}`);
  }

  for (const algorithm of ['MD5', 'MD5-sess', 'SHA-256', 'SHA-256-sess'] as const) {
    test(`property: ${algorithm} is what node:crypto makes of it`, () => {
      const text = fc.string({ unit: 'binary', maxLength: 40 });
      fc.assert(
        fc.property(
          text,
          text,
          text,
          text,
          fc.constantFrom('auth' as const, null),
          (username, password, realm, nonce, qop) => {
            const input: DigestInput = { ...rfc2617, algorithm, username, password, realm, nonce, qop };
            assert.equal(digestResponse(input), reference(input));
          },
        ),
        { numRuns: 50 },
      );
    });
  }
});

describe('Authenticator', () => {
  const credentials = { username: 'admin', password: 'secret' };

  /** The fields of a Digest answer, unquoted; fails on anything else. */
  function fields(header: string | null): Map<string, string> {
    assert.match(header ?? '', /^Digest /);
    const found = [
      ...(header ?? '').slice('Digest '.length).matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^",]+))(?:, |$)/g),
    ];
    assert.equal(found.map((match) => match[0]).join(''), (header ?? '').slice('Digest '.length));
    return new Map(found.map((match) => [match[1] ?? '', match[3] ?? (match[2] ?? '').replace(/\\(.)/g, '$1')]));
  }

  function assertAnswers(
    header: string | null,
    method: string,
    algorithm: DigestAlgorithm = 'MD5',
    password = 'secret',
  ): void {
    const answer = fields(header);
    const expected = digestResponse({
      algorithm,
      username: answer.get('username') ?? '',
      realm: answer.get('realm') ?? '',
      password,
      nonce: answer.get('nonce') ?? '',
      qop: answer.get('qop') === 'auth' ? 'auth' : null,
      nonceCount: answer.get('nc') ?? '',
      clientNonce: answer.get('cnonce') ?? '',
      method,
      url: answer.get('uri') ?? '',
    });
    assert.equal(answer.get('response'), expected);
  }

  test('has nothing to say before a challenge', () => {
    assert.equal(new Authenticator(credentials).authorize('DESCRIBE', 'rtsp://h/'), null);
  });

  test('Basic, in UTF-8', () => {
    const authenticator = new Authenticator({ username: 'Jürgen', password: 'pä€s:wörd' });
    assert.equal(authenticator.challenge(['Basic realm="x"']), true);
    const header = authenticator.authorize('DESCRIBE', 'rtsp://h/') ?? '';
    assert.match(header, /^Basic [A-Za-z0-9+/=]+$/);
    assert.equal(Buffer.from(header.slice(6), 'base64').toString('utf8'), 'Jürgen:pä€s:wörd');
  });

  test('Digest without qop: no nc, no cnonce, and no algorithm that was not asked for', () => {
    const authenticator = new Authenticator(credentials);
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n"']), true);
    const header = authenticator.authorize('DESCRIBE', 'rtsp://h/a?b=c&d');
    assert.deepEqual([...fields(header).keys()], ['username', 'realm', 'nonce', 'uri', 'response']);
    assert.equal(fields(header).get('uri'), 'rtsp://h/a?b=c&d');
    assertAnswers(header, 'DESCRIBE');
  });

  test('Digest with qop, opaque and algorithm: nc counts on, the later requests need no challenge', () => {
    const authenticator = new Authenticator(credentials);
    authenticator.challenge(['Digest realm="r", nonce="n", qop="auth,auth-int", opaque="o=", algorithm=SHA-256']);
    const first = authenticator.authorize('DESCRIBE', 'rtsp://h/');
    const second = authenticator.authorize('SETUP', 'rtsp://h/track1');
    assertAnswers(first, 'DESCRIBE', 'SHA-256');
    assertAnswers(second, 'SETUP', 'SHA-256');
    assert.equal(fields(first).get('nc'), '00000001');
    assert.equal(fields(second).get('nc'), '00000002');
    assert.match(fields(first).get('cnonce') ?? '', /^[0-9a-f]{32}$/);
    // The standard has these unquoted, and servers compare.
    assert.match(first ?? '', /, algorithm=SHA-256, opaque="o=", qop=auth, nc=00000001, cnonce="/);
  });

  for (const algorithm of ['MD5-sess', 'SHA-256-sess'] as const) {
    test(`${algorithm}, with and without qop`, () => {
      for (const qop of ['', ', qop="auth"']) {
        const authenticator = new Authenticator(credentials);
        authenticator.challenge([`Digest realm="r", nonce="n", algorithm=${algorithm}${qop}`]);
        const header = authenticator.authorize('PLAY', 'rtsp://h/');
        assert.ok(fields(header).has('cnonce'));
        assertAnswers(header, 'PLAY', algorithm);
        assertAnswers(authenticator.authorize('PAUSE', 'rtsp://h/'), 'PAUSE', algorithm);
      }
    });
  }

  test('quotes and backslashes are escaped in the answer and not in the hash', () => {
    const authenticator = new Authenticator({ username: 'do"m\\ain', password: 'secret' });
    authenticator.challenge(['Digest realm="a\\"b", nonce="n"']);
    const header = authenticator.authorize('PLAY', 'rtsp://h/');
    assert.match(header ?? '', /username="do\\"m\\\\ain", realm="a\\"b"/);
    assertAnswers(header, 'PLAY');
  });

  test('every connection has its own client nonce', () => {
    const nonces = [1, 2, 3].map(() => {
      const authenticator = new Authenticator(credentials);
      authenticator.challenge(['Digest realm="r", nonce="n", qop="auth"']);
      return fields(authenticator.authorize('PLAY', '*')).get('cnonce');
    });
    assert.equal(new Set(nonces).size, 3);
  });

  test('takes the strongest of several: Digest before Basic', () => {
    const authenticator = new Authenticator(credentials);
    authenticator.challenge([
      'Basic realm="r"',
      'Digest realm="r", nonce="n"',
      'Digest realm="r", nonce="n", algorithm=SHA-256',
    ]);
    assertAnswers(authenticator.authorize('PLAY', '*'), 'PLAY', 'SHA-256');
  });

  test('nothing that can be answered', () => {
    const authenticator = new Authenticator(credentials);
    assert.equal(authenticator.challenge([]), false);
    assert.equal(authenticator.challenge(['Negotiate']), false);
    assert.equal(authenticator.authorize('PLAY', '*'), null);
  });

  test('wrong credentials: the answer to a fresh challenge is refused, whether the nonce is new or not', () => {
    for (const again of ['Digest realm="r", nonce="n1"', 'Digest realm="r", nonce="n2"', 'Basic realm="r"']) {
      const authenticator = new Authenticator(credentials);
      assert.equal(authenticator.challenge(['Digest realm="r", nonce="n1"']), true);
      authenticator.authorize('DESCRIBE', '*');
      assert.equal(authenticator.challenge([again]), false, again);
    }
    const authenticator = new Authenticator(credentials);
    authenticator.challenge(['Basic realm="r"']);
    authenticator.authorize('DESCRIBE', '*');
    assert.equal(authenticator.challenge(['Basic realm="r"']), false);
  });

  for (const [name, nonce] of [
    ['a new one each time', (count: number) => `n${count}`],
    ['the same one', () => 'n'],
  ] as const) {
    test(`a stale nonce is worth another try, but not for ever: ${name}`, () => {
      const authenticator = new Authenticator(credentials);
      assert.equal(authenticator.challenge([`Digest realm="r", nonce="${nonce(0)}"`]), true);
      const results = [1, 2, 3, 4, 5].map((count) => {
        authenticator.authorize('DESCRIBE', '*');
        return authenticator.challenge([`Digest realm="r", nonce="${nonce(count)}", stale=true`]);
      });
      assert.deepEqual(results, [true, true, false, false, false]);
    });
  }

  test('a new nonce on a keep-alive, without stale (Axis M5525)', () => {
    const authenticator = new Authenticator(credentials);
    authenticator.challenge(['Digest realm="r", nonce="n1", qop="auth"']);
    authenticator.authorize('DESCRIBE', '*');
    authenticator.authorize('SETUP', '*');
    authenticator.authorize('GET_PARAMETER', '*');
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n2", qop="auth"']), true);
    const header = authenticator.authorize('GET_PARAMETER', '*');
    assert.equal(fields(header).get('nonce'), 'n2');
    assert.equal(fields(header).get('nc'), '00000001');
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n3", qop="auth"']), false);
  });

  test('a server that gives a new nonce for each request', () => {
    const authenticator = new Authenticator(credentials);
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n0"']), true);
    authenticator.authorize('DESCRIBE', '*');
    for (let count = 1; count < 10; count++) {
      authenticator.authorize('SETUP', '*');
      assert.equal(authenticator.challenge([`Digest realm="r", nonce="n${count}"`]), true);
      authenticator.authorize('SETUP', '*');
    }
  });

  test('a later request that is refused with the nonce that was good before is refused for good', () => {
    const authenticator = new Authenticator(credentials);
    authenticator.challenge(['Basic realm="r"']);
    authenticator.authorize('DESCRIBE', '*');
    authenticator.authorize('SETUP', '*');
    assert.equal(authenticator.challenge(['Basic realm="r"']), false);
    const digest = new Authenticator(credentials);
    digest.challenge(['Digest realm="r", nonce="n"']);
    digest.authorize('DESCRIBE', '*');
    digest.authorize('SETUP', '*');
    assert.equal(digest.challenge(['Digest realm="r", nonce="n"']), false);
  });

  test('two requests that were under way when the nonce ran out', () => {
    const authenticator = new Authenticator(credentials);
    authenticator.challenge(['Digest realm="r", nonce="n1"']);
    for (const method of ['DESCRIBE', 'SETUP', 'GET_PARAMETER', 'PAUSE']) authenticator.authorize(method, '*');
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n2"']), true);
    assert.equal(authenticator.challenge(['Digest realm="r", nonce="n2"']), true);
    assert.equal(fields(authenticator.authorize('PAUSE', '*')).get('nonce'), 'n2');
  });

  test('a user name cannot begin another header', () => {
    for (const username of ['a\r\nX: y', 'a\0']) {
      assert.throws(
        () => new Authenticator({ username, password: '' }),
        (error: unknown) => error instanceof StreamError && error.code === 'invalid-argument',
      );
    }
  });

  test('credentials that are changed afterwards do not matter', () => {
    const own = { ...credentials };
    const authenticator = new Authenticator(own);
    own.password = 'other';
    authenticator.challenge(['Digest realm="r", nonce="n"']);
    assertAnswers(authenticator.authorize('PLAY', '*'), 'PLAY');
  });

  test('pages over plain HTTP: crypto.subtle is never needed', () => {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis.crypto, 'subtle');
    Object.defineProperty(globalThis.crypto, 'subtle', { configurable: true, get: () => assert.fail('crypto.subtle') });
    try {
      const authenticator = new Authenticator(credentials);
      authenticator.challenge(['Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"']);
      assertAnswers(authenticator.authorize('PLAY', '*'), 'PLAY', 'SHA-256');
    } finally {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis.crypto, 'subtle');
      else Object.defineProperty(globalThis.crypto, 'subtle', descriptor);
    }
  });
});
