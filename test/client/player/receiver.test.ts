import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { Mp4Recorder } from '../../../client/player/mp4-recorder.js';
import { Receiver } from '../../../client/player/receiver.js';
import type { TrackReceiver } from '../../../client/player/track-receiver.js';
import { TcpTransport } from '../../../client/transport/tcp.js';
import { startDemoCamera } from '../../../proxy/demo/camera.js';
import { systemClock } from '../../../shared/clock.js';
import { StreamError } from '../../../shared/errors.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { serializeGoodbye, serializeReceiverReport } from '../../../shared/rtcp-writer.js';
import { serializeRtpPacket } from '../../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../../shared/rtsp-message.js';
import { parseRtspUrl } from '../../../shared/rtsp-url.js';
import { h264Clip } from '../../support/h264-clip.js';
import { keeper } from '../../support/keeper.js';
import { clipDescription, type ScriptedCameraOptions, startScriptedCamera } from '../../support/scripted-camera.js';

// Cameras over TCP: the demo camera with picture and sound, and one that follows a script.

const keep = keeper(after);
const timeout = 20_000;

interface Unit {
  track: TrackReceiver;
  unit: AccessUnit;
  time: number;
}

interface Fixture {
  receiver: Receiver;
  units: Unit[];
  chosen: TrackReceiver[][];
  ends: number;
  closes: (StreamError | null)[];
  until(what: string, condition: () => boolean, timeoutMs?: number): Promise<void>;
}

function makeReceiver(context: TestContext, url: string): Fixture {
  const { host, port } = parseRtspUrl(url);
  let wake = () => {};
  const fixture: Fixture = {
    receiver: new Receiver(
      { transport: new TcpTransport({ scheme: 'rtsp', host, port }), url, clock: systemClock },
      {
        onTracks: (tracks) => note(() => fixture.chosen.push([...tracks])),
        onAccessUnit: (track, unit, time) => note(() => fixture.units.push({ track, unit, time })),
        onEnd: () => note(() => fixture.ends++),
        onClose: (error) => note(() => fixture.closes.push(error)),
      },
    ),
    units: [],
    chosen: [],
    ends: 0,
    closes: [],
    until: (what, condition, timeoutMs = 8_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`Not within ${timeoutMs} ms: ${what}`)), timeoutMs);
        wake = () => {
          if (!condition()) return;
          clearTimeout(timer);
          wake = () => {};
          resolve();
        };
        wake();
      }),
  };
  function note(change: () => void): void {
    change();
    wake();
  }
  context.after(() => fixture.receiver.close());
  return fixture;
}

async function open(context: TestContext, script: ScriptedCameraOptions = {}) {
  const camera = await startScriptedCamera(script);
  context.after(() => camera.stop());
  return { camera, fixture: makeReceiver(context, camera.url()) };
}

const ofKind = ({ units }: Fixture, kind: 'video' | 'audio') => units.filter(({ track }) => track.kind === kind);
const code = (expected: string) => (thrown: unknown) => thrown instanceof StreamError && thrown.code === expected;

test('the demo camera: both tracks, on one time line, with the times at which they were taken', {
  timeout,
}, async (t) => {
  const camera = await keep(startDemoCamera());
  const fixture = makeReceiver(t, camera.url);
  const { receiver, units, chosen, until } = fixture;
  await receiver.start();
  assert.deepEqual(
    chosen.map((tracks) => tracks.map(({ kind }) => kind)),
    [['video', 'audio']],
  );
  await until('two seconds of both', () => {
    const last = (kind: 'video' | 'audio') => ofKind(fixture, kind).at(-1)?.time ?? 0;
    return last('video') > 2 && last('audio') > 2;
  });
  const [firstVideo] = ofKind(fixture, 'video');
  assert.equal(firstVideo?.unit.isKeyFrame, true);
  assert.equal(firstVideo?.unit.config?.kind, 'video');
  for (const kind of ['video', 'audio'] as const) {
    const times = ofKind(fixture, kind).map(({ time }) => time);
    assert.ok(
      times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)),
      `${kind} goes on`,
    );
    assert.ok((times[0] ?? 9) > -1 && (times[0] ?? 9) < 1, `${kind} begins at ${times[0]}`);
  }
  const newest = units.at(-1)?.time ?? 0;
  const utc = receiver.utcAt(newest);
  assert.ok(utc !== null && Math.abs(utc - Date.now()) < 1_000, `${utc}, now ${Date.now()}`);
  const [video, audio] = receiver.tracks;
  const difference = (video?.clock.captureAt(newest)?.utc ?? 0) - (audio?.clock.captureAt(newest)?.utc ?? 9_999);
  assert.ok(Math.abs(difference) < 30, `picture and sound are ${difference} ms apart`);
  const stats = video?.stats();
  assert.equal(stats?.packetsLost, 0);
  assert.ok((stats?.framesReceived ?? 0) >= 50);
  await receiver.teardown();
  await receiver.teardown();
  assert.deepEqual(fixture.closes, []);
});

