import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { opusConfig, opusSamples } from '../codec/opus.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';

/** RTP packets of Opus (RFC 7587) → access units: a packet is one. */
export class OpusDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  #config: AudioTrackConfig | null = null;

  /** @param _format - always 48,000 Hz and 2 channels (RFC 7587, 7): it tells nothing */
  constructor(_format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
  }

  push({ payload }: RtpPacket, time: number): void {
    const samples = opusSamples(payload);
    if (samples === null) {
      this.stats.malformedPackets++;
      return;
    }
    const isNew = samples !== this.#config?.samplesPerUnit;
    if (isNew) this.#config = opusConfig(2, samples);
    this.stats.accessUnits++;
    this.stats.keyFrames++;
    this.#onAccessUnit({
      presentationTime: time,
      decodeTime: time,
      isKeyFrame: true,
      pieces: [payload],
      byteLength: payload.length,
      config: isNew ? this.#config : null,
    });
  }

  reset(): void {}
}
