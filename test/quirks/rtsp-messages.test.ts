import assert from 'node:assert/strict';
import {
  answers,
  credentials,
  describes,
  filledIn,
  guarded,
  healthySdp,
  inTurn,
  ok,
  type Played,
  plays,
  type Quirk,
  refuses,
  says,
  sendPackets,
  setsUp,
  soundSdp,
  testQuirks,
} from './play-through.js';

// What cameras make of RTSP's messages: their spelling, their headers, and what they ask and refuse.

const transport = 'RTP/AVP/TCP;unicast;interleaved=0-1';
const twoMedia = healthySdp + soundSdp;

/** A session that a keep-alive is due in: `count` times half its time-out later. */
async function passHalfTimeouts(played: Played, count = 1): Promise<void> {
  for (let half = 0; half < count; half++) await played.clock.advance(played.receiver.session.timeoutMs / 2);
}

/** Waits for a request of the client, and for pictures that were sent after the camera has dealt with it. */
async function untilAsked(played: Played, method: string, count = 1): Promise<void> {
  await played.until(`${count} × ${method}`, () => played.requests(method).length >= count);
  await played.moreFrames(3);
}

testQuirks([
  {
    row: 12,
    what: 'Cseq, cseq, blanks at the end, Session:    1234 (Longse, Hikvision, H264DVR)',
    on: {
      DESCRIBE: says(['RTSP/1.0 200 OK', 'Cseq: {cseq}  ', 'content-type:application/sdp'], healthySdp),
      SETUP: says(['RTSP/1.0 200 OK', 'cseq:{cseq}', 'SESSION:    1234  ', `transport: ${transport} `]),
      PLAY: (request, connection) => {
        says(['RTSP/1.0 200 OK', 'CSEQ : {cseq}', 'Session:    1234'])(request, connection);
        connection.startMedia(0);
      },
    },
    check: ({ requests }) => assert.equal(requests('PLAY')[0]?.headers.get('Session'), '1234'),
  },
  {
    row: 13,
    what: 'no CSeq in an error (VLC)',
    on: { DESCRIBE: says(['RTSP/1.0 404 Not Found']) },
    fails: { code: 'not-found', sentence: /DESCRIBE: 404/ },
  },
  {
    row: 13,
    what: 'the CSeq of the request before (TP-Link C520WS)',
    on: Object.fromEntries(
      Object.entries({
        OPTIONS: answers,
        DESCRIBE: describes(['Content-Base: {url}/']),
        SETUP: setsUp(transport),
        PLAY: plays(),
      }).map(([method, answer]) => [
        method,
        (request, connection) => {
          const { headers } = request;
          headers.set('CSeq', String(Number(headers.get('CSeq')) - 1));
          answer(request, connection);
        },
      ]),
    ),
  },
  {
    row: 14,
    what: 'only the spelling CSeq is known (several)',
    on: Object.fromEntries(
      ['DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
        method,
        (request, connection) => {
          const [name] = [...request.headers].find(([other]) => other.toLowerCase() === 'cseq') ?? [];
          if (name === 'CSeq') answers(request, connection);
          else refuses('400 Bad Request')(request, connection);
        },
      ]),
    ),
  },
  {
    row: 15,
    what: 'a folded WWW-Authenticate (some recorders)',
    credentials,
    on: {
      DESCRIBE: guarded(answers, ['Digest realm="cam",\r\n\t nonce="{nonce}",\r\n  algorithm=MD5'], { nonce: 'fold' }),
    },
  },
  {
    row: 15,
    what: 'a WWW-Authenticate that is folded without end',
    credentials,
    on: {
      DESCRIBE: (_request, connection) =>
        connection.send(
          `RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="cam",${'\r\n  a="b",'.repeat(20_000)}`,
        ),
    },
    fails: {
      raw: { code: 'message-too-large', sentence: /header/ },
      'named camera': { code: 'camera-refused', sentence: /cannot be read/ },
    },
  },
  ...['', 'Content-Type: application/sdp;charset=utf-8', 'Content-Type: APPLICATION/SDP ; charset="UTF-8"'].map(
    (type): Quirk => ({
      row: 16,
      what: type === '' ? 'no Content-Type (several)' : `${type} (several)`,
      on: { DESCRIBE: says([...ok, 'Content-Base: {url}/', ...(type === '' ? [] : [type])], healthySdp) },
    }),
  ),
  {
    row: 17,
    what: 'a body without its last line end (Anpviz)',
    on: { DESCRIBE: describes(['Content-Base: {url}/'], healthySdp.trimEnd()) },
  },
  {
    row: 17,
    what: 'lines that end in LF alone (Anpviz)',
    on: {
      DESCRIBE(request, connection) {
        const body = healthySdp.replaceAll('\r\n', '\n').trimEnd();
        const head = `RTSP/1.0 200 OK\nCSeq: {cseq}\nContent-Base: {url}/\nContent-Length: ${body.length}\n\n`;
        connection.send(filledIn(head, request) + body);
      },
      SETUP(request, connection) {
        connection.send(filledIn(`RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 1\nTransport: ${transport}\n\n`, request));
      },
    },
  },
  ...['RTSP/1.0 200', 'RTSP/1.0 200 '].map(
    (line): Quirk => ({
      row: 18,
      what: `${line.endsWith(' ') ? 'an empty' : 'no'} reason phrase (several)`,
      on: {
        DESCRIBE: says([line, 'CSeq: {cseq}', 'Content-Base: {url}/'], healthySdp),
        SETUP: says([line, 'CSeq: {cseq}', 'Session: 1', `Transport: ${transport}`]),
        PLAY(request, connection) {
          says([line, 'CSeq: {cseq}'])(request, connection);
          connection.startMedia(0);
        },
      },
    }),
  ),
  {
    row: 19,
    what: 'line ends before messages and before $ (several)',
    on: Object.fromEntries(
      ['DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
        method,
        (request, connection) => {
          connection.send('\r\n\r\n');
          answers(request, connection);
          if (method !== 'PLAY') return;
          connection.stopMedia();
          for (let frame = 0; frame < 5; frame++) {
            connection.send('\r\n');
            sendPackets(connection, connection.nextFrame());
          }
        },
      ]),
    ),
    frames: { video: 5 },
    // Nothing that was skipped is taken for junk.
    check: ({ receiver }) => assert.equal(receiver.session.stats.resyncs, 0),
  },
  {
    row: 20,
    what: '401 unless a User-Agent is sent, 400 for more than six headers (several)',
    on: Object.fromEntries(
      ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
        method,
        (request, connection) => {
          if (!request.headers.has('User-Agent')) refuses('401 Unauthorized')(request, connection);
          else if ([...request.headers].length > 6) refuses('400 Bad Request')(request, connection);
          else answers(request, connection);
        },
      ]),
    ),
  },
  ...(
    [
      ['60 at SETUP, 120 at PLAY (GW)', '1234;timeout=60', '1234;timeout=120', 120_000],
      ['15 (TP-Link)', '1234;timeout=15', '1234', 15_000],
      ['none', '1234', '1234', 60_000],
      ['blanks around it (TP-Link)', '1234', '1234 ; timeout = 30 ', 30_000],
    ] as const
  ).map(
    ([what, atSetup, atPlay, timeoutMs]): Quirk => ({
      row: 21,
      what: `the session’s time-out: ${what}`,
      on: {
        SETUP: setsUp(transport, atSetup),
        PLAY(request, connection) {
          says([...ok, `Session: ${atPlay}`])(request, connection);
          connection.startMedia(0);
        },
      },
      async check(played) {
        assert.equal(played.receiver.session.timeoutMs, timeoutMs);
        await played.clock.advance(timeoutMs / 2 - 1);
        assert.equal(played.requests('GET_PARAMETER').length, 0);
        await played.clock.advance(1);
        await untilAsked(played, 'GET_PARAMETER');
        assert.equal(played.requests('GET_PARAMETER')[0]?.headers.get('Session'), '1234');
      },
    }),
  ),
  {
    row: 22,
    what: 'the session id changes between SETUPs (H264DVR)',
    sdp: twoMedia,
    on: {
      SETUP: inTurn(setsUp(transport, '231970'), setsUp('RTP/AVP/TCP;unicast;interleaved=2-3', '231980')),
      PLAY(request, connection) {
        says([...ok, 'Session: 231990'])(request, connection);
        connection.startMedia(0);
      },
    },
    async check(played) {
      const { requests, receiver } = played;
      await receiver.pause();
      assert.deepEqual(
        [...requests('SETUP'), ...requests('PLAY'), ...requests('PAUSE')].map(({ headers }) => headers.get('Session')),
        [null, '231970', '231970', '231970'],
      );
    },
  },
  {
    row: 23,
    what: 'WWW-Authenticate on a 200 (Rubetek)',
    credentials,
    on: { DESCRIBE: describes(['WWW-Authenticate: Basic realm="x"', 'Content-Base: {url}/']) },
    check({ requests }) {
      assert.deepEqual([requests('DESCRIBE').length, requests('SETUP').length], [1, 1]);
      assert.equal(requests('SETUP')[0]?.headers.has('Authorization'), false);
    },
  },
  // The packets have 0x12345678.
  ...['ssrc= 1234ABCD', 'ssrc=0x12345678', 'ssrc=305419896', 'ssrc=1A2B', 'ssrc=0', 'ssrc=none'].map(
    (ssrc): Quirk => ({
      row: 24,
      what: `${ssrc} (several)`,
      on: { SETUP: setsUp(`${transport};${ssrc};mode="PLAY"`), PLAY: plays() },
      check: ({ frames }) => assert.equal(frames[0]?.unit.isKeyFrame, true),
    }),
  ),
  {
    row: 25,
    what: 'channels 4-5 are answered where 2-3 were asked for (several)',
    sdp: healthySdp.replace('m=video', 'm=application 0 RTP/AVP 107\r\na=control:trackID=9\r\nm=video'),
    on: { SETUP: setsUp('RTP/AVP/TCP;unicast;interleaved=4-5'), PLAY: plays([], 4) },
    async check(played) {
      assert.match(played.requests('SETUP')[0]?.headers.get('Transport') ?? '', /interleaved=2-3/);
      await played.clock.advance(6_000);
      await played.until('a receiver report', () => played.connection.frames.length > 0);
      assert.equal(played.connection.frames[0]?.channel, 5);
    },
  },
  ...['RTP/AVP/TCP;unicast;interleaved=0', 'RTP/AVP;unicast;interleaved=0-1', 'RTP/AVP;unicast;interleaved=0'].map(
    (answer): Quirk => ({ row: 26, what: `${answer} (Escam Q6)`, on: { SETUP: setsUp(answer), PLAY: plays() } }),
  ),
  {
    row: 26,
    what: 'another channel alone (Escam Q6)',
    on: { SETUP: setsUp('RTP/AVP;unicast;interleaved=4'), PLAY: plays([], 4) },
    async check(played) {
      await played.clock.advance(6_000);
      await played.until('a receiver report', () => played.connection.frames.length > 0);
      assert.equal(played.connection.frames[0]?.channel, 5);
    },
  },
  ...(
    [
      ['461 (VLC)', refuses('461 Unsupported transport'), /cannot send media over TCP/],
      ['400 (several)', refuses('400 Bad Request'), /refuses to send media over TCP/],
      ['UDP all the same', setsUp('RTP/AVP;unicast;client_port=0-1;server_port=5000-5001'), /TCP|UDP/],
    ] as const
  ).map(
    ([what, answer, sentence]): Quirk => ({
      row: 27,
      what: `TCP is refused: ${what}`,
      on: { SETUP: answer },
      fails: { code: 'transport-unsupported', sentence },
      check: ({ failure }) => assert.equal(failure?.retry, 'never'),
    }),
  ),
  {
    row: 28,
    what: 'DESCRIBE is needed on each connection (Hikvision)',
    on: {
      SETUP(request, connection) {
        const hasDescribed = connection.requests.some(({ method }) => method === 'DESCRIBE');
        if (hasDescribed) answers(request, connection);
        else refuses('454 Session Not Found')(request, connection);
      },
    },
    async check(played) {
      played.connection.end();
      await played.until('the end', () => played.failure !== null);
      const client = await played.playAgain();
      assert.equal(client.failure, null);
      await played.until('three frames', () => client.frameCount() >= 3);
      assert.equal(played.requests('SETUP').length, 2);
    },
  },
  ...(
    [
      ['', 'npt=0.000-'],
      ['a=range:npt=0-596.48\r\n', 'npt=0.000-'],
      ['a=range:npt=now-\r\n', 'npt=now-'],
    ] as const
  ).map(
    ([line, range]): Quirk => ({
      row: 29,
      what: `PLAY without a Range or with a mode is refused: ${line.trim() || 'no range described'} (Parrot)`,
      sdp: healthySdp.replace('m=video', `${line}m=video`),
      on: {
        PLAY(request, connection) {
          const { headers } = request;
          const isWell = headers.get('Range') === range && ![...headers].some(([, value]) => value.includes('mode='));
          if (isWell) answers(request, connection);
          else refuses('400 Bad Request')(request, connection);
        },
        SETUP(request, connection) {
          if (request.headers.get('Transport')?.includes('mode=')) refuses('400 Bad Request')(request, connection);
          else answers(request, connection);
        },
      },
      check: ({ requests }) => assert.equal(requests('PLAY').length, 1),
    }),
  ),
  {
    // Nobody speaks to a camera here: what a page would have to send is not set up, and not asked for.
    row: 30,
    what: 'SETUP of a second backchannel fails (Dahua, Amcrest)',
    sdp: `${healthySdp}${soundSdp}m=audio 0 RTP/AVP 0\r\na=sendonly\r\na=control:trackID=2\r\n`,
    on: {
      SETUP(request, connection) {
        if (request.url.endsWith('trackID=2')) connection.end();
        else answers(request, connection);
      },
      PLAY: plays(),
    },
    check({ paths, requests }) {
      assert.deepEqual(paths('SETUP'), ['/stream1/trackID=0', '/stream1/trackID=1']);
      assert.ok(requests('DESCRIBE').every(({ headers }) => !headers.has('Require')));
    },
  },
  {
    // A viewer of recordings asks for them with Range alone.
    row: 31,
    what: '551 for Require: onvif-replay (gst-rtsp-server)',
    sdp: healthySdp.replace('m=video', 'a=range:npt=0-60\r\nm=video'),
    on: Object.fromEntries(
      ['DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
        method,
        (request, connection) => {
          if (request.headers.has('Require')) refuses('551 Option not supported')(request, connection);
          else answers(request, connection);
        },
      ]),
    ),
  },
  {
    row: 48,
    what: 'a GET_PARAMETER that is not advertised keeps alive (EvoStream)',
    on: {
      OPTIONS: says([...ok, 'Public: DESCRIBE, OPTIONS, PAUSE, PLAY, SETUP, TEARDOWN']),
      GET_PARAMETER: answers,
    },
    async check(played) {
      await passHalfTimeouts(played);
      await untilAsked(played, 'GET_PARAMETER');
    },
  },
  {
    row: 48,
    what: 'OPTIONS keeps alive, GET_PARAMETER is not known (Hipcam)',
    on: { GET_PARAMETER: refuses('501 Not Implemented') },
    async check(played) {
      const before = played.requests('OPTIONS').length;
      await passHalfTimeouts(played);
      await untilAsked(played, 'GET_PARAMETER');
      await passHalfTimeouts(played);
      await untilAsked(played, 'OPTIONS', before + 1);
      await passHalfTimeouts(played);
      await untilAsked(played, 'OPTIONS', before + 2);
      assert.equal(played.requests('GET_PARAMETER').length, 1);
    },
  },
  {
    row: 48,
    what: 'every keep-alive is refused, with 400 to an advertised SET_PARAMETER (TP-Link)',
    on: {
      OPTIONS: inTurn(
        says([...ok, 'Public: OPTIONS, DESCRIBE, SETUP, PLAY, SET_PARAMETER']),
        refuses('400 Bad Request'),
      ),
      GET_PARAMETER: refuses('400 Bad Request'),
      SET_PARAMETER: refuses('400 Bad Request'),
    },
    async check(played) {
      for (const count of [1, 2, 3, 4]) {
        const before = played.connection.requests.length;
        await passHalfTimeouts(played);
        await played.until(`keep-alive ${count}`, () => played.connection.requests.length > before);
        await played.moreFrames(3);
      }
    },
  },
  {
    row: 49,
    what: 'a keep-alive is not answered, and has to name the base (several)',
    on: { DESCRIBE: describes(['Content-Base: rtsp://{host}/base/']), GET_PARAMETER: () => {} },
    async check(played) {
      await passHalfTimeouts(played);
      await untilAsked(played, 'GET_PARAMETER');
      assert.deepEqual(played.paths('GET_PARAMETER'), ['/base/']);
      const before = played.requests('OPTIONS').length;
      await passHalfTimeouts(played);
      await untilAsked(played, 'OPTIONS', before + 1);
      assert.equal(played.paths('OPTIONS').at(-1), '/base/');
      // And another request gets its own answer.
      await played.receiver.pause();
    },
  },
  changedNonce(),
  {
    row: 51,
    what: 'a session dies unless something comes every 5 s (some)',
    async check(played) {
      for (const count of [1, 2, 3]) {
        await played.clock.advance(5_000);
        await played.until(`receiver report ${count}`, () => played.connection.frames.length >= count);
        await played.moreFrames(1);
      }
      for (const { channel, payload } of played.connection.frames) {
        assert.deepEqual([channel, payload[1]], [1, 201]);
      }
    },
  },
  {
    row: 52,
    what: 'the camera asks: OPTIONS, GET_PARAMETER, SET_PARAMETER, ANNOUNCE, and what nobody knows',
    async check(played) {
      const { connection } = played;
      for (const [index, method] of ['OPTIONS', 'GET_PARAMETER', 'SET_PARAMETER', 'ANNOUNCE', 'FROBNICATE'].entries()) {
        connection.send(`${method} rtsp://client/ RTSP/1.0\r\nCSeq: ${900 + index}\r\nSession: 12345678\r\n\r\n`);
      }
      await played.until('five answers', () => connection.responses.length === 5);
      assert.deepEqual(
        connection.responses.map(({ status, headers }) => [headers.get('CSeq'), status]),
        [
          ['900', 200],
          ['901', 200],
          ['902', 200],
          ['903', 200],
          ['904', 501],
        ],
      );
      await played.moreFrames(3);
    },
  },
  {
    row: 52,
    what: 'the camera asks to go elsewhere (REDIRECT)',
    async check(played) {
      const { connection } = played;
      connection.send('REDIRECT rtsp://client/ RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://127.0.0.1:8554/live\r\n\r\n');
      await played.until('the end', () => played.failure !== null);
      assert.equal(played.failure?.code, played.way === 'raw' ? 'redirected' : 'camera-refused');
      await played.until('the answer', () => connection.responses[0]?.status === 200);
    },
  },
  {
    row: 53,
    what: '551 for an advertised PAUSE (Hikvision DS-2CD2732F)',
    on: { PAUSE: refuses('551 Option not supported') },
    async check(played) {
      const { session } = played.receiver;
      await session.options();
      assert.equal(session.supports('PAUSE'), true);
      await assert.rejects(played.receiver.pause(), { code: 'request-failed', message: /cannot do this \(PAUSE: 551/ });
      assert.equal(session.supports('PAUSE'), false);
      await played.moreFrames(3);
    },
  },
  ...(
    [
      ['Digest and Basic together', ['Basic realm="cam"', 'Digest realm="cam", nonce="{nonce}"'], {}],
      ['both in one header', ['Basic realm="cam", Digest realm="cam", nonce="{nonce}"'], {}],
      ['stale="FALSE"', ['Digest realm="cam", nonce="{nonce}", stale="FALSE"'], {}],
      ['a realm without quotes', ['Digest realm=cam, nonce={nonce}'], {}],
      [
        'SHA-256 alone',
        ['Digest realm="cam", nonce="{nonce}", algorithm=SHA-256, qop="auth"'],
        { algorithm: 'sha256' },
      ],
      ['no qop', ['Digest realm="cam", nonce="{nonce}", algorithm=MD5'], {}],
      ['qop and opaque', ['Digest realm="cam", nonce="{nonce}", qop="auth,auth-int", opaque="5ccc"'], {}],
    ] as const
  ).map(
    ([what, challenges, digest]): Quirk => ({
      row: 55,
      what: `challenges: ${what}`,
      credentials,
      on: Object.fromEntries(
        ['DESCRIBE', 'SETUP', 'PLAY'].map((method) => [
          method,
          guarded(answers, challenges, { nonce: 'n1', ...digest }),
        ]),
      ),
      // One question more for all of them together.
      check({ requests }) {
        assert.deepEqual([requests('DESCRIBE').length, requests('SETUP').length], [2, 1]);
        if (what.includes('opaque')) assert.match(requests('PLAY')[0]?.headers.get('Authorization') ?? '', /"5ccc"/);
      },
    }),
  ),
  {
    row: 55,
    what: 'challenges: wrong credentials are not tried again',
    credentials: { ...credentials, password: 'wrong' },
    on: { DESCRIBE: guarded(answers, ['Digest realm="cam", nonce="{nonce}"'], { nonce: 'n1' }) },
    fails: {
      raw: { code: 'unauthorized', sentence: /rejects the user name or the password/ },
      'named camera': { code: 'camera-rejects-credentials', sentence: /credentials/ },
    },
    check: ({ requests }) => assert.equal(requests('DESCRIBE').length, 2),
  },
]);

/** Its nonce changes while it plays. */
function changedNonce(): Quirk {
  let nonce = 'n1';
  const guard = (answer: typeof answers) =>
    guarded(answer, ['Digest realm="cam", nonce="{nonce}"'], { nonce: () => nonce });
  return {
    row: 50,
    what: 'another nonce on a keep-alive after 150 s (Axis M5525)',
    credentials,
    on: Object.fromEntries(
      ['DESCRIBE', 'SETUP', 'PLAY', 'GET_PARAMETER', 'PAUSE'].map((method) => [method, guard(answers)]),
    ),
    async check(played) {
      for (const count of [1, 2, 3, 4]) {
        await passHalfTimeouts(played);
        await untilAsked(played, 'GET_PARAMETER', count);
      }
      nonce = played.way;
      await passHalfTimeouts(played);
      // The one that is challenged, and the one that answers.
      await untilAsked(played, 'GET_PARAMETER', 6);
      await played.receiver.pause();
      assert.equal(played.requests('PAUSE').length, 1);
    },
  };
}
