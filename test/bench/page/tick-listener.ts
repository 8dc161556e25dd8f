/** Hears the camera's ticks in what a `<video>` plays, without standing between the video and its own output. */

const TICK_LEVEL = 0.04;
const SILENCE_MS = 300;

/** A part of Chromium that TypeScript's library does not know. */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack });
  readonly readable: ReadableStream<AudioData>;
}
declare interface AudioData {
  /** Microseconds of a clock that is not performance.now(). */
  readonly timestamp: number;
  readonly numberOfFrames: number;
  readonly sampleRate: number;
  copyTo(target: Float32Array, options: { planeIndex: number; format: 'f32-planar' }): void;
  close(): void;
}

const CALIBRATION_S = 5;

/**
 * How much later a sound is heard, by the media element's clock, than it is given to the audio output, ms. Chromium keeps
 * the picture in step with what is heard. Measured with a clip made here, whose ticks are at its whole seconds.
 */
export async function measureOutputDelay(): Promise<number> {
  const video = document.createElement('video');
  video.src = URL.createObjectURL(new Blob([tickingWave()], { type: 'audio/wav' }));
  await video.play();
  const delays: number[] = [];
  listenForTicks(video, 0, (ms) => {
    const clockMs = video.currentTime * 1000 - (performance.now() - ms);
    delays.push(Math.round(clockMs / 1000) * 1000 - clockMs);
  });
  await new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
  URL.revokeObjectURL(video.src);
  delays.sort((a, b) => a - b);
  return delays[delays.length >> 1] ?? Number.NaN;
}

/** A WAVE file (RIFF, 16-bit PCM, stereo, 48 kHz) with 20 ms of a tone at each whole second. */
function tickingWave(): ArrayBuffer {
  const rate = 48_000;
  const dataBytes = rate * CALIBRATION_S * 4;
  const view = new DataView(new ArrayBuffer(44 + dataBytes));
  const text = (offset: number, word: string) => {
    for (let i = 0; i < word.length; i++) view.setUint8(offset + i, word.charCodeAt(i));
  };
  text(0, 'RIFF');
  view.setUint32(4, 36 + dataBytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 4, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, dataBytes, true);
  for (let second = 1; second < CALIBRATION_S; second++) {
    for (let i = 0; i < rate / 50; i++) {
      const value = Math.round(10_000 * Math.cos((2 * Math.PI * 440 * i) / rate));
      const offset = 44 + (second * rate + i) * 4;
      view.setInt16(offset, value, true);
      view.setInt16(offset + 2, value, true);
    }
  }
  return view.buffer;
}

/**
 * Reports the wall-clock time at which each tick's first sample was given to the audio output.
 * @param offset - wall-clock time minus performance.now()
 */
export function listenForTicks(video: HTMLVideoElement, offset: number, onTick: (ms: number) => void): void {
  const stream = (video as HTMLVideoElement & { captureStream(): MediaStream }).captureStream();
  const heard = new Set<MediaStreamTrack>();
  const adopt = () => {
    // Copying pictures nobody looks at would cost what is being measured.
    for (const track of stream.getVideoTracks()) track.stop();
    for (const track of stream.getAudioTracks()) {
      if (heard.has(track)) continue;
      heard.add(track);
      void listen(track, offset, onTick);
    }
  };
  stream.addEventListener('addtrack', adopt);
  adopt();
}

async function listen(track: MediaStreamTrack, offset: number, onTick: (ms: number) => void): Promise<void> {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  // The block that came through quickest tells how the two clocks lie.
  let quickest = Number.POSITIVE_INFINITY;
  let lastLoud = Number.NEGATIVE_INFINITY;
  let samples = new Float32Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const startMs = value.timestamp / 1000;
    quickest = Math.min(quickest, performance.now() - startMs);
    const { numberOfFrames, sampleRate } = value;
    if (samples.length < numberOfFrames) samples = new Float32Array(numberOfFrames);
    value.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
    value.close();
    for (let i = 0; i < numberOfFrames; i++) {
      if (Math.abs(samples[i] ?? 0) < TICK_LEVEL) continue;
      const loudMs = startMs + (i / sampleRate) * 1000;
      if (loudMs - lastLoud > SILENCE_MS) onTick(loudMs + quickest + offset);
      lastLoud = loudMs;
    }
  }
}
