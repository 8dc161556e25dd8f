/**
 * RTP time stamps → a time line without wraps: 32-bit values that start anywhere and wrap (RFC 3550, 5.1) become plain
 * numbers of ticks, in which later is greater. The one place that unwraps RTP time: everything behind it (depacketizers,
 * sender clock, muxer) counts in its ticks.
 *
 * A time stamp is taken as the value nearest to the one before it, so a step of up to half the range either way (6.6
 * hours at 90 kHz) keeps its sign: pictures sent out of display order step back, packets of one picture do not step.
 * Nothing is smoothed here, and a sender that starts anew gives a large step.
 */
export class Timeline {
  readonly clockRate: number;
  /** The newest RTP time stamp seen, as sent; null before the first. */
  #rtpTimestamp: number | null = null;
  /** What that one became. */
  #ticks = 0;

  /** @param clockRate - ticks a second, from the session description */
  constructor(clockRate: number) {
    this.clockRate = clockRate;
  }

  /**
   * The next packet's time. The first packet's time stamp is its own number of ticks (0 to 2³²−1); later ones go on from
   * there.
   * @param rtpTimestamp - 32 bits, unsigned, as in the RTP header
   * @returns ticks of the clock rate; a safe integer for thousands of years, negative only for a picture that is shown
   *   before one with a time stamp near 0
   */
  unwrap(rtpTimestamp: number): number {
    this.#ticks = this.at(rtpTimestamp);
    this.#rtpTimestamp = rtpTimestamp >>> 0;
    return this.#ticks;
  }

  /** The ticks of an RTP time near to the newest packet's (a sender report's, RTP-Info's), without moving on to it. */
  at(rtpTimestamp: number): number {
    if (this.#rtpTimestamp === null) return rtpTimestamp >>> 0;
    return this.#ticks + ((rtpTimestamp - this.#rtpTimestamp) | 0);
  }

  /** Whether a packet has set where the time line stands; before that `at` can only guess. */
  get isAnchored(): boolean {
    return this.#rtpTimestamp !== null;
  }

  /** Forgets everything: the next packet is a first one again (another source, or a new PLAY after a seek). */
  reset(): void {
    this.#rtpTimestamp = null;
    this.#ticks = 0;
  }
}
