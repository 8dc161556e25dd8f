import { MAX_SESSION_TIMEOUT_MS, MIN_SESSION_TIMEOUT_MS } from '../../shared/limits.js';

/**
 * The values of RTSP's own header fields ↔ what they mean (RFC 2326, section 12): Transport, Session, RTP-Info, Range and
 * Public. Reading is lenient and never throws: what cannot be read is null, and the session goes on without it.
 */

/** What a Transport header of a reply says about one medium. */
export interface TransportHeader {
  /** `RTP/AVP/TCP`, upper case. */
  readonly protocol: string;
  /** The channels for RTP and RTCP; null when the server does not name any. */
  readonly interleaved: { readonly rtp: number; readonly rtcp: number } | null;
  /** A hint only: cameras get it wrong in every way. */
  readonly ssrc: number | null;
}

/** The value for a SETUP request that asks for interleaved transport (RFC 2326, 12.39). Without `mode`: it upsets some. */
export function formatTransport(protocol: string, channels: { rtp: number; rtcp: number }): string {
  return `${protocol};unicast;interleaved=${channels.rtp}-${channels.rtcp}`;
}

/** Reads the Transport header of a reply; of several alternatives the first that is interleaved, else the first. */
export function parseTransport(value: string): TransportHeader | null {
  const alternatives = value.split(',').map(parseTransportSpec);
  return alternatives.find((spec) => spec?.interleaved != null) ?? alternatives[0] ?? null;
}

function parseTransportSpec(text: string): TransportHeader | null {
  const [protocol = '', ...parameters] = text.split(';').map((part) => part.trim());
  if (protocol === '') return null;
  let interleaved: TransportHeader['interleaved'] = null;
  let ssrc: number | null = null;
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=');
    if (equals < 0) continue;
    const name = parameter.slice(0, equals).trim().toLowerCase();
    const argument = unquote(parameter.slice(equals + 1).trim());
    if (name === 'interleaved') interleaved = parseChannels(argument);
    if (name === 'ssrc') ssrc = parseSsrc(argument);
  }
  return { protocol: protocol.toUpperCase(), interleaved, ssrc };
}

function parseChannels(text: string): TransportHeader['interleaved'] {
  const match = /^(\d{1,3}) ?(?:- ?(\d{1,3})?)?$/.exec(text);
  if (match === null) return null;
  const rtp = Number(match[1]);
  // Escam Q6 names the RTP channel alone; RTCP is on the next one then.
  const rtcp = match[2] === undefined ? rtp + 1 : Number(match[2]);
  return rtp > 255 || rtcp > 255 ? null : { rtp, rtcp };
}

/** Eight hexadecimal digits by the standard; cameras send fewer, a blank or `0x` before them, or decimal digits. */
function parseSsrc(text: string): number | null {
  const digits = text.trim().replace(/^0x/i, '');
  if (/^\d{9,10}$/.test(digits)) {
    const decimal = Number(digits);
    return decimal <= 0xffff_ffff ? decimal : null;
  }
  return /^[0-9a-f]{1,8}$/i.test(digits) ? Number.parseInt(digits, 16) : null;
}

export interface SessionHeader {
  readonly id: string;
  /** Within MIN_SESSION_TIMEOUT_MS and MAX_SESSION_TIMEOUT_MS; null when the server does not say. */
  readonly timeoutMs: number | null;
}

/** Reads a Session header (RFC 2326, 12.37); null when there is no id in it. */
export function parseSession(value: string): SessionHeader | null {
  const [first = '', ...parameters] = value.split(';');
  const id = first.trim();
  if (id === '') return null;
  let timeoutMs: number | null = null;
  for (const parameter of parameters) {
    // GW and TP-Link write `; timeout=30`, others `timeout = 30` or quote it.
    const match = /^timeout ?= ?"?(\d{1,9})/i.exec(parameter.replace(/\s+/g, ' ').trim());
    if (match === null) continue;
    timeoutMs = Math.min(MAX_SESSION_TIMEOUT_MS, Math.max(MIN_SESSION_TIMEOUT_MS, Number(match[1]) * 1000));
  }
  return { id, timeoutMs };
}

