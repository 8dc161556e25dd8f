import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RedirectError } from '../../../client/rtsp/redirect.js';
import { MAX_EARLY_PACKETS } from '../../../shared/limits.js';
import { serializeReceiverReport } from '../../../shared/rtcp-writer.js';
import { RtspHeaders, type RtspRequest, serializeInterleaved } from '../../../shared/rtsp-message.js';
import type { ScriptedConnection } from '../../support/scripted-camera.js';
import { advanceTo, openSession, rejectsWith, rtpFrame, type SessionEvent, sendText } from './session-fixture.js';

/** What cameras do that the standard does not, in their own words, over a socket. */

type Handler = (request: RtspRequest, connection: ScriptedConnection) => void;

const sdp = ['v=0', 's=-', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=control:track1', ''].join('\r\n');
const twoMedia = `${sdp}${['m=audio 0 RTP/AVP 8', 'a=control:track2', ''].join('\r\n')}`;

/** A handler that answers with these lines, the session's header included where it is written. */
function text(lines: readonly string[], body = ''): Handler {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  return (request, connection) => sendText(connection, request, [...lines, ...length], body);
}

const ok = ['RTSP/1.0 200 OK', 'CSeq: {cseq}'];
const describeReply = text([...ok, 'Content-Type: application/sdp'], sdp);
const setupReply = text([...ok, 'Session: 1234', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1']);
const playReply = text([...ok, 'Session: 1234']);

/** Answers with one handler after the other, the last one from then on. */
function inTurn(...handlers: Handler[]): Handler {
  let count = 0;
  return (request, connection) => {
    const handler = handlers[Math.min(count++, handlers.length - 1)];
    handler?.(request, connection);
  };
}

function payloads(events: readonly SessionEvent[]): (number | undefined)[] {
  return events.flatMap((event) => (event.event === 'rtp' ? [event.bytes.at(-1)] : []));
}

// 12 to 20: the texts of messages.

test('Longse, Hikvision, H264DVR: `Cseq`, `cseq`, trailing blanks, `Session:    1234`', async (t) => {
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: text(['RTSP/1.0 200 OK', 'Cseq: {cseq}  ', 'content-type:application/sdp'], sdp),
      SETUP: text(['RTSP/1.0 200 OK', 'cseq:{cseq}', 'SESSION:    1234  ', 'transport: RTP/AVP/TCP;interleaved=0-1 ']),
      PLAY: text(['RTSP/1.0 200 OK', 'CSEQ : {cseq}', 'Session: 1234']),
    },
  });
  await advanceTo(session, 'playing');
  const play = await camera.waitForRequest('PLAY');
  assert.equal(play.headers.get('Session'), '1234');
});

test('VLC, TP-Link C520WS: an error without CSeq, and the CSeq of the request before', async (t) => {
  const { session } = await openSession(t, {
    on: {
      DESCRIBE: inTurn(text(['RTSP/1.0 404 Not Found']), describeReply),
      SETUP: (request, connection) => {
        const before = Number(request.headers.get('CSeq')) - 1;
        setupReply({ ...request, headers: new RtspHeaders([['CSeq', String(before)]]) }, connection);
      },
      PLAY: text(['RTSP/1.0 200 OK', 'CSeq: 77', 'Session: 1234']),
    },
  });
  await session.connect();
  await rejectsWith(session.describe(), 'not-found');
  const { media } = await session.describe();
  await session.setup(media[0] as (typeof media)[0]);
  await session.play();
  assert.equal(session.state, 'playing');
});

