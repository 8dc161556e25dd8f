import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { type DemoCamera, startDemoCamera } from '../../proxy/demo/camera.js';
import { startsKeyFrame } from '../../shared/key-frame.js';
import { parseRtcp } from '../../shared/rtcp.js';
import { parseSessionDescription } from '../../shared/session-description.js';
import { DemoClient, groupUnits, utcMsOf, WallClock } from './demo-client.js';
import { settle } from './manual-clock.js';
import { until, within } from './test-peers.js';

const MINUTE = Date.UTC(2026, 4, 1, 12, 34);
const TCP = 'RTP/AVP/TCP;unicast;interleaved=0-1';

const cameras: DemoCamera[] = [];
const clients: DemoClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const camera of cameras.splice(0)) await within(camera.close(), 'the end of the camera');
});

async function start(utcMs = MINUTE): Promise<{ camera: DemoCamera; clock: WallClock }> {
  const clock = new WallClock(utcMs);
  const camera = await startDemoCamera({ clock });
  cameras.push(camera);
  return { camera, clock };
}

async function connect(camera: DemoCamera, url?: string): Promise<DemoClient> {
  const client = await DemoClient.connect(camera, url);
  clients.push(client);
  return client;
}

function differences(timestamps: readonly number[]): number[] {
  return timestamps.slice(1).map((timestamp, index) => (timestamp - (timestamps[index] ?? 0)) >>> 0);
}

test('the session description says all that a decoder wants to know, for both sizes', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  for (const [path, frameRate] of [
    ['', 25],
    ['/sub', 10],
  ] as const) {
    const reply = await client.request('DESCRIBE', camera.url + path, { Accept: 'application/sdp' });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('Content-Type'), 'application/sdp');
    assert.equal(reply.headers.get('Content-Base'), `${camera.url}${path}/`);
    const { control, range, media } = parseSessionDescription(reply.body);
    assert.equal(control, '*');
    assert.equal(range, 'npt=now-');
    const [video, audio] = media;
    assert.equal(video?.control, 'video');
    assert.equal(video?.frameRate, frameRate);
    assert.equal(video?.formats[0]?.encodingName, 'H264');
    assert.equal(video?.formats[0]?.clockRate, 90_000);
    const parameters = video?.formats[0]?.parameters;
    assert.equal(parameters?.get('packetization-mode'), '1');
    // High profile, and the parameter sets themselves.
    assert.match(parameters?.get('profile-level-id') ?? '', /^6400[0-9A-F]{2}$/);
    const sets = (parameters?.get('sprop-parameter-sets') ?? '').split(',').map((set) => Buffer.from(set, 'base64'));
    assert.deepEqual(
      sets.map((set) => (set[0] ?? 0) & 0x1f),
      [7, 8],
    );
    assert.equal(audio?.control, 'audio');
    assert.equal(audio?.formats[0]?.encodingName, 'MPEG4-GENERIC');
    assert.equal(audio?.formats[0]?.clockRate, 32_000);
    assert.equal(audio?.formats[0]?.channels, 1);
    // AAC-LC, 32 kHz, one channel.
    assert.equal(audio?.formats[0]?.parameters.get('config'), '1288');
    assert.equal(audio?.formats[0]?.parameters.get('mode'), 'AAC-hbr');
  }
});

