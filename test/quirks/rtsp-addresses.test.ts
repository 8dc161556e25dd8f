import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { RedirectError } from '../../client/rtsp/redirect.js';
import type { StreamError } from '../../shared/errors.js';
import { makeCertificate } from '../support/certificate.js';
import { startScriptedCamera } from '../support/scripted-camera.js';
import {
  answers,
  credentials,
  describes,
  guarded,
  healthySdp,
  plays,
  playThrough,
  type Quirk,
  refuses,
  says,
  setsUp,
  testQuirks,
} from './play-through.js';

// Which URL a camera wants to be asked for, however it writes it.

const transport = 'RTP/AVP/TCP;unicast;interleaved=0-1';

/** The healthy description with another control for the medium, or for the session. */
const controlled = (medium: string) => healthySdp.replace('trackID=0', medium);
const withoutControl = healthySdp.replace('a=control:*\r\n', '');
const sessionControl = (control: string) => healthySdp.replace('a=control:*', `a=control:${control}`);

/** A camera that has these paths and no others, whatever is asked there. */
function has(paths: Readonly<Record<string, readonly string[]>>, status = '404 Not Found'): Quirk['on'] {
  const only =
    (method: string): Quirk['on'] extends Readonly<Record<string, infer H>> | undefined ? H : never =>
    (request, connection) => {
      const known = paths[method]?.some((path) => request.url.endsWith(`:${connection.socket.localPort}${path}`));
      if (known) answers(request, connection);
      else refuses(status)(request, connection);
    };
  return { SETUP: only('SETUP'), PLAY: only('PLAY') };
}

const bases: Quirk[] = (
  [
    [1, 'Content-Base without a scheme (anjvision)', ['Content-Base: 192.168.1.10:554/stream0/'], '/stream0/'],
    [2, 'Content-Base with two schemes (several)', ['Content-Base: rtsp://rtsp://192.168.1.10/live/'], '/live/'],
    [2, 'Content-Base with a bare IPv6 address (several)', ['Content-Base: rtsp://::ffff:1.2.3.4/live/'], '/live/'],
    [3, 'Content-Base is a bare path (several)', ['Content-Base: /live/'], '/live/'],
    [4, 'Content-Location without Content-Base (VStarcam)', ['Content-Location: rtsp://10.0.0.9/live/'], '/live/'],
  ] as const
).map(([row, what, headers, base]) => ({
  row,
  what,
  path: '/asked',
  on: { DESCRIBE: describes(headers), ...has({ SETUP: [`${base}trackID=0`], PLAY: [base] }) },
  asks: { DESCRIBE: ['/asked'], SETUP: [`${base}trackID=0`], PLAY: [base] },
}));

const dahua = '/cam/realmonitor?channel=1&subtype=0';

const refusedJoins: Quirk[] = ['400 Bad Request', '404 Not Found', '451 Parameter', '455 Invalid', '503 Busy'].map(
  (status) => ({
    row: 5,
    what: `the appended control is refused with ${status.slice(0, 3)}, the joined one is not (Axis)`,
    path: dahua,
    on: { DESCRIBE: describes([]), ...has({ SETUP: ['/cam/trackID=0'], PLAY: [dahua] }, status) },
    asks: { SETUP: [`${dahua}/trackID=0`, '/cam/trackID=0'], PLAY: [dahua] },
  }),
);

const certificate = await makeCertificate();
const tls = {
  cert: await readFile(certificate.certificate, 'utf8'),
  key: await readFile(certificate.key, 'utf8'),
};
await certificate.remove();

