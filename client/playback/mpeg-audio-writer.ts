import type { TrackConfig } from '../codec/track-config.js';
import { concat } from '../fmp4/box.js';
import type { FragmentSample } from '../fmp4/fragment.js';
import type { SegmentWriter } from '../fmp4/segment-writer.js';

/**
 * MPEG audio frames, one after the other, as Media Source's byte stream format `audio/mpeg` wants them. It has no times: the
 * SourceBuffer puts each frame behind the one before, which is where audio units are placed anyway.
 */
export class MpegAudioWriter implements SegmentWriter {
  init(_config: TrackConfig, _timescale: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(0);
  }

  fragment(samples: readonly FragmentSample[]): Uint8Array<ArrayBuffer> {
    return concat(samples.flatMap(({ unit }) => unit.pieces));
  }
}
