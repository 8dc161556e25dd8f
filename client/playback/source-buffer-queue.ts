import { StreamError } from '../../shared/errors.js';
import type { TrackConfig } from '../codec/track-config.js';
import type { FragmentSample } from '../fmp4/fragment.js';
import { Mp4SegmentWriter, type SegmentWriter } from '../fmp4/segment-writer.js';
import { mimeTypeOf, segmentWriterFor } from './container.js';

/**
 * Feeds one SourceBuffer, which takes one operation at a time: samples → fragments of the codec's container → `appendBuffer`. A sample goes
 * out at once while the buffer is idle; what piles up while it is busy goes in one append.
 */

/** Media that is kept behind the playhead, seconds: what is removed lies before it. */
export const KEEP_BEHIND_S = 3;
/** Bytes that wait at most: some seconds of the richest camera. Beyond, everything up to the next key frame is dropped. */
const MAX_WAITING_BYTES = 16 * 1_048_576;
/** Samples that wait at most: half a minute of video, or of audio. */
const MAX_WAITING_SAMPLES = 1_000;
/** Segments that wait at most; more come only of a camera that changes its configuration all the time. */
const MAX_READY_SEGMENTS = 64;

interface Segment {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Samples in it; 0: an init segment. */
  readonly samples: number;
  /** The type to change to before it is appended. */
  mimeType: string | null;
}

export interface SourceBufferQueueHandlers {
  /** The browser rejected the media; the buffer is of no more use. */
  onError(error: StreamError): void;
  /**
   * The browser's own limit is reached. Returns the time, in seconds, before which media may be removed.
   */
  onQuotaExceeded(): number;
}

export class SourceBufferQueue {
  readonly #buffer: SourceBuffer;
  readonly #trackId: number;
  readonly #handlers: SourceBufferQueueHandlers;
  readonly #abort = new AbortController();
  /** Written but not taken: init segments and what waited before them, or a fragment that met the quota. */
  #ready: Segment[] = [];
  #waiting: FragmentSample[] = [];
  #waitingBytes = 0;
  #removeBefore = 0;
  #isClearing = false;
  #writer: SegmentWriter;
  #quotaMet = false;
  #needsKeyFrame = false;
  #closed = false;
  /** Of the newest configuration; null before the first. */
  #codec: string | null = null;
  /** Samples dropped here: over a bound, or because the browser's quota left no room. */
  droppedSamples = 0;

