import type { MediaFormat } from '../../shared/session-description.js';
import { aLawSamples, muLawSamples } from '../codec/g711.js';
import type { AccessUnitHandler } from './depacketizer.js';
import { type SampleDecoder, SampleDepacketizer } from './sample-depacketizer.js';

/** RTP packets of PCMU, PCMA, L8 and L16 (RFC 3551, 4.5) → FLAC access units. */

/** Octets of one sample → the sample. */
interface SampleFormat {
  readonly bytes: number;
  readonly read: (payload: Uint8Array, at: number) => number;
}

const sampleFormats: ReadonlyMap<string, SampleFormat> = new Map<string, SampleFormat>([
  ['PCMU', { bytes: 1, read: (payload, at) => muLawSamples[payload[at] ?? 0] ?? 0 }],
  ['PCMA', { bytes: 1, read: (payload, at) => aLawSamples[payload[at] ?? 0] ?? 0 }],
  ['L8', { bytes: 1, read: (payload, at) => ((payload[at] ?? 0) - 0x80) << 8 }],
  ['L16', { bytes: 2, read: (payload, at) => ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0) }],
]);

export class PcmDepacketizer extends SampleDepacketizer {
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const sampleFormat = sampleFormats.get(format.encodingName.toUpperCase());
    if (sampleFormat === undefined) throw new RangeError(`${format.encodingName} is no PCM.`);
    super(format, decoderOf(sampleFormat), onAccessUnit);
  }
}

/** What is cut short at the end of a payload is left out. */
function decoderOf({ bytes, read }: SampleFormat): SampleDecoder {
  return {
    decode(payload, channels) {
      const samples = new Int16Array(channels * Math.floor(payload.length / (bytes * channels)));
      for (let index = 0; index < samples.length; index++) samples[index] = read(payload, index * bytes);
      return samples;
    },
  };
}
