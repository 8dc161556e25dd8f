import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import type { Packetizer, PacketizerOptions } from '../../shared/packetizer/packetizer.js';
import {
  RtspHeaders,
  type RtspRequest,
  type RtspResponse,
  serializeInterleaved,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { type H264Clip, h264Clip } from './h264-clip.js';

/**
 * A camera that does what no real one will do when asked: any answer, any bytes, an end at any point. What it is not
 * told about, it does as a healthy camera with one H.264 track.
 */
export interface ScriptedCamera {
  readonly port: number;
  readonly connections: readonly ScriptedConnection[];
  url(path?: string): string;
  /** The request of this method, past or to come, the `count`-th of it (from 1) over all connections. */
  waitForRequest(method: string, count?: number, timeoutMs?: number): Promise<RtspRequest>;
  stop(): Promise<void>;
}

export interface ScriptedConnection {
  readonly socket: Socket;
  readonly requests: readonly RtspRequest[];
  /** Answers to requests of the camera's own. */
  readonly responses: readonly RtspResponse[];
  /** Interleaved frames that came from the other end. */
  readonly frames: readonly { readonly channel: number; readonly payload: Uint8Array }[];
  /** Sends bytes as they are. */
  send(bytes: Uint8Array | string): void;
  /** Answers a request; CSeq is added, and Session once there is one. */
  reply(request: RtspRequest, reply: ScriptedReply): void;
  /** Answers as the healthy camera would. */
  answer(request: RtspRequest): void;
  /** Sends the clip in a loop, in real time, on the channel that was set up or on this one. */
  startMedia(onChannel?: number): void;
  /** The RTP packets of the clip's next frame, to be sent by hand. */
  nextFrame(): Uint8Array[];
  stopMedia(): void;
  /** FIN, after what was sent. */
  end(): void;
  /** RST, at once. */
  reset(): void;
}

export interface ScriptedReply {
  status?: number;
  reason?: string;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  body?: string | Uint8Array;
}

type RequestHandler = (request: RtspRequest, connection: ScriptedConnection) => void;

export interface ScriptedCameraOptions {
  port?: number;
  /** PEM texts: it speaks rtsps. */
  tls?: { cert: string; key: string };
  /** By method; a handler does all of it, `connection.answer(request)` included. */
  on?: Readonly<Record<string, RequestHandler>>;
  /** Runs before anything is read, with the connection's place in order from 1. */
  onConnection?: (connection: ScriptedConnection, count: number) => void;
  /** What it plays in a loop; an H.264 clip by default. `sdp` has to say so. */
  media?: ScriptedMedia;
  /** Replaces the healthy camera's session description. */
  sdp?: string;
  /** After this many bytes sent on a connection, it is closed in mid-write. */
  cutAfterBytes?: number;
}

export interface ScriptedMedia {
  /** As the packetizer takes them; the first one is a key frame. */
  readonly accessUnits: readonly (readonly Uint8Array[])[];
  readonly frameRate: number;
  readonly Packetizer: new (options: PacketizerOptions) => Packetizer;
}

const host = '127.0.0.1';
const sessionId = '12345678';
const payloadType = 96;
const clockRate = 90_000;

/** Starts a scripted camera on a free loopback port. */
export async function startScriptedCamera(options: ScriptedCameraOptions = {}): Promise<ScriptedCamera> {
  const clip = await h264Clip();
  const connections: ScriptedConnection[] = [];
  const sockets = new Set<Socket>();
  const requests: RtspRequest[] = [];
  const waiting = new Set<() => void>();

  const { tls } = options;
  const onSocket = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const connection = serve(socket, clip, options, (request) => {
      requests.push(request);
      for (const check of [...waiting]) check();
    });
    connections.push(connection);
    options.onConnection?.(connection, connections.length);
  };
  const server = tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket);
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    connections,
    url: (path = '/stream1') => `${tls === undefined ? 'rtsp' : 'rtsps'}://${host}:${port}${path}`,
    waitForRequest(method, count = 1, timeoutMs = 10_000) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const found = requests.filter((request) => request.method === method)[count - 1];
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(check);
          const seen = requests.map((request) => request.method).join(', ');
          reject(new Error(`No ${method} (the ${count}. one) within ${timeoutMs} ms; there were: ${seen || 'none'}`));
        }, timeoutMs);
        waiting.add(check);
        check();
      });
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What a healthy camera says of itself: one H.264 track, under `trackID=0`. */
export function clipDescription(clip: H264Clip): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return [
    'v=0',
    `o=- 1 1 IN IP4 ${host}`,
    's=Scripted camera',
    't=0 0',
    'a=control:*',
    `m=video 0 RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} H264/${clockRate}`,
    `a=fmtp:${payloadType} packetization-mode=1;sprop-parameter-sets=${base64(clip.sps)},${base64(clip.pps)}`,
    `a=framerate:${clip.frameRate}`,
    'a=control:trackID=0',
    '',
  ].join('\r\n');
}

