import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { BitWriter } from '../../../client/codec/bit-writer.js';
import { LatmDepacketizer } from '../../../client/depacketizer/latm.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import { ffmpeg, frameHashes } from '../fmp4/encoded-media.js';
import { audioConfigOf, bytes, checkUnits, hex, mediaFormat, type TestPacket, UnitRecorder } from './rtp-fixtures.js';

// AAC-LC, 48 kHz, stereo, one unit an element: audioMuxVersion 0, allStreamsSameTimeFraming 1, AudioSpecificConfig 1190.
const STEREO = '400023203fc0';

function recorder(parameters: Record<string, string>, clockRate = 48_000): UnitRecorder<LatmDepacketizer> {
  return new UnitRecorder(LatmDepacketizer, mediaFormat('MP4A-LATM', clockRate, parameters));
}

function packet(text: string, time: number, marker = true, lost = 0): TestPacket {
  return { payload: bytes(text), time, marker, lost };
}

interface Mux {
  units?: number;
  /** Bytes of each unit where all are alike. */
  unitBytes?: number;
  /** AudioSpecificConfig in binary digits. */
  config?: string;
  otherBits?: number;
  version?: 0 | 1;
}

const LC_STEREO_48K = '00010 0011 0010 000';

function writeDigits(bits: BitWriter, digits: string): void {
  for (const digit of digits.replace(/\s/g, '')) bits.write(Number(digit), 1);
}

function writeMux(
  bits: BitWriter,
  { units = 1, unitBytes, config = LC_STEREO_48K, otherBits = 0, version = 0 }: Mux,
): void {
  bits.write(version, 1);
  if (version === 1) writeDigits(bits, '0 00 11111111'); // audioMuxVersionA, taraBufferFullness
  writeDigits(bits, '1'); // allStreamsSameTimeFraming
  bits.write(units - 1, 6);
  writeDigits(bits, '0000 000'); // numProgram, numLayer
  if (version === 1) {
    writeDigits(bits, '00');
    bits.write(config.replace(/\s/g, '').length, 8);
  }
  writeDigits(bits, config);
  if (unitBytes === undefined) {
    writeDigits(bits, '000 11111111'); // frameLengthType, latmBufferFullness
  } else {
    writeDigits(bits, '001');
    bits.write(unitBytes - 20, 9);
  }
  writeDigits(bits, otherBits > 0 ? '1' : '0');
  if (otherBits > 0) {
    writeDigits(bits, version === 1 ? '00' : '0');
    bits.write(otherBits, 8);
  }
  writeDigits(bits, '0'); // crcCheckPresent
}

function muxHex(mux: Mux): string {
  const bits = new BitWriter(64);
  writeMux(bits, mux);
  return hex(bits.bytes());
}

/** An AudioMuxElement with its configuration; `sameAsBefore` leaves that out. */
function element(mux: Mux, units: readonly string[], sameAsBefore = false): Uint8Array {
  const bits = new BitWriter(4_096);
  bits.write(sameAsBefore ? 1 : 0, 1);
  if (!sameAsBefore) writeMux(bits, mux);
  for (const unit of units) {
    const data = bytes(unit);
    if (mux.unitBytes === undefined) {
      for (let left = data.length; left >= 0; left -= 255) bits.write(Math.min(left, 255), 8);
    }
    for (const byte of data) bits.write(byte, 8);
  }
  for (let bit = 0; bit < (mux.otherBits ?? 0); bit++) bits.write(1, 1);
  return bits.bytes();
}

test('the configuration in the description; the units are views of the packets', () => {
  const first = packet('03 210102', 500);
  const { contents, times, units } = recorder({ cpresent: '0', config: STEREO }).feed(first, packet('02 2103', 1_524));
  assert.deepEqual(contents, ['210102', '2103']);
  assert.deepEqual(times, [500, 1_524]);
  const config = audioConfigOf(units[0]);
  assert.deepEqual([config?.codec, config?.sampleRate, config?.channels], ['mp4a.40.2', 48_000, 2]);
  assert.equal(hex(config?.description ?? []), '1190');
  assert.equal(units[1]?.config, null);
  assert.equal(units[0]?.pieces[0]?.buffer, first.payload.buffer);
});

