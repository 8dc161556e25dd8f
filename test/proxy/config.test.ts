import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseCommandLine, usage } from '../../proxy/command-line.js';
import { parseAccess, parseCameraArguments, parseConfigFile, parseListen, secretsOf } from '../../proxy/config.js';
import { defaultTimeouts } from '../../proxy/connection.js';
import { defaultConnectionLimits } from '../../proxy/connection-limits.js';
import { createLogger } from '../../proxy/log.js';
import { optionPaths } from '../../proxy/options.js';
import { StreamError } from '../../shared/errors.js';

function message(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof StreamError);
    assert.equal(error.code, 'invalid-argument');
    return error.message;
  }
  assert.fail('expected an error');
}

interface SchemaPart {
  $ref?: string;
  type?: string;
  properties?: Record<string, SchemaPart>;
  items?: SchemaPart;
}

/** The paths of all settings; those of a camera without the list before them. */
function parseOptionPaths(schema: SchemaPart & { definitions: Record<string, SchemaPart> }): { options: string[] } {
  const walk = (part: SchemaPart, path: string): string[] => {
    const name = part.$ref?.split('/').at(-1);
    const target = name === undefined ? part : (schema.definitions[name] ?? {});
    if (name === 'secret' || target.properties === undefined) return [path];
    return Object.entries(target.properties).flatMap(([key, item]) => walk(item, path === '' ? key : `${path}.${key}`));
  };
  // A camera's URLs and name are what --camera itself says.
  const camera = walk({ $ref: '#/definitions/camera' }, '').filter((path) => !/^(?:name|url|streams)$/.test(path));
  return { options: [...walk(schema, '').filter((path) => path !== '$schema'), ...camera] };
}

