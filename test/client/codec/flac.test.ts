import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { flacConfig, writeFlacFrame } from '../../../client/codec/flac.js';
import { aLawSamples, muLawSamples } from '../../../client/codec/g711.js';

/** FFmpeg's samples of a stream, 16 bits each. */
function decode(input: Uint8Array, ...inputOptions: string[]): Int16Array {
  const args = ['-v', 'error', ...inputOptions, '-i', 'pipe:0', '-f', 's16le', '-c:a', 'pcm_s16le', 'pipe:1'];
  const output = execFileSync('ffmpeg', args, { input, maxBuffer: 1e8 });
  return new Int16Array(Uint8Array.from(output).buffer);
}

const octets = Uint8Array.from({ length: 256 }, (_, index) => index);

test('every octet of A-law and µ-law is the sample that FFmpeg makes of it', () => {
  assert.deepEqual(aLawSamples, decode(octets, '-f', 'alaw', '-ar', '8000', '-ac', '1'));
  assert.deepEqual(muLawSamples, decode(octets, '-f', 'mulaw', '-ar', '8000', '-ac', '1'));
});

for (const [sampleRate, channels, size] of [
  [8_000, 1, 160],
  [44_100, 2, 882],
  [48_000, 8, 960],
] as const) {
  test(`FFmpeg reads the same samples: ${sampleRate} Hz, ${channels} channels`, () => {
    const frames = 2_100; // frame numbers of one, two and three bytes
    const samples = new Int16Array(frames * size * channels);
    let seed = 1;
    for (let index = 0; index < samples.length; index++) {
      seed = (seed * 48_271) % 0x7fffffff;
      // Every eighth block is silence, which is written as a constant.
      samples[index] = Math.floor(index / (size * channels)) % 8 === 0 ? 0 : seed & 0xffff;
    }
    const count = channels === 8 ? 140 : frames;
    const pieces: Uint8Array[] = [new TextEncoder().encode('fLaC'), flacConfig(sampleRate, channels, size).description];
    for (let frame = 0; frame < count; frame++) {
      pieces.push(
        writeFlacFrame(samples.subarray(frame * size * channels, (frame + 1) * size * channels), channels, frame),
      );
    }
    const decoded = decode(Buffer.concat(pieces), '-f', 'flac');
    assert.ok(Buffer.from(decoded.buffer).equals(Buffer.from(samples.buffer, 0, count * size * channels * 2)));
  });
}
