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

/**
 * Lets each work in turn, round after round, so that a busy machine is no one's disadvantage, and takes the medians. The
 * first rounds, in which the code is being compiled, do not count.
 */
export async function measureAlternately(
  contenders: readonly Contender[],
  byteLength: number,
  rounds: number,
): Promise<Speed[]> {
  const speeds = contenders.map((): number[] => []);
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      globalThis.gc?.();
      const started = performance.now();
      await contender.run();
      const seconds = (performance.now() - started) / 1_000;
      if (round >= 0) speeds[index]?.push(byteLength / 1e6 / seconds);
    }
  }
  return contenders.map(({ name }, index) => ({ name, megabytesPerSecond: median(speeds[index] ?? []) }));
}

const WARM_UP_ROUNDS = 3;

/** How many times as fast the first is as the other. */
export function ratio(speeds: readonly Speed[], name: string, other: string): number {
  const speedOf = (wanted: string) => speeds.find((speed) => speed.name === wanted)?.megabytesPerSecond ?? Number.NaN;
  return speedOf(name) / speedOf(other);
}
