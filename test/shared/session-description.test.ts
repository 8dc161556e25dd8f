import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StreamError } from '../../shared/errors.js';
import { MAX_BODY_BYTES, MAX_MEDIA, MAX_SDP_LINE_LENGTH, MAX_SDP_LINES } from '../../shared/limits.js';
import {
  type MediaDescription,
  type MediaFormat,
  parseSessionDescription,
  type SessionDescription,
} from '../../shared/session-description.js';
import { serializeSessionDescription } from '../../shared/session-description-writer.js';

/** CPU time since `start`, in ms: unlike the wall clock, it does not depend on what else the machine does. */
function cpuMs(start: NodeJS.CpuUsage): number {
  return process.cpuUsage(start).user / 1_000;
}

/** Parses lines given one by one. */
function parse(...lines: string[]): SessionDescription {
  return parseSessionDescription(lines.join('\r\n'));
}

function medium(description: SessionDescription, index = 0): MediaDescription {
  const found = description.media[index];
  assert.ok(found !== undefined);
  return found;
}

/** The only format of the only medium of these lines, with its parameters as an object. */
function onlyFormat(...lines: string[]): Omit<MediaFormat, 'parameters'> & { parameters: Record<string, string> } {
  const { formats } = medium(parse(...lines));
  assert.equal(formats.length, 1);
  const format = formats[0] as MediaFormat;
  return { ...format, parameters: Object.fromEntries(format.parameters) };
}

function names(description: SessionDescription): string[][] {
  return description.media.map((each) => each.formats.map((format) => `${format.payloadType} ${format.encodingName}`));
}

test('a description as live555 writes it', () => {
  const text = [
    'v=0',
    'o=- 1419521465 1 IN IP4 10.0.0.1',
    's=Session streamed by "live"',
    'i=stream',
    't=0 0',
    'a=tool:LIVE555 Streaming Media v2014.11.07',
    'a=type:broadcast',
    'a=control:*',
    'a=range:npt=0-',
    'm=video 0 RTP/AVP 96',
    'c=IN IP4 0.0.0.0',
    'b=AS:500',
    'a=rtpmap:96 H264/90000',
    'a=fmtp:96 packetization-mode=1;profile-level-id=64001E;sprop-parameter-sets=Z2QAHqwsaoMg5puAgICB,aO4xshs=',
    'a=framerate:29.97',
    'a=range:npt=0-596.48',
    'a=control:track1',
    'm=audio 0 RTP/AVP 97',
    'b=AS:128',
    'a=rtpmap:97 MPEG4-GENERIC/48000/2',
    'a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190',
    'a=recvonly',
    'a=control:track2',
    '',
  ].join('\r\n');
  assert.deepEqual(parseSessionDescription(Buffer.from(text)), {
    name: 'Session streamed by "live"',
    control: '*',
    range: 'npt=0-',
    text,
    media: [
      {
        index: 0,
        kind: 'video',
        protocol: 'RTP/AVP',
        direction: null,
        control: 'track1',
        frameRate: 29.97,
        range: 'npt=0-596.48',
        bandwidth: 500,
        formats: [
          {
            payloadType: 96,
            encodingName: 'H264',
            clockRate: 90_000,
            channels: null,
            parameters: new Map([
              ['packetization-mode', '1'],
              ['profile-level-id', '64001E'],
              ['sprop-parameter-sets', 'Z2QAHqwsaoMg5puAgICB,aO4xshs='],
            ]),
          },
        ],
      },
      {
        index: 1,
        kind: 'audio',
        protocol: 'RTP/AVP',
        direction: 'recvonly',
        control: 'track2',
        frameRate: null,
        range: null,
        bandwidth: 128,
        formats: [
          {
            payloadType: 97,
            encodingName: 'MPEG4-GENERIC',
            clockRate: 48_000,
            channels: 2,
            parameters: new Map([
              ['streamtype', '5'],
              ['profile-level-id', '1'],
              ['mode', 'AAC-hbr'],
              ['sizelength', '13'],
              ['indexlength', '3'],
              ['indexdeltalength', '3'],
              ['config', '1190'],
            ]),
          },
        ],
      },
    ],
  });
});

