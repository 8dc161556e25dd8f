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
