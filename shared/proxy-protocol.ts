import { type ErrorCode, StreamError } from './errors.js';
import { MAX_CLOSE_REASON_BYTES } from './limits.js';

/**
 * What the proxy and the player agree on: paths, subprotocols and close codes. The bytes inside are RTSP over WebSocket
 * as ONVIF has it (Streaming Specification, 5.1.1.4): binary messages whose boundaries mean nothing.
 */

/** ONVIF's name for RTSP over WebSocket; offered alone, since some servers compare the header exactly. */
export const RTSP_SUBPROTOCOL = 'rtsp.onvif.org';

/** Accepted by the proxy besides, and offered to foreign servers where ONVIF's name failed: Axis wants it. */
export const BINARY_SUBPROTOCOL = 'binary';

/** Paths of the raw tunnel: ours, Axis's and Dahua's. The first is also the prefix of named cameras: `/rtsp/<name>`. */
export const TUNNEL_PATHS = ['/rtsp', '/rtsp-over-websocket', '/rtspoverwebsocket'] as const;

/** The host that stands for a named camera in its RTSP URLs is its name: `rtsp://<name>/` and `rtsp://<name>/<k>`. */
export const CAMERA_NAME_PATTERN = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;

/** Close codes that the proxy sends, with the failure each one means to a player. */
export const CloseCode = {
  goingDown: 1001,
  /** Who may enter cannot be found out just now (IANA's registry of close codes); players come again later. */
  tryAgainLater: 1013,
  notRtsp: 4400,
  tokenInvalid: 4401,
  forbidden: 4403,
  cameraUnknown: 4404,
  limitReached: 4429,
  cameraRefused: 4502,
  cameraRejectsCredentials: 4503,
  cameraUnreachable: 4504,
} as const;

export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

const closeErrors: ReadonlyMap<number, { code: ErrorCode; sentence: string }> = new Map([
  [CloseCode.goingDown, { code: 'proxy-going-down', sentence: 'The proxy is going down.' }],
  [CloseCode.notRtsp, { code: 'not-rtsp', sentence: 'The other end does not speak RTSP.' }],
  [CloseCode.tokenInvalid, { code: 'token-invalid', sentence: 'The proxy wants a valid access token.' }],
  [CloseCode.forbidden, { code: 'forbidden', sentence: 'The proxy does not allow this connection.' }],
  [CloseCode.cameraUnknown, { code: 'not-found', sentence: 'The proxy knows no camera of this name.' }],
  [CloseCode.limitReached, { code: 'limit-reached', sentence: 'The proxy has reached a limit.' }],
  [CloseCode.cameraRefused, { code: 'camera-refused', sentence: 'The camera refused or closed the connection.' }],
  [
    CloseCode.cameraRejectsCredentials,
    { code: 'camera-rejects-credentials', sentence: "The camera rejects the proxy's credentials." },
  ],
  [CloseCode.cameraUnreachable, { code: 'camera-unreachable', sentence: 'The camera does not answer.' }],
]);

/**
 * The failure behind a close event of the WebSocket.
 * @param code - the close code; codes that are not the proxy's become `connection-closed`
 * @param reason - the proxy's sentence; used as the message when there is one
 */
export function closeError(code: number, reason: string): StreamError {
  const known = closeErrors.get(code);
  if (known === undefined) {
    const detail = reason === '' ? '' : `: ${reason}`;
    return new StreamError('connection-closed', `The connection was closed (code ${code})${detail}.`);
  }
  return new StreamError(known.code, reason === '' ? known.sentence : reason);
}

/** Cuts a close reason to what fits in a close frame (123 bytes of UTF-8), never in the middle of a character. */
export function closeReason(sentence: string): string {
  const bytes = new TextEncoder().encode(sentence);
  if (bytes.length <= MAX_CLOSE_REASON_BYTES) return sentence;
  let end = MAX_CLOSE_REASON_BYTES - 3;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${new TextDecoder().decode(bytes.subarray(0, end))}…`;
}

/** What `/cameras` answers: a list, in the configuration's order. */
export interface CameraListing {
  /** As in `src` and in `/rtsp/<name>`. */
  name: string;
  /** For people; the name when none was configured. */
  title: string;
  /** Names of the streams, the first being the one that `/rtsp/<name>` plays; for example `main`, `sub`. */
  streams: string[];
}