describe('values stay exactly as written', () => {
  for (const value of ['0012', '1e3', '0x1F', '00000001', '1190', '1.50', 'Z0IA==,aM4=', 'a=b=c', '+5']) {
    test(`fmtp config=${value}`, () => {
      const { parameters } = onlyFormat(
        'm=audio 0 RTP/AVP 97',
        'a=rtpmap:97 mpeg4-generic/8000',
        `a=fmtp:97 config=${value}; x=1`,
      );
      assert.deepEqual(parameters, { config: value, x: '1' });
    });
  }

  test('an fmtp that is one number', () => {
    const { parameters } = onlyFormat('m=audio 0 RTP/AVP 97', 'a=rtpmap:97 telephone-event/8000', 'a=fmtp:97 0010');
    assert.deepEqual(parameters, { '0010': '' });
  });

  test('the size of large JPEG pictures, as GStreamer has it', () => {
    const description = parse('m=video 0 RTP/AVP 26', 'a=x-dimensions:2592,1944');
    assert.equal(medium(description).formats[0]?.parameters.get('x-dimensions'), '2592,1944');
  });

  test('control, name and range that look like numbers', () => {
    const description = parse(
      's=0042',
      'a=control:007',
      'a=range:1',
      'm=video 0 RTP/AVP 26',
      'a=control:1',
      'a=range:02',
    );
    assert.deepEqual([description.name, description.control, description.range], ['0042', '007', '1']);
    assert.deepEqual([medium(description).control, medium(description).range], ['1', '02']);
  });

  test('an encoding name of digits', () => {
    assert.equal(onlyFormat('m=video 0 RTP/AVP 96', 'a=rtpmap:96 0264/90000').encodingName, '0264');
  });

  test('a control URL with colons, equals signs and blanks inside', () => {
    const control = 'rtsp://10.0.0.1:554/a b?c=d:e';
    assert.equal(medium(parse('m=video 0 RTP/AVP 26', `a=control:${control}`)).control, control);
  });

  test('names in small letters, quotes off, the first of two, empty parts left out', () => {
    const { parameters } = onlyFormat('m=video 0 RTP/AVP 26', 'a=fmtp:26 A = 1 ;; B="x;y" ;C="z";a=2;flag;=3; ');
    assert.deepEqual(parameters, { a: '1', b: '"x', 'y"': '', c: 'z', flag: '' });
  });
});

