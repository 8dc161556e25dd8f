/** The program that runs, in one process: settings → a proxy that listens, words on the terminal, signals. */
import { isDeepStrictEqual } from 'node:util';
import { StreamError } from '../shared/errors.js';
import type { Logger } from '../shared/logger.js';
import { type CameraOptions, type FileConfig, type ListenAddress, parseAccess, secretsOf } from './config.js';
import { createLogger, type ProxyLogger } from './log.js';
import { type RtspProxyServer, startRtspProxyServer } from './server.js';

/** Settings with nothing left open. */
export interface ServiceSettings extends FileConfig {
  listen: ListenAddress;
}

/** @param readAgain - the settings as they are now; throws `invalid-argument` */
export async function runService(first: ServiceSettings, readAgain: () => ServiceSettings): Promise<void> {
  const demo = first.demo ? await startDemo() : null;
  const settings = withCamera(first, demo?.camera ?? null);
  const logger = await createLogger({ ...settings.log, secrets: secretsOf(parseAccess(settings.access)) });
  let areSettingsCurrent = true;
  let server: RtspProxyServer;
  try {
    const metrics = settings.metricsListen ?? settings.metrics;
    server = await startServer(settings, logger, metrics, () => areSettingsCurrent);
  } catch (error) {
    await demo?.close();
    throw error;
  }
  // Before it says that it is there.
  process.on('SIGHUP', () => {
    areSettingsCurrent = tryReload(logger, () => {
      const again = readAgain();
      reload(server, logger, withCamera(again, demo?.camera ?? null));
      warnOfStartOnly(first, again, logger);
    });
  });
  stopOnSignals(async (signal) => {
    await server.close(signal === 'SIGTERM' ? settings.drainMs : 0);
    await demo?.close();
    await logger.flush();
  });
  announce(settings, server.urls, server.metricsUrl, server.isPublic, logger);
}

export function startServer(
  { access, listen, tls, insecurePublic }: ServiceSettings,
  logger: ProxyLogger,
  metrics: Parameters<typeof startRtspProxyServer>[0]['metrics'],
  areSettingsCurrent: () => boolean,
): Promise<RtspProxyServer> {
  return startRtspProxyServer({
    ...access,
    ...{ listen, insecurePublic, logger, areSettingsCurrent, tls: tls ?? undefined },
    ...(metrics === undefined ? {} : { metrics }),
  });
}

/** What can be reloaded. */
export type ReloadableSettings = Pick<ServiceSettings, 'access' | 'insecurePublic'>;

/** Puts other settings in force, or throws `invalid-argument` and leaves all as it was. */
export function reload(
  server: RtspProxyServer,
  logger: ProxyLogger,
  { access, insecurePublic }: ReloadableSettings,
): void {
  logger.hide(secretsOf(parseAccess(access)));
  server.reconfigure(access, insecurePublic);
  logger.info('The settings were read again. Addresses, TLS, logging and metrics are as at the start.', {
    cameras: access.cameras?.length ?? 0,
  });
}

/** Settings that are looked at when the program starts, and not again. */
const startOnly = ['listen', 'tls', 'workers', 'demo', 'log', 'metrics', 'metricsListen', 'drainMs'] as const;

/** Says which settings have changed to no effect. */
export function warnOfStartOnly(first: ServiceSettings, again: ServiceSettings, logger: Logger): void {
  const changed = startOnly.filter((name) => !isDeepStrictEqual(first[name], again[name]));
  if (changed.length === 0) return;
  logger.warn('Settings have changed that count only when the proxy starts.', { settings: changed.join(', ') });
}

/** Says in the log why a reload did not happen, and returns whether it did. */
export function tryReload(logger: Logger, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (thrown) {
    const { message } = StreamError.from(thrown, 'invalid-argument', String(thrown));
    logger.error('The new settings cannot be used; all stays as it was.', { reason: message });
    return false;
  }
}

export function withCamera(settings: ServiceSettings, camera: CameraOptions | null): ServiceSettings {
  if (camera === null) return settings;
  const { access } = settings;
  return { ...settings, access: { ...access, cameras: [...(access.cameras ?? []), camera] } };
}

/** What is said when it listens: pages to open, and what may not be as it was meant. */
export function announce(
  { access, tls }: ServiceSettings,
  urls: readonly string[],
  metricsUrl: string | null,
  isPublic: boolean,
  logger: Logger,
): void {
  for (const url of urls) process.stdout.write(`Open ${url}\n`);
  if (metricsUrl !== null) process.stdout.write(`Metrics at ${metricsUrl}\n`);
  if (isPublic && access.authorization === undefined) {
    logger.warn('Other machines can reach this proxy: whoever can, sees its cameras. Let a firewall decide who can.');
  }
  if (isPublic && access.authorization !== undefined && tls === null) {
    logger.warn('Tokens and cookies pass in the open: use --tls-certificate, or a load balancer that has TLS.');
  }
  if ((access.cameras ?? []).length === 0 && (access.allow ?? []).length === 0) {
    logger.warn('There is no camera and no allowlist, so nothing can be seen. See --help.');
  }
}

/** The first SIGINT or SIGTERM ends in good order, the second at once. */
export function stopOnSignals(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    stop(signal).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

export async function startDemo(): Promise<{ camera: CameraOptions; close(): Promise<void> }> {
  const { startDemoCamera } = await import('./demo/camera.js');
  const camera = await startDemoCamera({ host: '127.0.0.1', port: 0 });
  return {
    camera: { name: 'demo', title: 'Demo camera', streams: { main: camera.url, sub: `${camera.url}/sub` } },
    close: async () => camera.close(),
  };
}
