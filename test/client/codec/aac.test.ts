import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aacLcConfig, adtsConfig, parseAdtsHeader, parseAudioSpecificConfig } from '../../../client/codec/aac.js';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

const vectors: readonly [name: string, text: string, codec: string, rate: number, channels: number, samples: number][] =
  [
    ['AAC-LC, 48 kHz, stereo', '1190', 'mp4a.40.2', 48_000, 2, 1_024],
    ['AAC-LC, 44.1 kHz, mono', '1208', 'mp4a.40.2', 44_100, 1, 1_024],
    ['AAC-LC, 16 kHz, mono, padded', '1408000000', 'mp4a.40.2', 16_000, 1, 1_024],
    ['AAC-LC, 8 kHz, mono', '1588', 'mp4a.40.2', 8_000, 1, 1_024],
    ['AAC-LC, 5.1', '11b0', 'mp4a.40.2', 48_000, 6, 1_024],
    ['AAC-LC, 7.1', '11b8', 'mp4a.40.2', 48_000, 8, 1_024],
    ['AAC-LC, frames of 960', '1194', 'mp4a.40.2', 48_000, 2, 960],
    ['AAC Main', '0990', 'mp4a.40.1', 48_000, 2, 1_024],
    ['AAC-LD', 'b98800', 'mp4a.40.23', 48_000, 1, 512],
    ['HE-AAC, explicit: 24 kHz to 48', '2b118800', 'mp4a.40.5', 48_000, 2, 2_048],
    ['HE-AAC v2, explicit: mono 24 kHz to stereo 48', 'eb098800', 'mp4a.40.29', 48_000, 2, 2_048],
    ['HE-AAC, backward compatible: 22.05 kHz to 44.1', '139056e5a0', 'mp4a.40.5', 44_100, 2, 2_048],
    ['HE-AAC v2, backward compatible', '130856e59d4880', 'mp4a.40.29', 48_000, 2, 2_048],
  ];

for (const [name, text, codec, sampleRate, channels, samplesPerUnit] of vectors) {
  test(`reads an AudioSpecificConfig: ${name}`, () => {
    const description = bytes(text);
    assert.deepEqual(parseAudioSpecificConfig(description), {
      kind: 'audio',
      codec,
      sampleEntry: 'mp4a',
      description,
      sampleRate,
      channels,
      samplesPerUnit,
    });
  });
}

test('reads a sampling frequency that is written out', () => {
  const bits = new BitWriter(8);
  bits.write(2, 5);
  bits.write(15, 4);
  bits.write(12_345, 24);
  bits.write(1, 4);
  bits.write(0, 3);
  assert.equal(parseAudioSpecificConfig(bits.bytes())?.sampleRate, 12_345);
});

test('takes the channels from a program config element', () => {
  const bits = new BitWriter(32);
  bits.write(2, 5);
  bits.write(3, 4);
  bits.write(0, 4); // channelConfiguration: see below
  bits.write(0, 3);
  bits.write(0, 4 + 2);
  bits.write(3, 4);
  bits.write(2, 4); // front elements: one channel and a pair
  bits.write(0, 4);
  bits.write(1, 4); // back elements: a pair
  bits.write(1, 2); // low frequency
  bits.write(0, 3);
  bits.write(0, 4);
  bits.write(0, 3);
  for (const isPair of [0, 1, 1]) {
    bits.write(isPair, 1);
    bits.write(0, 4);
  }
  bits.write(0, 4); // low frequency's tag
  bits.write(0, 32); // alignment and an empty comment
  assert.equal(parseAudioSpecificConfig(bits.bytes())?.channels, 6);
});

test('refuses what is cut short, has no rate or is not AAC', () => {
  for (const text of ['', '11', '16', '1680', '1199'.slice(0, 2), 'f8c0', '11a000'.slice(0, 2)]) {
    assert.equal(parseAudioSpecificConfig(bytes(text)), null, text);
  }
  assert.equal(parseAudioSpecificConfig(bytes('7f8000000000')), null, 'an escaped type');
  assert.equal(parseAudioSpecificConfig(bytes('1180')), null, 'a program config element that is not there');
});

test('random configurations never throw and never have absurd numbers', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (data) => {
      const config = parseAudioSpecificConfig(data);
      if (config === null) return;
      assert.ok(config.sampleRate > 0 && config.sampleRate <= 192_000);
      assert.ok(config.channels > 0 && config.channels <= 100);
      assert.ok(Number.isFinite(config.samplesPerUnit));
    }),
  );
});

test('makes a configuration of rate and channels', () => {
  assert.equal(hex(aacLcConfig(48_000, 2)?.description ?? []), '1190');
  assert.equal(hex(aacLcConfig(8_000, 1)?.description ?? []), '1588');
  assert.equal(aacLcConfig(12_345, 8)?.sampleRate, 12_345);
  assert.equal(aacLcConfig(12_345, 8)?.channels, 8);
  assert.equal(aacLcConfig(48_000, 7), null);
  assert.equal(aacLcConfig(0, 2), null);
});

test('reads ADTS headers', () => {
  // FFmpeg's: AAC-LC, 48 kHz, stereo, 23 bytes in all, no checksum.
  const header = parseAdtsHeader(bytes('fff14c8002fffc'));
  assert.deepEqual(header, {
    headerBytes: 7,
    frameBytes: 23,
    objectType: 2,
    sampleRate: 48_000,
    channelConfiguration: 2,
    blocks: 1,
  });
  assert.ok(header !== null);
  assert.equal(hex(adtsConfig(header)?.description ?? []), '1190');
  assert.equal(parseAdtsHeader(bytes('fff04c8002fffc'))?.headerBytes, 9);
});

test('knows what is no ADTS header', () => {
  assert.equal(parseAdtsHeader(bytes('fff14c8002ff')), null, 'cut short');
  assert.equal(parseAdtsHeader(bytes('fff14c8000fffc')), null, 'no room for data');
  assert.equal(parseAdtsHeader(bytes('fff17c8002fffc')), null, 'reserved frequency');
  assert.equal(parseAdtsHeader(bytes('fff34c8002fffc')), null, 'layer 1');
  assert.equal(parseAdtsHeader(bytes('001014c8002fffc0')), null);
});
