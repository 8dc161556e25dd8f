/**
 * Answers to WWW-Authenticate: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2617 for servers without qop), MD5 and
 * SHA-256. The hashes are a library's, since pages that come over plain HTTP have no crypto.subtle.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { StreamError } from './errors.js';

export interface Credentials {
  username: string;
  password: string;
}

export type DigestAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess';

/** A challenge that can be answered. */
export interface Challenge {
  scheme: 'basic' | 'digest';
  realm: string;
  /** Always there for `digest`. */
  nonce?: string;
  opaque?: string;
  /** Absent when the server named none, which means MD5: what was not asked is not answered. */
  algorithm?: DigestAlgorithm;
  /** For `digest`: null when the server offers no qop (RFC 2069's form). */
  qop?: 'auth' | null;
  /** The nonce was too old, the credentials may be right. */
  stale: boolean;
}

/**
 * All challenges of all WWW-Authenticate headers that can be answered, the strongest first: SHA-256, MD5, Basic, and in
 * the server's order among equals. Never throws.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers
    .flatMap(parseHeader)
    .map(toChallenge)
    .filter((challenge) => challenge !== null)
    .sort((a, b) => rank(a) - rank(b));
}

/** How often in a row a server may call a nonce stale that it has only just given. */
const MAX_STALE_IN_A_ROW = 2;

/**
 * Answers the challenges of one server, for one connection's requests after each other; remembers the last challenge, so
 * that later requests need no second round trip.
 */
export class Authenticator {
  readonly #credentials: Credentials;
  #challenge: Challenge | null = null;
  #clientNonce = '';
  #nonceCount = 0;
  /** Requests authorized since the last challenge. */
  #authorized = 0;
  #staleInARow = 0;

  /** Throws `invalid-argument` for a user name with control characters, which no header can carry. */
  constructor(credentials: Credentials) {
    if (/\p{Cc}/u.test(credentials.username)) {
      throw new StreamError('invalid-argument', 'A user name has no control characters.');
    }
    this.#credentials = { ...credentials };
  }

