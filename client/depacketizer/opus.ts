import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { opusConfig, opusPacketSamples } from '../codec/opus.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/**
 * RTP packets of Opus → Opus packets, one in each (RFC 7587, 4.2). Where nothing is sent because nothing is heard (DTX),
 * the time stamps have a gap. A new configuration comes with each change of the packets' length.
 */
export class OpusDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  readonly #channels: 1 | 2;
  #config: AudioTrackConfig | null = null;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
    // Many that send stereo do not say so; mono comes out right of both channels.
    this.#channels = format.parameters.get('sprop-stereo') === '0' ? 1 : 2;
  }

  push({ payload }: RtpPacket, time: number): void {
    if (payload.length === 0) return;
    const samples = opusPacketSamples(payload);
    if (samples === null) {
      this.stats.malformedPackets++;
      return;
    }
    if (this.#config?.samplesPerUnit !== samples) this.#config = opusConfig(this.#channels, samples);
    this.#units.emit([payload], payload.length, time, this.#config);
  }

  reset(): void {}
}
