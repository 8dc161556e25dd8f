import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FrameDropper } from '../../proxy/frame-dropper.js';
import { LIVE_RESUME_BYTES, MAX_LIVE_BACKLOG_BYTES } from '../../shared/limits.js';
import type { MediaFormat } from '../../shared/session-description.js';

const format = (payloadType: number, encodingName: string): MediaFormat => ({
  payloadType,
  encodingName,
  clockRate: 90_000,
  channels: null,
  parameters: new Map(),
});

let sequence = 0;
function rtp(payloadType: number, timestamp: number, ...payload: number[]): Uint8Array {
  sequence++;
  return Uint8Array.of(
    0x80,
    payloadType,
    0,
    sequence & 0xff,
    0,
    0,
    timestamp >> 8,
    timestamp & 0xff,
    0,
    0,
    0,
    1,
    ...payload,
  );
}
/** Packets of H.264: a slice, an IDR slice, SPS, delimiter; the first and a later fragment of an IDR slice. */
const slice = (timestamp: number) => rtp(96, timestamp, 0x41, 1);
const idr = (timestamp: number) => rtp(96, timestamp, 0x65, 1);
const sps = (timestamp: number) => rtp(96, timestamp, 0x67, 1);
const delimiter = (timestamp: number) => rtp(96, timestamp, 0x09, 0x10);
const idrStart = (timestamp: number) => rtp(96, timestamp, 0x7c, 0x85, 1);
const idrRest = (timestamp: number) => rtp(96, timestamp, 0x7c, 0x05, 1);
const audio = (timestamp: number) => rtp(97, timestamp, 0, 16, 0, 0);
const report = Uint8Array.of(0x80, 200, 0, 6);

const full = LIVE_RESUME_BYTES + 1;

function dropper(): FrameDropper {
  const result = new FrameDropper();
  result.addChannel(0, [format(96, 'H264')]);
  result.addChannel(2, [format(97, 'MPEG4-GENERIC')]);
  return result;
}

describe('a viewer too slow for a live stream', () => {
  test('gets the frame under way to its end, then nothing up to a key frame', () => {
    const frames = dropper();
    assert.equal(frames.isActive, false);
    frames.activate();
    assert.equal(frames.accepts(0, slice(1), full), true);
    assert.equal(frames.accepts(0, slice(1), full), true);
    assert.equal(frames.accepts(0, slice(2), full), false);
    assert.equal(frames.accepts(0, slice(2), full), false);
    assert.equal(frames.accepts(0, idr(3), full), false);
    // There is room again, but no key frame.
    assert.equal(frames.accepts(0, slice(4), 0), false);
    assert.equal(frames.isActive, true);
    assert.equal(frames.accepts(0, sps(5), 0), true);
    assert.equal(frames.accepts(0, idr(5), 0), true);
    assert.equal(frames.isActive, false);
    assert.equal(frames.droppedFrames, 3);
  });

  test('goes on without a gap when there is room before the next frame', () => {
    const frames = dropper();
    frames.activate();
    frames.accepts(0, slice(1), full);
    assert.equal(frames.accepts(0, slice(2), 0), true);
    assert.equal(frames.isActive, false);
    assert.equal(frames.droppedFrames, 0);
  });

  test('goes on behind a delimiter of the key frame’s own time, but not in its middle', () => {
    const frames = dropper();
    frames.activate();
    frames.accepts(0, slice(1), full);
    assert.equal(frames.accepts(0, slice(2), full), false);
    assert.equal(frames.accepts(0, idrStart(3), full), false);
    assert.equal(frames.accepts(0, idrRest(3), 0), false);
    // A second slice of the same picture.
    assert.equal(frames.accepts(0, idrStart(3), 0), false);
    assert.equal(frames.accepts(0, delimiter(4), 0), false);
    assert.equal(frames.accepts(0, idrStart(4), 0), true);
    assert.equal(frames.accepts(0, idrRest(4), 0), true);
  });

  test('audio goes on with the next frame, while video waits for its key frame', () => {
    const frames = dropper();
    frames.activate();
    frames.accepts(0, slice(1), full);
    frames.accepts(2, audio(1), full);
    assert.equal(frames.accepts(2, audio(2), full), false);
    assert.equal(frames.accepts(0, slice(2), full), false);
    assert.equal(frames.accepts(2, audio(2), 0), false);
    assert.equal(frames.accepts(2, audio(3), 0), true);
    assert.equal(frames.isActive, true);
    assert.equal(frames.accepts(2, audio(4), 0), true);
    assert.equal(frames.accepts(0, slice(3), 0), false);
    assert.equal(frames.accepts(0, idr(4), 0), true);
    assert.equal(frames.isActive, false);
  });

  test('gets RTCP, on whatever channel (quirk: RTCP on the channel of RTP), and frames of unknown channels', () => {
    const frames = dropper();
    frames.activate();
    frames.accepts(0, slice(1), full);
    frames.accepts(0, slice(2), full);
    assert.equal(frames.accepts(1, report, full), true);
    assert.equal(frames.accepts(0, report, full), true);
    assert.equal(frames.accepts(9, slice(2), full), true);
  });

  test('gets nothing at all beyond the last limit, and then no rest of a frame', () => {
    const frames = dropper();
    frames.activate();
    assert.equal(frames.accepts(0, slice(1), full), true);
    assert.equal(frames.accepts(0, slice(1), MAX_LIVE_BACKLOG_BYTES + 1), false);
    assert.equal(frames.accepts(1, report, MAX_LIVE_BACKLOG_BYTES + 1), false);
    assert.equal(frames.accepts(0, slice(1), 0), false);
    assert.equal(frames.accepts(0, slice(2), 0), false);
    assert.equal(frames.accepts(0, idr(3), 0), true);
    assert.equal(frames.droppedFrames, 2);
  });

  test('never gets what is no packet', () => {
    const frames = dropper();
    frames.activate();
    assert.equal(frames.accepts(0, Uint8Array.of(1, 2, 3), full), false);
    assert.equal(frames.accepts(0, new Uint8Array(0), full), false);
  });
});
