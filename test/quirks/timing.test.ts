import assert from 'node:assert/strict';
import { BitReader } from '../../client/codec/bit-reader.js';
import { BitWriter } from '../../client/codec/bit-writer.js';
import { latencyPolicy } from '../../client/playback/latency.js';
import { LiveEdge } from '../../client/playback/live-edge.js';
import { serializeSenderReport } from '../../shared/rtcp-writer.js';
import { parseRtpPacket, serializeRtpPacket } from '../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { h264Clip } from '../support/h264-clip.js';
import type { ScriptedConnection } from '../support/scripted-camera.js';
import {
  clip,
  clipAs,
  GROUP,
  type Handler,
  healthySdp,
  nextFrames,
  ok,
  type Played,
  STEP,
  says,
  sendPackets,
  soundPacket,
  soundSdp,
  testQuirks,
} from './play-through.js';

// Time stamps, parameter sets and tracks that are not what they should be.

function stamped(packet: Uint8Array, change: (timestamp: number) => number): Uint8Array {
  const parsed = parseRtpPacket(packet);
  assert.ok(parsed !== null);
  return serializeRtpPacket({ ...parsed, timestamp: change(parsed.timestamp) >>> 0 });
}

/** Answers PLAY, and sends so many frames, each stamped as `timestampOf` has it. */
function sendsFrames(count: number, timestampOf: (index: number) => number): Handler {
  return (request, connection) => {
    says(ok)(request, connection);
    for (let index = 0; index < count; index++) {
      sendPackets(
        connection,
        connection.nextFrame().map((packet) => stamped(packet, () => timestampOf(index))),
      );
    }
  };
}

/** Seconds between the places at which a live picture's frames would be shown, for frames that come every 10 ms. */
function placedSteps({ frames }: Played): number[] {
  const edge = new LiveEdge(latencyPolicy('balanced'));
  const places = frames.map(({ time }, index) => edge.place(time, index / 100, index / 100));
  return places.slice(1).map((place, index) => place - (places[index] ?? 0));
}

const hours = 3_600 * 90_000;

// By ffmpeg: I P B B P B B …, in decoding order.
const reordered = await h264Clip({ bFrames: 2 });
const larger = await h264Clip({ size: '640x360' });

/** Place in output order of the `index`-th picture to be decoded. */
function outputOrder(index: number): number {
  const place = index % GROUP;
  const shown = place === 0 ? 0 : place % 3 === 1 ? place + 2 : place - 1;
  return index - place + shown;
}

/** A sequence parameter set up to its video usability information, which it then has not (ITU-T H.264, 7.3.2.1.1). */
function withoutVui(sps: Uint8Array): Uint8Array {
  const reader = new BitReader(sps);
  reader.skip(8);
  const isHigh = reader.unsigned(8) >= 100;
  reader.skip(16);
  reader.unsignedExpGolomb();
  if (isHigh) {
    for (let field = 0; field < 3; field++) reader.unsignedExpGolomb();
    reader.skip(1);
    assert.equal(reader.flag(), false, 'scaling matrices');
  }
  reader.unsignedExpGolomb();
  assert.equal(reader.unsignedExpGolomb(), 0, 'picture order count type');
  for (let field = 0; field < 2; field++) reader.unsignedExpGolomb();
  reader.skip(1);
  for (let field = 0; field < 2; field++) reader.unsignedExpGolomb();
  assert.equal(reader.flag(), true, 'whole frames');
  reader.skip(1);
  if (reader.flag()) for (let field = 0; field < 4; field++) reader.unsignedExpGolomb();
  const length = reader.position;
  assert.equal(reader.flag(), true, 'there is some');
  const bits = new BitReader(sps);
  const writer = new BitWriter(sps.length);
  for (let bit = 0; bit < length; bit++) writer.write(bits.unsigned(1), 1);
  // None, and the stop bit.
  writer.write(0b01, 2);
  return writer.bytes();
}

const plainSps = withoutVui(reordered.sps);
const plainUnits = reordered.accessUnits.map((unit) =>
  unit.map((nalUnit) => (((nalUnit[0] ?? 0) & 0x1f) === 7 ? plainSps : nalUnit)),
);
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const plainSdp = healthySdp.replace(
  /sprop-parameter-sets=.*/,
  `sprop-parameter-sets=${base64(plainSps)},${base64(reordered.pps)}`,
);