test('a new viewer gets sender reports, then the current group of pictures at once, then live frames', async () => {
  const { camera, clock } = await start(MINUTE + 17_500);
  const client = await connect(camera);
  const reply = await client.play();
  await client.sync();
  assert.equal(reply.status, 200);
  assert.deepEqual(client.order.slice(3, 6), ['channel 1', 'channel 3', 'channel 0']);

  const [videoReport] = client.reports(1);
  const [audioReport] = client.reports(3);
  assert.ok(videoReport !== undefined && audioReport !== undefined);
  assert.equal(videoReport.ntpTime, MINUTE + 17_500);
  const video = groupUnits(client.packets(0));
  // 17.00 to 17.48, and 17.50 is no frame's time.
  assert.equal(video.length, 13);
  assert.equal(startsKeyFrame('H264', video[0]?.packets[0]?.payload ?? new Uint8Array(0)), true);
  assert.equal(utcMsOf(video[0]?.timestamp ?? 0, videoReport, 90_000), MINUTE + 17_000);
  assert.equal(utcMsOf(video[12]?.timestamp ?? 0, videoReport, 90_000), MINUTE + 17_480);
  const audio = client.packets(2);
  const audioStart = utcMsOf(audio[0]?.timestamp ?? 0, audioReport, 32_000);
  assert.ok(audioStart >= MINUTE + 17_000 && audioStart < MINUTE + 17_032, `${audioStart - MINUTE}`);

  await clock.advance(20);
  await client.sync();
  const further = groupUnits(client.packets(0));
  assert.equal(further.length, 14);
  assert.ok(further.every((unit) => unit.packets.at(-1)?.marker === true));
});

test('RTP-Info gives the first packet of each track, and the time stamp of the moment where both begin', async () => {
  const { camera } = await start(MINUTE + 3_210);
  const client = await connect(camera);
  const reply = await client.play();
  await client.sync();
  assert.equal(reply.headers.get('Range'), 'npt=now-');
  const [video, audio] = (reply.headers.get('RTP-Info') ?? '').split(',').map((text) => {
    const match = /^url=(.*);seq=(\d+);rtptime=(\d+)$/.exec(text);
    return { url: match?.[1], sequence: Number(match?.[2]), time: Number(match?.[3]) };
  });
  assert.equal(video?.url, `${camera.url}/video`);
  assert.equal(audio?.url, `${camera.url}/audio`);
  assert.equal(video?.sequence, client.packets(0)[0]?.sequenceNumber);
  assert.equal(audio?.sequence, client.packets(2)[0]?.sequenceNumber);
  const [videoReport] = client.reports(1);
  const [audioReport] = client.reports(3);
  assert.ok(videoReport !== undefined && audioReport !== undefined);
  assert.equal(utcMsOf(video?.time ?? 0, videoReport, 90_000), MINUTE + 3_000);
  assert.equal(utcMsOf(audio?.time ?? 0, audioReport, 32_000), MINUTE + 3_000);
});

test('time stamps and sequence numbers go on over the end of the clip', async () => {
  const { camera, clock } = await start(MINUTE + 57_000);
  const client = await connect(camera);
  await client.play();
  await clock.advance(6_000);
  await client.sync();
  const video = groupUnits(client.packets(0));
  const audio = client.packets(2);
  assert.equal(video.length, 151);
  assert.ok(differences(video.map((unit) => unit.timestamp)).every((step) => step === 3_600));
  assert.ok(differences(audio.map((packet) => packet.timestamp)).every((step) => step === 1_024));
  for (const channel of [0, 2]) {
    const numbers = client.packets(channel).map((packet) => packet.sequenceNumber);
    assert.ok(differences(numbers).every((step) => (step & 0xffff) === 1));
  }
  // The key frames are those of the whole seconds, on either side of the joint.
  const keyFrames = video.filter((unit) => startsKeyFrame('H264', unit.packets[0]?.payload ?? new Uint8Array(0)));
  assert.deepEqual(
    keyFrames.map((unit) => video.indexOf(unit)),
    [0, 25, 50, 75, 100, 125, 150],
  );
});

test('the same second of another minute has the same frame', async () => {
  const payloads: string[] = [];
  for (const minutes of [0, 31, 525_600]) {
    const { camera } = await start(MINUTE + 42_000 + minutes * 60_000);
    const client = await connect(camera);
    await client.play();
    await client.sync();
    payloads.push(
      client
        .packets(0)
        .map((packet) => Buffer.from(packet.payload).toString('hex'))
        .join(),
    );
  }
  assert.equal(new Set(payloads).size, 1);
  assert.ok((payloads[0]?.length ?? 0) > 1_000);
});

