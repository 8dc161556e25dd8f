/**
 * One connection to the demo camera: RTSP requests in, replies out (RFC 2326), and media inside the same connection
 * (section 10.12).
 */

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock.js';
import { reasonPhrase } from '../../shared/reason-phrases.js';
import { RtspHeaders, type RtspRequest, serializeInterleaved, serializeResponse } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { formatRtspUrl, parseRtspUrl } from '../../shared/rtsp-url.js';
import { LiveTrack } from './live-track.js';
import {
  AUDIO_PAYLOAD_TYPE,
  type DemoStream,
  describeStream,
  parseTarget,
  type Target,
  VIDEO_PAYLOAD_TYPE,
} from './stream.js';

/** Silence after which a session, or a connection without one, is over. */
const SESSION_TIMEOUT_MS = 60_000;
/** Between sender reports (RFC 3550, 6.2). */
const REPORT_INTERVAL_MS = 5_000;
/** Bytes that may wait for a viewer who reads too slowly, some seconds of media; beyond, frames are left out. */
const MAX_WAITING_BYTES = 65_536;
/** Bytes of waiting media and replies at which no more requests are read. */
const MAX_WAITING_BYTES_WITH_REPLIES = 2 * MAX_WAITING_BYTES;
/** A distance between clock and media that no late timer explains: the clock was set, or the machine slept. */
const MAX_CLOCK_STEP_MS = 2_000;
/** For a viewer to read the goodbye. */
const CLOSE_GRACE_MS = 500;

const METHODS = ['OPTIONS', 'DESCRIBE', 'SETUP', 'PLAY', 'PAUSE', 'GET_PARAMETER', 'SET_PARAMETER', 'TEARDOWN'];

/** A track that was set up. */
interface Delivery {
  readonly track: LiveTrack;
  readonly url: string;
  readonly rtpChannel: number;
  readonly rtcpChannel: number;
}

interface Session {
  readonly id: string;
  readonly stream: Target['stream'];
  /** By kind; never empty. */
  readonly deliveries: Map<'video' | 'audio', Delivery>;
  isPlaying: boolean;
}

/** What a request comes to. */
interface Reply {
  status: number;
  headers?: [string, string][];
  body?: string;
  /** Runs right after the reply was written. */
  afterwards?: () => void;
}

export interface ViewerOptions {
  readonly streams: Readonly<Record<Target['stream'], DemoStream>>;
  readonly clock: Clock;
  /** Called once, when the connection is over. */
  onClose(): void;
}

export class Viewer {
  readonly #socket: Socket;
  readonly #streams: ViewerOptions['streams'];
  readonly #clock: Clock;
  readonly #reader: RtspReader;
  #session: Session | null = null;
  #lastSignMs: number;
  #lastReportMs = 0;
  /** Frames are left out up to the next key frame. */
  #awaitsKeyFrame = false;
  #cancelSending: () => void = doNothing;
  #cancelTimeout: () => void = doNothing;

