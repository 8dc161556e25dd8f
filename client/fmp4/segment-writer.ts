import type { TrackConfig } from '../codec/track-config.js';
import { type FragmentSample, writeFragment } from './fragment.js';
import { writeInitSegment } from './init-segment.js';

/** One track → the segments that a SourceBuffer takes. What they are made of is the container's business. */
export interface SegmentWriter {
  /**
   * Begins a configuration.
   * @param timescale - ticks a second of the samples that follow
   * @param sampleEntry - the configuration's box in MP4; other containers have no use for it
   */
  init(config: TrackConfig, timescale: number, sampleEntry: Uint8Array): Uint8Array<ArrayBuffer>;
  /** Writes samples, at least one, in decode order; see `writeFragment`. */
  fragment(samples: readonly FragmentSample[]): Uint8Array<ArrayBuffer>;
}

/** Makes the writer of a track. */
export type SegmentWriterClass = new (trackId: number) => SegmentWriter;

/** Fragmented MP4. */
export class Mp4SegmentWriter implements SegmentWriter {
  readonly #trackId: number;
  #fragments = 0;

  constructor(trackId: number) {
    this.#trackId = trackId;
  }

  init(config: TrackConfig, timescale: number, sampleEntry: Uint8Array): Uint8Array<ArrayBuffer> {
    return writeInitSegment([{ trackId: this.#trackId, timescale, config, sampleEntry }]);
  }

  fragment(samples: readonly FragmentSample[]): Uint8Array<ArrayBuffer> {
    this.#fragments++;
    return writeFragment(this.#fragments, this.#trackId, samples);
  }
}
