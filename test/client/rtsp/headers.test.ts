import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatRange } from '../../../client/rtsp/format-range.js';
import {
  formatTransport,
  parsePublic,
  parseRange,
  parseRtpInfo,
  parseSession,
  parseTransport,
} from '../../../client/rtsp/headers.js';
import { MAX_SESSION_TIMEOUT_MS, MIN_SESSION_TIMEOUT_MS } from '../../../shared/limits.js';

test('Transport: asked for without mode, which upsets some', () => {
  assert.equal(formatTransport('RTP/AVP/TCP', { rtp: 2, rtcp: 3 }), 'RTP/AVP/TCP;unicast;interleaved=2-3');
});

test('Transport: a common reply', () => {
  assert.deepEqual(parseTransport('RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=1A2B3C4D;mode="PLAY"'), {
    protocol: 'RTP/AVP/TCP',
    interleaved: { rtp: 0, rtcp: 1 },
    ssrc: 0x1a2b3c4d,
  });
});

test('Transport: `interleaved=0` alone, and `RTP/AVP` without `/TCP` (Escam Q6)', () => {
  assert.deepEqual(parseTransport('RTP/AVP;unicast;interleaved=0')?.interleaved, { rtp: 0, rtcp: 1 });
  assert.deepEqual(parseTransport('RTP/AVP/TCP;interleaved=254-')?.interleaved, { rtp: 254, rtcp: 255 });
});

test('Transport: channels that cannot be are none', () => {
  for (const channels of ['255', '256-257', 'x', '', '-1', '1-999', '0x1']) {
    assert.equal(parseTransport(`RTP/AVP/TCP;interleaved=${channels}`)?.interleaved, null, channels);
  }
});

test('Transport: of several alternatives the interleaved one', () => {
  const value = 'RTP/AVP;unicast;client_port=5000-5001, RTP/AVP/TCP;unicast;interleaved = "4-5"';
  assert.deepEqual(parseTransport(value)?.interleaved, { rtp: 4, rtcp: 5 });
});

test('Transport: an ssrc with a blank, 0x, decimal, short, or 0 is read as far as it can be', () => {
  const cases: [string, number | null][] = [
    [' 1A2B3C4D', 0x1a2b3c4d],
    ['0x1A2B', 0x1a2b],
    ['3735928559', 3_735_928_559],
    ['4294967296', null],
    ['00AF', 0xaf],
    ['0', 0],
    ['zz', null],
    ['1A2B3C4D5', null],
  ];
  for (const [text, expected] of cases) {
    assert.equal(parseTransport(`RTP/AVP/TCP;interleaved=0-1;ssrc=${text}`)?.ssrc, expected, text);
  }
});

test('Session: a time-out with blanks, of 0, far too long, or none (GW, TP-Link)', () => {
  const cases: [string, { id: string; timeoutMs: number | null } | null][] = [
    ['12345678', { id: '12345678', timeoutMs: null }],
    ['12345678;timeout=60', { id: '12345678', timeoutMs: 60_000 }],
    ['   1234 ; timeout = 30', { id: '1234', timeoutMs: 30_000 }],
    ['AB;Timeout="15"', { id: 'AB', timeoutMs: 15_000 }],
    ['AB;timeout=0', { id: 'AB', timeoutMs: 5_000 }],
    ['AB;timeout=2147483647', { id: 'AB', timeoutMs: 600_000 }],
    ['AB;timeout=-1', { id: 'AB', timeoutMs: null }],
    ['', null],
    [';timeout=60', null],
  ];
  for (const [value, expected] of cases) assert.deepEqual(parseSession(value), expected, value);
});

test('RTP-Info: several streams, with and without a blank behind the comma (GStreamer, live555)', () => {
  const value =
    'url=rtsp://10.0.0.7/live/track1;seq=45102;rtptime=12345678, url=rtsp://10.0.0.7/live/track2;seq=30211;rtptime=87654321';
  const expected = [
    { url: 'rtsp://10.0.0.7/live/track1', sequenceNumber: 45_102, rtpTimestamp: 12_345_678 },
    { url: 'rtsp://10.0.0.7/live/track2', sequenceNumber: 30_211, rtpTimestamp: 87_654_321 },
  ];
  assert.deepEqual(parseRtpInfo(value), expected);
  assert.deepEqual(parseRtpInfo(value.replace(', ', ',')), expected);
});