test('pauses, and goes on with a key frame', { timeout }, async (t) => {
  const camera = await keep(startDemoCamera());
  const fixture = makeReceiver(t, camera.url);
  const { receiver, until, units } = fixture;
  await receiver.start();
  await until('frames', () => ofKind(fixture, 'video').length > 5);
  await receiver.pause();
  const count = units.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(units.length, count);
  await receiver.resume();
  await until('more frames', () => ofKind({ ...fixture, units: units.slice(count) }, 'video').length > 5);
  const [first] = units.slice(count).filter(({ track }) => track.kind === 'video');
  assert.equal(first?.unit.isKeyFrame, true);
  assert.ok((first?.time ?? 9) < 2, `${first?.time}`);
});

test('RTCP BYE of all tracks is the end, told once, with the connection still there', { timeout }, async (t) => {
  const { camera, fixture } = await open(t);
  await fixture.receiver.start();
  await fixture.until('a frame', () => fixture.units.length > 0);
  const [connection] = camera.connections;
  connection?.stopMedia();
  const goodbye = (ssrc: number) =>
    Buffer.concat([serializeReceiverReport({ ssrc }), serializeGoodbye({ ssrcs: [ssrc] })]);
  // Of somebody else; then its own, twice.
  connection?.send(serializeInterleaved(1, goodbye(0x999)));
  connection?.send(serializeInterleaved(1, goodbye(0x12345678)));
  await fixture.until('the end', () => fixture.ends > 0);
  assert.equal(fixture.ends, 1);
  assert.deepEqual(fixture.closes, []);
  await fixture.receiver.teardown();
  await camera.waitForRequest('TEARDOWN');
});

/** The clip's description with a track of sound behind it. */
async function withSound(sound: readonly string[]): Promise<string> {
  return `${clipDescription(await h264Clip())}${sound.join('\r\n')}\r\n`;
}

const aac = [
  'm=audio 0 RTP/AVP 97',
  'a=rtpmap:97 MPEG4-GENERIC/48000/2',
  'a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190',
  'a=control:trackID=1',
];

test('a track that the camera refuses does not end the other', { timeout }, async (t) => {
  const { fixture } = await open(t, {
    sdp: await withSound(aac),
    on: {
      SETUP: (request, connection) =>
        request.url.endsWith('trackID=1') ? connection.reply(request, { status: 500 }) : connection.answer(request),
    },
  });
  await fixture.receiver.start();
  await fixture.until('a frame', () => fixture.units.length > 0);
  assert.deepEqual(
    fixture.chosen[0]?.map(({ kind }) => kind),
    ['video'],
  );
});

test('all tracks refused: the first refusal is the reason', { timeout }, async (t) => {
  const { fixture } = await open(t, {
    on: { SETUP: (request, connection) => connection.reply(request, { status: 461 }) },
  });
  await assert.rejects(fixture.receiver.start(), code('transport-unsupported'));
  assert.deepEqual(fixture.chosen, []);
});

