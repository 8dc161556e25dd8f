import type { Range } from './headers.js';

/** The value of a Range header (RFC 2326, 12.29). */
export function formatRange(range: Range): string {
  const format = range.unit === 'npt' ? formatNpt : formatUtc;
  return `${range.unit}=${format(range.start)}-${format(range.end)}`;
}

function formatNpt(value: number | 'now' | null): string {
  if (value === null || value === 'now') return value ?? '';
  return value.toFixed(3);
}

function formatUtc(utcMs: number | 'now' | null): string {
  if (typeof utcMs !== 'number') return '';
  // 1996-11-08T14:37:20.250Z → 19961108T143720.250Z
  return new Date(utcMs).toISOString().replaceAll('-', '').replaceAll(':', '');
}