describe('configuration', () => {
  test('cameras with one URL and with streams', () => {
    const { cameras } = parseAccess({
      cameras: [
        { name: 'front-door', title: 'Front door', url: 'rtsp://10.0.0.7/1', queryParameters: ['starttime'] },
        { name: 'yard', streams: { main: 'rtsp://10.0.0.8/1', sub: 'rtsps://10.0.0.8/2' } },
      ],
    });
    assert.deepEqual(cameras, [
      {
        name: 'front-door',
        title: 'Front door',
        streams: new Map([['main', 'rtsp://10.0.0.7/1']]),
        queryParameters: ['starttime'],
        tls: { fingerprint: null, authorities: null },
      },
      {
        name: 'yard',
        title: 'yard',
        streams: new Map([
          ['main', 'rtsp://10.0.0.8/1'],
          ['sub', 'rtsps://10.0.0.8/2'],
        ]),
        queryParameters: [],
        tls: { fingerprint: null, authorities: null },
      },
    ]);
  });

  test('origins and hosts are brought into one form', () => {
    const config = parseAccess({
      allowOrigins: ['HTTPS://Portal.example:443/'.toLowerCase().replace(':443', '')],
      publicHosts: ['Portal.Example'],
    });
    assert.deepEqual(config.allowOrigins, ['https://portal.example']);
    assert.deepEqual(config.publicHosts, ['portal.example']);
  });

  test('each mistake is named with its place, its value and what was expected', () => {
    const cases: [unknown, RegExp][] = [
      [[], /the configuration: .*expected an object/],
      [{ camera: [] }, /"camera", expected one of cameras, allow/],
      [{ cameras: {} }, /^cameras: got "\{\}", expected a list/],
      [{ cameras: [{ url: 'rtsp://a/' }] }, /^cameras\[0\]\.name: got "nothing"/],
      [{ cameras: [{ name: 'A b', url: 'rtsp://a/' }] }, /^cameras\[0\]\.name: got "A b", expected a name of a-z/],
      [{ cameras: [{ name: 'a' }] }, /^cameras\[0\] needs either a url or streams/],
      [{ cameras: [{ name: 'a', url: 'rtsp://a/', streams: { main: 'rtsp://b/' } }] }, /needs either/],
      [{ cameras: [{ name: 'a', url: 'http://a/' }] }, /^cameras\[0\]\.url: got "http:\/\/a\/", expected an rtsp/],
      [{ cameras: [{ name: 'a', streams: {} }] }, /at least one stream/],
      [{ cameras: [{ name: 'a', streams: { 'A/': 'rtsp://a/' } }] }, /^cameras\[0\]\.streams: got "A\/"/],
      [{ cameras: [{ name: 'a', streams: { sub: 7 } }] }, /^cameras\[0\]\.streams\.sub: got "7"/],
      [{ cameras: [{ name: 'a', url: 'rtsp://a/', user: 'x' }] }, /"user", expected one of name/],
      [
        {
          cameras: [
            { name: 'a', url: 'rtsp://a/' },
            { name: 'a', url: 'rtsp://b/' },
          ],
        },
        /^cameras\[1\]\.name.*no other/,
      ],
      [{ allow: ['10.0.0.0/99'] }, /"10\.0\.0\.0\/99" cannot be allowed/],
      [{ allow: [7] }, /^allow\[0\]: got "7"/],
      [{ allowOrigins: ['portal.example'] }, /^allowOrigins: got "portal\.example", expected an origin/],
      [{ allowOrigins: ['https://portal.example/page'] }, /expected an origin/],
      [{ allowOrigins: ['null'] }, /expected an origin/],
      [{ allowOrigins: ['*'] }, /expected an origin/],
      [{ allowOrigins: ['file:///x'] }, /expected an origin/],
      [{ publicHosts: ['10.0.0.1'] }, /expected a host name/],
      [{ publicHosts: ['portal:8080'] }, /expected a host name/],
    ];
    for (const [value, expected] of cases)
      assert.match(
        message(() => parseAccess(value)),
        expected,
      );
  });

  test('the settings of access, limits and TLS are checked like all others', () => {
    const secret = 'a secret of more than thirty-two bytes';
    const cases: [unknown, RegExp][] = [
      [{ authorization: {} }, /^authorization: got "\{\}", expected either jwt or forward/],
      [
        { authorization: { jwt: { secret }, forward: { url: 'http://a/' } } },
        /^authorization: .*either jwt or forward/,
      ],
      [{ authorization: { jwt: { secret: 7 } } }, /^authorization\.jwt\.secret: got "\*\*\*", expected a text, \{/],
      [{ authorization: { jwt: { secret: { env: 'X' } } } }, /^authorization\.jwt\.secret: got "an object"/],
      [{ authorization: { jwt: { keys: 1 } } }, /^authorization\.jwt: got "keys", expected one of secret, publicKey/],
      [
        { authorization: { jwt: { secret, cookie: 'a b' } } },
        /^authorization\.jwt\.cookie: got "a b", expected a cookie/,
      ],
      [{ authorization: { forward: {} } }, /^authorization\.forward\.url: got "nothing", expected a text/],
      [{ limits: { connections: 0 } }, /^limits\.connections: got "0", expected a whole number from 1, or null/],
      [{ limits: { connections: '5' } }, /^limits\.connections: got "5"/],
      [{ timeouts: { connectMs: -1 } }, /^timeouts\.connectMs: got "-1", expected milliseconds/],
      [{ trustProxy: ['10.0.0.0/33'] }, /^trustProxy\[0\]: got "10\.0\.0\.0\/33", expected an address or a network/],
      [{ trustProxy: ['balancer'] }, /^trustProxy\[0\]: got "balancer"/],
      [
        { cameras: [{ name: 'a', url: 'rtsps://a/', tls: { fingerprint: 'ab' } }] },
        /^cameras\[0\]\.tls\.fingerprint: got "ab", expected 64 hexadecimal digits/,
      ],
      [{ cameras: [{ name: 'a', url: 'rtsps://a/', tls: {} }] }, /^cameras\[0\]\.tls: .*either fingerprint or/],
      [{ cameras: [{ name: 'a', url: 'rtsp://a/', password: 'x' }] }, /cameras\[0\]\.url needs a username/],
      [
        { cameraAuthorities: '/nowhere' },
        /^cameraAuthorities: got "\/nowhere", expected a file that can be read \(ENOENT\)/,
      ],
    ];
    for (const [value, expected] of cases)
      assert.match(
        message(() => parseAccess(value)),
        expected,
      );
  });

  test('the schema’s own names and defaults are those of the code', () => {
    const text = readFileSync(new URL('../../proxy/config-schema.json', import.meta.url), 'utf8');
    const { definitions } = JSON.parse(text) as {
      definitions: Record<string, { properties: Record<string, { description: string }> }>;
    };
    const documented = (name: string): Record<string, string> =>
      Object.fromEntries(
        Object.entries(definitions[name]?.properties ?? {}).map(([key, { description }]) => [
          key,
          /(\d+) by default/.exec(description)?.[1] ?? 'none',
        ]),
      );
    const inWords = (values: object): Record<string, string> =>
      Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value ?? 'none')]));
    assert.deepEqual(documented('timeouts'), inWords(defaultTimeouts));
    assert.deepEqual(documented('limits'), inWords(defaultConnectionLimits));
  });

  test('no complaint shows a password', () => {
    const password = 'hunter2secret';
    const wrong: (() => unknown)[] = [
      () => parseAccess({ cameras: [{ name: 'a', url: `http://u:${password}@h/` }] }),
      () => parseAccess({ cameras: [{ name: 'a', url: `rtsp://u:${password}@h:99999/` }] }),
      () => parseCameraArguments([`front rtsp://u:${password}@h/`]),
      () => parseCameraArguments([`Front=rtsp://u:${password}@h/`]),
      () => parseCameraArguments([`a=rtsp://u:${password}@h/`, `a=rtsp://u:${password}@h/`]),
      () => parseConfigFile(`{"cameras": [{"name": "a", "url": "rtsp://u:${password}@h/" }`),
      () => parseCommandLine([`--cam=rtsp://u:${password}@h/`]),
      () => parseCommandLine([`rtsp://u:${password}@h/`]),
      () => parseCommandLine(['--listen', `rtsp://u:${password}@h/`]),
    ];
    for (const action of wrong) assert.doesNotMatch(message(action), /hunter2/);
  });

  test('secrets as written and encoded', () => {
    const config = parseAccess({
      cameras: [
        { name: 'a', url: 'rtsp://u:p%40ss%20word@h/' },
        { name: 'b', url: 'rtsp://h/' },
      ],
    });
    assert.deepEqual(secretsOf(config), ['p@ss word', 'p%40ss%20word']);
  });

  test('listen addresses', () => {
    assert.deepEqual(parseListen('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(parseListen('[::1]:0'), { host: '::1', port: 0 });
    assert.deepEqual(parseListen('localhost:80'), { host: 'localhost', port: 80 });
    for (const text of ['', '8080', '127.0.0.1', '127.0.0.1:65536', '::1:8080', 'a b:80', '127.0.0.1:-1']) {
      assert.match(
        message(() => parseListen(text)),
        /expected HOST:PORT/,
        text,
      );
    }
  });
});