test('lengths of 255 and more', () => {
  const long = 'ab'.repeat(255);
  const longer = 'cd'.repeat(600);
  const { contents } = recorder({ cpresent: '0', config: STEREO }).feed(
    packet(`ff00${long}`, 0),
    packet(`ffff5a${longer}`, 1_024),
  );
  assert.deepEqual(contents, [long, longer]);
});

test('several units an element, and several elements a packet', () => {
  const { contents, times } = recorder({ cpresent: '0', config: muxHex({ units: 2 }) }).feed(
    packet('01 21 02 2122', 0),
    packet('01 31 01 32 01 33 01 34', 2_048),
  );
  assert.deepEqual(contents, ['21', '2122', '31', '32', '33', '34']);
  assert.deepEqual(times, [0, 1_024, 2_048, 3_072, 4_096, 5_120]);
});

test('an element over several packets, and one of which a piece is missing', () => {
  const { contents, depacketizer } = recorder({ cpresent: '0', config: STEREO }).feed(
    packet('06 2101', 0, false),
    packet('0203', 0, false),
    packet('0405', 0),
    packet('06 2101', 1_024, false),
    packet('0405', 1_024, true, 1),
    packet('02 0405', 2_048, true, 1),
    packet('02 2199', 3_072),
  );
  assert.deepEqual(contents, ['210102030405', '2199'], 'what follows a gap may be the rest of an element');
  assert.equal(depacketizer.stats.malformedPackets, 0);
});

test('where no element takes several packets, a loss costs what was lost', () => {
  const { contents } = recorder({ cpresent: '0', config: STEREO }).feed(
    packet('02 2101', 0),
    packet('02 2103', 2_048, true, 1),
  );
  assert.deepEqual(contents, ['2101', '2103']);
});

test('without markers the next time stamp ends an element', () => {
  const { contents } = recorder({ cpresent: '0', config: STEREO }).feed(
    packet('02 2101', 0, false),
    packet('02 2102', 1_024, false),
    packet('02 2103', 2_048, false),
  );
  assert.deepEqual(contents, ['2101', '2102']);
});

test('the configuration in band: repeated, left out, and changed', () => {
  const mono = '00010 1000 0001 000';
  const { contents, configs, units, times } = recorder({ cpresent: '1' }).feed(
    { payload: element({}, ['2101']), time: 0, marker: true },
    { payload: element({}, ['2102']), time: 1_024, marker: true },
    { payload: element({}, ['2103'], true), time: 2_048, marker: true },
    { payload: element({ config: mono, units: 2 }, ['0104', '0105']), time: 3_072, marker: true },
  );
  assert.deepEqual(contents, ['2101', '2102', '2103', '0104', '0105']);
  assert.deepEqual(configs, ['mp4a.40.2', 'mp4a.40.2']);
  assert.equal(audioConfigOf(units[3])?.sampleRate, 16_000);
  assert.deepEqual(times.slice(3), [3_072, 3_072 + 3_072]);
});

test('in band is the default, and what comes before the first configuration is dropped', () => {
  const { contents, depacketizer } = recorder({}).feed(
    { payload: element({}, ['2101'], true), time: 0, marker: true },
    { payload: element({}, ['2102']), time: 1_024, marker: true },
  );
  assert.deepEqual(contents, ['2102']);
  assert.equal(depacketizer.stats.droppedAccessUnits, 1);
});

test('a description with a configuration and no word about its presence means what it gives', () => {
  assert.deepEqual(recorder({ config: STEREO }).feed(packet('02 2101', 0)).contents, ['2101']);
});

