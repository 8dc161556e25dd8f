import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { mpegAudioConfig, parseMpegAudioHeader, silentMpegAudioFrame } from '../../../client/codec/mpeg-audio.js';
import { bytes } from '../depacketizer/rtp-fixtures.js';

// Headers as encoders write them; lengths by ISO/IEC 11172-3, 2.4.3.1.
const headers: [name: string, header: string, expected: object][] = [
  ['layer III, 128 kbit/s at 44.1 kHz', 'fffb9000', { layer: 3, frameBytes: 417, sampleRate: 44_100, samples: 1_152 }],
  ['the same, padded', 'fffb9200', { layer: 3, frameBytes: 418, sampleRate: 44_100, samples: 1_152 }],
  ['layer III, 320 kbit/s at 48 kHz, mono', 'fffbe4c0', { frameBytes: 960, channels: 1 }],
  ['MPEG-2 layer III, 64 kbit/s at 24 kHz', 'fff38400', { version: 2, frameBytes: 192, samples: 576 }],
  ['MPEG 2.5, 8 kbit/s at 8 kHz', 'ffe318c0', { version: 2.5, frameBytes: 72, sampleRate: 8_000, samples: 576 }],
  ['layer II, 192 kbit/s at 48 kHz', 'fffda400', { layer: 2, frameBytes: 576, samples: 1_152 }],
  ['layer I, 384 kbit/s at 32 kHz', 'ffffc800', { layer: 1, frameBytes: 576, samples: 384 }],
];

for (const [name, header, expected] of headers) {
  test(name, () => {
    const parsed = parseMpegAudioHeader(bytes(header));
    assert.ok(parsed !== null);
    assert.deepEqual({ ...parsed, ...expected }, parsed);
  });
}

for (const [name, header] of [
  ['without a bit rate', 'fffb0000'],
  ['with a forbidden bit rate', 'fffbf000'],
  ['with a reserved sampling rate', 'fffb9c00'],
  ['of a reserved version', 'ffeb9000'],
  ['of ADTS', 'fff15080'],
  ['cut short', 'fffb90'],
  ['of something else', '47fb9000'],
]) {
  test(`a header ${name} is none`, () => assert.equal(parseMpegAudioHeader(bytes(header ?? '')), null));
}

for (const [sampleRate, header] of [
  [48_000, 'fffb9400'],
  [44_100, 'fffb90c0'],
  [32_000, 'fffb9800'],
  [24_000, 'fff38400'],
  [16_000, 'fff388c0'],
  [8_000, 'ffe318c0'],
] as const) {
  test(`FFmpeg decodes silent frames at ${sampleRate} Hz, and hears nothing`, () => {
    const parsed = parseMpegAudioHeader(bytes(header));
    assert.ok(parsed !== null);
    const config = mpegAudioConfig(parsed);
    const frame = silentMpegAudioFrame(config);
    assert.ok(frame !== null);
    assert.deepEqual(parseMpegAudioHeader(frame), { ...parsed, frameBytes: frame.length });
    const input = Buffer.concat(Array.from({ length: 10 }, () => frame));
    const args = ['-v', 'warning', '-nostdin', '-xerror', '-f', 'mp3', '-i', 'pipe:0', '-f', 's16le', '-'];
    const heard = execFileSync('ffmpeg', args, { input, timeout: 30_000 });
    assert.equal(heard.length, 10 * config.samplesPerUnit * config.channels * 2);
    assert.ok(heard.every((byte) => byte === 0));
  });
}

test('there is no silence for other layers', () => {
  const layerOne = parseMpegAudioHeader(bytes('ffffc800'));
  assert.ok(layerOne !== null);
  assert.equal(silentMpegAudioFrame(mpegAudioConfig(layerOne)), null);
});
