import assert from 'node:assert/strict';
import { serializeReceiverReport, serializeSenderReport } from '../../shared/rtcp-writer.js';
import { parseRtpPacket, serializeRtpPacket } from '../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import type { ScriptedConnection } from '../support/scripted-camera.js';
import {
  answers,
  clip,
  clipAs,
  GROUP,
  type Handler,
  healthySdp,
  inTurn,
  nextFrames,
  ok,
  type PlayedFrame,
  type Quirk,
  STEP,
  says,
  sendPackets,
  setsUp,
  soundPacket,
  soundSdp,
  testQuirks,
} from './play-through.js';

// What comes between and inside of interleaved frames, and what replies to PLAY say about it.

const storedSdp = (range = 'npt=0-60') => healthySdp.replace('m=video', `a=range:${range}\r\nm=video`);

function changed(packet: Uint8Array, change: Partial<Parameters<typeof serializeRtpPacket>[0]>): Uint8Array {
  const parsed = parseRtpPacket(packet);
  assert.ok(parsed !== null);
  return serializeRtpPacket({ ...parsed, ...change });
}

const shifted = (ticks: number) => (packet: Uint8Array) =>
  changed(packet, { timestamp: ((parseRtpPacket(packet)?.timestamp ?? 0) + ticks) >>> 0 });

/** The sequence number that a packet has. */
const sequenceOf = (packet: Uint8Array | undefined) => parseRtpPacket(packet ?? new Uint8Array())?.sequenceNumber ?? 0;

/** PLAY's answer with these headers, and these packets, made for each connection, behind it. */
function sends(headers: readonly string[], packetsOf: (connection: ScriptedConnection) => Uint8Array[]): Handler {
  return (request, connection) => {
    says([...ok, ...headers])(request, connection);
    sendPackets(connection, packetsOf(connection));
  };
}

/** A PLAY's answer, with what can only be known as soon as the packets are made. */
function positioned(
  range: string,
  packetsOf: (connection: ScriptedConnection) => Uint8Array[],
  before: (connection: ScriptedConnection) => Uint8Array[] = () => [],
): Handler {
  return (request, connection) => {
    sendPackets(connection, before(connection));
    const packets = packetsOf(connection);
    const [first] = packets;
    const time = parseRtpPacket(first ?? new Uint8Array())?.timestamp;
    const info = `url={url}/trackID=0;seq=${sequenceOf(first)};rtptime=${time}`;
    says([...ok, `Range: npt=${range}`, `RTP-Info: ${info}`])(request, connection);
    sendPackets(connection, packets);
  };
}

const group = (connection: ScriptedConnection) => nextFrames(connection, GROUP);
const times = (frames: readonly PlayedFrame[]) => frames.map(({ time }) => Math.round(time * 1_000) / 1_000);
const senderReport = (ssrc = 0x1234_5678) =>
  serializeSenderReport({ ssrc, ntpTime: 1_700_000_000_000, rtpTimestamp: 0, packetCount: 1, octetCount: 1 });

