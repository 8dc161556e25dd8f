/**
 * G.726 codewords of 2 to 5 bits → samples (ITU-T G.726, adaptive differential PCM at 16, 24, 32 and 40 kbit/s), in fixed
 * point. Where the recommendation rounds the mixed scale factor, and lets the zeros of 40 kbit/s decay more slowly, this does
 * as FFmpeg does: the samples are the same as its own, which differ from the recommendation's in their lowest bit.
 */

interface Rate {
  /** Inverse quantiser: logarithm of the difference by codeword (tables 7 to 10). */
  readonly differences: readonly number[];
  /** Scale factor multipliers W, times 32, and rate-of-change weights F by codeword (2.4 and 2.5). */
  readonly multipliers: readonly number[];
  readonly weights: readonly number[];
}

/** The second half of a table mirrors the first: the upper codewords are the negative ones. */
function mirrored(half: readonly number[]): number[] {
  return [...half, ...[...half].reverse()];
}

const rates: Readonly<Record<number, Rate>> = {
  2: {
    differences: mirrored([116, 365]),
    multipliers: mirrored([-704, 14_048]),
    weights: mirrored([0, 0xe00]),
  },
  3: {
    differences: mirrored([-2_048, 135, 273, 373]),
    multipliers: mirrored([-128, 960, 4_384, 18_624]),
    weights: mirrored([0, 0x200, 0x400, 0xe00]),
  },
  4: {
    differences: mirrored([-2_048, 4, 135, 213, 273, 323, 373, 425]),
    multipliers: mirrored([-384, 576, 1_312, 2_048, 3_584, 6_336, 11_360, 35_904]),
    weights: mirrored([0, 0, 0, 0x200, 0x200, 0x200, 0x600, 0xe00]),
  },
  5: {
    differences: mirrored([-2_048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566]),
    multipliers: mirrored([
      448, 448, 768, 1_248, 1_280, 1_312, 1_856, 3_200, 4_512, 5_728, 7_008, 8_960, 11_456, 14_080, 16_928, 22_272,
    ]),
    weights: mirrored([0, 0, 0, 0, 0, 0x200, 0x200, 0x200, 0x200, 0x200, 0x400, 0x600, 0x800, 0xa00, 0xc00, 0xc00]),
  },
};

const ZEROS = 6;
/** Floating point 0, positive and negative (4.2.6): mantissa 32, exponent 0. */
const FLOAT_ZERO = 0x20;
const FLOAT_MINUS_ZERO = -0x3e0;

/** Bits of a magnitude. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value);
}

/** A signed magnitude in the recommendation's floating point: sign, 4 bits of exponent, 6 of mantissa (FLOATA, FLOATB). */
function toFloat(magnitude: number, isNegative: boolean): number {
  if (magnitude === 0) return isNegative ? FLOAT_MINUS_ZERO : FLOAT_ZERO;
  const exponent = bitLength(magnitude);
  const value = (exponent << 6) + ((magnitude << 6) >> exponent);
  return isNegative ? value - 0x400 : value;
}

/** Predictor coefficient times a signal in floating point (FMULT). */
function multiply(coefficient: number, signal: number): number {
  const magnitude = coefficient > 0 ? coefficient : -coefficient & 0x1fff;
  const exponent = bitLength(magnitude) - 6;
  const mantissa = magnitude === 0 ? 32 : exponent >= 0 ? magnitude >> exponent : magnitude << -exponent;
  const sumExponent = exponent + ((signal >> 6) & 0xf) - 13;
  const product = (mantissa * (signal & 0x3f) + 0x30) >> 4;
  const value = sumExponent >= 0 ? (product << sumExponent) & 0x7fff : product >> -sumExponent;
  return (coefficient ^ signal) < 0 ? -value : value;
}

export class G726Decoder {
  readonly #bits: number;
  readonly #rate: Rate;
  /** Locked and unlocked quantiser scale factors (2.4). */
  #slowScale = 34_816;
  #fastScale = 544;
  /** Short and long term averages of the rate of change, and the speed that they give (2.5). */
  #shortAverage = 0;
  #longAverage = 0;
  #speed = 0;
  /** Coefficients of the predictor: two poles, six zeros (2.7). */
  #pole1 = 0;
  #pole2 = 0;
  readonly #zeros = new Int32Array(ZEROS);
  /** Newest first, in floating point: quantised differences, reconstructed signals. */
  readonly #differences = new Int32Array(ZEROS).fill(FLOAT_ZERO);
  #signal1 = FLOAT_ZERO;
  #signal2 = FLOAT_ZERO;
  /** Signs of the two newest partially reconstructed signals: 1 is negative. */
  #sign1 = 0;
  #sign2 = 0;
  /** A partial band signal, as of a modem, was found (2.8). */
  #hasTone = false;

  /** @param bits - of a codeword: 2, 3, 4 or 5 */
  constructor(bits: number) {
    const rate = rates[bits];
    if (rate === undefined) throw new RangeError(`G.726 has codewords of 2 to 5 bits, not of ${bits}.`);
    this.#bits = bits;
    this.#rate = rate;
  }

