/**
 * Several processes that share the addresses, one a core: the first one starts them, deals new connections out in turn,
 * replaces those that end unasked or hang, passes on what signals mean, writes their log, and adds up their metrics. What each of
 * them does is in worker.ts.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StreamError } from '../shared/errors.js';
import {
  MAX_LOG_LINE_CHARACTERS,
  MAX_WORKER_RESTART_MS,
  MIN_WORKER_RESTART_MS,
  STEADY_WORKER_MS,
  WORKER_END_GRACE_MS,
  WORKER_METRICS_TIMEOUT_MS,
  WORKER_PINGS,
} from '../shared/limits.js';
import { parseAccess, secretsOf } from './config.js';
import { defaultTimeouts } from './connection.js';
import { createLogger, type ProxyLogger } from './log.js';
import { SummedMetrics } from './metrics.js';
import { createRtspProxy } from './proxy.js';
import { asksWhoItIs, checkOpenness, type MetricsServer, startMetricsServer } from './server.js';
import {
  announce,
  type ServiceSettings,
  startDemo,
  stopOnSignals,
  tryReload,
  warnOfStartOnly,
  withCamera,
} from './service.js';
import type { FromWorker, ToWorker } from './worker-messages.js';
import { shareOf } from './worker-share.js';

interface Listening {
  urls: readonly string[];
  isPublic: boolean;
}

/**
 * Starts the workers; resolves when all of them listen, and rejects with the words of the first one when it cannot.
 * @param readAgain - the settings as they are now; throws `invalid-argument`
 */
export async function runWorkers(first: ServiceSettings, readAgain: () => ServiceSettings): Promise<void> {
  const { workers: count } = first;
  const demo = first.demo ? await startDemo() : null;
  const complete = (settings: ServiceSettings): ServiceSettings => withCamera(settings, demo?.camera ?? null);
  const format = first.log.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const settings = complete({ ...first, log: { ...first.log, format } });
  const logger = await createLogger({ ...settings.log, secrets: secretsOf(parseAccess(settings.access)) });
  const crew = new Crew(settings, logger);
  let metricsServer: MetricsServer | null = null;
  let listening: Listening;
  try {
    if (settings.metricsListen !== null) metricsServer = await startMetricsServer(crew.metrics, settings.metricsListen);
    listening = await crew.start(count);
  } catch (error) {
    await crew.stop(0);
    metricsServer?.close();
    await demo?.close();
    throw error;
  }
  process.on('SIGHUP', () => {
    crew.areSettingsCurrent = tryReload(logger, () => {
      const again = readAgain();
      crew.reload(complete(again));
      warnOfStartOnly(first, again, logger);
    });
  });
  stopOnSignals(async (signal) => {
    await crew.stop(signal === 'SIGTERM' ? settings.drainMs : 0);
    metricsServer?.close();
    await demo?.close();
    await logger.flush();
  });
  const beside = settings.metrics ? `${listening.urls[0]}metrics` : null;
  announce(settings, listening.urls, metricsServer?.url ?? beside, listening.isPublic, logger);
  logger.info('All workers listen.', { workers: count });
}

/** The workers, by their numbers. */
class Crew {
  readonly metrics: SummedMetrics;
  /** Whether the settings that were last read could be used. */
  areSettingsCurrent = true;
  readonly #logger: ProxyLogger;
  readonly #members = new Map<number, Worker>();
  /** Those that wait to be started again. */
  readonly #timers = new Set<NodeJS.Timeout>();
  /** How often in a row a worker ended soon after it was started, by its number. */
  readonly #quickEnds = new Map<number, number>();
  /** How many pings in a row a worker that listens has not answered. */
  readonly #unanswered = new Map<Worker, number>();
  #pings: NodeJS.Timeout | null = null;
  /** What new workers get. */
  #settings: ServiceSettings;
  #restarts = 0;
  #hasStarted = false;
  #isStopping = false;
  #isPublic = false;

