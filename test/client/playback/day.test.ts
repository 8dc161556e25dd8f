import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { VideoTrackConfig } from '../../../client/codec/track-config.js';
import { AacDepacketizer } from '../../../client/depacketizer/aac.js';
import { H264Depacketizer } from '../../../client/depacketizer/h264.js';
import { latencyPolicy } from '../../../client/playback/latency.js';
import { VideoFeed } from '../../../client/playback/video-feed.js';
import { loadRtcpReader, TrackReceiver } from '../../../client/player/track-receiver.js';
import { AacPacketizer } from '../../../shared/packetizer/aac.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { serializeSenderReport } from '../../../shared/rtcp-writer.js';
import { parseSessionDescription } from '../../../shared/session-description.js';
import { seededRandom } from '../../bench/statistics.js';
import { ManualClock } from '../../proxy/manual-clock.js';
import { h264Clip } from '../../support/h264-clip.js';
import { clipDescription } from '../../support/scripted-camera.js';
import { StrictSourceBuffer } from './strict-source-buffer.js';

/*
 * A day of a camera's stream, from RTP packets to a buffer that minds what Chromium minds, on a clock that is moved by hand:
 * what a shift at a wall of cameras brings, and what no real camera does on demand.
 */

const HOURS = 24;
const FRAME_RATE = 10;
const FRAME_MS = 1_000 / FRAME_RATE;
const GROUP = 20;
const QUOTA_BYTES = 1_000_000;
/** The camera's crystal: 200 millionths fast. */
const DRIFT = 1.0002;
const AUDIO_RATE = 16_000;
const AUDIO_UNIT_MS = (1_024 / AUDIO_RATE) * 1_000;
const REPORT_MS = 5_000;
const HOUR_MS = 3_600_000;

const [firstReset, clockStep, secondReset, wrongFrom, wrongTo] = [5, 8, 11, 15, 15.2].map(
  (hours) => hours * HOUR_MS,
) as [number, number, number, number, number];

/** A camera whose time is its own. */
class DriftingCamera {
  readonly #video = new H264Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 65_000 });
  readonly #audio = new AacPacketizer({ payloadType: 97, ssrc: 2, sequenceNumber: 65_500 });
  readonly #random = seededRandom(7);
  /** What RTP time was when it last began anew, and what of the day it was then. */
  #origin = { ms: 0, ticks: 0xf000_0000 };

  constructor(readonly accessUnits: readonly (readonly Uint8Array[])[]) {}

  beginAnew(ms: number): void {
    this.#origin = { ms, ticks: 0 };
  }

  frame(ms: number, number: number): Uint8Array[] {
    return this.#video.packetize(this.accessUnits[number % GROUP] ?? [], this.#ticks(ms, 90_000));
  }

  sound(ms: number): Uint8Array[] {
    return this.#audio.packetize(Uint8Array.of(0x21, 0x10, 4, 0x60, 0x8c, 0x1c), this.#ticks(ms, AUDIO_RATE));
  }

