import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { opusConfig, opusPacketSamples, silentOpusPacket } from '../../../client/codec/opus.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import { bytes, hex } from '../depacketizer/rtp-fixtures.js';

// TOC bytes by RFC 6716, table 2: configuration number, stereo, frame count code.
const lengths: [name: string, packet: string, samples: number | null][] = [
  ['SILK of 10 ms', '00 11', 480],
  ['SILK of 60 ms', '18 11', 2_880],
  ['hybrid of 10 ms', '60 11', 480],
  ['hybrid of 20 ms', '78 11', 960],
  ['CELT of 2.5 ms', '80 11', 120],
  ['CELT of 20 ms, stereo', 'fc 11', 960],
  ['two frames of one length', 'f9 1122', 1_920],
  ['two frames of different lengths', 'fa 01 1122', 1_920],
  ['six frames of 20 ms', 'fb 06 112233445566', 5_760],
  ['seven frames of 20 ms, which is too long', 'fb 07 11223344556677', null],
  ['three frames of 60 ms, which is too long', '1b 03 112233', null],
  ['48 frames of 2.5 ms, with padding', 'e3 70 00', 5_760],
  ['no frames at all', 'fb 00', null],
  ['a count that is cut off', 'fb', null],
  ['a TOC byte alone: nothing is heard', 'f8', 960],
  ['nothing', '', null],
];

for (const [name, packet, samples] of lengths) {
  test(`the length of ${name}`, () => {
    assert.equal(opusPacketSamples(bytes(packet)), samples);
  });
}

test('the configuration of stereo', () => {
  const config = opusConfig(2, 960);
  assert.equal(config.codec, 'opus');
  assert.equal(hex(config.description), '0002000000' + '00bb80' + '000000');
});

for (const channels of [1, 2] as const) {
  for (const samples of [120, 240, 480, 960, 1_920, 2_880, 5_760]) {
    test(`FFmpeg decodes ${samples} samples of silence in ${channels} channels, and hears nothing`, () => {
      const packet = silentOpusPacket(channels, samples);
      assert.ok(packet !== null);
      assert.equal(opusPacketSamples(packet), samples);
      const chunks: Uint8Array[] = [];
      const writer = new Mp4FileWriter([{ trackId: 1, timescale: 48_000 }], {
        onBytes: (data) => chunks.push(data),
        onError: (error) => assert.fail(error),
      });
      for (let index = 0; index < 10; index++) {
        const time = index * samples;
        const config = index === 0 ? opusConfig(channels, samples) : null;
        const byteLength = packet.length;
        writer.push(0, {
          presentationTime: time,
          decodeTime: time,
          isKeyFrame: true,
          pieces: [packet],
          byteLength,
          config,
        });
      }
      writer.finish();
      const args = ['-v', 'warning', '-nostdin', '-xerror', '-i', 'pipe:0', '-f', 's16le', '-'];
      const heard = execFileSync('ffmpeg', args, { input: Buffer.concat(chunks), timeout: 30_000 });
      assert.equal(heard.length, 10 * samples * channels * 2);
      assert.ok(heard.every((byte) => byte === 0));
    });
  }
}

test('there is no silence of a length that Opus does not have', () => {
  for (const samples of [0, -960, 100, 1_000, 6_720, Number.NaN]) assert.equal(silentOpusPacket(2, samples), null);
});