  constructor(socket: Socket, options: ViewerOptions) {
    this.#socket = socket;
    this.#streams = options.streams;
    this.#clock = options.clock;
    this.#lastSignMs = options.clock.now();
    this.#reader = new RtspReader({
      onMessage: (message) => {
        this.#lastSignMs = this.#clock.now();
        if (message.kind === 'request') this.#answer(message);
      },
      // A receiver report: a sign of life.
      onInterleavedFrame: () => {
        this.#lastSignMs = this.#clock.now();
      },
      onError: () => {
        this.#reply({ status: 400 }, null);
        this.close();
      },
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#reader.push(chunk));
    socket.on('drain', () => socket.resume());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#reader.close();
      this.#cancelSending();
      this.#cancelTimeout();
      options.onClose();
    });
    this.#watchForSilence();
  }

  /** Says goodbye and ends the connection, whether the viewer reads on or not. */
  close(): void {
    if (this.#session?.isPlaying === true) {
      const utcMs = this.#utcMs();
      for (const { track, rtcpChannel } of this.#session.deliveries.values()) {
        this.#send(rtcpChannel, track.goodbye(utcMs));
      }
    }
    this.#endSession();
    this.#reader.close();
    this.#socket.end();
    this.#cancelTimeout();
    this.#cancelTimeout = this.#clock.schedule(CLOSE_GRACE_MS, () => this.#socket.destroy());
  }

  #watchForSilence(): void {
    const leftMs = this.#lastSignMs + SESSION_TIMEOUT_MS - this.#clock.now();
    if (leftMs <= 0) this.close();
    else this.#cancelTimeout = this.#clock.schedule(leftMs, () => this.#watchForSilence());
  }

  /** In whole milliseconds, which are whole ticks of both RTP clocks: all sender reports agree to the tick. */
  #utcMs(): number {
    return Math.floor(this.#clock.utc());
  }

  // Requests.

  #answer(request: RtspRequest): void {
    this.#reply(this.#serve(request), request.headers.get('CSeq'));
  }

  #reply(reply: Reply, sequence: string | null): void {
    const headers = new RtspHeaders(reply.headers ?? []);
    const all = new RtspHeaders([...(sequence === null ? [] : [['CSeq', sequence] as const]), ...headers]);
    const body = reply.body === undefined ? {} : { body: new TextEncoder().encode(reply.body) };
    if (this.#socket.writable)
      this.#socket.write(
        serializeResponse({ status: reply.status, reason: reasonPhrase(reply.status), headers: all, ...body }),
      );
    if (this.#socket.writableLength > MAX_WAITING_BYTES_WITH_REPLIES) this.#socket.pause();
    reply.afterwards?.();
  }

  #serve(request: RtspRequest): Reply {
    const { method } = request;
    const required = request.headers.get('Require');
    if (required !== null) return { status: 551, headers: [['Unsupported', required]] };
    if (method === 'OPTIONS') return { status: 200, headers: [['Public', METHODS.join(', ')]] };
    if (!METHODS.includes(method)) return { status: 501, headers: [['Public', METHODS.join(', ')]] };

    const address = readUrl(request.url);
    if (address === null) return { status: 400 };
    const { url, target } = address;
    if (target === null) return { status: 404 };
    if (method === 'DESCRIBE') return this.#describe(url, target);
    const sessionId = request.headers.get('Session')?.split(';', 1)[0]?.trim() ?? null;
    if (sessionId !== null && sessionId !== this.#session?.id) return { status: 454 };
    if (method === 'SETUP') return this.#setUp(url, target, request.headers.get('Transport') ?? '', sessionId);
    if (sessionId === null || this.#session === null) {
      // Clients keep a connection alive before they have a session.
      if (method === 'GET_PARAMETER' && request.body.length === 0) return { status: 200 };
      return { status: 454 };
    }
    if (target.stream !== this.#session.stream) return { status: 455 };
    const reply = this.#serveInSession(request, target, this.#session);
    return { ...reply, headers: [['Session', sessionHeader(sessionId)], ...(reply.headers ?? [])] };
  }

  #serveInSession(request: RtspRequest, target: Target, session: Session): Reply {
    switch (request.method) {
      case 'PLAY':
        return this.#play(session);
      case 'PAUSE':
        this.#pause(session);
        return { status: 200 };
      case 'TEARDOWN':
        if (target.track !== null) session.deliveries.delete(target.track);
        if (target.track === null || session.deliveries.size === 0) this.#endSession();
        return { status: 200 };
      default:
        // There are no parameters; without any it is a sign of life.
        return { status: request.body.length === 0 ? 200 : 451 };
    }
  }

  #describe(url: string, target: Target): Reply {
    if (target.track !== null) return { status: 404 };
    const body = describeStream(this.#streams[target.stream], this.#socket.localAddress ?? '127.0.0.1');
    const base = `${url.replace(/\?.*$/, '').replace(/\/$/, '')}/`;
    const headers: Reply['headers'] = [
      ['Content-Base', base],
      ['Content-Type', 'application/sdp'],
    ];
    return { status: 200, headers, body };
  }

  #setUp(url: string, target: Target, transport: string, sessionId: string | null): Reply {
    const kind = target.track;
    if (kind === null) return { status: 459 };
    // A second session on a connection whose session lives would have no end.
    if (sessionId === null && this.#session !== null) return { status: 455 };
    if (this.#session !== null && (this.#session.isPlaying || this.#session.stream !== target.stream)) {
      return { status: 455 };
    }
    const offer = transport.split(',').find((text) => /^ *RTP\/AVP\/TCP *(?:;|$)/i.test(text));
    if (offer === undefined) return { status: 461 };
    const deliveries = this.#session?.deliveries ?? new Map<'video' | 'audio', Delivery>();
    deliveries.delete(kind);
    const payloadType = kind === 'video' ? VIDEO_PAYLOAD_TYPE : AUDIO_PAYLOAD_TYPE;
    const track = new LiveTrack(this.#streams[target.stream][kind], payloadType);
    const [rtpChannel, rtcpChannel] = chooseChannels(offer, [...deliveries.values()]);
    deliveries.set(kind, { track, url, rtpChannel, rtcpChannel });
    this.#reader.setChannels([...deliveries.values()].flatMap((one) => [one.rtpChannel, one.rtcpChannel]));
    this.#session ??= { id: randomBytes(12).toString('hex'), stream: target.stream, deliveries, isPlaying: false };
    const ssrc = track.ssrc.toString(16).toUpperCase().padStart(8, '0');
    const headers: Reply['headers'] = [
      ['Transport', `RTP/AVP/TCP;unicast;interleaved=${rtpChannel}-${rtcpChannel};ssrc=${ssrc}`],
      ['Session', sessionHeader(this.#session.id)],
    ];
    return { status: 200, headers };
  }

  #play(session: Session): Reply {
    const range: [string, string] = ['Range', 'npt=now-'];
    if (session.isPlaying) return { status: 200, headers: [range] };
    const utcMs = this.#utcMs();
    const startMs = seekToKeyFrame(session, utcMs);
    const info = [...session.deliveries.values()].map(
      ({ track, url }) => `url=${url};seq=${track.sequenceNumber};rtptime=${track.timestampAt(startMs)}`,
    );
    const afterwards = () => {
      session.isPlaying = true;
      this.#awaitsKeyFrame = false;
      this.#report(session, utcMs);
      this.#sendDue(session, utcMs);
    };
    return { status: 200, headers: [range, ['RTP-Info', info.join(',')]], afterwards };
  }

  #pause(session: Session): void {
    session.isPlaying = false;
    this.#cancelSending();
  }

  #endSession(): void {
    if (this.#session !== null) this.#pause(this.#session);
    this.#session = null;
  }

  // Media.

  /** Sends what is due by now, in the order of its time, and comes back when more is. */
  #sendDue(session: Session, utcMs: number): void {
    if (Math.abs(nextDelivery(session).track.nextMs - utcMs) > MAX_CLOCK_STEP_MS + longestGroupMs) {
      seekToKeyFrame(session, utcMs);
      this.#report(session, utcMs);
    }
    if (this.#clock.now() - this.#lastReportMs >= REPORT_INTERVAL_MS) this.#report(session, utcMs);
    this.#socket.cork();
    let next = nextDelivery(session);
    while (next.track.nextMs <= utcMs) {
      if (this.#mustSkip(next.track)) next.track.skip();
      else for (const packet of next.track.take()) this.#send(next.rtpChannel, packet);
      next = nextDelivery(session);
    }
    this.#socket.uncork();
    this.#cancelSending = this.#clock.schedule(Math.max(1, next.track.nextMs - this.#utcMs()), () =>
      this.#sendDue(session, this.#utcMs()),
    );
  }

  /** Whether the next unit is left out, since the viewer does not keep up or has missed what it refers to. */
  #mustSkip(track: LiveTrack): boolean {
    const isFull = this.#socket.writableLength > MAX_WAITING_BYTES;
    if (track.kind === 'audio') return isFull;
    this.#awaitsKeyFrame = isFull || (this.#awaitsKeyFrame && !track.nextIsKeyFrame);
    return this.#awaitsKeyFrame;
  }

  #report(session: Session, utcMs: number): void {
    this.#lastReportMs = this.#clock.now();
    for (const { track, rtcpChannel } of session.deliveries.values()) {
      this.#send(rtcpChannel, track.senderReport(utcMs));
    }
  }

  #send(channel: number, packet: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(serializeInterleaved(channel, packet));
  }
}