test('an empty configuration leaves clock rate and channels', () => {
  const { units } = recorder({ cpresent: '0', config: '' }, 16_000).feed(packet('02 2101', 0));
  const config = audioConfigOf(units[0]);
  assert.deepEqual([config?.sampleRate, config?.channels], [16_000, 1]);
});

test('units of a fixed length, other data, and the second version of the syntax', () => {
  const unit = `21${'05'.repeat(22)}`;
  for (const mux of [{ unitBytes: 23 }, { otherBits: 13 }, { version: 1, otherBits: 8, units: 2 }] as const) {
    const units = 'units' in mux ? [unit, unit] : [unit];
    const { contents } = recorder({}).feed({ payload: element(mux, units), time: 0, marker: true });
    assert.deepEqual(contents, units, JSON.stringify(mux));
  }
});

// HE-AAC: object type 5 or 29 in front, or the extension behind the core's configuration, which only the second version of
// the syntax gives the length of.
for (const [what, mux, codec, sampleRate, channels] of [
  ['HE-AAC, explicit', { config: '00101 0110 0010 0011 00010 000' }, 'mp4a.40.5', 48_000, 2],
  ['HE-AAC v2, explicit', { config: '11101 0110 0001 0011 00010 000' }, 'mp4a.40.29', 48_000, 2],
  [
    'HE-AAC behind the core',
    { version: 1, config: '00010 0110 0010 000 01010110111 00101 1 0011' },
    'mp4a.40.5',
    48_000,
    2,
  ],
  ['HE-AAC, implicit', { config: '00010 0110 0010 000' }, 'mp4a.40.2', 24_000, 2],
] as const) {
  test(`the configuration of ${what}`, () => {
    const { units, times } = recorder({}).feed({
      payload: element({ ...mux, units: 2 }, ['2101', '2102']),
      time: 0,
      marker: true,
    });
    const config = audioConfigOf(units[0]);
    assert.deepEqual([config?.codec, config?.sampleRate, config?.channels], [codec, sampleRate, channels]);
    assert.deepEqual(times, [0, 2_048]);
  });
}

for (const [what, payload] of [
  ['a unit longer than its packet', element({}, ['2101']).subarray(0, -1)],
  ['more than one program', bytes('00 41 00 00 00')],
  ['a configuration that is cut short', element({}, ['2101']).subarray(0, 3)],
] as const) {
  test(`${what} is malformed, and the next packet is played`, () => {
    const { contents, depacketizer } = recorder({}).feed(
      { payload, time: 0, marker: true },
      { payload: element({}, ['2199']), time: 1_024, marker: true },
    );
    assert.deepEqual(contents, ['2199']);
    assert.equal(depacketizer.stats.malformedPackets, 1);
  });
}

// ADTS where it should not be: 48 kHz, stereo, and 16 kHz, mono, 9 bytes in all.
const ADTS = 'fff14c80013ffc';
const ADTS_MONO_16K = 'fff16040013ffc';

test('ADTS frames in place of elements, with the configuration that is described', () => {
  const described = recorder({ cpresent: '0', config: STEREO });
  described.feed(packet(`${ADTS}2101`, 0), packet(`${ADTS_MONO_16K}2102 ${ADTS}2103`, 1_024));
  described.feed(packet(`${ADTS}21`, 3_072, false), packet('04', 3_072));
  assert.deepEqual(described.contents, ['2101', '2102', '2103', '2104']);
  assert.deepEqual(described.times, [0, 1_024, 2_048, 3_072]);
  assert.deepEqual(audioConfigOf(described.units[0])?.sampleRate, 48_000);
  assert.deepEqual(described.configs, ['mp4a.40.2']);
});

test('ADTS frames in place of elements that would have a configuration: the headers have it, and its changes', () => {
  const inBand = recorder({});
  const packets = [ADTS_MONO_16K, ADTS_MONO_16K, ADTS].map((header, index) =>
    packet(`${header}210${index}`, 3_072 * index),
  );
  inBand.feed(...packets);
  assert.deepEqual(inBand.contents, ['2100', '2101', '2102']);
  assert.deepEqual(
    inBand.units.map((unit) => audioConfigOf(unit)?.sampleRate),
    [16_000, undefined, 48_000],
  );
});

