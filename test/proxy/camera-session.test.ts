import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { CloseCode } from '../../shared/proxy-protocol.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import {
  type CameraReply,
  type CameraScript,
  healthy,
  isAcknowledgement,
  sdp,
  startCamera,
  startTestProxy,
  type TestCamera,
  type TestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

interface Setting {
  camera: TestCamera;
  proxy: TestProxy;
  viewer: TestViewer;
  stop(): Promise<void>;
}

/** A camera `front`, the proxy and a viewer. */
async function start(
  script: CameraScript = healthy,
  options: RtspProxyOptions & { url?: (url: string) => string; path?: string } = {},
): Promise<Setting> {
  const { url = (plain) => plain, path = '/rtsp/front', ...rest } = options;
  const camera = await startCamera(script);
  const cameras = [{ name: 'front', url: url(camera.url), queryParameters: ['starttime'] }];
  const proxy = await startTestProxy({ cameras, ...rest });
  const viewer = new TestViewer(proxy.port, path, { protocols: ['rtsp.onvif.org'] });
  await viewer.opened;
  return {
    camera,
    proxy,
    viewer,
    async stop() {
      await proxy.stop();
      camera.stop();
    },
  };
}

/** The healthy camera, but for these methods. */
function but(replies: Record<string, CameraReply | CameraScript>): CameraScript {
  return (request, connection) => {
    const reply = replies[request.method];
    if (reply === undefined) return healthy(request);
    return typeof reply === 'function' ? reply(request, connection) : reply;
  };
}

async function closeOf(viewer: TestViewer): Promise<{ code: number; reason: string }> {
  return within(viewer.closed, 'The close');
}

const transport = 'RTP/AVP/TCP;unicast;interleaved=0-1';

