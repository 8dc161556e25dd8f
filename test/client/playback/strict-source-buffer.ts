/** A sample as it lies in the buffer; times in seconds. */
interface Sample {
  readonly time: number;
  readonly byteLength: number;
  readonly isKeyFrame: boolean;
}

/** `moof` boxes have their fields at fixed places, as fmp4/fragment writes them. */
const TFDT_TIME_OFFSET = 8 + 16 + 8 + 16 + 12;
const TRUN_OFFSET = TFDT_TIME_OFFSET + 8;
const TRUN_OFFSETS_FLAG = 0x800;
const SYNC_SAMPLE = 0x0200_0000;

/**
 * A SourceBuffer for one video track in which no browser hides what it minds: it throws away what Chromium throws away, and
 * keeps a quota. Reads fragments of this project alone. Takes everything at once, without an `updateend`.
 */
export class StrictSourceBuffer extends EventTarget {
  readonly updating = false;
  readonly #timescale: number;
  readonly #quotaBytes: number;
  #samples: Sample[] = [];
  #byteLength = 0;
  /** Of the newest sample, seconds: where its decoding begins, and how long it was declared to last. */
  #decodeTime = Number.NaN;
  #duration = 0;
  #needsKeyFrame = true;
  /** Samples that a browser would have thrown away. */
  discarded = 0;
  /** The most that was ever in it. */
  maxByteLength = 0;

  constructor(timescale: number, quotaBytes: number) {
    super();
    this.#timescale = timescale;
    this.#quotaBytes = quotaBytes;
  }

  get buffered(): { length: number; start(index: number): number } {
    return { length: Math.min(1, this.#samples.length), start: () => this.#samples[0]?.time ?? 0 };
  }

  /** Up to where there is something to show, as the browser sees it: declared durations included. */
  get end(): number {
    return (this.#samples.at(-1)?.time ?? 0) + this.#duration;
  }

  /** Presentation time of the sample that is on screen at a time; null when there is none. */
  shownAt(playhead: number): number | null {
    return this.#samples.findLast(({ time }) => time <= playhead)?.time ?? null;
  }

  appendBuffer(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view.getUint32(4) !== 0x6d6f6f66) return; // moof; else an init segment
    if (this.#byteLength + bytes.length > this.#quotaBytes) {
      throw new DOMException('The buffer is full.', 'QuotaExceededError');
    }
    let decodeTime = Number(view.getBigUint64(TFDT_TIME_OFFSET)) / this.#timescale;
    const hasOffsets = (view.getUint32(TRUN_OFFSET + 8) & TRUN_OFFSETS_FLAG) !== 0;
    const count = view.getUint32(TRUN_OFFSET + 12);
    for (let index = 0, at = TRUN_OFFSET + 20; index < count; index++, at += hasOffsets ? 16 : 12) {
      const duration = view.getUint32(at) / this.#timescale;
      const offset = hasOffsets ? view.getInt32(at + 12) / this.#timescale : 0;
      const sample = {
        time: decodeTime + offset,
        byteLength: view.getUint32(at + 4),
        isKeyFrame: view.getUint32(at + 8) === SYNC_SAMPLE,
      };
      this.#take(sample, decodeTime, duration);
      decodeTime += duration;
    }
  }

  remove(_start: number, end: number): void {
    this.#samples = this.#samples.filter(({ time }) => time >= end);
    this.#byteLength = this.#samples.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** MSE, "coded frame processing": a step of more than two declared durations, or back, begins a new group. */
  #take(sample: Sample, decodeTime: number, duration: number): void {
    const step = decodeTime - this.#decodeTime;
    if (step < 0 || step > 2 * this.#duration) this.#needsKeyFrame = true;
    this.#decodeTime = decodeTime;
    this.#duration = duration;
    if (this.#needsKeyFrame && !sample.isKeyFrame) {
      this.discarded++;
      return;
    }
    this.#needsKeyFrame = false;
    this.#samples.push(sample);
    this.#byteLength += sample.byteLength;
    this.maxByteLength = Math.max(this.maxByteLength, this.#byteLength);
  }
}
