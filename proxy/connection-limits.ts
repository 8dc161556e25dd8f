/** How much one address, one viewer, one camera and all together may take of the proxy; null is without limit. */
import type { Clock } from '../shared/clock.js';
import {
  HANDSHAKE_BURST_SECONDS,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_ADDRESS,
  MAX_HANDSHAKES_PER_SECOND,
  MAX_TRACKED_ADDRESSES,
  MAX_VIEWER_BYTES_PER_SECOND,
  MAX_VIEWER_MESSAGES_PER_SECOND,
} from '../shared/limits.js';
import { TokenBucket } from './token-bucket.js';
import { addressGroup } from './viewer-address.js';

export interface ConnectionLimitOptions {
  connections: number | null;
  /** IPv6 addresses count by their first 64 bits. */
  connectionsPerAddress: number | null;
  /** By the name that a token or the portal gives. */
  connectionsPerViewer: number | null;
  connectionsPerCamera: number | null;
  /** New connections of one address in a second, on average over some seconds. */
  handshakesPerSecond: number | null;
  /** From one connection's viewer, on average over some seconds. */
  messagesPerSecond: number | null;
  bytesPerSecond: number | null;
}

export const defaultConnectionLimits: ConnectionLimitOptions = {
  connections: MAX_CONNECTIONS,
  connectionsPerAddress: MAX_CONNECTIONS_PER_ADDRESS,
  connectionsPerViewer: null,
  connectionsPerCamera: null,
  handshakesPerSecond: MAX_HANDSHAKES_PER_SECOND,
  messagesPerSecond: MAX_VIEWER_MESSAGES_PER_SECOND,
  bytesPerSecond: MAX_VIEWER_BYTES_PER_SECOND,
};

/** A connection's place among all; `leave` may be called twice. */
export interface Place {
  /** Takes a viewer's and a camera's place as well. Returns why not, or null. */
  claim(viewer: string | null, camera: string | null): string | null;
  leave(): void;
}

export class ConnectionLimits {
  #limits: ConnectionLimitOptions;
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  readonly #handshakes = new Map<string, TokenBucket>();

  constructor(limits: Partial<ConnectionLimitOptions>, clock: Clock) {
    this.#limits = { ...defaultConnectionLimits, ...limits };
    this.#clock = clock;
  }

  get options(): Readonly<ConnectionLimitOptions> {
    return this.#limits;
  }

  /** Other limits from now on; those who are in stay in. */
  change(limits: Partial<ConnectionLimitOptions>): void {
    this.#limits = { ...defaultConnectionLimits, ...limits };
    this.#handshakes.clear();
  }

  /** Whether one more handshake of this address is to be looked at. */
  allowsHandshake(address: string): boolean {
    const { handshakesPerSecond } = this.#limits;
    if (handshakesPerSecond === null) return true;
    const now = this.#clock.now();
    const key = this.#bucketKey(addressGroup(address), now);
    let bucket = this.#handshakes.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(handshakesPerSecond, handshakesPerSecond * HANDSHAKE_BURST_SECONDS, now);
      this.#handshakes.set(key, bucket);
    }
    return bucket.take(1, now);
  }

  /** A place for a connection of this address, or the reason why there is none. */
  enter(address: string): Place | string {
    const { connections, connectionsPerAddress } = this.#limits;
    const taken: string[] = [];
    const take = (key: string, limit: number | null): boolean => {
      const count = this.#counts.get(key) ?? 0;
      if (limit !== null && count >= limit) return false;
      this.#counts.set(key, count + 1);
      taken.push(key);
      return true;
    };
    const leave = (): void => {
      for (const key of taken.splice(0)) this.#release(key);
    };
    const refuse = (reason: string): string => {
      leave();
      return reason;
    };
    if (!take('all', connections)) return 'The proxy has as many connections as it may.';
    if (!take(`address ${addressGroup(address)}`, connectionsPerAddress)) {
      return refuse('This address has as many connections as it may.');
    }
    return {
      claim: (viewer, camera) => {
        const { connectionsPerViewer, connectionsPerCamera } = this.#limits;
        if (viewer !== null && !take(`viewer ${viewer}`, connectionsPerViewer)) {
          return 'This viewer has as many connections as it may.';
        }
        if (camera !== null && !take(`camera ${camera}`, connectionsPerCamera)) {
          return 'This camera has as many viewers as it may.';
        }
        return null;
      },
      leave,
    };
  }

  #release(key: string): void {
    const count = (this.#counts.get(key) ?? 1) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }

  /** Addresses beyond those that can be remembered share one bucket. */
  #bucketKey(group: string, now: number): string {
    if (this.#handshakes.has(group) || this.#handshakes.size < MAX_TRACKED_ADDRESSES) return group;
    for (const [key, bucket] of this.#handshakes) {
      if (bucket.isFull(now)) this.#handshakes.delete(key);
    }
    return this.#handshakes.size < MAX_TRACKED_ADDRESSES ? group : 'others';
  }
}
