import type { RtspResponse } from '../../shared/rtsp-message.js';
import { parseRange, parseRtpInfo, type Range, type RtpInfoEntry } from './headers.js';

/** The reply to PLAY → what it says about the media's position (RFC 2326, 10.5 and 12.33). */

export interface PlayResult {
  /** What is played, by the server's word, which may be something else than was asked; null when it does not say. */
  range: Range | null;
  /** Seconds of media in a second of RTP time (RFC 2326, 12.34); null when the server does not say. */
  scale: number | null;
  /** At most one entry for each medium that was set up. Hints: cameras send 0 and 1 here without meaning them. */
  rtpInfo: MediumStart[];
}

/** Where one medium starts. */
export interface MediumStart {
  mediaIndex: number;
  /** Of the first packet of the new position; null when not given. */
  sequenceNumber: number | null;
  /** RTP time that goes with the start of `range`; null when not given. */
  rtpTimestamp: number | null;
}

/** A medium that was set up, and the URL of its SETUP. */
export interface SetUpMedium {
  readonly mediaIndex: number;
  readonly url: string;
}

export function parsePlayResult(response: RtspResponse, media: readonly SetUpMedium[]): PlayResult {
  const { headers } = response;
  const range = headers.get('Range');
  return {
    range: range === null ? null : parseRange(range),
    scale: scaleOf(numberOf(headers.get('Scale')), numberOf(headers.get('Speed'))),
    rtpInfo: assign(parseRtpInfo(headers.getAll('RTP-Info').join(',')), media),
  };
}

/** One result of the replies to several PLAY requests. */
export function mergePlayResults(results: readonly PlayResult[]): PlayResult {
  return {
    range: results.find(({ range }) => range !== null)?.range ?? null,
    scale: results.find(({ scale }) => scale !== null)?.scale ?? null,
    rtpInfo: results.flatMap(({ rtpInfo }) => rtpInfo),
  };
}

/**
 * GStreamer answers `Scale: 2` with `Scale: 1.000` and `Speed: 2.000`, and plays what was asked for: RTP time goes on at its
 * usual pace, the media twice as fast. No Speed is ever asked for here, so in a reply it can mean nothing else.
 */
function scaleOf(scale: number | null, speed: number | null): number | null {
  return scale === null && speed === null ? null : (scale ?? 1) * (speed ?? 1);
}

/** The fastest rate that is believed, and one over it the slowest: recorders wind at some hundreds. */
const MAX_RATE = 1_000;

function numberOf(text: string | null): number | null {
  const value = Number.parseFloat(text ?? '');
  const rate = Math.abs(value);
  return rate <= MAX_RATE && rate * MAX_RATE >= 1 ? value : null;
}

function assign(entries: readonly RtpInfoEntry[], media: readonly SetUpMedium[]): MediumStart[] {
  const [only] = media;
  // GW, Laureii and GStreamer send URLs that are relative or wrong: with one stream there is nothing to tell apart.
  if (only !== undefined && media.length === 1) return entries.slice(0, 1).map((entry) => toStart(entry, only));
  const matched = entries.map((entry) => media.find(({ url }) => isSameUrl(url, entry.url)));
  const isOneToOne = new Set(matched).size === entries.length && !matched.includes(undefined);
  if (!isOneToOne && entries.length === media.length) {
    // Wrong in some: then the order of SETUP is the better guess, for all.
    return entries.flatMap((entry, index) => {
      const medium = media[index];
      return medium === undefined ? [] : [toStart(entry, medium)];
    });
  }
  const starts = new Map<SetUpMedium, MediumStart>();
  for (const [index, entry] of entries.entries()) {
    const medium = matched[index];
    if (medium !== undefined && !starts.has(medium)) starts.set(medium, toStart(entry, medium));
  }
  return [...starts.values()];
}

function toStart(entry: RtpInfoEntry, medium: SetUpMedium): MediumStart {
  const { sequenceNumber, rtpTimestamp } = entry;
  return { mediaIndex: medium.mediaIndex, sequenceNumber, rtpTimestamp };
}

/** Whether a URL of RTP-Info, absolute or relative, is the medium's; hosts are not compared. */
function isSameUrl(mediumUrl: string, infoUrl: string): boolean {
  if (infoUrl === '') return false;
  if (infoUrl === mediumUrl) return true;
  const path = pathOf(infoUrl);
  return path.length > 1 && (pathOf(mediumUrl) === path || mediumUrl.endsWith(path));
}

/** From the first slash behind the host on; a relative URL gets a slash before it. */
function pathOf(url: string): string {
  const absolute = /^[a-z]+:\/\/[^/]*/i.exec(url)?.[0] ?? '';
  const path = url.slice(absolute.length);
  return path.startsWith('/') ? path : `/${path}`;
}
