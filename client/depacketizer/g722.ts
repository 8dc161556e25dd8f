import type { MediaFormat } from '../../shared/session-description.js';
import { G722Decoder } from '../codec/g722.js';
import type { AccessUnitHandler } from './depacketizer.js';
import { type SampleDecoder, SampleDepacketizer } from './sample-depacketizer.js';

/**
 * RTP packets of G.722 (RFC 3551, 4.5.2) → FLAC access units. Its RTP clock is one of 8,000 Hz by an old mistake; the samples
 * are 16,000 a second.
 */
export class G722Depacketizer extends SampleDepacketizer {
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    // One channel is all that there is.
    super({ ...format, channels: 1 }, makeDecoder(), onAccessUnit);
  }
}

function makeDecoder(): SampleDecoder {
  const decoder = new G722Decoder();
  return {
    samplesPerTick: 2,
    decode(payload) {
      const samples = new Int16Array(2 * payload.length);
      for (const [index, octet] of payload.entries()) decoder.decode(octet, samples, 2 * index);
      return samples;
    },
  };
}
