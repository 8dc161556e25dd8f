import { MAX_AUDIO_CHANNELS, MAX_AUDIO_SAMPLE_RATE } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { flacConfig, writeFlacFrame } from '../codec/flac.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/**
 * RTP packets of sound that no browser takes as it is → samples → FLAC access units of 20 ms each, whatever a packet holds.
 */

/** Access units a second. */
const UNITS_PER_SECOND = 50;

/** Payloads of one format → samples. */
export interface SampleDecoder {
  /** Samples of a channel in a tick of the RTP clock; 1 unless the format's clock is another one than that of its samples. */
  readonly samplesPerTick?: number;
  /**
   * @param channels - samples of one moment, one behind the other
   * @returns whole moments; empty where there are none
   */
  decode(payload: Uint8Array, channels: number): Int16Array;
}

export abstract class SampleDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  readonly #decoder: SampleDecoder;
  readonly #samplesPerTick: number;
  readonly #config: AudioTrackConfig;
  readonly #block: Int16Array;
  /** Samples in the block, all channels counted. */
  #filled = 0;
  /** RTP time of the block's first sample, and of the sample that is to come next. */
  #blockTime = 0;
  #nextTime = Number.NaN;
  #frameNumber = 0;

  constructor(format: MediaFormat, decoder: SampleDecoder, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
    this.#decoder = decoder;
    this.#samplesPerTick = decoder.samplesPerTick ?? 1;
    const sampleRate = Math.min(format.clockRate * this.#samplesPerTick, MAX_AUDIO_SAMPLE_RATE);
    const channels = Math.min(Math.max(format.channels ?? 1, 1), MAX_AUDIO_CHANNELS);
    this.#config = flacConfig(sampleRate, channels, Math.max(16, Math.round(sampleRate / UNITS_PER_SECOND)));
    this.#block = new Int16Array(this.#config.samplesPerUnit * channels);
  }

  get announcedConfig(): AudioTrackConfig {
    return this.#config;
  }

  push(packet: RtpPacket, time: number): void {
    const { channels } = this.#config;
    const samples = this.#decoder.decode(packet.payload, channels);
    const count = samples.length / channels;
    if (count === 0) this.stats.malformedPackets++;
    if (time !== this.#nextTime) this.#skip((time - this.#nextTime) * this.#samplesPerTick, time);
    for (let index = 0; index < count; index++) {
      if (this.#filled === 0) this.#blockTime = time + index / this.#samplesPerTick;
      for (let channel = 0; channel < channels; channel++) {
        this.#block[this.#filled++] = samples[index * channels + channel] ?? 0;
      }
      if (this.#filled === this.#block.length) this.#emit();
    }
    this.#nextTime = time + count / this.#samplesPerTick;
  }

  reset(): void {
    this.#filled = 0;
    this.#nextTime = Number.NaN;
  }

  /**
   * Silence for moments that are missing (comfort noise, telephone events, losses): up to the end of the block that was begun,
   * and at the beginning of that which goes on at `time`, so that no block is out of step with those before.
   */
  #skip(moments: number, time: number): void {
    if (!(moments > 0)) {
      // A first packet, or another time line: what was begun stays incomplete.
      if (this.#filled > 0) this.stats.droppedAccessUnits++;
      this.#filled = 0;
      return;
    }
    const { channels, samplesPerUnit } = this.#config;
    const reached = this.#filled / channels + moments;
    if (this.#filled > 0 && reached >= samplesPerUnit) {
      this.#block.fill(0, this.#filled);
      this.#emit();
    }
    const start = reached % samplesPerUnit;
    if (this.#filled === 0) this.#blockTime = time - start / this.#samplesPerTick;
    this.#block.fill(0, this.#filled, start * channels);
    this.#filled = start * channels;
  }

  #emit(): void {
    const bytes = writeFlacFrame(this.#block, this.#config.channels, this.#frameNumber++);
    this.#filled = 0;
    this.#units.emit([bytes], bytes.length, this.#blockTime, this.#config);
  }
}
