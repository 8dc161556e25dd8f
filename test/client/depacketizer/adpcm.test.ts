import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { G722Depacketizer } from '../../../client/depacketizer/g722.js';
import { G726Depacketizer } from '../../../client/depacketizer/g726.js';
import { type DepacketizerClass, loadDepacketizer } from '../../../client/depacketizer/registry.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import type { MediaFormat } from '../../../shared/session-description.js';
import { runProgram } from '../../support/child-process.js';

// Judged by FFmpeg's own decoder: the samples in the file are the same.

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'g726-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function format(encodingName: string): MediaFormat {
  return { payloadType: 97, encodingName, clockRate: 8_000, channels: null, parameters: new Map() };
}

function packet(payload: Uint8Array) {
  return { payloadType: 97, marker: false, sequenceNumber: 0, timestamp: 0, ssrc: 1, payload, extension: null };
}

/** @param rate - samples a second */
const sources = (rate: number) => ({
  tone: `sine=frequency=440:sample_rate=${rate}:duration=2`,
  noise: `anoisesrc=sample_rate=${rate}:duration=2:amplitude=0.6:seed=3`,
  // What a modem sends: the predictor is set back at its transitions.
  loud: `sine=frequency=2100:sample_rate=${rate}:duration=2,volume=6`,
});

interface Coder {
  name: string;
  coder: string;
  Depacketizer: DepacketizerClass;
  rate: number;
  /** For FFmpeg's encoder, and for its reader. */
  encoding: string[];
  reading: string[];
  /** In 20 ms. */
  octets: number;
}

const coders: Coder[] = [2, 3, 4, 5].flatMap((bits) =>
  [['g726le', `G726-${8 * bits}`] as const, ['g726', `AAL2-G726-${8 * bits}`] as const].map(([coder, name]) => ({
    ...{ name, coder, Depacketizer: G726Depacketizer, rate: 8_000, octets: 20 * bits },
    encoding: ['-b:a', `${8_000 * bits}`],
    reading: ['-code_size', `${bits}`, '-sample_rate', '8000'],
  })),
);
coders.push({
  ...{ name: 'G722', coder: 'g722', Depacketizer: G722Depacketizer, rate: 16_000, octets: 160 },
  ...{ encoding: [], reading: [] },
});

for (const { name, coder, Depacketizer, rate, encoding, reading, octets } of coders) {
  test(`${name}: every sample is the one that FFmpeg decodes`, async () => {
    for (const [what, source] of Object.entries(sources(rate))) {
      const coded = join(folder, `${name}-${what}.${coder}`);
      const options = ['-v', 'error', '-f', 'lavfi', '-i', source, '-ac', '1', '-ar', `${rate}`];
      await runProgram('ffmpeg', [...options, '-c:a', coder, ...encoding, '-f', coder, coded]);
      const expected = join(folder, `${name}-${what}.pcm`);
      await runProgram('ffmpeg', ['-v', 'error', '-f', coder, ...reading, '-i', coded, '-f', 's16le', expected]);
      const chunks: Uint8Array[] = [];
      const writer = new Mp4FileWriter([{ trackId: 1, timescale: 8_000 }], {
        onBytes: (bytes) => chunks.push(bytes),
        onError: (error) => assert.fail(error),
      });
      const depacketizer = new Depacketizer(format(name), (unit) => writer.push(0, unit));
      const stream = await readFile(coded);
      for (let at = 0; at < stream.length; at += octets) {
        // 160 ticks of the RTP clock each.
        depacketizer.push(packet(stream.subarray(at, at + octets)), (160 * at) / octets, 0);
      }
      writer.finish();
      const recorded = join(folder, `${name}-${what}.mp4`);
      await writeFile(recorded, Buffer.concat(chunks));
      const decoded = join(folder, `${name}-${what}-decoded.pcm`);
      await runProgram('ffmpeg', ['-v', 'error', '-i', recorded, '-f', 's16le', decoded]);
      const samples = await readFile(expected);
      assert.ok(samples.length > 30_000);
      assert.ok(samples.equals(await readFile(decoded)), what);
    }
  });
}

test('the registry has them, and any bytes are decoded', async () => {
  assert.equal(await loadDepacketizer(format('G722')), G722Depacketizer);
  for (const rate of [16, 24, 32, 40]) {
    for (const name of [`G726-${rate}`, `aal2-g726-${rate}`]) {
      assert.equal(await loadDepacketizer(format(name)), G726Depacketizer);
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 5 }), (payloads) => {
          const depacketizer = new G726Depacketizer(format(name), ({ byteLength }) => assert.ok(byteLength > 0));
          payloads.forEach((payload, index) => {
            depacketizer.push(packet(payload), 1_000 * index);
          });
        }),
        { numRuns: 20 },
      );
    }
  }
});