  constructor(buffer: SourceBuffer, trackId: number, handlers: SourceBufferQueueHandlers) {
    this.#buffer = buffer;
    this.#trackId = trackId;
    this.#writer = new Mp4SegmentWriter(trackId);
    this.#handlers = handlers;
    const signal = this.#abort.signal;
    buffer.addEventListener('updateend', () => this.#pump(), { signal });
    buffer.addEventListener('error', () => this.#fail('The browser could not read the media.'), { signal });
  }

  /** Samples that have not been handed to the browser yet. */
  get waitingSamples(): number {
    return this.#waiting.length;
  }

  /** Whether what was there before `clear()` is still there, or some of it. */
  get isClearing(): boolean {
    return this.#isClearing;
  }

  /**
   * Starts the first configuration, or a new one: the init segment, and a change of the buffer's type where the codec
   * string is another.
   * @param timescale - ticks a second of the samples that follow
   * @param sampleEntry - the configuration's box in MP4
   */
  configure(config: TrackConfig, timescale: number, sampleEntry: Uint8Array): void {
    if (this.#closed) return;
    const isOtherCodec = this.#codec !== null && this.#codec !== config.codec;
    this.#codec = config.codec;
    // What waits was taken under the old configuration, and perhaps for another container.
    if (this.#waiting.length > 0) this.#ready.push(this.#takeFragment());
    let segment: Uint8Array<ArrayBuffer>;
    try {
      this.#writer = segmentWriterFor(config, this.#trackId, this.#writer);
      segment = this.#writer.init(config, timescale, sampleEntry);
    } catch (thrown) {
      this.#fail(`The stream cannot go on in ${config.codec}.`, thrown);
      return;
    }
    this.appendInit(segment, isOtherCodec ? mimeTypeOf(config) : null);
  }

  /** Starts a new configuration: what waits goes out first. `mimeType` is set when the codec string has changed. */
  appendInit(segment: Uint8Array<ArrayBuffer>, mimeType: string | null): void {
    if (this.#closed) return;
    if (this.#waiting.length > 0) this.#ready.push(this.#takeFragment());
    if (this.#ready.length >= MAX_READY_SEGMENTS) {
      this.#dropReady();
      this.#needsKeyFrame = true;
    }
    this.#ready.push({ bytes: segment, samples: 0, mimeType });
    this.#pump();
  }

  append(sample: FragmentSample): void {
    if (this.#closed) return;
    if (this.#needsKeyFrame) {
      if (!sample.unit.isKeyFrame) {
        this.droppedSamples++;
        return;
      }
      this.#needsKeyFrame = false;
    }
    this.#waiting.push(sample);
    this.#waitingBytes += sample.unit.byteLength;
    if (this.#waitingBytes > MAX_WAITING_BYTES || this.#waiting.length > MAX_WAITING_SAMPLES) this.#dropWaiting();
    this.#pump();
  }

  /** Removes everything before `end` (seconds) when the buffer is next idle. */
  removeBefore(end: number): void {
    this.#removeBefore = Math.max(this.#removeBefore, end);
    this.#pump();
  }

  /** Removes everything, also what is on its way; what comes next begins with a key frame. */
  clear(): void {
    if (this.#closed) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#ready = this.#ready.filter(({ samples }) => samples === 0);
    this.#needsKeyFrame = false;
    this.#isClearing = true;
    this.removeBefore(Number.POSITIVE_INFINITY);
  }

  /** Lets go of the buffer; may be called twice. */
  close(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#waiting = [];
    this.#ready = [];
  }

  #pump(): void {
    if (this.#closed || this.#buffer.updating) return;
    try {
      if (this.#removeBefore > 0) {
        const end = this.#removeBefore;
        this.#removeBefore = 0;
        if (this.#buffer.buffered.length > 0 && this.#buffer.buffered.start(0) < end) {
          this.#buffer.remove(0, end);
          return;
        }
      }
      this.#isClearing = false;
      if (this.#ready.length === 0 && this.#waiting.length > 0) this.#ready.push(this.#takeFragment());
      const next = this.#ready[0];
      if (next === undefined) return;
      if (next.mimeType !== null) {
        this.#buffer.changeType(next.mimeType);
        next.mimeType = null;
      }
      this.#buffer.appendBuffer(next.bytes);
      this.#ready.shift();
      this.#quotaMet = false;
    } catch (thrown) {
      if (thrown instanceof DOMException && thrown.name === 'QuotaExceededError') this.#makeRoom();
      else this.#fail('The browser refused the media.', thrown);
    }
  }

  #takeFragment(): Segment {
    const samples = this.#waiting.length;
    const bytes = this.#writer.fragment(contiguous(this.#waiting));
    this.#waiting = [];
    this.#waitingBytes = 0;
    return { bytes, samples, mimeType: null };
  }

  #makeRoom(): void {
    if (this.#quotaMet) {
      // Making room did not help: let go of what is waiting and go on at the next key frame.
      this.#dropReady();
      this.#dropWaiting();
      this.#quotaMet = false;
      return;
    }
    this.#quotaMet = true;
    const end = this.#handlers.onQuotaExceeded();
    if (end > 0) this.#buffer.remove(0, end);
    else this.#pump();
  }

  /** Drops all but the newest init segment, which what comes next needs, and the newest type. */
  #dropReady(): void {
    for (const { samples } of this.#ready) this.droppedSamples += samples;
    const inits = this.#ready.filter(({ samples }) => samples === 0);
    const newest = inits.at(-1);
    const mimeType =
      inits
        .map((init) => init.mimeType)
        .filter((type) => type !== null)
        .at(-1) ?? null;
    this.#ready = newest === undefined ? [] : [{ ...newest, mimeType }];
  }

  /** Drops what waits up to its last key frame, or, without one, up to the next that comes. */
  #dropWaiting(): void {
    let keep = this.#waiting.length - 1;
    while (keep > 0 && this.#waiting[keep]?.unit.isKeyFrame === false) keep--;
    if (keep <= 0) keep = this.#waiting.length;
    this.droppedSamples += keep;
    this.#waiting.splice(0, keep);
    this.#waitingBytes = this.#waiting.reduce((sum, sample) => sum + sample.unit.byteLength, 0);
    this.#needsKeyFrame = this.#waiting.length === 0;
  }

  #fail(sentence: string, cause?: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#handlers.onError(new StreamError('media-failed', sentence, { cause }));
  }
}

/**
 * Inside a fragment a sample's duration is what tells the next one's decode time, so only the last may be an upper bound.
 */
function contiguous(samples: readonly FragmentSample[]): readonly FragmentSample[] {
  if (samples.length === 1) return samples;
  return samples.map((sample, index) => {
    const next = samples[index + 1];
    return next === undefined ? sample : { ...sample, duration: next.decodeTime - sample.decodeTime };
  });
}
