import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { opusConfig, opusPacketSamples } from '../codec/opus.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';

/**
 * RTP packets of Opus → Opus packets, one in each (RFC 7587, 4.2). Where nothing is sent because nothing is heard (DTX),
 * the time stamps have a gap. A new configuration comes with each change of the packets' length.
 */
export class OpusDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  readonly #channels: 1 | 2;
  #samplesPerUnit = 0;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
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
    const isNewLength = samples !== this.#samplesPerUnit;
    this.#samplesPerUnit = samples;
    this.stats.accessUnits++;
    this.stats.keyFrames++;
    this.#onAccessUnit({
      presentationTime: time,
      decodeTime: time,
      isKeyFrame: true,
      pieces: [payload],
      byteLength: payload.length,
      config: isNewLength ? opusConfig(this.#channels, samples) : null,
    });
  }

  reset(): void {}
}
