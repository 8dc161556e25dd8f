import type { Random } from './random.js';

/** Bytes, whatever they mean → other bytes. */

/** Bytes that mean something somewhere. */
const telling = [0x00, 0xff, 0x80, 0x7f, 0x24, 0x0d, 0x0a, 0x20, 0x3a, 0x01, 0xfe, 0x40, 0xc0];

export function garbled(bytes: Uint8Array, random: Random): Uint8Array {
  const { length } = bytes;
  // Most of what is decided is decided by the first bytes.
  const at = random.chance(0.6) ? random.below(Math.min(length, 24)) : random.below(length);
  const count = Math.min(length - at, random.few(60));
  switch (random.below(7)) {
    case 0: {
      const changed = bytes.slice();
      for (let left = random.few(8); left > 0 && length > 0; left--) {
        const place = random.chance(0.5) ? at : random.below(length);
        changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8));
      }
      return changed;
    }
    case 1: {
      const changed = bytes.slice();
      if (length > 0) changed[at] = random.chance(0.7) ? random.pick(telling) : random.below(256);
      return changed;
    }
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(at + count));
    case 3:
      return joined(bytes.subarray(0, at), random.bytes(random.few(200)), bytes.subarray(at));
    case 4: {
      const piece = bytes.subarray(at, at + count);
      const times = random.chance(0.1) ? random.few(20_000) : random.few(30);
      const repeated = Array.from({ length: Math.min(times, Math.ceil(60_000 / (count + 1))) }, () => piece);
      return joined(bytes.subarray(0, at), ...repeated, bytes.subarray(at));
    }
    case 5:
      return bytes.subarray(0, at);
    default: {
      const changed = bytes.slice();
      changed.fill(random.pick(telling), at, at + count);
      return changed;
    }
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
