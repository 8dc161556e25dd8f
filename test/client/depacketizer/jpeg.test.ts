import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { JpegDepacketizer } from '../../../client/depacketizer/jpeg.js';
import { videoFormat } from './rtp-fixtures.js';

interface Packet {
  offset: number;
  data: number[];
  time?: number;
  marker?: boolean;
  lost?: number;
  type?: number;
  q?: number;
  /** In blocks of 8 pixels. */
  size?: [number, number];
  /** Between the main header and the data. */
  between?: number[];
  extension?: { profile: number; data: Uint8Array };
}

function recorder(parameters: Record<string, string> = {}) {
  const units: AccessUnit[] = [];
  const depacketizer = new JpegDepacketizer(videoFormat(parameters), (unit) => units.push(unit));
  const push = (packet: Packet) => {
    const { offset, data, time = 0, marker = false, lost = 0, type = 1, q = 50, between = [], extension } = packet;
    const [width, height] = packet.size ?? [40, 30];
    const header = [0, offset >> 16, (offset >> 8) & 0xff, offset & 0xff, type, q, width, height];
    const payload = Uint8Array.from([...header, ...between, ...data]);
    const rest = { payloadType: 26, sequenceNumber: 0, timestamp: time, ssrc: 1, extension: extension ?? null };
    depacketizer.push({ ...rest, marker, payload }, time, lost);
  };
  const bytesOf = (index: number) => Buffer.concat(units[index]?.pieces ?? []);
  return { units, depacketizer, push, bytesOf };
}

/** Segments of a JPEG up to its data, by marker. */
function segmentsOf(jpeg: Buffer): Map<number, Buffer> {
  const segments = new Map<number, Buffer>();
  let position = 2;
  while (jpeg[position] === 0xff) {
    const marker = jpeg[position + 1] ?? 0;
    const length = jpeg.readUInt16BE(position + 2);
    segments.set(marker, jpeg.subarray(position + 4, position + 2 + length));
    position += 2 + length;
    if (marker === 0xda) break;
  }
  return segments;
}

test('a picture is put together, with the headers that RTP leaves out', () => {
  const { units, push, bytesOf, depacketizer } = recorder();
  push({ offset: 0, data: [1, 2, 3] });
  push({ offset: 3, data: [4, 5], marker: true });
  assert.equal(units.length, 1);
  const jpeg = bytesOf(0);
  assert.deepEqual([...jpeg.subarray(0, 2), ...jpeg.subarray(-7)], [0xff, 0xd8, 1, 2, 3, 4, 5, 0xff, 0xd9]);
  const segments = segmentsOf(jpeg);
  assert.deepEqual([...segments.keys()], [0xdb, 0xc0, 0xc4, 0xda]);
  // 8 bits, 240 lines of 320, three components, the first 2 by 2.
  assert.equal(segments.get(0xc0)?.subarray(0, 9).toString('hex'), '0800f0014003012200');
  assert.equal(segments.get(0xdb)?.length, 130);
  assert.equal(segments.get(0xc4)?.length, 4 * 17 + 2 * 12 + 2 * 162);
  const { config } = units[0] ?? {};
  assert.deepEqual(config?.kind === 'video' && [config.codec, config.width, config.height], ['jpeg', 320, 240]);
  push({ offset: 0, data: [9, 0xff, 0xd9], time: 3_600, marker: true });
  assert.equal(units[1]?.config, null);
  assert.equal(bytesOf(1).subarray(-3).toString('hex'), '09ffd9', 'its own end is the end');
  assert.deepEqual(depacketizer.stats, { accessUnits: 2, keyFrames: 2, droppedAccessUnits: 0, malformedPackets: 0 });
});

test('tables come in the packet, and are remembered by their Q', () => {
  const { push, bytesOf, units, depacketizer } = recorder();
  const tables = Array.from({ length: 128 }, (_, index) => index + 1);
  push({ offset: 0, q: 200, between: [0, 0, 0, 128, ...tables], data: [1], marker: true });
  push({ offset: 0, q: 200, between: [0, 0, 0, 0], data: [2], time: 1, marker: true });
  for (const index of [0, 1]) {
    const quantisation = segmentsOf(bytesOf(index)).get(0xdb);
    assert.deepEqual([...(quantisation ?? [])], [0, ...tables.slice(0, 64), 1, ...tables.slice(64)]);
  }
  push({ offset: 0, q: 201, between: [0, 0, 0, 0], data: [3], time: 2, marker: true });
  assert.equal(units.length, 2);
  assert.equal(depacketizer.stats.malformedPackets, 1);
});

