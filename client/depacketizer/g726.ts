import type { MediaFormat } from '../../shared/session-description.js';
import { G726Decoder } from '../codec/g726.js';
import type { AccessUnitHandler } from './depacketizer.js';
import { type SampleDecoder, SampleDepacketizer } from './sample-depacketizer.js';

/**
 * RTP packets of G.726 (RFC 3551, 4.5.4) → FLAC access units. `G726-32` has its first codeword in the lowest bits of an octet,
 * `AAL2-G726-32` (ITU-T I.366.2) in the highest. Decoding goes on over a loss: what is adaptive finds its way back.
 */
export class G726Depacketizer extends SampleDepacketizer {
  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const [, order, rate] = /^(AAL2-)?G726-(16|24|32|40)$/i.exec(format.encodingName) ?? [];
    if (rate === undefined) throw new RangeError(`${format.encodingName} is no G.726.`);
    // One channel is all that there is.
    super({ ...format, channels: 1 }, decoderOf(Number(rate) / 8, order !== undefined), onAccessUnit);
  }
}

/** @param bits - of a codeword */
function decoderOf(bits: number, isHighestFirst: boolean): SampleDecoder {
  const decoder = new G726Decoder(bits);
  const mask = (1 << bits) - 1;
  return {
    decode(payload) {
      const samples = new Int16Array(Math.floor((8 * payload.length) / bits));
      let waiting = 0;
      let waitingBits = 0;
      let count = 0;
      for (const octet of payload) {
        if (isHighestFirst) waiting = (waiting << 8) | octet;
        else waiting |= octet << waitingBits;
        waitingBits += 8;
        while (waitingBits >= bits) {
          waitingBits -= bits;
          const codeword = isHighestFirst ? waiting >> waitingBits : waiting;
          samples[count++] = decoder.decode(codeword & mask);
          waiting = isHighestFirst ? waiting & ((1 << waitingBits) - 1) : waiting >> bits;
        }
      }
      return samples;
    },
  };
}
