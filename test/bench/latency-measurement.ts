import type { GStreamerFrame } from './gstreamer-client.js';
import type { Recording, SampleRecord } from './page/recorder.js';
import { median, quantile } from './statistics.js';

/** What was seen of one player in one run. Milliseconds, and counts per minute. */
export interface Measurement {
  /** From capture to the moment when the frame is handed to the screen. */
  p50: number;
  p95: number;
  max: number;
  /** From capture to the refresh that makes it visible; null for the floor, which has no screen. */
  visibleP50: number | null;
  visibleP95: number | null;
  /** `waiting` events. */
  waiting: number;
  /** Those that no stall of the network explains. */
  waitingBeyondStalls: number;
  dropped: number;
  /** Frames that the camera made and the page was not shown. */
  notShown: number;
  /** Longest time between two frames that came on screen. */
  longestGap: number;
  /** Gaps of more than three frame intervals. */
  freezes: number;
  /** How long the sound of a moment comes after the picture of that moment; null without sound. */
  soundBehind: number | null;
  /** From the end of each of the network's stalls to the usual latency. */
  recoveries: number[];
  frames: number;
}

export interface Window {
  skipSeconds: number;
  seconds: number;
}

interface ShownFrame {
  captureMs: number;
  shownMs: number;
}

const FRAME_MS = 40;

export function measureFloor(
  frames: readonly GStreamerFrame[],
  window: Window,
  stallEnds: readonly number[],
): Measurement {
  const shown = frames.map(({ captureMs, arrivalMs }) => ({ captureMs, shownMs: arrivalMs }));
  const range = windowOf(shown, window);
  return {
    ...measureFrames(shown, range, stallEnds),
    visibleP50: null,
    visibleP95: null,
    waiting: 0,
    waitingBeyondStalls: 0,
    dropped: 0,
    soundBehind: null,
  };
}

/** @param tickPhaseMs - wall-clock time, modulo a second, of the camera's ticks */
export function measureRecording(
  recording: Recording,
  window: Window,
  stallEnds: readonly number[],
  tickPhaseMs: number | null,
): Measurement {
  const shown = recording.frames.map(({ captureMs, presentedMs }) => ({ captureMs, shownMs: presentedMs }));
  const range = windowOf(shown, window);
  const visible = recording.frames
    .filter(({ presentedMs }) => isIn(presentedMs, range))
    .map(({ captureMs, displayMs }) => displayMs - captureMs);
  const perMinute = 60_000 / (range.to - range.from);
  const waiting = recording.events.filter(({ type, ms }) => type === 'waiting' && isIn(ms, range)).map(({ ms }) => ms);
  const basics = measureFrames(shown, range, stallEnds);
  return {
    ...basics,
    visibleP50: median(visible),
    visibleP95: quantile(visible, 0.95),
    waiting: waiting.length * perMinute,
    waitingBeyondStalls: waiting.filter((ms) => !stallEnds.some((end) => isInStall(ms, end))).length * perMinute,
    dropped: droppedFrames(recording.samples, range) * perMinute,
    soundBehind: tickPhaseMs === null ? null : soundBehind(recording, tickPhaseMs),
  };
}

interface Range {
  from: number;
  to: number;
}

function windowOf(shown: readonly ShownFrame[], { skipSeconds, seconds }: Window): Range {
  const first = shown[0]?.shownMs ?? 0;
  const from = first + skipSeconds * 1000;
  return { from, to: from + seconds * 1000 };
}

function isIn(ms: number, { from, to }: Range): boolean {
  return ms >= from && ms < to;
}

function measureFrames(shown: readonly ShownFrame[], range: Range, stallEnds: readonly number[]) {
  const frames = shown.filter(({ shownMs }) => isIn(shownMs, range));
  const perMinute = 60_000 / (range.to - range.from);
  const latencies = frames.map(({ captureMs, shownMs }) => shownMs - captureMs);
  // From the frame before the window to the one after it, or a picture that stood still would not count.
  const times = [range.from, ...frames.map(({ shownMs }) => shownMs), range.to];
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
  const firstCapture = frames[0]?.captureMs ?? 0;
  const lastCapture = frames.at(-1)?.captureMs ?? 0;
  const made = frames.length === 0 ? 0 : Math.round((lastCapture - firstCapture) / FRAME_MS) + 1;
  const distinct = new Set(frames.map(({ captureMs }) => captureMs)).size;
  return {
    p50: median(latencies),
    p95: quantile(latencies, 0.95),
    max: quantile(latencies, 1),
    notShown: Math.max(0, made - distinct) * perMinute,
    longestGap: quantile(gaps, 1),
    freezes: gaps.filter((gap) => gap > 3 * FRAME_MS).length * perMinute,
    recoveries: stallEnds.filter((ms) => isIn(ms, range)).map((ms) => recovery(frames, ms, quantile(latencies, 0.5))),
    frames: frames.length,
  };
}

/** From `endMs` until half a second of frames is as quick as usual, give or take a frame interval. */
function recovery(frames: readonly ShownFrame[], endMs: number, usual: number): number {
  const after = frames.filter(({ shownMs }) => shownMs >= endMs);
  for (const [i, frame] of after.entries()) {
    const half = after.slice(i).filter(({ shownMs }) => shownMs < frame.shownMs + 500);
    if (median(half.map(({ captureMs, shownMs }) => shownMs - captureMs)) <= usual + FRAME_MS)
      return frame.shownMs - endMs;
  }
  return Number.POSITIVE_INFINITY;
}

/** What a stall holds back is missed until it is through the browser. */
function isInStall(ms: number, endMs: number): boolean {
  return ms >= endMs - 400 && ms < endMs + 500;
}

function droppedFrames(samples: readonly SampleRecord[], range: Range): number {
  let dropped = 0;
  let last: SampleRecord | null = null;
  for (const sample of samples) {
    if (!isIn(sample.ms, range)) continue;
    // A new video counts from 0.
    const base = last?.video === sample.video ? last.droppedFrames : last === null ? sample.droppedFrames : 0;
    dropped += sample.droppedFrames - base;
    last = sample;
  }
  return dropped;
}

/** The ticks are compared with the pictures of the same stretch of time. */
function soundBehind({ ticks: played, frames, outputDelayMs }: Recording, phaseMs: number): number {
  const ticks = played.map((ms) => ms + (outputDelayMs ?? 0));
  const from = ticks[0] ?? Number.POSITIVE_INFINITY;
  const pictures = frames.filter(({ presentedMs }) => presentedMs >= from);
  const pictureDelay = median(pictures.map(({ captureMs, presentedMs }) => presentedMs - captureMs));
  const behind = ticks.map((ms) => {
    // A tick a second: of the moments that it can be of, the one that puts it from 300 ms before the picture to 700 after.
    const earliest = pictureDelay - 300;
    return earliest + ((((ms - phaseMs - earliest) % 1000) + 1000) % 1000) - pictureDelay;
  });
  return median(behind);
}