test('sender reports come every five seconds, on one line with the first, and count what was sent', async () => {
  const { camera, clock } = await start(MINUTE + 100);
  const client = await connect(camera);
  await client.play();
  await clock.advance(20_100);
  await client.sync();
  for (const [channel, clockRate] of [
    [1, 90_000],
    [3, 32_000],
  ] as const) {
    const reports = client.reports(channel);
    assert.equal(reports.length, 5);
    const [first] = reports;
    assert.ok(first !== undefined);
    assert.equal(first.packetCount, 0);
    for (const report of reports) {
      assert.ok(Math.abs(utcMsOf(report.rtpTimestamp, first, clockRate) - (report.ntpTime ?? 0)) < 0.1);
      assert.equal(report.ssrc, client.packets(channel - 1)[0]?.ssrc);
    }
    const sentBefore = client.frames
      .slice(
        0,
        client.frames.findLastIndex((frame) => frame.channel === channel),
      )
      .filter((frame) => frame.channel === channel - 1);
    const last = reports.at(-1);
    assert.equal(last?.packetCount, sentBefore.length);
    assert.equal(
      last?.octetCount,
      sentBefore.reduce((sum, frame) => sum + frame.payload.length - 12, 0),
    );
  }
});

test('viewers have streams of their own that show the same at the same time', async () => {
  const { camera, clock } = await start(MINUTE + 10_000);
  const first = await connect(camera);
  await first.play();
  await clock.advance(1_700);
  const second = await connect(camera);
  await second.play();
  await clock.advance(1_000);
  const seen = [];
  for (const client of [first, second]) {
    await client.sync();
    const [report] = client.reports(1);
    assert.ok(report !== undefined);
    const units = groupUnits(client.packets(0)).map((unit): [number, string] => [
      utcMsOf(unit.timestamp, report, 90_000),
      unit.packets.map((packet) => Buffer.from(packet.payload).toString('hex')).join(),
    ]);
    seen.push({ report, units: new Map(units) });
  }
  const [one, other] = seen;
  assert.ok(one !== undefined && other !== undefined);
  assert.notEqual(one.report.ssrc, other.report.ssrc);
  assert.equal(other.units.size, 43);
  for (const [time, payload] of other.units) assert.equal(one.units.get(time), payload);
});

test('the smaller stream plays beside the main one', async () => {
  const { camera, clock } = await start(MINUTE);
  const client = await connect(camera, `${camera.url}/sub`);
  await client.play();
  await clock.advance(4_000);
  await client.sync();
  const units = groupUnits(client.packets(0));
  assert.equal(units.length, 41);
  assert.ok(differences(units.map((unit) => unit.timestamp)).every((step) => step === 9_000));
  assert.ok(units.every((unit) => unit.packets.reduce((sum, packet) => sum + packet.payload.length, 0) < 8_000));
});

test('PAUSE stops both tracks; PLAY goes on live, from a key frame', async () => {
  const { camera, clock } = await start(MINUTE + 20_000);
  const client = await connect(camera);
  await client.play();
  assert.equal((await client.request('PAUSE')).status, 200);
  const before = client.frames.length;
  await clock.advance(8_400);
  await client.sync();
  assert.equal(client.frames.length, before);

  const lastNumber = client.packets(0).at(-1)?.sequenceNumber ?? 0;
  assert.equal((await client.request('PLAY')).status, 200);
  await client.sync();
  const resumed = client.frames.slice(before);
  assert.equal(resumed[0]?.channel, 1);
  const [report] = client.reports(1).slice(-1);
  assert.ok(report !== undefined);
  const first = client.packets(0).find((packet) => packet.sequenceNumber === ((lastNumber + 1) & 0xffff));
  assert.equal(utcMsOf(first?.timestamp ?? 0, report, 90_000), MINUTE + 28_000);
  assert.equal(startsKeyFrame('H264', first?.payload ?? new Uint8Array(0)), true);
});

