/**
 * Session descriptions (SDP, RFC 8866; in RTSP, RFC 2326, appendix C): text to objects. The grammar's work is
 * sdp-transform's (its parser alone: a page has no use for the rest); what cameras write beside the grammar is put right
 * line by line before, so that one bad line never loses the session.
 */
import { parse } from 'sdp-transform/lib/parser.js';
import { StreamError } from './errors.js';
import { MAX_MEDIA, MAX_SDP_LINE_LENGTH, MAX_SDP_LINES } from './limits.js';
import { decodeText } from './rtsp-message.js';

export type MediaKind = 'video' | 'audio' | 'application' | 'other';

export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One payload type of a medium: a=rtpmap, or RFC 3551's static table, with a=fmtp. */
export interface MediaFormat {
  payloadType: number;
  /** In upper case: `H264`, `MPEG4-GENERIC`, `PCMU`. */
  encodingName: string;
  /** RTP clock in Hz; always above 0. */
  clockRate: number;
  /** Null when the description does not say. */
  channels: number | null;
  /** a=fmtp by lower-case name, and `x-dimensions` (see `toFormat`); the values exactly as written. */
  parameters: ReadonlyMap<string, string>;
}

export interface MediaDescription {
  /** Position among the m= lines, from 0. */
  index: number;
  kind: MediaKind;
  /** `RTP/AVP`, as written. */
  protocol: string;
  /** Its own or the session's, as written, from the client's point of view (RFC 2326, C.1.6); null when not given. */
  direction: MediaDirection | null;
  /** a=control as written; see rtsp-url's `controlUrls`. */
  control: string | null;
  /** In the m= line's order; payload types that nothing explains are left out. */
  formats: MediaFormat[];
  /** a=framerate, frames a second. */
  frameRate: number | null;
  /** a=range as written, its own only. */
  range: string | null;
  /** b=AS, kbit/s. */
  bandwidth: number | null;
}

export interface SessionDescription {
  /** s=; null when missing, blank or `-`. */
  name: string | null;
  /** Session-level a=control. */
  control: string | null;
  /** Session-level a=range. */
  range: string | null;
  media: MediaDescription[];
  /** All of it, as it came. */
  text: string;
}

/** A static payload type or a name's own clock. */
interface Encoding {
  encodingName: string;
  clockRate: number;
  channels: number | null;
}

type Transformed = ReturnType<typeof parse>;
type TransformedMedia = Transformed['media'][number];

/**
 * Reads a session description, tolerantly. Lines, media sections and lengths beyond the limits are ignored. Throws
 * `malformed-message` only when there is no m= line at all.
 */
export function parseSessionDescription(body: Uint8Array | string): SessionDescription {
  const text = typeof body === 'string' ? body : decodeText(body);
  const lines = cleanLines(text);
  const parsed = parse(lines.join('\r\n'));
  if (parsed.media.length === 0) {
    throw new StreamError('malformed-message', 'The session description names no media (it has no m= line).');
  }
  const sections = parsed.media.map((medium) => ({ medium, payloadTypes: payloadTypesOf(medium) }));
  const media = sections.map((section, index) => toMedia(section, index, sections, parsed.direction ?? null));
  treatSentAsReceived(media);
  return {
    name: textOf(parsed.name),
    control: textOf(parsed.control),
    range: attributeOf(parsed, 'range'),
    media,
    text,
  };
}

/** Keeps the lines that are looked at, each in the form that the grammar wants. */
function cleanLines(text: string): string[] {
  const cleaned: string[] = [];
  let media = 0;
  for (const raw of text.split(/\r\n|\r|\n/, MAX_SDP_LINES)) {
    if (raw.length > MAX_SDP_LINE_LENGTH) continue;
    const line = cleanLine(raw.replace(/[\s\0]+/g, ' ').trim());
    if (line?.startsWith('m=') && ++media > MAX_MEDIA) break;
    if (line !== null) cleaned.push(line);
  }
  return cleaned;
}

/** @param line - blanks single, none at the ends */
function cleanLine(line: string): string | null {
  const value = line.slice(2).trim();
  switch (line.slice(0, 2)) {
    case 's=':
      // A lone dash is the standard's way to give no name (RFC 8866, 5.3).
      return value === '' || value === '-' ? null : `s=${value}`;
    case 'b=':
      return /^AS:\d{1,9}$/.test(value) ? `b=${value}` : null;
    case 'm=':
      return cleanMedia(value);
    case 'a=':
      return cleanAttribute(value);
    default:
      // Origin, connection and times are broken on many cameras, and nothing here needs them.
      return null;
  }
}

