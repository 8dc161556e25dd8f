import { StreamError } from '../../shared/errors.js';
import type { SessionDescription } from '../../shared/session-description.js';
import type { Range } from '../rtsp/headers.js';
import { describedRange } from '../rtsp/session.js';

/** From where to where stored media go, seconds: normal play time, or, where UTC is known, from `utc` on. */
export interface MediaRange {
  readonly start: number;
  readonly end: number;
  /** UTC of position 0, in milliseconds since 1970; null where the media tell no time of day. */
  readonly utc: number | null;
  /** What the server counts in: seconds from a beginning, times of the day, or those by ONVIF's rules of replay. */
  readonly counts: 'npt' | 'clock' | 'replay';
}

interface Span {
  readonly start: number | null;
  readonly end: number | null;
}

/**
 * What a session description says of stored media; null for a live stream. A start that is not told is 0.
 * @param url - of the media; it may say itself from when to when they go
 * @param recording - of a recorder, the part that is wanted: `start/end`, each a date as ISO 8601 has them, or nothing; null:
 *   it may be live as well
 * @param now - UTC in milliseconds since 1970, where a recording is still going on
 * @throws StreamError `invalid-argument` when `recording` cannot be read
 */
export function mediaRangeOf(
  description: SessionDescription,
  url: string,
  recording: string | null,
  now: number,
): MediaRange | null {
  const range = describedRange(description);
  const isClock = range?.unit === 'clock';
  const wanted = parseRecording(recording ?? '');
  const part = isClock ? null : partOf(url);
  if (part !== null) {
    const described = range?.unit === 'npt' && typeof range.end === 'number' ? range.end : null;
    const length = secondsOf(wanted) ?? secondsOf(part) ?? described ?? 0;
    if (length > 0) return { start: 0, end: length, utc: wanted.start ?? part.utc, counts: 'npt' };
  }
  const utc = wanted.start ?? (isClock ? range.start : null);
  // Live streams may say since when there is one; what has no end is a recording only by the page's word.
  const utcEnd = wanted.end ?? describedEnd(range, utc) ?? (recording === null ? null : now);
  if (utc !== null && utcEnd !== null) {
    const counts = recording === null ? 'clock' : 'replay';
    return utcEnd > utc ? { start: 0, end: (utcEnd - utc) / 1000, utc, counts } : null;
  }
  if (range?.unit !== 'npt' || typeof range.end !== 'number') return null;
  const start = typeof range.start === 'number' ? range.start : 0;
  return range.end > start ? { start, end: range.end, utc: null, counts: 'npt' } : null;
}

/**
 * Recorders that are told in the URL's query what to play count from there on: Dahua by its own clock
 * (`starttime=2026_05_03_10_00_00`), Hikvision in UTC (`starttime=20260503T100000Z`).
 */
function partOf(url: string): (Span & { utc: number | null }) | null {
  const start = timeIn(url, 'starttime');
  return start === null
    ? null
    : { start: start.ms, end: timeIn(url, 'endtime')?.ms ?? null, utc: start.isUtc ? start.ms : null };
}

function timeIn(url: string, parameter: string): { ms: number; isUtc: boolean } | null {
  const value = new RegExp(`[?&]${parameter}=([^&#]{1,60})`, 'i').exec(url)?.[1];
  if (value === undefined) return null;
  const match = /^(\d{4})\D?(\d\d)\D?(\d\d)\D?(\d\d)\D{0,3}(\d\d)\D{0,3}(\d\d)(z?)/i.exec(value);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(Number);
  return { ms: Date.UTC(year, month - 1, day, hours, minutes, seconds), isUtc: match[7] !== '' };
}

function secondsOf({ start, end }: Span): number | null {
  return start === null || end === null ? null : (end - start) / 1000;
}

/** UTC at which what a server describes ends, where position 0 has a time of the day. */
function describedEnd(range: Range | null, utc: number | null): number | null {
  if (range?.unit === 'clock') return range.end;
  return utc === null || typeof range?.end !== 'number' ? null : utc + 1000 * range.end;
}

function parseRecording(text: string): Span {
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
