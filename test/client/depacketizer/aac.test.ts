import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { AacDepacketizer } from '../../../client/depacketizer/aac.js';
import { hasDepacketizer, loadDepacketizer } from '../../../client/depacketizer/registry.js';
import { MAX_AUDIO_UNITS_PER_PACKET } from '../../../shared/limits.js';
import { AacPacketizer } from '../../../shared/packetizer/aac.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { audioConfigOf, audioFormat, bytes, feed, hex, type TestPacket, videoFormat } from './rtp-fixtures.js';

const HBR = { mode: 'AAC-hbr', sizelength: '13', indexlength: '3', indexdeltalength: '3', config: '1190' };
const LBR = { mode: 'AAC-lbr', sizelength: '6', indexlength: '2', indexdeltalength: '2', config: '1588' };

class Recorder {
  readonly units: AccessUnit[] = [];
  readonly depacketizer: AacDepacketizer;

  constructor(parameters: Record<string, string>, clockRate = 48_000, channels: number | null = 2) {
    this.depacketizer = new AacDepacketizer(audioFormat(parameters, clockRate, channels), (unit) =>
      this.units.push(unit),
    );
  }

  feed(...packets: readonly (readonly [text: string, time: number, lost?: number])[]): this {
    const list: TestPacket[] = packets.map(([text, time, lost = 0]) => ({ payload: bytes(text), time, lost }));
    feed(this.depacketizer, list);
    return this;
  }

  get blocks(): string[] {
    return this.units.map((unit) => hex(unit.pieces));
  }

  get times(): number[] {
    return this.units.map((unit) => unit.presentationTime);
  }
}

test('AAC-hbr, one access unit a packet', () => {
  const recorder = new Recorder(HBR).feed(['0010 0020 21aabbcc', 1_000], ['0010 0018 21ddee', 2_024]);
  assert.deepEqual(recorder.blocks, ['21aabbcc', '21ddee']);
  assert.deepEqual(recorder.times, [1_000, 2_024]);
  const [first, second] = recorder.units;
  assert.equal(first?.config?.codec, 'mp4a.40.2');
  assert.equal(hex(first?.config?.description ?? []), '1190');
  assert.equal(second?.config, null);
  assert.ok(recorder.units.every((unit) => unit.isKeyFrame && unit.decodeTime === unit.presentationTime));
  assert.equal(first?.byteLength, 4);
});

test('AAC-hbr, several access units a packet: each one its frame later', () => {
  const recorder = new Recorder(HBR).feed(['0030 0010 0018 0008 2101 210203 21', 500]);
  assert.deepEqual(recorder.blocks, ['2101', '210203', '21']);
  assert.deepEqual(recorder.times, [500, 1_524, 2_548]);
});

test('AAC-lbr', () => {
  const recorder = new Recorder(LBR, 8_000, 1).feed(['0010 0c 08 010203 0405', 0]);
  assert.deepEqual(recorder.blocks, ['010203', '0405']);
  assert.deepEqual(recorder.times, [0, 1_024]);
});

test('ticks are those of the RTP clock, which is not the sampling rate for HE-AAC and some cameras', () => {
  // HE-AAC: 2,048 samples at 48 kHz, under a clock of 24 kHz.
  const heAac = new Recorder({ ...HBR, config: '2b118800' }, 24_000).feed(['0020 0008 0008 2122', 0]);
  assert.deepEqual(heAac.times, [0, 1_024]);
  assert.equal(audioConfigOf(heAac.units[0])?.samplesPerUnit, 2_048);
  const video = new Recorder({ ...HBR, config: '1408' }, 90_000, 1).feed(['0020 0008 0008 2122', 0]);
  assert.deepEqual(video.times, [0, 5_760]);
});

test('an access unit over several packets, and none of its bytes is copied', () => {
  const recorder = new Recorder(HBR).feed(['0010 0030 2101', 7], ['0010 0030 0203', 7], ['0010 0030 0405', 7]);
  assert.deepEqual(recorder.blocks, ['210102030405']);
  assert.deepEqual(recorder.times, [7]);
  assert.equal(recorder.units[0]?.pieces.length, 3);
});