test('a PLAY while playing changes nothing', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  await client.play();
  await client.sync();
  const before = client.frames.length;
  assert.equal((await client.request('PLAY')).status, 200);
  await client.sync();
  assert.equal(client.frames.length, before);
});

test('TEARDOWN of a track leaves the other; of all, the connection is ready for a new session', async () => {
  const { camera, clock } = await start();
  const client = await connect(camera);
  await client.play();
  const oldSession = client.session;
  assert.equal((await client.request('TEARDOWN', `${camera.url}/video`)).status, 200);
  const before = client.frames.length;
  await clock.advance(1_000);
  await client.sync();
  const after = client.frames.slice(before);
  assert.ok(after.length > 20 && after.every((frame) => frame.channel === 2));
  assert.equal((await client.request('TEARDOWN')).status, 200);
  assert.equal((await client.request('PLAY')).status, 454);
  client.session = null;
  assert.equal((await client.play()).status, 200);
  assert.notEqual(client.session, oldSession);
});

test('channels: as asked for; free ones when they were not, or are taken', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  const transport = async (track: 'video' | 'audio', offer: string) =>
    (await client.setUp(track, offer)).headers.get('Transport');
  assert.match((await transport('video', 'RTP/AVP/TCP;unicast;interleaved=8-9')) ?? '', /;interleaved=8-9;ssrc=/);
  assert.match((await transport('audio', 'RTP/AVP/TCP;unicast;interleaved=9-10')) ?? '', /;interleaved=0-1;/);
  assert.match((await transport('audio', 'RTP/AVP/TCP;unicast')) ?? '', /;interleaved=0-1;/);
  assert.match((await transport('audio', 'RTP/AVP/TCP;interleaved=255')) ?? '', /;interleaved=0-1;/);
  assert.match((await transport('audio', 'RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP')) ?? '', /=0-1;/);
});

test('requests that do not fit are answered with the status that says why', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  const status = async (method: string, url: string, headers: Record<string, string> = {}, body?: string) =>
    (await client.request(method, url, headers, body)).status;
  const { url } = camera;
  const root = url.replace('/demo', '');
  assert.equal(await status('DESCRIBE', `${root}/`), 404);
  assert.equal(await status('DESCRIBE', `${root}/demonstration`), 404);
  assert.equal(await status('DESCRIBE', `${url}/main`), 404);
  assert.equal(await status('SETUP', `${url}/text`, { Transport: TCP }), 404);
  assert.equal(await status('DESCRIBE', 'nonsense'), 400);
  assert.equal(await status('SETUP', url, { Transport: TCP }), 459);
  assert.equal(await status('SETUP', `${url}/video`, { Transport: 'RTP/AVP;unicast;client_port=5000-5001' }), 461);
  assert.equal(await status('SETUP', `${url}/video`), 461);
  assert.equal(await status('SETUP', `${url}/video`, { Transport: TCP, Session: 'abc' }), 454);
  assert.equal(await status('PLAY', url), 454);
  assert.equal(await status('PAUSE', url), 454);
  assert.equal(await status('GET_PARAMETER', url), 200);
  assert.equal(await status('RECORD', url), 501);
  assert.equal(await status('CONSTRUCTOR', url), 501);

  await client.setUp('video', TCP);
  assert.equal(await status('PLAY', url, { Session: 'abc' }), 454);
  assert.equal(await status('TEARDOWN', url, { Session: 'abc' }), 454);
  assert.equal(await status('PLAY', `${url}/sub`), 455);
  assert.equal(await status('SETUP', `${url}/sub/audio`, { Transport: TCP }), 455);
  assert.equal(await status('GET_PARAMETER', url, {}, 'position\r\n'), 451);
  assert.equal(await status('SET_PARAMETER', url, {}, 'brightness: 9\r\n'), 451);
  assert.equal(await status('SET_PARAMETER', url), 200);
  assert.equal(await status('PLAY', url), 200);
  assert.equal(await status('SETUP', `${url}/audio`, { Transport: TCP }), 455);
  const refused = await client.request('PLAY', url, { Require: 'onvif-replay' });
  assert.equal(refused.status, 551);
  assert.equal(refused.headers.get('Unsupported'), 'onvif-replay');
});

