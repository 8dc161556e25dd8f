import { MAX_SEQUENCE_DROPOUT, MAX_SEQUENCE_MISORDER } from '../../shared/limits.js';

/**
 * RTP sequence numbers → what is missing, doubled or late (RFC 3550, appendix A.1), and the counters that a receiver
 * report is made of (A.3). RTP inside RTSP's own TCP connection comes in order, so nothing is held back to be sorted: a
 * late packet is named late, for the caller to drop.
 */

/** A packet to use. `lost` packets are missing right before it. */
export interface SequenceAdvance {
  readonly lost: number;
  /** The sender began to count anew; what came before and what comes now do not belong together. */
  readonly restarted: boolean;
}

/**
 * What to make of a packet. The strings are reasons to drop it: seen already; older than what was handed on; so far off
 * that only a second one in a row makes it a restart (RFC 3550, A.1).
 */
export type SequenceStep = SequenceAdvance | 'duplicate' | 'late' | 'suspect';

// One object for nearly all packets, so that the data path allocates nothing here.
const next: SequenceAdvance = { lost: 0, restarted: false };
// The first packet of the new count was dropped as suspect.
const restart: SequenceAdvance = { lost: 1, restarted: true };

const WRAP = 0x1_0000;

/** Follows the sequence numbers of one source. */
export class SequenceTracker {
  #started = false;
  /** Highest sequence number handed on, 16 bits. */
  #highest = 0;
  /** Times the 16 bits have wrapped, times 65,536. */
  #cycles = 0;
  #base = 0;
  #received = 0;
  /** What would prove a restart, or null. */
  #restartAt: number | null = null;

  /** Goes on over restarts, for people. */
  #lost = 0;

  /** @param sequenceNumber - 16 bits, unsigned, as in the RTP header */
  push(sequenceNumber: number): SequenceStep {
    if (!this.#started) {
      this.#begin(sequenceNumber);
      return next;
    }
    const step = (sequenceNumber - this.#highest) & 0xffff;
    if (step === 1) {
      this.#advance(sequenceNumber);
      return next;
    }
    if (step === 0) {
      this.#received++;
      return 'duplicate';
    }
    if (step < MAX_SEQUENCE_DROPOUT) {
      this.#advance(sequenceNumber);
      this.#lost += step - 1;
      return { lost: step - 1, restarted: false };
    }
    if (step > WRAP - MAX_SEQUENCE_MISORDER) {
      this.#received++;
      return 'late';
    }
    if (sequenceNumber === this.#restartAt) {
      this.#begin(sequenceNumber);
      return restart;
    }
    this.#restartAt = (sequenceNumber + 1) & 0xffff;
    return 'suspect';
  }

  /** Forgets the position, not the counters: the next packet is a first one (another source, or a new PLAY). */
  reset(): void {
    this.#started = false;
    this.#cycles = 0;
    this.#received = 0;
  }

  /** RFC 3550's extended highest sequence number: wraps above the 16 bits; 0 before the first packet. */
  get extendedHighest(): number {
    return this.#cycles + this.#highest;
  }

  /** Packets that were to be received since the start or the last restart (A.3); 0 before the first packet. */
  get expected(): number {
    return this.#started ? this.extendedHighest - this.#base + 1 : 0;
  }

  /** Packets received in that time, doubled and late ones included (A.3). */
  get received(): number {
    return this.#received;
  }

  /** Packets that were missing when a later one came, over all restarts. */
  get lost(): number {
    return this.#lost;
  }

  #begin(sequenceNumber: number): void {
    this.#started = true;
    this.#base = sequenceNumber;
    this.#highest = sequenceNumber;
    this.#cycles = 0;
    this.#received = 1;
    this.#restartAt = null;
  }

  #advance(sequenceNumber: number): void {
    if (sequenceNumber < this.#highest) this.#cycles += WRAP;
    this.#highest = sequenceNumber;
    this.#received++;
    this.#restartAt = null;
  }
}