/** So far the media may lie behind the clock when play begins: the sub stream's distance between key frames. */
const longestGroupMs = 2_000;

/**
 * Puts all tracks at the last key frame, so that a picture can be shown at once: the sound, too, begins there.
 * @returns its time, UTC in milliseconds
 */
function seekToKeyFrame(session: Session, utcMs: number): number {
  const startMs = session.deliveries.get('video')?.track.keyFrameMs(utcMs) ?? utcMs;
  for (const { track } of session.deliveries.values()) track.seek(startMs);
  return startMs;
}

/** The track whose unit is due first. */
function nextDelivery(session: Session): Delivery {
  return [...session.deliveries.values()].reduce((first, one) => (one.track.nextMs < first.track.nextMs ? one : first));
}

function sessionHeader(id: string): string {
  return `${id};timeout=${SESSION_TIMEOUT_MS / 1000}`;
}

/** The channels that were asked for, if they are free, else the first pair that is. */
function chooseChannels(offer: string, others: readonly Delivery[]): [rtp: number, rtcp: number] {
  const isFree = (channel: number) =>
    channel <= 255 && others.every((one) => one.rtpChannel !== channel && one.rtcpChannel !== channel);
  const match = /; *interleaved *= *(\d{1,3})(?: *- *(\d{1,3}))?/i.exec(offer);
  if (match !== null) {
    const rtp = Number(match[1]);
    const rtcp = match[2] === undefined ? rtp + 1 : Number(match[2]);
    if (rtp !== rtcp && isFree(rtp) && isFree(rtcp)) return [rtp, rtcp];
  }
  let rtp = 0;
  while (!isFree(rtp) || !isFree(rtp + 1)) rtp += 2;
  return [rtp, rtp + 1];
}

/** The request's URL without credentials, and what it stands for; null when it is none. */
function readUrl(text: string): { url: string; target: Target | null } | null {
  try {
    const url = parseRtspUrl(text);
    return { url: formatRtspUrl(url), target: parseTarget(url.path) };
  } catch {
    return null;
  }
}

function doNothing(): void {}
