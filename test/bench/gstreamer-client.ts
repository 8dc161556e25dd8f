import { fileURLToPath } from 'node:url';
import { startLineProcess } from '../support/child-process.js';

/** GStreamer's own client (rtspsrc latency=0 over TCP, decoding): the floor of every comparison. */
export interface GStreamerClient {
  /** Milliseconds from starting its pipeline to its first decoded frame. */
  readonly firstFrameMs: Promise<number>;
  /** Wall-clock times, in ms, at which the camera made the ticks that were heard so far. */
  readonly ticks: readonly number[];
  /** Ends it and gives every frame that it decoded: when it was made and when it came out, wall-clock ms. */
  stop(): Promise<GStreamerFrame[]>;
}

export interface GStreamerFrame {
  captureMs: number;
  arrivalMs: number;
}

const script = fileURLToPath(new URL('./gstreamer-client.py', import.meta.url));

type Line =
  | { event: 'first'; ms: number }
  | { event: 'tick'; ms: number }
  | { event: 'frames'; frames: [number | null, number][] };

/**
 * Starts it.
 * @param options.sound - also listens for the camera's ticks
 * @param options.pictures - false: the time in the pictures is read for the first seconds only, which costs less
 */
export function startGStreamerClient(
  url: string,
  options: { sound?: boolean; pictures?: boolean } = {},
): GStreamerClient {
  const configuration = { url, sound: options.sound ?? false, pictures: options.pictures ?? true };
  const child = startLineProcess('/usr/bin/python3', ['-B', script, JSON.stringify(configuration)]);
  const ticks: number[] = [];
  child.onLine((line) => {
    const message = JSON.parse(line) as Line;
    if (message.event === 'tick') ticks.push(message.ms);
  });
  const firstFrameMs = child.waitForLine((line) => {
    const message = JSON.parse(line) as Line;
    return message.event === 'first' ? message.ms : null;
  });
  firstFrameMs.catch(() => {});
  return {
    firstFrameMs,
    ticks,
    async stop() {
      child.signal('SIGTERM');
      const frames = await child.waitForLine((line) => {
        const message = JSON.parse(line) as Line;
        return message.event === 'frames' ? message.frames : null;
      });
      await child.stop();
      return frames.flatMap(([captureMs, arrivalMs]) => (captureMs === null ? [] : [{ captureMs, arrivalMs }]));
    },
  };
}
