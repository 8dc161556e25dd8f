import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergePlayResults, parsePlayResult, type SetUpMedium } from '../../../client/rtsp/play-result.js';
import { emptyBody, RtspHeaders, type RtspResponse } from '../../../shared/rtsp-message.js';

function reply(headers: readonly [string, string][]): RtspResponse {
  return { kind: 'response', status: 200, reason: 'OK', headers: new RtspHeaders(headers), body: emptyBody };
}

const video: SetUpMedium = { mediaIndex: 0, url: 'rtsp://10.0.0.7/live/trackID=1' };
const audio: SetUpMedium = { mediaIndex: 2, url: 'rtsp://10.0.0.7/live/trackID=2' };

/** [media index, sequence number, RTP time] of each entry. */
function starts(rtpInfo: string, media: readonly SetUpMedium[]) {
  const result = parsePlayResult(reply([['RTP-Info', rtpInfo]]), media);
  return result.rtpInfo.map(({ mediaIndex, sequenceNumber, rtpTimestamp }) => [
    mediaIndex,
    sequenceNumber,
    rtpTimestamp,
  ]);
}

test('Range, Scale and RTP-Info of a reply', () => {
  const result = parsePlayResult(
    reply([
      ['Range', 'npt=9.98-'],
      ['Scale', '1.0'],
      [
        'RTP-Info',
        'url=rtsp://10.0.0.7/live/trackID=2;seq=5;rtptime=6,url=rtsp://10.0.0.7/live/trackID=1;seq=3;rtptime=4',
      ],
    ]),
    [video, audio],
  );
  assert.deepEqual(result, {
    range: { unit: 'npt', start: 9.98, end: null },
    scale: 1,
    rtpInfo: [
      { mediaIndex: 2, sequenceNumber: 5, rtpTimestamp: 6 },
      { mediaIndex: 0, sequenceNumber: 3, rtpTimestamp: 4 },
    ],
  });
});

test('RTP-Info absent (H264DVR and many): nothing is known', () => {
  assert.deepEqual(parsePlayResult(reply([]), [video]), { range: null, scale: null, rtpInfo: [] });
  assert.equal(parsePlayResult(reply([['Scale', 'fast']]), [video]).scale, null);
});

test('with one stream the URL does not matter (GW, Laureii)', () => {
  assert.deepEqual(starts('url=rtsp://0.0.0.0/wrong;seq=3;rtptime=4;', [video]), [[0, 3, 4]]);
  assert.deepEqual(starts('seq=3;rtptime=4', [audio]), [[2, 3, 4]]);
});

test('relative URLs and other hosts are matched by their end', () => {
  const value = 'url=trackID=2;seq=5;rtptime=6,url=rtsp://192.168.1.2:8554/live/trackID=1;seq=3;rtptime=4';
  assert.deepEqual(starts(value, [video, audio]), [
    [2, 5, 6],
    [0, 3, 4],
  ]);
});

test('URLs that match nothing, or one medium twice: the order of SETUP', () => {
  const wrong = 'url=rtsp://h/a;seq=3;rtptime=4, url=rtsp://h/b;seq=5;rtptime=6';
  const doubled =
    'url=rtsp://10.0.0.7/live/trackID=1;seq=3;rtptime=4, url=rtsp://10.0.0.7/live/trackID=1;seq=5;rtptime=6';
  for (const value of [wrong, doubled]) {
    assert.deepEqual(starts(value, [video, audio]), [
      [0, 3, 4],
      [2, 5, 6],
    ]);
  }
});

test('fewer entries than media: those that match', () => {
  assert.deepEqual(starts('url=rtsp://h/live/trackID=2;seq=5;rtptime=6', [video, audio]), [[2, 5, 6]]);
  assert.deepEqual(starts('url=rtsp://h/nothing;seq=5;rtptime=6', [video, audio]), []);
});

test('track 1 is not taken for track 11', () => {
  const eleventh = { mediaIndex: 1, url: 'rtsp://10.0.0.7/live/trackID=11' };
  assert.deepEqual(starts('url=trackID=1;seq=3;rtptime=4', [eleventh, video]), [[0, 3, 4]]);
});

test('replies for each medium make one result', () => {
  const one = parsePlayResult(reply([['RTP-Info', 'url=a;seq=1;rtptime=2']]), [video]);
  const two = parsePlayResult(
    reply([
      ['RTP-Info', 'url=b;seq=3;rtptime=4'],
      ['Range', 'npt=5-'],
      ['Scale', '2'],
    ]),
    [audio],
  );
  assert.deepEqual(mergePlayResults([one, two]), {
    range: { unit: 'npt', start: 5, end: null },
    scale: 2,
    rtpInfo: [
      { mediaIndex: 0, sequenceNumber: 1, rtpTimestamp: 2 },
      { mediaIndex: 2, sequenceNumber: 3, rtpTimestamp: 4 },
    ],
  });
});

test('whatever a camera answers, positions and rates are numbers that can be reckoned with', () => {
  const word = fc.constantFrom(
    ...[
      'npt=',
      'clock=',
      'now',
      '-',
      '0',
      '7.5',
      '1e308',
      '-1e308',
      '1e-308',
      'Infinity',
      'url=',
      'trackID=1',
      ';seq=',
    ],
    ...[';rtptime=', ',', '4294967296', video.url, audio.url],
  );
  const value = fc.string({ unit: word, maxLength: 12 });
  const headers = fc.array(fc.tuple(fc.constantFrom('Range', 'Scale', 'Speed', 'RTP-Info'), value), { maxLength: 6 });
  fc.assert(
    fc.property(headers, fc.constantFrom([video], [audio, video], []), (entries, media) => {
      const { scale, range, rtpInfo } = parsePlayResult(reply(entries), media);
      assert.ok(scale === null || (Number.isFinite(3_600 * scale) && scale !== 0 && Number.isFinite(3_600 / scale)));
      for (const end of [range?.start, range?.end]) assert.ok(typeof end !== 'number' || Number.isFinite(end));
      const indices = rtpInfo.map(({ mediaIndex }) => mediaIndex);
      assert.equal(new Set(indices).size, indices.length);
      assert.ok(indices.every((index) => media.some(({ mediaIndex }) => mediaIndex === index)));
    }),
    { numRuns: 1_000 },
  );
});
