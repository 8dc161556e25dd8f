import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StreamError } from '../../shared/errors.js';
import { reasonPhrase } from '../../shared/reason-phrases.js';
import {
  decodeText,
  interleavedFrameHeader,
  parseHeaderLine,
  parseStartLine,
  RtspHeaders,
  type RtspMessage,
  serializeInterleaved,
  serializeRequest,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function isInvalidArgument(error: unknown): boolean {
  return error instanceof StreamError && error.code === 'invalid-argument';
}

function readOne(bytes: Uint8Array): RtspMessage {
  const messages: RtspMessage[] = [];
  const reader = new RtspReader({
    onMessage: (message) => messages.push(message),
    onInterleavedFrame: () => assert.fail('a frame'),
    onError: (error) => assert.fail(error),
  });
  reader.push(bytes);
  assert.equal(messages.length, 1);
  return messages[0] as RtspMessage;
}

describe('RtspHeaders', () => {
  test('names are case-insensitive: Cseq, cseq (Longse, Hikvision)', () => {
    const headers = new RtspHeaders([['Cseq', '3']]);
    assert.equal(headers.get('CSeq'), '3');
    assert.equal(headers.has('CSEQ'), true);
    assert.equal(headers.get('Session'), null);
  });

  test('values lose the blanks at their ends: `Session:    1234` (H264DVR)', () => {
    assert.equal(new RtspHeaders([['Session', '    1234 \t']]).get('session'), '1234');
  });

  test('repeated names are kept apart, in order', () => {
    const headers = new RtspHeaders();
    headers.append('WWW-Authenticate', 'Digest realm="a"');
    headers.append('CSeq', '1');
    headers.append('www-authenticate', 'Basic realm="a"');
    assert.equal(headers.size, 3);
    assert.equal(headers.get('WWW-Authenticate'), 'Digest realm="a"');
    assert.deepEqual(headers.getAll('WWW-AUTHENTICATE'), ['Digest realm="a"', 'Basic realm="a"']);
    assert.deepEqual(
      [...headers].map(([name]) => name),
      ['WWW-Authenticate', 'CSeq', 'www-authenticate'],
    );
  });

  test('set replaces all values where the first stood; delete removes all', () => {
    const headers = new RtspHeaders([
      ['A', '1'],
      ['X', 'old'],
      ['B', '2'],
      ['x', 'older'],
    ]);
    headers.set('x', 'new');
    assert.deepEqual(
      [...headers],
      [
        ['A', '1'],
        ['x', 'new'],
        ['B', '2'],
      ],
    );
    headers.delete('X');
    assert.equal(headers.size, 2);
    headers.set('C', '3');
    assert.equal(headers.get('c'), '3');
  });

  for (const value of ['a\r\nX: y', 'a\nb', 'a\rb', 'a\0b', '\n']) {
    test(`a value cannot begin another header: ${JSON.stringify(value)}`, () => {
      assert.throws(() => new RtspHeaders().set('X', value), isInvalidArgument);
      assert.throws(() => new RtspHeaders().append('X', value), isInvalidArgument);
      assert.throws(() => new RtspHeaders([['X', value]]), isInvalidArgument);
    });
  }

  for (const name of ['', 'a b', 'a:', 'a\r\nb', 'ä', '"a"']) {
    test(`a name is a token: ${JSON.stringify(name)}`, () => {
      assert.throws(() => new RtspHeaders().set(name, 'x'), isInvalidArgument);
      assert.throws(() => new RtspHeaders().append(name, 'x'), isInvalidArgument);
    });
  }
});

describe('parseStartLine', () => {
  const cases: [line: string, expected: ReturnType<typeof parseStartLine>][] = [
    ['RTSP/1.0 200 OK', { kind: 'response', status: 200, reason: 'OK' }],
    ['RTSP/1.0 404 Stream Not Found', { kind: 'response', status: 404, reason: 'Stream Not Found' }],
    // Several cameras: empty or missing reason.
    ['RTSP/1.0 200', { kind: 'response', status: 200, reason: '' }],
    ['RTSP/1.0 200 ', { kind: 'response', status: 200, reason: '' }],
    ['RTSP/1.0  401 \t Unauthorized  ', { kind: 'response', status: 401, reason: 'Unauthorized' }],
    ['RTSP/1.1 200 OK', { kind: 'response', status: 200, reason: 'OK' }],
    ['OPTIONS * RTSP/1.0', { kind: 'request', method: 'OPTIONS', url: '*' }],
    ['PLAY   rtsp://h/a  RTSP/1.0 ', { kind: 'request', method: 'PLAY', url: 'rtsp://h/a' }],
    ['X-NEW rtsp://h/ RTSP/1.0', { kind: 'request', method: 'X-NEW', url: 'rtsp://h/' }],
    ['PLAY rtsp://h/my stream RTSP/1.0', { kind: 'request', method: 'PLAY', url: 'rtsp://h/my stream' }],
    ['', null],
    ['RTSP/1.0', null],
    ['RTSP/1.0 OK', null],
    ['RTSP/1.0 20 OK', null],
    ['RTSP/1.0 2000 OK', null],
    ['RTSP/2.0 200 OK', null],
    ['HTTP/1.1 200 OK', null],
    ['GET / HTTP/1.1', null],
    ['PLAY RTSP/1.0', null],
    ['PLAY rtsp://h/', null],
    ['PL"AY rtsp://h/ RTSP/1.0', null],
    ['PLAY rtsp://h/ RTSP/1.0x', null],
  ];
  for (const [line, expected] of cases) {
    test(JSON.stringify(line), () => assert.deepEqual(parseStartLine(line), expected));
  }
});

describe('parseHeaderLine', () => {
  const cases: [line: string, expected: [string, string] | null][] = [
    ['CSeq: 1', ['CSeq', '1']],
    ['CSeq:1', ['CSeq', '1']],
    ['Session : 5 ', ['Session', '5']],
    ['Empty:', ['Empty', '']],
    ['Date: Mon, 1 Jan 10:00:00', ['Date', 'Mon, 1 Jan 10:00:00']],
    ['X: a\0b\rc', ['X', 'a b c']],
    ['no colon', null],
    [': no name', null],
    ['two words: x', null],
  ];
  for (const [line, expected] of cases) {
    test(JSON.stringify(line), () => assert.deepEqual(parseHeaderLine(line), expected));
  }
});

test('decodeText takes UTF-8, and ISO 8859-1 where it is none', () => {
  assert.equal(decodeText(Uint8Array.from([0xc3, 0xa4])), 'ä');
  assert.equal(decodeText(Uint8Array.from([0xe4, 0x20, 0x41])), 'ä A');
  assert.equal(decodeText(new Uint8Array(0)), '');
});

describe('serializing', () => {
  test('a request', () => {
    const headers = new RtspHeaders([
      ['CSeq', '2'],
      ['Accept', 'application/sdp'],
    ]);
    assert.equal(
      text(serializeRequest({ method: 'DESCRIBE', url: 'rtsp://h/a', headers })),
      'DESCRIBE rtsp://h/a RTSP/1.0\r\nCSeq: 2\r\nAccept: application/sdp\r\n\r\n',
    );
  });

  test('the length of a body is written from the body, not from the headers', () => {
    const headers = new RtspHeaders([
      ['content-length', '999'],
      ['CSeq', '2'],
    ]);
    const body = new TextEncoder().encode('ä=1');
    assert.equal(
      text(serializeRequest({ method: 'SET_PARAMETER', url: '*', headers, body })),
      'SET_PARAMETER * RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nä=1',
    );
    assert.equal(headers.get('Content-Length'), '999');
    assert.equal(
      text(serializeResponse({ status: 200, headers })),
      'RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 0\r\n\r\n',
    );
  });

  test('a response has the given phrase, or one that says how it went', () => {
    const headers = new RtspHeaders();
    const reason = reasonPhrase(461);
    assert.equal(
      text(serializeResponse({ status: 461, reason, headers })),
      'RTSP/1.0 461 Unsupported Transport\r\n\r\n',
    );
    assert.equal(reasonPhrase(299), 'Unknown');
    assert.equal(text(serializeResponse({ status: 299, headers })), 'RTSP/1.0 299 OK\r\n\r\n');
    assert.equal(text(serializeResponse({ status: 501, headers })), 'RTSP/1.0 501 Refused\r\n\r\n');
    assert.equal(
      text(serializeResponse({ status: 404, reason: 'Gone fishing', headers })).split('\r\n')[0],
      'RTSP/1.0 404 Gone fishing',
    );
  });

  test('nothing that would end a line gets into the first one', () => {
    const headers = new RtspHeaders();
    for (const url of ['', 'rtsp://h/a b', 'rtsp://h/\r\nX: y', 'rtsp://h/\0', 'rtsp://h/\x7f']) {
      assert.throws(() => serializeRequest({ method: 'PLAY', url, headers }), isInvalidArgument, JSON.stringify(url));
    }
    for (const method of ['', 'PLAY rtsp://x', 'PLAY\r\n']) {
      assert.throws(() => serializeRequest({ method, url: '*', headers }), isInvalidArgument, JSON.stringify(method));
    }
    assert.throws(() => serializeResponse({ status: 200, reason: 'a\r\nX: y', headers }), isInvalidArgument);
    for (const status of [99, 1000, 200.5, Number.NaN]) {
      assert.throws(() => serializeResponse({ status, headers }), isInvalidArgument, String(status));
    }
  });

  test('an error about a URL does not repeat it: it may hold a password', () => {
    const headers = new RtspHeaders();
    assert.throws(
      () => serializeRequest({ method: 'PLAY', url: 'rtsp://u:secret@h/ x', headers }),
      (error: unknown) => error instanceof StreamError && !error.message.includes('secret'),
    );
  });

  test('interleaved frames', () => {
    assert.deepEqual([...interleavedFrameHeader(3, 0x1234)], [0x24, 3, 0x12, 0x34]);
    assert.deepEqual([...serializeInterleaved(255, Uint8Array.from([7, 8]))], [0x24, 255, 0, 2, 7, 8]);
    assert.equal(serializeInterleaved(0, new Uint8Array(65_535)).length, 65_539);
    assert.throws(() => serializeInterleaved(0, new Uint8Array(65_536)), isInvalidArgument);
    for (const channel of [-1, 256, 1.5]) assert.throws(() => interleavedFrameHeader(channel, 1), isInvalidArgument);
  });
});

describe('reading what was written gives the same', () => {
  const token = fc.string({ unit: fc.constantFrom(...'ABCZabcz019-_.!~'), minLength: 1, maxLength: 20 });
  const method = fc.string({ unit: fc.constantFrom(...'ABCXYZ_-09'), minLength: 1, maxLength: 20 });
  const url = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 60 })
    .map((value) => `rtsp://h/${value.replace(/[\s\p{Cc}]/gu, '')}`);
  const value = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replace(/[\r\n\0]/g, '').trim());
  const header = fc.tuple(
    token.filter((name) => name.toLowerCase() !== 'content-length'),
    value,
  );
  const headers = fc.array(header, { maxLength: 10 });
  const body = fc.uint8Array({ maxLength: 200 });

  function withoutLength(message: RtspMessage): [string, string][] {
    const length = message.headers.get('Content-Length');
    assert.equal(length, message.body.length === 0 ? null : String(message.body.length));
    return [...message.headers].filter(([name]) => name !== 'Content-Length');
  }

  test('requests', () => {
    fc.assert(
      fc.property(method, url, headers, body, (method, url, entries, body) => {
        const message = readOne(serializeRequest({ method, url, headers: new RtspHeaders(entries), body }));
        assert.ok(message.kind === 'request');
        assert.equal(message.method, method);
        assert.equal(message.url, url);
        assert.deepEqual(withoutLength(message), entries);
        assert.deepEqual([...message.body], [...body]);
      }),
    );
  });

  test('responses', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), value, headers, body, (status, reason, entries, body) => {
        const message = readOne(serializeResponse({ status, reason, headers: new RtspHeaders(entries), body }));
        assert.ok(message.kind === 'response');
        assert.equal(message.status, status);
        assert.equal(message.reason, reason);
        assert.deepEqual(withoutLength(message), entries);
        assert.deepEqual([...message.body], [...body]);
      }),
    );
  });
});

