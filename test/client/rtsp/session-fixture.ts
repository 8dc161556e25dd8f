import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type PlayResult, RtspSession, type RtspSessionOptions } from '../../../client/rtsp/session.js';
import { TcpTransport } from '../../../client/transport/tcp.js';
import { StreamError } from '../../../shared/errors.js';
import { serializeRtpPacket } from '../../../shared/rtp-packet.js';
import type { RtspRequest } from '../../../shared/rtsp-message.js';
import { serializeInterleaved } from '../../../shared/rtsp-message.js';
import { ManualClock } from '../../proxy/manual-clock.js';
import {
  type ScriptedCamera,
  type ScriptedCameraOptions,
  type ScriptedConnection,
  startScriptedCamera,
} from '../../support/scripted-camera.js';

/** What a session told its handlers, in order. */
export type SessionEvent =
  | { event: 'play'; result: PlayResult }
  | { event: 'rtp' | 'rtcp'; mediaIndex: number; bytes: Uint8Array }
  | { event: 'close'; error: StreamError | null };

export interface SessionFixture {
  readonly camera: ScriptedCamera;
  readonly session: RtspSession;
  readonly clock: ManualClock;
  readonly events: SessionEvent[];
  /** Waits until the events satisfy a condition. */
  until(condition: (events: readonly SessionEvent[]) => boolean): Promise<void>;
  /** The methods that the camera was asked, in order. */
  methods(): string[];
}

/** A session over TCP to a camera that follows a script, with a clock that the test moves. */
export async function openSession(
  context: TestContext,
  script: ScriptedCameraOptions = {},
  options: Partial<RtspSessionOptions> & { path?: string } = {},
): Promise<SessionFixture> {
  const camera = await startScriptedCamera(script);
  context.after(() => camera.stop());
  const clock = new ManualClock();
  const events: SessionEvent[] = [];
  let wake = () => {};
  const note = (event: SessionEvent) => {
    events.push(event);
    wake();
  };
  const { path, ...sessionOptions } = options;
  const session = new RtspSession(
    {
      transport: new TcpTransport({ scheme: 'rtsp', host: '127.0.0.1', port: camera.port }),
      url: camera.url(path),
      clock,
      ...sessionOptions,
    },
    {
      onPlay: (result) => note({ event: 'play', result }),
      onRtp: (mediaIndex, bytes) => note({ event: 'rtp', mediaIndex, bytes }),
      onRtcp: (mediaIndex, bytes) => note({ event: 'rtcp', mediaIndex, bytes }),
      onClose: (error) => note({ event: 'close', error }),
    },
  );
  context.after(() => session.close());
  return {
    camera,
    session,
    clock,
    events,
    async until(condition) {
      while (!condition(events)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    methods: () => camera.connections.flatMap(({ requests }) => requests.map(({ method }) => method)),
  };
}

/** Takes a session to a state, setting up all media of the description. */
export async function advanceTo(session: RtspSession, state: 'init' | 'ready' | 'playing'): Promise<void> {
  await session.connect();
  if (state === 'init') return;
  const { media } = await session.describe();
  for (const medium of media) await session.setup(medium);
  if (state === 'playing') await session.play();
  assert.equal(session.state, state);
}

/**
 * A camera's own text: header lines as they stand, with the request's CSeq for `{cseq}`, and a body behind them.
 */
export function sendText(
  connection: ScriptedConnection,
  request: RtspRequest,
  lines: readonly string[],
  body = '',
): void {
  const head = `${lines.join('\r\n')}\r\n\r\n`;
  connection.send(head.replaceAll('{cseq}', request.headers.get('CSeq') ?? '') + body);
}

/** An interleaved frame with an RTP packet of one payload byte. */
export function rtpFrame(channel: number, sequenceNumber: number, ssrc = 0x1234_5678): Uint8Array {
  const packet = serializeRtpPacket({
    payloadType: 96,
    marker: true,
    sequenceNumber,
    timestamp: 0,
    ssrc,
    payload: Uint8Array.of(sequenceNumber & 0xff),
  });
  return serializeInterleaved(channel, packet);
}

export async function rejectsWith(promise: Promise<unknown>, code: string, pattern = /./): Promise<StreamError> {
  let error: unknown = null;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error instanceof StreamError, `expected a StreamError, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  return error;
}
