import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Clip, loadClip } from '../../proxy/demo/clip.js';
import { LiveTrack } from '../../proxy/demo/live-track.js';
import { parseTarget } from '../../proxy/demo/stream.js';
import { parseRtpPacket } from '../../shared/rtp-packet.js';

let clip: Clip;

before(async () => {
  clip = await loadClip();
});

test('the clip lasts a minute, to the sample, and has a key frame each second or other second', () => {
  assert.equal(clip.main.units.length, 1_500);
  assert.equal(clip.sub.units.length, 600);
  assert.equal(clip.sound.units.length, 1_875);
  assert.ok(clip.main.units.every((unit, index) => unit.isKeyFrame === (index % 25 === 0)));
  assert.ok(clip.sub.units.every((unit, index) => unit.isKeyFrame === (index % 20 === 0)));
  assert.equal(clip.sound.clockRate, 32_000);
});

test('key frames bring their parameter sets, the others are single slices', () => {
  for (const { units } of [clip.main, clip.sub]) {
    for (const { pieces, isKeyFrame } of units) {
      const types = pieces.map((nalUnit) => (nalUnit[0] ?? 0) & 0x1f);
      assert.deepEqual(types, isKeyFrame ? [7, 8, 5] : [1]);
    }
  }
});

test('the files together are well under a megabyte', () => {
  const files = ['main.h264', 'sub.h264', 'sound.aac'].map((name) =>
    fileURLToPath(new URL(`../../proxy/demo/${name}`, import.meta.url)),
  );
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  assert.ok(bytes < 700_000, `${bytes} bytes`);
});

test('the sound joins its own beginning without a gap or a click', () => {
  const file = fileURLToPath(new URL('../../proxy/demo/sound.aac', import.meta.url));
  const { stdout, stderr } = spawnSync(
    'ffmpeg',
    ['-v', 'error', '-i', `concat:${file}|${file}`, '-f', 'f32le', '-c:a', 'pcm_f32le', 'pipe:1'],
    { maxBuffer: 32 << 20, timeout: 60_000 },
  );
  assert.equal(stderr.toString(), '');
  const samples = new Float32Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.length));
  const rate = 32_000;
  assert.equal(samples.length, 2 * 60 * rate);
  // What make-clip.mjs has as its formula.
  const wanted = (index: number): number => {
    const t = index / rate;
    const turn = 2 * Math.PI * t;
    const sinceChime = t % 1;
    const chord = 0.04 * Math.sin(220 * turn) + 0.03 * Math.sin(330 * turn) + 0.025 * Math.sin(440 * turn);
    const chime =
      0.2 * Math.sin(880 * turn) * Math.exp(-6 * sinceChime) +
      0.07 * Math.sin(1_760 * turn) * Math.exp(-9 * sinceChime);
    return chord + chime * Math.min(1, 250 * sinceChime);
  };
  /** Signal to noise, in dB, of so many samples. */
  const quality = (start: number, end: number): number => {
    let signal = 0;
    let noise = 0;
    for (let index = start; index < end; index++) {
      signal += wanted(index) ** 2;
      noise += (wanted(index) - (samples[index] ?? 0)) ** 2;
    }
    return 10 * Math.log10(signal / noise);
  };
  const joint = 60 * rate;
  const anywhere = quality(30 * rate - 2_048, 30 * rate + 2_048);
  const atJoint = quality(joint - 2_048, joint + 2_048);
  assert.ok(anywhere > 20, `${anywhere} dB`);
  assert.ok(atJoint > anywhere - 3, `${atJoint} dB at the joint, ${anywhere} dB elsewhere`);
});

test('time stamps wrap at 32 bits and go on', () => {
  for (const [stream, clockRate, step] of [
    [clip.main, 90_000, 3_600],
    [clip.sound, 32_000, 1_024],
  ] as const) {
    const track = new LiveTrack(stream, 96);
    const now = Date.UTC(2026, 0, 1);
    const wrapMs = now + ((2 ** 32 - track.timestampAt(now)) * 1000) / clockRate;
    track.seek(wrapMs - 500);
    const timestamps: number[] = [];
    while (track.nextMs < wrapMs + 500) timestamps.push(parseRtpPacket(track.take()[0] as Uint8Array)?.timestamp ?? -1);
    assert.ok((timestamps[0] ?? 0) > (timestamps.at(-1) ?? 0));
    for (let index = 1; index < timestamps.length; index++) {
      assert.equal(((timestamps[index] ?? 0) - (timestamps[index - 1] ?? 0)) >>> 0, step);
    }
  }
});

test('paths: the main stream, the smaller one, and the tracks of both', () => {
  assert.deepEqual(parseTarget('/demo'), { stream: 'main', track: null });
  assert.deepEqual(parseTarget('/demo/'), { stream: 'main', track: null });
  assert.deepEqual(parseTarget('/demo/video'), { stream: 'main', track: 'video' });
  assert.deepEqual(parseTarget('/demo/sub'), { stream: 'sub', track: null });
  assert.deepEqual(parseTarget('/demo/sub/audio?x=/demo'), { stream: 'sub', track: 'audio' });
  for (const path of ['', '/', '/demon', '/demo/sub/sub', '/demo//video', '/x/demo', '/DEMO']) {
    assert.equal(parseTarget(path), null, path);
  }
});
