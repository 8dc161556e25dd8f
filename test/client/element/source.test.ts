import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveSource, type SourceAttributes } from '../../../client/element/source.js';
import { StreamError } from '../../../shared/errors.js';

const page = 'https://portal.example/cameras/index.html?floor=2#east';

function attributes(some: Partial<SourceAttributes>): SourceAttributes {
  return { src: 'front', proxy: 'wss://proxy.example/rtsp', username: '', password: '', ...some };
}

describe('resolveSource', () => {
  const rows: [title: string, given: Partial<SourceAttributes>, webSocketUrl: string, url: string, user?: string][] = [
    ['a name', {}, 'wss://proxy.example/rtsp/front', 'rtsp://front/'],
    [
      'a name with a stream',
      { src: 'front-door/sub' },
      'wss://proxy.example/rtsp/front-door/sub',
      'rtsp://front-door/',
    ],
    [
      'blanks around',
      { src: ' front\n', proxy: ' wss://p.example/rtsp ' },
      'wss://p.example/rtsp/front',
      'rtsp://front/',
    ],
    [
      'a name with a query, for the camera',
      { src: 'front/sub?starttime=20260503T100000Z&endtime=20260503T110000Z' },
      'wss://proxy.example/rtsp/front/sub',
      'rtsp://front/?starttime=20260503T100000Z&endtime=20260503T110000Z',
    ],
    ['a proxy with a slash at its end', { proxy: 'ws://p/rtsp/' }, 'ws://p/rtsp/front', 'rtsp://front/'],
    ['a proxy with a query', { proxy: 'ws://p/rtsp?token=1' }, 'ws://p/rtsp/front?token=1', 'rtsp://front/'],
    ['a proxy with a fragment', { proxy: 'ws://p/rtsp#x' }, 'ws://p/rtsp/front', 'rtsp://front/'],
    ['a proxy at the root', { proxy: 'ws://p' }, 'ws://p/front', 'rtsp://front/'],
    ['an http proxy', { proxy: 'http://p:8080/rtsp' }, 'ws://p:8080/rtsp/front', 'rtsp://front/'],
    ['an https proxy', { proxy: 'https://p/rtsp' }, 'wss://p/rtsp/front', 'rtsp://front/'],
    ['a proxy as an absolute path', { proxy: '/rtsp' }, 'wss://portal.example/rtsp/front', 'rtsp://front/'],
    ['a proxy beside the page', { proxy: './rtsp' }, 'wss://portal.example/cameras/rtsp/front', 'rtsp://front/'],
    ['a proxy without a scheme', { proxy: '//p.example/rtsp' }, 'wss://p.example/rtsp/front', 'rtsp://front/'],
    ['a name with credentials', { username: 'eve' }, 'wss://proxy.example/rtsp/front', 'rtsp://front/', 'eve:'],
    ['an address', { src: 'rtsp://10.0.0.7/stream1' }, 'wss://proxy.example/rtsp', 'rtsp://10.0.0.7/stream1'],
    [
      'an address with a port and a query that is left alone',
      { src: 'RTSP://10.0.0.7:8554/cam/realmonitor?channel=1&subtype=0' },
      'wss://proxy.example/rtsp',
      'rtsp://10.0.0.7:8554/cam/realmonitor?channel=1&subtype=0',
    ],
    ['a secure address', { src: 'rtsps://cam.example/1' }, 'wss://proxy.example/rtsp', 'rtsps://cam.example/1'],
    [
      'an address with credentials',
      { src: 'rtsp://eve:s%40crt@10.0.0.7/1' },
      'wss://proxy.example/rtsp',
      'rtsp://10.0.0.7/1',
      'eve:s@crt',
    ],
    [
      'attributes that go before the credentials of the address',
      { src: 'rtsp://eve:old@10.0.0.7/1', username: 'adam', password: 'new' },
      'wss://proxy.example/rtsp',
      'rtsp://10.0.0.7/1',
      'adam:new',
    ],
    [
      'a password for the user of the address',
      { src: 'rtsp://eve@10.0.0.7/1', password: 'new' },
      'wss://proxy.example/rtsp',
      'rtsp://10.0.0.7/1',
      'eve:new',
    ],
    [
      "a camera's own endpoint, taken as it is",
      { src: 'rtsp://10.0.0.7/1', proxy: 'ws://10.0.0.7/rtsp-over-websocket/' },
      'ws://10.0.0.7/rtsp-over-websocket/',
      'rtsp://10.0.0.7/1',
    ],
  ];
  for (const [title, given, webSocketUrl, url, user] of rows) {
    it(title, () => {
      const source = resolveSource(attributes(given), page);
      assert.equal(source?.webSocketUrl, webSocketUrl);
      assert.equal(source?.url, url);
      const { credentials } = source ?? {};
      assert.equal(credentials == null ? undefined : `${credentials.username}:${credentials.password}`, user);
    });
  }

  it('is null without a src', () => {
    assert.equal(resolveSource(attributes({ src: '  ' }), page), null);
    assert.equal(resolveSource(attributes({ src: '', proxy: '' }), page), null);
  });

  const wrong: [title: string, given: Partial<SourceAttributes>, sentence: RegExp][] = [
    ['no proxy', { proxy: '' }, /proxy attribute is missing/],
    ['no proxy for an address', { src: 'rtsp://10.0.0.7/1', proxy: '' }, /proxy attribute is missing/],
    ['a proxy of another scheme', { proxy: 'ftp://p/rtsp' }, /The proxy is not a WebSocket URL/],
    ['a proxy that is no URL', { proxy: 'wss://' }, /The proxy is not a WebSocket URL/],
    ['a src of another scheme', { src: 'http://10.0.0.7/1' }, /The src is neither/],
    ['capitals and blanks in a name', { src: 'Front Door' }, /The src is neither/],
    ['a name that climbs', { src: '../healthz' }, /is neither/],
    ['an escaped slash', { src: 'front%2fsub' }, /is neither/],
    ['three parts', { src: 'front/sub/1' }, /is neither/],
    ['an empty stream', { src: 'front/' }, /is neither/],
    ['an address without a host', { src: 'rtsp://' }, /./],
    ['an address with one slash', { src: 'rtsp:/10.0.0.7' }, /./],
  ];
  for (const [title, given, sentence] of wrong) {
    it(`says what is wrong with ${title}`, () => {
      assert.throws(
        () => resolveSource(attributes(given), page),
        (thrown) => thrown instanceof StreamError && thrown.code === 'invalid-url' && sentence.test(thrown.message),
      );
    });
  }

  it('repeats no password and no endless value in a sentence', () => {
    for (const given of [
      { src: 'http://eve:secret@host/1' },
      { proxy: 'ftp://eve:secret@host/1' },
      { src: 'x '.repeat(9_999) },
    ]) {
      assert.throws(
        () => resolveSource(attributes(given), page),
        (thrown) => thrown instanceof StreamError && !thrown.message.includes('secret') && thrown.message.length < 400,
      );
    }
  });
});