test('restart markers have their interval, and 4:2:2 its sampling', () => {
  const { push, bytesOf } = recorder();
  push({ offset: 0, type: 64, between: [0, 20, 0xff, 0xff], data: [1], marker: true });
  const segments = segmentsOf(bytesOf(0));
  assert.equal(segments.get(0xdd)?.toString('hex'), '0014');
  assert.equal(segments.get(0xc0)?.[7], 0x21);
});

test('large pictures have their size in the header extension', () => {
  const { push, units } = recorder();
  // A frame header of 2592 by 1944 behind another segment, and padding.
  const data = Uint8Array.from([
    ...[0xff, 0xdd, 0, 4, 0, 0],
    ...[0xff, 0xc0, 0, 17, 8, 0x07, 0x98, 0x0a, 0x20, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1],
    ...[0xff, 0xff, 0xff],
  ]);
  push({ offset: 0, data: [1], marker: true, extension: { profile: 0xffd8, data } });
  const config = units[0]?.config;
  assert.deepEqual(config?.kind === 'video' && [config.width, config.height], [2_592, 1_944]);
});

test('or, from GStreamer, in the session description', () => {
  const { push, units } = recorder({ 'x-dimensions': '2592,1944' });
  push({ offset: 0, data: [1], size: [0, 0], marker: true });
  push({ offset: 0, data: [1], time: 1, marker: true });
  const sizes = units.map(({ config }) => config?.kind === 'video' && [config.width, config.height]);
  assert.deepEqual(sizes, [
    [2_592, 1_944],
    [320, 240],
  ]);
  for (const nonsense of ['2592', 'x,y', '0,0', '70000,10', '1.5,2']) {
    const other = recorder({ 'x-dimensions': nonsense });
    other.push({ offset: 0, data: [1], size: [0, 0], marker: true });
    assert.equal(other.depacketizer.stats.malformedPackets, 1, nonsense);
  }
});

test('a picture of which something is missing is dropped, and the next one comes', () => {
  const { push, units, depacketizer } = recorder();
  push({ offset: 0, data: [1, 2] });
  push({ offset: 4, data: [5], lost: 1, marker: true });
  push({ offset: 0, data: [1], time: 1, marker: true });
  // The start is missing; then a hole that no sequence number tells.
  push({ offset: 2, data: [3], time: 2, lost: 1 });
  push({ offset: 3, data: [4], time: 2, marker: true });
  push({ offset: 0, data: [1, 2], time: 3 });
  push({ offset: 3, data: [4], time: 3, marker: true });
  push({ offset: 0, data: [1], time: 4 });
  push({ offset: 0, data: [1], time: 5, marker: true });
  assert.deepEqual(
    units.map(({ presentationTime }) => presentationTime),
    [1, 5],
  );
  assert.equal(depacketizer.stats.droppedAccessUnits, 4);
});

test('any bytes: no exception, and what is handed over is a JPEG', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ payload: fc.uint8Array({ maxLength: 300 }), marker: fc.boolean(), step: fc.nat(2) }), {
        maxLength: 30,
      }),
      fc.option(fc.uint8Array({ maxLength: 60 })),
      (packets, extension) => {
        const units: AccessUnit[] = [];
        const depacketizer = new JpegDepacketizer(videoFormat(), (unit) => units.push(unit));
        let time = 0;
        for (const { payload, marker, step } of packets) {
          time += step;
          const head = { payloadType: 26, sequenceNumber: 0, timestamp: time, ssrc: 1, marker, payload };
          const data = extension === null ? null : { profile: 0xffd8, data: extension };
          depacketizer.push({ ...head, extension: data }, time, 0);
        }
        for (const { pieces, byteLength } of units) {
          const jpeg = Buffer.concat(pieces);
          assert.equal(jpeg.length, byteLength);
          assert.ok(jpeg.readUInt16BE(0) === 0xffd8 && jpeg.readUInt16BE(jpeg.length - 2) === 0xffd9);
        }
      },
    ),
  );
});
