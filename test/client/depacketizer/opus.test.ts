import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OpusDepacketizer } from '../../../client/depacketizer/opus.js';
import { audioConfigOf, bytes, checkUnits, mediaFormat, UnitRecorder } from './rtp-fixtures.js';

function recorder(parameters: Record<string, string> = {}): UnitRecorder<OpusDepacketizer> {
  return new UnitRecorder(OpusDepacketizer, mediaFormat('OPUS', 48_000, parameters, 2));
}

test('one packet is one access unit', () => {
  const { units, contents, times } = recorder().feed(
    { payload: bytes('fc1122'), time: 10 },
    { payload: bytes('fc3344'), time: 970, lost: 3 },
  );
  assert.deepEqual(contents, ['fc1122', 'fc3344']);
  assert.deepEqual(times, [10, 970]);
  assert.equal(audioConfigOf(units[0])?.samplesPerUnit, 960);
  assert.equal(units[1]?.config, null);
});

test('channels are as sprop-stereo says, and two where it says nothing', () => {
  for (const [parameters, channels] of [
    [{ 'sprop-stereo': '1' }, 2],
    [{ 'sprop-stereo': '0' }, 1],
    [{}, 2],
  ] as const) {
    const { units } = recorder(parameters).feed({ payload: bytes('f811'), time: 0 });
    assert.equal(audioConfigOf(units[0])?.channels, channels);
  }
});

test('packets of another length come with a new configuration', () => {
  const { units } = recorder().feed(
    { payload: bytes('fc11'), time: 0 },
    { payload: bytes('f411'), time: 960 },
    { payload: bytes('f422'), time: 1_440 },
  );
  assert.deepEqual(
    units.map((unit) => audioConfigOf(unit)?.samplesPerUnit ?? null),
    [960, 480, null],
  );
});

test('packets longer than 120 ms are malformed, empty ones nothing', () => {
  const { units, depacketizer } = recorder().feed(
    { payload: bytes('fb3f11'), time: 0 },
    { payload: bytes(''), time: 960 },
    { payload: bytes('f8'), time: 1_920 },
  );
  assert.equal(depacketizer.stats.malformedPackets, 1);
  assert.equal(units.length, 1);
});

test('whatever comes, what is handed over is whole', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 }), (payloads) => {
      const { units, depacketizer } = recorder().feed(...payloads.map((payload, time) => ({ payload, time })));
      checkUnits(units);
      const empty = payloads.filter(({ length }) => length === 0).length;
      assert.equal(units.length + depacketizer.stats.malformedPackets + empty, payloads.length);
    }),
  );
});