test('several: the request’s header is spelled `CSeq`, counts up, and there are few headers with a User-Agent', async (t) => {
  const { session, camera } = await openSession(t, {}, { userAgent: 'test/1' });
  await advanceTo(session, 'playing');
  const requests = camera.connections[0]?.requests ?? [];
  const seen = requests.map(({ method, headers }) => [
    method,
    ...[...headers].map(([name, value]) => `${name}: ${value}`),
  ]);
  assert.deepEqual(seen, [
    ['DESCRIBE', 'CSeq: 1', 'Accept: application/sdp', 'User-Agent: test/1'],
    ['SETUP', 'CSeq: 2', 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1', 'User-Agent: test/1'],
    ['PLAY', 'CSeq: 3', 'Session: 12345678', 'Range: npt=0.000-', 'User-Agent: test/1'],
  ]);
});

test('some recorders: a folded WWW-Authenticate', async (t) => {
  const { session, camera } = await openSession(
    t,
    {
      on: {
        DESCRIBE: inTurn(
          text(['RTSP/1.0 401 Unauthorized', 'CSeq: {cseq}', 'WWW-Authenticate: Digest realm="NVR",', '  nonce="abc"']),
          describeReply,
        ),
      },
    },
    { credentials: { username: 'admin', password: 'secret' } },
  );
  await session.connect();
  await session.describe();
  const request = await camera.waitForRequest('DESCRIBE', 2);
  assert.match(request.headers.get('Authorization') ?? '', /^Digest .*nonce="abc"/);
});

test('several: Content-Type absent, or with a charset; LF-only lines; no reason phrase; a stray line end', async (t) => {
  const { session } = await openSession(t, {
    on: {
      DESCRIBE: (request, connection) => {
        const cseq = request.headers.get('CSeq');
        connection.send(`\r\nRTSP/1.0 200\nCSeq: ${cseq}\nContent-Length: ${sdp.length - 2}\n\n${sdp.slice(0, -2)}`);
      },
      SETUP: (request, connection) => {
        const cseq = request.headers.get('CSeq');
        connection.send(
          `\r\n\r\nRTSP/1.0 200 \r\nCSeq: ${cseq}\r\nSession: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n`,
        );
      },
    },
  });
  await advanceTo(session, 'ready');
});

// 21 to 26: SETUP.

test('GW, TP-Link: the time-out is re-read from every reply', async (t) => {
  const { session } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: text([...ok, 'Session: 1234; timeout=60', 'Transport: RTP/AVP/TCP;interleaved=0-1']),
      PLAY: text([...ok, 'Session: 1234;timeout=120']),
      GET_PARAMETER: text([...ok, 'Session: 1234;timeout = 15']),
      PAUSE: text([...ok, 'Session: 1234']),
    },
  });
  await advanceTo(session, 'ready');
  assert.equal(session.timeoutMs, 60_000);
  await session.play();
  assert.equal(session.timeoutMs, 120_000);
  await session.getParameter();
  assert.equal(session.timeoutMs, 15_000);
  await session.pause();
  assert.equal(session.timeoutMs, 15_000);
});

test('H264DVR: the session’s id changes between SETUPs, the first one is kept', async (t) => {
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: text(ok, twoMedia),
      SETUP: inTurn(
        text([...ok, 'Session: 231970', 'Transport: RTP/AVP/TCP;interleaved=0-1']),
        text([...ok, 'Session: 231980', 'Transport: RTP/AVP/TCP;interleaved=2-3']),
      ),
      PLAY: text([...ok, 'Session: 231990']),
      PAUSE: text(ok),
    },
  });
  await advanceTo(session, 'playing');
  await session.pause();
  const sent = (camera.connections[0]?.requests ?? []).map(({ method, headers }) => [method, headers.get('Session')]);
  assert.deepEqual(sent, [
    ['DESCRIBE', null],
    ['SETUP', null],
    ['SETUP', '231970'],
    ['PLAY', '231970'],
    ['PAUSE', '231970'],
  ]);
});

test('Rubetek: WWW-Authenticate on a 200 is ignored', async (t) => {
  const { session, methods } = await openSession(
    t,
    { on: { DESCRIBE: text([...ok, 'WWW-Authenticate: Basic realm="x"'], sdp), SETUP: setupReply, PLAY: playReply } },
    { credentials: { username: 'a', password: 'b' } },
  );
  await advanceTo(session, 'playing');
  assert.deepEqual(methods(), ['DESCRIBE', 'SETUP', 'PLAY']);
});

test('several: channels 4-5 are answered where others were asked for, and are obeyed, for RTCP too', async (t) => {
  const { session, camera, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: text([...ok, 'Session: 1', 'Transport: RTP/AVP/TCP;unicast;interleaved=4-5;ssrc= 0x12']),
      PLAY: (request, connection) => {
        playReply(request, connection);
        connection.send(rtpFrame(4, 1));
        connection.send(rtpFrame(0, 2));
        connection.send(rtpFrame(4, 3));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).length === 2);
  assert.deepEqual(payloads(events), [1, 3]);
  assert.equal(session.stats.strayPackets, 1);
  const [connection] = camera.connections;
  const received = new Promise<Buffer>((resolve) => connection?.socket.once('data', resolve));
  session.sendRtcp(0, serializeReceiverReport({ ssrc: 1 }));
  assert.equal((await received).subarray(0, 4).toString('hex'), '24050008');
});

test('Escam Q6: `interleaved=0` alone, and `RTP/AVP` without `/TCP`', async (t) => {
  const { session } = await openSession(t, {
    on: { DESCRIBE: describeReply, SETUP: text([...ok, 'Session: 1', 'Transport: RTP/AVP;unicast;interleaved=0']) },
  });
  await advanceTo(session, 'ready');
});

