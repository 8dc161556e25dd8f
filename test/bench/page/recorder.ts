import type { createVideoClockReader as CreateReader } from '../../support/picture-clock.mjs';
import type { Showing, ShowingModule, ShowingOptions } from './showing.js';
import { listenForTicks, measureOutputDelay } from './tick-listener.js';

/** Notes, for every frame that the browser presents, when the camera made it and when it came on screen. */

declare const pictureClock: { createVideoClockReader: typeof CreateReader };

/** All times are wall-clock milliseconds. */
export interface FrameRecord {
  captureMs: number;
  /** When the frame is to be visible: the next refresh after it was handed to the compositor. */
  displayMs: number;
  /** When it was handed to the compositor. */
  presentedMs: number;
  /** When the page heard of it. */
  callbackMs: number;
  mediaTime: number;
  /** Of the video since its start, shown to the page or not. */
  presentedFrames: number;
  /** Which of the page's videos, counted from 0. */
  video: number;
}

export interface EventRecord {
  type: string;
  ms: number;
  video: number;
}

export interface SampleRecord {
  ms: number;
  video: number;
  currentTime: number;
  playbackRate: number;
  /** Seconds from currentTime to the end of what is buffered. */
  buffered: number;
  totalFrames: number;
  droppedFrames: number;
  /** Decoded so far by this video. */
  audioBytes: number;
  stats: unknown;
}

export interface Recording {
  frames: FrameRecord[];
  /** Frames whose clock could not be read. */
  unreadable: number;
  events: EventRecord[];
  samples: SampleRecord[];
  /** When each tick's first sample was given to the audio output. */
  ticks: number[];
  /** How much later it is heard, ms; null before `listen` has ended. */
  outputDelayMs: number | null;
  /** When the picture was asked for. */
  startedMs: number;
}

const watchedEvents = ['waiting', 'stalled', 'seeking', 'error', 'emptied', 'pause', 'playing', 'ratechange'];
const SAMPLE_MS = 250;

let recording: Recording;
let showing: Showing;
let watched: HTMLVideoElement | null = null;
let videos = 0;
let offset = 0;
let listens = false;

/** Wall-clock time minus performance.now(), by the tick of the wall clock: performance.timeOrigin can be off by a bit. */
function wallClockOffset(): number {
  const offsets: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = Date.now();
    let now = start;
    while (now === start) now = Date.now();
    offsets.push(now - performance.now());
  }
  return Math.min(...offsets);
}

export async function record(module: ShowingModule, given: Omit<ShowingOptions, 'container'>): Promise<void> {
  offset = wallClockOffset();
  const container = document.createElement('div');
  container.style.cssText = 'width:640px;height:360px';
  document.body.style.margin = '0';
  document.body.append(container);
  const options = { ...given, container };
  await module.prepare?.(options);
  recording = {
    frames: [],
    unreadable: 0,
    events: [],
    samples: [],
    ticks: [],
    outputDelayMs: null,
    startedMs: performance.now() + offset,
  };
  showing = module.start(options);
  const readClock = pictureClock.createVideoClockReader();
  const follow = () => {
    const { video } = showing;
    if (video === null || video === watched) return;
    watched = video;
    const number = videos++;
    for (const type of watchedEvents) {
      video.addEventListener(type, () => {
        recording.events.push({ type, ms: performance.now() + offset, video: number });
      });
    }
    recording.events.push({ type: 'video', ms: performance.now() + offset, video: number });
    if (listens) listenForTicks(video, offset, (ms) => recording.ticks.push(ms));
    const onFrame = (_now: number, metadata: VideoFrameCallbackMetadata) => {
      if (watched !== video) return;
      const callbackMs = performance.now() + offset;
      video.requestVideoFrameCallback(onFrame);
      const captureMs = readClock(video);
      if (captureMs === null) {
        recording.unreadable++;
        return;
      }
      recording.frames.push({
        captureMs,
        displayMs: metadata.expectedDisplayTime + offset,
        presentedMs: metadata.presentationTime + offset,
        callbackMs,
        mediaTime: metadata.mediaTime,
        presentedFrames: metadata.presentedFrames,
        video: number,
      });
    };
    video.requestVideoFrameCallback(onFrame);
  };
  const sample = () => {
    follow();
    if (watched === null) return;
    const quality = watched.getVideoPlaybackQuality();
    const { buffered, currentTime } = watched;
    recording.samples.push({
      ms: performance.now() + offset,
      video: videos - 1,
      currentTime,
      playbackRate: watched.playbackRate,
      buffered: buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime,
      totalFrames: quality.totalVideoFrames,
      droppedFrames: quality.droppedVideoFrames,
      audioBytes:
        (watched as HTMLVideoElement & { webkitAudioDecodedByteCount?: number }).webkitAudioDecodedByteCount ?? 0,
      stats: showing.stats?.() ?? null,
    });
  };
  follow();
  setInterval(follow, 10);
  setInterval(sample, SAMPLE_MS);
}

export function setMuted(muted: boolean): void {
  showing.setMuted?.(muted);
}

/** Notes the camera's ticks for a while. Not before the picture was measured: tapping the sound disturbs the player. */
export async function listen(ms: number): Promise<void> {
  listens = true;
  if (watched !== null) listenForTicks(watched, offset, (tickMs) => recording.ticks.push(tickMs));
  await new Promise((resolve) => setTimeout(resolve, ms));
  recording.outputDelayMs = await measureOutputDelay();
}

export function takeRecording(): Recording {
  return recording;
}