describe('a named camera', () => {
  test('plays without the page learning address, path or credentials', async () => {
    const { camera, viewer, stop } = await start(healthy, { url: (url) => url.replace('//', '//user:hunter2@') });
    const described = await viewer.request('DESCRIBE', 'rtsp://front/', { Accept: 'application/sdp' });
    assert.equal(described.status, 200);
    assert.equal(described.headers.get('CSeq'), '1');
    assert.equal(described.headers.get('Content-Base'), 'rtsp://front/');
    assert.equal(
      Buffer.from(described.body).toString(),
      [
        'v=0',
        'o=- 1234 5678 IN IP4 0.0.0.0',
        's=front',
        'c=IN IP4 0.0.0.0',
        't=0 0',
        'a=control:rtsp://front/',
        'm=video 0 RTP/AVP 96',
        'a=rtpmap:96 H264/90000',
        'a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAHg==,aM4xsg==',
        'a=control:rtsp://front/0',
        'm=audio 0 RTP/AVP 97',
        'a=rtpmap:97 MPEG4-GENERIC/48000/2',
        'a=control:rtsp://front/1',
        '',
      ].join('\r\n'),
    );
    const setUp = await viewer.request('SETUP', 'rtsp://front/1', { Transport: 'RTP/AVP/TCP;unicast;interleaved=2-3' });
    assert.equal(setUp.headers.get('Session'), 'abc;timeout=60');
    assert.equal(setUp.headers.get('Transport'), 'RTP/AVP/TCP;unicast;interleaved=2-3');
    assert.equal((await viewer.request('PLAY', 'rtsp://front/', { Range: 'npt=now-' })).status, 200);

    const base = `rtsp://127.0.0.1:${camera.port}/secret-path`;
    assert.deepEqual(
      camera.connections[0]?.requests.map(({ method, url }) => [method, url]),
      [
        ['OPTIONS', base],
        ['DESCRIBE', base],
        ['SETUP', `${base}/trackID=2`],
        ['PLAY', `${base}/`],
      ],
    );
    const [, describeRequest, setUpRequest, playRequest] = camera.connections[0]?.requests ?? [];
    assert.equal(describeRequest?.headers.get('Accept'), 'application/sdp');
    assert.equal(describeRequest?.headers.get('User-Agent'), 'rtsp-player-proxy');
    assert.equal(setUpRequest?.headers.get('Session'), null);
    assert.equal(playRequest?.headers.get('Session'), 'abc');
    assert.equal(playRequest?.headers.get('Range'), 'npt=now-');
    assert.deepEqual(
      camera.connections[0]?.requests.map((request) => request.headers.get('CSeq')),
      ['1', '2', '3', '4'],
    );
    await stop();
  });

  test('media pass both ways: all of the camera’s frames, receiver reports of the viewer', async () => {
    const { camera, proxy, viewer, stop } = await start();
    await viewer.play('front', 2);
    const connection = camera.connections[0];
    assert.ok(connection);
    connection.sendFrame(0, Uint8Array.of(0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x65));
    connection.sendFrame(7, Uint8Array.of(0x80, 98, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1));
    connection.sendFrame(2, new Uint8Array(0));
    await until(() => viewer.frames.length === 3, 'Three frames');
    assert.deepEqual(
      viewer.frames.map(({ channel, payload }) => [channel, payload.length]),
      [
        [0, 13],
        [7, 12],
        [2, 0],
      ],
    );
    const report = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 1);
    // On its own channel; on the one of media, on one of nobody's, and something that is no report.
    viewer.send(serializeInterleaved(0, report));
    viewer.send(serializeInterleaved(9, report));
    viewer.send(serializeInterleaved(1, Uint8Array.of(0x80, 96, 0, 1)));
    viewer.send(serializeInterleaved(3, report));
    const reports = () => connection.frames.filter((frame) => !isAcknowledgement(frame));
    await until(() => reports().length > 0, 'The report');
    assert.deepEqual(reports(), [{ channel: 3, payload: report }]);
    assert.equal(proxy.proxy.stats().rejectedFrames, 3);
    await stop();
  });

  test('of several reports the last goes out with the next bytes, in either direction', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front', 2);
    const connection = camera.connections[0];
    assert.ok(connection);
    const passed = () => connection.frames.filter((frame) => !isAcknowledgement(frame));
    const reports = [1, 2, 3, 4].map((ssrc) => Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, ssrc));
    const sendReport = (index: number): void => viewer.send(serializeInterleaved(3, reports[index] as Uint8Array));
    sendReport(0);
    sendReport(1);
    await until(() => passed().length === 1, 'The first report');
    sendReport(2);
    await until(() => passed().length === 2, 'The second, since a third came');
    connection.sendFrame(0, Uint8Array.of(0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x65));
    await until(() => passed().length === 3, 'The third, in answer to a frame');
    sendReport(3);
    sendReport(0);
    await viewer.request('GET_PARAMETER', 'rtsp://front/');
    assert.deepEqual(
      passed().map(({ payload }) => payload),
      [...reports, reports[0]],
    );
    await stop();
  });

  test('what comes after PLAY is answered by empty reports, up to the end of the first frame of the video', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front', 2);
    const connection = camera.connections[0];
    assert.ok(connection);
    const answers = () => connection.frames.filter(isAcknowledgement);
    await until(() => answers().length === 1, 'The answer to PLAY');
    const packet = (marker: number) => Uint8Array.of(0x80, marker | 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x65);
    connection.sendFrame(0, packet(0));
    await until(() => answers().length === 2, 'The answer to the first packet');
    // Packets of sound have the marker as well.
    connection.sendFrame(2, packet(0x80));
    await until(() => answers().length === 3, 'The answer to sound');
    connection.sendFrame(0, packet(0x80));
    await until(() => viewer.frames.length === 3, 'The end of the frame');
    connection.sendFrame(0, packet(0));
    await until(() => viewer.frames.length === 4, 'The next frame');
    await viewer.request('GET_PARAMETER', 'rtsp://front/');
    assert.equal(answers().length, 3);
    await stop();
  });

  test('a first frame in many pieces is not answered for ever', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front', 1);
    const connection = camera.connections[0];
    assert.ok(connection);
    for (let count = 1; count <= 12; count++) {
      connection.sendFrame(0, Uint8Array.of(0x80, 96, 0, count, 0, 0, 0, 1, 0, 0, 0, 1, 0x65));
      await until(() => viewer.frames.length === count, 'A packet');
    }
    await viewer.request('GET_PARAMETER', 'rtsp://front/');
    assert.equal(connection.frames.filter(isAcknowledgement).length, 8);
    await stop();
  });

  test('URLs outside of its table do not exist', async () => {
    const { camera, viewer, stop } = await start();
    const before = [
      'rtsp://front/0',
      'rtsp://other/',
      'rtsp://front/secret-path',
      'rtsp://front/../x',
      'rtsp://front/%2e',
    ];
    for (const url of before) assert.equal((await viewer.request('DESCRIBE', url)).status, 404, url);
    await viewer.request('DESCRIBE', 'rtsp://front');
    for (const url of ['rtsp://front/2', 'rtsp://front/-1', 'rtsp://front/00000', 'rtsp://front/0/1', camera.url]) {
      assert.equal((await viewer.request('SETUP', url, { Transport: transport })).status, 404, url);
    }
    assert.equal((await viewer.request('DESCRIBE', 'rtsp://front/0')).status, 404);
    assert.deepEqual(camera.methods(), ['OPTIONS', 'DESCRIBE']);
    await stop();
  });

  test('only its methods pass', async () => {
    const { camera, viewer, stop } = await start();
    for (const method of ['RECORD', 'ANNOUNCE', 'REDIRECT']) {
      const response = await viewer.request(method, 'rtsp://front/');
      assert.equal(response.status, 405);
      assert.match(response.headers.get('Allow') ?? '', /^OPTIONS, DESCRIBE/);
    }
    assert.equal((await viewer.request('FROBNICATE', 'rtsp://front/')).status, 501);
    assert.deepEqual(new Set(camera.methods()), new Set(['OPTIONS', 'DESCRIBE']));
    const options = await viewer.request('OPTIONS', '*');
    assert.equal(options.headers.get('Public'), 'OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN');
    await stop();
  });

  test('headers of neither side pass unless they are known', async () => {
    const { camera, viewer, stop } = await start(
      but({
        PLAY: {
          headers: {
            Session: 'abc;timeout=30;x=1',
            Range: 'npt=0-',
            'RTP-Info':
              'url=rtsp://10.9.8.7/secret-path/trackID=1;seq=5;rtptime=77;x=1, url=trackID=2;seq=6;rtptime=88',
            Server: 'Camera 1.0 at 10.9.8.7',
            'X-Secret': '1',
            Location: 'rtsp://10.9.8.7/',
          },
        },
      }),
    );
    await viewer.play('front', 2);
    const response = await viewer.request('PLAY', 'rtsp://front/', {
      Authorization: 'Basic eDp5',
      Session: 'other',
      Cookie: 'a=b',
      'X-Forwarded-For': '1.2.3.4',
      Scale: '2',
      'Proxy-Authorization': 'Bearer x',
    });
    assert.deepEqual([...response.headers].map(([name]) => name).sort(), ['CSeq', 'RTP-Info', 'Range', 'Session']);
    assert.equal(response.headers.get('Session'), 'abc;timeout=30');
    assert.equal(
      response.headers.get('RTP-Info'),
      'url=rtsp://front/0;seq=5;rtptime=77,url=rtsp://front/1;seq=6;rtptime=88',
    );
    const request = await camera.request('PLAY');
    assert.deepEqual([...request.headers].map(([name]) => name).sort(), ['CSeq', 'Scale', 'Session', 'User-Agent']);
    assert.equal(request.headers.get('Session'), 'abc');
    await stop();
  });

  test('Transport: UDP is refused, addresses do not come back, other channels are obeyed', async () => {
    const { viewer, stop } = await start(
      but({
        SETUP: {
          headers: {
            Session: 'abc',
            Transport:
              'RTP/AVP/TCP;unicast;source=10.9.8.7;destination=10.1.1.1;interleaved=4-5;ssrc= 1A2B;mode="PLAY"',
          },
        },
      }),
    );
    await viewer.request('DESCRIBE', 'rtsp://front/');
    for (const udp of ['RTP/AVP;unicast;client_port=5000-5001', '', 'RTP/AVP/TCP;interleaved=256-257']) {
      assert.equal((await viewer.request('SETUP', 'rtsp://front/0', { Transport: udp })).status, 461, udp);
    }
    const response = await viewer.request('SETUP', 'rtsp://front/0', {
      Transport: `${transport};destination=10.1.1.1`,
    });
    assert.equal(response.headers.get('Transport'), 'RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=1A2B');
    await stop();
  });

  test('a camera that insists on UDP: 461', async () => {
    const { viewer, stop } = await start(
      but({ SETUP: { headers: { Session: 'abc', Transport: 'RTP/AVP;unicast;client_port=1-2;server_port=3-4' } } }),
    );
    await viewer.request('DESCRIBE', 'rtsp://front/');
    assert.equal((await viewer.request('SETUP', 'rtsp://front/0', { Transport: transport })).status, 461);
    await stop();
  });

  test('GET_PARAMETER and SET_PARAMETER carry bodies', async () => {
    const { camera, viewer, stop } = await start(
      but({ GET_PARAMETER: { headers: { 'Content-Type': 'text/parameters' }, body: 'position: 7\r\n' } }),
    );
    await viewer.play('front');
    const response = await viewer.request(
      'GET_PARAMETER',
      'rtsp://front/',
      { 'Content-Type': 'text/parameters' },
      'position\r\n',
    );
    assert.equal(Buffer.from(response.body).toString(), 'position: 7\r\n');
    assert.equal(Buffer.from((await camera.request('GET_PARAMETER')).body).toString(), 'position\r\n');
    assert.equal((await viewer.request('SET_PARAMETER', 'rtsp://front/', {}, 'zoom: 2\r\n')).status, 200);
    await stop();
  });

  test('query parameters of the page pass if they are listed', async () => {
    const { camera, viewer, stop } = await start(healthy, { url: (url) => `${url}?channel=1&starttime=0` });
    await viewer.request('DESCRIBE', 'rtsp://front/?starttime=2026-01-01T00:00:00Z&channel=2&x=%0d%0a');
    const request = await camera.request('DESCRIBE');
    assert.equal(request.url, `${camera.url}?channel=1&starttime=2026-01-01T00%3A00%3A00Z`);
    await stop();
  });

  test('streams', async () => {
    const camera = await startCamera();
    const proxy = await startTestProxy({
      cameras: [{ name: 'front', streams: { main: `${camera.url}/1`, sub: `${camera.url}/2` } }],
    });
    for (const [path, expected] of [
      ['/rtsp/front', '/1'],
      ['/rtsp/front/main', '/1'],
      ['/rtsp/front/sub', '/2'],
    ]) {
      const viewer = new TestViewer(proxy.port, path ?? '');
      await viewer.request('DESCRIBE', 'rtsp://front/');
      assert.equal((await camera.request('DESCRIBE')).url, camera.url + expected);
      await viewer.close();
    }
    for (const path of [
      '/rtsp/front/other',
      '/rtsp/other',
      '/rtsp/',
      '/rtsp/front/main/x',
      '/rtsp/Front',
      '/rtsp/__proto__',
    ]) {
      const { code } = await closeOf(new TestViewer(proxy.port, path));
      assert.equal(code, CloseCode.cameraUnknown, path);
    }
    await proxy.stop();
    camera.stop();
  });

  test('statuses of the camera reach the viewer, without its words', async () => {
    const { viewer, stop } = await start(but({ DESCRIBE: { status: 404, body: 'no /secret-path here' } }));
    const response = await viewer.request('DESCRIBE', 'rtsp://front/');
    assert.equal(response.status, 404);
    assert.equal(response.reason, 'Not Found');
    assert.equal(response.body.length, 0);
    await stop();
  });

  test('requests of a session are sent one after the other until it plays (VLC and TP-Link mix up CSeq)', async () => {
    const waiting: (() => void)[] = [];
    const { camera, viewer, stop } = await start(
      but({
        OPTIONS: (request, connection) => {
          if (connection.requests.length === 1) return healthy(request);
          waiting.push(() => connection.reply(request, {}));
          return null;
        },
      }),
    );
    viewer.send('OPTIONS rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\nDESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 2\r\n\r\n');
    await until(() => waiting.length === 1, 'The first request');
    assert.deepEqual(camera.methods(), ['OPTIONS', 'DESCRIBE', 'OPTIONS']);
    waiting[0]?.();
    assert.equal((await viewer.response()).headers.get('CSeq'), '1');
    assert.equal((await viewer.response()).headers.get('CSeq'), '2');
    await stop();
  });

  test('a keep-alive that is never answered holds nothing up, and gets 504 in the end', async () => {
    const { viewer, stop } = await start(but({ GET_PARAMETER: () => null }), { timeouts: { responseMs: 150 } });
    await viewer.play('front');
    const unanswered = viewer.request('GET_PARAMETER', 'rtsp://front/');
    assert.equal((await viewer.request('PAUSE', 'rtsp://front/')).status, 200);
    assert.equal((await unanswered).status, 504);
    await stop();
  });

  test('replies without CSeq, or with the one before (TP-Link C520WS)', async () => {
    for (const spelling of ['', '0']) {
      const { viewer, stop } = await start((request, connection) => {
        const cseq = spelling === '' ? '' : `cseq: ${Number(request.headers.get('CSeq')) - 1}\r\n`;
        connection.send(
          `RTSP/1.0 200 OK\r\n${cseq}Content-Length: ${request.method === 'DESCRIBE' ? sdp.length : 0}\r\n\r\n`,
        );
        if (request.method === 'DESCRIBE') connection.send(sdp);
        return null;
      });
      assert.equal((await viewer.request('DESCRIBE', 'rtsp://front/')).status, 200);
      await stop();
    }
  });

  test('the other way to join a control URL is tried once (Dahua, Axis: query in the base)', async () => {
    const { camera, viewer, stop } = await start(
      but({
        DESCRIBE: (request) => ({ headers: { 'Content-Base': `${request.url}?x=1` }, body: sdp }),
        SETUP: (request) => (request.url.includes('?') ? { status: 451 } : healthy(request)),
      }),
    );
    await viewer.request('DESCRIBE', 'rtsp://front/');
    assert.equal((await viewer.request('SETUP', 'rtsp://front/0', { Transport: transport })).status, 200);
    const urls = camera.connections[0]?.requests.filter(({ method }) => method === 'SETUP').map(({ url }) => url);
    assert.deepEqual(urls, [`${camera.url}?x=1/trackID=1`, `rtsp://127.0.0.1:${camera.port}/trackID=1`]);
    await stop();
  });

  test('the first session id counts (H264DVR)', async () => {
    let id = 231_970;
    const { camera, viewer, stop } = await start(
      but({
        SETUP: (request) => ({ headers: { Session: String(id++), Transport: request.headers.get('Transport') ?? '' } }),
      }),
    );
    await viewer.play('front', 2);
    assert.equal((await camera.request('PLAY')).headers.get('Session'), '231970');
    await stop();
  });

  test('requests of the camera are answered here', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front');
    const connection = camera.connections[0];
    connection?.send('OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 77\r\n\r\nRECORD rtsp://x/ RTSP/1.0\r\nCSeq: 78\r\n\r\n');
    await until(() => connection?.responses.length === 2, 'Two responses');
    assert.deepEqual(
      connection?.responses.map(({ status, headers }) => [status, headers.get('CSeq')]),
      [
        [200, '77'],
        [501, '78'],
      ],
    );
    connection?.send('REDIRECT rtsp://x/ RTSP/1.0\r\nCSeq: 79\r\nLocation: rtsp://y/\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.cameraRefused);
    await stop();
  });

  test('junk between frames does not end the session (quirk: several cameras)', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front');
    const rtp = Uint8Array.of(0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x65);
    camera.connections[0]?.sendFrame(0, rtp);
    camera.connections[0]?.send('\r\n\x00\xffjunk');
    camera.connections[0]?.sendFrame(0, rtp);
    await until(() => viewer.frames.length === 2, 'Two frames');
    assert.deepEqual(viewer.frames[1], { channel: 0, payload: rtp });
    await stop();
  });
});

