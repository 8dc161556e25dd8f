import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaRangeOf } from '../../../client/player/media-range.js';
import { StreamError } from '../../../shared/errors.js';
import { parseSessionDescription } from '../../../shared/session-description.js';

const NOW = Date.UTC(2026, 4, 3, 12);
const TEN = Date.UTC(2026, 4, 3, 10);

function rangeOf(described: string | null, recording: string | null, url = 'rtsp://recorder.example/track1') {
  const lines = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=x',
    't=0 0',
    ...(described === null ? [] : [`a=range:${described}`]),
  ];
  const text = [...lines, 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', ''].join('\r\n');
  return mediaRangeOf(parseSessionDescription(new TextEncoder().encode(text)), url, recording, NOW);
}

const cases: readonly [described: string | null, recording: string | null, expected: ReturnType<typeof rangeOf>][] = [
  [null, null, null],
  ['npt=now-', null, null],
  ['npt=0-', null, null],
  ['npt=0-40.5', null, { start: 0, end: 40.5, utc: null, counts: 'npt' }],
  ['npt=10-40', null, { start: 10, end: 40, utc: null, counts: 'npt' }],
  ['npt=now-40', null, { start: 0, end: 40, utc: null, counts: 'npt' }],
  ['clock=20260503T100000Z-20260503T110000.5Z', null, { start: 0, end: 3_600.5, utc: TEN, counts: 'clock' }],
  // Since when a live camera has been there.
  ['clock=20260503T100000Z-', null, null],
  // A recording that is still going on.
  ['clock=20260503T100000Z-', '', { start: 0, end: 7_200, utc: TEN, counts: 'replay' }],
  [
    'clock=20260503T090000Z-20260503T110000Z',
    '2026-05-03T10:00:00Z/',
    { start: 0, end: 3_600, utc: TEN, counts: 'replay' },
  ],
  [
    'clock=20260503T100000Z-20260503T110000Z',
    '/2026-05-03T10:10:00Z',
    { start: 0, end: 600, utc: TEN, counts: 'replay' },
  ],
  [null, '2026-05-03T12:00:00+02:00/2026-05-03T10:00:01.5Z', { start: 0, end: 1.5, utc: TEN, counts: 'replay' }],
  [null, '2026-05-03T10:00:00Z', { start: 0, end: 7_200, utc: TEN, counts: 'replay' }],
  [null, '', null],
  ['npt=0-40', '2026-05-03T10:00:00Z', { start: 0, end: 40, utc: TEN, counts: 'replay' }],
  ['npt=0-40', '', { start: 0, end: 40, utc: null, counts: 'npt' }],
];

for (const [described, recording, expected] of cases) {
  test(`a=range:${described}, ${recording === null ? 'no recording' : `recording="${recording}"`}`, () => {
    assert.deepEqual(rangeOf(described, recording), expected);
  });
}

for (const text of ['soon/', '2026-05-03T11:00:00Z/2026-05-03T10:00:00Z', '2026/2027/2028', 'x'.repeat(10_000)]) {
  test(`recording="${text.slice(0, 50)}" makes no sense`, () => {
    assert.throws(
      () => rangeOf(null, text),
      (thrown) => thrown instanceof StreamError && thrown.code === 'invalid-argument',
    );
  });
}