test('RTP-Info: a URL with commas and semicolons in it stays whole', () => {
  assert.deepEqual(parseRtpInfo('url=rtsp://h/a;b=1,c/track1;seq=1;rtptime=2,url=rtsp://h/a;b=1,c/track2;rtptime=3'), [
    { url: 'rtsp://h/a;b=1,c/track1', sequenceNumber: 1, rtpTimestamp: 2 },
    { url: 'rtsp://h/a;b=1,c/track2', sequenceNumber: null, rtpTimestamp: 3 },
  ]);
});

test('RTP-Info: relative URL, trailing semicolon, blanks, no URL, quotes (GW, Laureii)', () => {
  assert.deepEqual(parseRtpInfo('url=trackID=1;seq=7;rtptime=9;'), [
    { url: 'trackID=1', sequenceNumber: 7, rtpTimestamp: 9 },
  ]);
  assert.deepEqual(parseRtpInfo(' url = "track1" ; seq = 7 ; rtptime = 9 ; '), [
    { url: 'track1', sequenceNumber: 7, rtpTimestamp: 9 },
  ]);
  assert.deepEqual(parseRtpInfo('seq=7;rtptime=9'), [{ url: '', sequenceNumber: 7, rtpTimestamp: 9 }]);
  assert.deepEqual(parseRtpInfo('url=track1;;'), [{ url: 'track1', sequenceNumber: null, rtpTimestamp: null }]);
  assert.deepEqual(parseRtpInfo(''), []);
});

test('RTP-Info: rtptime of -1 and numbers out of range are not given', () => {
  assert.deepEqual(parseRtpInfo('url=t;seq=65536;rtptime=-1'), [
    { url: 't', sequenceNumber: null, rtpTimestamp: null },
  ]);
  assert.deepEqual(parseRtpInfo('url=t;seq=65535;rtptime=4294967295'), [
    { url: 't', sequenceNumber: 65_535, rtpTimestamp: 4_294_967_295 },
  ]);
});

test('Range: npt in its forms, blanks included', () => {
  const cases: [string, number | 'now' | null, number | 'now' | null][] = [
    ['npt=0-', 0, null],
    ['npt=0.000-596.48', 0, 596.48],
    ['npt=0- 596.48', 0, 596.48],
    ['npt=00.000- ', 0, null],
    ['npt=now-', 'now', null],
    ['npt=now-20', 'now', 20],
    ['NPT:1:02:03.5-', 3723.5, null],
    ['npt=-7.25', null, 7.25],
    ['npt=12', 12, null],
    ['npt=1-2;time=19970123T143720Z', 1, 2],
  ];
  for (const [value, start, end] of cases) assert.deepEqual(parseRange(value), { unit: 'npt', start, end }, value);
});

test('Range: clock, with and without a fraction and the Z', () => {
  assert.deepEqual(parseRange('clock=19961108T143720.25Z-'), {
    unit: 'clock',
    start: Date.UTC(1996, 10, 8, 14, 37, 20, 250),
    end: null,
  });
  assert.deepEqual(parseRange('clock=20240229T235959-20240301T000000Z'), {
    unit: 'clock',
    start: Date.UTC(2024, 1, 29, 23, 59, 59),
    end: Date.UTC(2024, 2, 1),
  });
});

test('Range: what cannot be read is null', () => {
  for (const value of ['', 'smpte=10:07:00-', 'npt=abc-', 'npt=1:2-', 'clock=yesterday-', 'bytes=0-1']) {
    assert.equal(parseRange(value), null, value);
  }
});

