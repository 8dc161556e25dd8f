import { formatRange } from '../../client/rtsp/format-range.js';
import { parseRange } from '../../client/rtsp/headers.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import { ntpFromUnixMs } from '../../shared/rtcp-writer.js';
import { parseRtpPacket, serializeRtpPacket } from '../../shared/rtp-packet.js';
import type { RtspRequest } from '../../shared/rtsp-message.js';
import { serializeInterleaved } from '../../shared/rtsp-message.js';
import type { H264Clip } from './h264-clip.js';
import {
  clipDescription,
  type ScriptedCamera,
  type ScriptedConnection,
  startScriptedCamera,
} from './scripted-camera.js';

/** A recorder that replays by ONVIF's rules (Streaming Specification, section 6): times of the day, and of each frame. */
export interface Recording {
  clip: H264Clip;
  /** UTC of the first frame, milliseconds since 1970. */
  startsAt: number;
  /** Nothing was recorded before this frame for so long. */
  gap?: { beforeFrame: number; milliseconds: number };
  /** Whether the session description says from when to when; a recorder may leave that to its web service. */
  saysRange?: boolean;
  /** Answers 551 to the requirement that it meets (gst-rtsp-server). */
  deniesReplay?: boolean;
}

const CLEAN_POINT = 0x80;
const END_OF_SECTION = 0x40;
const DISCONTINUITY = 0x20;
const TERMINAL = 0x10;
const NAL_TYPE_IDR = 5;
const REPLAY_EXTENSION = 0xabac;

/** UTC of a frame, milliseconds since 1970. */
export function takenAt({ clip, startsAt, gap }: Recording, frame: number): number {
  const pause = gap !== undefined && frame >= gap.beforeFrame ? gap.milliseconds : 0;
  return startsAt + pause + (frame * 1_000) / clip.frameRate;
}

export async function startReplayCamera(recording: Recording): Promise<ScriptedCamera> {
  const { clip, deniesReplay = false, saysRange = true } = recording;
  const frames = clip.accessUnits;
  const isKeyFrame = (frame: number) => frames[frame]?.some(([first = 0]) => (first & 0x1f) === NAL_TYPE_IDR) ?? false;
  const range = formatRange({ unit: 'clock', start: recording.startsAt, end: takenAt(recording, frames.length) });
  const sdp = clipDescription(clip).replace(
    'a=control:*',
    saysRange ? `a=control:*\r\na=range:${range}` : 'a=control:*',
  );
  const players = new Map<ScriptedConnection, () => void>();

  /** What lacks the requirement, or has it where it is denied, is refused. */
  function isRefused(request: RtspRequest, connection: ScriptedConnection): boolean {
    const requires = request.headers.get('Require') === 'onvif-replay';
    if (requires !== deniesReplay) return false;
    connection.reply(request, { status: deniesReplay ? 551 : 400, headers: { Unsupported: 'onvif-replay' } });
    return true;
  }

  function stop(connection: ScriptedConnection): void {
    players.get(connection)?.();
    players.delete(connection);
  }

  /** From the key frame at or before a time on, in the pace of its taking. */
  function play(request: RtspRequest, connection: ScriptedConnection): void {
    stop(connection);
    const asked = parseRange(request.headers.get('Range') ?? '');
    const from = asked?.unit === 'clock' ? asked.start : null;
    const to = (asked?.unit === 'clock' ? asked.end : null) ?? Number.POSITIVE_INFINITY;
    let frame = 0;
    if (from === null) frame = positions.get(connection) ?? 0;
    else for (let i = 0; i < frames.length && takenAt(recording, i) <= from + 1; i++) if (isKeyFrame(i)) frame = i;
    const base = (Math.random() * 2 ** 32) >>> 0;
    const first = frame;
    const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 7, sequenceNumber: 500 });
    connection.reply(request, {
      headers: {
        Range: formatRange({ unit: 'clock', start: takenAt(recording, frame), end: null }),
        'RTP-Info': `url=${request.url.replace(/\/$/, '')}/trackID=0;seq=500;rtptime=${base}`,
      },
    });
    const timer = setInterval(() => {
      const utc = takenAt(recording, frame);
      if (frame >= frames.length || utc > to) {
        stop(connection);
        return;
      }
      const isBehindGap = recording.gap?.beforeFrame === frame;
      const flags =
        (isKeyFrame(frame) ? CLEAN_POINT : 0) |
        (isBehindGap ? DISCONTINUITY : 0) |
        (recording.gap?.beforeFrame === frame + 1 || frame === frames.length - 1 ? END_OF_SECTION : 0) |
        (frame === frames.length - 1 ? TERMINAL : 0);
      // RTP time knows nothing of gaps (section 6.3.1).
      const timestamp = (base + (frame - first) * (90_000 / clip.frameRate)) >>> 0;
      for (const [index, bytes] of packetizer.packetize([...(frames[frame] ?? [])], timestamp).entries()) {
        connection.send(serializeInterleaved(0, index === 0 ? withExtension(bytes, utc, flags) : bytes));
      }
      positions.set(connection, ++frame);
    }, 1_000 / clip.frameRate);
    connection.socket.once('close', () => stop(connection));
    players.set(connection, () => clearInterval(timer));
  }

  const positions = new Map<ScriptedConnection, number>();
  return startScriptedCamera({
    sdp,
    on: {
      DESCRIBE: (request, connection) => isRefused(request, connection) || connection.answer(request),
      SETUP: (request, connection) => isRefused(request, connection) || connection.answer(request),
      PLAY: (request, connection) => isRefused(request, connection) || play(request, connection),
      PAUSE: (request, connection) => {
        stop(connection);
        connection.reply(request, {});
      },
    },
  });
}

function withExtension(bytes: Uint8Array, utc: number, flags: number): Uint8Array {
  const packet = parseRtpPacket(bytes);
  if (packet === null) throw new Error('The packetizer made no packet.');
  const data = new Uint8Array(12);
  const view = new DataView(data.buffer);
  const { seconds, fraction } = ntpFromUnixMs(utc);
  view.setUint32(0, seconds);
  view.setUint32(4, fraction);
  view.setUint8(8, flags);
  return serializeRtpPacket({ ...packet, extension: { profile: REPLAY_EXTENSION, data } });
}