test('a backchannel is not received, unless the camera calls everything sendonly', { timeout }, async (t) => {
  const one = await open(t, { sdp: await withSound([...aac, 'a=sendonly']) });
  await one.fixture.receiver.start();
  assert.deepEqual(
    one.fixture.chosen[0]?.map(({ kind }) => kind),
    ['video'],
  );
  const sdp = (await withSound([...aac, 'a=sendonly'])).replace(
    'a=control:trackID=0',
    'a=sendonly\r\na=control:trackID=0',
  );
  const all = await open(t, { sdp });
  await all.fixture.receiver.start();
  assert.deepEqual(
    all.fixture.chosen[0]?.map(({ kind }) => kind),
    ['video', 'audio'],
  );
});

test('nothing that can be played: the error names what is offered', { timeout }, async (t) => {
  const sdp = 'v=0\r\ns=-\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 X-VENDOR/90000\r\na=control:1\r\n';
  const { fixture } = await open(t, { sdp });
  await assert.rejects(
    fixture.receiver.start(),
    (thrown) => code('no-playable-track')(thrown) && /X-VENDOR/.test(String(thrown)),
  );
});

test('another SSRC: stray packets are dropped, two in a row are the new source', { timeout }, async (t) => {
  const { camera, fixture } = await open(t);
  await fixture.receiver.start();
  await fixture.until('frames', () => fixture.units.length > 3);
  const [connection] = camera.connections;
  connection?.stopMedia();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const [track] = fixture.receiver.tracks;
  const before = track?.stats().packetsDiscarded ?? 0;
  const seen = fixture.units.length;
  const clip = await h264Clip();
  const stray = new H264Packetizer({ payloadType: 96, ssrc: 5, sequenceNumber: 40_000 });
  const next = new H264Packetizer({ payloadType: 96, ssrc: 6, sequenceNumber: 7 });
  const send = (packetizer: H264Packetizer, frame: number) => {
    for (const packet of packetizer.packetize([...(clip.accessUnits[frame % 50] ?? [])], 1_000_000 + frame * 3_600)) {
      connection?.send(serializeInterleaved(0, packet));
    }
  };
  connection?.send(serializeInterleaved(0, stray.packetize([Uint8Array.of(0x41, 0x9a, 1)], 77)[0] ?? new Uint8Array()));
  // From the clip's second key frame on; its first packet is lost to the proof that the source is another one.
  for (let frame = 25; frame < 60; frame++) send(next, frame);
  await fixture.until('the new source', () => fixture.units.length > seen + 5);
  assert.ok((track?.stats().packetsDiscarded ?? 0) >= before + 2);
  const units = fixture.units.slice(seen);
  assert.equal(units[0]?.unit.isKeyFrame, true);
  const times = units.map(({ time }) => time);
  assert.ok(
    times.every((time) => time > -1 && time < 5),
    `${times}`,
  );
});

test('the camera ends the connection: told once, with a reason', { timeout }, async (t) => {
  const { camera, fixture } = await open(t);
  await fixture.receiver.start();
  camera.connections[0]?.reset();
  await fixture.until('the end', () => fixture.closes.length > 0);
  assert.equal(fixture.closes.length, 1);
  assert.ok(fixture.closes[0] instanceof StreamError);
  await fixture.receiver.teardown();
  fixture.receiver.close();
  assert.equal(fixture.closes.length, 1);
});

for (const method of ['DESCRIBE', 'SETUP', 'PLAY']) {
  for (const how of ['close', 'teardown', 'abort'] as const) {
    test(`${how} while ${method} has no answer: start() settles, and nothing is told later`, { timeout }, async (t) => {
      const { camera, fixture } = await open(t, { on: { [method]: () => {} } });
      const abort = new AbortController();
      const started = fixture.receiver.start(abort.signal);
      started.catch(() => undefined);
      await camera.waitForRequest(method);
      if (how === 'close') fixture.receiver.close();
      else if (how === 'abort') abort.abort();
      else await fixture.receiver.teardown();
      await assert.rejects(started, StreamError);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(fixture.units.length, 0);
      assert.deepEqual(fixture.closes, []);
    });
  }

  test(`the camera hangs up instead of answering ${method}: start() rejects`, { timeout }, async (t) => {
    const { fixture } = await open(t, { on: { [method]: (_request, connection) => connection.end() } });
    await assert.rejects(fixture.receiver.start(), StreamError);
  });
}