describe('56: broken session-level lines', () => {
  test('none of v=, o=, s=, t=', () => {
    assert.equal(parse('m=video 0 RTP/AVP 26').media.length, 1);
  });

  test('hex session ids, IN IPV4, c=IN alone, t=now-, and rubbish', () => {
    const description = parse(
      'o=- 0x5f3a deadbeef IN IPV4 camera',
      's=-',
      'c=IN',
      't=now-',
      'rubbish',
      '=',
      'a',
      'a=',
      'a=rtpmap',
      'a=rtpmap:',
      'a=rtpmap:x H264/90000',
      'a=fmtp:',
      'a=framerate:fast',
      'b=AS:many',
      'm=video 0 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
      'a=rtpmap:200 H264/90000',
      'b=AS:',
      'a=control:',
    );
    assert.deepEqual(names(description), [['96 H264']]);
    assert.deepEqual([description.name, description.control, medium(description).control], [null, null, null]);
    assert.deepEqual([medium(description).bandwidth, medium(description).frameRate], [null, null]);
  });

  for (const [name, end] of [
    ['LF alone (Anpviz)', '\n'],
    ['CR alone', '\r'],
    ['blanks before line ends', ' \t\r\n'],
    ['blank lines', '\r\n\r\n'],
  ] as const) {
    test(`line ends: ${name}`, () => {
      const lines = ['v=0', 's=cam', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=control:t1'];
      const description = parseSessionDescription(lines.join(end));
      assert.deepEqual(names(description), [['96 H264']]);
      assert.deepEqual([description.name, medium(description).control], ['cam', 't1']);
    });
  }
});

describe('57: lines in the wrong section', () => {
  test('s= and i= inside a media section', () => {
    const description = parse('s=cam', 'm=video 0 RTP/AVP 26', 's=video', 'i=video', 'a=control:t1');
    assert.equal(description.name, 'cam');
    assert.equal(medium(description).control, 't1');
  });

  test('the fmtp of the video under the audio', () => {
    const description = parse(
      'm=video 0 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
      'm=audio 0 RTP/AVP 8',
      'a=rtpmap:8 PCMA/8000',
      'a=fmtp:96 packetization-mode=1',
    );
    assert.deepEqual([...(medium(description).formats[0]?.parameters ?? [])], [['packetization-mode', '1']]);
    assert.equal(medium(description, 1).formats[0]?.parameters.size, 0);
  });
});

describe('58: payload types that do not agree', () => {
  for (const [mapped, other] of [
    [98, 62],
    [97, 104],
  ]) {
    test(`rtpmap ${mapped}, fmtp ${other} (Vitek and others)`, () => {
      const { payloadType, parameters } = onlyFormat(
        `m=video 0 RTP/AVP ${mapped}`,
        `a=rtpmap:${mapped} H264/90000`,
        `a=fmtp:${other} packetization-mode=1`,
      );
      assert.equal(payloadType, mapped);
      assert.deepEqual(parameters, { 'packetization-mode': '1' });
    });
  }

  test('of two fmtp lines none is guessed', () => {
    const { parameters } = onlyFormat(
      'm=video 0 RTP/AVP 98',
      'a=rtpmap:98 H264/90000',
      'a=fmtp:62 a=1',
      'a=fmtp:63 a=2',
    );
    assert.deepEqual(parameters, {});
  });

  test('an fmtp that belongs to another payload type of the medium is not guessed', () => {
    const description = parse(
      'm=audio 0 RTP/AVP 97 8',
      'a=rtpmap:97 mpeg4-generic/16000',
      'a=rtpmap:8 PCMA/8000',
      'a=fmtp:97 config=1408',
    );
    assert.deepEqual(
      medium(description).formats.map((format) => format.parameters.size),
      [1, 0],
    );
  });

  test('a static payload type does not take an rtpmap of another number', () => {
    assert.equal(onlyFormat('m=audio 0 RTP/AVP 8', 'a=rtpmap:97 mpeg4-generic/16000').encodingName, 'PCMA');
  });

  test('a dynamic payload type whose rtpmap has another number', () => {
    const { payloadType, encodingName } = onlyFormat('m=video 0 RTP/AVP 96', 'a=rtpmap:97 H264/90000');
    assert.deepEqual([payloadType, encodingName], [96, 'H264']);
  });
});

test('59: media that nobody knows keep their place (TP-Link)', () => {
  const description = parse(
    'm=video 0 RTP/AVP 96',
    'a=rtpmap:96 H264/90000',
    'm=application/TP-LINK 0 RTP/AVP smart/1/90000',
    'a=rtpmap:95 TP-LINK/90000',
    'a=control:track3',
    'm=vana 0 RTP/AVP 98',
    'm=',
    'm=application 0 RTP/AVP 107',
    'a=rtpmap:107 vnd.onvif.metadata/90000',
  );
  assert.deepEqual(
    description.media.map(({ index, kind, control }) => [index, kind, control]),
    [
      [0, 'video', null],
      [1, 'other', 'track3'],
      [2, 'other', null],
      [3, 'other', null],
      [4, 'application', null],
    ],
  );
  assert.deepEqual(names(description), [['96 H264'], [], [], [], ['107 VND.ONVIF.METADATA']]);
});

describe('60: rtpmap', () => {
  const cases: [line: string, expected: [string, number, number | null]][] = [
    ['a=rtpmap:96 H264/90000 ', ['H264', 90_000, null]],
    ['a=rtpmap: 96  h264/90000', ['H264', 90_000, null]],
    ['a=rtpmap:96\tH264 / 90000', ['H264', 90_000, null]],
    ['A=x', ['H265', 90_000, null]],
    ['a=RTPMAP:096 H264/90000', ['H264', 90_000, null]],
    [' a=rtpmap:96 H264/90000', ['H264', 90_000, null]],
    ['a=rtpmap:96 H264', ['H264', 90_000, null]],
    ['a=rtpmap:96 H264/0', ['H264', 90_000, null]],
    ['a=rtpmap:96 PCMU', ['PCMU', 8_000, null]],
    ['a=rtpmap:96 MPEG4-GENERIC/16000/1', ['MPEG4-GENERIC', 16_000, 1]],
    ['a=rtpmap:96 L16/44100/2/x', ['L16', 44_100, 2]],
  ];
  for (const [line, expected] of cases) {
    test(JSON.stringify(line), () => {
      const format = onlyFormat('m=video 0 RTP/AVP 96', line, 'a=rtpmap:96 H265/90000');
      assert.deepEqual([format.encodingName, format.clockRate, format.channels], expected);
    });
  }

  test('wins over the static table: payload type 0 with AAC, 8 with PCMU', () => {
    assert.equal(onlyFormat('m=audio 0 RTP/AVP 0', 'a=rtpmap:0 mpeg4-generic/16000/1').encodingName, 'MPEG4-GENERIC');
    assert.equal(onlyFormat('m=audio 0 RTP/AVP 8', 'a=rtpmap:8 PCMU/8000').encodingName, 'PCMU');
  });
});

describe('61: static payload types without rtpmap (RFC 3551)', () => {
  const cases: [payloadType: number, name: string, clockRate: number, channels: number | null][] = [
    [0, 'PCMU', 8_000, 1],
    [3, 'GSM', 8_000, 1],
    [4, 'G723', 8_000, 1],
    [5, 'DVI4', 8_000, 1],
    [6, 'DVI4', 16_000, 1],
    [7, 'LPC', 8_000, 1],
    [8, 'PCMA', 8_000, 1],
    [9, 'G722', 8_000, 1],
    [10, 'L16', 44_100, 2],
    [11, 'L16', 44_100, 1],
    [12, 'QCELP', 8_000, 1],
    [13, 'CN', 8_000, 1],
    [14, 'MPA', 90_000, null],
    [15, 'G728', 8_000, 1],
    [16, 'DVI4', 11_025, 1],
    [17, 'DVI4', 22_050, 1],
    [18, 'G729', 8_000, 1],
    [25, 'CELB', 90_000, null],
    [26, 'JPEG', 90_000, null],
    [28, 'NV', 90_000, null],
    [31, 'H261', 90_000, null],
    [32, 'MPV', 90_000, null],
    [33, 'MP2T', 90_000, null],
    [34, 'H263', 90_000, null],
  ];
  for (const [payloadType, encodingName, clockRate, channels] of cases) {
    test(`${payloadType}: ${encodingName}`, () => {
      const format = onlyFormat(`m=audio 0 RTP/AVP ${payloadType}`);
      assert.deepEqual(format, { payloadType, encodingName, clockRate, channels, parameters: {} });
    });
  }

  test('reserved and dynamic ones without rtpmap are left out', () => {
    assert.deepEqual(names(parse('m=audio 0 RTP/AVP 1 35 96 127 128 999 0')), [['0 PCMU']]);
  });
});

test('62: two media with one payload type (Ubiquiti, VLC)', () => {
  const description = parse(
    'm=video 0 RTP/AVP 97',
    'a=rtpmap:97 H264/90000',
    'a=fmtp:97 packetization-mode=1',
    'm=audio 0 RTP/AVP 97',
    'a=rtpmap:97 mpeg4-generic/16000',
    'a=fmtp:97 config=1408',
    'm=audio 0 RTP/AVP 97',
    'a=rtpmap:97 opus/48000/2',
  );
  assert.deepEqual(names(description), [['97 H264'], ['97 MPEG4-GENERIC'], ['97 OPUS']]);
  assert.deepEqual(
    description.media.map((each) => Object.fromEntries(each.formats[0]?.parameters ?? [])),
    [{ 'packetization-mode': '1' }, { config: '1408' }, {}],
  );
});

describe('63: directions', () => {
  test('every medium sendonly: then it says nothing', () => {
    const description = parse('m=video 0 RTP/AVP 26', 'a=sendonly', 'm=audio 0 RTP/AVP 0', 'a=sendonly');
    assert.deepEqual(
      description.media.map((each) => each.direction),
      [null, null],
    );
    assert.equal(medium(parse('a=sendonly', 'm=video 0 RTP/AVP 26')).direction, null);
  });

  test('one sendonly among others is a backchannel (ONVIF)', () => {
    const description = parse(
      'a=recvonly',
      'm=video 0 RTP/AVP 26',
      'm=audio 0 RTP/AVP 0',
      'a=SendOnly ',
      'm=audio 0 RTP/AVP 0',
      'a=inactive',
    );
    assert.deepEqual(
      description.media.map((each) => each.direction),
      ['recvonly', 'sendonly', 'inactive'],
    );
  });
});

describe('64: audio that describes itself badly', () => {
  test('Opus with a wrong clock (VLC)', () => {
    for (const line of ['opus/8000', 'OPUS/48000', 'opus/16000/1', 'opus']) {
      const { clockRate, channels } = onlyFormat('m=audio 0 RTP/AVP 97', `a=rtpmap:97 ${line}`);
      assert.deepEqual([clockRate, channels], [48_000, 2], line);
    }
  });

  test('AAC without channels', () => {
    assert.equal(onlyFormat('m=audio 0 RTP/AVP 97', 'a=rtpmap:97 mpeg4-generic/16000').channels, null);
  });

  test('a padded config', () => {
    const { parameters } = onlyFormat(
      'm=audio 0 RTP/AVP 97',
      'a=rtpmap:97 mpeg4-generic/16000',
      'a=fmtp:97 config= 1408 ; mode=AAC-hbr',
    );
    assert.deepEqual(parameters, { config: '1408', mode: 'AAC-hbr' });
  });

  test('LATM with an empty config', () => {
    const { parameters } = onlyFormat(
      'm=audio 0 RTP/AVP 97',
      'a=rtpmap:97 MP4A-LATM/16000',
      'a=fmtp:97 cpresent=0;config=',
    );
    assert.deepEqual(parameters, { cpresent: '0', config: '' });
  });
});

test('65: sprop-parameter-sets with trailing commas or raw bytes are handed on as they are', () => {
  for (const value of ['Z0IA,aM4=,', 'AAAAAWdC,AAAAAWjO', 'g\u0042\u00c0\u001e,h']) {
    const { parameters } = onlyFormat(
      'm=video 0 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
      `a=fmtp:96 sprop-parameter-sets=${value};packetization-mode=1`,
    );
    assert.deepEqual(parameters, { 'sprop-parameter-sets': value, 'packetization-mode': '1' });
  }
});

test('66: profile-level-id is text, whatever it should have been (GW, Macrovideo)', () => {
  for (const value of ['4366366', 'QgAe', '42e01e', '000042']) {
    const { parameters } = onlyFormat(
      'm=video 0 RTP/AVP 96',
      'a=rtpmap:96 H264/90000',
      `a=fmtp:96 profile-level-id=${value}`,
    );
    assert.equal(parameters['profile-level-id'], value);
  }
});

describe('m= lines', () => {
  const cases: [line: string, expected: [kind: string, protocol: string, formats: number[]]][] = [
    ['m=video 49170/2 RTP/AVP 26 34', ['video', 'RTP/AVP', [26, 34]]],
    ['m=video  0   RTP/AVP/TCP  26 ', ['video', 'RTP/AVP/TCP', [26]]],
    ['m=VIDEO 0 RTP/SAVP 26', ['video', 'RTP/SAVP', [26]]],
    ['m=video 0 26', ['video', 'RTP/AVP', [26]]],
    ['m=audio RTP/AVP 8', ['audio', 'RTP/AVP', [8]]],
    ['m=audio 0 RTP/AVP 8 8 8', ['audio', 'RTP/AVP', [8]]],
    ['m=video', ['video', 'RTP/AVP', []]],
    ['m=audio 0 udp 8', ['audio', 'udp', [8]]],
  ];
  for (const [line, [kind, protocol, formats]] of cases) {
    test(JSON.stringify(line), () => {
      const found = medium(parse(line));
      assert.deepEqual(
        [found.kind, found.protocol, found.formats.map((format) => format.payloadType)],
        [kind, protocol, formats],
      );
    });
  }

  test('no m= line at all', () => {
    for (const text of ['', 'v=0\r\ns=cam\r\n', '<html>not found</html>', 'am=video 0 RTP/AVP 26']) {
      assert.throws(
        () => parseSessionDescription(text),
        (error: unknown) => error instanceof StreamError && error.code === 'malformed-message',
      );
    }
  });
});

test('text that is not UTF-8 is read as ISO 8859-1', () => {
  assert.equal(parseSessionDescription(Buffer.from('s=T\xfcr\r\nm=video 0 RTP/AVP 26', 'latin1')).name, 'Tür');
  assert.equal(parseSessionDescription(Buffer.from('s=Tür\r\nm=video 0 RTP/AVP 26')).name, 'Tür');
});

test('frame rates', () => {
  for (const [line, expected] of [
    ['a=framerate:25', 25],
    ['a=framerate: 12.50 ', 12.5],
    ['a=x-framerate:15.000000', 15],
    ['a=framerate:0', null],
    ['a=framerate:-5', null],
    ['a=framerate:1e9', null],
    ['a=framerate:NaN', null],
    ['a=framerate:0.0000001', null],
  ] as const) {
    assert.equal(medium(parse('m=video 0 RTP/AVP 26', line)).frameRate, expected, line);
  }
});

describe('limits, at the bound and over it', () => {
  test('lines', () => {
    const filler = Array.from({ length: MAX_SDP_LINES - 1 }, () => 'a=x');
    assert.equal(parse(...filler, 'm=video 0 RTP/AVP 26').media.length, 1);
    assert.throws(() => parse(...filler, 'a=x', 'm=video 0 RTP/AVP 26'));
  });

  test('media: later ones are ignored, with their attributes', () => {
    const lines = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `m=video 0 RTP/AVP 26\r\na=control:t${index}`);
    assert.equal(parse(...lines(MAX_MEDIA)).media.length, MAX_MEDIA);
    const { media } = parse(...lines(MAX_MEDIA + 1));
    assert.equal(media.length, MAX_MEDIA);
    assert.equal(media.at(-1)?.control, `t${MAX_MEDIA - 1}`);
  });

  test('the length of a line: longer ones are ignored', () => {
    const line = 'a=control:'.padEnd(MAX_SDP_LINE_LENGTH, 'x');
    assert.equal(
      medium(parse('m=video 0 RTP/AVP 26', line)).control?.length,
      MAX_SDP_LINE_LENGTH - 'a=control:'.length,
    );
    assert.equal(medium(parse('m=video 0 RTP/AVP 26', `${line}x`)).control, null);
  });

  test('hostile descriptions of the largest body take no time', () => {
    const repeat = (unit: string): string => unit.repeat(MAX_BODY_BYTES / unit.length);
    const everyType = Array.from({ length: 128 }, (_, index) => index).join(' ');
    for (const text of [
      repeat('m=video 0 RTP/AVP 26\n'),
      repeat(`m=video 0 RTP/AVP ${everyType}\n`),
      `${`m=video 0 RTP/AVP ${everyType}\n`.repeat(MAX_MEDIA)}${repeat('a=fmtp:999 x\na=rtpmap:127 x\n')}`,
      `m=video 0 RTP/AVP 96\n${repeat('a=rtpmap:96 H264/90000\n')}`,
      `m=video 0 RTP/AVP 96\na=fmtp:96 ${'a=;'.repeat(5_000)}\n${'a=fmtp:96 ;;;;\n'.repeat(1_900)}`,
      `m=video 0 RTP/AVP 96\n${repeat(' ')}`,
      `m=video 0 RTP/AVP 96\n${repeat('\r')}`,
      `m=video 0 RTP/AVP 96\n${`a=rtpmap:96 ${'/ '.repeat(8_000)}\n`.repeat(8)}`,
      `m=video 0 RTP/AVP 96\n${`m=${'a/'.repeat(8_000)}!\n`.repeat(8)}`,
      `m=video 0 RTP/AVP 96\n${`a=candidate:${'1 '.repeat(8_000)}\n`.repeat(8)}`,
    ]) {
      const start = process.cpuUsage();
      parseSessionDescription(text);
      assert.ok(cpuMs(start) < 3_000, `${text.slice(0, 40)}: ${cpuMs(start)} ms`);
    }
  });
});