test('several: a SETUP reply without a Transport header', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: text([...ok, 'Session: 1']),
      PLAY: (request, connection) => {
        playReply(request, connection);
        connection.send(rtpFrame(0, 1));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).length === 1);
  assert.equal(events.at(-1)?.event, 'rtp');
});

test('VLC and others: TCP refused by 461 or 400, or answered with UDP, is an error that says so', async (t) => {
  const udp = text([...ok, 'Session: 1', 'Transport: RTP/AVP;unicast;client_port=0-1;server_port=5000-5001']);
  const refusals: [Handler, RegExp][] = [
    [text(['RTSP/1.0 461 Unsupported transport', 'CSeq: {cseq}']), /cannot send media over TCP.*461/],
    [text(['RTSP/1.0 400 Bad Request', 'CSeq: {cseq}']), /refuses to send media over TCP.*400/],
    [udp, /over UDP/],
  ];
  for (const [reply, pattern] of refusals) {
    const { session } = await openSession(t, { on: { DESCRIBE: describeReply, SETUP: reply } });
    await session.connect();
    const { media } = await session.describe();
    const error = await rejectsWith(session.setup(media[0] as (typeof media)[0]), 'transport-unsupported', pattern);
    assert.equal(error.retry, 'never');
    assert.equal(session.state, 'init');
  }
});

test('a second medium on the first one’s channel is refused, and the first one plays', async (t) => {
  const { session } = await openSession(t, {
    on: { DESCRIBE: text(ok, twoMedia), SETUP: setupReply, PLAY: playReply },
  });
  await session.connect();
  const { media } = await session.describe();
  await session.setup(media[0] as (typeof media)[0]);
  await rejectsWith(session.setup(media[1] as (typeof media)[0]), 'request-failed', /two media on channel 0/);
  await session.play();
  assert.equal(session.state, 'playing');
});

test('Dahua, Axis: a control URL that is refused in one form is tried in the other, once, and that form is kept', async (t) => {
  const setups: string[] = [];
  const { session, camera } = await openSession(
    t,
    {
      on: {
        DESCRIBE: text(ok, twoMedia),
        SETUP: (request, connection) => {
          setups.push(new URL(request.url).pathname + new URL(request.url).search);
          const channel = setups.length === 2 ? 0 : 2;
          if (request.url.includes('?')) sendText(connection, request, ['RTSP/1.0 451 Nope', 'CSeq: {cseq}']);
          else
            sendText(connection, request, [
              ...ok,
              'Session: 1',
              `Transport: RTP/AVP/TCP;interleaved=${channel}-${channel + 1}`,
            ]);
        },
      },
    },
    { path: '/cam/realmonitor?channel=1' },
  );
  await advanceTo(session, 'ready');
  assert.deepEqual(setups, ['/cam/realmonitor?channel=1/track1', '/cam/track1', '/cam/track2']);
  assert.equal(camera.connections.length, 1);
});

test('an absolute session-level control comes before Content-Base, on the host that was asked', async (t) => {
  const described = sdp.replace('m=video', 'a=control:rtsp://192.168.1.2:8554/inner/\r\nm=video');
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: text([...ok, 'Content-Base: rtsp://192.168.1.2/base/'], described),
      SETUP: setupReply,
      PLAY: playReply,
    },
  });
  await advanceTo(session, 'playing');
  assert.equal((await camera.waitForRequest('SETUP')).url, camera.url('/inner/track1'));
  assert.equal((await camera.waitForRequest('PLAY')).url, camera.url('/inner/'));
});

test('both forms refused: the error of the last one, after two tries', async (t) => {
  const { session, methods } = await openSession(
    t,
    { on: { DESCRIBE: describeReply, SETUP: text(['RTSP/1.0 404 Not Found', 'CSeq: {cseq}']) } },
    { path: '/a?b' },
  );
  await session.connect();
  const { media } = await session.describe();
  await rejectsWith(session.setup(media[0] as (typeof media)[0]), 'not-found', /SETUP: 404/);
  assert.deepEqual(methods(), ['DESCRIBE', 'SETUP', 'SETUP']);
});

// 28 and 29, 41 to 43: PLAY.

