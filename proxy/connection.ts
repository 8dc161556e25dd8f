/** What the raw tunnel and a named camera's session have in common, as the proxy and its settings see them. */
import type { Clock } from '../shared/clock.js';
import type { ErrorCode, StreamError } from '../shared/errors.js';
import {
  AUTHORIZATION_TIMEOUT_MS,
  CAMERA_RESPONSE_TIMEOUT_MS,
  FIRST_REQUEST_TIMEOUT_MS,
  PING_INTERVAL_MS,
  REJECTED_CREDENTIALS_INTERVAL_MS,
  SHUTDOWN_TIMEOUT_MS,
  SILENCE_TIMEOUT_MS,
  UPSTREAM_CONNECT_TIMEOUT_MS,
  VIEWER_HOLD_MS,
  VIEWER_IDLE_TIMEOUT_MS,
  WORKER_SILENCE_TIMEOUT_MS,
} from '../shared/limits.js';
import type { Logger } from '../shared/logger.js';
import { CloseCode } from '../shared/proxy-protocol.js';
import type { RefusalCounts } from './refusals.js';
import type { WriteCoalescer } from './write-coalescer.js';

/** What a connection has carried so far. */
export interface Progress {
  bytesToViewer: number;
  droppedFrames: number;
}

/** One viewer and its camera. */
export interface Connection {
  /** Ends connections of which one side says nothing any more; called several times per time-out. */
  checkSilence(): void;
  /** Pings the viewer, or ends it when it has not answered the last ping. */
  checkLife(): void;
  /** Ends connections of viewers that neither ask for nor get anything; called several times per time-out. */
  checkIdle(now: number, timeoutMs: number): void;
  readonly progress: Progress;
  /** Closes the viewer with this code and lets the camera go in good order. */
  close(code: CloseCode, sentence: string): void;
  /** Ends both sides now. */
  destroy(): void;
  /** Resolves when both sides are closed. */
  readonly ended: Promise<void>;
}

/** Every wait of the proxy, in milliseconds; the defaults and their reasons are in shared/limits. */
export interface Timeouts {
  authorizationMs: number;
  idleMs: number;
  firstRequestMs: number;
  connectMs: number;
  responseMs: number;
  holdMs: number;
  silenceMs: number;
  pingMs: number;
  rejectedCredentialsMs: number;
  workerMs: number;
  shutdownMs: number;
}

export const defaultTimeouts: Timeouts = {
  authorizationMs: AUTHORIZATION_TIMEOUT_MS,
  idleMs: VIEWER_IDLE_TIMEOUT_MS,
  firstRequestMs: FIRST_REQUEST_TIMEOUT_MS,
  connectMs: UPSTREAM_CONNECT_TIMEOUT_MS,
  responseMs: CAMERA_RESPONSE_TIMEOUT_MS,
  holdMs: VIEWER_HOLD_MS,
  silenceMs: SILENCE_TIMEOUT_MS,
  pingMs: PING_INTERVAL_MS,
  rejectedCredentialsMs: REJECTED_CREDENTIALS_INTERVAL_MS,
  workerMs: WORKER_SILENCE_TIMEOUT_MS,
  shutdownMs: SHUTDOWN_TIMEOUT_MS,
};

/** What every part of the proxy is handed. */
export interface Environment {
  clock: Clock;
  logger: Logger;
  timeouts: Timeouts;
  counters: Counters;
  coalescer: WriteCoalescer;
  /** A connection to a camera was made, in so many seconds. */
  onCameraConnected?: (seconds: number) => void;
}

/** Sums since the proxy started, over all connections. */
export interface Counters {
  bytesFromViewers: number;
  /** Interleaved frames of viewers for channels that are not theirs. */
  rejectedFrames: number;
  refusals: RefusalCounts;
}

const closeCodes: Partial<Record<ErrorCode, CloseCode>> = {
  'not-rtsp': CloseCode.notRtsp,
  'invalid-url': CloseCode.notRtsp,
  forbidden: CloseCode.forbidden,
  'not-found': CloseCode.cameraUnknown,
  'limit-reached': CloseCode.limitReached,
  'camera-rejects-credentials': CloseCode.cameraRejectsCredentials,
  'camera-unreachable': CloseCode.cameraUnreachable,
  timeout: CloseCode.cameraUnreachable,
};

/** The close code that tells a viewer of this failure; `4502 the camera refused or closed` where none says more. */
export function closeCodeOf(error: StreamError): CloseCode {
  return closeCodes[error.code] ?? CloseCode.cameraRefused;
}
