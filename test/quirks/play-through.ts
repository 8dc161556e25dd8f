import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import type { AccessUnit } from '../../client/codec/access-unit.js';
import { MediaPosition } from '../../client/player/media-position.js';
import type { MediaRange } from '../../client/player/media-range.js';
import { paceOf } from '../../client/player/pace.js';
import { Receiver } from '../../client/player/receiver.js';
import { loadRtcpReader, type TrackReceiver } from '../../client/player/track-receiver.js';
import { type WebSocketConstructor, WebSocketTransport } from '../../client/transport/websocket.js';
import type { Credentials } from '../../shared/authentication.js';
import { type ErrorCode, StreamError } from '../../shared/errors.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import { serializeRtpPacket } from '../../shared/rtp-packet.js';
import { type RtspRequest, serializeInterleaved } from '../../shared/rtsp-message.js';
import { ManualClock } from '../proxy/manual-clock.js';
import { startTestProxy } from '../proxy/test-peers.js';
import { type H264Clip, h264Clip } from '../support/h264-clip.js';
import {
  clipDescription,
  type ScriptedCamera,
  type ScriptedCameraOptions,
  type ScriptedConnection,
  type ScriptedMedia,
  startScriptedCamera,
} from '../support/scripted-camera.js';

/**
 * A camera's own text → what a viewer gets of it, through everything that stands between the two: a scripted camera on a
 * TCP port, the proxy, a WebSocket, and the client down to its access units. The client's clock is moved by hand; all
 * else takes the time that it takes.
 */

/** Pictures of the clip from one key frame to the next, and ticks from one picture to the next. */
export const GROUP = 25;
export const STEP = 900;

/** `raw`: the tunnel to an allowed address; `named camera`: the proxy knows address and credentials, the page a name. */
export type Way = 'raw' | 'named camera';

const bothWays: readonly Way[] = ['raw', 'named camera'];

export type Handler = (request: RtspRequest, connection: ScriptedConnection) => void;

/** A time-out for what an event tells of. */
const WAIT_MS = 8_000;

export interface PlayedFrame {
  readonly track: TrackReceiver;
  readonly unit: AccessUnit;
  /** On the connection's time line, seconds. */
  readonly time: number;
}

/** A client that has played, or could not. */
export interface Client {
  readonly receiver: Receiver;
  /** Everything received so far, in order. */
  readonly frames: readonly PlayedFrame[];
  /** What the session description says of stored media. */
  readonly range: MediaRange | null;
  /** Plays stored media from another position, in seconds. */
  seek(to: number, scale?: number): Promise<void>;
  /** Why it could not be played, or why the connection ended; null while it plays. */
  readonly failure: StreamError | null;
  frameCount(kind?: 'video' | 'audio'): number;
}

export interface Played extends Client {
  readonly way: Way;
  readonly camera: ScriptedCamera;
  /** The last connection that the camera was asked to play on, or the only one. */
  readonly connection: ScriptedConnection;
  /** The client's. */
  readonly clock: ManualClock;
  /** Settles as soon as something that came makes the condition true. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** Waits for so many frames more than there are. */
  moreFrames(count: number, kind?: 'video' | 'audio'): Promise<void>;
  requests(method: string): RtspRequest[];
  /** Path and query of the URLs that were asked for; that they name the camera's own host is asserted. */
  paths(method: string): string[];
  /** Another client plays from the same camera, through the same proxy. */
  playAgain(url?: string): Promise<Client>;
}

export interface CameraScript extends ScriptedCameraOptions {
  /** Of the configured URL, with the query. */
  path?: string;
  /** What the page is given (raw), or the proxy is configured with. */
  credentials?: Credentials;
  /** What the page adds to the URL's query. */
  query?: string;
  /** As of the receiver. */
  recording?: string;
  /** The page shows stored media as such, with positions to seek to. */
  isStored?: boolean;
}

