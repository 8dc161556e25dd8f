import type { Clock } from '../../shared/clock.js';
import type { Logger } from '../../shared/logger.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { AudioTrackConfig, VideoTrackConfig } from '../codec/track-config.js';
import type { GroupCache } from './group-cache.js';
import type { Presentation } from './presentation.js';

/**
 * Brings sound to a picture that plays without: another presentation with both is made below it, fed from the current group
 * of pictures on, and takes its place when it shows the newest frame. Loaded when sound is wanted.
 */

/** A presentation that does not show the newest frame in this time is given up. Milliseconds. */
const JOIN_TIMEOUT_MS = 5_000;
/** After one was given up, the next is tried this much later. Milliseconds. */
const JOIN_RETRY_MS = 30_000;
/** Sound that ran out is tried again after this, doubled each time up to the longest. Milliseconds. */
const REJOIN_MS = 1_000;
const MAX_REJOIN_MS = 60_000;
/** Sound that has not run out for this long is given its first wait again. Milliseconds. */
const STARVATION_SPAN_MS = 300_000;

/** What the joining needs of the sink. */
export interface JoinHost {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether the page is hidden: then nothing is drawn, so that nothing could be waited for. */
  readonly isHidden: boolean;
  /** Makes a presentation below the current one. */
  presentBelow(): Presentation;
  startVideo(presentation: Presentation): void;
  /** It shows the newest frame: it takes the current one's place. */
  onJoined(presentation: Presentation): void;
}

export class SoundJoin {
  readonly #host: JoinHost;
  readonly #group: GroupCache;
  #joining: Presentation | null = null;
  #cancelTimeout: (() => void) | null = null;
  #nextAt = 0;
  #starvations = 0;
  #lastStarvation = 0;

  /** @param group - the frames since the last key frame */
  constructor(host: JoinHost, group: GroupCache) {
    this.#host = host;
    this.#group = group;
  }

  /** The presentation on its way, or null. */
  get joining(): Presentation | null {
    return this.#joining;
  }

  pushVideo(unit: AccessUnit, config: VideoTrackConfig, time: number): void {
    this.#joining?.pushVideo(unit, config, time);
  }

  /** @param video - of the frames in the group; null: there is none to join, or no need */
  pushAudio(unit: AccessUnit, config: AudioTrackConfig, time: number, video: VideoTrackConfig | null): void {
    if (this.#joining === null && video !== null) this.#begin(video);
    this.#joining?.pushAudio(unit, config, time);
  }

  /** Lets go of what is on its way. */
  abandon(): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = null;
    this.#joining?.close();
    this.#joining = null;
  }

  /** Abandons, and tries again with the next unit of sound. */
  startOver(): void {
    this.abandon();
    this.#nextAt = 0;
  }

  /** The presentation on its way has failed. */
  onFailed(): void {
    this.abandon();
    this.#nextAt = this.#host.clock.now() + JOIN_RETRY_MS;
  }

  /** The sound of the current presentation ran out: it comes back, the later the more often that has happened. */
  onStarved(): void {
    const now = this.#host.clock.now();
    if (now - this.#lastStarvation > STARVATION_SPAN_MS) this.#starvations = 0;
    this.#lastStarvation = now;
    const wait = Math.min(MAX_REJOIN_MS, REJOIN_MS * 2 ** this.#starvations++);
    this.#host.logger.info('sound ran out', { againAfterMs: wait });
    this.#nextAt = now + wait;
  }

  #begin(config: VideoTrackConfig): void {
    const { clock, logger } = this.#host;
    const { frames } = this.#group;
    if (frames.length === 0 || this.#host.isHidden || clock.now() < this.#nextAt) return;
    const joining = this.#host.presentBelow();
    this.#joining = joining;
    for (const { unit, time } of frames) joining.pushVideo(unit, config, time);
    const newest = frames[frames.length - 1]?.time ?? 0;
    const awaitNewest = () => {
      joining.video.requestVideoFrameCallback(() => {
        if (this.#joining !== joining) return;
        if ((joining.timeOnScreen ?? newest - 1) >= newest) this.#finish(joining);
        else awaitNewest();
      });
    };
    awaitNewest();
    this.#cancelTimeout = clock.schedule(JOIN_TIMEOUT_MS, () => {
      logger.warn('sound could not join the picture in time');
      this.abandon();
      if (!this.#host.isHidden) this.#nextAt = clock.now() + JOIN_RETRY_MS;
    });
    this.#host.startVideo(joining);
  }

  #finish(joining: Presentation): void {
    this.#cancelTimeout?.();
    this.#cancelTimeout = null;
    this.#joining = null;
    this.#host.onJoined(joining);
  }
}
