import { type FuzzCase, type Step, sizeOf } from './fuzz-case.js';
import { joinWire, splitWire } from './wire-units.js';

/** Tries of one case at most, and how long they may take together. */
const MAX_TRIES = 400;
const MAX_MINIMISING_MS = 20_000;

/**
 * A case that fails → a smaller one that fails in the same way: without the steps, messages and packets that it takes no
 * part of, and without its end.
 * @param fails - whether a case fails in that way
 */
export async function minimise(testCase: FuzzCase, fails: (smaller: FuzzCase) => Promise<boolean>): Promise<FuzzCase> {
  const deadline = performance.now() + MAX_MINIMISING_MS;
  let tries = 0;
  let best = testCase;
  const attempt = async (steps: readonly Step[]): Promise<boolean> => {
    const smaller = { ...best, steps };
    if (sizeOf(smaller) === sizeOf(best) && steps.length === best.steps.length) return false;
    if (++tries > MAX_TRIES || performance.now() > deadline || !(await fails(smaller))) return false;
    best = smaller;
    return true;
  };
  for (let before = Number.POSITIVE_INFINITY; sizeOf(best) + best.steps.length < before; ) {
    before = sizeOf(best) + best.steps.length;
    await withoutSteps(() => best.steps, attempt);
    for (let index = best.steps.length - 1; index >= 0; index--) {
      await withoutPieces(index, () => best.steps, attempt);
    }
  }
  return best;
}

type Attempt = (steps: readonly Step[]) => Promise<boolean>;

/** First all from one on, then each by itself. */
async function withoutSteps(steps: () => readonly Step[], attempt: Attempt): Promise<void> {
  for (let cut = steps().length >> 1; cut > 0; cut >>= 1) {
    while (await attempt(steps().slice(0, -cut)));
  }
  for (let index = steps().length - 1; index >= 0; index--) {
    await attempt(steps().filter((_, other) => other !== index));
  }
}

async function withoutPieces(index: number, steps: () => readonly Step[], attempt: Attempt): Promise<void> {
  const withBytes = (bytes: Uint8Array) => steps().map((step, other) => (other === index ? { ...step, bytes } : step));
  const bytesNow = () => steps()[index]?.bytes ?? new Uint8Array();
  for (let cut = bytesNow().length; cut > 0; cut >>= 1) {
    while (bytesNow().length >= cut && (await attempt(withBytes(bytesNow().subarray(0, bytesNow().length - cut)))));
  }
  for (let count = splitWire(bytesNow()).length, size = count; size > 0; size >>= 1) {
    for (let first = splitWire(bytesNow()).length - size; first >= 0; first -= size) {
      const units = splitWire(bytesNow());
      units.splice(first, size);
      await attempt(withBytes(joinWire(units)));
    }
  }
}