describe('whatever a peer writes', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom('RTSP/1.0', 'RTSP/1.', ' ', '200', 'PLAY', ':', '\t', '\r', '\0', 'é', '*', 'A'),
    }),
  );

  test('a first line gives a message that can be written and read again, or none', () => {
    fc.assert(
      fc.property(anyText, (line) => {
        const start = parseStartLine(line);
        if (start === null) return;
        if (start.kind === 'response') {
          assert.ok(start.status >= 0 && start.status <= 999);
          assert.deepEqual(parseStartLine(`RTSP/1.0 ${String(start.status).padStart(3, '0')} ${start.reason}`), start);
        } else {
          assert.deepEqual(parseStartLine(`${start.method} ${start.url} RTSP/1.0`), start);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('a header line gives a header that can be sent on, and is read as the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anyText,
          fc.tuple(anyText, anyText).map((parts) => parts.join(':')),
        ),
        (line) => {
          const header = parseHeaderLine(line);
          if (header === null) return;
          const headers = new RtspHeaders([header]);
          assert.deepEqual([...headers], [header]);
          assert.deepEqual(parseHeaderLine(header.join(': ')), header);
          assert.equal(headers.get(header[0].toUpperCase()), header[1]);
          const message = readOne(serializeResponse({ status: 200, headers }));
          if (header[0].toLowerCase() !== 'content-length') assert.deepEqual([...message.headers], [header]);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('bytes become text without a throw, UTF-8 as it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        const decoded = decodeText(bytes);
        const isUtf8 = Buffer.from(Buffer.from(bytes).toString('utf8')).equals(bytes);
        assert.deepEqual(Buffer.from(decoded, isUtf8 ? 'utf8' : 'latin1'), Buffer.from(bytes));
      }),
    );
  });
});