function withQuery(url: string, query: string): string {
  return query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** Plays from a camera that follows a script. Resolves when the client plays, or has failed. */
export async function playThrough(t: TestContext, way: Way, script: CameraScript): Promise<Played> {
  const { path, query = '', recording, credentials, isStored = false, ...cameraOptions } = script;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  const camera = await startScriptedCamera({
    media: clipAs({}),
    ...cameraOptions,
    onConnection(connection, count) {
      connection.socket.on('data', wake).on('close', wake);
      cameraOptions.onConnection?.(connection, count);
    },
  });
  const url = camera.url(path);
  const userinfo =
    credentials === undefined
      ? ''
      : `${encodeURIComponent(credentials.username)}:${encodeURIComponent(credentials.password)}@`;
  const proxy = await startTestProxy({
    allow: ['127.0.0.1'],
    ...(cameraOptions.tls === undefined ? {} : { certificateAuthorities: cameraOptions.tls.cert }),
    ...(way === 'raw'
      ? {}
      : {
          cameras: [
            { name: 'front', url: url.replace('//', `//${userinfo}`), queryParameters: ['starttime', 'endtime'] },
          ],
        }),
  });
  const clock = new ManualClock();
  const receivers: Receiver[] = [];
  t.after(async () => {
    for (const receiver of receivers) receiver.close();
    await camera.stop();
    await proxy.stop();
  });

  async function play(cameraUrl: string): Promise<Client> {
    const frames: PlayedFrame[] = [];
    let failure: StreamError | null = null;
    let range: MediaRange | null = null;
    let position: MediaPosition | null = null;
    const endpoint = `ws://127.0.0.1:${proxy.port}/rtsp${way === 'raw' ? '' : '/front'}`;
    const receiver = new Receiver(
      {
        transport: new WebSocketTransport(endpoint, { WebSocket: WebSocket as unknown as WebSocketConstructor }),
        url: way === 'raw' ? withQuery(cameraUrl, query) : withQuery('rtsp://front/', query),
        ...(recording !== undefined && { recording }),
        credentials: way === 'raw' ? (credentials ?? null) : null,
        clock,
      },
      {
        onDescription(described) {
          range = described;
          if (described === null || !isStored) return undefined;
          position = new MediaPosition(described, null);
          return Promise.resolve(position);
        },
        onTracks() {},
        onAccessUnit(track, unit, time) {
          frames.push({ track, unit, time });
          wake();
        },
        onEnd() {},
        onClose(error) {
          failure ??= error;
          wake();
        },
      },
    );
    receivers.push(receiver);
    try {
      await withinTime('The client to play or to fail', receiver.start());
    } catch (thrown) {
      if (!(thrown instanceof StreamError)) throw thrown;
      failure = thrown;
    }
    return {
      receiver,
      frames,
      get range() {
        return range;
      },
      async seek(to, scale) {
        position?.ask(to, scale === undefined ? undefined : paceOf(scale, false));
        await receiver.play();
      },
      get failure() {
        return failure;
      },
      frameCount: (kind = 'video') => frames.filter(({ track }) => track.kind === kind).length,
    };
  }

  function until(what: string, condition: () => boolean): Promise<void> {
    let check = () => {};
    const come = new Promise<void>((resolve, reject) => {
      check = () => {
        try {
          if (condition()) resolve();
        } catch (thrown) {
          reject(thrown);
        }
      };
      waiting.add(check);
      check();
    });
    return withinTime(what, come).finally(() => waiting.delete(check));
  }

  // Else the code that reads sender reports would be loaded with the first one, at some time.
  await loadRtcpReader();
  const client = await play(url);
  const requests = (method: string) =>
    camera.connections.flatMap((connection) => connection.requests.filter((request) => request.method === method));
  return {
    ...client,
    // A spread reads getters once.
    get range() {
      return client.range;
    },
    get failure() {
      return client.failure;
    },
    way,
    camera,
    clock,
    get connection() {
      const connection = camera.connections.findLast(({ requests: seen }) => seen.length > 0);
      assert.ok(connection !== undefined, 'nobody has connected');
      return connection;
    },
    until,
    async moreFrames(count, kind = 'video') {
      const before = client.frameCount(kind);
      await until(`${count} frames of ${kind}`, () => {
        assert.equal(client.failure, null);
        return client.frameCount(kind) >= before + count;
      });
    },
    requests,
    paths: (method) =>
      requests(method).map((request) => {
        const origin = camera.url('');
        assert.equal(request.url.slice(0, origin.length), origin);
        return request.url.slice(origin.length);
      }),
    playAgain: (other = url) => play(other),
  };
}

async function withinTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${WAIT_MS} ms: ${what}.`)), WAIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** How the client ends. */
interface Failure {
  code: ErrorCode;
  sentence: RegExp;
}

/** What a camera does, and what comes of it. */
export interface Quirk extends CameraScript {
  /** Of the list of what cameras do. */
  row: number;
  /** With the cameras that do it. */
  what: string;
  /** The ways in which it makes sense. Default: both. */
  ways?: readonly Way[];
  /** It cannot be played. Otherwise three frames of picture have to come, unless `frames` says something else. */
  fails?: Failure | Record<Way, Failure>;
  /** Frames that have to come. */
  frames?: { video?: number; audio?: number };
  /** Paths that the camera is asked for, by method, in order. */
  asks?: Readonly<Record<string, readonly string[]>>;
  check?(played: Played): Promise<void> | void;
}

/** One test for each quirk, with one sub-test for each way. */
export function testQuirks(quirks: readonly Quirk[]): void {
  for (const { row, what, ways = bothWays, fails, frames = { video: 3 }, asks = {}, check, ...script } of quirks) {
    test(`quirk ${row}: ${what}`, { timeout: 60_000 }, async (t) => {
      for (const way of ways) {
        await t.test(way, async (subTest) => {
          const played = await playThrough(subTest, way, script);
          if (fails === undefined) {
            assert.equal(played.failure, null);
            for (const kind of ['video', 'audio'] as const) {
              await played.until(`${kind}: ${frames[kind] ?? 0} frames`, () => {
                return played.failure !== null || played.frameCount(kind) >= (frames[kind] ?? 0);
              });
            }
            assert.equal(played.failure, null);
          } else {
            const { code, sentence } = 'code' in fails ? fails : fails[way];
            assert.equal(played.failure?.code, code, played.failure?.message ?? 'It plays.');
            assert.match(played.failure.message, sentence);
          }
          for (const [method, paths] of Object.entries(asks)) assert.deepEqual(played.paths(method), paths, method);
          await check?.(played);
        });
      }
    });
  }
}

// What cameras say.

export const clip: H264Clip = await h264Clip();

/** What a healthy camera says of itself. */
export const healthySdp: string = clipDescription(clip);

/** A second medium, behind `healthySdp`. */
export const soundSdp = 'm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n';

/**
 * Answers with these lines, a body behind them. `{cseq}` stands for the request's CSeq, `{url}` for its URL and `{host}`
 * for the camera's own host and port.
 */
export function says(lines: readonly string[], body = ''): Handler {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`];
  return (request, connection) => {
    const head = [...lines, ...length, '', ''].join('\r\n');
    connection.send(filledIn(head, request) + body);
  };
}