test('an access unit without its middle, start or end is dropped, and the next one is not', () => {
  const next = ['0010 0010 2199', 1_031] as const;
  for (const packets of [
    [
      ['0010 0030 2101', 7],
      ['0010 0030 0405', 7, 1],
    ],
    [['0010 0030 0203', 7, 1]],
    [
      ['0010 0030 2101', 7],
      ['0010 0030 0203', 7],
    ],
  ] as const) {
    const recorder = new Recorder(HBR).feed(...packets, next);
    assert.deepEqual(recorder.blocks, ['2199']);
    assert.equal(recorder.depacketizer.stats.droppedAccessUnits, 1);
  }
});

test('a fragment that is more than what is missing is malformed', () => {
  const recorder = new Recorder(HBR).feed(['0010 0018 2101', 7], ['0010 0018 020304', 7]);
  assert.deepEqual(recorder.blocks, []);
  assert.deepEqual(recorder.depacketizer.stats, {
    accessUnits: 0,
    keyFrames: 0,
    droppedAccessUnits: 1,
    malformedPackets: 1,
  });
});

for (const [name, text] of [
  ['longer than the packet', 'ffff 0020 21aa'],
  ['of zero', '0000 21aabb'],
  ['cut short', '00'],
  ['of one bit', '0001 00 21aabb'],
  ['with a second access unit that is not there', '0020 0010 0020 2101'],
]) {
  test(`AU headers ${name} are malformed`, () => {
    const recorder = new Recorder(HBR).feed([text ?? '', 0], ['0010 0010 2199', 1_024]);
    assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
    assert.equal(recorder.blocks.at(-1), '2199');
  });
}

test('more access units than a packet can hold are malformed', () => {
  const count = MAX_AUDIO_UNITS_PER_PACKET + 1;
  const headers = '0008'.repeat(count);
  const recorder = new Recorder(HBR).feed([
    (16 * count).toString(16).padStart(4, '0') + headers + '21'.repeat(count),
    0,
  ]);
  assert.equal(recorder.units.length, 0);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
});

test('access units of size 0 are passed over, and keep their place in time', () => {
  const recorder = new Recorder(HBR).feed(['0020 0000 0010 2101', 0]);
  assert.deepEqual(recorder.times, [1_024]);
});

test('access units of a constant size have no headers', () => {
  const recorder = new Recorder({ constantsize: '3', config: '1190' }).feed(['210102 210304', 0]);
  assert.deepEqual(recorder.blocks, ['210102', '210304']);
  assert.deepEqual(recorder.times, [0, 1_024]);
});

test('the other fields of an AU header are read where the description has them', () => {
  // size 13, index 3, CTS-flag and delta 8, DTS-flag and delta 8, RAP-flag, stream state 4
  const recorder = new Recorder({
    ...HBR,
    ctsdeltalength: '8',
    dtsdeltalength: '8',
    randomaccessindication: '1',
    streamstateindication: '4',
  });
  const first = ['0000000000010', '000', '0', '0', '1', '0101'];
  const second = ['0000000000001', '000', '1', '11111110', '1', '00000001', '0', '0101'];
  const headerBits = [...first, ...second].join('');
  const headerBytes = (headerBits.match(/.{1,8}/g) ?? []).map((bits) =>
    Number.parseInt(bits.padEnd(8, '0'), 2).toString(16).padStart(2, '0'),
  );
  const length = headerBits.length.toString(16).padStart(4, '0');
  recorder.feed([[length, ...headerBytes, '210122'].join(''), 100]);
  assert.deepEqual(recorder.blocks, ['2101', '22']);
  assert.deepEqual(recorder.times, [100, 98], 'CTS-delta −2');
});

