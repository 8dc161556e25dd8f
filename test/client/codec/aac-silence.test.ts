import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { aacLcConfig } from '../../../client/codec/aac.js';
import { silentAacUnit } from '../../../client/codec/aac-silence.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';

const UNITS = 10;

for (const channels of [1, 2, 3, 4, 5, 6, 8]) {
  test(`FFmpeg decodes a silent unit of ${channels} channels, and hears nothing`, () => {
    const config = aacLcConfig(48_000, channels);
    const unit = silentAacUnit(channels);
    assert.ok(config !== null && unit !== null);
    const chunks: Uint8Array[] = [];
    const writer = new Mp4FileWriter([{ trackId: 1, timescale: 48_000 }], {
      onBytes: (bytes) => chunks.push(bytes),
      onError: (error) => assert.fail(error),
    });
    for (let index = 0; index < UNITS; index++) {
      const time = index * 1_024;
      const byteLength = unit.length;
      const pieces = [unit];
      const first = index === 0 ? config : null;
      writer.push(0, { presentationTime: time, decodeTime: time, isKeyFrame: true, pieces, byteLength, config: first });
    }
    writer.finish();
    const args = ['-v', 'warning', '-nostdin', '-xerror', '-i', 'pipe:0', '-f', 's16le', '-'];
    const samples = execFileSync('ffmpeg', args, { input: Buffer.concat(chunks), timeout: 30_000 });
    assert.equal(samples.length, UNITS * 1_024 * channels * 2);
    assert.ok(samples.every((byte) => byte === 0));
  });
}

test('there is no silence for a number of channels without a layout', () => {
  assert.equal(silentAacUnit(7), null);
  assert.equal(silentAacUnit(0), null);
});
