import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { MediaPosition } from '../../../client/player/media-position.js';
import { paceOf } from '../../../client/player/pace.js';
import { TrackClock } from '../../../client/player/track-clock.js';
import type { TrackReceiver } from '../../../client/player/track-receiver.js';
import type { PlayResult } from '../../../client/rtsp/session.js';
import { ntpFromUnixMs } from '../../../shared/rtcp-writer.js';
import { serializeRtpPacket } from '../../../shared/rtp-packet.js';

const RATE = 90_000;
const FILM = { start: 0, end: 40, utc: null, counts: 'npt' } as const;
const RECORDED_AT = Date.UTC(2026, 4, 3, 10);
const RECORDING = { start: 0, end: 3_600, utc: RECORDED_AT, counts: 'replay' } as const;

function unitAt(presentationTime: number): AccessUnit {
  return { presentationTime, decodeTime: 0, isKeyFrame: true, pieces: [], byteLength: 0, config: null };
}

/** Of a unit without a time of its own. */
function reach(position: MediaPosition, time: number): number {
  return position.reach(time, track(), unitAt(0));
}

/** As a recorder puts it before the first packet of a frame. */
function replayExtension(utc: number, flags = 0): { profile: number; data: Uint8Array } {
  const data = new Uint8Array(12);
  const { seconds, fraction } = ntpFromUnixMs(utc);
  const view = new DataView(data.buffer);
  view.setUint32(0, seconds);
  view.setUint32(4, fraction);
  view.setUint8(8, flags);
  return { profile: 0xabac, data };
}

function played(start: number | null, others: Partial<PlayResult> = {}): PlayResult {
  return { range: start === null ? null : { unit: 'npt', start, end: 40 }, scale: null, rtpInfo: [], ...others };
}

/** A track whose first packet had the RTP time 1,000, at the start of play. */
function track(index = 0): TrackReceiver {
  const clock = new TrackClock(RATE);
  clock.anchor(clock.timeline.unwrap(1_000), 1_000, 0);
  return { media: { index }, clock, format: { clockRate: RATE } } as unknown as TrackReceiver;
}

test('the position is what the server says, not what was asked for', () => {
  const position = new MediaPosition(FILM, null);
  assert.equal(position.nextPlay.range, undefined);
  assert.equal(position.onPlay(played(0), []), false);
  assert.equal(reach(position, 2.5), 2.5);
  position.ask(12.34);
  assert.equal(position.nextPlay.range, 'npt=12.340-');
  assert.equal(position.onPlay(played(12), []), false);
  assert.equal(reach(position, 0.04), 12.04);
});

test('GStreamer: RTP-Info of the first PLAY that names position 0 for one of two tracks', () => {
  const position = new MediaPosition(FILM, 6.3);
  const [picture, sound] = [track(), track(1)];
  const rtpInfo = [start(1_000 - 6 * RATE), { ...start(1_000), mediaIndex: 1 }];
  position.onPlay(played(6, { rtpInfo }), [picture, sound]);
  picture.clock.anchor(1_000, 1_000 - 6 * RATE, 0);
  assert.equal(position.reach(0, sound, unitAt(1_000)), 6);
  for (const since of [0, 0.04]) {
    const ticks = 1_000 + since * RATE;
    assert.equal(position.reach(picture.clock.timeOf(ticks), picture, unitAt(ticks)), 6 + since);
    assert.equal(picture.clock.timeOf(ticks), since);
  }
});

test('a picture that begins at the next key frame, or in a later PLAY, is where RTP-Info has it', () => {
  const position = new MediaPosition(FILM, 6);
  const tracks = [track()];
  const first = tracks[0] as TrackReceiver;
  position.onPlay(played(6, { rtpInfo: [start(1_000)] }), tracks);
  assert.equal(position.reach(2, first, unitAt(1_000 + 2 * RATE)), 8);
  position.ask(2);
  position.onPlay(played(2, { rtpInfo: [start(1_000)] }), tracks);
  assert.equal(position.reach(2, first, unitAt(1_000 + 2 * RATE)), 4);
});

test('what was asked for counts where the server says nothing', () => {
  const position = new MediaPosition(FILM, 7);
  assert.equal(position.nextPlay.range, 'npt=7.000-');
  position.onPlay(played(null), []);
  assert.equal(reach(position, 1), 8);
});

test('a scale makes the media go faster than RTP time', () => {
  const position = new MediaPosition(FILM, null);
  position.ask(10);
  position.onPlay(played(10, { scale: 4 }), []);
  assert.equal(reach(position, 1.5), 16);
});