test('close() before start() and within a handler', { timeout }, async (t) => {
  const { camera, fixture } = await open(t);
  fixture.receiver.close();
  await assert.rejects(fixture.receiver.start(), StreamError);
  const { host, port } = parseRtspUrl(camera.url());
  let units = 0;
  const receiver: Receiver = new Receiver(
    { transport: new TcpTransport({ scheme: 'rtsp', host, port }), url: camera.url(), clock: systemClock },
    {
      onTracks: () => {},
      onAccessUnit: () => {
        units++;
        receiver.close();
      },
      onEnd: () => {},
      onClose: () => assert.fail('closed by this end'),
    },
  );
  await receiver.start();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(units, 1);
});

test('a recorder whose camera falls silent gives up, and keeps what it has', { timeout }, async (t) => {
  const { camera } = await open(t);
  const { host, port } = parseRtspUrl(camera.url());
  let bytes = 0;
  const recorder = new Mp4Recorder(
    { transport: new TcpTransport({ scheme: 'rtsp', host, port }), url: camera.url(), clock: systemClock },
    {
      onBytes: (chunk) => {
        bytes += chunk.length;
      },
    },
  );
  setTimeout(() => camera.connections.at(-1)?.stopMedia(), 800);
  await assert.rejects(recorder.record(), code('no-data'));
  assert.ok(bytes > 5_000, `${bytes} bytes`);
});

test('a recorder that is stopped before the camera answers', { timeout }, async (t) => {
  const { camera } = await open(t, { on: { DESCRIBE: () => {} } });
  const { host, port } = parseRtspUrl(camera.url());
  const recorder = new Mp4Recorder(
    { transport: new TcpTransport({ scheme: 'rtsp', host, port }), url: camera.url(), clock: systemClock },
    { onBytes: () => assert.fail('nothing to write') },
  );
  const abort = new AbortController();
  const recorded = recorder.record(abort.signal);
  await camera.waitForRequest('DESCRIBE');
  abort.abort();
  await assert.rejects(recorded, code('aborted'));
});

test('a live camera that says in its reply to PLAY what time it is has dates before the first sender report', {
  timeout,
}, async (t) => {
  const { fixture } = await open(t, {
    on: {
      PLAY: (request, connection) => {
        connection.reply(request, {
          headers: {
            Range: 'clock=20260503T100000.500Z-',
            'RTP-Info': `url=${request.url.replace(/\/$/, '')}/trackID=0;seq=1000;rtptime=0`,
          },
        });
        connection.startMedia();
      },
    },
  });
  await fixture.receiver.start();
  await fixture.until('frames', () => fixture.units.length > 3);
  const { time, unit } = fixture.units[2] as Unit;
  const utc = Date.UTC(2026, 4, 3, 10, 0, 0, 500) + unit.presentationTime / 90;
  const capture = fixture.receiver.captureAt(time);
  assert.deepEqual(capture, { utc, source: 'play-range', uncertainty: 0.0001 * time }, 'as far off as quartz may be');
});

test('a page that wants one kind of track gets no other', { timeout }, async (t) => {
  const camera = await keep(startDemoCamera());
  const { host, port } = parseRtspUrl(camera.url);
  const chosen = async (...tracks: string[]) => {
    const receiver = new Receiver(
      { transport: new TcpTransport({ scheme: 'rtsp', host, port }), url: camera.url, clock: systemClock, tracks },
      { onTracks: () => {}, onAccessUnit: () => {}, onEnd: () => {}, onClose: () => {} },
    );
    t.after(() => receiver.close());
    await receiver.start();
    return receiver.tracks.map(({ kind }) => kind);
  };
  assert.deepEqual(await chosen('audio'), ['audio']);
  assert.deepEqual(await chosen('video'), ['video']);
  assert.deepEqual(await chosen('1', '0'), ['audio', 'video']);
  assert.deepEqual(await chosen('h264', 'opus'), ['video']);
  await assert.rejects(chosen('h265'), code('no-playable-track'));
});

