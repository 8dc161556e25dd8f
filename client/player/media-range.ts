import { StreamError } from '../../shared/errors.js';
import type { SessionDescription } from '../../shared/session-description.js';
import { describedRange } from '../rtsp/session.js';

/** From where to where stored media go, seconds: normal play time, or, where UTC is known, from `utc` on. */
export interface MediaRange {
  readonly start: number;
  readonly end: number;
  /** UTC of position 0, in milliseconds since 1970; null where the media tell no time of day. */
  readonly utc: number | null;
}

/**
 * What a session description says of stored media; null for a live stream. A start that is not told is 0.
 * @param recording - of a recorder, the part that is wanted: `start/end`, each a date as ISO 8601 has them, or nothing; null:
 *   it may be live as well
 * @param now - UTC in milliseconds since 1970, where a recording is still going on
 * @throws StreamError `invalid-argument` when `recording` cannot be read
 */
export function mediaRangeOf(
  description: SessionDescription,
  recording: string | null,
  now: number,
): MediaRange | null {
  const range = describedRange(description);
  const isClock = range?.unit === 'clock';
  const wanted = parseRecording(recording ?? '');
  const utc = wanted.start ?? (isClock ? range.start : null);
  // Live streams may say since when there is one; what has no end is a recording only by the page's word.
  const utcEnd = wanted.end ?? (isClock ? range.end : null) ?? (recording === null ? null : now);
  if (utc !== null && utcEnd !== null) return utcEnd > utc ? { start: 0, end: (utcEnd - utc) / 1000, utc } : null;
  if (range?.unit !== 'npt' || typeof range.end !== 'number') return null;
  const start = typeof range.start === 'number' ? range.start : 0;
  return range.end > start ? { start, end: range.end, utc: null } : null;
}

function parseRecording(text: string): { start: number | null; end: number | null } {
  const [start = null, end = null, ...more] = text
    .split('/')
    .map((part) => (part.trim() === '' ? null : Date.parse(part)));
  const isBackwards = start !== null && end !== null && start >= end;
  if (more.length > 0 || isBackwards || Number.isNaN(start ?? 0) || Number.isNaN(end ?? 0)) {
    throw new StreamError(
      'invalid-argument',
      `A recording has to be "start/end" in ISO 8601, as 2026-05-03T10:00:00Z/2026-05-03T11:00:00Z (got "${text.slice(0, 60)}").`,
    );
  }
  return { start, end };
}
