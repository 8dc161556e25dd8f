import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Receiver } from '../../../client/player/receiver.js';
import { loadRtcpReader } from '../../../client/player/track-receiver.js';
import type { ByteTransport, ByteTransportHandlers } from '../../../client/transport/byte-transport.js';
import { TcpTransport } from '../../../client/transport/tcp.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { serializeSenderReport } from '../../../shared/rtcp-writer.js';
import { serializeRtpPacket } from '../../../shared/rtp-packet.js';
import { serializeInterleaved } from '../../../shared/rtsp-message.js';
import { ManualClock } from '../../proxy/manual-clock.js';
import { h264Clip } from '../../support/h264-clip.js';
import { clipDescription, startScriptedCamera } from '../../support/scripted-camera.js';

const HOURS = 1;
const FRAME_MS = 40;
const REPORT_MS = 5_000;
/** The camera's crystal: 200 millionths fast. */
const DRIFT = 1.0002;
/** From the camera to here, of media and reports alike. */
const NETWORK_MS = 3_000;
/** Frames between the newest one and the one on screen. */
const BUFFERED_FRAMES = 12;
const START_UTC = 1_770_000_000_000;
const PCMU_RATE = 8_000;
const GROUP = 25;

/** TCP for the requests; the media come from the test, at the time of its clock. */
class OpenTransport implements ByteTransport {
  readonly #tcp: TcpTransport;
  deliver: (bytes: Uint8Array) => void = () => {};

  constructor(port: number) {
    this.#tcp = new TcpTransport({ scheme: 'rtsp', host: '127.0.0.1', port });
  }

  open(handlers: ByteTransportHandlers, signal?: AbortSignal): Promise<void> {
    this.deliver = (bytes) => handlers.onData(bytes);
    return this.#tcp.open(handlers, signal);
  }

  send(bytes: Uint8Array): void {
    this.#tcp.send(bytes);
  }

  close(): void {
    this.#tcp.close();
  }
}

test('an hour of a camera with a fast RTP clock, far away: when the frame on screen was taken', {
  timeout: 60_000,
}, async (t) => {
  const clip = await h264Clip({ size: '64x36' });
  const camera = await startScriptedCamera({
    sdp: `${clipDescription(clip)}m=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n`,
    on: { PLAY: (request, connection) => connection.reply(request, {}) },
  });
  t.after(() => camera.stop());
  const clock = new ManualClock();
  const transport = new OpenTransport(camera.port);
  const times: number[] = [];
  const receiver = new Receiver(
    { transport, url: camera.url(), clock },
    {
      onTracks: () => {},
      onAccessUnit: ({ kind }, _unit, time) => {
        if (kind === 'video') times.push(time);
      },
      onEnd: () => {},
      onClose: (error) => assert.fail(error ?? 'closed'),
    },
  );
  t.after(() => receiver.close());
  // Else it would be loaded with the first report, for which nothing here waits.
  await loadRtcpReader();
  await receiver.start();

  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 65_000 });
  const ticks = (takenMs: number, clockRate: number) =>
    (0xf000_0000 + Math.round((takenMs * DRIFT * clockRate) / 1_000)) >>> 0;
  const sound = (takenMs: number, sequenceNumber: number) =>
    serializeRtpPacket({
      ...{ payloadType: 0, marker: false, sequenceNumber: sequenceNumber & 0xffff, ssrc: 2 },
      ...{ timestamp: ticks(takenMs, PCMU_RATE), payload: new Uint8Array((PCMU_RATE * FRAME_MS) / 1_000) },
    });
  const report = (takenMs: number, ssrc: number, clockRate: number) =>
    serializeSenderReport({
      ...{ ssrc, ntpTime: START_UTC + takenMs, rtpTimestamp: ticks(takenMs, clockRate) },
      ...{ packetCount: 0, octetCount: 0 },
    });

  let largestErrorMs = 0;
  let dated = 0;
  const frames = (HOURS * 3_600_000) / FRAME_MS;
  for (let frame = 0; frame < frames; frame++) {
    const takenMs = frame * FRAME_MS;
    clock.set(takenMs + NETWORK_MS);
    for (const packet of packetizer.packetize(clip.accessUnits[frame % GROUP] ?? [], ticks(takenMs, 90_000)))
      transport.deliver(serializeInterleaved(0, packet));
    transport.deliver(serializeInterleaved(2, sound(takenMs, frame)));
    if (takenMs % REPORT_MS === 1_000) {
      transport.deliver(serializeInterleaved(1, report(takenMs, 1, 90_000)));
      transport.deliver(serializeInterleaved(3, report(takenMs, 2, PCMU_RATE)));
    }
    const shown = frame - BUFFERED_FRAMES;
    const utc = shown < 0 ? null : receiver.utcAt(times[shown] ?? Number.NaN);
    if (utc === null) continue;
    dated++;
    largestErrorMs = Math.max(largestErrorMs, Math.abs(utc - (START_UTC + shown * FRAME_MS)));
  }
  assert.equal(times.length, frames);
  assert.equal(dated, frames - Math.max(BUFFERED_FRAMES, 1_000 / FRAME_MS));
  assert.ok(largestErrorMs <= 50, `${largestErrorMs} ms`);
  const drift = receiver.tracks[0]?.stats().clockDrift ?? 0;
  assert.ok(Math.abs(drift - (DRIFT - 1)) < 0.000_001, `${drift}`);
});
