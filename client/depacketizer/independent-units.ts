import type { TrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, DepacketizerStats } from './depacketizer.js';

/** Hands over units of which each is complete without the others: sound, pictures of their own, documents. Counts them. */
export class IndependentUnits {
  readonly stats: DepacketizerStats = { accessUnits: 0, keyFrames: 0, droppedAccessUnits: 0, malformedPackets: 0 };
  readonly #onAccessUnit: AccessUnitHandler;
  #announced: TrackConfig | null = null;

  constructor(onAccessUnit: AccessUnitHandler) {
    this.#onAccessUnit = onAccessUnit;
  }

  /**
   * @param pieces - the unit's bytes, of `byteLength` in all
   * @param time - RTP time, unwrapped, in ticks of the clock rate
   * @param config - handed over when it is another object than the unit's before; null where nothing is decoded
   */
  emit(pieces: readonly Uint8Array[], byteLength: number, time: number, config: TrackConfig | null): void {
    const isNewConfig = config !== this.#announced;
    this.#announced = config;
    this.stats.accessUnits++;
    this.stats.keyFrames++;
    this.#onAccessUnit({
      presentationTime: time,
      decodeTime: time,
      isKeyFrame: true,
      pieces,
      byteLength,
      config: isNewConfig ? config : null,
    });
  }
}