test('Parrot: PLAY has a Range, as the session description says; none is sent to resume', async (t) => {
  const ranges: [string, string][] = [
    ['', 'npt=0.000-'],
    ['a=range:npt=0-596.48\r\n', 'npt=0.000-'],
    ['a=range:npt=now-\r\n', 'npt=now-'],
    ['a=range:npt = now- \r\n', 'npt=now-'],
    ['a=range:clock=20240101T000000Z-\r\n', 'npt=0.000-'],
  ];
  for (const [line, expected] of ranges) {
    const described = sdp.replace('m=video', `${line}m=video`);
    const { session, camera } = await openSession(t, {
      on: { DESCRIBE: text(ok, described), SETUP: setupReply, PLAY: playReply },
    });
    await advanceTo(session, 'playing');
    await session.pause();
    await session.play();
    const sent = (camera.connections[0]?.requests ?? []).filter(({ method }) => method === 'PLAY');
    assert.deepEqual(
      sent.map(({ headers }) => headers.get('Range')),
      [expected, null],
      line,
    );
  }
});

test('a Range that nobody asked for and the server refuses (457) is left out', async (t) => {
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: inTurn(
        text(['RTSP/1.0 457 Invalid Range', 'CSeq: {cseq}']),
        playReply,
        text(['RTSP/1.0 457 Invalid Range', 'CSeq: {cseq}']),
      ),
    },
  });
  await advanceTo(session, 'playing');
  assert.equal((await camera.waitForRequest('PLAY', 2)).headers.get('Range'), null);
  // One that was asked for is not.
  await rejectsWith(session.play({ range: 'npt=9999-' }), 'request-failed', /457/);
  assert.equal(session.state, 'playing');
});

test('PTZOptics: PLAY with a trailing slash answers 405, without it 200', async (t) => {
  const plays: string[] = [];
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: (request, connection) => text([...ok, `Content-Base: ${request.url}/`], sdp)(request, connection),
      SETUP: setupReply,
      PLAY: (request, connection) => {
        plays.push(new URL(request.url).pathname);
        if (request.url.endsWith('/'))
          sendText(connection, request, ['RTSP/1.0 405 Method Not Allowed', 'CSeq: {cseq}']);
        else playReply(request, connection);
      },
      PAUSE: text(ok),
    },
  });
  await advanceTo(session, 'playing');
  assert.deepEqual(plays, ['/stream1/', '/stream1']);
  // What was accepted is kept, for every request about the session.
  await session.pause();
  assert.equal((await camera.waitForRequest('PAUSE')).url, camera.url());
  assert.equal(session.supports('PLAY'), null);
});

test('TP-Link, VStarcam: no session-level control and no Content-Base; the aggregate URL is the request’s', async (t) => {
  const { session, camera } = await openSession(t, {
    on: { DESCRIBE: describeReply, SETUP: setupReply, PLAY: playReply },
  });
  await advanceTo(session, 'playing');
  assert.equal((await camera.waitForRequest('SETUP')).url, `${camera.url()}/track1`);
  assert.equal((await camera.waitForRequest('PLAY')).url, camera.url());
});

test('no aggregate control (459): each medium is played and paused by itself', async (t) => {
  const { session, camera, events } = await openSession(t, {
    on: {
      DESCRIBE: text(ok, twoMedia),
      SETUP: inTurn(
        text([...ok, 'Session: 1', 'Transport: RTP/AVP/TCP;interleaved=0-1']),
        text([...ok, 'Session: 1', 'Transport: RTP/AVP/TCP;interleaved=2-3']),
      ),
      PLAY: (request, connection) => {
        const track = /track(\d)$/.exec(request.url)?.[1];
        if (track === undefined) sendText(connection, request, ['RTSP/1.0 459 Aggregate not allowed', 'CSeq: {cseq}']);
        else sendText(connection, request, [...ok, `RTP-Info: url=x;seq=${track};rtptime=10`]);
        connection.send(rtpFrame(track === '2' ? 2 : 0, 100));
      },
      PAUSE: text(ok),
    },
  });
  await advanceTo(session, 'playing');
  const plays = events.flatMap((event) => (event.event === 'play' ? [event.result.rtpInfo] : []));
  assert.deepEqual(plays, [
    [
      { mediaIndex: 0, sequenceNumber: 1, rtpTimestamp: 10 },
      { mediaIndex: 1, sequenceNumber: 2, rtpTimestamp: 10 },
    ],
  ]);
  assert.equal(events[0]?.event, 'play');
  await session.pause();
  await session.play();
  const urls = (camera.connections[0]?.requests ?? [])
    .slice(3)
    .map(({ method, url }) => `${method} ${new URL(url).pathname}`);
  assert.deepEqual(urls, [
    'PLAY /stream1',
    'PLAY /stream1/track1',
    'PLAY /stream1/track2',
    'PAUSE /stream1/track1',
    'PAUSE /stream1/track2',
    'PLAY /stream1/track1',
    'PLAY /stream1/track2',
  ]);
});