test('Range: written, it is read as the same', () => {
  const npt = fc.oneof(
    fc.constant(null),
    fc.constant('now' as const),
    fc.integer({ min: 0, max: 1e9 }).map((ms) => ms / 1000),
  );
  // The year 10,000 does not fit the format.
  const utc = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 253_402_300_799_999 }));
  const range = fc.oneof(
    fc.record({ unit: fc.constant('npt' as const), start: npt, end: npt }, { noNullPrototype: true }),
    fc.record({ unit: fc.constant('clock' as const), start: utc, end: utc }, { noNullPrototype: true }),
  );
  fc.assert(fc.property(range, (value) => assert.deepEqual(parseRange(formatRange(value)), value)));
});

test('Public: methods in upper case, however they are parted', () => {
  assert.deepEqual(
    [...parsePublic('OPTIONS, DESCRIBE,setup  PLAY;PAUSE,,')],
    ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY', 'PAUSE'],
  );
});

test('whatever a camera writes, nothing throws, and nothing takes long', () => {
  const nasty = fc.array(fc.constantFrom(...',;= -urlseqrtptime0"\t')).map((characters) => characters.join(''));
  const parsers = [parseTransport, parseSession, parseRtpInfo, parseRange, parsePublic];
  fc.assert(
    fc.property(fc.oneof(nasty, fc.string(), fc.string({ unit: 'binary' })), (text) => {
      for (const parse of parsers) parse(text);
    }),
  );
  const worst = [' ', ',', ';', ', ', 'url=', ';seq=', '\t=', 'url= ,', '0:'].map((part) =>
    part.repeat(8_192 / part.length),
  );
  for (const text of worst) {
    for (const parse of parsers) {
      for (const value of [text, `npt=${text}x`, `url=${text}x`, `a;timeout${text}x`, `a;interleaved=${text}x`]) {
        // The best of some: a busy machine delays one, a search that goes on and on delays all.
        const ms = Math.min(...Array.from({ length: 3 }, () => timed(() => parse(value))));
        assert.ok(ms < 100, `${parse.name} took ${ms} ms for ${JSON.stringify(value.slice(0, 20))}…`);
      }
    }
  }
});

test('whatever a camera writes, what is read of it is within what it can be', () => {
  const piece = fc.constantFrom(
    ...['RTP/AVP/TCP', ';', ',', '=', ' ', '-', '"', 'interleaved=', 'ssrc=', 'timeout=', 'url=', 'seq=', 'rtptime='],
    ...[
      'npt=',
      'clock=',
      'now',
      '0',
      '1',
      '255',
      '256',
      '65536',
      '99999999999',
      'ffffffff',
      '19961108T143720Z',
      ':',
      '.',
    ],
  );
  const within = (value: number | null, most: number) =>
    assert.ok(value === null || (Number.isInteger(value) && value >= 0 && value <= most), `${value}`);
  fc.assert(
    fc.property(fc.string({ unit: piece, maxLength: 15 }), (text) => {
      const transport = parseTransport(text);
      within(transport?.ssrc ?? null, 0xffff_ffff);
      within(transport?.interleaved?.rtp ?? null, 255);
      within(transport?.interleaved?.rtcp ?? null, 255);
      const timeoutMs = parseSession(text)?.timeoutMs ?? null;
      assert.ok(timeoutMs === null || (timeoutMs >= MIN_SESSION_TIMEOUT_MS && timeoutMs <= MAX_SESSION_TIMEOUT_MS));
      for (const { sequenceNumber, rtpTimestamp } of parseRtpInfo(text)) {
        within(sequenceNumber, 0xffff);
        within(rtpTimestamp, 0xffff_ffff);
      }
      const range = parseRange(text);
      for (const end of [range?.start ?? null, range?.end ?? null]) {
        assert.ok(end === null || end === 'now' || Number.isFinite(end));
      }
      for (const method of parsePublic(text)) assert.match(method, /^[^\s,;a-z]+$/);
    }),
    { numRuns: 2_000 },
  );
});

test('Transport: what is asked for is read as the same', () => {
  const channel = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.constantFrom('RTP/AVP/TCP', 'RTP/AVPF/TCP'), channel, channel, (protocol, rtp, rtcp) => {
      const interleaved = { rtp, rtcp };
      assert.deepEqual(parseTransport(formatTransport(protocol, interleaved)), { protocol, interleaved, ssrc: null });
    }),
  );
});

/** Milliseconds that something takes. */
function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
