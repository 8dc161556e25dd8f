/** Why viewers are turned away, in a few words that metrics can be labelled with: none of them is a viewer's own. */
import type { Denial } from './authorization/authorizer.js';

export const refusalReasons = [
  /** The Host header is not one of the proxy's names. */
  'host',
  /** The page's site may not connect, or cookies came without a page. */
  'origin',
  /** It is not known who it is: nothing came that says so. */
  'no_token',
  /** What came does not hold. */
  'bad_token',
  /** What came did hold, some time ago. */
  'expired',
  /** It is known who it is, and it may not. */
  'forbidden',
  /** Who decides cannot be asked. */
  'unavailable',
  'unknown_camera',
  /** A raw tunnel to what the allowlist does not have. */
  'target',
  /** A limit is reached: of connections, or of handshakes in a second. */
  'limit',
  /** What came is not RTSP, or nothing came in time. */
  'not_rtsp',
  'going_down',
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** How many were turned away so far. */
export type RefusalCounts = Record<RefusalReason, number>;

export function noRefusals(): RefusalCounts {
  return Object.fromEntries(refusalReasons.map((reason) => [reason, 0])) as RefusalCounts;
}

/** @param hasToken - whether the viewer had shown one */
export function reasonOfDenial({ kind, hasExpired = false }: Denial, hasToken: boolean): RefusalReason {
  if (kind !== 'unauthenticated') return kind;
  if (hasExpired) return 'expired';
  return hasToken ? 'bad_token' : 'no_token';
}
