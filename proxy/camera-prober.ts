/**
 * Stands between a camera and all its viewers: a camera that is known to answer is dialled by each viewer for itself; one
 * that is not is probed by one connection at a time, with a back-off, while the viewers are held.
 */
import type { Clock } from '../shared/clock.js';
import { StreamError } from '../shared/errors.js';
import { MAX_PROBE_INTERVAL_MS, MIN_PROBE_INTERVAL_MS } from '../shared/limits.js';

/** What the prober needs of a camera. */
export interface ProbedCamera<T> {
  /** Opens a connection for a viewer; rejects with a StreamError. */
  connect(signal: AbortSignal): Promise<T>;
  /** Asks the camera something harmless on a new connection; rejects with a StreamError when it does not answer. */
  verify(connection: T): Promise<void>;
  discard(connection: T): void;
  /** Says when it stops answering, with the reason, and when it answers again. */
  report(failure: StreamError | null): void;
}

interface Waiter<T> {
  settle(result: T | StreamError | null): void;
}

export class CameraProber<T> {
  readonly #camera: ProbedCamera<T>;
  readonly #clock: Clock;
  /** Whether the last word of the camera was a good one. */
  #isUp = false;
  #isProbing = false;
  #intervalMs = 0;
  #lastFailure: StreamError | null = null;
  readonly #waiters = new Set<Waiter<T>>();

  constructor(camera: ProbedCamera<T>, clock: Clock) {
    this.#camera = camera;
    this.#clock = clock;
  }

  /**
   * A connection to the camera: at once, or when it answers a probe. Rejects with the last failure when `holdMs` have
   * passed, at once when the failure is not one that waiting helps (`retry` is `never`), and with `aborted`.
   */
  async connect(holdMs: number, signal: AbortSignal): Promise<T> {
    const deadline = this.#clock.now() + holdMs;
    for (;;) {
      if (this.#isUp) {
        try {
          return await this.#camera.connect(signal);
        } catch (thrown) {
          const error = StreamError.from(thrown, 'camera-unreachable', 'The camera cannot be reached.');
          if (error.retry === 'never') throw error;
          this.fail(error);
        }
      }
      const connection = await this.#wait(deadline - this.#clock.now(), signal);
      if (connection !== null) return connection;
    }
  }

  /** The camera failed in a way that the next viewer would meet as well; the next connection is a probe. */
  fail(error: StreamError): void {
    this.#isUp = false;
    this.#remember(error);
    this.#intervalMs = Math.max(this.#intervalMs, MIN_PROBE_INTERVAL_MS);
  }

  /** The camera has closed a connection: perhaps it starts again. The next connection is a probe, without waiting. */
  doubt(): void {
    this.#isUp = false;
  }

  /** Resolves with the probe's connection, or with null when the camera is up and can be dialled. */
  #wait(timeoutMs: number, signal: AbortSignal): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.settle(new StreamError('aborted', 'The viewer has gone.'));
      const waiter: Waiter<T> = {
        settle: (result) => {
          this.#waiters.delete(waiter);
          cancel();
          signal.removeEventListener('abort', onAbort);
          if (result instanceof StreamError) reject(result);
          else resolve(result);
        },
      };
      const cancel = this.#clock.schedule(Math.max(0, timeoutMs), () => {
        waiter.settle(
          this.#lastFailure ?? new StreamError('camera-unreachable', 'The camera has not answered so far.'),
        );
      });
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      if (!this.#isProbing) void this.#probe();
    });
  }

  /** Probes until the camera answers or nobody waits. Never rejects. */
  async #probe(): Promise<void> {
    this.#isProbing = true;
    while (this.#waiters.size > 0) {
      await this.#pause(this.#intervalMs);
      if (this.#waiters.size === 0) break;
      try {
        await this.#succeed();
        break;
      } catch (thrown) {
        const error = StreamError.from(thrown, 'camera-unreachable', 'The camera cannot be reached.');
        this.#remember(error);
        this.#intervalMs = Math.min(Math.max(this.#intervalMs * 2, MIN_PROBE_INTERVAL_MS), MAX_PROBE_INTERVAL_MS);
        if (error.retry === 'never') for (const waiter of [...this.#waiters]) waiter.settle(error);
      }
    }
    this.#isProbing = false;
  }

  async #succeed(): Promise<void> {
    // Not a viewer's signal: others wait for this as well.
    const connection = await this.#camera.connect(new AbortController().signal);
    try {
      await this.#camera.verify(connection);
    } catch (error) {
      this.#camera.discard(connection);
      throw error;
    }
    this.#isUp = true;
    this.#intervalMs = 0;
    this.#remember(null);
    const [first, ...others] = this.#waiters;
    if (first === undefined) this.#camera.discard(connection);
    first?.settle(connection);
    for (const waiter of others) waiter.settle(null);
  }

  #remember(failure: StreamError | null): void {
    if ((failure === null) !== (this.#lastFailure === null)) this.#camera.report(failure);
    this.#lastFailure = failure;
  }

  #pause(ms: number): Promise<void> {
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => this.#clock.schedule(ms, resolve));
  }
}