test('one medium that PLAY is refused for does not end the other', async (t) => {
  const { session } = await openSession(t, {
    on: {
      DESCRIBE: text(ok, twoMedia),
      SETUP: inTurn(setupReply, text([...ok, 'Transport: RTP/AVP/TCP;interleaved=2-3'])),
      PLAY: (request, connection) => {
        if (request.url.endsWith('track1')) playReply(request, connection);
        else sendText(connection, request, ['RTSP/1.0 459 No', 'CSeq: {cseq}']);
      },
    },
  });
  await advanceTo(session, 'playing');
});

test('PLAY refused in every way is the error of the first', async (t) => {
  const { session, methods } = await openSession(t, {
    on: { DESCRIBE: describeReply, SETUP: setupReply, PLAY: text(['RTSP/1.0 404 Not Found', 'CSeq: {cseq}']) },
  });
  await advanceTo(session, 'ready');
  await rejectsWith(session.play(), 'not-found');
  assert.deepEqual(methods(), ['DESCRIBE', 'SETUP', 'PLAY', 'PLAY']);
});

test('a seek names its Range and Scale, and the server’s answer counts', async (t) => {
  const { session, camera } = await openSession(t, {
    on: { DESCRIBE: describeReply, SETUP: setupReply, PLAY: text([...ok, 'Range: npt=9.98-', 'Scale: 1']) },
  });
  await advanceTo(session, 'playing');
  const result = await session.play({ range: 'npt=10-', headers: [['Scale', '2.0']] });
  const { headers } = await camera.waitForRequest('PLAY', 2);
  assert.deepEqual([headers.get('Range'), headers.get('Scale')], ['npt=10-', '2.0']);
  assert.deepEqual(result, { range: { unit: 'npt', start: 9.98, end: null }, scale: 1, rtpInfo: [] });
});

// 32 to 35, 40: packets.

test('live555, Reolink, v4l2rtspserver: packets before the PLAY reply are held, and come behind onPlay', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: (request, connection) => {
        setupReply(request, connection);
        connection.send(rtpFrame(0, 1));
      },
      PLAY: (request, connection) => {
        connection.send(rtpFrame(0, 2));
        connection.send(serializeInterleaved(1, serializeReceiverReport({ ssrc: 1 })));
        sendText(connection, request, [...ok, 'RTP-Info: url=x;seq=2;rtptime=0']);
        connection.send(rtpFrame(0, 3));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).length === 3);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['play', 'rtp', 'rtp', 'rtcp', 'rtp'],
  );
  assert.deepEqual(payloads(events), [1, 2, 3]);
});

test('more packets before the PLAY reply than may be held are dropped and counted', async (t) => {
  const { session, events } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: (request, connection) => {
        const count = MAX_EARLY_PACKETS + 10;
        connection.send(Buffer.concat(Array.from({ length: count }, (_, index) => rtpFrame(0, index))));
        playReply(request, connection);
      },
    },
  });
  await advanceTo(session, 'playing');
  assert.equal(payloads(events).length, MAX_EARLY_PACKETS);
  assert.equal(session.stats.droppedPackets, 10);
});

test('what is still on the way when PAUSE was accepted is dropped, and not played later', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: inTurn(
        (request, connection) => {
          playReply(request, connection);
          connection.send(rtpFrame(0, 1));
        },
        (request, connection) => {
          connection.send(rtpFrame(0, 4));
          playReply(request, connection);
        },
      ),
      PAUSE: (request, connection) => {
        connection.send(rtpFrame(0, 2));
        sendText(connection, request, ok);
        connection.send(rtpFrame(0, 3));
      },
      OPTIONS: text(ok),
    },
  });
  await advanceTo(session, 'playing');
  await session.pause();
  await session.options();
  await session.play();
  await until((all) => payloads(all).length === 3);
  assert.deepEqual(payloads(events), [1, 2, 4]);
});

test('a PLAY that is refused while paused leaves nothing behind for the next one', async (t) => {
  const { session, events } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: inTurn(
        playReply,
        (request, connection) => {
          connection.send(rtpFrame(0, 1));
          sendText(connection, request, ['RTSP/1.0 500 No', 'CSeq: {cseq}']);
        },
        playReply,
      ),
      PAUSE: text(ok),
    },
  });
  await advanceTo(session, 'playing');
  await session.pause();
  await rejectsWith(session.play(), 'server-error');
  await session.play();
  assert.deepEqual(payloads(events), []);
});

