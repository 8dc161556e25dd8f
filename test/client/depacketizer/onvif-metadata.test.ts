import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OnvifMetadataDepacketizer } from '../../../client/depacketizer/onvif-metadata.js';
import { MAX_METADATA_BYTES } from '../../../shared/limits.js';
import { mediaFormat, type TestPacket, UnitRecorder } from './rtp-fixtures.js';

const text = (content: string) => new TextEncoder().encode(content);

function documentsOf(...packets: TestPacket[]) {
  const recorder = new UnitRecorder(OnvifMetadataDepacketizer, mediaFormat('vnd.onvif.metadata', 90_000));
  const { units } = recorder.feed(...packets);
  return {
    documents: units.map(({ pieces, presentationTime }) => [presentationTime, Buffer.concat(pieces).toString()]),
    stats: recorder.depacketizer.stats,
  };
}

test('the marker ends a document', () => {
  const { documents, stats } = documentsOf(
    { payload: text('<a>'), time: 9 },
    { payload: text('</a>'), time: 9, marker: true },
    { payload: text('<b/>'), time: 12, marker: true },
  );
  assert.deepEqual(documents, [
    [9, '<a></a>'],
    [12, '<b/>'],
  ]);
  assert.equal(stats.accessUnits, 2);
});

test('without markers another time ends it', () => {
  const { documents } = documentsOf(
    { payload: text('<a>'), time: 9 },
    { payload: text('</a>'), time: 9 },
    { payload: text('<b/>'), time: 12 },
    { payload: text('<c/>'), time: 15 },
  );
  assert.deepEqual(documents, [
    [9, '<a></a>'],
    [12, '<b/>'],
  ]);
});

test('a document of which something is lost is dropped, and what may be its rest', () => {
  const { documents, stats } = documentsOf(
    { payload: text('<a>'), time: 9 },
    { payload: text('</a>'), time: 9, marker: true, lost: 1 },
    { payload: text('<b/>'), time: 12, marker: true },
  );
  assert.deepEqual(documents, [[12, '<b/>']]);
  assert.equal(stats.droppedAccessUnits, 1);
});

test('one without end is not kept', () => {
  const endless = Array.from({ length: 20 }, () => ({ payload: new Uint8Array(65_000), time: 9 }));
  assert.ok(endless.length * 65_000 > MAX_METADATA_BYTES);
  const { documents, stats } = documentsOf(...endless, { payload: text('<b/>'), time: 12, marker: true });
  assert.deepEqual(documents, [[12, '<b/>']]);
  assert.equal(stats.malformedPackets, 1);
  assert.equal(stats.droppedAccessUnits, 1);
});

test('any documents in packets of any size come out as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.nat(20)), { maxLength: 8 }), (documents) => {
      const packets = documents.flatMap(([content, size], index) => {
        const bytes = text(content);
        const step = size + 1;
        const count = Math.ceil(bytes.length / step);
        return Array.from({ length: count }, (_, at) => ({
          payload: bytes.subarray(at * step, (at + 1) * step),
          time: index * 100,
          marker: at === count - 1,
        }));
      });
      assert.deepEqual(
        documentsOf(...packets).documents,
        documents.map(([content], index) => [index * 100, Buffer.from(content).toString()]),
      );
    }),
  );
});
