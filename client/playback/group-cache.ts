import type { AccessUnit } from '../codec/access-unit.js';
import { LeadingPictures } from '../codec/leading-pictures.js';

/** Bytes that are kept at most: some seconds of the richest camera. */
const MAX_BYTES = 16 * 1_048_576;
/** Frames that are kept at most: another presentation has to decode them all before it shows the newest. */
const MAX_FRAMES = 300;

/** Keeps the current group of pictures, so that another presentation can begin in its middle. */
export class GroupCache {
  #frames: { unit: AccessUnit; time: number }[] = [];
  #bytes = 0;
  #complete = false;
  readonly #leading = new LeadingPictures();

  /** @param time - presentation time, seconds */
  add(unit: AccessUnit, time: number): void {
    if (unit.isKeyFrame) {
      this.clear();
      this.#complete = true;
      this.#leading.startAt(time);
    }
    if (!this.#complete || this.#leading.has(time)) return;
    this.#frames.push({ unit, time });
    this.#bytes += unit.byteLength;
    // A group as long as this is not worth the memory: a new presentation waits for the next key frame then.
    if (this.#bytes > MAX_BYTES || this.#frames.length > MAX_FRAMES) this.clear();
  }

  /** From the last key frame on; empty when the group was too long to be kept. */
  get frames(): readonly { readonly unit: AccessUnit; readonly time: number }[] {
    return this.#frames;
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#complete = false;
  }
}
