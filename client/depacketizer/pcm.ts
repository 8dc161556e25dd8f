import { MAX_AUDIO_CHANNELS, MAX_AUDIO_SAMPLE_RATE } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { flacConfig, writeFlacFrame } from '../codec/flac.js';
import { aLawSamples, muLawSamples } from '../codec/g711.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';

/**
 * RTP packets of PCMU, PCMA, L8 and L16 (RFC 3551, 4.5) → FLAC access units of 20 ms each, whatever a packet holds.
 */

/** Access units a second. */
const UNITS_PER_SECOND = 50;

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

export class PcmDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  readonly #sampleFormat: SampleFormat;
  readonly #config: AudioTrackConfig;
  readonly #block: Int16Array;
  #isAnnounced = false;
  /** Samples in the block, all channels counted. */
  #filled = 0;
  /** RTP time of the block's first sample, and of the sample that is to come next. */
  #blockTime = 0;
  #nextTime = Number.NaN;
  #frameNumber = 0;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
    const sampleFormat = sampleFormats.get(format.encodingName.toUpperCase());
    if (sampleFormat === undefined) throw new RangeError(`${format.encodingName} is no PCM.`);
    this.#sampleFormat = sampleFormat;
    const sampleRate = Math.min(format.clockRate, MAX_AUDIO_SAMPLE_RATE);
    const channels = Math.min(Math.max(format.channels ?? 1, 1), MAX_AUDIO_CHANNELS);
    this.#config = flacConfig(sampleRate, channels, Math.max(16, Math.round(sampleRate / UNITS_PER_SECOND)));
    this.#block = new Int16Array(this.#config.samplesPerUnit * channels);
  }

  get announcedConfig(): AudioTrackConfig {
    return this.#config;
  }

  push(packet: RtpPacket, time: number): void {
    const { payload } = packet;
    const { bytes, read } = this.#sampleFormat;
    const { channels } = this.#config;
    const count = Math.floor(payload.length / (bytes * channels));
    if (count === 0 || payload.length % (bytes * channels) !== 0) this.stats.malformedPackets++;
    if (time !== this.#nextTime) {
      // A gap, or a first packet: what was begun stays incomplete.
      if (this.#filled > 0) this.stats.droppedAccessUnits++;
      this.#filled = 0;
    }
    for (let index = 0; index < count; index++) {
      if (this.#filled === 0) this.#blockTime = time + index;
      for (let channel = 0; channel < channels; channel++) {
        this.#block[this.#filled++] = read(payload, (index * channels + channel) * bytes);
      }
      if (this.#filled === this.#block.length) this.#emit();
    }
    this.#nextTime = time + count;
  }

  reset(): void {
    this.#filled = 0;
    this.#nextTime = Number.NaN;
  }

  #emit(): void {
    const bytes = writeFlacFrame(this.#block, this.#config.channels, this.#frameNumber++);
    this.#filled = 0;
    this.stats.accessUnits++;
    this.stats.keyFrames++;
    const config = this.#isAnnounced ? null : this.#config;
    this.#isAnnounced = true;
    this.#onAccessUnit({
      presentationTime: this.#blockTime,
      decodeTime: this.#blockTime,
      isKeyFrame: true,
      pieces: [bytes],
      byteLength: bytes.length,
      config,
    });
  }
}
