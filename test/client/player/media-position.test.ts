import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MediaPosition } from '../../../client/player/media-position.js';
import { TrackClock } from '../../../client/player/track-clock.js';
import type { TrackReceiver } from '../../../client/player/track-receiver.js';
import type { PlayResult } from '../../../client/rtsp/session.js';

const RATE = 90_000;

function played(start: number | null, others: Partial<PlayResult> = {}): PlayResult {
  return { range: start === null ? null : { unit: 'npt', start, end: 40 }, scale: null, rtpInfo: [], ...others };
}

/** A track whose first packet had the RTP time 1,000, at the start of play. */
function track(): TrackReceiver {
  const clock = new TrackClock(RATE);
  clock.anchor(clock.timeline.unwrap(1_000), 1_000, 0);
  return { media: { index: 0 }, clock } as unknown as TrackReceiver;
}

test('the position is what the server says, not what was asked for', () => {
  const position = new MediaPosition({ start: 0, end: 40 }, null);
  assert.equal(position.requestedRange, undefined);
  assert.equal(position.onPlay(played(0), []), false);
  assert.equal(position.reach(2.5), 2.5);
  position.ask(12.34);
  assert.equal(position.requestedRange, 'npt=12.340-');
  assert.equal(position.onPlay(played(12), []), false);
  assert.equal(position.reach(0.04), 12.04);
  assert.equal(position.sinceStart(13), 1);
});

test('what was asked for counts where the server says nothing', () => {
  const position = new MediaPosition({ start: 0, end: 40 }, 7);
  assert.equal(position.requestedRange, 'npt=7.000-');
  position.onPlay(played(null), []);
  assert.equal(position.reach(1), 8);
});

test('a scale makes the media go faster than RTP time', () => {
  const position = new MediaPosition({ start: 0, end: 40 }, null);
  position.ask(10);
  position.onPlay(played(10, { scale: 4 }), []);
  assert.equal(position.reach(1.5), 16);
  assert.equal(position.sinceStart(16), 1.5);
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
    const position = new MediaPosition({ start: 0, end: 40 }, null);
    const tracks = [track()];
    position.onPlay(played(0, { rtpInfo: [start(1_000)] }), tracks);
    assert.equal(position.reach(5), 5);
    position.askToResume();
    assert.equal(position.requestedRange, undefined);
    assert.equal(position.onPlay(result, tracks), continues);
    if (continues) assert.ok(Math.abs(position.reach(5.04) - 5.04) < 1e-9);
  });
}

test('without a pause before it, nothing goes on', () => {
  const position = new MediaPosition({ start: 0, end: 40 }, null);
  position.onPlay(played(0), [track()]);
  position.reach(5);
  assert.equal(position.onPlay(played(5), [track()]), false);
});