test('the auxiliary section is passed over', () => {
  // 8 bits of size, then 12 bits: 3 bytes in all
  const recorder = new Recorder({ ...HBR, auxiliarydatasizelength: '8' }).feed(['0010 0010 0cabc0 2101', 0]);
  assert.deepEqual(recorder.blocks, ['2101']);
  recorder.feed(['0010 0010 ffabc0 2101', 0]);
  assert.equal(recorder.depacketizer.stats.malformedPackets, 1);
});

test('without any parameters the layout is that of AAC-hbr, or of AAC-lbr if the mode says so', () => {
  assert.deepEqual(new Recorder({ config: '1190' }).feed(['0010 0010 2101', 0]).blocks, ['2101']);
  assert.deepEqual(new Recorder({ config: '1190', mode: 'AAC-lbr' }).feed(['0008 08 2101', 0]).blocks, ['2101']);
});

// ADTS where it should not be.

const ADTS = 'fff14c80013ffc'; // 48 kHz, stereo, 9 bytes in all
const ADTS_MONO_16K = 'fff16040013ffc';

test('ADTS frames in place of AU headers', () => {
  const recorder = new Recorder(HBR).feed([`${ADTS}2101`, 0], [`${ADTS}2102 ${ADTS}2103`, 1_024]);
  assert.deepEqual(recorder.blocks, ['2101', '2102', '2103']);
  assert.deepEqual(recorder.times, [0, 1_024, 2_048]);
});

test('an ADTS frame behind an AU header', () => {
  const recorder = new Recorder(HBR).feed([`0010 0048 ${ADTS}2101`, 0]);
  assert.deepEqual(recorder.blocks, ['2101']);
});

test('an ADTS frame over several packets', () => {
  const recorder = new Recorder(HBR).feed([`${ADTS}21`, 0], ['01', 0], [`${ADTS}2102`, 1_024]);
  assert.deepEqual(recorder.blocks, ['2101', '2102']);
  const lossy = new Recorder(HBR).feed([`${ADTS}21`, 0], [`${ADTS}2102`, 1_024, 1]);
  assert.deepEqual(lossy.blocks, ['2102']);
});

// Configurations.

test('without a configuration, ADTS headers have it', () => {
  const { config: _, ...parameters } = HBR;
  const recorder = new Recorder(parameters, 90_000, null).feed([`${ADTS_MONO_16K}2101 ${ADTS_MONO_16K}2102`, 0]);
  const [first, second] = recorder.units;
  assert.equal(audioConfigOf(first)?.sampleRate, 16_000);
  assert.equal(audioConfigOf(first)?.channels, 1);
  assert.equal(second?.config, null);
  assert.deepEqual(recorder.times, [0, 5_760]);
});

test('without a configuration or ADTS, clock rate and channels are all that there is', () => {
  const { config: _, ...parameters } = HBR;
  const stereo = new Recorder(parameters, 32_000, 2).feed(['0010 0010 2101', 0]);
  assert.equal(hex(stereo.units[0]?.config?.description ?? []), '1290');
  const mono = new Recorder({ ...HBR, config: 'zz' }, 8_000, null).feed(['0010 0010 2101', 0]);
  assert.equal(hex(mono.units[0]?.config?.description ?? []), '1588');
});

test('a configuration in the description stands, whatever ADTS headers say', () => {
  const recorder = new Recorder(HBR).feed([`${ADTS_MONO_16K}2101`, 0]);
  assert.equal(audioConfigOf(recorder.units[0])?.sampleRate, 48_000);
});

// Invariants.

test('every packetization of a stream gives the same access units', () => {
  const unit = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((data) => Uint8Array.of(0x21, ...data));
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1, maxLength: 10 }), fc.integer({ min: 5, max: 400 }), (blocks, size) => {
      const recorder = new Recorder(HBR);
      const packetizer = new AacPacketizer({ payloadType: 97, ssrc: 1, sequenceNumber: 0, maxPayloadBytes: size });
      for (const [index, block] of blocks.entries()) {
        for (const data of packetizer.packetize([block], index * 1_024)) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null);
          recorder.depacketizer.push(packet, index * 1_024, 0);
        }
      }
      assert.deepEqual(recorder.blocks, blocks.map(hex));
      // Several a packet, by the same headers.
      const headers = blocks.map((block) => (block.length << 3).toString(16).padStart(4, '0')).join('');
      const length = (16 * blocks.length).toString(16).padStart(4, '0');
      const together = new Recorder(HBR).feed([length + headers + blocks.map(hex).join(''), 0]);
      assert.deepEqual(together.blocks, blocks.map(hex));
    }),
    { numRuns: 100 },
  );
});