/** TP-Link: `m=application/TP-LINK 0 RTP/AVP smart/1/90000`, `m=vana …`: a medium nobody knows, but it counts. */
function cleanMedia(value: string): string {
  const [type = '', ...words] = value.split(' ');
  const kind = /^(?:video|audio|application)$/i.test(type) ? type.toLowerCase() : 'other';
  const protocolIndex = words.findIndex((word) => /^[A-Za-z]\w*(?:\/\w+)*$/.test(word));
  const protocol = protocolIndex < 0 ? 'RTP/AVP' : words[protocolIndex];
  const payloadTypes = words
    .slice(protocolIndex < 0 ? 1 : protocolIndex + 1)
    .filter(isPayloadType)
    .map(Number);
  return `m=${kind} 0 ${protocol} ${payloadTypes.join(' ')}`.trim();
}

function cleanAttribute(value: string): string | null {
  const colon = value.indexOf(':');
  const name = (colon < 0 ? value : value.slice(0, colon)).trim().toLowerCase();
  const rest = colon < 0 ? '' : value.slice(colon + 1).trim();
  switch (name) {
    case 'rtpmap': {
      const match = /^(\d{1,3}) ([\w.-]+)(?: ?\/ ?(\d{1,9}))?(?: ?\/ ?(\d{1,3}))?/.exec(rest);
      if (match === null || !isPayloadType(match[1] ?? '')) return null;
      // A rate of 0 stands for a missing one.
      return `a=rtpmap:${Number(match[1])} ${match[2]}/${match[3] ?? 0}${match[4] === undefined ? '' : `/${match[4]}`}`;
    }
    case 'fmtp': {
      const match = /^(\d{1,3}) (.*)$/.exec(rest);
      return match === null || !isPayloadType(match[1] ?? '') ? null : `a=fmtp:${Number(match[1])} ${match[2]}`;
    }
    case 'control':
    case 'range':
    case 'x-dimensions':
      return rest === '' ? null : `a=${name}:${rest}`;
    case 'framerate':
    case 'x-framerate': {
      const rate = Number.parseFloat(rest);
      return rate > 0 && rate <= 1_000 ? `a=framerate:${rate}` : null;
    }
    case 'sendrecv':
    case 'sendonly':
    case 'recvonly':
    case 'inactive':
      return `a=${name}`;
    default:
      return null;
  }
}

function isPayloadType(word: string): boolean {
  return /^\d{1,3}$/.test(word) && Number(word) <= 127;
}

/** One media section as sdp-transform has it, with the payload types of its m= line. */
interface Section {
  medium: TransformedMedia;
  payloadTypes: ReadonlySet<number>;
}

function toMedia(
  section: Section,
  index: number,
  all: readonly Section[],
  sessionDirection: MediaDirection | null,
): MediaDescription {
  const { medium, payloadTypes } = section;
  const kind =
    medium.type === 'video' || medium.type === 'audio' || medium.type === 'application' ? medium.type : 'other';
  return {
    index,
    kind,
    protocol: String(medium.protocol),
    direction: medium.direction ?? sessionDirection,
    control: textOf(medium.control),
    formats: [...payloadTypes]
      .map((payloadType) => toFormat(section, kind, payloadType, all))
      .filter((format) => format !== null),
    frameRate: medium.framerate === undefined ? null : Number(medium.framerate),
    range: attributeOf(medium, 'range'),
    bandwidth: medium.bandwidth?.[0]?.limit ?? null,
  };
}

function toFormat(section: Section, kind: MediaKind, payloadType: number, all: readonly Section[]): MediaFormat | null {
  const fixed = staticEncodings.get(payloadType);
  // An rtpmap wins over the static table: there are cameras with AAC on payload type 0.
  const map =
    section.medium.rtp.find((line) => line.payload === payloadType) ??
    (fixed === undefined ? strayLine(section, payloadType, all, (medium) => medium.rtp) : undefined);
  const encoding = map === undefined ? fixed : toEncoding(map, kind);
  if (encoding === undefined) return null;
  const fmtp =
    section.medium.fmtp.find((line) => line.payload === payloadType) ??
    strayLine(section, payloadType, all, (medium) => medium.fmtp);
  const parameters = parseParameters(String(fmtp?.config ?? ''));
  // GStreamer's word for the size of JPEG pictures that RTP has no room for.
  const dimensions = attributeOf(section.medium, 'x-dimensions');
  if (dimensions !== null) parameters.set('x-dimensions', dimensions);
  return { payloadType, ...encoding, parameters };
}