const resumptions: readonly [title: string, result: PlayResult, continues: boolean][] = [
  ['nothing said', played(null), true],
  ['the position said', played(5.02), true],
  ['position and RTP time said', played(5.02, { rtpInfo: [start(1_000 + 5.02 * RATE)] }), true],
  ['another position', played(9), false],
  ['RTP time that begins anew', played(5, { rtpInfo: [start(77)] }), false],
  ['another scale', played(5, { scale: 2 }), false],
];

function start(rtpTimestamp: number): PlayResult['rtpInfo'][number] {
  return { mediaIndex: 0, sequenceNumber: null, rtpTimestamp: Math.round(rtpTimestamp) };
}

for (const [title, result, continues] of resumptions) {
  test(`a resumption with ${title} ${continues ? 'goes on' : 'begins anew'}`, () => {
    const position = new MediaPosition(FILM, null);
    const tracks = [track()];
    position.onPlay(played(0, { rtpInfo: [start(1_000)] }), tracks);
    assert.equal(reach(position, 5), 5);
    position.askToResume();
    assert.equal(position.nextPlay.range, undefined);
    assert.equal(position.onPlay(result, tracks), continues);
    if (continues) assert.ok(Math.abs(reach(position, 5.04) - 5.04) < 1e-9);
  });
}

test('without a pause before it, nothing goes on', () => {
  const position = new MediaPosition(FILM, null);
  position.onPlay(played(0), [track()]);
  reach(position, 5);
  assert.equal(position.onPlay(played(5), [track()]), false);
});

test('of a recording, positions are asked for and told as times of the day', () => {
  const position = new MediaPosition(RECORDING, null);
  assert.equal(position.nextPlay.range, 'clock=20260503T100000.000Z-20260503T110000.000Z');
  position.ask(90.5);
  assert.equal(position.nextPlay.range, 'clock=20260503T100130.500Z-20260503T110000.000Z');
  const range = { unit: 'clock', start: RECORDED_AT + 89_000, end: null } as const;
  position.onPlay({ ...played(null), range }, []);
  assert.equal(reach(position, 1), 90);
  // A time of the other kind says nothing.
  position.ask(10);
  position.onPlay(played(5), []);
  assert.equal(reach(position, 0), 10);
});

test('a recorder’s own time of a frame is its position, over a gap as well', () => {
  const position = new MediaPosition(RECORDING, null);
  const video = track();
  position.onPlay(played(null), [video]);
  position.onExtension(video, replayExtension(RECORDED_AT + 10_000), 1_000);
  assert.ok(Math.abs(position.reach(0, video, unitAt(1_000)) - 10) < 1e-3);
  // Without an extension of its own: by RTP time from the one before.
  assert.ok(Math.abs(position.reach(0.04, video, unitAt(4_600)) - 10.04) < 1e-3);
  position.onExtension(video, replayExtension(RECORDED_AT + 600_000), 8_200);
  assert.ok(Math.abs(position.reach(0.08, video, unitAt(8_200)) - 600) < 1e-3);
});

test('the terminal flag marks the last unit, and no other', () => {
  const position = new MediaPosition(RECORDING, null);
  const video = track();
  position.onExtension(video, replayExtension(RECORDED_AT, 0x10), 8_200);
  assert.equal(position.isLast(video, unitAt(8_200)), true);
  assert.equal(position.isLast(video, unitAt(4_600)), false);
  assert.equal(position.isLast(track(), unitAt(8_200)), false);
});

test('other extensions and those that are too short say nothing', () => {
  const position = new MediaPosition(RECORDING, null);
  const video = track();
  position.onExtension(video, { ...replayExtension(RECORDED_AT + 5_000), profile: 0xbede }, 0);
  position.onExtension(video, { profile: 0xabac, data: new Uint8Array(8) }, 0);
  assert.equal(position.reach(1, video, unitAt(0)), 1);
});

test('pieces of a recording are asked for without rate control, forwards and backwards', () => {
  const position = new MediaPosition(RECORDING, null);
  position.ask(100, paceOf(2, true));
  assert.equal(position.nextPlay.range, 'clock=20260503T100140.000Z-20260503T100150.000Z');
  position.onPlay(played(null), []);
  assert.deepEqual([position.pieceEnd, position.rate], [110, 2]);
  position.ask(100, paceOf(-1, true));
  assert.equal(position.nextPlay.range, 'clock=20260503T100140.000Z-20260503T100135.000Z');
  position.onPlay(played(null, { scale: -1 }), []);
  assert.deepEqual([position.pieceEnd, position.rate], [95, -1]);
  // Never beyond the recording.
  position.ask(2, paceOf(-1, true));
  position.onPlay(played(null), []);
  assert.equal(position.pieceEnd, 0);
});