export function filledIn(text: string, request: RtspRequest): string {
  const host = /^rtsps?:\/\/([^/]*)/.exec(request.url)?.[1] ?? '';
  return text
    .replaceAll('{cseq}', request.headers.get('CSeq') ?? '')
    .replaceAll('{url}', request.url)
    .replaceAll('{host}', host);
}

export const ok: readonly string[] = ['RTSP/1.0 200 OK', 'CSeq: {cseq}'];

export function refuses(status: string): Handler {
  return says([`RTSP/1.0 ${status}`, 'CSeq: {cseq}']);
}

/** DESCRIBE's answer with other headers, or another description. */
export function describes(headers: readonly string[], sdp = healthySdp): Handler {
  return says([...ok, 'Content-Type: application/sdp', ...headers], sdp);
}

export function setsUp(transport: string, session = '1234'): Handler {
  return says([...ok, `Session: ${session}`, `Transport: ${transport}`]);
}

/** PLAY's answer with these headers, and the clip behind it. */
export function plays(headers: readonly string[] = [], channel = 0): Handler {
  return (request, connection) => {
    says([...ok, 'Session: 1234', ...headers])(request, connection);
    connection.startMedia(channel);
  };
}

/** As a healthy camera. */
export const answers: Handler = (request, connection) => connection.answer(request);

