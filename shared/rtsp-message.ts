/**
 * RTSP requests and responses as objects, and as bytes on the wire (RFC 2326, sections 4 to 8 and 10.12). Reading them
 * from a byte stream is rtsp-reader's work.
 */
import { StreamError } from './errors.js';

/** A method, or a header's name: RFC 2326, 15.1, `token`. */
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The body of a message that has none. */
export const emptyBody: Uint8Array = new Uint8Array(0);

/** Header fields: case-insensitive names, insertion order kept, repeated names kept apart (WWW-Authenticate). */
export class RtspHeaders implements Iterable<[name: string, value: string]> {
  readonly #entries: [name: string, value: string][] = [];

  constructor(entries: Iterable<readonly [string, string]> = []) {
    for (const [name, value] of entries) this.append(name, value);
  }

  /** The first value of this name, without blanks at its ends; null when there is none. */
  get(name: string): string | null {
    const lowerCase = name.toLowerCase();
    return this.#entries.find((entry) => entry[0].toLowerCase() === lowerCase)?.[1] ?? null;
  }

  /** All values of this name, in order. */
  getAll(name: string): string[] {
    const lowerCase = name.toLowerCase();
    return this.#entries.filter((entry) => entry[0].toLowerCase() === lowerCase).map((entry) => entry[1]);
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Replaces all values of this name, in the place of the first. Throws `invalid-argument` as `append` does. */
  set(name: string, value: string): void {
    const entry = checkedEntry(name, value);
    const lowerCase = name.toLowerCase();
    const index = this.#entries.findIndex((other) => other[0].toLowerCase() === lowerCase);
    if (index < 0) {
      this.#entries.push(entry);
      return;
    }
    this.delete(name);
    this.#entries.splice(index, 0, entry);
  }

  /**
   * Adds a value beside those that exist. Throws `invalid-argument` when the name is not a token, or the value has a
   * CR, LF or NUL, which would begin a header of its own on the wire.
   */
  append(name: string, value: string): void {
    this.#entries.push(checkedEntry(name, value));
  }

  delete(name: string): void {
    const lowerCase = name.toLowerCase();
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      if (this.#entries[index]?.[0].toLowerCase() === lowerCase) this.#entries.splice(index, 1);
    }
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (const [name, value] of this.#entries) yield [name, value];
  }

  /** How many header lines there are. */
  get size(): number {
    return this.#entries.length;
  }
}

export interface RtspRequest {
  kind: 'request';
  method: string;
  url: string;
  headers: RtspHeaders;
  body: Uint8Array;
}

export interface RtspResponse {
  kind: 'response';
  status: number;
  /** May be empty: some cameras send none. */
  reason: string;
  headers: RtspHeaders;
  body: Uint8Array;
}

export type RtspMessage = RtspRequest | RtspResponse;

/** What the first line of a message says. */
export type StartLine = Pick<RtspRequest, 'kind' | 'method' | 'url'> | Pick<RtspResponse, 'kind' | 'status' | 'reason'>;

const statusLinePattern = /^RTSP\/1\.\d+[ \t]+(\d{3})(?!\d)([\s\S]*)$/;
const versionPattern = /^RTSP\/1\.\d+$/;

/**
 * Reads the first line of a message, without its line end. Blanks may be many, and the reason phrase may be empty or
 * missing (several cameras). Null when the line is not one of RTSP/1.x.
 */
export function parseStartLine(line: string): StartLine | null {
  const text = line.trim();
  const status = statusLinePattern.exec(text);
  if (status !== null) return { kind: 'response', status: Number(status[1]), reason: (status[2] ?? '').trim() };
  const words = text.split(/[ \t]+/);
  const method = words[0] ?? '';
  if (words.length < 3 || !tokenPattern.test(method) || !versionPattern.test(words[words.length - 1] ?? ''))
    return null;
  // A URL with blanks in it is the sender's mistake; the line is still a request, and can be answered.
  return { kind: 'request', method, url: words.slice(1, -1).join(' ') };
}

/**
 * Reads one header line, unfolded and without its line end. Null when it is none: no colon, or a name that is no token.
 * Control characters that may not stand in a value become blanks.
 */
export function parseHeaderLine(line: string): [name: string, value: string] | null {
  const colon = line.indexOf(':');
  if (colon < 0) return null;
  const name = line.slice(0, colon).trim();
  if (!tokenPattern.test(name)) return null;
  return [
    name,
    line
      .slice(colon + 1)
      .replaceAll('\r', ' ')
      .replaceAll('\n', ' ')
      .replaceAll('\0', ' ')
      .trim(),
  ];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of a peer's bytes: UTF-8, or ISO 8859-1 where they are not valid UTF-8. Never throws. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }
}

/**
 * The bytes of a request. `Content-Length` is written from the body's length, whatever the headers say. Throws
 * `invalid-argument` when the method is not a token or the URL has blanks or control characters.
 */
export function serializeRequest(request: {
  method: string;
  url: string;
  headers: RtspHeaders;
  body?: Uint8Array;
}): Uint8Array {
  if (!tokenPattern.test(request.method)) {
    throw new StreamError('invalid-argument', `An RTSP method is one word (got ${JSON.stringify(request.method)}).`);
  }
  if (request.url === '' || hasBlankOrControl(request.url)) {
    throw new StreamError('invalid-argument', 'The URL of an RTSP request has no blanks and no control characters.');
  }
  return serialize(`${request.method} ${request.url} RTSP/1.0`, request.headers, request.body ?? emptyBody);
}

/**
 * The bytes of a response. The reason phrase is for people (see reason-phrases.ts). `Content-Length` as in
 * `serializeRequest`. Throws `invalid-argument` for a status outside 100 to 999 and for line ends in the reason.
 */
export function serializeResponse(response: {
  status: number;
  reason?: string;
  headers: RtspHeaders;
  body?: Uint8Array;
}): Uint8Array {
  const { status } = response;
  if (!Number.isInteger(status) || status < 100 || status > 999) {
    throw new StreamError('invalid-argument', `An RTSP status has three digits (got ${status}).`);
  }
  const reason = response.reason ?? (status < 300 ? 'OK' : 'Refused');
  if (hasLineEnd(reason)) throw new StreamError('invalid-argument', 'A reason phrase has no line ends.');
  return serialize(`RTSP/1.0 ${status} ${reason.trim()}`, response.headers, response.body ?? emptyBody);
}

/** Bytes before the payload of an interleaved frame (RFC 2326, 10.12). */
export const INTERLEAVED_HEADER_BYTES = 4;
/** `$`, with which an interleaved frame begins. */
export const DOLLAR = 0x24;

/**
 * The four bytes before an interleaved payload (RFC 2326, 10.12): `$`, the channel, the length. Throws
 * `invalid-argument` for a channel above 255 or a length above 65,535.
 */
export function interleavedFrameHeader(channel: number, length: number): Uint8Array {
  return writeInterleavedHeader(new Uint8Array(INTERLEAVED_HEADER_BYTES), channel, length);
}

/** One interleaved frame: `interleavedFrameHeader` and a copy of the payload. */
export function serializeInterleaved(channel: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(INTERLEAVED_HEADER_BYTES + payload.length);
  writeInterleavedHeader(frame, channel, payload.length);
  frame.set(payload, INTERLEAVED_HEADER_BYTES);
  return frame;
}

function writeInterleavedHeader(target: Uint8Array, channel: number, length: number): Uint8Array {
  if (!Number.isInteger(channel) || channel < 0 || channel > 255) {
    throw new StreamError('invalid-argument', `An interleaved channel is 0 to 255 (got ${channel}).`);
  }
  if (!Number.isInteger(length) || length < 0 || length > 65_535) {
    throw new StreamError('invalid-argument', `An interleaved payload has 0 to 65,535 bytes (got ${length}).`);
  }
  target[0] = DOLLAR;
  target[1] = channel;
  target[2] = length >> 8;
  target[3] = length & 0xff;
  return target;
}

function serialize(startLine: string, headers: RtspHeaders, body: Uint8Array): Uint8Array {
  let text = `${startLine}\r\n`;
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== 'content-length') text += `${name}: ${value}\r\n`;
  }
  if (body.length > 0 || headers.has('Content-Length')) text += `Content-Length: ${body.length}\r\n`;
  const head = new TextEncoder().encode(`${text}\r\n`);
  if (body.length === 0) return head;
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

function checkedEntry(name: string, value: string): [string, string] {
  if (!tokenPattern.test(name)) {
    throw new StreamError('invalid-argument', `A header's name is one word (got ${JSON.stringify(name)}).`);
  }
  if (hasLineEnd(value)) {
    throw new StreamError('invalid-argument', `The value of the header ${name} has a line end or a NUL in it.`);
  }
  return [name, value.trim()];
}

function hasLineEnd(text: string): boolean {
  return text.includes('\r') || text.includes('\n') || text.includes('\0');
}

function hasBlankOrControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 0x20 || code === 0x7f) return true;
  }
  return false;
}
