import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { PcmDepacketizer } from '../../../client/depacketizer/pcm.js';
import { hasDepacketizer, loadDepacketizer } from '../../../client/depacketizer/registry.js';
import type { RtpPacket } from '../../../shared/rtp-packet.js';
import type { MediaFormat } from '../../../shared/session-description.js';

function format(encodingName: string, clockRate = 8_000, channels: number | null = null): MediaFormat {
  return { payloadType: 0, encodingName, clockRate, channels, parameters: new Map() };
}

function packet(payload: Uint8Array, timestamp = 0): RtpPacket {
  return { payloadType: 0, marker: false, sequenceNumber: 0, timestamp, ssrc: 1, payload, extension: null };
}

function collect(of: MediaFormat) {
  const units: AccessUnit[] = [];
  const depacketizer = new PcmDepacketizer(of, (unit) => units.push(unit));
  const push = (octets: number, time: number) =>
    depacketizer.push(packet(new Uint8Array(octets).fill(0x55), time), time);
  return { units, depacketizer, push, times: () => units.map(({ presentationTime }) => presentationTime) };
}

test('packets of any size become units of 20 ms, in time', () => {
  const { push, times, units } = collect(format('PCMA'));
  push(240, 1_000);
  push(400, 1_240);
  push(7, 1_640);
  push(153, 1_647);
  assert.deepEqual(times(), [1_000, 1_160, 1_320, 1_480, 1_640]);
  assert.deepEqual(
    units.map(({ config }) => config?.codec),
    ['flac', undefined, undefined, undefined, undefined],
  );
});

/** The samples of a FLAC file of 8 kHz with these units, by FFmpeg. */
function decode(units: readonly AccessUnit[]): Int16Array {
  const [config] = units.flatMap((unit) => unit.config ?? []);
  const frames = units.flatMap(({ pieces }) => pieces);
  const input = Buffer.concat([Buffer.from('fLaC'), config?.description ?? new Uint8Array(), ...frames]);
  const output = execFileSync('ffmpeg', ['-v', 'error', '-f', 'flac', '-i', 'pipe:0', '-f', 's16le', 'pipe:1'], {
    input,
  });
  return new Int16Array(Uint8Array.from(output).buffer);
}

for (const [what, missing] of [
  ['comfort noise', 1_000],
  ['a telephone event', 90],
  ['exactly one unit', 160],
] as const) {
  test(`${what} in place of ${missing} samples: silence, and every sample around it in its place`, () => {
    const { units, depacketizer, times } = collect(format('L16'));
    const sound = Int16Array.from({ length: 1_900 + missing }, (_, index) => 1 + ((index * 7_919) % 30_000));
    sound.fill(0, 900, 900 + missing);
    for (const start of [0, 300, 600, 900 + missing, 1_400 + missing]) {
      const samples = sound.slice(start, start + (start < 900 ? 300 : 500));
      depacketizer.push(packet(new Uint8Array(Buffer.from(samples.buffer).swap16())), 5_000 + start);
    }
    const decoded = decode(units);
    assert.ok(units.length >= 10);
    assert.equal(depacketizer.stats.droppedAccessUnits, 0);
    for (const [index, time] of times().entries()) {
      const start = time - 5_000;
      assert.equal(start % 160, 0, 'the units go on at their pace');
      const unit = decoded.subarray(160 * index, 160 * (index + 1));
      assert.deepEqual(unit, sound.subarray(start, start + 160), `the unit at ${start}`);
    }
  });
}

test('what another time line leaves incomplete is dropped', () => {
  const { push, times, depacketizer } = collect(format('PCMU'));
  push(200, 1_000);
  push(200, 0);
  assert.deepEqual(times(), [1_000, 0]);
  assert.equal(depacketizer.stats.droppedAccessUnits, 1);
  depacketizer.reset();
  push(160, 50);
  assert.deepEqual(times(), [1_000, 0, 50]);
});

test('L16 has its channels interleaved, most significant byte first', () => {
  const units: AccessUnit[] = [];
  const depacketizer = new PcmDepacketizer(format('L16', 44_100, 2), (unit) => units.push(unit));
  const payload = new Uint8Array(882 * 4);
  new DataView(payload.buffer).setInt16(0, -2);
  new DataView(payload.buffer).setInt16(2, 300);
  depacketizer.push(packet(payload), 0);
  assert.equal(units[0]?.config?.kind === 'audio' && units[0].config.channels, 2);
  const bytes = units[0]?.pieces[0] ?? new Uint8Array();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  // Behind the frame's header of 8 bytes: a subframe for each channel, as it is.
  assert.deepEqual([bytes[8], view.getInt16(9), bytes[9 + 882 * 2], view.getInt16(10 + 882 * 2)], [2, -2, 2, 300]);
});

test('nothing that a camera declares or sends is too much', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('PCMU', 'PCMA', 'L8', 'L16'),
      fc.integer({ min: 1, max: 4_294_967_295 }),
      fc.option(fc.integer({ min: 0, max: 1_000_000 })),
      fc.array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: -1e9, max: 1e12 })), { maxLength: 20 }),
      (name, clockRate, channels, packets) => {
        const depacketizer = new PcmDepacketizer(format(name, clockRate, channels), () => {});
        for (const [payload, time] of packets) depacketizer.push(packet(payload), time);
      },
    ),
    { numRuns: 100 },
  );
});

test('the registry has them', async () => {
  for (const name of ['PCMU', 'PCMA', 'L8', 'L16']) assert.equal(await loadDepacketizer(format(name)), PcmDepacketizer);
  assert.ok(hasDepacketizer(format('opus')));
});
