import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MpegAudioDepacketizer } from '../../../client/depacketizer/mpa.js';
import { audioConfigOf, bytes, checkUnits, hex, mediaFormat, UnitRecorder } from './rtp-fixtures.js';

// MPEG-2 layer III at 16 kHz, mono, 8 kbit/s: 36 bytes, 576 samples, 36 ms.
const HEADER = 'fff318c0';
const TICKS = 3_240;

function frame(fill: number): Uint8Array {
  return Uint8Array.from({ length: 36 }, (_, index) => bytes(HEADER)[index] ?? fill);
}

/** A payload: MBZ, Frag_offset, media (RFC 2250, 3.5). */
function payload(offset: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(0, 0, offset >> 8, offset & 0xff), ...parts]));
}

function recorder(): UnitRecorder<MpegAudioDepacketizer> {
  return new UnitRecorder(MpegAudioDepacketizer, mediaFormat('MPA', 90_000));
}

test('several frames a packet, each one its length later', () => {
  const { contents, times, units } = recorder().feed(
    { payload: payload(0, frame(1), frame(2)), time: 100 },
    { payload: payload(0, frame(3)), time: 100 + 2 * TICKS },
  );
  assert.deepEqual(contents, [frame(1), frame(2), frame(3)].map(hex));
  assert.deepEqual(times, [100, 100 + TICKS, 100 + 2 * TICKS]);
  const config = audioConfigOf(units[0]);
  assert.deepEqual([config?.codec, config?.sampleRate, config?.channels], ['mp4a.69', 16_000, 1]);
  assert.equal(units[1]?.config, null);
});

test('a frame over several packets', () => {
  const { contents, times } = recorder().feed(
    { payload: payload(0, frame(1).subarray(0, 10)), time: 0 },
    { payload: payload(10, frame(1).subarray(10, 30)), time: 0 },
    { payload: payload(30, frame(1).subarray(30)), time: 0 },
    { payload: payload(0, frame(2)), time: TICKS },
  );
  assert.deepEqual(contents, [frame(1), frame(2)].map(hex));
  assert.deepEqual(times, [0, TICKS]);
});

test('a frame with a piece missing is dropped, and the next one is not', () => {
  const pieces = [frame(1).subarray(0, 10), frame(1).subarray(10, 30), frame(1).subarray(30)];
  const packets = pieces.map((piece, index) => ({ payload: payload([0, 10, 30][index] ?? 0, piece), time: 0 }));
  for (const missing of [0, 1, 2]) {
    const sent = packets
      .filter((_, index) => index !== missing)
      .map((packet, index) => ({
        ...packet,
        lost: index === missing ? 1 : 0,
      }));
    const next = { payload: payload(0, frame(2)), time: TICKS, lost: missing === 2 ? 1 : 0 };
    const { contents, depacketizer } = recorder().feed(...sent, next);
    assert.deepEqual(contents, [hex(frame(2))]);
    assert.equal(depacketizer.stats.malformedPackets, 0);
  }
});

test('a fragment that does not go on where the last one ended is malformed', () => {
  const { contents, depacketizer } = recorder().feed(
    { payload: payload(0, frame(1).subarray(0, 10)), time: 0 },
    { payload: payload(12, frame(1).subarray(12)), time: 0 },
    { payload: payload(0, frame(2)), time: TICKS },
  );
  assert.deepEqual(contents, [hex(frame(2))]);
  assert.deepEqual([depacketizer.stats.malformedPackets, depacketizer.stats.droppedAccessUnits], [1, 1]);
});

test('what is no frame, or not even a header, is malformed', () => {
  const { units, depacketizer } = recorder().feed(
    { payload: bytes('00000000'), time: 0 },
    { payload: payload(0, bytes('1234567890')), time: 1 },
    { payload: payload(0, frame(1), bytes('00')), time: 2 },
  );
  assert.equal(depacketizer.stats.malformedPackets, 3);
  assert.equal(units.length, 1);
});

test('whatever comes, what is handed over is whole', () => {
  const offset = fc.constantFrom(0, 0, 0, 5, 10, 36);
  const media = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map((rest) => Uint8Array.of(...bytes(HEADER), ...rest)),
  );
  const packet = fc.record({
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.tuple(offset, media).map(([at, part]) => payload(at, part)),
    ),
    time: fc.nat(100),
    lost: fc.constantFrom(0, 0, 1),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
      const { units } = recorder().feed(...packets);
      checkUnits(units);
      for (const unit of units) assert.equal(hex(unit.pieces).slice(0, 3), 'fff');
    }),
    { numRuns: 300 },
  );
});