test('an ADTS frame inside an element', () => {
  const described = recorder({ cpresent: '0', config: STEREO }).feed(packet(`09 ${ADTS}2101`, 0));
  assert.deepEqual(described.contents, ['2101']);
  assert.equal(described.depacketizer.stats.malformedPackets, 0);
});

test('an element that begins as ADTS does is none', () => {
  // Its length, 255 and 241, has the bits of a sync word.
  const unit = `4c80013ffc${'21'.repeat(491)}`;
  const described = recorder({ cpresent: '0', config: STEREO }).feed(packet(`fff1 ${unit}`, 0));
  assert.deepEqual(described.contents, [unit]);
});

test('whatever comes, what is handed over is whole', () => {
  const parameters = fc.constantFrom({}, { cpresent: '0', config: STEREO }, { cpresent: '0' }, { config: 'zz40' });
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 30 }).map((rest) => Uint8Array.of(...element({}, ['2101']), ...rest)),
    fc.uint8Array({ maxLength: 30 }).map((rest) => Uint8Array.of(0x20, 0x00, 0x11, 0x90, ...rest)),
  );
  const packets = fc.array(
    fc.record({ payload, time: fc.nat(4), marker: fc.boolean(), lost: fc.constantFrom(0, 0, 0, 1) }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(parameters, packets, (given, list) => {
      const { units } = recorder(given as Record<string, string>).feed(...list);
      checkUnits(units);
    }),
    { numRuns: 500 },
  );
});

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'latm-'));
});
after(() => rm(directory, { recursive: true, force: true }));

/** AudioMuxElements out of FFmpeg's LOAS stream (ISO/IEC 14496-3, 1.7.2): 11 bits of sync word, 13 of length, element. */
async function readElements(path: string): Promise<Uint8Array[]> {
  const data = new Uint8Array(await readFile(path));
  const elements: Uint8Array[] = [];
  for (let position = 0; position + 3 <= data.length; ) {
    assert.equal(((data[position] ?? 0) << 3) | ((data[position + 1] ?? 0) >> 5), 0x2b7);
    const length = (((data[position + 1] ?? 0) & 0x1f) << 8) | (data[position + 2] ?? 0);
    elements.push(data.subarray(position + 3, position + 3 + length));
    position += 3 + length;
  }
  return elements;
}

for (const [channels, sampleRate] of [
  [1, 16_000],
  [2, 44_100],
  [6, 48_000],
] as const) {
  test(`FFmpeg's LATM of ${channels} channels, configured in band, decodes to the same samples`, async () => {
    const loas = join(directory, `${channels}.latm`);
    const tone = `sine=frequency=440:sample_rate=${sampleRate}:duration=1.5`;
    await ffmpeg('-f', 'lavfi', '-i', tone, '-ac', `${channels}`, '-c:a', 'aac', '-f', 'latm', loas);
    const chunks: Uint8Array[] = [];
    const writer = new Mp4FileWriter([{ trackId: 1, timescale: sampleRate }], {
      onBytes: (data) => chunks.push(data),
      onError: (error) => assert.fail(error),
    });
    const { units } = recorder({ cpresent: '1' }, sampleRate).feed(
      ...(await readElements(loas)).flatMap((data, index) => [
        // In two packets, the marker on the second.
        { payload: data.subarray(0, 7), time: index * 1_024 },
        { payload: data.subarray(7), time: index * 1_024, marker: true },
      ]),
    );
    for (const unit of units) writer.push(0, unit);
    writer.finish();
    const path = join(directory, `${channels}.mp4`);
    await writeFile(path, Buffer.concat(chunks));
    const expected = await frameHashes(loas, 'a:0');
    assert.ok(expected.length > 20);
    assert.deepEqual(await frameHashes(path, 'a:0'), expected);
  });
}
