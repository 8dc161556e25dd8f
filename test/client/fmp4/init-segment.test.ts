import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aacLcConfig } from '../../../client/codec/aac.js';
import type { VideoTrackConfig } from '../../../client/codec/track-config.js';
import { type InitTrack, writeInitSegment as write } from '../../../client/fmp4/init-segment.js';
import { sampleEntryOf } from '../../../client/fmp4/sample-entry.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';
import { findBox, findBoxes, readBoxes } from './boxes.js';

const video: VideoTrackConfig = {
  kind: 'video',
  codec: 'avc1.640028',
  sampleEntry: 'avc1',
  description: bytes('01640028ff'),
  width: 720,
  height: 576,
  pixelAspect: [16, 11],
  frameRate: 25,
  reorderDepth: 0,
};
const audio = aacLcConfig(48_000, 2);
assert.ok(audio !== null);
function writeInitSegment(tracks: readonly Omit<InitTrack, 'sampleEntry'>[]): Uint8Array {
  return write(tracks.map((track) => ({ ...track, sampleEntry: sampleEntryOf(track.config) })));
}

const both = writeInitSegment([
  { trackId: 1, timescale: 90_000, config: video },
  { trackId: 2, timescale: 48_000, config: audio },
]);

test('is a file type and a movie, with a trak and a trex for each track', () => {
  assert.deepEqual(
    readBoxes(both).map((box) => box.type),
    ['ftyp', 'moov'],
  );
  assert.equal(findBoxes(both, 'trak').length, 2);
  assert.deepEqual(
    findBoxes(both, 'trex').map((box) => box.body.readUInt32BE(4)),
    [1, 2],
  );
  assert.equal(findBox(both, 'mvhd').body.readUInt32BE(96), 3, 'next_track_ID');
});

test('declares no duration anywhere', () => {
  assert.equal(findBox(both, 'mvhd').body.readUInt32BE(16), 0);
  for (const box of findBoxes(both, 'tkhd')) assert.equal(box.body.readUInt32BE(20), 0);
  for (const box of findBoxes(both, 'mdhd')) assert.equal(box.body.readUInt32BE(16), 0);
  assert.deepEqual(findBoxes(both, 'mehd'), []);
});

test('has the timescales, handlers and no samples', () => {
  assert.deepEqual(
    findBoxes(both, 'mdhd').map((box) => box.body.readUInt32BE(12)),
    [90_000, 48_000],
  );
  assert.deepEqual(
    findBoxes(both, 'hdlr').map((box) => box.body.toString('latin1', 8, 12)),
    ['vide', 'soun'],
  );
  for (const type of ['stts', 'stsc', 'stco']) {
    for (const box of findBoxes(both, type)) assert.equal(hex(box.body), '0000000000000000');
  }
  for (const box of findBoxes(both, 'stsz')) assert.equal(hex(box.body), '000000000000000000000000');
});

test('the matrices change nothing', () => {
  const identity = '00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000'.replace(/ /g, '');
  assert.equal(findBox(both, 'mvhd').body.subarray(36, 72).toString('hex'), identity);
  for (const box of findBoxes(both, 'tkhd')) assert.equal(box.body.subarray(40, 76).toString('hex'), identity);
});

test('the video entry has size, configuration and pixel aspect', () => {
  const { body } = findBox(both, 'avc1');
  assert.deepEqual([body.readUInt16BE(24), body.readUInt16BE(26)], [720, 576]);
  assert.equal(hex(findBox(both, 'avcC').body), '01640028ff');
  assert.equal(hex(findBox(both, 'pasp').body), '000000100000000b');
  const [tkhd] = findBoxes(both, 'tkhd');
  assert.ok(Math.abs((tkhd?.body.readUInt32BE(76) ?? 0) / 65_536 - (720 * 16) / 11) < 0.001);
  assert.equal(tkhd?.body.readUInt32BE(80), 576 * 65_536);
  const square = writeInitSegment([{ trackId: 1, timescale: 90_000, config: { ...video, pixelAspect: [1, 1] } }]);
  assert.deepEqual(findBoxes(square, 'pasp'), []);
});

test('the audio entry has channels, rate and the AudioSpecificConfig', () => {
  const { body } = findBox(both, 'mp4a');
  assert.deepEqual([body.readUInt16BE(16), body.readUInt32BE(24)], [2, 48_000 * 65_536]);
  const esds = findBox(both, 'esds').body.toString('hex');
  assert.ok(esds.includes('0480808014'), 'DecoderConfigDescriptor');
  assert.ok(esds.includes('40150000000000000000000000'), 'MPEG-4 audio, no bit rates');
  assert.ok(esds.includes('05808080021190'), 'DecoderSpecificInfo');
  assert.ok(esds.endsWith('068080800102'), 'SLConfigDescriptor');
});

test('a sampling rate that the entry has no room for is left to the configuration', () => {
  const config = aacLcConfig(96_000, 2);
  assert.ok(config !== null);
  const { body } = findBox(writeInitSegment([{ trackId: 1, timescale: 96_000, config }]), 'mp4a');
  assert.equal(body.readUInt32BE(24), 0);
});

test('a sample entry that nobody here can write is an error with the codec in words', () => {
  const config = { ...video, sampleEntry: 'xxxx', codec: 'xxxx.1' };
  assert.throws(
    () => writeInitSegment([{ trackId: 1, timescale: 90_000, config }]),
    (error: unknown) =>
      error instanceof Error && 'code' in error && error.code === 'codec-unsupported' && /xxxx\.1/.test(error.message),
  );
});