  /** By its own clock, which was an hour slow up to `clockStep`, and is wrong for some minutes in the afternoon. */
  report(ms: number, kind: 'video' | 'audio'): Uint8Array {
    const isWrong = ms >= wrongFrom && ms < wrongTo;
    return serializeSenderReport({
      ssrc: kind === 'video' ? 1 : 2,
      ntpTime: utcOf(ms) + (isWrong ? (this.#random() - 0.5) * 60_000 : 0),
      rtpTimestamp: this.#ticks(ms, kind === 'video' ? 90_000 : AUDIO_RATE),
      packetCount: 0,
      octetCount: 0,
    });
  }

  #ticks(ms: number, clockRate: number): number {
    return (this.#origin.ticks + Math.round(((ms - this.#origin.ms) * DRIFT * clockRate) / 1_000)) >>> 0;
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedMegabytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 1_048_576;
}

function utcOf(ms: number): number {
  return 1_770_000_000_000 + ms + (ms >= clockStep ? HOUR_MS : 0);
}

test('a day: wraps, resets, drift, a clock that is set, reports that are wrong', { timeout: 300_000 }, async () => {
  const clip = await h264Clip({ size: '64x36' });
  const camera = new DriftingCamera(clip.accessUnits.slice(0, GROUP));
  const sdp = `${clipDescription(clip)}m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\na=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408\r\n`;
  const { media } = parseSessionDescription(new TextEncoder().encode(sdp));
  const [videoMedia, audioMedia] = media;
  const [videoFormat, audioFormat] = [videoMedia?.formats[0], audioMedia?.formats[0]];
  assert.ok(videoMedia && audioMedia && videoFormat && audioFormat);
  const clock = new ManualClock();
  const random = seededRandom(11);
  const buffer = new StrictSourceBuffer(90_000, QUOTA_BYTES);
  const mediaSource = { addSourceBuffer: () => buffer } as unknown as MediaSource;

  let playhead = 0;
  let feed: VideoFeed | null = null;
  let config: VideoTrackConfig | null = null;
  let units = 0;
  let lastShown: number | null = null;
  let lastChangeMs = 0;
  let longestStall = { ms: 0, atHour: 0 };
  let largestDateError = { ms: 0, atHour: 0 };
  let backwards = 0;
  let anchored = 0;

  const handlers = {
    onAccessUnit: (track: TrackReceiver, unit: Parameters<VideoFeed['push']>[0], time: number) => {
      if (track.kind !== 'video') return;
      units++;
      if (unit.config?.kind === 'video') config = unit.config;
      if (config === null) return;
      feed ??= new VideoFeed(mediaSource, config, latencyPolicy('low'), {
        onError: (error) => assert.fail(error),
        onQuotaExceeded: () => feed?.keyFrameBefore(playhead) ?? 0,
      });
      const before = feed.end;
      feed.push(unit, config, time, clock.now() / 1_000, playhead, null);
      if (units > 1 && feed.end <= before) backwards++;
    },
    onExtension: () => {},
    onGoodbye: () => {},
    onFirstPacket: (track: TrackReceiver, ticks: number) => {
      anchored++;
      track.clock.anchor(ticks, null, clock.now() / 1_000);
    },
  };
  const video = new TrackReceiver(videoMedia, videoFormat, H264Depacketizer, clock, handlers);
  const audio = new TrackReceiver(audioMedia, audioFormat, AacDepacketizer, clock, handlers);
  video.reference = audio;

  /** What was taken at `ms` arrives now. */
  function look(ms: number): void {
    const shown = buffer.shownAt(playhead);
    if (shown !== lastShown) {
      lastShown = shown;
      lastChangeMs = ms;
    } else if (shown !== null && ms - lastChangeMs > longestStall.ms) {
      longestStall = { ms: ms - lastChangeMs, atHour: ms / HOUR_MS };
    }
    // Within a minute of a change of its clock, and while it is wrong, nothing can be said.
    const source = feed?.sourceAt(playhead) ?? null;
    const utc = source === null || !video.clock.isAnchored ? null : (video.clock.captureAt(source)?.utc ?? null);
    const isUnsettled = [0, firstReset, clockStep, secondReset].some((at) => ms >= at && ms < at + 60_000);
    if (utc === null || isUnsettled || (ms >= wrongFrom && ms < wrongTo + 60_000)) return;
    const error = Math.abs(utc - utcOf(ms));
    if (error > largestDateError.ms) largestDateError = { ms: error, atHour: ms / HOUR_MS };
  }

  // Else it would be loaded with the first report, for which nothing here waits.
  await loadRtcpReader();
  const heap: number[] = [];
  let nextSoundMs = 0;
  let nextReportMs = 1_000;
  for (let number = 0; number < (HOURS * HOUR_MS) / FRAME_MS; number++) {
    const ms = number * FRAME_MS;
    if (ms === firstReset || ms === secondReset) camera.beginAnew(ms);
    // The network takes up to 40 ms.
    const arrival = ms + random() * 40;
    const now = clock.now();
    playhead = Math.min(playhead + Math.max(0, arrival - now) / 1_000, buffer.end);
    // Without a promise a frame: nothing here waits for a timer.
    clock.set(Math.max(now, arrival));
    for (const packet of camera.frame(ms, number)) video.onRtp(packet);
    while (nextSoundMs <= ms) {
      for (const packet of camera.sound(nextSoundMs)) audio.onRtp(packet);
      nextSoundMs += AUDIO_UNIT_MS;
    }
    if (ms >= nextReportMs) {
      video.onRtcp(camera.report(ms, 'video'));
      audio.onRtcp(camera.report(ms, 'audio'));
      nextReportMs += REPORT_MS;
    }
    look(ms);
    if (number % (HOUR_MS / FRAME_MS) === 0) heap.push(usedMegabytes());
  }

  const told = JSON.stringify({
    units,
    longestStall,
    largestDateError,
    backwards,
    anchored,
    discarded: buffer.discarded,
    heap,
  });
  assert.ok(units > HOURS * 3_600 * FRAME_RATE * 0.999, told);
  assert.equal(video.stats().packetsLost, 0, told);
  assert.ok(longestStall.ms <= 1_000, told);
  assert.ok(largestDateError.ms <= FRAME_MS + 10, told);
  const drift = video.stats().clockDrift ?? 0;
  assert.ok(Math.abs(drift - (DRIFT - 1)) < 0.000_005, `${drift}`);
  assert.equal(backwards, 0, told);
  assert.equal(buffer.discarded, 0, told);
  assert.ok(buffer.maxByteLength < QUOTA_BYTES / 2, `${buffer.maxByteLength} bytes were buffered`);
  assert.equal(feed === null ? -1 : (feed as VideoFeed).droppedSamples, 0);
  const early = Math.min(...heap.slice(1, 6));
  const late = Math.min(...heap.slice(-5));
  assert.ok(late < early + 10, `the heap has grown from ${early} to ${late} MB`);
});
