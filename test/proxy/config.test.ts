import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseCommandLine, usage } from '../../proxy/command-line.js';
import { parseAccess, parseCameraArguments, parseConfigFile, parseListen, secretsOf } from '../../proxy/config.js';
import { createConsoleLogger } from '../../proxy/console-logger.js';
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
      },
      {
        name: 'yard',
        title: 'yard',
        streams: new Map([
          ['main', 'rtsp://10.0.0.8/1'],
          ['sub', 'rtsps://10.0.0.8/2'],
        ]),
        queryParameters: [],
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
      [{ cameras: [{ name: 'a', url: 'rtsp://a/', streams: {} }] }, /needs either/],
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
    const { cameras } = parseAccess({
      cameras: [
        { name: 'a', url: 'rtsp://u:p%40ss%20word@h/' },
        { name: 'b', url: 'rtsp://h/' },
      ],
    });
    assert.deepEqual(secretsOf(cameras), ['p@ss word', 'p%40ss%20word']);
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
      access: { cameras: [], allow: [], allowOrigins: [], publicHosts: [] },
      demo: false,
    });
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
  test('one line an event, without secrets, at the level that was asked for', () => {
    const lines: string[] = [];
    const logger = createConsoleLogger({ secrets: ['hunter2', 'h%C3%BCnter'], write: (line) => lines.push(line) });
    logger.debug('not written');
    logger.info('A line\nwith a break for rtsp://user:other@10.0.0.7/', {
      password: 'hunter2',
      reason: 'a\n"b"',
      none: null,
    });
    logger.error('hunter2 h%C3%BCnter');
    assert.equal(lines.length, 2);
    assert.match(
      lines[0] ?? '',
      /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO A line with a break for rtsp:\/\/\*\*\*@10\.0\.0\.7\//,
    );
    assert.match(lines[0] ?? '', /reason="a\\n\\"b\\""\n$/);
    assert.doesNotMatch(lines.join(''), /hunter|other/);
  });
});