const telephony = [
  'm=audio 0 RTP/AVP 0 13 101',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=control:trackID=0',
  '',
].join('\r\n');

test('comfort noise and telephone events beside PCMU are passed over, and nothing counts as lost', {
  timeout,
}, async (t) => {
  const { camera, fixture } = await open(t, {
    sdp: `v=0\r\ns=-\r\n${telephony}`,
    on: { PLAY: (request, connection) => connection.reply(request, {}) },
  });
  await fixture.receiver.start();
  const [connection] = camera.connections;
  let sequenceNumber = 0xfff0;
  const send = (payloadType: number, timestamp: number, payload: Uint8Array) => {
    const packet = { payloadType, marker: false, sequenceNumber, timestamp, ssrc: 7, payload };
    connection?.send(serializeInterleaved(0, serializeRtpPacket(packet)));
    sequenceNumber = (sequenceNumber + 1) & 0xffff;
  };
  const voice = new Uint8Array(160).fill(0x55);
  for (let block = 0; block < 10; block++) send(0, 160 * block, voice);
  // RFC 3389: the level of the noise. RFC 4733: the key 5, its duration grows.
  for (let block = 10; block < 20; block += 5) send(13, 160 * block, Uint8Array.of(60));
  for (let block = 20; block < 30; block++) send(0, 160 * block, voice);
  for (let block = 0; block < 5; block++) send(101, 160 * 30, Uint8Array.of(5, 10, 0, 160 * block));
  for (let block = 35; block < 45; block++) send(0, 160 * block, voice);
  await fixture.until('all blocks', () => fixture.units.length === 30);
  assert.deepEqual(
    fixture.units.map(({ time }) => Math.round(50 * time)),
    Array.from({ length: 45 }, (_, block) => block).filter(
      (block) => block < 10 || (block >= 20 && block < 30) || block >= 35,
    ),
  );
  const { packetsLost, packetsDiscarded, framesDropped } = fixture.receiver.tracks[0]?.stats() ?? {};
  assert.deepEqual([packetsLost, packetsDiscarded, framesDropped], [0, 0, 0]);
});

test('error correction in the sequence of the video costs no frame; what is lost before it does', {
  timeout,
}, async (t) => {
  const clip = await h264Clip();
  const sdp = `${clipDescription(clip)}a=rtpmap:97 ulpfec/90000\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=96\r\n`;
  const { camera, fixture } = await open(t, {
    sdp: sdp.replace('AVP 96', 'AVP 96 97 98'),
    on: { PLAY: (request, connection) => connection.reply(request, {}) },
  });
  await fixture.receiver.start();
  const [connection] = camera.connections;
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 7, sequenceNumber: 0 });
  let sequenceNumber = 0;
  const extra = (payloadType: number, ssrc: number, number: number) =>
    connection?.send(
      serializeInterleaved(
        0,
        serializeRtpPacket({
          payloadType,
          marker: true,
          sequenceNumber: number,
          timestamp: 0,
          ssrc,
          payload: Uint8Array.of(1, 2, 3),
        }),
      ),
    );
  for (const [frame, nalUnits] of [...clip.accessUnits.slice(0, 50), ...clip.accessUnits.slice(0, 1)].entries()) {
    for (const packet of packetizer.packetize([...nalUnits], frame * 3_600)) {
      new DataView(packet.buffer, packet.byteOffset).setUint16(2, sequenceNumber++);
      // In the second group of pictures a frame is missing, and error correction follows at once.
      if (frame !== 30) connection?.send(serializeInterleaved(0, packet));
    }
    extra(97, 7, sequenceNumber++);
    // Repetitions have a source and a sequence of their own.
    extra(98, 8, 2 * frame);
    extra(98, 8, 2 * frame + 1);
  }
  // Those of the second group up to the loss, none after it, and the third group's key frame.
  await fixture.until('the last key frame', () => fixture.units.length === 31);
  const { framesDropped, packetsLost, packetsDiscarded } = fixture.receiver.tracks[0]?.stats() ?? {};
  assert.equal(framesDropped, 19);
  assert.ok((packetsLost ?? 0) > 0);
  assert.equal(packetsDiscarded, 2 * 51);
});