describe('command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-config-'));
  after(() => rmSync(folder, { recursive: true }));

  test('defaults', () => {
    assert.deepEqual(parseCommandLine([]), {
      listen: { host: '127.0.0.1', port: 8080 },
      tls: null,
      insecurePublic: false,
      workers: 1,
      isCheck: false,
      access: { cameras: [], allow: [], allowOrigins: [], publicHosts: [] },
      demo: false,
      log: {},
      metrics: false,
      metricsListen: null,
      drainMs: 3_000,
    });
  });

  test('secrets come from files, beside the configuration, and from the environment', () => {
    writeFileSync(join(folder, 'password'), 'p@ss word\n');
    writeFileSync(join(folder, 'url'), 'rtsp://10.0.0.9/key=abc');
    process.env.PROXY_TEST_SECRET = 'from the environment';
    const path = join(folder, 'secrets.json');
    writeFileSync(
      path,
      JSON.stringify({
        cameras: [
          { name: 'front', url: 'rtsp://10.0.0.7/1', username: 'viewer', password: { file: 'password' } },
          { name: 'yard', url: { file: 'url' } },
          { name: 'gate', url: 'rtsp://old:old@10.0.0.8/1', password: { environment: 'PROXY_TEST_SECRET' } },
        ],
      }),
    );
    const command = parseCommandLine(['--config', path]);
    assert.ok(typeof command === 'object');
    const { cameras } = parseAccess(command.access);
    assert.deepEqual(
      cameras.map((camera) => camera.streams.get('main')),
      [
        'rtsp://viewer:p%40ss%20word@10.0.0.7/1',
        'rtsp://10.0.0.9/key=abc',
        'rtsp://old:from%20the%20environment@10.0.0.8/1',
      ],
    );
    assert.ok(secretsOf(parseAccess(command.access)).includes('p@ss word'));
    delete process.env.PROXY_TEST_SECRET;
    assert.match(
      message(() => parseCommandLine(['--config', path])),
      /^cameras\[2\]\.password\.environment: got "PROXY_TEST_SECRET", expected the name of an environment variable/,
    );
  });

  test('every setting of the schema is an option, too', () => {
    const text = readFileSync(new URL('../../proxy/config-schema.json', import.meta.url), 'utf8');
    const { options } = parseOptionPaths(JSON.parse(text));
    const reached = new Set(optionPaths);
    const missing = options.filter((path) => !reached.has(path));
    assert.deepEqual(missing, []);
  });

  test('options about access, cameras and limits become settings', () => {
    process.env.PROXY_TEST_SECRET = 'a secret of more than thirty-two bytes';
    const command = parseCommandLine([
      ...['--camera', 'front=rtsps://10.0.0.7/1', '--camera-username', 'front=viewer'],
      ...['--camera-password', 'front=env:PROXY_TEST_SECRET', '--camera-query', 'front=start'],
      ...['--camera-query', 'front=end', '--camera-fingerprint', `front=${'AB:'.repeat(31)}ab`],
      ...['--jwt-secret', 'env:PROXY_TEST_SECRET', '--jwt-issuer', 'https://portal.example'],
      ...['--limit-connections', '50', '--limit-handshakes', 'none', '--timeout-connect', '2000'],
      ...['--trust-proxy', '10.0.0.0/8', '--check-config'],
    ]);
    assert.ok(typeof command === 'object');
    assert.equal(command.isCheck, true);
    const config = parseAccess(command.access);
    assert.equal(config.authorization.jwt?.secret, process.env.PROXY_TEST_SECRET);
    assert.equal(config.authorization.jwt?.issuer, 'https://portal.example');
    assert.deepEqual(config.limits, { connections: 50, handshakesPerSecond: null });
    assert.deepEqual(config.timeouts, { connectMs: 2_000 });
    assert.equal(config.cameras[0]?.tls.fingerprint, 'AB'.repeat(32));
    assert.deepEqual(config.cameras[0]?.queryParameters, ['start', 'end']);
    assert.ok(config.trustProxy.check('10.1.2.3'));
    delete process.env.PROXY_TEST_SECRET;
    const wrong: [string[], RegExp][] = [
      [['--jwt-secret', 'hunter2hunter2hunter2hunter2hunter2'], /--jwt-secret: expected env:VARIABLE or file:PATH/],
      [['--limit-connections', 'many'], /--limit-connections: got "many", expected a whole number, or none/],
      [['--camera-title', 'front=Front'], /--camera-title: got "front", expected NAME=VALUE with the name of a camera/],
      [['--tls-key', 'key.pem'], /tls\.certificate: got "nothing"/],
    ];
    for (const [args, expected] of wrong) {
      const text = message(() => parseCommandLine(args));
      assert.match(text, expected);
      assert.doesNotMatch(text, /hunter2/);
    }
  });

  test('help and version', () => {
    assert.equal(parseCommandLine(['--help']), 'help');
    assert.equal(parseCommandLine(['--version']), 'version');
    for (const option of ['--listen', '--camera', '--allow', '--allow-origin', '--public-host', '--config', '--demo']) {
      assert.ok(usage.includes(option), option);
    }
  });

  test('a file and options are put together; --listen on the command line wins', () => {
    const path = join(folder, 'config.json');
    writeFileSync(
      path,
      JSON.stringify({
        listen: '0.0.0.0:9000',
        cameras: [{ name: 'front', title: 'Front', url: 'rtsp://10.0.0.7/1' }],
        allow: ['10.0.0.0/8'],
        demo: true,
      }),
    );
    const args = ['--config', path, '--camera', 'yard=rtsp://10.0.0.8/a=b', '--camera', 'yard/sub=rtsp://10.0.0.8/2'];
    assert.deepEqual(parseCommandLine([...args, '--listen', '127.0.0.1:0', '--allow', '192.168.0.0/16:554']), {
      listen: { host: '127.0.0.1', port: 0 },
      tls: null,
      insecurePublic: false,
      workers: 1,
      isCheck: false,
      access: {
        cameras: [
          { name: 'front', title: 'Front', url: 'rtsp://10.0.0.7/1' },
          { name: 'yard', streams: { main: 'rtsp://10.0.0.8/a=b', sub: 'rtsp://10.0.0.8/2' } },
        ],
        allow: ['10.0.0.0/8', '192.168.0.0/16:554'],
        allowOrigins: [],
        publicHosts: [],
      },
      demo: true,
      log: {},
      metrics: false,
      metricsListen: null,
      drainMs: 3_000,
    });
    assert.match(
      message(() => parseCommandLine(['--config', path, '--camera', 'front=rtsp://h/'])),
      /no other camera/,
    );
  });

  test('each wrong option says what is wrong', () => {
    assert.match(
      message(() => parseCommandLine(['--frobnicate'])),
      /frobnicate/,
    );
    assert.match(
      message(() => parseCommandLine(['--listen'])),
      /listen/,
    );
    assert.match(
      message(() => parseCommandLine(['--camera', 'front'])),
      /--camera: got "front", expected NAME=RTSP-URL/,
    );
    assert.match(
      message(() => parseCommandLine(['--camera', 'front=http://x/'])),
      /expected an rtsp/,
    );
    assert.match(
      message(() => parseCommandLine(['--allow', '*'])),
      /cannot be allowed/,
    );
    assert.match(
      message(() => parseCommandLine(['--config', join(folder, 'none.json')])),
      /none\.json cannot be read \(ENOENT\)/,
    );
    const path = join(folder, 'broken.json');
    writeFileSync(path, '{');
    assert.match(
      message(() => parseCommandLine(['--config', path])),
      /not valid JSON/,
    );
    writeFileSync(path, '{"demo": "yes"}');
    assert.match(
      message(() => parseCommandLine(['--config', path])),
      /demo: got "yes", expected true or false/,
    );
  });
});