  /**
   * The value of the Authorization header for a request, or null while no challenge is known.
   * @param url - exactly as the request's first line has it
   */
  authorize(method: string, url: string): string | null {
    const challenge = this.#challenge;
    if (challenge === null) return null;
    this.#authorized++;
    return challenge.scheme === 'basic'
      ? `Basic ${base64(`${this.#credentials.username}:${this.#credentials.password}`)}`
      : this.#digest(challenge, method, url);
  }

  /**
   * Takes the challenges of a 401. Returns whether the request is worth sending again: for the first challenge, for a
   * nonce that was good before and is not any more, and for one that the server calls stale. False when the fresh answer
   * was refused, so that the credentials are wrong, or when no challenge can be answered.
   */
  challenge(wwwAuthenticate: readonly string[]): boolean {
    const next = parseChallenges(wwwAuthenticate)[0];
    if (next === undefined) return false;
    const last = this.#challenge;
    const wasRetry = last !== null && this.#authorized === 1;
    // Axis M5525 gives a new nonce after 150 s, to whatever comes next, and does not call the old one stale.
    const isSame = last !== null && last.scheme === next.scheme && last.nonce === next.nonce;
    this.#staleInARow = wasRetry && next.stale ? this.#staleInARow + 1 : 0;
    const isRefused = wasRetry ? !next.stale || this.#staleInARow > MAX_STALE_IN_A_ROW : isSame && !next.stale;
    // 401 to a request that was under way when the challenge came: the same challenge answers it as well.
    const wasUnderWay = last !== null && this.#authorized === 0;
    this.#authorized = 0;
    if (isRefused && !wasUnderWay) return false;
    if (isSame) return true;
    this.#challenge = next;
    this.#nonceCount = 0;
    this.#clientNonce = bytesToHex(crypto.getRandomValues(new Uint8Array(16)));
    return true;
  }

  #digest(challenge: Challenge, method: string, url: string): string {
    const { username, password } = this.#credentials;
    const { realm, nonce = '', opaque, algorithm, qop = null } = challenge;
    const clientNonce = this.#clientNonce;
    const nonceCount = (++this.#nonceCount).toString(16).padStart(8, '0');
    const response = digestResponse({
      algorithm: algorithm ?? 'MD5',
      username,
      realm,
      password,
      nonce,
      qop,
      nonceCount,
      clientNonce,
      method,
      url,
    });
    const fields = [
      `username=${quote(username)}`,
      `realm=${quote(realm)}`,
      `nonce=${quote(nonce)}`,
      `uri=${quote(url)}`,
      `response="${response}"`,
    ];
    if (algorithm !== undefined) fields.push(`algorithm=${algorithm}`);
    if (opaque !== undefined) fields.push(`opaque=${quote(opaque)}`);
    if (qop === 'auth') fields.push('qop=auth', `nc=${nonceCount}`);
    if (qop === 'auth' || algorithm?.endsWith('-sess')) fields.push(`cnonce="${clientNonce}"`);
    return `Digest ${fields.join(', ')}`;
  }
}

/** Everything that the response to a Digest challenge is made of (RFC 7616, 3.4.1 to 3.4.3). */
export interface DigestInput {
  algorithm: DigestAlgorithm;
  username: string;
  realm: string;
  password: string;
  nonce: string;
  /** Null for RFC 2069's form, without `nonceCount` and, but for `-sess`, `clientNonce`. */
  qop: 'auth' | null;
  /** Eight hexadecimal digits. */
  nonceCount: string;
  clientNonce: string;
  method: string;
  /** As in the request's first line. */
  url: string;
}

/** The `response` of a Digest answer, in lower-case hexadecimal digits; also for a server that checks one. */
export function digestResponse(input: DigestInput): string {
  const hash = input.algorithm.startsWith('SHA-256') ? sha256 : md5;
  const hex = (...parts: string[]): string => bytesToHex(hash(new TextEncoder().encode(parts.join(':'))));
  const user = hex(input.username, input.realm, input.password);
  const secret = input.algorithm.endsWith('-sess') ? hex(user, input.nonce, input.clientNonce) : user;
  const request = hex(input.method, input.url);
  return input.qop === null
    ? hex(secret, input.nonce, request)
    : hex(secret, input.nonce, input.nonceCount, input.clientNonce, input.qop, request);
}

/** One challenge as it stands: any scheme, parameters by lower-case name. */
interface RawChallenge {
  scheme: string;
  parameters: Map<string, string>;
}

/** RFC 7235, 4.1: challenges and their parameters are both parted by commas, so a scheme is a word without a `=`. */
function parseHeader(header: string): RawChallenge[] {
  const challenges: RawChallenge[] = [];
  let current: RawChallenge | null = null;
  let position = 0;
  while (position < header.length) {
    const start = skip(header, position, ',; \t\r\n');
    const wordEnd = find(header, start, '=,; \t"');
    const word = header.slice(start, wordEnd).toLowerCase();
    const equals = skip(header, wordEnd, ' \t');
    if (word !== '' && header[equals] === '=') {
      const [value, end] = parseValue(header, skip(header, equals + 1, ' \t'));
      // The first of its name counts: a second one is the next challenge's, or nonsense.
      if (current !== null && !current.parameters.has(word)) current.parameters.set(word, value);
      position = end;
    } else if (current !== null && (word === 'auth' || word === 'auth-int')) {
      // `qop=auth,auth-int` without the quotes.
      current.parameters.set('qop', `${current.parameters.get('qop') ?? ''},${word}`);
      position = wordEnd;
    } else if (word !== '') {
      current = { scheme: word, parameters: new Map() };
      challenges.push(current);
      position = wordEnd;
    } else {
      // A stray quote or equals sign.
      position = start + 1;
    }
  }
  return challenges;
}

/** A value and where it ends: quoted with escapes, or all up to the next comma, since some cameras do not quote realms. */
function parseValue(header: string, start: number): [value: string, end: number] {
  if (header[start] !== '"') {
    const end = find(header, start, ',');
    return [header.slice(start, end).trim(), end];
  }
  let value = '';
  let position = start + 1;
  while (position < header.length && header[position] !== '"') {
    if (header[position] === '\\') position++;
    value += header[position] ?? '';
    position++;
  }
  return [value, position + 1];
}

function skip(text: string, start: number, characters: string): number {
  let position = start;
  while (position < text.length && characters.includes(text[position] ?? '')) position++;
  return position;
}

function find(text: string, start: number, characters: string): number {
  let position = start;
  while (position < text.length && !characters.includes(text[position] ?? '')) position++;
  return position;
}

function toChallenge({ scheme, parameters }: RawChallenge): Challenge | null {
  const realm = parameters.get('realm') ?? '';
  if (scheme === 'basic') return { scheme, realm, stale: false };
  const nonce = parameters.get('nonce');
  if (scheme !== 'digest' || nonce === undefined) return null;
  const named = parameters.get('algorithm');
  const algorithm = named === undefined ? undefined : algorithms.get(named.toLowerCase());
  if (named !== undefined && named !== '' && algorithm === undefined) return null;
  const offered = (parameters.get('qop') ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== '');
  if (offered.length > 0 && !offered.includes('auth')) return null;
  const opaque = parameters.get('opaque');
  return {
    scheme,
    realm,
    nonce,
    ...(opaque === undefined ? {} : { opaque }),
    ...(algorithm === undefined ? {} : { algorithm }),
    qop: offered.length > 0 ? 'auth' : null,
    stale: parameters.get('stale')?.toLowerCase() === 'true',
  };
}

const algorithms: ReadonlyMap<string, DigestAlgorithm> = new Map([
  ['md5', 'MD5'],
  ['md5-sess', 'MD5-sess'],
  ['sha-256', 'SHA-256'],
  ['sha-256-sess', 'SHA-256-sess'],
]);

function rank(challenge: Challenge): number {
  if (challenge.scheme === 'basic') return 2;
  return challenge.algorithm?.startsWith('SHA-256') ? 0 : 1;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** Base64 of the text's UTF-8 bytes (RFC 7617, 2.1). */
function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