test('a session belongs to its connection', async () => {
  const { camera } = await start();
  const owner = await connect(camera);
  await owner.play();
  const other = await connect(camera);
  other.session = owner.session;
  assert.equal((await other.request('PLAY')).status, 454);
  assert.equal((await other.request('TEARDOWN')).status, 454);
  assert.equal((await owner.request('GET_PARAMETER')).status, 200);
});

test('every reply has the CSeq of its request, in order, when requests come all at once', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  const replies = await Promise.all([
    client.request('OPTIONS'),
    client.request('DESCRIBE'),
    client.request('SETUP', `${camera.url}/video`, { Transport: TCP }),
    client.request('PLAY', `${camera.url}/nowhere`),
    client.request('OPTIONS', '*'),
  ]);
  assert.deepEqual(
    replies.map((reply) => [reply.status, reply.headers.get('CSeq')]),
    [
      [200, '1'],
      [200, '2'],
      [200, '3'],
      [404, '4'],
      [200, '5'],
    ],
  );
  assert.match(replies[0]?.headers.get('Public') ?? '', /\bGET_PARAMETER\b/);
});

test('credentials in a request are not repeated in the reply', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  const reply = await client.request('DESCRIBE', camera.url.replace('://', '://user:secret@'));
  assert.equal(reply.headers.get('Content-Base'), `${camera.url}/`);
});

test('a session without a sign of life ends after a minute, with a goodbye; receiver reports are signs', async () => {
  const { camera, clock } = await start();
  const silent = await connect(camera);
  await silent.play();
  const alive = await connect(camera);
  await alive.play();
  for (let second = 0; second < 60; second += 20) {
    // A receiver report on the video's RTCP channel.
    alive.socket.write(Buffer.from('2401000880c9000100000001', 'hex'));
    await alive.sync();
    await clock.advance(20_000);
  }
  await within(silent.closed, 'the end of the silent session');
  const lastPackets = parseRtcp(silent.frames.at(-1)?.payload ?? new Uint8Array(0));
  assert.equal(lastPackets.at(-1)?.kind, 'goodbye');
  await clock.advance(1_000);
  assert.equal((await alive.request('GET_PARAMETER')).status, 200);
});

test('a viewer who reads nothing costs little memory, loses whole frames, and is live when it reads again', async () => {
  const { camera, clock } = await start(MINUTE);
  const client = await connect(camera);
  await client.play();
  await client.sync();
  const other = await connect(camera);
  await other.play();
  client.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  // Forty minutes are 23 MB.
  for (let second = 0; second < 2_400; second += 5) {
    for (const one of [client, other]) one.socket.write(Buffer.from('2401000880c9000100000001', 'hex'));
    await clock.advance(5_000);
    other.frames.length = 0;
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 4_000_000, `the camera's memory grew by ${grown} bytes`);
  await other.sync();
  assert.equal((await other.request('GET_PARAMETER')).status, 200);

  client.socket.resume();
  await until(() => groupUnits(client.packets(0)).length > 100, 'the backlog');
  const rounds = 3;
  for (let round = 0; round < rounds; round++) {
    await client.sync();
    await clock.advance(2_000);
  }
  await client.sync();
  const [report] = client.reports(1);
  assert.ok(report !== undefined);
  const units = groupUnits(client.packets(0));
  let gaps = 0;
  units.forEach((unit, index) => {
    assert.equal(unit.packets.at(-1)?.marker, true);
    const previous = units[index - 1];
    if (previous === undefined || (unit.timestamp - previous.timestamp) >>> 0 === 3_600) return;
    gaps++;
    assert.equal(startsKeyFrame('H264', unit.packets[0]?.payload ?? new Uint8Array(0)), true);
  });
  assert.ok(gaps > 0, 'frames were left out');
  const last = utcMsOf(units.at(-1)?.timestamp ?? 0, report, 90_000);
  assert.ok(clock.utc() - last <= 40, `the newest frame is ${clock.utc() - last} ms old`);
});