/**
 * The a=rtpmap or a=fmtp of a payload type that its own media section lacks: one under another medium that does not have
 * this payload type itself, or else the section's only one, if its payload type is nobody's.
 */
function strayLine<Line extends { payload: number }>(
  section: Section,
  payloadType: number,
  all: readonly Section[],
  linesOf: (medium: TransformedMedia) => Line[],
): Line | undefined {
  // Some cameras write the video's fmtp under the audio's m= line.
  for (const other of all) {
    if (other === section || other.payloadTypes.has(payloadType)) continue;
    const line = linesOf(other.medium).find((candidate) => candidate.payload === payloadType);
    if (line !== undefined) return line;
  }
  // Vitek: rtpmap 98 with fmtp 62; others 97 with 104.
  const [only, ...more] = linesOf(section.medium);
  if (only === undefined || more.length > 0) return undefined;
  return all.some((other) => other.payloadTypes.has(only.payload)) ? undefined : only;
}

function toEncoding(map: TransformedMedia['rtp'][number], kind: MediaKind): Encoding {
  const encodingName = String(map.codec).toUpperCase();
  // Opus has one clock and channel count, whatever the camera says (RFC 7587, 7).
  if (encodingName === 'OPUS') return { encodingName, clockRate: 48_000, channels: 2 };
  const rate = Number(map.rate);
  const channels = Number(map.encoding ?? 0);
  const known = [...staticEncodings.values()].find((encoding) => encoding.encodingName === encodingName);
  const fallback = known?.clockRate ?? (kind === 'audio' ? 8_000 : 90_000);
  return { encodingName, clockRate: rate > 0 ? rate : fallback, channels: channels > 0 ? channels : null };
}

function payloadTypesOf(medium: TransformedMedia): ReadonlySet<number> {
  const words = String(medium.payloads ?? '').split(' ');
  return new Set(words.filter((word) => word !== '').map(Number));
}

/** Parted at `;`, the name at the first `=`: base64 ends in more of them. The first of a name counts. */
function parseParameters(config: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of config.split(';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? '' : part.slice(equals + 1).trim();
    if (name !== '' && !parameters.has(name)) parameters.set(name, unquoted(value));
  }
  return parameters;
}

function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Some cameras say `sendonly` of everything, from their own point of view: then it says nothing. */
function treatSentAsReceived(media: MediaDescription[]): void {
  if (media.every((medium) => medium.direction === 'sendonly')) {
    for (const medium of media) medium.direction = null;
  }
}

/** sdp-transform makes numbers of what looks like one, only if they come out as the same text again. */
function textOf(value: string | number | undefined): string | null {
  const text = value === undefined ? '' : String(value).trim();
  return text === '' ? null : text;
}

/** An attribute that sdp-transform does not know. */
function attributeOf(part: { invalid?: { value: string }[] }, name: string): string | null {
  const line = part.invalid?.find((attribute) => String(attribute.value).startsWith(`${name}:`));
  return line?.value.slice(name.length + 1) ?? null;
}

/** RFC 3551, tables 4 and 5. */
const staticEncodings: ReadonlyMap<number, Encoding> = new Map(
  (
    [
      [0, 'PCMU', 8_000, 1],
      [3, 'GSM', 8_000, 1],
      [4, 'G723', 8_000, 1],
      [5, 'DVI4', 8_000, 1],
      [6, 'DVI4', 16_000, 1],
      [7, 'LPC', 8_000, 1],
      [8, 'PCMA', 8_000, 1],
      [9, 'G722', 8_000, 1],
      [10, 'L16', 44_100, 2],
      [11, 'L16', 44_100, 1],
      [12, 'QCELP', 8_000, 1],
      [13, 'CN', 8_000, 1],
      [14, 'MPA', 90_000, null],
      [15, 'G728', 8_000, 1],
      [16, 'DVI4', 11_025, 1],
      [17, 'DVI4', 22_050, 1],
      [18, 'G729', 8_000, 1],
      [25, 'CELB', 90_000, null],
      [26, 'JPEG', 90_000, null],
      [28, 'NV', 90_000, null],
      [31, 'H261', 90_000, null],
      [32, 'MPV', 90_000, null],
      [33, 'MP2T', 90_000, null],
      [34, 'H263', 90_000, null],
    ] as const
  ).map(([payloadType, encodingName, clockRate, channels]) => [payloadType, { encodingName, clockRate, channels }]),
);