  constructor(settings: ServiceSettings, logger: ProxyLogger) {
    this.#settings = settings;
    this.#logger = logger;
    this.metrics = new SummedMetrics({
      ask: () => {
        const workers = [...this.#members.values()];
        for (const worker of workers) send(worker, { kind: 'measure' });
        return workers.map(({ id }) => id);
      },
      timeoutMs: WORKER_METRICS_TIMEOUT_MS,
      workers: () => this.#members.size,
      restarts: () => this.#restarts,
      lostLogLines: () => logger.lostLines,
      areSettingsCurrent: () => this.areSettingsCurrent,
    });
    const exec = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
    // Node deals connections out in turn by itself; numbers that are none pass between processes in this form only.
    cluster.setupPrimary({ exec, args: [], serialization: 'advanced', stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  }

  /** One first: what is wrong with the settings is said once. */
  async start(count: number): Promise<Listening> {
    const listening = await this.#startOne(1);
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => this.#startOne(index + 2)));
    this.#hasStarted = true;
    const { workerMs } = { ...defaultTimeouts, ...this.#settings.access.timeouts };
    this.#pings = setInterval(() => this.#pingAll(), workerMs / WORKER_PINGS);
    return listening;
  }

  /** Other settings for all, and for those to come; throws `invalid-argument`, and then all stays as it was. */
  reload(settings: ServiceSettings): void {
    this.#logger.hide(secretsOf(parseAccess(settings.access)));
    const { access: last } = this.#settings;
    checkOpenness(settings.access, {
      isPublic: this.#isPublic,
      asks: asksWhoItIs(last),
      insecurePublic: settings.insecurePublic,
    });
    // One that could not be made here cannot be made there.
    createRtspProxy(settings.access);
    // Everything but what can be changed is as at the start.
    const { workers } = this.#settings;
    this.#settings = { ...this.#settings, access: settings.access, insecurePublic: settings.insecurePublic };
    const { insecurePublic } = settings;
    const access = shareOf(settings.access, workers);
    for (const worker of this.#members.values()) send(worker, { kind: 'reload', access, insecurePublic });
  }

  /** Resolves when all have ended: by themselves, or, when that takes too long, by force. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#pings !== null) clearInterval(this.#pings);
    const { shutdownMs } = { ...defaultTimeouts, ...this.#settings.access.timeouts };
    await Promise.all([...this.#members.values()].map((worker) => end(worker, drainMs, drainMs + shutdownMs)));
  }

  #startOne(number: number): Promise<Listening> {
    const worker = cluster.fork();
    const startedAt = performance.now();
    let hasListened = false;
    this.#members.set(number, worker);
    this.#relayLog(worker);
    const ready = new Promise<Listening>((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'hello') {
          const { access, workers } = this.#settings;
          const settings = { ...this.#settings, access: shareOf(access, workers) };
          send(worker, { kind: 'start', worker: number, settings, hasColors: process.stderr.isTTY === true });
        } else if (message.kind === 'listening') {
          hasListened = true;
          this.#unanswered.set(worker, 0);
          this.#isPublic = message.isPublic;
          resolve(message);
        } else if (message.kind === 'failed') {
          reject(new StreamError(message.code, message.message));
          worker.process.kill('SIGKILL');
        } else if (message.kind === 'pong') {
          this.#unanswered.set(worker, 0);
        } else if (message.kind === 'measured') {
          // What it said last may come after its end, when its numbers have been put to the others already.
          if (this.#members.get(number) === worker) this.metrics.take(worker.id, message.snapshot);
        } else if (message.kind === 'metricsWanted') {
          this.metrics.text().then(
            (text) => send(worker, { kind: 'metrics', text }),
            () => send(worker, { kind: 'metrics', text: null }),
          );
        }
      });
      worker.once('exit', () => reject(new StreamError('connection-failed', 'A worker has ended before it listened.')));
    });
    worker.once('exit', (code, signal) => {
      this.#members.delete(number);
      this.#unanswered.delete(worker);
      this.metrics.leave(worker.id);
      // At the start, one that cannot begin is the end of all.
      const isWanted = this.#hasStarted || hasListened;
      if (isWanted && !this.#isStopping) this.#replace(number, performance.now() - startedAt, { code, signal });
    });
    // That it cannot be spoken to any more is seen by its exit.
    worker.on('error', () => {});
    return ready;
  }

  /** Counts pings, not time: when this process has slept, all of them have. */
  #pingAll(): void {
    for (const [number, worker] of this.#members) {
      const unanswered = this.#unanswered.get(worker);
      if (unanswered === undefined) continue;
      if (unanswered >= WORKER_PINGS) {
        this.#logger.error('A worker does not answer, and is killed.', { worker: number });
        worker.process.kill('SIGKILL');
      }
      this.#unanswered.set(worker, unanswered + 1);
      send(worker, { kind: 'ping' });
    }
  }

  #replace(number: number, livedMs: number, why: { code: number | null; signal: string | null }): void {
    const quickEnds = livedMs < STEADY_WORKER_MS ? (this.#quickEnds.get(number) ?? 0) + 1 : 0;
    this.#quickEnds.set(number, quickEnds);
    const delayMs = restartDelayMs(quickEnds, livedMs);
    this.#logger.error('A worker has ended; another one takes its place.', { worker: number, ...why, delayMs });
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#restarts++;
      this.#startOne(number).then(
        () => this.#logger.info('The worker listens again.', { worker: number }),
        (error: Error) => this.#logger.error('A worker cannot start.', { worker: number, reason: error.message }),
      );
    }, delayMs);
    this.#timers.add(timer);
  }

  /** Whole lines, one after the other, whichever worker they are from. */
  #relayLog({ process: { stderr } }: Worker): void {
    if (stderr === null) return;
    forEachLine(stderr, (line) => this.#logger.relay(`${line}\n`));
  }
}

/**
 * How long to wait before a worker is started again: not at all after a steady life, some time between starts when it
 * dies again and again, and more each time.
 * @param quickEnds - how often in a row it has died soon
 */
export function restartDelayMs(quickEnds: number, livedMs: number): number {
  if (quickEnds === 0) return 0;
  const intervalMs = Math.min(MIN_WORKER_RESTART_MS * 2 ** (quickEnds - 1), MAX_WORKER_RESTART_MS);
  return Math.round(Math.max(0, intervalMs - livedMs));
}

/** Calls with each line, without its end; a line that is too long comes in pieces. */
export function forEachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length <= MAX_LOG_LINE_CHARACTERS) return;
    onLine(rest);
    rest = '';
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  stream.on('error', () => {});
}

function send(worker: Worker, message: ToWorker): void {
  // One that ends at this moment is replaced; it need not be told.
  if (worker.isConnected()) worker.process.send?.(message, undefined, {}, () => {});
}

/** Asks a worker to end, and makes sure of it. */
async function end(worker: Worker, drainMs: number, mostMs: number): Promise<void> {
  // With the last lines that it has said.
  const closed = once(worker.process, 'close');
  if (worker.isDead()) return;
  const timer = setTimeout(() => worker.process.kill('SIGKILL'), mostMs + WORKER_END_GRACE_MS);
  send(worker, { kind: 'stop', drainMs });
  await closed;
  clearTimeout(timer);
}