test('requests of a viewer who reads no replies are not answered without end', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  client.socket.pause();
  const request = Buffer.from(`DESCRIBE ${camera.url} RTSP/1.0\r\nCSeq: 1\r\n\r\n`.repeat(1_000));
  const before = process.memoryUsage().arrayBuffers;
  // Some 60 MB of replies, if all were answered.
  for (let round = 0; round < 60; round++) {
    client.socket.write(request);
    await settle();
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 16_000_000, `the memory of both grew by ${grown} bytes`);
  const other = await connect(camera);
  assert.equal((await other.request('OPTIONS')).status, 200);
});

test('when the clock is set, the picture follows it, with a new report and a key frame', async () => {
  const { camera, clock } = await start(MINUTE + 5_000);
  const client = await connect(camera);
  await client.play();
  for (const utcMs of [MINUTE + 7_200_000 + 33_300, MINUTE - 86_400_000 + 12_900]) {
    await client.sync();
    const before = client.packets(0).length;
    clock.setUtc(utcMs);
    await clock.advance(40);
    await client.sync();
    const report = client.reports(1).at(-1);
    assert.ok(report !== undefined);
    assert.ok(Math.abs((report.ntpTime ?? 0) - utcMs) <= 40);
    const units = groupUnits(client.packets(0).slice(before));
    const first = units[0];
    assert.equal(startsKeyFrame('H264', first?.packets[0]?.payload ?? new Uint8Array(0)), true);
    assert.equal(utcMsOf(first?.timestamp ?? 0, report, 90_000), Math.floor(utcMs / 1000) * 1000);
    assert.ok(units.length < 30, `${units.length} frames`);
  }
});

test('what is no RTSP ends that connection alone', async () => {
  const { camera } = await start();
  const watcher = await connect(camera);
  await watcher.play();
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc.string({ maxLength: 100 }).map((text) => Buffer.from(`SETUP ${text} RTSP/1.0\r\nTransport: ${text}\r\n\r\n`)),
    fc.constantFrom(
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from(`OPTIONS * RTSP/1.0\r\nX: ${'x'.repeat(100_000)}`),
      Buffer.from('SETUP rtsp://x/demo RTSP/1.0\r\nContent-Length: 99999999999\r\n\r\n'),
      Buffer.from('$\0'),
    ),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (chunk) => {
      const client = await DemoClient.connect(camera);
      client.socket.end(chunk);
      client.socket.resume();
      await within(client.closed, 'the end of a broken connection');
    }),
    { numRuns: 60 },
  );
  assert.equal((await watcher.request('GET_PARAMETER')).status, 200);
});

test('closing the camera says goodbye to viewers and frees the port', async () => {
  const { camera } = await start();
  const client = await connect(camera);
  await client.play();
  await Promise.all([camera.close(), camera.close()]);
  await within(client.closed, 'the end of the connection');
  const kinds = client.frames.slice(-2).map((frame) => parseRtcp(frame.payload).at(-1)?.kind);
  assert.deepEqual(kinds, ['goodbye', 'goodbye']);
  const again = await startDemoCamera({ port: camera.port });
  cameras.push(again);
  assert.equal(again.port, camera.port);
  await assert.rejects(startDemoCamera({ port: camera.port }), { code: 'EADDRINUSE' });
});
