/**
 * How far behind the camera the picture may be, and what that buys:
 * - `low`: as soon as it is there. Frames that the network delays are shown late rather than making all others wait.
 * - `balanced`: even motion on an ordinary network, sound in step with the picture.
 * - `smooth`: even motion on a bad network.
 * - a number: this many milliseconds after the earliest moment at which a frame could be shown.
 */
export type Latency = 'low' | 'balanced' | 'smooth' | number;

/** The numbers behind a {@link Latency}. Times in seconds. */
export interface LatencyPolicy {
  /** Share of the frames that are to arrive before they are due, by what was measured lately. */
  readonly onTime: number;
  /** Added to the delay that `onTime` asks for. */
  readonly margin: number;
  /** The measured jitter makes the delay no longer than this. */
  readonly maxJitterDelay: number;
  /** Whether the sound waits for nothing but its own buffer, so that the picture need not wait for the sound. */
  readonly soundFollows: boolean;
  /**
   * How the browser is to draw: `cadence` holds each frame for a fixed number of refreshes, for even motion; `newest`
   * shows whatever frame is due, at once. See LiveEdge for how it is brought to that.
   */
  readonly drawing: 'cadence' | 'newest';
  /** How much sound is ahead of the playhead when the next unit comes: the least, whatever the units' length. */
  readonly audioLead: number;
}

const policies = {
  low: { onTime: 0.9, margin: 0, maxJitterDelay: 0.25, soundFollows: true, drawing: 'newest', audioLead: 0.134 },
  balanced: {
    onTime: 0.98,
    margin: 0.06,
    maxJitterDelay: 0.5,
    soundFollows: false,
    drawing: 'cadence',
    audioLead: 0.18,
  },
  smooth: { onTime: 0.998, margin: 0.25, maxJitterDelay: 2, soundFollows: false, drawing: 'cadence', audioLead: 0.38 },
} as const satisfies Record<string, LatencyPolicy>;

/** The policy of a setting; a number of milliseconds is kept exactly, whatever the network does. */
export function latencyPolicy(latency: Latency): LatencyPolicy {
  if (typeof latency !== 'number') return policies[latency];
  const seconds = latency / 1000;
  const isShort = seconds < policies.balanced.audioLead;
  return {
    onTime: 0,
    margin: seconds,
    maxJitterDelay: 0,
    soundFollows: isShort,
    drawing: isShort ? 'newest' : 'cadence',
    audioLead: Math.max(seconds, policies.low.audioLead),
  };
}