function serve(
  socket: Socket,
  clip: H264Clip,
  options: ScriptedCameraOptions,
  onRequest: (request: RtspRequest) => void,
): ScriptedConnection {
  const requests: RtspRequest[] = [];
  const responses: RtspResponse[] = [];
  const frames: { channel: number; payload: Uint8Array }[] = [];
  const media = options.media ?? { ...clip, Packetizer: H264Packetizer };
  const packetizer = new media.Packetizer({ payloadType, ssrc: 0x12345678, sequenceNumber: 1_000 });
  let bytesLeft = options.cutAfterBytes ?? Number.POSITIVE_INFINITY;
  let channel = 0;
  let isSetUp = false;
  let frame = 0;
  let mediaTimer: NodeJS.Timeout | null = null;

  const connection: ScriptedConnection = {
    socket,
    requests,
    responses,
    frames,
    send(content) {
      if (socket.destroyed || socket.writableEnded) return;
      const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
      if (bytes.length < bytesLeft) {
        bytesLeft -= bytes.length;
        socket.write(bytes);
        return;
      }
      // What came before the cut shall arrive: a reset would take it along.
      const last = bytes.subarray(0, bytesLeft);
      bytesLeft = 0;
      connection.stopMedia();
      socket.end(last);
    },
    reply(request, { status = 200, reason, headers = {}, body }) {
      const all = new RtspHeaders([['CSeq', request.headers.get('CSeq') ?? '0']]);
      if (isSetUp) all.set('Session', `${sessionId};timeout=60`);
      for (const [name, values] of Object.entries(headers)) {
        all.delete(name);
        for (const value of typeof values === 'string' ? [values] : values) all.append(name, value);
      }
      connection.send(
        serializeResponse({
          status,
          headers: all,
          ...(reason === undefined ? {} : { reason }),
          ...(body === undefined ? {} : { body: typeof body === 'string' ? Buffer.from(body) : body }),
        }),
      );
    },
    answer(request) {
      switch (request.method) {
        case 'OPTIONS':
          connection.reply(request, {
            headers: { Public: 'OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN' },
          });
          break;
        case 'DESCRIBE':
          connection.reply(request, {
            headers: { 'Content-Type': 'application/sdp', 'Content-Base': `${request.url.replace(/\/$/, '')}/` },
            body: options.sdp ?? clipDescription(clip),
          });
          break;
        case 'SETUP': {
          const wanted = /interleaved=(\d+)/.exec(request.headers.get('Transport') ?? '')?.[1];
          if (wanted === undefined) {
            connection.reply(request, { status: 461 });
            break;
          }
          channel = Number(wanted);
          isSetUp = true;
          connection.reply(request, {
            headers: { Transport: `RTP/AVP/TCP;unicast;interleaved=${channel}-${channel + 1}` },
          });
          break;
        }
        case 'PLAY':
          connection.reply(request, {
            headers: {
              Range: 'npt=now-',
              'RTP-Info': `url=${request.url.replace(/\/$/, '')}/trackID=0;seq=${packetizer.sequenceNumber};rtptime=${rtpTime(frame)}`,
            },
          });
          connection.startMedia();
          break;
        case 'PAUSE':
          connection.stopMedia();
          connection.reply(request, {});
          break;
        case 'TEARDOWN':
          connection.stopMedia();
          connection.reply(request, {});
          connection.end();
          break;
        case 'GET_PARAMETER':
          connection.reply(request, {});
          break;
        default:
          connection.reply(request, { status: 501 });
      }
    },
    startMedia(onChannel = channel) {
      channel = onChannel;
      mediaTimer ??= setInterval(sendFrame, 1_000 / media.frameRate);
    },
    nextFrame() {
      const unit = media.accessUnits[frame % media.accessUnits.length] ?? [];
      return packetizer.packetize([...unit], rtpTime(frame++));
    },
    stopMedia() {
      if (mediaTimer !== null) clearInterval(mediaTimer);
      mediaTimer = null;
    },
    end() {
      connection.stopMedia();
      socket.end();
    },
    reset() {
      connection.stopMedia();
      socket.resetAndDestroy();
    },
  };

  function rtpTime(frameNumber: number): number {
    return (frameNumber * (clockRate / media.frameRate)) >>> 0;
  }

  function sendFrame(): void {
    for (const packet of connection.nextFrame()) connection.send(serializeInterleaved(channel, packet));
  }

  const reader = new RtspReader({
    onMessage(message) {
      if (message.kind === 'response') {
        responses.push(message);
        return;
      }
      requests.push(message);
      onRequest(message);
      (options.on?.[message.method] ?? ((request) => connection.answer(request)))(message, connection);
    },
    onInterleavedFrame: (onChannel, payload) => {
      frames.push({ channel: onChannel, payload: Uint8Array.from(payload) });
    },
    onError: () => socket.destroy(),
  });
  socket.on('data', (chunk) => reader.push(new Uint8Array(chunk)));
  socket.on('error', () => {});
  socket.on('close', () => connection.stopMedia());
  return connection;
}