testQuirks([
  {
    row: 32,
    what: 'pictures and reports before the reply to PLAY (live555, Reolink, v4l2rtspserver)',
    on: {
      SETUP(request, connection) {
        answers(request, connection);
        connection.send(serializeInterleaved(1, senderReport()));
      },
      PLAY(request, connection) {
        sendPackets(connection, nextFrames(connection, 5));
        connection.send(serializeInterleaved(1, senderReport()));
        answers(request, connection);
      },
    },
    frames: { video: 8 },
    check({ frames, receiver }) {
      assert.equal(frames[0]?.unit.isKeyFrame, true);
      assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
      assert.ok(receiver.session.stats.heldPackets > 5);
    },
  },
  {
    row: 33,
    what: 'data on channels that were never set up (several)',
    on: {
      PLAY(request, connection) {
        answers(request, connection);
        const [packet = new Uint8Array()] = connection.nextFrame();
        for (const channel of [2, 7, 255]) connection.send(serializeInterleaved(channel, packet));
        sendPackets(connection, group(connection));
      },
    },
    check({ receiver }) {
      assert.equal(receiver.session.stats.strayPackets, 3);
      assert.equal(receiver.session.stats.resyncs, 0);
    },
  },
  {
    row: 34,
    what: 'data of a dead session in a new connection, one TEARDOWN (live555 before 2017-06-04)',
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        for (const packet of nextFrames(connection, 10)) {
          const dead = changed(packet, { ssrc: 0xdead_beef, sequenceNumber: 40_000 });
          sendPackets(connection, [packet, dead], 0);
          sendPackets(connection, [dead], 2);
        }
      },
    },
    frames: { video: 10 },
    async check(played) {
      const { frames, receiver, requests, connection } = played;
      assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
      assert.equal(frames.length, 10);
      await Promise.all([receiver.teardown(), receiver.teardown()]);
      // The proxy has nothing to add when the viewer has left.
      await played.until('the end of the connection', () => connection.socket.destroyed);
      assert.equal(requests('TEARDOWN').length, 1);
    },
  },
  {
    row: 35,
    what: 'RTCP on the channel of RTP, and the reverse (several)',
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        connection.send(serializeInterleaved(0, senderReport()));
        sendPackets(connection, nextFrames(connection, 10), 1);
        connection.send(serializeInterleaved(0, senderReport()));
        connection.startMedia(1);
      },
    },
    frames: { video: 12 },
    check({ receiver, frames }) {
      assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
      assert.equal(receiver.utcAt(frames[0]?.time ?? Number.NaN), 1_700_000_000_000);
    },
  },
  {
    row: 36,
    what: 'junk between interleaved frames (several)',
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        for (const packets of Array.from({ length: 3 }, () => nextFrames(connection, GROUP))) {
          sendPackets(connection, packets);
          connection.send('\0junk$$');
          // What would be a frame but for its channel, its length or its contents.
          connection.send(
            Uint8Array.of(0x24, 9, 0, 200, 0x80, 96, 1, 2, 0x24, 0, 0, 3, 0x80, 0x24, 0, 0, 200, 0x11, 96),
          );
        }
        connection.startMedia(0);
      },
    },
    frames: { video: 3 * GROUP + 3 },
    check({ receiver }) {
      assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
      assert.ok(receiver.session.stats.strayPackets === 0);
    },
  },
  ...[10_000, 65_000].map(
    (maxPayloadBytes): Quirk => ({
      row: 37,
      what: `packets of ${maxPayloadBytes} bytes (Tapo)`,
      media: clipAs(
        { maxPayloadBytes },
        // Filler data (NAL unit type 12) would be left out, SEI is kept.
        clip.accessUnits.map((unit) => [
          Uint8Array.from({ length: maxPayloadBytes }, (_, at) => (at === 0 ? 6 : 0x55)),
          ...unit,
        ]),
      ),
      check({ frames, receiver }) {
        assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
        for (const { unit } of frames) assert.ok(unit.byteLength > maxPayloadBytes, `${unit.byteLength} bytes`);
      },
    }),
  ),
  {
    row: 38,
    what: 'packets of payload type 50 with the sequence numbers of the picture (Geovision)',
    on: {
      PLAY: sends([], (connection) =>
        nextFrames(connection, GROUP).flatMap((packet) => [
          changed(packet, { payloadType: 50, payload: Uint8Array.of(0x41, 1, 2, 3) }),
          packet,
        ]),
      ),
    },
    frames: { video: GROUP },
    check({ receiver }) {
      const stats = receiver.tracks[0]?.stats();
      assert.deepEqual([stats?.packetsLost, stats?.framesDropped], [0, 0]);
      assert.equal(stats?.packetsDiscarded, stats?.packetsReceived);
    },
  },
  {
    row: 39,
    what: 'SDES without END, reports of an unknown SSRC (Tapo C320WS)',
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        sendPackets(connection, nextFrames(connection, 5));
        const withoutEnd = Buffer.from('81ca0003123456780106616263646566', 'hex');
        connection.send(serializeInterleaved(1, withoutEnd));
        connection.send(serializeInterleaved(1, senderReport(0xbad)));
        connection.send(serializeInterleaved(1, serializeReceiverReport({ ssrc: 0xbad })));
        connection.startMedia(0);
      },
    },
    frames: { video: 10 },
    check({ receiver, frames }) {
      assert.equal(receiver.tracks[0]?.stats().packetsLost, 0);
      assert.equal(receiver.utcAt(frames[0]?.time ?? 0), null);
    },
  },
  {
    row: 40,
    what: 'the SSRC is wrong at the start (several)',
    on: {
      PLAY: sends([], (connection) =>
        nextFrames(connection, 2 * GROUP).map((packet, index) => (index < 2 ? changed(packet, { ssrc: 7 }) : packet)),
      ),
    },
    // From the second key frame on at the latest.
    frames: { video: GROUP },
  },
  {
    row: 41,
    what: 'no RTP-Info (H264DVR and many)',
    on: { PLAY: sends([], (connection) => nextFrames(connection, GROUP, shifted(3_000_000_000))) },
    frames: { video: GROUP },
    check: ({ frames }) => assert.deepEqual(times(frames).slice(0, 3), [0, 0.01, 0.02]),
  },
  // By it, play has begun two seconds before the first picture.
  ...[
    'url=trackID=0;seq=1000;rtptime=4294787296;',
    'url=rtsp://10.1.1.1:9/wrong;seq=1000;rtptime=4294787296',
    'url=;seq=1000;rtptime=4294787296',
    'seq=1000; rtptime=4294787296',
    'url=rtsp://10.1.1.1/a;seq=1000;rtptime=4294787296, url=rtsp://10.1.1.1/b;seq=7;rtptime=0',
  ].map(
    (info): Quirk => ({
      row: 42,
      what: `RTP-Info: ${info} (GW, Laureii, GStreamer)`,
      on: { PLAY: sends([`RTP-Info: ${info}`], group) },
      frames: { video: GROUP },
      check: ({ frames }) => assert.deepEqual(times(frames).slice(0, 2), [2, 2.01]),
    }),
  ),
  {
    row: 42,
    what: 'RTP-Info of two streams with a blank behind the comma (GStreamer)',
    sdp: healthySdp + soundSdp,
    on: {
      SETUP: inTurn(setsUp('RTP/AVP/TCP;interleaved=0-1'), setsUp('RTP/AVP/TCP;interleaved=2-3')),
      PLAY(request, connection) {
        const info = 'url={url}trackID=0;seq=1000;rtptime=4294787296, url={url}trackID=1;seq=500;rtptime=4294959296;';
        says([...ok, `RTP-Info: ${info}`])(request, connection);
        sendPackets(connection, group(connection));
        for (let index = 0; index < 3; index++) connection.send(serializeInterleaved(2, soundPacket(index)));
      },
    },
    frames: { video: GROUP, audio: 3 },
    check({ frames }) {
      for (const kind of ['video', 'audio']) {
        const first = frames.find(({ track }) => track.kind === kind);
        assert.equal(times(first === undefined ? [] : [first])[0], kind === 'video' ? 2 : 1);
      }
    },
  },
  ...['seq=0;rtptime=-1', 'seq=-1;rtptime=0', 'seq=1;rtptime=0', 'seq=0;rtptime=1'].map(
    (info): Quirk => ({
      row: 43,
      what: `RTP-Info: ${info} (several)`,
      on: {
        PLAY: sends([`RTP-Info: url={url}trackID=0;${info}`], (connection) =>
          nextFrames(connection, GROUP, shifted(2_000_000_000)),
        ),
      },
      frames: { video: GROUP },
      check: ({ frames }) => assert.deepEqual(times(frames).slice(0, 2), [0, 0.01]),
    }),
  ),
  ...(
    [
      ['restarts at the same base (GStreamer)', shifted(-GROUP * STEP)],
      ['runs on (live555)', shifted(0)],
      ['is somewhere else', shifted(1_500_000_000)],
    ] as const
  ).map(
    ([what, change]): Quirk => ({
      row: 44,
      what: `after a seek RTP time ${what}`,
      sdp: storedSdp(),
      isStored: true,
      on: {
        PLAY: inTurn(
          positioned('0-60', group),
          positioned('10-60', (connection) => nextFrames(connection, GROUP, change)),
        ),
      },
      frames: { video: GROUP },
      async check(played) {
        assert.deepEqual(times(played.frames).slice(0, 2), [0, 0.01]);
        await played.seek(10);
        await played.until('the new position', () => played.frames.length >= 2 * GROUP);
        assert.equal(played.requests('PLAY')[1]?.headers.get('Range'), 'npt=10.000-');
        assert.deepEqual(times(played.frames).slice(GROUP, GROUP + 3), [10, 10.01, 10.02]);
      },
    }),
  ),
  {
    row: 45,
    what: 'packets of the old position before the reply to PLAY (GStreamer)',
    sdp: storedSdp(),
    isStored: true,
    on: {
      PLAY: inTurn(
        positioned('0-60', group),
        positioned('10-60', group, (connection) => nextFrames(connection, GROUP)),
      ),
    },
    frames: { video: GROUP },
    async check(played) {
      await played.seek(10);
      await played.until('the new position', () => times(played.frames).some((time) => time >= 10.24));
      // What is old is shown where it belongs, or not at all.
      const seen = times(played.frames);
      const begin = seen.indexOf(10);
      assert.ok(seen.slice(0, begin).every((time) => time < 1));
      assert.deepEqual(
        seen.slice(begin),
        Array.from({ length: GROUP }, (_, index) => 10 + index / 100),
      );
    },
  },
  {
    row: 45,
    what: 'packets of the old position before the reply to PLAY, of a paused session (GStreamer)',
    sdp: storedSdp(),
    isStored: true,
    on: {
      PLAY: inTurn(
        positioned('0-60', group),
        positioned('10-60', group, (connection) => nextFrames(connection, GROUP)),
      ),
    },
    frames: { video: GROUP },
    async check(played) {
      await played.receiver.pause();
      await played.seek(10);
      await played.until('the new position', () => played.frames.length >= 2 * GROUP);
      const seen = times(played.frames).slice(GROUP);
      assert.deepEqual(
        seen,
        Array.from({ length: GROUP }, (_, index) => 10 + index / 100),
      );
    },
  },
  ...(
    [
      // GStreamer says so of a file: what has an end is stored.
      ['npt=now-20', { start: 0, end: 20, utc: null, counts: 'npt' }],
      ['npt=0- 596.48', { start: 0, end: 596.48, utc: null, counts: 'npt' }],
      ['npt=00.000- ', null],
      ['npt = 0 - 00:09:56.48', { start: 0, end: 596.48, utc: null, counts: 'npt' }],
      ['nonsense', null],
    ] as const
  ).map(
    ([range, expected]): Quirk => ({
      row: 46,
      what: `a=range:${range} (several)`,
      sdp: storedSdp(range),
      check: (played) => assert.deepEqual(played.range, expected),
    }),
  ),
  ...['9.98', '9.02'].map(
    (start): Quirk => ({
      row: 47,
      what: `a seek to 10 s snaps to ${start}, and Scale 2 is answered with 1 (several)`,
      sdp: storedSdp(),
      isStored: true,
      on: {
        PLAY: inTurn(positioned('0-60', group), (request, connection) => {
          says([...ok, `Range: npt=${start}-60`, 'Scale: 1'])(request, connection);
          sendPackets(connection, group(connection));
        }),
      },
      frames: { video: GROUP },
      async check(played) {
        await played.seek(10, 2);
        await played.until('the new position', () => played.frames.length >= 2 * GROUP);
        assert.equal(played.requests('PLAY')[1]?.headers.get('Scale'), '2.0');
        const first = Number(start);
        assert.deepEqual(times(played.frames).slice(GROUP, GROUP + 2), [first, Math.round(first * 100 + 1) / 100]);
      },
    }),
  ),
  ...(
    [
      [
        'Dahua',
        '/cam/playback?channel=1&subtype=0',
        'starttime=2026_05_03_12_00_00&endtime=2026_05_03_13_00_00',
        '2026-05-03T10:00:00Z/2026-05-03T11:00:00Z',
        'npt=now-',
      ],
      [
        'Dahua',
        '/cam/playback?channel=1&subtype=0',
        'starttime=2026_05_03_12_00_00&endtime=2026_05_03_13_00_00',
        '2026-05-03T12:00:00+02:00',
        'npt=0-3599.9',
      ],
      ['Hikvision', '/Streaming/tracks/101', 'starttime=20260503T100000Z&endtime=20260503T110000Z', '', 'npt=0-3600'],
    ] as const
  ).map(
    ([maker, path, query, recording, range]): Quirk => ({
      row: 46,
      what: `the URL says which part of a recording, and its times count from there on: recording="${recording}" (${maker})`,
      path,
      query,
      recording,
      sdp: storedSdp(range),
      isStored: true,
      on: { PLAY: inTurn(positioned('0-3600', group), positioned('600-3600', group)) },
      frames: { video: GROUP },
      async check(played) {
        // The proxy may have asked for the description before the page did.
        const described = played.requests('DESCRIBE').at(-1);
        const asked = new URLSearchParams(described?.url.split('?')[1]);
        for (const [name, value] of new URLSearchParams(query)) assert.equal(asked.get(name), value);
        assert.equal(described?.headers.get('Require'), null, 'it does not speak ONVIF’s replay');
        const utc = Date.UTC(2026, 4, 3, 10);
        assert.deepEqual(played.range, { start: 0, end: 3_600, utc, counts: 'npt' });
        assert.equal(played.receiver.utcAt(played.frames[0]?.time ?? -1), utc);
        await played.seek(600);
        await played.until('the new position', () => played.frames.length >= 2 * GROUP);
        assert.equal(played.requests('PLAY')[1]?.headers.get('Range'), 'npt=600.000-');
        const [first] = times(played.frames).slice(GROUP);
        assert.equal(first, 600);
        const capture = played.receiver.captureAt(600);
        assert.deepEqual(capture, { utc: utc + 600_000, source: 'play-range', uncertainty: null });
      },
    }),
  ),
]);
