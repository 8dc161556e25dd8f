import { seededRandom } from '../bench/statistics.js';
import type { Chunking } from './play.js';

/** Choices that are the same for the same seed. */
export class Random {
  readonly #next: () => number;

  /** @param seed - any integer */
  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** A whole number from 0 up to below `count`. */
  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** A whole number from 1 to `most`, small ones more often. */
  few(most: number): number {
    return 1 + Math.floor(this.#next() ** 3 * most);
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('There is nothing to choose from.');
    return item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

/** A manner of splitting: everything at once, byte by byte, small chunks, or what networks do. */
export function randomChunking(random: Random): Chunking {
  switch (random.below(5)) {
    case 0:
      return (bytesLeft) => bytesLeft;
    case 1:
      // All of a large case byte by byte would say no more.
      return (bytesLeft) => (bytesLeft > 6_000 ? 6_000 : 1);
    case 2:
      return (bytesLeft) => 1 + random.below(bytesLeft > 6_000 ? 500 : 16);
    case 3:
      return () => random.few(5_000);
    default:
      return () => 1_448;
  }
}