describe('properties', () => {
  const piece = fc.constantFrom(
    ...[
      'v=0',
      's=',
      'm=',
      'a=',
      'b=AS:',
      'rtpmap:',
      'fmtp:',
      'control:',
      'range:',
      'framerate:',
      'sendonly',
      'video ',
      'RTP/AVP',
    ],
    ...['96', ' ', '/', ':', ';', '=', '\r', '\n', '\0', 'H264', '90000', '__proto__', 'constructor', 'é', '%s', '%d'],
  );

  test('an m= line is enough: no other line loses the session', () => {
    const before = fc.string({ unit: piece, maxLength: 30 });
    fc.assert(
      fc.property(before, before, (before, after) => {
        const description = parseSessionDescription(
          `${before}\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n${after}`,
        );
        assert.ok(description.media.length >= 1 && description.media.length <= MAX_MEDIA);
        assert.ok(description.media.some((each) => each.formats.some((format) => format.payloadType === 96)));
        for (const each of description.media) {
          for (const format of each.formats) {
            assert.ok(
              format.clockRate > 0 && Number.isInteger(format.payloadType) && typeof format.encodingName === 'string',
            );
          }
          assert.ok(typeof each.control === 'string' || each.control === null);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('any bytes: a description, or malformed-message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          assert.ok(parseSessionDescription(bytes).media.length > 0);
        } catch (error) {
          assert.ok(error instanceof StreamError && error.code === 'malformed-message');
        }
      }),
    );
  });

  const word = fc.string({ unit: fc.constantFrom(...'aZ09+/=-_.,%'), minLength: 1, maxLength: 12 });
  const parameters = fc
    .array(
      fc.tuple(
        fc.string({ unit: fc.constantFrom(...'az-09'), minLength: 1, maxLength: 8 }),
        fc.oneof(word, fc.constant('')),
      ),
      { maxLength: 4 },
    )
    .map((entries) => new Map(entries));
  const format = (payloadType: number): fc.Arbitrary<MediaFormat> =>
    fc.record(
      {
        payloadType: fc.constant(payloadType),
        encodingName: fc
          .string({ unit: fc.constantFrom(...'AZ09-.'), minLength: 1, maxLength: 8 })
          .filter((name) => name !== 'OPUS'),
        clockRate: fc.integer({ min: 1, max: 999_999_999 }),
        channels: fc.option(fc.integer({ min: 1, max: 255 })),
        parameters,
      },
      { noNullPrototype: true },
    );
  const media: fc.Arbitrary<Omit<MediaDescription, 'index'>> = fc.record(
    {
      kind: fc.constantFrom('video' as const, 'audio' as const, 'application' as const),
      protocol: fc.constantFrom('RTP/AVP', 'RTP/AVP/TCP'),
      direction: fc.constantFrom(null, 'recvonly' as const, 'sendrecv' as const, 'inactive' as const),
      control: fc.option(word),
      formats: fc
        .uniqueArray(fc.integer({ min: 0, max: 127 }), { maxLength: 3 })
        .chain((types) => fc.tuple(...types.map(format))),
      frameRate: fc.option(fc.constantFrom(1, 12.5, 25, 29.97, 1000)),
      range: fc.option(word),
      bandwidth: fc.option(fc.integer({ min: 0, max: 999_999_999 })),
    },
    { noNullPrototype: true },
  );

  test('writing and reading gives the same', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            name: fc.option(word.filter((name) => name !== '-')),
            control: fc.option(word),
            range: fc.option(word),
            media: fc
              .array(media, { minLength: 1, maxLength: 4 })
              .map((list) => list.map((each, index) => ({ ...each, index }))),
          },
          { noNullPrototype: true },
        ),
        (description) => {
          const text = serializeSessionDescription(description);
          assert.deepEqual(parseSessionDescription(text), { ...description, text });
        },
      ),
    );
  });
});