test('a recorder that is played already is told not to finish first', () => {
  const position = new MediaPosition(RECORDING, null);
  const says = () => position.nextPlay.headers?.filter(([name]) => name === 'Immediate');
  assert.deepEqual(says(), []);
  position.onPlay(played(null), []);
  position.ask(10);
  assert.deepEqual(says(), [['Immediate', 'yes']]);
  const film = new MediaPosition(FILM, null);
  film.onPlay(played(0), []);
  film.ask(10);
  assert.deepEqual(film.nextPlay.headers, []);
});

test('backwards in what is no recording: as the server answers', () => {
  const position = new MediaPosition(FILM, null);
  position.ask(20, paceOf(-2, false));
  assert.deepEqual(position.nextPlay, { headers: [['Scale', '-2.0']], range: 'npt=20.000-0.000' });
  position.onPlay(played(20, { scale: -2 }), []);
  assert.equal(position.rate, -2);
  assert.equal(reach(position, 1.5), 17);
  position.ask(20, paceOf(-2, false));
  position.onPlay(played(20), []);
  assert.equal(position.rate, 1);
});

test('a recorder that says it goes forwards when asked to go backwards is believed', () => {
  const position = new MediaPosition(RECORDING, null);
  position.ask(20, paceOf(-2, true));
  position.onPlay(played(null, { scale: 1 }), []);
  assert.equal(position.rate, 1);
});

const DISCONTINUITY = 0x20;

function packet(sequenceNumber: number, extension: { profile: number; data: Uint8Array } | null = null): Uint8Array {
  return serializeRtpPacket({
    payloadType: 96,
    marker: false,
    ssrc: 7,
    sequenceNumber,
    timestamp: 0,
    payload: Uint8Array.of(0x65),
    ...(extension && { extension }),
  });
}

/** The position of a recorder that played and is asked for another position, which begins with this packet. */
function overtaken(sequenceNumber: number | null): MediaPosition {
  const position = new MediaPosition(RECORDING, null);
  position.onPlay(played(null), []);
  assert.equal(position.isOld(0, packet(3_000)), false);
  position.ask(90);
  assert.equal(position.nextPlay.holds, true);
  position.onPlay(played(null, { rtpInfo: [{ mediaIndex: 0, sequenceNumber, rtpTimestamp: null }] }), []);
  return position;
}

test('packets just before the one that a PLAY begins with are of the position before', () => {
  const position = overtaken(500);
  for (const sequenceNumber of [440, 498, 499]) assert.equal(position.isOld(0, packet(sequenceNumber)), true);
  assert.equal(position.oldPackets, 3);
  for (const sequenceNumber of [500, 501, 480]) assert.equal(position.isOld(0, packet(sequenceNumber)), false);
});

test('packets behind the answer that have nothing to do with the number in it are new', () => {
  assert.equal(overtaken(500).isOld(0, packet(9_000)), false);
  assert.equal(overtaken(null).isOld(0, packet(9_000)), false);
});

test('packets that were held for the answer are old, whatever their numbers, up to the one that it names', () => {
  // The recorder counts anew with each PLAY.
  const position = overtaken(500);
  for (const sequenceNumber of [561, 562, 563]) assert.equal(position.isOld(0, packet(sequenceNumber), true), true);
  assert.equal(position.isOld(0, packet(500), true), false);
  assert.equal(position.isOld(0, packet(501), true), false);
});

test('a discontinuity begins a position among packets that were held, whatever the answer names', () => {
  for (const named of [null, 520]) {
    const position = overtaken(named);
    assert.equal(position.isOld(0, packet(3_001), true), true);
    assert.equal(position.isOld(0, packet(510, replayExtension(RECORDED_AT, DISCONTINUITY)), true), false);
    assert.equal(position.isOld(0, packet(511), true), false);
  }
});

test('what was held for the first answer is the beginning', () => {
  const position = new MediaPosition(RECORDING, null);
  assert.equal(position.nextPlay.holds, false);
  position.onPlay(played(null), []);
  assert.equal(position.isOld(0, packet(3_000), true), false);
});
