/** What the first process and its workers say to each other. */
import type { ErrorCode } from '../shared/errors.js';
import type { AccessOptions } from './config.js';
import type { MetricsSnapshot } from './metrics.js';
import type { ServiceSettings } from './service.js';

/** What a worker starts with: it reads no file and no argument itself, so that all have the same settings. */
export interface WorkerStart {
  /** From 1; a worker that takes the place of another one has its number. */
  worker: number;
  settings: ServiceSettings;
  /** Of a terminal that the worker does not see. */
  hasColors: boolean;
}

export type ToWorker =
  | ({ kind: 'start' } & WorkerStart)
  | { kind: 'reload'; access: AccessOptions; insecurePublic: boolean }
  | { kind: 'stop'; drainMs: number }
  /** Are you there? */
  | { kind: 'ping' }
  /** What are your numbers? */
  | { kind: 'measure' }
  /** Those of all, as Prometheus reads them; null when they could not be had. */
  | { kind: 'metrics'; text: string | null };

export type FromWorker =
  /** It can be spoken to. */
  | { kind: 'hello' }
  | { kind: 'listening'; urls: readonly string[]; isPublic: boolean }
  | { kind: 'failed'; code: ErrorCode; message: string }
  | { kind: 'pong' }
  | { kind: 'measured'; snapshot: MetricsSnapshot }
  /** Somebody wants to see the numbers of all. */
  | { kind: 'metricsWanted' };