/** One stream of an RTP-Info header. */
export interface RtpInfoEntry {
  /** As sent: absolute, relative, wrong, or '' when there is none. */
  readonly url: string;
  /** Of the first packet of the new position; null when absent or no 16-bit number. */
  readonly sequenceNumber: number | null;
  /** RTP time of the start of the reply's Range; null when absent or no 32-bit number (some send −1). */
  readonly rtpTimestamp: number | null;
}

/**
 * Reads an RTP-Info header (RFC 2326, 12.33). URLs may hold commas and semicolons; entries may be parted by `,` with or
 * without a blank and end with `;` (GW, Laureii, GStreamer).
 */
export function parseRtpInfo(value: string): RtpInfoEntry[] {
  const entries: RtpInfoEntry[] = [];
  // Single blanks, so that no pattern below can be made to search for long.
  for (const text of value.replace(/\s+/g, ' ').split(/,(?= ?url ?=)/i)) {
    const parameters = /; ?(?:seq|rtptime|ssrc) ?=/i.exec(text);
    const sequence = /(?:^|[;, ])seq ?= ?(-?\d+)/i.exec(text);
    const time = /(?:^|[;, ])rtptime ?= ?(-?\d+)/i.exec(text);
    const url = /^ ?url ?=(.*)/i.exec(parameters === null ? text : text.slice(0, parameters.index));
    if (sequence === null && time === null && url === null) continue;
    entries.push({
      url: unquote(trimSeparators(url?.[1] ?? '')),
      sequenceNumber: parseUnsigned(sequence?.[1], 0xffff),
      rtpTimestamp: parseUnsigned(time?.[1], 0xffff_ffff),
    });
  }
  return entries;
}

function trimSeparators(text: string): string {
  let end = text.length;
  while (end > 0 && ';, '.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end).trim();
}

function parseUnsigned(digits: string | undefined, maximum: number): number | null {
  const value = digits === undefined ? Number.NaN : Number(digits);
  return value >= 0 && value <= maximum ? value : null;
}

/**
 * A span of media time (RFC 2326, 3.6, 3.7 and 12.29). `npt` counts in seconds from the beginning, `clock` in UTC
 * milliseconds since 1970. Null: open at that end. `now`: the live edge.
 */
export type Range =
  | { readonly unit: 'npt'; readonly start: number | 'now' | null; readonly end: number | 'now' | null }
  | { readonly unit: 'clock'; readonly start: number | null; readonly end: number | null };

/** Reads a Range header, or `a=range` of a session description. Null when it is neither npt nor clock, or unreadable. */
export function parseRange(value: string): Range | null {
  const match = /^\s*(npt|clock)\s*[=:]\s*([^;]*)/i.exec(value);
  if (match === null) return null;
  const [, unit = '', text = ''] = match;
  const dash = text.indexOf('-');
  const from = (dash < 0 ? text : text.slice(0, dash)).trim();
  const to = dash < 0 ? '' : text.slice(dash + 1).trim();
  if (unit.toLowerCase() === 'npt') {
    const start = parseNpt(from);
    const end = parseNpt(to);
    return start === undefined || end === undefined ? null : { unit: 'npt', start, end };
  }
  const start = parseUtc(from);
  const end = parseUtc(to);
  return start === undefined || end === undefined ? null : { unit: 'clock', start, end };
}

/** Seconds or hh:mm:ss, `now`, or nothing; undefined when it is none of these. */
function parseNpt(text: string): number | 'now' | null | undefined {
  if (text === '') return null;
  if (text.toLowerCase() === 'now') return 'now';
  const match = /^(?:(\d{1,9}):(\d{1,2}):)?(\d{1,15}(?:\.\d*)?|\.\d+)$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3]);
}

/** `19961108T143720.25Z` in milliseconds since 1970, or nothing; undefined when it is neither. The Z may be missing. */
function parseUtc(text: string): number | null | undefined {
  if (text === '') return null;
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d(?:\.\d*)?)Z?$/i.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(Number);
  const utcMs = Date.UTC(year, month - 1, day, hours, minutes) + Math.round(seconds * 1000);
  return Number.isFinite(utcMs) ? utcMs : undefined;
}

/** Reads a Public (or Allow) header: methods in upper case. */
export function parsePublic(value: string): Set<string> {
  return new Set(
    value
      .split(/[\s,;]+/)
      .filter((method) => method !== '')
      .map((method) => method.toUpperCase()),
  );
}

function unquote(text: string): string {
  return /^"(.*)"$/s.exec(text)?.[1] ?? text;
}