describe('the end of a named session', () => {
  test('TEARDOWN by the viewer, and then nothing of it is an error', async () => {
    const { camera, proxy, viewer, stop } = await start(
      but({
        TEARDOWN: (request, connection) => {
          connection.reply(request, {});
          connection.socket.end();
          return null;
        },
      }),
    );
    await viewer.play('front');
    assert.equal((await viewer.request('TEARDOWN', 'rtsp://front/')).status, 200);
    assert.equal((await closeOf(viewer)).code, 1000);
    assert.equal(camera.methods().filter((method) => method === 'TEARDOWN').length, 1);
    await until(() => proxy.proxy.stats().cameraSessions === 0, 'The end of the session');
    await stop();
  });

  test('TEARDOWN is sent when a viewer vanishes, politely or not', async () => {
    for (const end of ['close', 'terminate'] as const) {
      const { camera, proxy, viewer, stop } = await start();
      await viewer.play('front');
      viewer.webSocket[end]();
      const request = await camera.request('TEARDOWN');
      assert.equal(request.headers.get('Session'), 'abc');
      await within(camera.connections[0]?.closed ?? Promise.reject(new Error('none')), 'The end');
      await until(() => proxy.proxy.stats().cameraSessions === 0, 'The end of the session');
      await stop();
    }
  });

  test('a camera that does not answer TEARDOWN is not waited for', async () => {
    const { camera, viewer, stop } = await start(but({ TEARDOWN: () => null }));
    await viewer.play('front');
    viewer.webSocket.terminate();
    await camera.request('TEARDOWN');
    await within(camera.connections[0]?.closed ?? Promise.reject(new Error('none')), 'The end', 3_000);
    await stop();
  });

  test('1001 and TEARDOWN when the proxy goes down', async () => {
    const { camera, proxy, viewer, stop } = await start();
    await viewer.play('front');
    const closed = proxy.proxy.close();
    assert.deepEqual(await closeOf(viewer), { code: 1001, reason: 'The proxy is going down.' });
    await within(closed, 'The end of the proxy');
    assert.ok(camera.methods().includes('TEARDOWN'));
    assert.equal((await closeOf(new TestViewer(proxy.port, '/rtsp/front'))).code, 1001);
    await until(() => proxy.proxy.stats().closed[1001] === 2, 'Two viewers closed');
    await stop();
  });

  test('a viewer and a camera that do not take part cannot hold the proxy up', async () => {
    const { camera, proxy, viewer, stop } = await start(but({ TEARDOWN: () => null }), {
      timeouts: { shutdownMs: 100 },
    });
    await viewer.play('front');
    viewer.webSocket.pause();
    await within(proxy.proxy.close(), 'The end of the proxy', 2_000);
    await within(camera.connections[0]?.closed ?? Promise.reject(new Error('none')), 'The end', 2_000);
    viewer.webSocket.terminate();
    await stop();
  });
});