/** Supplemental information, as a packet of its own with a time and a marker of its own. */
function seiOnly(sequenceNumber: number, timestamp: number): Uint8Array {
  const payload = Uint8Array.of(6, 5, 17, ...new Uint8Array(17).fill(0x41), 0x80);
  return serializeRtpPacket({ payloadType: 96, marker: true, ssrc: 0x1234_5678, sequenceNumber, timestamp, payload });
}

/** Sends a sender report: at this time of the stream, seconds, it was this much later than it should, milliseconds. */
function report(connection: ScriptedConnection, kind: 'video' | 'audio', at: number, lateMs = 0): void {
  const isVideo = kind === 'video';
  const bytes = serializeSenderReport({
    ssrc: isVideo ? 0x1234_5678 : 0x5eed,
    ntpTime: 1_700_000_000_000 + at * 1_000 + lateMs,
    rtpTimestamp: Math.round(at * (isVideo ? 90_000 : 8_000)),
    packetCount: 1,
    octetCount: 1,
  });
  connection.send(serializeInterleaved(isVideo ? 1 : 3, bytes));
}

testQuirks([
  {
    row: 74,
    what: 'single frames that are stamped hours off (Intelbras)',
    on: { PLAY: sendsFrames(2 * GROUP, (index) => index * STEP + (index % 10 === 7 ? 3 * hours : 0)) },
    frames: { video: 2 * GROUP },
    check(played) {
      for (const step of placedSteps(played)) assert.ok(step > 0 && step < 0.2, `a step of ${step} s`);
      for (const { unit } of played.frames) assert.equal(unit.decodeTime, unit.presentationTime);
    },
  },
  {
    row: 74,
    what: 'time stamps that begin at 0 again (Tapo)',
    on: { PLAY: sendsFrames(3 * GROUP, (index) => (index < GROUP ? 5 * hours : 0) + (index % GROUP) * STEP) },
    frames: { video: 3 * GROUP },
    check(played) {
      for (const step of placedSteps(played)) assert.ok(step > 0 && step < 0.2, `a step of ${step} s`);
    },
  },
  {
    row: 75,
    what: 'sender reports that move the picture in one step (some)',
    sdp: healthySdp + soundSdp,
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        sendPackets(connection, nextFrames(connection, GROUP));
        connection.send(serializeInterleaved(2, soundPacket(0)));
      },
    },
    frames: { video: GROUP, audio: 1 },
    async check(played) {
      const { connection, clock, receiver } = played;
      const utc = () => receiver.utcAt(played.frames.at(-1)?.time ?? Number.NaN);
      /** Sends reports, and a group of pictures behind them; returns the largest step between two of those. */
      const largestStep = async (lateMs: number): Promise<number> => {
        const from = played.frameCount();
        report(connection, 'video', from / 100, lateMs);
        report(connection, 'audio', from / 100);
        sendPackets(connection, nextFrames(connection, GROUP));
        await played.until('a group of pictures', () => played.frameCount() >= from + GROUP);
        await clock.advance(1_000);
        const times = played.frames.filter(({ track }) => track.kind === 'video').map(({ time }) => time);
        const steps = times.slice(1).map((time, index) => Math.abs(time - (times[index] ?? 0) - 0.01));
        return Math.max(...steps.slice(from - 1));
      };
      // In step, and known to be.
      assert.ok((await largestStep(0)) < 0.000_01);
      assert.ok((await largestStep(0)) < 0.000_01);
      const before = utc();
      assert.ok(before !== null);
      // Once is a mistake.
      assert.ok((await largestStep(5_000)) < 0.000_01);
      assert.ok(Math.abs((utc() ?? 0) - before - 250) < 1, `${(utc() ?? 0) - before} ms later`);
      // A little later is believed, and moved to at 2 % of the time that passes.
      const slewed = await largestStep(300);
      assert.ok(slewed <= 0.02 * 0.01 + 0.000_01, `${slewed} s`);
    },
  },
  {
    row: 76,
    what: 'frames in another order than they are shown in, and no usability information (several)',
    sdp: plainSdp,
    media: clipAs({}, plainUnits),
    on: { PLAY: sendsFrames(2 * GROUP, (index) => (outputOrder(index) + 10) * STEP) },
    frames: { video: 2 * GROUP },
    check({ frames }) {
      assert.deepEqual(
        frames.map(({ unit }) => unit.presentationTime / STEP - 10),
        frames.map((_, index) => outputOrder(index)),
      );
      let last = Number.NEGATIVE_INFINITY;
      for (const [index, { unit }] of frames.entries()) {
        assert.ok(unit.decodeTime > last, `picture ${index} is decoded at ${unit.decodeTime}, after ${last}`);
        const ahead = unit.presentationTime - unit.decodeTime;
        // Nothing is said of a reordering: the first pictures tell how deep it is.
        assert.ok((index < 6 || ahead >= 0) && ahead <= 4 * STEP, `picture ${index} is decoded ${ahead} ticks ahead`);
        last = unit.decodeTime;
      }
    },
  },
  {
    row: 76,
    what: 'access units of nothing but SEI (several)',
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        let sequenceNumber = 1_000;
        for (let index = 0; index < GROUP; index++) {
          const packets = [
            seiOnly(0, index * STEP - 450 + 90_000),
            ...connection.nextFrame().map((packet) => stamped(packet, (timestamp) => timestamp + 90_000)),
          ];
          for (const packet of packets) {
            const parsed = parseRtpPacket(packet);
            assert.ok(parsed !== null);
            sendPackets(connection, [serializeRtpPacket({ ...parsed, sequenceNumber: sequenceNumber++ })]);
          }
        }
      },
    },
    frames: { video: GROUP },
    check({ frames, receiver }) {
      assert.equal(receiver.tracks[0]?.stats().framesDropped, 0);
      assert.deepEqual(
        frames.map(({ unit }) => unit.presentationTime - 90_000),
        frames.map((_, index) => index * STEP),
      );
    },
  },
  {
    row: 77,
    what: 'another SPS in band: the resolution changes (day/night switches)',
    media: clipAs({}, [...clip.accessUnits.slice(0, GROUP), ...larger.accessUnits.slice(0, GROUP)]),
    on: { PLAY: sendsFrames(4 * GROUP, (index) => index * STEP) },
    frames: { video: 4 * GROUP },
    check({ frames }) {
      const changes = frames.flatMap(({ unit: { config } }, index) =>
        config?.kind === 'video' ? [[index, config.width, config.height]] : [],
      );
      assert.deepEqual(changes, [
        [0, 320, 180],
        [GROUP, 640, 360],
        [2 * GROUP, 320, 180],
        [3 * GROUP, 640, 360],
      ]);
    },
  },
  {
    row: 78,
    what: 'sound is announced and comes much later (many)',
    sdp: healthySdp + soundSdp,
    on: {
      PLAY(request, connection) {
        says(ok)(request, connection);
        connection.startMedia(0);
      },
    },
    frames: { video: 20 },
    async check(played) {
      assert.equal(played.receiver.tracks.length, 2);
      assert.equal(played.frameCount('audio'), 0);
      await played.clock.advance(3_000);
      await played.moreFrames(10);
      for (let index = 0; index < 3; index++) played.connection.send(serializeInterleaved(2, soundPacket(index)));
      await played.moreFrames(3, 'audio');
      await played.moreFrames(3);
      assert.equal(played.frames.find(({ track }) => track.kind === 'audio')?.time, 3);
    },
  },
  {
    row: 79,
    what: 'tracks of unknown codecs beside one that plays (many)',
    sdp: [
      'v=0',
      's=-',
      'm=video 0 RTP/AVP 97\r\na=rtpmap:97 SMARTCODEC/90000\r\na=control:trackID=7',
      healthySdp.slice(healthySdp.indexOf('m=video')).trimEnd(),
      'm=audio 0 RTP/AVP 98\r\na=rtpmap:98 AMBE/8000\r\na=control:trackID=8\r\n',
    ].join('\r\n'),
    asks: { SETUP: ['/stream1/trackID=0'] },
    check({ receiver }) {
      assert.equal(receiver.tracks.length, 1);
      // What the page is given with the tracks.
      assert.deepEqual(
        receiver.session.description?.media.map(({ formats }) => formats[0]?.encodingName),
        ['SMARTCODEC', 'H264', 'AMBE'],
      );
    },
  },
  {
    row: 79,
    what: 'nothing but an unknown codec (many)',
    sdp: 'v=0\r\ns=-\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 SMARTCODEC/90000\r\na=control:trackID=7\r\n',
    fails: { code: 'no-playable-track', sentence: /SMARTCODEC/ },
    check: ({ requests }) => assert.equal(requests('SETUP').length, 0),
  },
]);