/** One handler after the other, the last one from then on. */
export function inTurn(...handlers: Handler[]): Handler {
  // A camera of its own for each way.
  const counts = new WeakMap<ScriptedConnection, number>();
  return (request, connection) => {
    const count = counts.get(connection) ?? 0;
    counts.set(connection, count + 1);
    handlers[Math.min(count, handlers.length - 1)]?.(request, connection);
  };
}

/** Sends RTP packets on a channel. */
export function sendPackets(connection: ScriptedConnection, packets: readonly Uint8Array[], channel = 0): void {
  for (const packet of packets) connection.send(serializeInterleaved(channel, packet));
}

/** The clip's next frames, as `change` leaves their packets. */
export function nextFrames(
  connection: ScriptedConnection,
  count: number,
  change: (packet: Uint8Array) => Uint8Array = (packet) => packet,
): Uint8Array[] {
  return Array.from({ length: count }, () => connection.nextFrame())
    .flat()
    .map((packet) => change(Uint8Array.from(packet)));
}

/** 20 ms of sound at 8 kHz, the `index`-th such packet. */
export function soundPacket(index: number, payloadType = 8): Uint8Array {
  return serializeRtpPacket({
    payloadType,
    marker: index === 0,
    sequenceNumber: 500 + index,
    timestamp: 160 * index,
    ssrc: 0x5eed,
    payload: new Uint8Array(160).fill(0xd5),
  });
}

/** Frames a second: nobody looks, and a test has better things to do than to wait. */
export const frameRate = 100;

/** The clip, perhaps under another payload type, in other packets, or with other access units. */
export function clipAs(
  options: { payloadType?: number; maxPayloadBytes?: number },
  accessUnits: ScriptedMedia['accessUnits'] = clip.accessUnits,
): ScriptedMedia {
  class Packetizer extends H264Packetizer {
    constructor(given: ConstructorParameters<typeof H264Packetizer>[0]) {
      super({ ...given, ...options });
    }
  }
  return { accessUnits, frameRate, Packetizer };
}

export const credentials: Credentials = { username: 'admin', password: 'se:cr@t' };

/** Answers a request only if it answers a Digest challenge (RFC 7616, 3.4), and challenges it otherwise. */
export function guarded(
  answer: Handler,
  challenges: readonly string[],
  digest: { nonce: string | (() => string); realm?: string; algorithm?: 'md5' | 'sha256' },
): Handler {
  const { realm = 'cam', algorithm = 'md5' } = digest;
  const hash = (text: string) => createHash(algorithm).update(text).digest('hex');
  return (request, connection) => {
    const nonce = typeof digest.nonce === 'string' ? digest.nonce : digest.nonce();
    const authorization = request.headers.get('Authorization') ?? '';
    const field = (name: string) => new RegExp(`\\b${name}="?([^",]*)`).exec(authorization)?.[1] ?? '';
    const secret = hash(`${credentials.username}:${realm}:${credentials.password}`);
    const quality = field('qop') === '' ? '' : `${field('nc')}:${field('cnonce')}:${field('qop')}:`;
    const expected = hash(`${secret}:${nonce}:${quality}${hash(`${request.method}:${request.url}`)}`);
    if (authorization.startsWith('Digest ') && field('response') === expected) answer(request, connection);
    else says(['RTSP/1.0 401 Unauthorized', 'CSeq: {cseq}', ...challenges.map(fill(nonce))])(request, connection);
  };
}

function fill(nonce: string): (challenge: string) => string {
  return (challenge) => `WWW-Authenticate: ${challenge.replaceAll('{nonce}', nonce)}`;
}