  /** The sample of the next codeword, 16 bits. */
  decode(codeword: number): number {
    const { differences, multipliers, weights } = this.#rate;
    const zeroEstimate = this.#estimateByZeros();
    const estimate = (zeroEstimate + this.#estimateByPoles()) >> 1;
    const scale = this.#scale();
    const isNegative = codeword >> (this.#bits - 1) !== 0;
    const magnitude = dequantised(differences[codeword] ?? 0, scale);
    const signal = isNegative ? estimate - magnitude : estimate + magnitude;
    const partial = signal - estimate + (zeroEstimate >> 1);
    this.#adapt(scale, multipliers[codeword] ?? 0, weights[codeword] ?? 0, magnitude, isNegative, signal, partial);
    return Math.max(-0x8000, Math.min(0x7fff, signal << 2));
  }

  #estimateByZeros(): number {
    let sum = 0;
    for (let index = 0; index < ZEROS; index++) {
      sum += multiply((this.#zeros[index] ?? 0) >> 2, this.#differences[index] ?? 0);
    }
    return sum;
  }

  #estimateByPoles(): number {
    return multiply(this.#pole2 >> 2, this.#signal2) + multiply(this.#pole1 >> 2, this.#signal1);
  }

  /** The scale factor, between the slow and the fast one (MIX). */
  #scale(): number {
    if (this.#speed >= 256) return this.#fastScale;
    const slow = this.#slowScale >> 6;
    return (this.#slowScale + (this.#fastScale - slow) * (this.#speed >> 2)) >> 6;
  }

  #adapt(
    scale: number,
    multiplier: number,
    weight: number,
    magnitude: number,
    isNegative: boolean,
    signal: number,
    partial: number,
  ): void {
    const isTransition = this.#hasTone && magnitude > this.#transitionThreshold();
    this.#fastScale = Math.max(544, Math.min(5_120, scale + ((multiplier - scale) >> 5)));
    this.#slowScale += this.#fastScale + (-this.#slowScale >> 6);
    const sign = partial < 0 ? 1 : 0;
    if (isTransition) {
      this.#pole1 = 0;
      this.#pole2 = 0;
      this.#zeros.fill(0);
    } else {
      this.#adaptPoles(sign, partial);
      this.#adaptZeros(magnitude, isNegative);
    }
    this.#differences.copyWithin(1, 0, ZEROS - 1);
    this.#differences[0] = toFloat(magnitude, isNegative);
    this.#signal2 = this.#signal1;
    this.#signal1 = toFloat(Math.min(Math.abs(signal), 0x7fff), signal < 0);
    this.#sign2 = this.#sign1;
    this.#sign1 = sign;
    this.#hasTone = !isTransition && this.#pole2 < -11_776;
    this.#adaptSpeed(weight, scale, isTransition);
  }

  #transitionThreshold(): number {
    const whole = this.#slowScale >> 15;
    const fraction = (this.#slowScale >> 10) & 0x1f;
    const threshold = whole > 9 ? 31 << 10 : (32 + fraction) << whole;
    return (threshold + (threshold >> 1)) >> 1;
  }

  #adaptPoles(sign: number, partial: number): void {
    let second = this.#pole2 - (this.#pole2 >> 7);
    if (partial !== 0) {
      const first = sign !== this.#sign1 ? this.#pole1 : -this.#pole1;
      if (first < -8_191) second -= 0x100;
      else if (first > 8_191) second += 0xff;
      else second += first >> 5;
      second += sign !== this.#sign2 ? -0x80 : 0x80;
      second = Math.max(-12_288, Math.min(12_288, second));
    }
    this.#pole2 = second;
    let pole = this.#pole1 - (this.#pole1 >> 8);
    if (partial !== 0) pole += sign === this.#sign1 ? 192 : -192;
    const limit = 15_360 - second;
    this.#pole1 = Math.max(-limit, Math.min(limit, pole));
  }

  #adaptZeros(magnitude: number, isNegative: boolean): void {
    for (let index = 0; index < ZEROS; index++) {
      let zero = this.#zeros[index] ?? 0;
      zero -= zero >> 8;
      if (magnitude !== 0) zero += isNegative === (this.#differences[index] ?? 0) < 0 ? 128 : -128;
      this.#zeros[index] = zero;
    }
  }

  #adaptSpeed(weight: number, scale: number, isTransition: boolean): void {
    this.#shortAverage += (weight - this.#shortAverage) >> 5;
    this.#longAverage += ((weight << 2) - this.#longAverage) >> 7;
    const isChanging = Math.abs((this.#shortAverage << 2) - this.#longAverage) >= this.#longAverage >> 3;
    if (isTransition) this.#speed = 256;
    else if (scale < 1_536 || this.#hasTone || isChanging) this.#speed += (0x200 - this.#speed) >> 4;
    else this.#speed += -this.#speed >> 4;
  }
}

/** Magnitude of the difference (RECONST, ADDA and ANTILOG). */
function dequantised(logarithm: number, scale: number): number {
  const sum = logarithm + (scale >> 2);
  if (sum < 0) return 0;
  const exponent = (sum >> 7) & 0xf;
  return ((128 + (sum & 0x7f)) << 7) >> (14 - exponent);
}
