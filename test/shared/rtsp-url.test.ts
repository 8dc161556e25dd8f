import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StreamError } from '../../shared/errors.js';
import { MAX_HEADER_LINE_BYTES } from '../../shared/limits.js';
import { baseUrl, controlUrls, formatRtspUrl, parseRtspUrl, type RtspUrl } from '../../shared/rtsp-url.js';

/** CPU time since `start`, in ms: unlike the wall clock, it does not depend on what else the machine does. */
function cpuMs(start: NodeJS.CpuUsage): number {
  return process.cpuUsage(start).user / 1_000;
}

type Expected = Partial<RtspUrl> & { host: string };

function url(expected: Expected): RtspUrl {
  return { scheme: 'rtsp', username: null, password: null, port: 554, path: '', ...expected };
}

describe('parseRtspUrl', () => {
  const cases: [text: string, expected: Expected][] = [
    ['rtsp://camera', { host: 'camera' }],
    ['rtsp://camera/', { host: 'camera', path: '/' }],
    ['  rtsp://camera/a \n', { host: 'camera', path: '/a' }],
    ['RTSP://Camera.example/A?b=C', { host: 'Camera.example', path: '/A?b=C' }],
    ['rtsps://camera/a', { scheme: 'rtsps', host: 'camera', port: 322, path: '/a' }],
    ['rtsp://10.0.0.7:8554/a', { host: '10.0.0.7', port: 8554, path: '/a' }],
    ['rtsp://camera:/a', { host: 'camera', path: '/a' }],
    ['rtsp://front_door/sub', { host: 'front_door', path: '/sub' }],
    ['rtsp://kamera.büro/a', { host: 'kamera.büro', path: '/a' }],
    ['rtsp://camera?x=1', { host: 'camera', path: '/?x=1' }],
    // The path is opaque.
    ['rtsp://h/a//b/../c;x?y=%20&z#f', { host: 'h', path: '/a//b/../c;x?y=%20&z#f' }],
    ['rtsp://h/user=admin&password=&channel=1', { host: 'h', path: '/user=admin&password=&channel=1' }],
    ['rtsp://h/my stream', { host: 'h', path: '/my%20stream' }],
    ['rtsp://h/ä', { host: 'h', path: '/ä' }],
    ['rtsp://h/ch@1', { host: 'h', path: '/ch@1' }],
    ['rtsp://h:554/ch@1.2', { host: 'h', path: '/ch@1.2' }],
    // IPv6.
    ['rtsp://[::1]/a', { host: '::1', path: '/a' }],
    ['rtsp://[fe80::1%25eth0]:8554', { host: 'fe80::1%eth0', port: 8554 }],
    ['rtsp://u:p@[2001:db8::1]:554/a', { host: '2001:db8::1', username: 'u', password: 'p', path: '/a' }],
    // Userinfo.
    ['rtsp://user@camera/', { host: 'camera', username: 'user', path: '/' }],
    ['rtsp://:pw@camera/', { host: 'camera', username: '', password: 'pw', path: '/' }],
    ['rtsp://user:@camera/', { host: 'camera', username: 'user', password: '', path: '/' }],
    ['rtsp://@camera/', { host: 'camera', path: '/' }],
    ['rtsp://user:a%40b%3A%2Fc%25@camera/', { host: 'camera', username: 'user', password: 'a@b:/c%', path: '/' }],
    ['rtsp://us%C3%A9r:p@h', { host: 'h', username: 'usér', password: 'p' }],
    ['rtsp://user:100%@h', { host: 'h', username: 'user', password: '100%' }],
    ['rtsp://user:%E9@h', { host: 'h', username: 'user', password: '%E9' }],
    // Passwords as people type them.
    ['rtsp://user:p:w@h/a', { host: 'h', username: 'user', password: 'p:w', path: '/a' }],
    ['rtsp://user:p@w@h/a', { host: 'h', username: 'user', password: 'p@w', path: '/a' }],
    ['rtsp://user:p/w@h/a', { host: 'h', username: 'user', password: 'p/w', path: '/a' }],
    ['rtsp://user:p#w?@h/a', { host: 'h', username: 'user', password: 'p#w?', path: '/a' }],
    ['rtsp://user:p@s/w@10.0.0.1/a', { host: '10.0.0.1', username: 'user', password: 'p@s/w', path: '/a' }],
    ['rtsp://user:p@s/w@h:554/a', { host: 'h', username: 'user', password: 'p@s/w', path: '/a' }],
    ['rtsp://user:p w@h/a', { host: 'h', username: 'user', password: 'p w', path: '/a' }],
    // A proper URL is not read as one of them.
    [
      'rtsp://user:pw@10.0.0.1/a@b.example/c',
      { host: '10.0.0.1', username: 'user', password: 'pw', path: '/a@b.example/c' },
    ],
    ['rtsp://user:pw@h/a@b/c', { host: 'h', username: 'user', password: 'pw', path: '/a@b/c' }],
    ['rtsp://user:pw@h/a?x=@b', { host: 'h', username: 'user', password: 'pw', path: '/a?x=@b' }],
    ['rtsp://user@h/a@10.0.0.1/b', { host: 'h', username: 'user', path: '/a@10.0.0.1/b' }],
    // Quirk 2: several cameras.
    ['rtsp://rtsp://10.0.0.1/a', { host: '10.0.0.1', path: '/a' }],
    [
      'rtsps://rtsp://rtsp://u:p@h/a',
      { scheme: 'rtsps', host: 'h', username: 'u', password: 'p', port: 322, path: '/a' },
    ],
    ['rtsp://::ffff:1.2.3.4/a', { host: '::ffff:1.2.3.4', path: '/a' }],
    ['rtsp://::ffff:1.2.3.4:8554/a', { host: '::ffff:1.2.3.4', port: 8554, path: '/a' }],
    ['rtsp://2001:db8:0:0:0:0:0:1/a', { host: '2001:db8:0:0:0:0:0:1', path: '/a' }],
  ];
  for (const [text, expected] of cases) {
    test(JSON.stringify(text), () => assert.deepEqual(parseRtspUrl(text), url(expected)));
  }

  const bad = [
    '',
    'rtsp://',
    'rtsp:///path',
    'rtsp://:554/',
    'rtsp://u:p@/a',
    'rtsp://u:p@:554/a',
    'rtsp:/h',
    'rtsp//h',
    'h/path',
    'http://h/',
    'rtspx://h/',
    'rtsp://h:0/',
    'rtsp://h:65536/',
    'rtsp://h:-1/',
    'rtsp://h:port/',
    'rtsp://h:1 2/',
    'rtsp://h h/',
    'rtsp://h\\a/',
    'rtsp://h/\r\nX: y',
    'rtsp://h/\0',
    'rtsp://[::1/',
    'rtsp://[::1]x/',
    'rtsp://[]/',
    'rtsp://[1.2.3.4]/',
    'rtsp://[::1::]/',
    'rtsp://[1:2:3:4:5:6:7:8:9]/',
    'rtsp://[12345::]/',
    'rtsp://[1:2:3:4::5:6:7:8]/',
    'rtsp://300.1.1.1/',
    'rtsp://192.168.1/',
    'rtsp://<camera>/',
    `rtsp://h/${'a'.repeat(MAX_HEADER_LINE_BYTES)}`,
  ];
  for (const text of bad) {
    test(`not usable: ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseRtspUrl(text),
        (error: unknown) => error instanceof StreamError && error.code === 'invalid-url' && error.retry === 'never',
      );
    });
  }

  test('the sentence shows what is wrong, without the password', () => {
    for (const text of [
      'rtsp://admin:hunter2@h:port/',
      'http://admin:hunter2@h/',
      'admin:hunter2@h/',
      'rtsp:/admin:hunter2@h/',
      'rtsp://admin:hunter2',
      'rtsp://admin:a hunter2@h:port/',
      'rtsp://admin:x/hunter2@h:port/',
      'rtsp://admin:x@hunter2@h:port/',
      'rtsp://h:port/?password=hunter2',
    ]) {
      assert.throws(
        () => parseRtspUrl(text),
        (error: unknown) => error instanceof StreamError && !error.message.includes('hunter2'),
        text,
      );
    }
    assert.throws(() => parseRtspUrl('rtsp://u:p@cam:port/a'), /its host or port makes no sense/);
  });

  test('long hostile texts take no time', () => {
    for (const unit of ['@', ':', '/@', ':@', 'a:b@/', 'rtsp://', '%', '::', '[', '1.', ' @']) {
      const start = process.cpuUsage();
      for (const prefix of ['rtsp://', 'rtsp://u:']) {
        const text = (prefix + unit.repeat(MAX_HEADER_LINE_BYTES)).slice(0, MAX_HEADER_LINE_BYTES);
        try {
          parseRtspUrl(text);
        } catch (error) {
          assert.ok(error instanceof StreamError);
        }
      }
      assert.ok(cpuMs(start) < 3_000, unit);
    }
  });

  test('property: any text gives a URL or an invalid-url', () => {
    const text = fc.string({ unit: fc.constantFrom(...'rtsp:/@[]%?#.1a \\', 'rtsp://'), maxLength: 40 });
    fc.assert(
      fc.property(text, (text) => {
        try {
          const { host, port, path } = parseRtspUrl(text);
          assert.ok(host !== '' && port > 0 && (path === '' || path.startsWith('/')));
        } catch (error) {
          assert.ok(error instanceof StreamError && error.code === 'invalid-url');
        }
      }),
    );
  });

  test('property: format and parse give the same back, whatever the credentials', () => {
    const host = fc.constantFrom('h', 'a.example', '10.0.0.1', '::1', 'fe80::1%eth0', '2001:db8::7');
    const path = fc.string({ unit: fc.constantFrom(...'ab/?&=@:;%#'), maxLength: 20 }).map((text) => `/${text}`);
    const any = fc.string({ unit: 'binary', maxLength: 20 });
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(
        fc.constantFrom('rtsp' as const, 'rtsps' as const),
        host,
        port,
        path,
        any,
        any,
        (scheme, host, port, path, username, password) => {
          const plain: RtspUrl = { scheme, username: null, password: null, host, port, path };
          const formatted = formatRtspUrl(plain);
          assert.deepEqual(parseRtspUrl(formatted), plain);
          const userinfo = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
          // With a port after it, the host is certain.
          const withCredentials = `${scheme}://${userinfo}@${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
          assert.deepEqual(parseRtspUrl(withCredentials), { ...plain, username, password });
          assert.equal(formatRtspUrl(parseRtspUrl(withCredentials)), formatted);
        },
      ),
    );
  });
});

