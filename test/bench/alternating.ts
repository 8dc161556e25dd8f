import { median } from './statistics.js';

/** Work on the same bytes, to be compared. */
export interface Contender {
  readonly name: string;
  /** Works through all the bytes once. */
  run(): void | Promise<void>;
}

export interface Speed {
  readonly name: string;
  readonly megabytesPerSecond: number;
}

/** Turns that do not count: the code is being compiled. */
const WARM_UP_TURNS = 3;
/** Times that each works through the bytes before it is the next one's turn. */
const PASSES = 5;

/**
 * Lets each work in turn, so that a busy machine is no one's disadvantage, and takes the medians. The first pass of a turn
 * does not count either: what the one before has left behind is cleared away in it.
 */
export async function measureAlternately(
  contenders: readonly Contender[],
  byteLength: number,
  turns: number,
): Promise<Speed[]> {
  const speeds = contenders.map((): number[] => []);
  for (let turn = -WARM_UP_TURNS; turn < turns; turn++) {
    for (const [index, contender] of contenders.entries()) {
      for (let pass = 0; pass < PASSES; pass++) {
        const started = performance.now();
        await contender.run();
        const seconds = (performance.now() - started) / 1_000;
        if (turn >= 0 && pass > 0) speeds[index]?.push(byteLength / 1e6 / seconds);
      }
    }
  }
  return contenders.map(({ name }, index) => ({ name, megabytesPerSecond: median(speeds[index] ?? []) }));
}

/** How many times as fast the first is as the other. */
export function ratio(speeds: readonly Speed[], name: string, other: string): number {
  const speedOf = (wanted: string) => speeds.find((speed) => speed.name === wanted)?.megabytesPerSecond ?? Number.NaN;
  return speedOf(name) / speedOf(other);
}
