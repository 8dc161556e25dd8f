import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock.js';
import {
  RtspHeaders as Headers,
  type RtspHeaders,
  type RtspRequest,
  serializeInterleaved,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import type { Clip } from './clip.js';
import { LiveSource } from './live-source.js';

/**
 * One connection to the demo camera: RTSP requests in, replies and interleaved media out (RFC 2326; RTP over the RTSP
 * connection, 10.12).
 */

/** Milliseconds without a sign of life after which a session is over. */
const SESSION_TIMEOUT_MS = 60_000;
const REPORT_INTERVAL_MS = 5_000;
/** Bytes that may wait for a viewer who reads too slowly; beyond, frames are left out up to the next key frame. */
const MAX_WAITING_BYTES = 262_144;
/** How often it is looked whether a frame is due, milliseconds. */
const TICK_MS = 10;

const METHODS = 'OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN';

interface SetUpTrack {
  readonly source: LiveSource;
  readonly control: string;
  /** Channel of RTP; RTCP has the next one. */
  readonly channel: number;
}

export interface ViewerOptions {
  readonly clip: Clip;
  readonly clock: Clock;
  /** SDP for a request to this base URL. */
  describe(): string;
  /** Called once, when the connection is over. */
  onClose(): void;
}

export class Viewer {
  readonly #socket: Socket;
  readonly #options: ViewerOptions;
  readonly #reader: RtspReader;
  readonly #tracks = new Map<string, SetUpTrack>();
  #session: string | null = null;
  #lastSign: number;
  #lastReport = 0;
  #isPlaying = false;
  #skipsToKeyFrame = false;
  #cancelTick: (() => void) | null = null;

  constructor(socket: Socket, options: ViewerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#lastSign = options.clock.now();
    this.#reader = new RtspReader({
      onMessage: (message) => {
        this.#lastSign = options.clock.now();
        if (message.kind === 'request') this.#answer(message);
      },
      // Receiver reports: a sign of life.
      onInterleavedFrame: () => {
        this.#lastSign = options.clock.now();
      },
      onError: () => socket.destroy(),
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#reader.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#reader.close();
      this.#cancelTick?.();
      this.#cancelTick = null;
      options.onClose();
    });
    this.#scheduleTick();
  }

  /** Says goodbye and ends the connection. */
  close(): void {
    if (this.#isPlaying) {
      for (const { source, channel } of this.#tracks.values()) this.#send(channel + 1, source.goodbye(this.#utc));
    }
    this.#socket.end();
    this.#socket.destroySoon();
  }

  get #utc(): number {
    return this.#options.clock.utc() / 1000;
  }

  #answer(request: RtspRequest): void {
    const headers = new Headers();
    const status = this.#serve(request, headers);
    const body = headers.get('Content-Type') === null ? undefined : new TextEncoder().encode(this.#options.describe());
    const reply = new Headers([['CSeq', request.headers.get('CSeq') ?? '0'], ...headers]);
    this.#socket.write(serializeResponse({ status, headers: reply, ...(body === undefined ? {} : { body }) }));
    if (status === 200 && request.method === 'PLAY') this.#start();
    if (status === 200 && request.method === 'TEARDOWN') this.#socket.end();
  }

  /** Returns the status; puts what belongs to the reply into `headers`. */
  #serve(request: RtspRequest, headers: RtspHeaders): number {
    const { method } = request;
    if (method === 'OPTIONS') {
      headers.set('Public', METHODS);
      return 200;
    }
    if (!METHODS.split(', ').includes(method)) return 501;
    const path = pathOf(request.url);
    if (path === null) return 404;
    if (method === 'DESCRIBE') {
      headers.set('Content-Type', 'application/sdp');
      headers.set('Content-Base', baseOf(request.url));
      return 200;
    }
    if (method === 'SETUP') return this.#setUp(request, path, headers);
    const session = request.headers.get('Session')?.split(';')[0]?.trim() ?? null;
    if (this.#session === null || session !== this.#session) {
      // Some clients keep a connection alive before there is a session.
      return session === null && method === 'GET_PARAMETER' ? 200 : 454;
    }
    headers.set('Session', `${this.#session};timeout=${SESSION_TIMEOUT_MS / 1000}`);
    if (method === 'PLAY') return this.#play(request, headers);
    if (method === 'PAUSE') this.#isPlaying = false;
    if (method === 'TEARDOWN') {
      this.#isPlaying = false;
      this.#session = null;
    }
    return 200;
  }

  #setUp(request: RtspRequest, path: string, headers: RtspHeaders): number {
    if (path !== 'video' && path !== 'audio') return path === '' ? 459 : 404;
    const session = request.headers.get('Session')?.split(';')[0]?.trim() ?? null;
    if (session !== null && session !== this.#session) return 454;
    if (this.#isPlaying) return 455;
    const offers = request.headers.get('Transport')?.split(',') ?? [];
    const offer = offers.find((one) => /RTP\/AVP\/TCP/i.test(one));
    if (offer === undefined) return 461;
    const asked = Number(/interleaved=(\d{1,3})/i.exec(offer)?.[1] ?? Number.NaN);
    const isFree = (channel: number) =>
      [...this.#tracks.values()].every((track) => track.channel >> 1 !== channel >> 1);
    let channel = Number.isNaN(asked) || asked > 254 ? 0 : asked & ~1;
    while (!isFree(channel) && this.#tracks.get(path)?.channel !== channel) channel = (channel + 2) % 256;
    const { clip } = this.#options;
    const source = path === 'video' ? LiveSource.video(clip) : LiveSource.audio(clip);
    this.#tracks.set(path, { source, control: request.url, channel });
    this.#session ??= randomBytes(8).toString('hex');
    headers.set('Session', `${this.#session};timeout=${SESSION_TIMEOUT_MS / 1000}`);
    const ssrc = source.ssrc.toString(16).padStart(8, '0').toUpperCase();
    headers.set('Transport', `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1};ssrc=${ssrc}`);
    return 200;
  }

  #play(_request: RtspRequest, headers: RtspHeaders): number {
    if (this.#tracks.size === 0) return 455;
    const now = this.#utc;
    headers.set('Range', 'npt=now-');
    if (this.#isPlaying) return 200;
    const starts = [...this.#tracks.values()].map(({ source }) => source.seek(now));
    // The moment that all the rtptimes stand for is the picture's first; the sound before it is not sent.
    const start = Math.min(...starts);
    headers.set(
      'RTP-Info',
      [...this.#tracks.values()]
        .map(
          ({ source, control }) => `url=${control};seq=${source.sequenceNumber};rtptime=${source.timestampAt(start)}`,
        )
        .join(','),
    );
    return 200;
  }

  #start(): void {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    this.#report();
    this.#sendDue();
  }

  #tick(): void {
    const now = this.#options.clock.now();
    if (now - this.#lastSign > SESSION_TIMEOUT_MS) {
      this.close();
      return;
    }
    if (this.#isPlaying) {
      if (now - this.#lastReport >= REPORT_INTERVAL_MS) this.#report();
      this.#sendDue();
    }
    this.#scheduleTick();
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#options.clock.schedule(TICK_MS, () => this.#tick());
  }

  #report(): void {
    this.#lastReport = this.#options.clock.now();
    for (const { source, channel } of this.#tracks.values()) this.#send(channel + 1, source.report(this.#utc));
  }

  /** Sends what is due by now, picture and sound in the order of their time. */
  #sendDue(): void {
    const now = this.#utc;
    this.#socket.cork();
    for (const [name, { source, channel }] of this.#tracks) {
      for (;;) {
        const packets = source.next(now, (isKeyFrame) => this.#drops(name, isKeyFrame));
        if (packets === null) break;
        for (const packet of packets) this.#send(channel, packet);
      }
    }
    this.#socket.uncork();
  }

  #drops(name: string, isKeyFrame: boolean): boolean {
    const isFull = this.#socket.writableLength > MAX_WAITING_BYTES;
    if (name !== 'video') return isFull;
    this.#skipsToKeyFrame = isFull || (this.#skipsToKeyFrame && !isKeyFrame);
    return this.#skipsToKeyFrame;
  }

  #send(channel: number, packet: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(serializeInterleaved(channel, packet));
  }
}

/** What follows `/demo` in the URL, without slashes: '' for the whole; null for another path. */
function pathOf(url: string): string | null {
  const path = /^rtsps?:\/\/[^/]*(\/[^?]*)/i.exec(url)?.[1] ?? '';
  const match = /^\/demo(?:\/(video|audio)?)?\/?$/.exec(path);
  return match === null ? null : (match[1] ?? '');
}

function baseOf(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