test('whatever packets are lost, no access unit has a hole', () => {
  const unit = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((data) => Uint8Array.of(0x21, ...data));
  const losses = fc.infiniteStream(fc.integer({ min: 0, max: 99 }));
  const size = fc.integer({ min: 6, max: 30 });
  fc.assert(
    fc.property(fc.array(unit, { minLength: 1, maxLength: 10 }), size, losses, (blocks, maxPayloadBytes, random) => {
      const recorder = new Recorder(HBR);
      const packetizer = new AacPacketizer({ payloadType: 97, ssrc: 1, sequenceNumber: 0, maxPayloadBytes });
      let lost = 0;
      for (const [index, block] of blocks.entries()) {
        for (const data of packetizer.packetize([block], index * 1_024)) {
          const packet = parseRtpPacket(data);
          assert.ok(packet !== null);
          if ((random.next().value ?? 0) < 30) {
            lost++;
            continue;
          }
          recorder.depacketizer.push(packet, index * 1_024, lost);
          lost = 0;
        }
      }
      for (const [index, time] of recorder.times.entries()) {
        assert.equal(recorder.blocks[index], hex(blocks[time / 1_024] ?? []));
      }
    }),
    { numRuns: 200 },
  );
});

test('random payloads and parameters never throw', () => {
  const width = fc.constantFrom('0', '1', '3', '6', '13', '32', '-1', '99', 'x', '');
  const parameters = fc.record(
    {
      mode: fc.constantFrom('AAC-hbr', 'aac-lbr', 'generic', ''),
      sizelength: width,
      indexlength: width,
      indexdeltalength: width,
      ctsdeltalength: width,
      dtsdeltalength: width,
      randomaccessindication: width,
      streamstateindication: width,
      auxiliarydatasizelength: width,
      constantsize: width,
      config: fc.string({ maxLength: 12 }),
    },
    { requiredKeys: [] },
  );
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.uint8Array({ maxLength: 40 }).map((rest) => Uint8Array.of(0, 16, ...rest)),
    fc.uint8Array({ maxLength: 40 }).map((rest) => Uint8Array.of(0xff, 0xf1, 0x4c, 0x80, ...rest)),
  );
  const packet = fc.record({ payload, time: fc.nat(3), lost: fc.constantFrom(0, 0, 0, 1) });
  fc.assert(
    fc.property(parameters, fc.nat(96_000), fc.array(packet, { maxLength: 20 }), (given, clockRate, packets) => {
      const recorder = new Recorder(given as Record<string, string>, clockRate);
      feed(recorder.depacketizer, packets);
      for (const unit of recorder.units) {
        assert.ok(unit.byteLength > 0);
        assert.equal(hex(unit.pieces).length, 2 * unit.byteLength);
        assert.ok(Number.isInteger(unit.presentationTime));
      }
    }),
    { numRuns: 500 },
  );
});

test('the registry knows formats by name, in any case, and no others', async () => {
  const lowerCase = { ...audioFormat(HBR), encodingName: 'mpeg4-generic' };
  assert.equal(await loadDepacketizer(lowerCase), AacDepacketizer);
  assert.ok(hasDepacketizer(lowerCase) && hasDepacketizer(videoFormat()));
  const unknown = { ...videoFormat(), encodingName: 'TP-LINK' };
  assert.ok(!hasDepacketizer(unknown));
  await assert.rejects(loadDepacketizer(unknown), { code: 'no-playable-track' });
});
