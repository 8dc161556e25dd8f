/** An RTSP client for tests of the demo camera, and the clock that they give it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { DemoCamera } from '../../proxy/demo/camera.js';
import { parseRtcp, type SenderReport } from '../../shared/rtcp.js';
import { parseRtpPacket, type RtpPacket } from '../../shared/rtp-packet.js';
import { RtspHeaders, type RtspResponse, serializeRequest } from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { ManualClock } from './manual-clock.js';
import { within } from './test-peers.js';

/** A manual clock whose wall time begins where the test wants, and can be set. */
export class WallClock extends ManualClock {
  #offsetMs: number;

  /** @param utcMs - UTC in milliseconds since 1970 */
  constructor(utcMs: number) {
    super();
    this.#offsetMs = utcMs;
  }

  override utc(): number {
    return this.#offsetMs + this.now();
  }

  setUtc(utcMs: number): void {
    this.#offsetMs = utcMs - this.now();
  }
}

/** One interleaved frame, as it came. */
export interface Frame {
  channel: number;
  payload: Uint8Array;
}

export class DemoClient {
  readonly frames: Frame[] = [];
  readonly responses: RtspResponse[] = [];
  /** The kinds of what came, in order: a status, or a channel. */
  readonly order: string[] = [];
  readonly closed: Promise<void>;
  session: string | null = null;
  #sequence = 0;
  readonly #waiting: ((response: RtspResponse) => void)[] = [];

  constructor(
    readonly socket: Socket,
    readonly url: string,
  ) {
    const reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind !== 'response') return;
        this.responses.push(message);
        this.order.push(`${message.status}`);
        this.#waiting.shift()?.(message);
      },
      onInterleavedFrame: (channel, payload) => {
        this.frames.push({ channel, payload });
        this.order.push(`channel ${channel}`);
      },
      onError: (error) => socket.destroy(error),
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  static async connect(camera: DemoCamera, url = camera.url): Promise<DemoClient> {
    const socket = connect(camera.port, '127.0.0.1');
    await once(socket, 'connect');
    return new DemoClient(socket, url);
  }

  /** Sends a request; the session's id goes with it, unless headers have one. */
  async request(
    method: string,
    url = this.url,
    headers: Record<string, string> = {},
    body?: string,
  ): Promise<RtspResponse> {
    const all = new RtspHeaders([['CSeq', `${++this.#sequence}`]]);
    if (this.session !== null) all.set('Session', this.session);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const reply = new Promise<RtspResponse>((resolve) => this.#waiting.push(resolve));
    const bytes = body === undefined ? {} : { body: new TextEncoder().encode(body) };
    this.socket.write(serializeRequest({ method, url, headers: all, ...bytes }));
    return await within(reply, `the reply to ${method}`);
  }

  async setUp(track: 'video' | 'audio', transport: string): Promise<RtspResponse> {
    const response = await this.request('SETUP', `${this.url}/${track}`, { Transport: transport });
    this.session ??= response.headers.get('Session')?.split(';')[0] ?? null;
    return response;
  }

  /** SETUP of both tracks, on channels 0 to 3, and PLAY. */
  async play(): Promise<RtspResponse> {
    await this.setUp('video', 'RTP/AVP/TCP;unicast;interleaved=0-1');
    await this.setUp('audio', 'RTP/AVP/TCP;unicast;interleaved=2-3');
    return await this.request('PLAY');
  }

  /** After it, everything that the camera had written before has come. */
  async sync(): Promise<void> {
    await this.request('GET_PARAMETER');
  }

  packets(channel: number): RtpPacket[] {
    return this.frames.flatMap((frame) => (frame.channel === channel ? (parseRtpPacket(frame.payload) ?? []) : []));
  }

  reports(channel: number): SenderReport[] {
    return this.frames
      .flatMap((frame) => (frame.channel === channel ? parseRtcp(frame.payload) : []))
      .filter((packet): packet is SenderReport => packet.kind === 'sender-report');
  }
}

/** RTP packets of one time stamp each. */
export function groupUnits(packets: readonly RtpPacket[]): { timestamp: number; packets: RtpPacket[] }[] {
  const units: { timestamp: number; packets: RtpPacket[] }[] = [];
  for (const packet of packets) {
    const last = units.at(-1);
    if (last?.timestamp === packet.timestamp) last.packets.push(packet);
    else units.push({ timestamp: packet.timestamp, packets: [packet] });
  }
  return units;
}

/** UTC in milliseconds of an RTP time, by a sender report. */
export function utcMsOf(timestamp: number, report: SenderReport, clockRate: number): number {
  return (report.ntpTime ?? Number.NaN) + (((timestamp - report.rtpTimestamp) | 0) * 1000) / clockRate;
}