test('formatRtspUrl leaves out credentials and default ports, and puts brackets around IPv6', () => {
  assert.equal(formatRtspUrl(parseRtspUrl('rtsp://u:p@h:554/a?b')), 'rtsp://h/a?b');
  assert.equal(formatRtspUrl(parseRtspUrl('rtsps://h:322')), 'rtsps://h');
  assert.equal(formatRtspUrl(parseRtspUrl('rtsps://h:554/')), 'rtsps://h:554/');
  assert.equal(formatRtspUrl(parseRtspUrl('rtsp://[::1]:322/')), 'rtsp://[::1]:322/');
  assert.equal(formatRtspUrl(parseRtspUrl('rtsp://[fe80::1%25eth0]/')), 'rtsp://[fe80::1%25eth0]/');
});

describe('baseUrl', () => {
  const cases: [
    name: string,
    request: string,
    contentBase: string | null,
    contentLocation: string | null,
    base: string,
  ][] = [
    ['Content-Base', 'rtsp://h/a', 'rtsp://h/a/', null, 'rtsp://h/a/'],
    [
      '1: without a scheme (anjvision)',
      'rtsp://192.168.1.10/a',
      '192.168.1.10:554/stream0/',
      null,
      'rtsp://192.168.1.10/stream0/',
    ],
    ['1: without a scheme and with another address', 'rtsp://h/a', '192.168.1.10/stream0/', null, 'rtsp://h/stream0/'],
    [
      '1: without a scheme, a name',
      'rtsp://camera.example:8554/a',
      'camera.example/stream0/',
      null,
      'rtsp://camera.example:8554/stream0/',
    ],
    ['2: the scheme twice', 'rtsp://h/a', 'rtsp://rtsp://h/a/', null, 'rtsp://h/a/'],
    ['2: IPv6 without brackets', 'rtsp://1.2.3.4/a', 'rtsp://::ffff:1.2.3.4/a/', null, 'rtsp://1.2.3.4/a/'],
    ['3: a bare path', 'rtsp://h:8554/a', '/b/', null, 'rtsp://h:8554/b/'],
    ['4: Content-Location when there is no Content-Base', 'rtsp://h/a', null, 'rtsp://h/b/', 'rtsp://h/b/'],
    ['4: the request when there is neither (VStarcam)', 'rtsp://u:p@h/a?x=1', null, null, 'rtsp://h/a?x=1'],
    ['4: empty headers', 'rtsp://h/a', '  ', '', 'rtsp://h/a'],
    ['5: a query stays in the base (Dahua)', 'rtsp://h/cam?ch=1', 'rtsp://h/cam?ch=1/', null, 'rtsp://h/cam?ch=1/'],
    ['6: & without ? (Vitek)', 'rtsp://h/', 'rtsp://h/chID=2&streamType=sub/', null, 'rtsp://h/chID=2&streamType=sub/'],
    ['8: Content-Base before Content-Location', 'rtsp://h/a', 'rtsp://h/b/', 'rtsp://h/c/', 'rtsp://h/b/'],
    [
      '9: a foreign host and port',
      'rtsp://outside:10554/a',
      'rtsp://192.168.0.5:554/a/',
      null,
      'rtsp://outside:10554/a/',
    ],
    ['9: a foreign scheme', 'rtsps://h/a', 'rtsp://h/a/', null, 'rtsps://h/a/'],
    ['9: credentials in it (Samsung)', 'rtsp://h/a', 'rtsp://admin:4321@h/a/', null, 'rtsp://h/a/'],
    ['10: no slash is added or taken away (PTZOptics)', 'rtsp://h/a', 'rtsp://h/a', null, 'rtsp://h/a'],
    ['10: nor to an empty path', 'rtsp://h', 'rtsp://h', null, 'rtsp://h'],
    ['a Content-Base that is no URL', 'rtsp://h/a', 'rtsp://', 'rtsp://h/b', 'rtsp://h/b'],
    ['an absolute URL whose host is none', 'rtsp://h/a', 'rtsp://<camera ip>:port/b/', null, 'rtsp://h/b/'],
    ['a star', 'rtsp://h/a', '*', null, 'rtsp://h/a'],
    ['a relative reference', 'rtsp://h/dir/a?x', 'b/', null, 'rtsp://h/dir/b/'],
    ['a blank in it', 'rtsp://h/a', 'rtsp://h/my stream/', null, 'rtsp://h/my%20stream/'],
    ['line ends in it', 'rtsp://h/a', '/b\r\nX: y', null, 'rtsp://h/b%0D%0AX:%20y'],
  ];
  for (const [name, request, contentBase, contentLocation, base] of cases) {
    test(name, () => assert.equal(baseUrl(request, { contentBase, contentLocation }), base));
  }
});