describe('serializeSessionDescription', () => {
  const description: Omit<SessionDescription, 'text'> = {
    name: 'Demo',
    control: '*',
    range: 'npt=now-',
    media: [
      {
        index: 0,
        kind: 'video',
        protocol: 'RTP/AVP',
        direction: null,
        control: 'track1',
        formats: [
          {
            payloadType: 96,
            encodingName: 'H264',
            clockRate: 90_000,
            channels: null,
            parameters: new Map([
              ['packetization-mode', '1'],
              ['config', '0012'],
            ]),
          },
        ],
        frameRate: 25,
        range: null,
        bandwidth: 500,
      },
    ],
  };

  test('all of it, line by line, in the order of RFC 8866', () => {
    assert.deepEqual(
      serializeSessionDescription(description, { sessionId: 7, sessionVersion: 2, address: '10.0.0.1' }).split('\r\n'),
      [
        'v=0',
        'o=- 7 2 IN IP4 10.0.0.1',
        's=Demo',
        'c=IN IP4 10.0.0.1',
        't=0 0',
        'a=control:*',
        'a=range:npt=now-',
        'm=video 0 RTP/AVP 96',
        'b=AS:500',
        'a=rtpmap:96 H264/90000',
        'a=fmtp:96 packetization-mode=1; config=0012',
        'a=control:track1',
        'a=framerate:25',
        '',
      ],
    );
  });

  test('IPv6', () => {
    const text = serializeSessionDescription(description, { address: '::1' });
    assert.match(text, /^o=- 1 1 IN IP6 ::1\r$/m);
    assert.match(text, /^c=IN IP6 ::1\r$/m);
  });

  test('a text with a line end is refused', () => {
    const [first] = description.media;
    assert.ok(first !== undefined);
    for (const bad of [
      { ...description, name: 'a\r\nm=x' },
      { ...description, control: 'a\n' },
      { ...description, range: 'a\r' },
      { ...description, media: [{ ...first, control: 'a\nb' }] },
      { ...description, media: [{ ...first, protocol: 'a\nb' }] },
      {
        ...description,
        media: [
          { ...first, formats: [{ ...(first.formats[0] as MediaFormat), parameters: new Map([['a', 'b\nc']]) }] },
        ],
      },
      {
        ...description,
        media: [{ ...first, formats: [{ ...(first.formats[0] as MediaFormat), encodingName: 'a\nb' }] }],
      },
    ]) {
      assert.throws(
        () => serializeSessionDescription(bad),
        (error: unknown) => error instanceof StreamError && error.code === 'invalid-argument',
      );
    }
    assert.throws(() => serializeSessionDescription(description, { address: 'a\r\nb' }), StreamError);
  });
});
