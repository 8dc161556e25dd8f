import type { RtspResponse } from '../../shared/rtsp-message.js';

/** What the status of an RTSP response says about what to do next (RFC 2326, 7.1.1). */

export function isSuccess(response: RtspResponse): boolean {
  return response.status >= 200 && response.status < 300;
}

/** Statuses that say that the camera does not have the method or option: asking again will not help. */
const unavailable: ReadonlySet<number> = new Set([405, 501, 505, 551]);

/** Why a 401 stands. */
export type Refusal = 'credentials-missing' | 'credentials-rejected' | 'scheme-unknown';

/** Whether the status says that the server does not have the method, or not here. */
export function saysMethodUnavailable(status: number): boolean {
  return unavailable.has(status);
}