test('PLAY that is accepted while TEARDOWN is under way starts nothing', async (t) => {
  const { session, camera, events } = await openSession(t, {
    on: { DESCRIBE: describeReply, SETUP: setupReply, PLAY: () => {}, TEARDOWN: () => {} },
  });
  await advanceTo(session, 'ready');
  const play = session.play();
  const playRequest = await camera.waitForRequest('PLAY');
  const teardown = session.teardown();
  const teardownRequest = await camera.waitForRequest('TEARDOWN');
  const [connection] = camera.connections;
  assert.ok(connection !== undefined);
  playReply(playRequest, connection);
  connection.send(rtpFrame(0, 1));
  text(ok)(teardownRequest, connection);
  await Promise.allSettled([play, teardown]);
  assert.deepEqual(events, [{ event: 'close', error: null }]);
});

test('several: data on channels that were never set up is dropped and counted', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: (request, connection) => {
        playReply(request, connection);
        for (const channel of [7, 255, 2, 0]) connection.send(rtpFrame(channel, channel));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).length === 1);
  assert.deepEqual(payloads(events), [0]);
  assert.equal(session.stats.strayPackets, 3);
});

test('several: after junk, only channels that were set up are trusted', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: (request, connection) => {
        playReply(request, connection);
        connection.send('junk');
        // Looks like a frame, and would swallow the next one.
        connection.send(rtpFrame(9, 1).map((byte, index) => (index === 3 ? 30 : byte)));
        connection.send(rtpFrame(0, 2));
        connection.send(rtpFrame(0, 3));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).includes(3));
  assert.deepEqual(payloads(events), [2, 3]);
  assert.equal(session.stats.resyncs, 1);
  assert.ok(session.stats.skippedBytes > 4);
});

test('several: RTCP on the RTP channel and the reverse', async (t) => {
  const { session, events, until } = await openSession(t, {
    on: {
      DESCRIBE: describeReply,
      SETUP: setupReply,
      PLAY: (request, connection) => {
        playReply(request, connection);
        connection.send(serializeInterleaved(0, serializeReceiverReport({ ssrc: 1 })));
        connection.send(rtpFrame(1, 9));
      },
    },
  });
  await advanceTo(session, 'playing');
  await until((all) => payloads(all).length === 1);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['play', 'rtcp', 'rtp'],
  );
});

// 50, 55: authentication.

const credentials = { username: 'admin', password: 'se:cr@t' };

function md5(content: string): string {
  return createHash('md5').update(content).digest('hex');
}

/** Whether the request answers a Digest challenge without qop (RFC 2617, 3.2.2). */
function answersDigest(request: RtspRequest, nonce: string): boolean {
  const authorization = request.headers.get('Authorization') ?? '';
  const first = md5(`${credentials.username}:cam:${credentials.password}`);
  const expected = md5(`${first}:${nonce}:${md5(`${request.method}:${request.url}`)}`);
  return authorization.startsWith('Digest ') && authorization.includes(`response="${expected}"`);
}

test('Digest: one more round trip in all, since the challenge is remembered', async (t) => {
  const guarded =
    (answer: Handler): Handler =>
    (request, connection) => {
      if (answersDigest(request, 'n1')) answer(request, connection);
      else
        text(['RTSP/1.0 401 Unauthorized', 'CSeq: {cseq}', 'WWW-Authenticate: Digest realm="cam", nonce="n1"'])(
          request,
          connection,
        );
    };
  const { session, methods } = await openSession(
    t,
    { on: { DESCRIBE: guarded(describeReply), SETUP: guarded(setupReply), PLAY: guarded(playReply) } },
    { credentials },
  );
  await advanceTo(session, 'playing');
  assert.deepEqual(methods(), ['DESCRIBE', 'DESCRIBE', 'SETUP', 'PLAY']);
});

test('credentials in the URL are used, and never sent as part of it', async (t) => {
  const { camera: other } = await openSession(t);
  const { session, camera } = await openSession(
    t,
    {
      on: {
        DESCRIBE: inTurn(
          text(['RTSP/1.0 401 Unauthorized', 'CSeq: {cseq}', 'WWW-Authenticate: Basic realm=cam']),
          describeReply,
        ),
      },
    },
    { url: other.url('/live').replace('rtsp://', 'rtsp://admin:se:cr%40t@') },
  );
  await session.connect();
  await session.describe();
  const request = await camera.waitForRequest('DESCRIBE', 2);
  assert.equal(request.headers.get('Authorization'), `Basic ${btoa('admin:se:cr@t')}`);
  assert.doesNotMatch(request.url, /admin|cr/);
});