describe('log lines', () => {
  for (const format of ['json', 'pretty'] as const) {
    test(`${format}: one line an event, without secrets, at the level that was asked for`, async () => {
      const lines: string[] = [];
      const logger = await createLogger({ format, secrets: ['hunter2'], write: (line) => lines.push(line) });
      logger.hide(['h%C3%BCnter']);
      logger.debug('not written');
      logger.info('A line\nwith a break for rtsp://user:other@10.0.0.7/', {
        password: 'hunter2',
        reason: 'a\n"b"',
        none: null,
      });
      logger.error('hunter2 h%C3%BCnter');
      await logger.flush();
      assert.equal(lines.length, 2);
      assert.ok(lines.every((line) => line.trimEnd().split('\n').length === 1));
      assert.match(lines[0] ?? '', /A line with a break for rtsp:\/\/\*\*\*@10\.0\.0\.7\//);
      assert.doesNotMatch(lines.join(''), /hunter|other/);
      if (format === 'pretty') return;
      const { level, time, message, ...fields } = JSON.parse(lines[0] ?? '');
      assert.equal(level, 'info');
      assert.ok(!Number.isNaN(Date.parse(time)));
      assert.match(message, /^A line/);
      assert.deepEqual(fields, { password: '***', reason: 'a "b"' });
    });
  }
});
