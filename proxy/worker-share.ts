/**
 * The settings of all workers together → those of one. Workers know nothing of each other; connections are dealt out to
 * them in turn, so each gets its part of what is allowed in all, rounded up.
 */
import { MAX_TIMEOUT_MS } from '../shared/limits.js';
import type { AccessOptions } from './config.js';
import { defaultTimeouts } from './connection.js';
import { type ConnectionLimitOptions, defaultConnectionLimits } from './connection-limits.js';

/** Limits that are about more than one connection; null is without limit. */
const shared = [
  'connections',
  'connectionsPerAddress',
  'connectionsPerViewer',
  'connectionsPerCamera',
  'handshakesPerSecond',
] as const satisfies readonly (keyof ConnectionLimitOptions)[];

export function shareOf(access: AccessOptions, workers: number): AccessOptions {
  if (workers === 1) return access;
  const limits: ConnectionLimitOptions = { ...defaultConnectionLimits, ...access.limits };
  for (const name of shared) {
    const limit = limits[name];
    limits[name] = limit === null ? null : Math.ceil(limit / workers);
  }
  // All of them together try a rejected password no more often than one alone would, so that no account is locked.
  const { rejectedCredentialsMs } = { ...defaultTimeouts, ...access.timeouts };
  const timeouts = {
    ...access.timeouts,
    rejectedCredentialsMs: Math.min(rejectedCredentialsMs * workers, MAX_TIMEOUT_MS),
  };
  return { ...access, limits, timeouts };
}
