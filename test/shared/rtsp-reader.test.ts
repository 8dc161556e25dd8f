import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { StreamError } from '../../shared/errors.js';
import {
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_HEADER_LINE_BYTES,
  MAX_HEADERS,
  MAX_RESYNC_BYTES,
} from '../../shared/limits.js';
import { RtspHeaders, serializeInterleaved, serializeRequest, serializeResponse } from '../../shared/rtsp-message.js';
import { type ReaderLimits, RtspReader, type RtspReaderStats } from '../../shared/rtsp-reader.js';
import { heldBytes } from '../support/held-memory.js';

/** CPU time since `start`, in ms: unlike the wall clock, it does not depend on what else the machine does. */
function cpuMs(start: NodeJS.CpuUsage): number {
  return process.cpuUsage(start).user / 1_000;
}

function bytes(...parts: (string | Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
}

interface Result {
  /** `200 OK`, `OPTIONS *`, `$0:hex`, `!code`, with headers and body after a message. */
  events: string[];
  errors: StreamError[];
  stats: RtspReaderStats;
}

interface Options {
  limits?: Partial<ReaderLimits>;
  channels?: number[];
  /** Where to cut; ascending. */
  cuts?: number[];
}

function read(stream: Uint8Array, options: Options = {}): Result {
  const events: string[] = [];
  const errors: StreamError[] = [];
  const reader = new RtspReader(
    {
      onMessage(message) {
        const start =
          message.kind === 'request' ? `${message.method} ${message.url}` : `${message.status} ${message.reason}`;
        const headers = [...message.headers].map(([name, value]) => `${name}=${value}`);
        events.push([start, ...headers, Buffer.from(message.body).toString('latin1')].join('|'));
      },
      onInterleavedFrame(channel, payload) {
        events.push(`$${channel}:${Buffer.from(payload).toString('hex')}`);
      },
      onError(error) {
        events.push(`!${error.code}`);
        errors.push(error);
      },
    },
    options.limits === undefined ? {} : { limits: options.limits },
  );
  if (options.channels !== undefined) reader.setChannels(options.channels);
  let start = 0;
  for (const cut of [...(options.cuts ?? []), stream.length]) {
    reader.push(stream.slice(start, cut));
    start = cut;
  }
  return { events, errors, stats: { ...reader.stats } };
}

/** Reads the same bytes in one piece, byte by byte, and cut in two at every position; all must agree. */
function readEveryWay(stream: Uint8Array, options: Options = {}): Result {
  const whole = read(stream, options);
  const cuttings = [Array.from({ length: stream.length - 1 }, (_, index) => index + 1)];
  for (let cut = 1; cut < stream.length; cut++) cuttings.push([cut]);
  for (const cuts of cuttings) {
    const result = read(stream, { ...options, cuts });
    const where = `cut at ${cuts.length === 1 ? cuts[0] : 'every byte'}`;
    assert.deepEqual(result.events, whole.events, where);
    // What comes after an error is not counted, so only the rest can agree.
    if (whole.errors.length === 0) assert.deepEqual(result.stats, whole.stats, where);
  }
  return whole;
}

const ok = 'RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n';
const okEvent = '200 OK|CSeq=1|';

/** An RTP packet of `length` bytes, at least 12, of a payload that looks like nothing. */
function rtp(length: number, fill = 0x55): Uint8Array {
  const packet = new Uint8Array(length).fill(fill);
  packet.set([0x80, 0x60]);
  return packet;
}

function frameEvent(channel: number, payload: Uint8Array): string {
  return `$${channel}:${Buffer.from(payload).toString('hex')}`;
}

describe('messages', () => {
  const cases: [name: string, stream: string, events: string[]][] = [
    ['a response', ok, [okEvent]],
    ['a request', 'OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 7\r\n\r\n', ['OPTIONS rtsp://h/|CSeq=7|']],
    ['a method that is not known', 'X-PING * RTSP/1.0\r\n\r\n', ['X-PING *|']],
    ['two after each other', ok + ok, [okEvent, okEvent]],
    ['a body', 'RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nv=0\r\n', ['200 OK|Content-Length=5|v=0\r\n']],
    [
      'a body without a last line end (Anpviz)',
      `RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv=0${ok}`,
      ['200 OK|Content-Length=3|v=0', okEvent],
    ],
    ['lines that end in LF alone', 'RTSP/1.0 200 OK\nCSeq: 1\nX: y\n\n', ['200 OK|CSeq=1|X=y|']],
    ['line ends before a message', `\r\n\n\r\n${ok}\r\n${ok}`, [okEvent, okEvent]],
    ['no reason phrase', 'RTSP/1.0 200\r\nCSeq: 1\r\n\r\n', ['200 |CSeq=1|']],
    ['cseq spelled otherwise (Longse)', 'RTSP/1.0 200 OK\r\ncseq:  1 \r\n\r\n', ['200 OK|cseq=1|']],
    [
      'a folded WWW-Authenticate',
      'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="a",\r\n   nonce="b",\r\n\tstale=FALSE\r\nCSeq: 1\r\n\r\n',
      ['401 Unauthorized|WWW-Authenticate=Digest realm="a", nonce="b", stale=FALSE|CSeq=1|'],
    ],
    ['a folded line that continues nothing', 'RTSP/1.0 200 OK\r\n  x: y\r\nCSeq: 1\r\n\r\n', [okEvent]],
    ['header lines that are none', 'RTSP/1.0 200 OK\r\nrubbish\r\n: x\r\na b: c\r\nCSeq: 1\r\n\r\n', [okEvent]],
    ['a header that is not UTF-8', 'RTSP/1.0 200 OK\r\nServer: caf\xe9\r\n\r\n', ['200 OK|Server=caf\u00e9|']],
    ['a NUL and a lone CR in a value', 'RTSP/1.0 200 OK\r\nA: b\0c\rd\r\n\r\n', ['200 OK|A=b c d|']],
    [
      'Content-Length twice, the same',
      'RTSP/1.0 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx',
      ['200 OK|Content-Length=1|content-length=1|x'],
    ],
    ['Content-Length 0', 'RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', ['200 OK|Content-Length=0|']],
    ['Content-Length without a value', 'RTSP/1.0 200 OK\r\nContent-Length:\r\n\r\n', ['200 OK|Content-Length=|']],
    [
      'a Content-Length that is too short (the rest of the body is skipped)',
      `RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nv=0\r\ns=PLAY me\r\n${ok}`,
      ['200 OK|Content-Length=3|v=0', okEvent],
    ],
  ];
  for (const [name, stream, events] of cases) {
    test(name, () => assert.deepEqual(readEveryWay(Uint8Array.from(Buffer.from(stream, 'latin1'))).events, events));
  }

  for (const value of ['-1', '1x', '0x10', '1.5', '1 2', '1, 2', '٣']) {
    test(`a Content-Length that is no length: ${value}`, () => {
      const result = readEveryWay(bytes(`RTSP/1.0 200 OK\r\nContent-Length: ${value}\r\n\r\nxxxx${ok}`));
      assert.deepEqual(result.events, ['!malformed-message']);
    });
  }

  test('two lengths that contradict each other', () => {
    const stream = bytes(`RTSP/1.0 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nxxxx${ok}`);
    assert.deepEqual(readEveryWay(stream).events, ['!malformed-message']);
  });

  test('a body inside one chunk is not copied, and a body over several is whole', () => {
    const bodies: Uint8Array[] = [];
    const reader = new RtspReader({
      onMessage: (message) => bodies.push(message.body),
      onInterleavedFrame: () => {},
      onError: (error) => assert.fail(error),
    });
    const stream = bytes('RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc');
    reader.push(stream);
    reader.push(stream.slice(0, -2));
    reader.push(stream.slice(-2));
    assert.equal(bodies[0]?.buffer, stream.buffer);
    assert.equal(Buffer.from(bodies[1] ?? []).toString(), 'abc');
  });
});

describe('interleaved frames', () => {
  test('between messages, and before the first one', () => {
    const stream = bytes(serializeInterleaved(0, rtp(12)), ok, serializeInterleaved(1, rtp(13)), ok);
    const { events, stats } = readEveryWay(stream);
    assert.deepEqual(events, [frameEvent(0, rtp(12)), okEvent, frameEvent(1, rtp(13)), okEvent]);
    assert.deepEqual(stats, { messages: 2, frames: 2, bytes: stream.length, resyncs: 0, skippedBytes: 0 });
  });

  test('stray line ends before $', () => {
    const stream = bytes(ok, '\r\n', serializeInterleaved(0, rtp(12)), '\n\r', serializeInterleaved(0, rtp(14)));
    const { events, stats } = readEveryWay(stream);
    assert.deepEqual(events, [okEvent, frameEvent(0, rtp(12)), frameEvent(0, rtp(14))]);
    assert.equal(stats.resyncs, 0);
  });

  test('empty and tiny payloads, which are no RTP, are handed over while there is no doubt', () => {
    const stream = bytes(ok, [0x24, 2, 0, 0, 0x24, 2, 0, 1, 0xff], ok);
    assert.deepEqual(readEveryWay(stream, { channels: [2, 3] }).events, [okEvent, '$2:', '$2:ff', okEvent]);
  });

  test('of 65,535 bytes, in one chunk and in many (Tapo sends 10,000)', () => {
    const payload = rtp(65_535);
    const stream = bytes(ok, serializeInterleaved(0, payload), ok);
    const expected = [okEvent, frameEvent(0, payload), okEvent];
    assert.deepEqual(read(stream).events, expected);
    for (const size of [1, 1000, 65_536]) {
      const cuts = Array.from({ length: Math.floor((stream.length - 1) / size) }, (_, index) => (index + 1) * size);
      assert.deepEqual(read(stream, { cuts }).events, expected);
    }
  });

  test('on a channel that was never set up are handed over too, if they look like RTP or RTCP', () => {
    const stream = bytes(ok, serializeInterleaved(9, rtp(20)), serializeInterleaved(0, rtp(12)));
    const { events, stats } = readEveryWay(stream, { channels: [0, 1] });
    assert.deepEqual(events, [okEvent, frameEvent(9, rtp(20)), frameEvent(0, rtp(12))]);
    assert.equal(stats.resyncs, 0);
  });

  test('a payload in one chunk is a view; one over chunks has memory that nobody writes to any more', () => {
    const payloads: Uint8Array[] = [];
    const reader = new RtspReader({
      onMessage: () => {},
      onInterleavedFrame: (_channel, payload) => payloads.push(payload),
      onError: (error) => assert.fail(error),
    });
    const stream = bytes(serializeInterleaved(0, rtp(20)), serializeInterleaved(0, rtp(30)));
    reader.push(stream.subarray(0, 30));
    reader.push(stream.subarray(30));
    assert.equal(payloads[0]?.buffer, stream.buffer);
    assert.equal(payloads[0]?.byteOffset, 4);
    assert.notEqual(payloads[1]?.buffer, stream.buffer);
    // Held payloads stay as they were.
    const more = bytes(...Array.from({ length: 2_000 }, (_, index) => serializeInterleaved(0, rtp(30, index & 0xff))));
    for (let start = 0; start < more.length; start += 21) reader.push(more.slice(start, start + 21));
    assert.deepEqual(payloads[1], rtp(30));
    for (const [index, payload] of payloads.slice(2).entries()) assert.deepEqual(payload, rtp(30, index & 0xff));
  });
});

describe('resynchronisation', () => {
  /** Looks like a frame of channel 5, 0x2020 bytes, but of no RTP version 2. */
  const falseFrame = [0x24, 5, 0x20, 0x20, 0x20, 0x20];

  test('junk between frames, on channels that were set up', () => {
    const junk = bytes([0, 0xff, ...falseFrame, 0x24, 7, 0, 12, 0x80, 0x60], 'xyz');
    const stream = bytes(ok, serializeInterleaved(0, rtp(12)), junk, serializeInterleaved(1, rtp(16)), ok);
    const { events, stats } = readEveryWay(stream, { channels: [0, 1] });
    assert.deepEqual(events, [okEvent, frameEvent(0, rtp(12)), frameEvent(1, rtp(16)), okEvent]);
    assert.equal(stats.resyncs, 1);
    assert.equal(stats.skippedBytes, junk.length);
  });

  test('a frame whose end the camera never sent: it takes part of the next one, and the one after is found', () => {
    const frames = [rtp(100, 1), rtp(100, 2), rtp(100, 3), rtp(100, 4)].map((packet) =>
      serializeInterleaved(0, packet),
    );
    const cut = frames[0]?.subarray(0, 50) ?? [];
    const stream = bytes(ok, cut, frames[1] ?? [], frames[2] ?? [], frames[3] ?? []);
    const { events, stats } = readEveryWay(stream, { channels: [0, 1] });
    assert.equal(events.length, 4);
    assert.deepEqual(events.slice(2), [frameEvent(0, rtp(100, 3)), frameEvent(0, rtp(100, 4))]);
    assert.deepEqual(stats, { messages: 1, frames: 3, bytes: stream.length, resyncs: 1, skippedBytes: 50 });
  });

  test('with no channels known, any channel is taken whose payload looks like RTP', () => {
    const stream = bytes(ok, [0, ...falseFrame], serializeInterleaved(200, rtp(12)));
    assert.deepEqual(readEveryWay(stream).events, [okEvent, frameEvent(200, rtp(12))]);
  });

  test('RTCP is found as well as RTP, and its length must be one of RTCP', () => {
    const report = Uint8Array.from([0x80, 200, 0, 1, 1, 2, 3, 4]);
    const odd = [0x24, 1, 0, 7, 0x80, 200, 0];
    const stream = bytes(ok, 'x', odd, serializeInterleaved(1, report));
    assert.deepEqual(readEveryWay(stream, { channels: [0, 1] }).events, [okEvent, frameEvent(1, report)]);
  });

  test('a packet too short for RTP is not believed after junk', () => {
    const stream = bytes(ok, 'x', serializeInterleaved(0, rtp(11)), serializeInterleaved(0, rtp(12)));
    assert.deepEqual(readEveryWay(stream, { channels: [0] }).events, [okEvent, frameEvent(0, rtp(12))]);
  });

  test('finds responses and known requests behind text, but not any word', () => {
    const stream = bytes(
      ok,
      'XRTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nA WORD\r\n',
      'a=PLAYOPTIONS * RTSP/1.0\r\n\r\nsOPTIONS * RTSP/1.0\r\n\r\n',
    );
    const { events, stats } = readEveryWay(stream);
    assert.deepEqual(events, [okEvent, okEvent, 'OPTIONS *|', 'OPTIONS *|']);
    assert.equal(stats.skippedBytes, 'XA WORD\r\na=PLAYs'.length);
  });

  test('a line that only begins like a message is skipped', () => {
    const stream = bytes(ok, 'RTSP/1.x nonsense\r\nPLAY it again\r\nRTSP/1.0 boo\r\n', ok);
    const { events, stats } = readEveryWay(stream);
    assert.deepEqual(events, [okEvent, okEvent]);
    assert.equal(stats.skippedBytes + 2 * ok.length, stream.length);
  });

  test('a channel set up inside a handler counts from the next byte on', () => {
    const events: string[] = [];
    const reader: RtspReader = new RtspReader({
      onMessage() {
        reader.setChannels([4, 5]);
      },
      onInterleavedFrame: (channel) => events.push(`$${channel}`),
      onError: (error) => assert.fail(error),
    });
    reader.push(bytes(ok, 'x', serializeInterleaved(0, rtp(12)), serializeInterleaved(4, rtp(12))));
    assert.deepEqual(events, ['$4']);
    reader.setChannels([]);
    reader.push(bytes('x', serializeInterleaved(0, rtp(12))));
    assert.deepEqual(events, ['$4', '$0']);
  });

  test('junk up to the limit between two units, and one byte over it', () => {
    const limits = { resyncBytes: 50 };
    const frame = serializeInterleaved(0, rtp(12));
    const fits = bytes(ok, 'x'.repeat(50), frame, 'x'.repeat(50), frame, '\r\n'.repeat(25), ok, 'x'.repeat(50));
    assert.deepEqual(
      readEveryWay(fits, { limits }).events.filter((event) => event.startsWith('!')),
      [],
    );
    for (const junk of ['x'.repeat(51), `${'\n'.repeat(50)}x`, '\r\n'.repeat(26)]) {
      assert.deepEqual(readEveryWay(bytes(ok, junk, ok), { limits }).events, [okEvent, '!not-rtsp']);
    }
  });

  test('the default limit', () => {
    const junk = new Uint8Array(MAX_RESYNC_BYTES);
    assert.deepEqual(read(bytes(ok, junk, ok)).events, [okEvent, okEvent]);
    assert.deepEqual(read(bytes(ok, junk, [0], ok)).events, [okEvent, '!not-rtsp']);
  });

  test('hostile text of a megabyte is read in a moment', () => {
    for (const unit of ['A', 'PLAY ', 'RTSP/1.', '$', 'OPTIONS\n', '$\0\0\x0c']) {
      const stream = bytes(ok, unit.repeat(MAX_RESYNC_BYTES / unit.length));
      const start = process.cpuUsage();
      read(stream, { channels: [0] });
      assert.ok(cpuMs(start) < 3_000, JSON.stringify(unit));
    }
  });
});

describe('peers that do not speak RTSP', () => {
  const cases: [name: string, stream: Uint8Array, shown: string][] = [
    ['an HTTP server', bytes('HTTP/1.1 400 Bad Request'), 'HTTP'],
    ['an HTTP server, before its first line is complete', bytes('HTTP/'), 'HTTP'],
    ['an HTTP client', bytes('GET / HTTP/1.1\r\n'), 'HTTP'],
    ['an SSH server', bytes('SSH-2.0-OpenSSH_9\r\n'), '0x53'],
    ['a mail server', bytes('220 mail.example ESMTP\r\n'), '220 mail.example ESMTP'],
    ['TLS', bytes([0x16, 3, 1, 2, 0, 1]), '0x16'],
    ['RTSP 2.0', bytes('RTSP/2.0 200 OK\r\n\r\n'), 'not speak RTSP'],
    ['another protocol with frames before it', bytes(serializeInterleaved(0, rtp(12)), [0]), '0x0'],
  ];
  for (const [name, stream, shown] of cases) {
    test(name, () => {
      const { events, errors } = readEveryWay(stream);
      assert.equal(events.at(-1), '!not-rtsp');
      assert.ok(errors[0]?.message.includes(shown), errors[0]?.message);
    });
  }

  test('HTTP after a first RTSP message', () => {
    assert.deepEqual(readEveryWay(bytes(ok, 'HTTP/1.0 500 Oops\r\n')).events, [okEvent, '!not-rtsp']);
  });

  test('the sentence hides credentials', () => {
    const { errors } = read(bytes('PLAY rtsp://u:secret@h/ FTP/1.0\r\n'));
    assert.equal(errors[0]?.code, 'not-rtsp');
    assert.ok(!errors[0]?.message.includes('secret'));
  });
});

describe('limits, at the bound and over it', () => {
  const start = 'RTSP/1.0 200 OK\r\n';
  /** A header line of so many bytes. */
  function line(length: number, name = 'X'): string {
    return `${name}: `.padEnd(length, 'v');
  }

  for (const end of ['\r\n', '\n']) {
    test(`a header line, ended by ${JSON.stringify(end)}`, () => {
      const limits = { headerLineBytes: 40 };
      assert.match(readEveryWay(bytes(start, line(40), end, end), { limits }).events[0] ?? '', /^200 OK\|X=v+\|$/);
      assert.deepEqual(readEveryWay(bytes(start, line(41), end, end), { limits }).events, ['!message-too-large']);
    });
  }

  test('a header line, by default', () => {
    assert.equal(read(bytes(start, line(MAX_HEADER_LINE_BYTES), '\r\n\r\n')).events[0]?.startsWith('200'), true);
    assert.deepEqual(read(bytes(start, line(MAX_HEADER_LINE_BYTES + 1), '\r\n\r\n')).events, ['!message-too-large']);
  });

  test('a header line that never ends is given up once it is too long', () => {
    let failedAt = 0;
    let sent = 0;
    const reader = new RtspReader({
      onMessage: () => {},
      onInterleavedFrame: () => {},
      onError: () => {
        failedAt = sent;
      },
    });
    reader.push(bytes(start));
    while (failedAt === 0 && sent < 2 * MAX_HEADER_LINE_BYTES) {
      sent++;
      reader.push(bytes('a'));
    }
    // One byte more might have been the CR of the line's end.
    assert.equal(failedAt, MAX_HEADER_LINE_BYTES + 2);
  });

  test('a first line', () => {
    const limits = { headerLineBytes: 40 };
    const first = 'RTSP/1.0 200 '.padEnd(40, 'r');
    assert.match(readEveryWay(bytes(first, '\r\n\r\n'), { limits }).events[0] ?? '', /^200 r+\|$/);
    assert.deepEqual(readEveryWay(bytes(first, 'r\r\n\r\n'), { limits }).events, ['!message-too-large']);
  });

  test('folded lines belong to the line that they continue', () => {
    const limits = { headerLineBytes: 40 };
    const folded = `${line(20)}\r\n${' f'.padEnd(10, 'f')}\r\n${'\tg'.padEnd(10, 'g')}`;
    assert.match(
      readEveryWay(bytes(start, folded, '\r\nY: z\r\n\r\n'), { limits }).events[0] ?? '',
      /^200 OK\|X=v+ f+ g+\|Y=z\|$/,
    );
    assert.deepEqual(readEveryWay(bytes(start, folded, 'g\r\n\r\n'), { limits }).events, ['!message-too-large']);
  });

  test('folded lines without end', () => {
    const stream = bytes(start, 'X: y\r\n', ' \r\n'.repeat(MAX_HEADER_LINE_BYTES));
    assert.deepEqual(read(stream).events, ['!message-too-large']);
    assert.deepEqual(read(bytes(start, ' y\r\n'.repeat(MAX_HEADER_LINE_BYTES))).events, ['!message-too-large']);
  });

  test('the number of header lines', () => {
    const headers = Array.from({ length: MAX_HEADERS }, (_, index) => `H${index}: v\r\n`);
    assert.equal(read(bytes(start, ...headers, '\r\n')).events[0]?.split('|').length, MAX_HEADERS + 2);
    assert.deepEqual(read(bytes(start, ...headers, 'x: y\r\n\r\n')).events, ['!message-too-large']);
    assert.deepEqual(read(bytes(start, 'no header\r\n'.repeat(MAX_HEADERS + 1), '\r\n')).events, [
      '!message-too-large',
    ]);
    const limits = { headers: 2 };
    assert.deepEqual(readEveryWay(bytes(start, 'a:\r\nb:\r\n\r\n'), { limits }).events, ['200 OK|a=|b=|']);
    assert.deepEqual(readEveryWay(bytes(start, 'a:\r\nb:\r\nc:\r\n\r\n'), { limits }).events, ['!message-too-large']);
  });

  test('the bytes of all header lines together', () => {
    const lines = Array.from({ length: MAX_HEADER_BYTES / 4_096 }, () => `${line(4_096)}\r\n`);
    assert.equal(read(bytes(start, ...lines, '\r\n')).events[0]?.startsWith('200'), true);
    assert.deepEqual(read(bytes(start, ...lines, 'a:\r\n\r\n')).events, ['!message-too-large']);
    const limits = { headerBytes: 10 };
    assert.deepEqual(readEveryWay(bytes(start, 'a: 45\r\nb: 90\r\n\r\n'), { limits }).events, ['200 OK|a=45|b=90|']);
    assert.deepEqual(readEveryWay(bytes(start, 'a: 45\r\nb: 901\r\n\r\n'), { limits }).events, ['!message-too-large']);
  });

  test('the body', () => {
    const body = new Uint8Array(MAX_BODY_BYTES).fill(0x62);
    const [event] = read(bytes(start, `Content-Length: ${MAX_BODY_BYTES}\r\n\r\n`, body)).events;
    assert.equal(event?.endsWith('bbb'), true);
    for (const length of [`${MAX_BODY_BYTES + 1}`, '4294967297', '9'.repeat(400)]) {
      const stream = bytes(start, `Content-Length: ${length}\r\n\r\n`);
      assert.deepEqual(read(stream).events, ['!message-too-large'], length);
    }
    const limits = { bodyBytes: 3 };
    assert.equal(readEveryWay(bytes(start, 'Content-Length: 3\r\n\r\nabc'), { limits }).events.length, 1);
    assert.deepEqual(readEveryWay(bytes(start, 'Content-Length: 4\r\n\r\nabcd'), { limits }).events, [
      '!message-too-large',
    ]);
  });

  test('the sentence names the limit', () => {
    const { errors } = read(bytes(start, `Content-Length: ${MAX_BODY_BYTES + 1}\r\n\r\n`));
    assert.match(errors[0]?.message ?? '', new RegExp(`${MAX_BODY_BYTES} bytes`));
  });
});

describe('the end', () => {
  const stream = bytes(ok, serializeInterleaved(0, rtp(12)), serializeInterleaved(0, rtp(12)), 'x', ok);

  for (const calls of [1, 2, 3, 4]) {
    for (const isCut of [false, true]) {
      test(`close() inside the ${calls}. call ${isCut ? 'of a stream byte by byte' : ''}: no handler is called after it`, () => {
        let count = 0;
        const called = (): void => {
          if (++count === calls) reader.close();
        };
        const reader = new RtspReader({ onMessage: called, onInterleavedFrame: called, onError: called });
        for (const piece of isCut ? Array.from(stream, (byte) => Uint8Array.of(byte)) : [stream]) reader.push(piece);
        reader.push(bytes(ok, ok));
        assert.equal(count, calls);
      });
    }
  }

  test('one error, and nothing after it', () => {
    const events: string[] = [];
    const reader = new RtspReader({
      onMessage: () => events.push('message'),
      onInterleavedFrame: () => events.push('frame'),
      onError: (error) => events.push(error.code),
    });
    reader.push(bytes([0, 0, 0], ok));
    reader.push(bytes(ok));
    assert.deepEqual(events, ['not-rtsp']);
    assert.equal(reader.stats.bytes, 3 + ok.length);
    reader.close();
    reader.close();
  });

  test('an empty chunk does nothing', () => {
    const fail = (): never => assert.fail('a handler was called');
    const reader = new RtspReader({ onMessage: fail, onInterleavedFrame: fail, onError: fail });
    reader.push(new Uint8Array(0));
    assert.equal(reader.stats.bytes, 0);
  });
});

describe('properties', () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .string({
        unit: fc.constantFrom(
          '$',
          '\0',
          '\r',
          '\n',
          'R',
          'T',
          'RTSP/1.',
          'RTSP/1.0 200 OK',
          'PLAY ',
          ' ',
          'A',
          'HTTP/',
          '\x80',
          '\x0c',
          ':',
        ),
        maxLength: 20,
      })
      .map((text) => Uint8Array.from(Buffer.from(text, 'latin1'))),
  );
  const payload = fc.uint8Array({ maxLength: 60 });
  const packet = fc.integer({ min: 12, max: 60 }).map((length) => rtp(length));
  const channel = fc.integer({ min: 0, max: 3 });
  const frame = fc.tuple(channel, payload).map(([number, data]) => serializeInterleaved(number, data));
  const message = fc.oneof(
    fc
      .uint8Array({ maxLength: 30 })
      .map((body) => serializeResponse({ status: 200, headers: new RtspHeaders([['CSeq', '1']]), body })),
    fc
      .constantFrom('PLAY', 'OPTIONS', 'X-Y')
      .map((method) => serializeRequest({ method, url: 'rtsp://h/', headers: new RtspHeaders() })),
  );
  const limits = { headerLineBytes: 64, headers: 4, headerBytes: 128, bodyBytes: 64, resyncBytes: 200 };

  test('the same bytes give the same calls at any chunking', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(junk, frame, message, fc.constant(bytes(ok))), { maxLength: 12 }),
        fc.array(fc.nat(600), { maxLength: 20 }),
        fc.boolean(),
        fc.boolean(),
        (parts, positions, knowsChannels, startsWell) => {
          const stream = bytes(...(startsWell ? [ok] : []), ...parts);
          const cuts = [...new Set(positions.filter((position) => position < stream.length))].sort((a, b) => a - b);
          const options: Options = knowsChannels ? { limits, channels: [0, 1] } : { limits };
          const whole = read(stream, options);
          const cut = read(stream, { ...options, cuts });
          assert.deepEqual(cut.events, whole.events);
          const each = read(stream, { ...options, cuts: Array.from(stream.keys()).slice(1) });
          assert.deepEqual(each.events, whole.events);
          if (whole.errors.length === 0) {
            assert.deepEqual(cut.stats, whole.stats);
            assert.deepEqual(each.stats, whole.stats);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('what is well-formed comes out complete and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), channel, payload)), (units) => {
        const stream = units.map(([isMessage, number, data]) =>
          isMessage ? bytes(ok) : serializeInterleaved(number, data),
        );
        const expected = units.map(([isMessage, number, data]) => (isMessage ? okEvent : frameEvent(number, data)));
        const { events, stats } = read(bytes(...stream));
        assert.deepEqual(events, expected);
        assert.equal(stats.skippedBytes, 0);
      }),
    );
  });

  test('after junk without a false beginning in it, the next RTP packet is found', () => {
    const quiet = fc.uint8Array({ min: 0x80, max: 0xff, minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(fc.array(fc.tuple(quiet, packet), { minLength: 1, maxLength: 5 }), (pairs) => {
        const stream = bytes(ok, ...pairs.flatMap(([noise, data]) => [noise, serializeInterleaved(0, data)]));
        const { events, stats } = read(stream, { channels: [0, 1] });
        assert.deepEqual(events, [okEvent, ...pairs.map(([, data]) => frameEvent(0, data))]);
        assert.equal(stats.resyncs, pairs.length);
        assert.equal(
          stats.skippedBytes,
          pairs.reduce((sum, [noise]) => sum + noise.length, 0),
        );
      }),
    );
  });

  const line = 'x'.repeat(MAX_HEADER_LINE_BYTES - 10);
  const endless: [name: string, beginning: string, rest: () => Uint8Array][] = [
    ['a line', 'RTSP/1.0 200 ', () => bytes('x'.repeat(2_000))],
    ['header lines', 'RTSP/1.0 200 OK\r\n', () => bytes(`A: ${line}\r\n`)],
    ['empty header lines', 'RTSP/1.0 200 OK\r\n', () => bytes('A:\r\n'.repeat(200))],
    ['folded lines', 'RTSP/1.0 200 OK\r\nA: b\r\n', () => bytes(' x\r\n'.repeat(300))],
    ['a body', `RTSP/1.0 200 OK\r\nContent-Length: ${MAX_BODY_BYTES}\r\n\r\n`, () => new Uint8Array(1_000)],
    ['frames cut anywhere', 'RTSP/1.0 200 OK\r\n\r\n', () => bytes([0x24, 0, 0xff, 0xff], new Uint8Array(50_021))],
    ['junk', 'RTSP/1.0 200 OK\r\n\r\n', () => new Uint8Array(1_000).fill(0xc1)],
    ['beginnings of messages', 'RTSP/1.0 200 OK\r\n\r\n', () => bytes('RTSP/1.0 20\r\n'.repeat(70))],
  ];
  for (const [name, beginning, rest] of endless) {
    test(`what comes without end is not held without bound, nor are its chunks: ${name}`, async () => {
      const reader = new RtspReader({ onMessage() {}, onInterleavedFrame() {}, onError() {} });
      const before = await heldBytes();
      let most = 0;
      reader.push(bytes(beginning));
      // Each piece at the end of a large chunk that the reader must let go.
      for (let sent = 0, pieces = 1; sent < 4_000_000; pieces++) {
        const piece = rest();
        const chunk = new Uint8Array(100_000 + piece.length);
        chunk.set(piece, 100_000);
        reader.push(chunk.subarray(100_000));
        sent += piece.length;
        if (pieces % 25 === 0 && pieces <= 100) most = Math.max(most, (await heldBytes()) - before);
      }
      most = Math.max(most, (await heldBytes()) - before);
      assert.ok(most < MAX_BODY_BYTES + MAX_HEADER_BYTES + 1_000_000, `${most} bytes were held`);
      assert.ok(reader.stats.bytes > 1_000);
    });
  }
});