test('Axis M5525: a new nonce on a keep-alive after 150 s is answered', async (t) => {
  let nonce = 'n1';
  const guarded =
    (answer: Handler): Handler =>
    (request, connection) => {
      if (answersDigest(request, nonce)) answer(request, connection);
      else
        text([
          'RTSP/1.0 401 Unauthorized',
          'CSeq: {cseq}',
          `WWW-Authenticate: Digest realm="cam", nonce="${nonce}", stale="FALSE"`,
        ])(request, connection);
    };
  const { session, camera, clock } = await openSession(
    t,
    {
      on: {
        DESCRIBE: guarded(describeReply),
        SETUP: guarded(setupReply),
        PLAY: guarded(playReply),
        GET_PARAMETER: guarded(text(ok)),
        PAUSE: guarded(text(ok)),
      },
    },
    { credentials },
  );
  await advanceTo(session, 'playing');
  nonce = 'n2';
  await clock.advance(30_000);
  await camera.waitForRequest('GET_PARAMETER', 2);
  await session.pause();
  assert.equal(session.state, 'ready');
});

test('wrong credentials are tried once, none not at all, and the sentence tells which', async (t) => {
  const refuse = text(['RTSP/1.0 401 Unauthorized', 'CSeq: {cseq}', 'WWW-Authenticate: Digest realm="cam", nonce="n"']);
  const wrong = await openSession(t, { on: { DESCRIBE: refuse } }, { credentials });
  await wrong.session.connect();
  await rejectsWith(wrong.session.describe(), 'unauthorized', /rejects the user name or the password/);
  assert.deepEqual(wrong.methods(), ['DESCRIBE', 'DESCRIBE']);
  const none = await openSession(t, { on: { DESCRIBE: refuse } });
  await none.session.connect();
  await rejectsWith(none.session.describe(), 'unauthorized', /asks for a user name and a password/);
  assert.deepEqual(none.methods(), ['DESCRIBE']);
});

test('a camera that calls every nonce stale does not loop', async (t) => {
  let count = 0;
  const { session, methods } = await openSession(
    t,
    {
      on: {
        DESCRIBE: (request, connection) =>
          text([
            'RTSP/1.0 401 Unauthorized',
            'CSeq: {cseq}',
            `WWW-Authenticate: Digest realm="cam", nonce="n${count++}", stale=true`,
          ])(request, connection),
      },
    },
    { credentials },
  );
  await session.connect();
  await rejectsWith(session.describe(), 'unauthorized');
  assert.ok(methods().length <= 4, `${methods().length} tries`);
});

// 52 and 53: what servers ask, and what they do not have.

test('requests of the server are answered: 200 to those known, 501 otherwise, with its CSeq and session', async (t) => {
  const { session, camera } = await openSession(t);
  await advanceTo(session, 'playing');
  const [connection] = camera.connections;
  assert.ok(connection !== undefined);
  connection.stopMedia();
  const ask = async (method: string): Promise<string> => {
    const answer = new Promise<Buffer>((resolve) => connection.socket.once('data', resolve));
    connection.send(`${method} rtsp://client/ RTSP/1.0\r\nCSeq: 900\r\nSession: 12345678\r\n\r\n`);
    return (await answer).toString();
  };
  for (const method of ['GET_PARAMETER', 'SET_PARAMETER', 'ANNOUNCE']) {
    assert.equal(await ask(method), 'RTSP/1.0 200 OK\r\nCSeq: 900\r\nSession: 12345678\r\n\r\n');
  }
  assert.match(await ask('OPTIONS'), /^RTSP\/1\.0 200 OK\r\nCSeq: 900\r\nSession: 12345678\r\nPublic: .*GET_PARAMETER/);
  assert.match(await ask('RECORD'), /^RTSP\/1\.0 501 /);
  assert.equal(session.state, 'playing');
});

test('a server that asks without end is not answered without end', async (t) => {
  const { session, camera } = await openSession(t);
  await advanceTo(session, 'playing');
  const [connection] = camera.connections;
  connection?.stopMedia();
  const answers: Buffer[] = [];
  connection?.socket.on('data', (bytes) => answers.push(bytes));
  connection?.send('OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n'.repeat(5_000));
  await session.getParameter();
  assert.ok(
    (
      Buffer.concat(answers)
        .toString()
        .match(/200 OK/g) ?? []
    ).length <= 20,
  );
});

