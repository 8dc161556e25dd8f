import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CameraReader, type FrameSink } from '../../proxy/camera-reader.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';

type Unit = string;

const frameUnit = (channel: number, payload: Uint8Array): Unit => `$${channel} ${Buffer.from(payload).toString('hex')}`;

/** What the shared reader makes of all the bytes at once. */
function expected(bytes: Buffer, channels: number[]): Unit[] {
  const units: Unit[] = [];
  const reader = new RtspReader({
    onMessage: (message) => units.push(`${message.kind} ${Buffer.from(message.body).toString('hex')}`),
    onInterleavedFrame: (channel, payload) => units.push(frameUnit(channel, payload)),
    onError: (error) => units.push(error.code),
  });
  reader.setChannels(channels);
  reader.push(bytes);
  return units;
}

/** The same by CameraReader, from reads of these sizes into one piece of memory that is used again. */
function actual(bytes: Buffer, sizes: number[], channels: number[]): { units: Unit[]; loose: number } {
  const units: Unit[] = [];
  let loose = 0;
  const memory = Buffer.alloc(4_096);
  /** Where chunks begin. */
  const room = 10;
  const sink: FrameSink = {
    beginChunk: (given) => assert.equal(given, memory),
    onFrame: (start, end) => {
      assert.ok(start >= room);
      assert.equal(memory[start], 0x24);
      assert.equal(memory.readUInt16BE(start + 2), end - start - 4);
      units.push(frameUnit(memory[start + 1] ?? -1, memory.subarray(start + 4, end)));
    },
    onLooseFrame: (channel, payload) => {
      loose++;
      units.push(frameUnit(channel, payload));
    },
    onMessage: () => {},
    endChunk: (position) => position,
    isMemoryInUse: false,
    isHolding: false,
  };
  const reader = new CameraReader({
    onMessage: (message) => units.push(`${message.kind} ${Buffer.from(message.body).toString('hex')}`),
    onError: (error) => units.push(error.code),
  });
  reader.setChannels(channels);
  let kept = 0;
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = Math.min(sizes[index % sizes.length] ?? 1, bytes.length - at);
    bytes.copy(memory, room + kept, at, at + size);
    at += size;
    const end = room + kept + size;
    kept = reader.push(memory, room, end, sink, true);
    assert.ok(kept <= end - room);
    memory.copy(memory, room, end - kept, end);
  }
  return { units, loose };
}

const rtp = (length: number, fill: number): Buffer => {
  const packet = Buffer.alloc(Math.max(12, length), fill);
  packet[0] = 0x80;
  packet[1] = 96;
  return packet;
};

test('any bytes at any chunking give what the shared reader gives', () => {
  const unit = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 12, max: 300 }), fc.nat(255))
        .map(([channel, length, fill]) => Buffer.from(serializeInterleaved(channel, rtp(length, fill)))),
    },
    fc
      .tuple(fc.integer({ min: 0, max: 5 }), fc.uint8Array({ maxLength: 20 }))
      .map(([channel, payload]) => Buffer.from(serializeInterleaved(channel, payload))),
    fc
      .constantFrom(
        'RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n',
        'RTSP/1.0 200 OK\nCSeq: 1\nContent-Length: 3\n\n$\0\0',
        'GET_PARAMETER rtsp://x/ RTSP/1.0\r\nCSeq: 9\r\n\r\n',
        '\r\n',
        '\n\r\n',
        'junk',
        '$',
        '$\0',
      )
      .map((text) => Buffer.from(text, 'latin1')),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(
      fc.array(unit, { maxLength: 25 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      (units, sizes, begins) => {
        const bytes = Buffer.concat([...(begins ? [Buffer.from('RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n')] : []), ...units]);
        const wanted = expected(bytes, [0, 1]);
        const found = actual(bytes, sizes, [0, 1]).units;
        // A frame that is not complete is not reported; where the bytes end in a frame, both have the same.
        assert.deepEqual(found, wanted);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('frames that follow a message are soon found without the shared reader, though no chunk ends with a frame', () => {
  const frames = Array.from({ length: 50 }, (_, index) => Buffer.from(serializeInterleaved(0, rtp(100, index))));
  const bytes = Buffer.concat([Buffer.from('RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n'), ...frames]);
  const { units, loose } = actual(bytes, [331], [0]);
  assert.equal(units.length, 51);
  assert.equal(loose, 1);
});
