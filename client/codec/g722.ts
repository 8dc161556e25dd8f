/**
 * G.722 octets → samples at 16 kHz (ITU-T G.722, 64 kbit/s: two sub-bands of adaptive differential PCM, and the filter that
 * puts them together), in the recommendation's fixed point.
 */

/** Inverse quantisers: of the lower band with 6 bits, and with the 4 that adapt it; of the higher one (tables 14 to 17). */
const lower6Magnitudes: readonly number[] = [
  24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
  5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728,
];
const lower6: readonly number[] = [
  ...[-136, -136, -136, -136],
  ...lower6Magnitudes.map((value) => -value),
  ...lower6Magnitudes,
  ...[432, 136, -432, -136],
];
const lower4: readonly number[] = [
  0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0,
];
const higher2: readonly number[] = [-7_408, -1_616, 7_408, 1_616];
/** Steps of the logarithmic scale factor by codeword. */
const lowerSteps: readonly number[] = [
  -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
];
const higherSteps: readonly number[] = [798, -214, 798, -214];
/** 2 to the power of n/32, times 2,048 (table 12). */
const antilogarithms: readonly number[] = [
  2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834, 2_896,
  2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];
/** Half of the quadrature mirror filter; the other half is the same backwards (table 11). */
const filter: readonly number[] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

const ZEROS = 6;

function saturate(value: number): number {
  return Math.max(-0x8000, Math.min(0x7fff, value));
}

/** One sub-band: its scale factor and its predictor. */
class Band {
  /** Logarithm of the scale factor, its upper bound, and the shift that goes with the band. */
  #logarithm = 0;
  readonly #maxLogarithm: number;
  readonly #shift: number;
  scale: number;
  /** Predicted signal, and the part of it that the zeros give. */
  estimate = 0;
  #zeroEstimate = 0;
  #pole1 = 0;
  #pole2 = 0;
  readonly #zeros = new Int32Array(ZEROS);
  /** Newest first. */
  readonly #differences = new Int32Array(ZEROS);
  #signal1 = 0;
  #signal2 = 0;
  #partial1 = 0;
  #partial2 = 0;

  constructor(scale: number, maxLogarithm: number, shift: number) {
    this.scale = scale;
    this.#maxLogarithm = maxLogarithm;
    this.#shift = shift;
  }

  /** @param step - of the scale factor's logarithm, by the codeword */
  adapt(difference: number, step: number): void {
    this.#adaptScale(step);
    const signal = saturate(this.estimate + difference);
    const partial = saturate(this.#zeroEstimate + difference);
    this.#adaptPoles(partial);
    this.#adaptZeros(difference);
    this.#signal2 = this.#signal1;
    this.#signal1 = signal;
    this.#partial2 = this.#partial1;
    this.#partial1 = partial;
    this.#predict();
  }

  #adaptScale(step: number): void {
    const logarithm = ((this.#logarithm * 127) >> 7) + step;
    this.#logarithm = Math.max(0, Math.min(this.#maxLogarithm, logarithm));
    const shift = this.#shift - (this.#logarithm >> 11);
    const value = antilogarithms[(this.#logarithm >> 6) & 31] ?? 0;
    this.scale = (shift < 0 ? value << -shift : value >> shift) << 2;
  }

  #adaptPoles(partial: number): void {
    const isLikeFirst = partial < 0 === this.#partial1 < 0;
    const isLikeSecond = partial < 0 === this.#partial2 < 0;
    const quadruple = saturate(this.#pole1 << 2);
    const change = Math.min(isLikeFirst ? -quadruple : quadruple, 0x7fff) >> 7;
    const second = (isLikeSecond ? 128 : -128) + change + ((this.#pole2 * 32_512) >> 15);
    this.#pole2 = Math.max(-12_288, Math.min(12_288, second));
    const first = saturate((isLikeFirst ? 192 : -192) + ((this.#pole1 * 32_640) >> 15));
    const limit = saturate(15_360 - this.#pole2);
    this.#pole1 = Math.max(-limit, Math.min(limit, first));
  }

  #adaptZeros(difference: number): void {
    const step = difference === 0 ? 0 : 128;
    for (let index = 0; index < ZEROS; index++) {
      const isAlike = (this.#differences[index] ?? 0) < 0 === difference < 0;
      this.#zeros[index] = saturate((isAlike ? step : -step) + (((this.#zeros[index] ?? 0) * 32_640) >> 15));
    }
    this.#differences.copyWithin(1, 0, ZEROS - 1);
    this.#differences[0] = difference;
  }

  #predict(): void {
    const first = (this.#pole1 * saturate(2 * this.#signal1)) >> 15;
    const second = (this.#pole2 * saturate(2 * this.#signal2)) >> 15;
    let sum = 0;
    for (let index = 0; index < ZEROS; index++) {
      sum += ((this.#zeros[index] ?? 0) * saturate(2 * (this.#differences[index] ?? 0))) >> 15;
    }
    this.#zeroEstimate = saturate(sum);
    this.estimate = saturate(saturate(first + second) + this.#zeroEstimate);
  }
}

export class G722Decoder {
  readonly #lower = new Band(32, 18_432, 8);
  readonly #higher = new Band(8, 22_528, 10);
  /** Sums and differences of the bands, in turn, the newest last. */
  readonly #history = new Int32Array(4 * ZEROS);

  /** Writes the two samples of an octet. */
  decode(octet: number, samples: Int16Array, at: number): void {
    const lower = this.#lower;
    const higher = this.#higher;
    const low = octet & 0x3f;
    const high = octet >> 6;
    const lowSignal = clip(lower.estimate + ((lower.scale * (lower6[low] ?? 0)) >> 15));
    lower.adapt((lower.scale * (lower4[low >> 2] ?? 0)) >> 15, lowerSteps[low >> 2] ?? 0);
    const highDifference = (higher.scale * (higher2[high] ?? 0)) >> 15;
    const highSignal = clip(higher.estimate + highDifference);
    higher.adapt(highDifference, higherSteps[high] ?? 0);
    const history = this.#history;
    history.copyWithin(0, 2);
    history[22] = lowSignal + highSignal;
    history[23] = lowSignal - highSignal;
    let first = 0;
    let second = 0;
    for (let index = 0; index < filter.length; index++) {
      first += (history[2 * index + 1] ?? 0) * (filter[filter.length - 1 - index] ?? 0);
      second += (history[2 * index] ?? 0) * (filter[index] ?? 0);
    }
    samples[at] = saturate(first >> 11);
    samples[at + 1] = saturate(second >> 11);
  }
}

/** 15 bits: what a band can hold. */
function clip(value: number): number {
  return Math.max(-16_384, Math.min(16_383, value));
}
