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
  /** Sends at the pace of taking, whatever `Rate-Control` says. */
  keepsPace?: boolean;
  /** Plays forwards and says so, whatever `Scale` asks for. */
  onlyForwards?: boolean;
  /** Does as it is asked, but does not repeat `Scale`. */
  isSilentOnScale?: boolean;
}

/** What is sent in a millisecond without rate control. */
const BURST_FRAMES = 5;
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

  /** The frames that a PLAY asks for, in the order in which they are sent. */
  function framesOf(from: number, to: number, wanted: string, isReverse: boolean): number[] {
    const [kind = 'all', interval = '0'] = wanted.split('/');
    const keys = frames.map((_, frame) => frame).filter(isKeyFrame);
    const [low, high] = isReverse ? [to, from] : [from, to];
    const first = keys.filter((key) => takenAt(recording, key) <= low + 1).at(-1) ?? 0;
    const isInside = (frame: number) => frame >= first && takenAt(recording, frame) <= high + 1;
    if (kind !== 'intra') {
      const groups = keys.map((key, index) => {
        const end = keys[index + 1] ?? frames.length;
        return Array.from({ length: end - key }, (_, offset) => key + offset).filter(isInside);
      });
      return (isReverse ? groups.reverse() : groups).flat();
    }
    const chosen: number[] = [];
    for (const key of (isReverse ? keys.reverse() : keys).filter(isInside)) {
      const last = chosen.at(-1);
      const step = last === undefined ? Number.POSITIVE_INFINITY : takenAt(recording, key) - takenAt(recording, last);
      if (Math.abs(step) >= Number(interval)) chosen.push(key);
    }
    return chosen;
  }

  /** From the key frame at or before a time on: in the pace of its taking, or at once where there is no rate control. */
  function play(request: RtspRequest, connection: ScriptedConnection): void {
    stop(connection);
    const { headers } = request;
    const asked = parseRange(headers.get('Range') ?? '');
    const scale = recording.onlyForwards ? 1 : Number(headers.get('Scale') ?? '1');
    const isReverse = scale < 0;
    const isUnpaced = headers.get('Rate-Control') === 'no' && !recording.keepsPace;
    const isOpen = asked?.unit !== 'clock' || asked.end === null;
    const end = isReverse ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    const from =
      asked?.unit === 'clock' && asked.start !== null ? asked.start : takenAt(recording, positionOf(connection));
    const sent = framesOf(from, isOpen ? end : (asked.end ?? end), headers.get('Frames') ?? 'all', isReverse);
    const base = (Math.random() * 2 ** 32) >>> 0;
    const first = sent[0] ?? 0;
    const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 7, sequenceNumber: 500 });
    connection.reply(request, {
      headers: {
        ...(headers.get('Scale') === null || recording.isSilentOnScale ? {} : { Scale: scale.toFixed(1) }),
        Range: formatRange({ unit: 'clock', start: takenAt(recording, first), end: null }),
        'RTP-Info': `url=${request.url.replace(/\/$/, '')}/trackID=0;seq=500;rtptime=${base}`,
      },
    });
    let count = 0;
    const sendNext = () => {
      const frame = sent[count];
      if (frame === undefined) {
        stop(connection);
        return;
      }
      const before = sent[count - 1];
      const isBehindGap = recording.gap?.beforeFrame === frame && !isReverse;
      const isLast = isReverse ? count === sent.length - 1 && sent.includes(0) : frame === frames.length - 1;
      const flags =
        (isKeyFrame(frame) ? CLEAN_POINT : 0) |
        (isBehindGap || (before !== undefined && before !== frame - 1) ? DISCONTINUITY : 0) |
        (recording.gap?.beforeFrame === frame + 1 || frame === frames.length - 1 ? END_OF_SECTION : 0) |
        (isLast ? TERMINAL : 0);
      // RTP time knows nothing of gaps (section 6.3.1), nor of the order in which frames are sent.
      const timestamp = (base + (frame - first) * (90_000 / clip.frameRate)) >>> 0;
      for (const [index, bytes] of packetizer.packetize([...(frames[frame] ?? [])], timestamp).entries()) {
        connection.send(
          serializeInterleaved(0, index === 0 ? withExtension(bytes, takenAt(recording, frame), flags) : bytes),
        );
      }
      positions.set(connection, frame + 1);
      count++;
    };
    const timer = setInterval(
      () => {
        for (let index = 0; index < (isUnpaced ? BURST_FRAMES : 1); index++) sendNext();
      },
      isUnpaced ? 1 : 1_000 / clip.frameRate,
    );
    connection.socket.once('close', () => stop(connection));
    players.set(connection, () => clearInterval(timer));
  }

  const positionOf = (connection: ScriptedConnection) => positions.get(connection) ?? 0;
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