test('REDIRECT and TEARDOWN of the server are answered, and end the session with what to do', async (t) => {
  const cases: [string, (error: unknown) => void][] = [
    [
      'REDIRECT rtsp://c/ RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://other:8554/live\r\n\r\n',
      (error) => assert.equal(error instanceof RedirectError && error.location, 'rtsp://other:8554/live'),
    ],
    ['REDIRECT rtsp://c/ RTSP/1.0\r\nCSeq: 1\r\n\r\n', (error) => assert.match(String(error), /not where/)],
    ['TEARDOWN rtsp://c/ RTSP/1.0\r\nCSeq: 1\r\n\r\n', (error) => assert.match(String(error), /has ended the session/)],
  ];
  for (const [request, check] of cases) {
    const { session, camera, events, until } = await openSession(t);
    await advanceTo(session, 'playing');
    const [connection] = camera.connections;
    connection?.stopMedia();
    const answer = new Promise<Buffer>((resolve) => connection?.socket.once('data', resolve));
    connection?.send(request);
    assert.match((await answer).toString(), /^RTSP\/1\.0 200 OK/);
    await until((all) => all.at(-1)?.event === 'close');
    const last = events.at(-1);
    check(last?.event === 'close' ? last.error : null);
    assert.equal(session.state, 'closed');
  }
});

test('Hikvision DS-2CD2732F: 551 for an advertised PAUSE marks it as not available', async (t) => {
  const { session } = await openSession(t, {
    on: { PAUSE: text(['RTSP/1.0 551 Option not supported', 'CSeq: {cseq}']) },
  });
  await advanceTo(session, 'playing');
  assert.equal(session.supports('PAUSE'), null);
  await session.options();
  assert.equal(session.supports('PAUSE'), true);
  const error = await rejectsWith(session.pause(), 'request-failed', /cannot do this \(PAUSE: 551/);
  assert.equal(error.retry, 'never');
  assert.equal(session.state, 'playing');
  assert.equal(session.supports('PAUSE'), false);
  assert.equal(session.supportedMethods?.has('PAUSE'), false);
});

test('gst-rtsp-server: 551 for the replay that it gives is asked without the requirement, from then on', async (t) => {
  const refusal = text(['RTSP/1.0 551 Option not supported', 'CSeq: {cseq}', 'Unsupported: onvif-replay']);
  const { session, camera, methods } = await openSession(
    t,
    {
      on: {
        SETUP: (request, connection) => {
          if (request.headers.has('Require')) refusal(request, connection);
          else setupReply(request, connection);
        },
      },
    },
    { require: 'onvif-replay' },
  );
  await advanceTo(session, 'playing');
  assert.deepEqual(methods(), ['DESCRIBE', 'SETUP', 'SETUP', 'PLAY']);
  assert.deepEqual(
    camera.connections[0]?.requests.map(({ headers }) => headers.get('Require')),
    ['onvif-replay', 'onvif-replay', null, null],
  );
});

// 54: redirects.

test('a redirect on the same host is followed on the same connection', async (t) => {
  const { session, camera } = await openSession(t, {
    on: {
      DESCRIBE: (request, connection) => {
        if (request.url.endsWith('/moved')) describeReply(request, connection);
        else
          text(['RTSP/1.0 302 Moved', 'CSeq: {cseq}', `Location: ${request.url.replace('/stream1', '/moved')}`])(
            request,
            connection,
          );
      },
      SETUP: setupReply,
      PLAY: playReply,
    },
  });
  await advanceTo(session, 'playing');
  assert.equal(camera.connections.length, 1);
  assert.equal((await camera.waitForRequest('SETUP')).url, camera.url('/moved/track1'));
  assert.equal((await camera.waitForRequest('PLAY')).url, camera.url('/moved'));
});

test('a redirect elsewhere is an error that says where', async (t) => {
  const { session } = await openSession(t, {
    on: { DESCRIBE: text(['RTSP/1.0 301 Moved', 'CSeq: {cseq}', 'Location: rtsp://10.9.9.9/live']) },
  });
  await session.connect();
  const error = await rejectsWith(session.describe(), 'redirected', /10\.9\.9\.9/);
  assert.equal(error instanceof RedirectError && error.location, 'rtsp://10.9.9.9/live');
  assert.equal(session.state, 'init');
});

test('redirects in a circle end', async (t) => {
  const { session, methods } = await openSession(t, {
    on: {
      DESCRIBE: (request, connection) =>
        text(['RTSP/1.0 302 Moved', 'CSeq: {cseq}', `Location: ${request.url}`])(request, connection),
    },
  });
  await session.connect();
  await rejectsWith(session.describe(), 'request-failed', /circle/);
  assert.equal(methods().length, 4);
});

test('a description that is none is malformed-message', async (t) => {
  const { session } = await openSession(t, { on: { DESCRIBE: text(ok, 'hello') } });
  await session.connect();
  await rejectsWith(session.describe(), 'malformed-message');
});
