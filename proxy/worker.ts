/** One of several processes that share an address; workers.ts has started it and tells it everything. */
import { StreamError } from '../shared/errors.js';
import { parseAccess, secretsOf } from './config.js';
import { createLogger, type ProxyLogger } from './log.js';
import type { Metrics, MetricsSource } from './metrics.js';
import type { RtspProxyServer } from './server.js';
import { reload, startServer, tryReload } from './service.js';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.js';

interface Running {
  server: RtspProxyServer;
  logger: ProxyLogger;
}

let metrics: Metrics | null = null;
let started: Promise<void> = Promise.resolve();
let running: Running | null = null;
let areSettingsCurrent = true;
/** HTTP requests that wait for the numbers of all workers. */
const wanted: ((text: string | null) => void)[] = [];

function tell(message: FromWorker): void {
  // Without the first process there is nobody to tell, and Node ends this one.
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}

/** Of all workers, as the first process knows them. */
const allMetrics = (own: Metrics): MetricsSource => ({
  contentType: own.contentType,
  text: () =>
    new Promise((resolve, reject) => {
      wanted.push((text) => {
        if (text === null) reject(new Error('The metrics of all workers could not be had.'));
        else resolve(text);
      });
      if (wanted.length === 1) tell({ kind: 'metricsWanted' });
    }),
});

async function start({ settings, worker, hasColors }: WorkerStart): Promise<void> {
  const secrets = secretsOf(parseAccess(settings.access));
  const logger = await createLogger({ ...settings.log, worker, hasColors, secrets });
  const measures = settings.metrics || settings.metricsListen !== null;
  const show = (own: Metrics): MetricsSource | null => {
    metrics = own;
    return settings.metricsListen === null ? allMetrics(own) : null;
  };
  const server = await startServer(settings, logger, measures ? show : false, () => areSettingsCurrent);
  running = { server, logger };
  tell({ kind: 'listening', urls: server.urls, isPublic: server.isPublic });
}

async function stop(drainMs: number): Promise<void> {
  await running?.server.close(drainMs);
  await running?.logger.flush();
}

function onMessage(message: ToWorker): void {
  switch (message.kind) {
    case 'start':
      started = start(message).catch((thrown: unknown) => {
        const { code, message: words } = StreamError.from(thrown, 'connection-failed', String(thrown));
        tell({ kind: 'failed', code, message: words });
      });
      break;
    case 'reload':
      void started.then(() => {
        if (running === null) return;
        const { server, logger } = running;
        areSettingsCurrent = tryReload(logger, () => reload(server, logger, message));
      });
      break;
    case 'stop':
      stop(message.drainMs).then(
        () => process.exit(0),
        () => process.exit(1),
      );
      break;
    case 'ping':
      tell({ kind: 'pong' });
      break;
    case 'measure':
      metrics?.snapshot().then(
        (snapshot) => tell({ kind: 'measured', snapshot }),
        () => {},
      );
      break;
    case 'metrics':
      for (const answer of wanted.splice(0)) answer(message.text);
      break;
  }
}

// Signals come to all processes of a terminal or a unit; the first one's word counts.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('message', onMessage);
tell({ kind: 'hello' });