testQuirks([
  ...bases,
  {
    row: 4,
    what: 'neither Content-Base nor Content-Location (VStarcam)',
    path: '/asked',
    on: { DESCRIBE: describes([]), ...has({ SETUP: ['/asked/trackID=0'], PLAY: ['/asked'] }) },
    asks: { SETUP: ['/asked/trackID=0'], PLAY: ['/asked'] },
  },
  {
    row: 5,
    what: 'a query in the base (Dahua)',
    path: dahua,
    on: {
      DESCRIBE: describes([`Content-Base: {url}/`]),
      ...has({ SETUP: [`${dahua}/trackID=0`], PLAY: [`${dahua}/`] }),
    },
    asks: { SETUP: [`${dahua}/trackID=0`], PLAY: [`${dahua}/`] },
  },
  ...refusedJoins,
  {
    row: 5,
    what: 'both joins are refused, after one try each (Dahua, Axis)',
    path: dahua,
    on: { DESCRIBE: describes([]), SETUP: refuses('404 Not Found') },
    fails: { code: 'not-found', sentence: /SETUP: 404/ },
    asks: { SETUP: [`${dahua}/trackID=0`, '/cam/trackID=0'], PLAY: [] },
  },
  {
    row: 6,
    what: 'parameters without a question mark (Vitek)',
    path: '/chID=2&streamType=sub',
    on: {
      DESCRIBE: describes(['Content-Base: rtsp://{host}/chID=2&streamType=sub/']),
      ...has({ SETUP: ['/chID=2&streamType=sub/trackID=0'], PLAY: ['/chID=2&streamType=sub/'] }),
    },
    asks: { SETUP: ['/chID=2&streamType=sub/trackID=0'], PLAY: ['/chID=2&streamType=sub/'] },
  },
  {
    row: 7,
    what: 'a control that begins with a slash, and 404 for two slashes (Verint)',
    on: {
      DESCRIBE: describes(['Content-Base: {url}/'], controlled('/trackID=0')),
      ...has({ SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1/'] }),
    },
    asks: { SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1/'] },
  },
  {
    row: 8,
    what: 'the session’s own control comes before Content-Base',
    on: {
      DESCRIBE: describes(
        ['Content-Base: rtsp://{host}/base/', 'Content-Location: rtsp://{host}/location/'],
        sessionControl('rtsp://192.168.1.2:8554/inner/'),
      ),
      ...has({ SETUP: ['/inner/trackID=0'], PLAY: ['/inner/'] }),
    },
    asks: { SETUP: ['/inner/trackID=0'], PLAY: ['/inner/'] },
  },
  {
    row: 8,
    what: 'Content-Base comes before Content-Location',
    on: {
      DESCRIBE: describes(['Content-Location: rtsp://{host}/location/', 'Content-Base: rtsp://{host}/base/']),
      ...has({ SETUP: ['/base/trackID=0'], PLAY: ['/base/'] }),
    },
    asks: { SETUP: ['/base/trackID=0'], PLAY: ['/base/'] },
  },
  {
    row: 8,
    what: 'the session’s own control is refused, Content-Base is not',
    on: {
      DESCRIBE: describes(['Content-Base: rtsp://{host}/base/'], sessionControl('rtsp://192.168.1.2:8554/inner/')),
      ...has({ SETUP: ['/base/trackID=0'], PLAY: ['/base/', '/inner/'] }),
    },
    asks: { SETUP: ['/inner/trackID=0', '/base/trackID=0'] },
  },
  {
    row: 9,
    what: 'an absolute control with credentials and a foreign host (Samsung)',
    credentials,
    on: {
      DESCRIBE: guarded(
        describes([], controlled('rtsp://root:4321@192.168.123.99:554/profile2/media.smp/trackID=v')),
        ['Digest realm="cam", nonce="{nonce}"'],
        { nonce: 'a1' },
      ),
      SETUP: guarded(setsUp(transport), ['Digest realm="cam", nonce="{nonce}"'], { nonce: 'a1' }),
    },
    asks: { SETUP: ['/profile2/media.smp/trackID=v'] },
    check({ requests }) {
      // The user's credentials; the control's are nowhere.
      for (const { url, headers } of [...requests('SETUP'), ...requests('PLAY')]) {
        assert.match(headers.get('Authorization') ?? '', /username="admin"/);
        assert.doesNotMatch(`${url} ${[...headers].join(' ')}`, /root|:4321@|192\.168/);
      }
    },
  },
  {
    row: 10,
    what: '405 for a PLAY with a slash at the end (PTZOptics)',
    on: {
      DESCRIBE: describes(['Content-Base: {url}/'], withoutControl),
      ...has({ SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1'] }, '405 Method Not Allowed'),
    },
    check: ({ paths }) => assert.equal(paths('PLAY').at(-1), '/stream1'),
  },
  {
    row: 10,
    what: 'no slash is added to a base without one (PTZOptics)',
    on: {
      DESCRIBE: describes(['Content-Base: {url}']),
      ...has({ SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1'] }, '405 Method Not Allowed'),
    },
    asks: { SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1'] },
  },
  {
    row: 10,
    what: 'no slash is taken from a URL that has one (PTZOptics)',
    path: '/stream1/',
    on: {
      DESCRIBE: describes([]),
      ...has({ SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1/'] }, '405 Method Not Allowed'),
    },
    asks: { DESCRIBE: ['/stream1/'], SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1/'] },
  },
  {
    row: 11,
    what: 'no control for the session (TP-Link, VStarcam)',
    on: {
      DESCRIBE: describes([], withoutControl),
      ...has({ SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1'] }),
    },
    asks: { SETUP: ['/stream1/trackID=0'], PLAY: ['/stream1'] },
  },
  {
    row: 11,
    what: 'no control for the session, and a base that stands for nothing (TP-Link)',
    on: {
      DESCRIBE: describes(['Content-Base: rtsp://{host}/tracks/'], withoutControl),
      ...has({ SETUP: ['/tracks/trackID=0'], PLAY: ['/stream1'] }),
    },
    check: ({ paths }) => assert.equal(paths('PLAY').at(-1), '/stream1'),
  },
  ...['301 Moved Permanently', '302 Found'].map(
    (status): Quirk => ({
      row: 54,
      what: `${status.slice(0, 3)} to the same host is followed`,
      on: {
        DESCRIBE: (request, connection) => {
          if (request.url.endsWith('/moved')) answers(request, connection);
          else says([`RTSP/1.0 ${status}`, 'CSeq: {cseq}', 'Location: rtsp://{host}/moved'])(request, connection);
        },
        PLAY: plays(),
      },
      asks: { DESCRIBE: ['/stream1', '/moved'], SETUP: ['/moved/trackID=0'], PLAY: ['/moved/'] },
    }),
  ),
  {
    row: 54,
    what: 'a redirect from rtsps to rtsp is not followed',
    tls,
    on: { DESCRIBE: says(['RTSP/1.0 302 Found', 'CSeq: {cseq}', 'Location: rtsp://{host}/moved']) },
    fails: {
      raw: { code: 'request-failed', sentence: /without encryption/ },
      'named camera': { code: 'forbidden', sentence: /encrypted/ },
    },
    asks: { DESCRIBE: ['/stream1'] },
    check: ({ camera }) => assert.equal(camera.connections.length, 1),
  },
  {
    row: 54,
    what: 'a redirect within rtsps is followed',
    tls,
    on: {
      DESCRIBE(request, connection) {
        if (request.url.endsWith('/moved')) answers(request, connection);
        else says(['RTSP/1.0 302 Found', 'CSeq: {cseq}', 'Location: rtsps://{host}/moved'])(request, connection);
      },
    },
    asks: { SETUP: ['/moved/trackID=0'] },
  },
  {
    row: 54,
    what: 'redirects in a circle end after few hops',
    on: { DESCRIBE: says(['RTSP/1.0 302 Found', 'CSeq: {cseq}', 'Location: {url}']) },
    fails: {
      raw: { code: 'request-failed', sentence: /circle/ },
      'named camera': { code: 'camera-refused', sentence: /again and again/ },
    },
    check: ({ requests }) => assert.equal(requests('DESCRIBE').length, 4),
  },
]);

for (const way of ['raw', 'named camera'] as const) {
  test(`quirk 54: a redirect to another port: ${way}`, async (t) => {
    const other = await startScriptedCamera();
    t.after(() => other.stop());
    const moved = says(['RTSP/1.0 302 Found', 'CSeq: {cseq}', `Location: ${other.url('/there')}`]);
    const played = await playThrough(t, way, { on: { DESCRIBE: moved } });
    // The tunnel leads to one host and port alone: the client says where to go, and its caller opens another.
    const client = way === 'raw' ? await played.playAgain(locationOf(played.failure)) : played;
    assert.equal(client.failure, null);
    await played.until('three frames', () => client.frameCount() >= 3);
    assert.equal((await other.waitForRequest('SETUP')).url, other.url('/there/trackID=0'));
    assert.equal(played.requests('SETUP').length, 0);
  });
}

function locationOf(failure: StreamError | null): string {
  assert.ok(failure instanceof RedirectError, String(failure));
  assert.equal(failure.code, 'redirected');
  return failure.location;
}