describe('controlUrls', () => {
  const cases: [name: string, base: string, control: string | null, urls: string[]][] = [
    ['a name below a directory', 'rtsp://h/a/', 'track1', ['rtsp://h/a/track1']],
    ['a name below a file', 'rtsp://h/dir/a', 'track1', ['rtsp://h/dir/a/track1', 'rtsp://h/dir/track1']],
    ['a name below a host', 'rtsp://h', 'track1', ['rtsp://h/track1']],
    ['none', 'rtsp://h/a', null, ['rtsp://h/a']],
    ['empty', 'rtsp://h/a', ' ', ['rtsp://h/a']],
    ['a star', 'rtsp://h/a', '*', ['rtsp://h/a']],
    ['absolute', 'rtsp://h/a/', 'rtsp://h/b/track1?x', ['rtsp://h/b/track1?x']],
    ['2: absolute with the scheme twice', 'rtsp://h/a/', 'rtsp://rtsp://h/a/track1', ['rtsp://h/a/track1']],
    ['2: absolute with IPv6 without brackets', 'rtsp://1.2.3.4/a', 'rtsp://::ffff:1.2.3.4/a/1', ['rtsp://1.2.3.4/a/1']],
    [
      '5: a query in the base (Dahua)',
      'rtsp://h/cam/realmonitor?channel=1&subtype=0',
      'trackID=0',
      ['rtsp://h/cam/realmonitor?channel=1&subtype=0/trackID=0', 'rtsp://h/cam/trackID=0'],
    ],
    [
      '5: a query and a slash in the base (Axis)',
      'rtsp://h/axis-media/media.amp/?videocodec=h264',
      'stream=0',
      ['rtsp://h/axis-media/media.amp/?videocodec=h264/stream=0', 'rtsp://h/axis-media/media.amp/stream=0'],
    ],
    ['6: & without ? (Vitek)', 'rtsp://h/chID=2&streamType=sub/', 'track1', ['rtsp://h/chID=2&streamType=sub/track1']],
    ['7: no double slash (Verint)', 'rtsp://h/a/', '/track1', ['rtsp://h/a/track1', 'rtsp://h/track1']],
    ['7: nor after a file', 'rtsp://h/a', '/track1', ['rtsp://h/a/track1', 'rtsp://h/track1']],
    ['7: nor from the control itself', 'rtsp://h/a/', '//track1', ['rtsp://h/a/track1', 'rtsp://h/track1']],
    [
      '9: a foreign host and credentials (Samsung)',
      'rtsp://outside:10554/a',
      'rtsp://admin:4321@192.168.0.5/a/trackID=v',
      ['rtsp://outside:10554/a/trackID=v'],
    ],
    ['9: never rtsp instead of rtsps', 'rtsps://h/a', 'rtsp://h/a/1', ['rtsps://h/a/1']],
    ['10: the base as it is (PTZOptics)', 'rtsp://h/1', '*', ['rtsp://h/1']],
    ['11: no session-level control (TP-Link)', 'rtsp://h/stream1', null, ['rtsp://h/stream1']],
    ['a query', 'rtsp://h/a/b?x', '?y', ['rtsp://h/a/b?x?y', 'rtsp://h/a/b?y']],
    ['a query on an empty path', 'rtsp://h', '?y', ['rtsp://h/?y']],
    ['dots', 'rtsp://h/a/b/', '../c', ['rtsp://h/a/b/../c', 'rtsp://h/a/c']],
    ['dots beyond the top', 'rtsp://h/a', '../../c/./', ['rtsp://h/a/../../c/./', 'rtsp://h/c/']],
    ['blanks', 'rtsp://h/a/', ' my track ', ['rtsp://h/a/my%20track']],
    ['an absolute URL with nothing in it', 'rtsp://h/a/', 'rtsp://', ['rtsp://h/a/rtsp://']],
  ];
  for (const [name, base, control, urls] of cases) {
    test(name, () => assert.deepEqual(controlUrls(base, control), urls));
  }

  test('8: a session-level control comes before Content-Base', () => {
    const base = baseUrl('rtsp://h/a', { contentBase: 'rtsp://h/b/', contentLocation: null });
    assert.deepEqual(controlUrls(base, 'rtsp://h/c/'), ['rtsp://h/c/']);
  });

  test('property: one or two different URLs of the base, without credentials, blanks and line ends', () => {
    const control = fc.string({ unit: fc.constantFrom(...'at1/?&=@:.* \r\n#%', 'rtsp://', '..'), maxLength: 20 });
    const base = fc.constantFrom('rtsp://h:8554', 'rtsp://h:8554/', 'rtsp://h:8554/a', 'rtsp://h:8554/a/b/?x=1');
    fc.assert(
      fc.property(base, control, (base, control) => {
        const urls = controlUrls(base, control);
        assert.ok(urls.length >= 1 && urls.length <= 2);
        assert.equal(new Set(urls).size, urls.length);
        for (const text of urls) {
          assert.ok(text.startsWith('rtsp://h:8554'), text);
          assert.ok(!/[\s\p{Cc}]/u.test(text), text);
          const { host, port } = parseRtspUrl(text);
          assert.deepEqual([host, port], ['h', 8554]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