describe('refusals of a named camera', () => {
  test('4502: the camera closes in mid-session', async () => {
    const { camera, viewer, stop } = await start();
    await viewer.play('front');
    camera.connections[0]?.socket.end();
    assert.equal((await closeOf(viewer)).code, CloseCode.cameraRefused);
    await stop();
  });

  test('4400: the camera speaks HTTP', async () => {
    const { viewer, stop } = await start((_, connection) => {
      connection.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
      return null;
    });
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.notRtsp);
    await stop();
  });

  test('4400: the viewer does not speak RTSP, or says nothing', async () => {
    const first = await start();
    first.viewer.send('GET / HTTP/1.1\r\n\r\n');
    assert.equal((await closeOf(first.viewer)).code, CloseCode.notRtsp);
    await first.stop();
    const second = await start(healthy, { timeouts: { firstRequestMs: 50 } });
    assert.equal((await closeOf(second.viewer)).code, CloseCode.notRtsp);
    await until(() => second.camera.connections.every(({ socket }) => socket.destroyed), 'The end at the camera');
    await second.stop();
  });

  test('4504: the camera does not answer', async () => {
    const { viewer, stop } = await start(but({ DESCRIBE: () => null }), { timeouts: { responseMs: 80 } });
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    const { code, reason } = await closeOf(viewer);
    assert.equal(code, CloseCode.cameraUnreachable);
    assert.match(reason, /did not answer DESCRIBE/);
    await stop();
  });

  test('4504: the camera is silent while it should play; a paused one may be', async () => {
    const { viewer, stop } = await start(healthy, { timeouts: { silenceMs: 100 } });
    await viewer.play('front');
    await viewer.request('PAUSE', 'rtsp://front/');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await viewer.request('PLAY', 'rtsp://front/');
    const { code, reason } = await closeOf(viewer);
    assert.equal(code, CloseCode.cameraUnreachable);
    assert.match(reason, /silent/);
    await stop();
  });

  test('4502: a description without media', async () => {
    const { viewer, stop } = await start(but({ DESCRIBE: { body: 'v=0\r\ns=nothing\r\n' } }));
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
    assert.equal((await closeOf(viewer)).code, CloseCode.cameraRefused);
    await stop();
  });

  test('4502: headers without end and bodies beyond the limit', async () => {
    for (const reply of [
      `RTSP/1.0 200 OK\r\nX: ${'x'.repeat(200_000)}`,
      'RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n',
    ]) {
      const { viewer, stop } = await start(
        but({
          DESCRIBE: (_, connection) => {
            connection.send(reply);
            return null;
          },
        }),
      );
      viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n');
      assert.equal((await closeOf(viewer)).code, CloseCode.cameraRefused);
      await stop();
    }
  });

  test('4429: more requests than the camera has answered', async () => {
    const { viewer, stop } = await start(but({ DESCRIBE: () => null }));
    viewer.send('DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\n\r\n'.repeat(40));
    assert.equal((await closeOf(viewer)).code, CloseCode.limitReached);
    await stop();
  });

  test('request smuggling: folded headers, two lengths and line ends in values reach the camera as one clean request', async () => {
    const { camera, viewer, stop } = await start();
    viewer.send(
      'DESCRIBE rtsp://front/ RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n PLAY rtsp://evil/ RTSP/1.0\r\n' +
        'Content-Length: 0\r\nContent-Length: 0\r\nRange: npt=\rX: 1\r\n\r\n',
    );
    assert.equal((await within(viewer.response(), 'The response')).status, 200);
    const request = await camera.request('DESCRIBE');
    assert.deepEqual(
      [...request.headers].map(([name]) => name),
      ['CSeq', 'User-Agent', 'Accept', 'Range'],
    );
    // The first description was asked for before the viewer spoke.
    assert.deepEqual(camera.methods(), ['OPTIONS', 'DESCRIBE', 'DESCRIBE']);
    await stop();
  });
});
