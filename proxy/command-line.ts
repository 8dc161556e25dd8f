/** The command line: arguments → a running proxy, and words on the terminal. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { StreamError } from '../shared/errors.js';
import type { Logger } from '../shared/logger.js';
import {
  type AccessOptions,
  type CameraOptions,
  type FileConfig,
  type ListenAddress,
  parseAccess,
  parseSettings,
  readSettings,
  type Settings,
  secretsOf,
} from './config.js';
import { createLogger, type ProxyLogger, redact } from './log.js';
import { applyArguments, argumentTypes, optionUsage } from './options.js';
import { createRtspProxy } from './proxy.js';
import { insecurePublicWarning, type RtspProxyServer, startRtspProxyServer } from './server.js';
import { readTlsFiles } from './tls.js';

export const usage = `Usage: rtsp-player-proxy [options]

Shows RTSP cameras in web pages. Without --camera and --allow it connects to nothing.

  --config FILE            JSON with all that follows (config-schema.json); lists are put together
  --check-config           says whether the settings are good, and ends
  --help, --version

${optionUsage}`;

/** What the arguments ask for. */
export interface CommandLine extends Omit<FileConfig, 'listen'> {
  listen: ListenAddress;
  /** Only look whether the settings are good. */
  isCheck: boolean;
}

const defaultListen: ListenAddress = { host: '127.0.0.1', port: 8080 };

/** Reads arguments; `help` and `version` are for the terminal. Throws `invalid-argument` without credentials in it. */
export function parseCommandLine(args: readonly string[]): CommandLine | 'help' | 'version' {
  const { config, help, version, 'check-config': isCheck, ...values } = readArguments(args);
  if (help) return 'help';
  if (version) return 'version';
  const lists: Settings = { cameras: [], allow: [], allowOrigins: [], publicHosts: [] };
  const file = typeof config === 'string' ? readSettings(readConfig(config), dirname(resolve(config))) : {};
  const settings = parseSettings(applyArguments({ ...lists, ...file }, values));
  return { ...settings, listen: settings.listen ?? defaultListen, isCheck: isCheck === true };
}

function readArguments(args: readonly string[]): Record<string, unknown> {
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...argumentTypes,
        config: { type: 'string' },
        'check-config': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new StreamError('invalid-argument', redact(error instanceof Error ? error.message : String(error), []));
  }
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StreamError('invalid-argument', `The configuration file ${path} cannot be read (${code}).`);
  }
}

/** Runs until a signal ends the process. Sets the exit code: 2 for wrong arguments, 1 for other failures. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    const command = parseCommandLine(args);
    if (command === 'help') process.stdout.write(usage);
    else if (command === 'version') process.stdout.write(`${readVersion()}\n`);
    else if (command.isCheck) check(command);
    else await serve(command, args);
  } catch (thrown) {
    const error = StreamError.from(thrown, 'connection-failed', String(thrown));
    process.stderr.write(`rtsp-player-proxy: ${redact(error.message, [])}\n`);
    if (error.code === 'invalid-argument') process.stderr.write('See rtsp-player-proxy --help.\n');
    process.exitCode = error.code === 'invalid-argument' ? 2 : 1;
  }
}

/** Everything that can be known without listening and without asking a camera. */
function check({ access, listen, tls }: CommandLine): void {
  if (tls !== null) readTlsFiles(tls);
  createRtspProxy(access);
  const { length } = access.cameras ?? [];
  const cameras = `${length} camera${length === 1 ? '' : 's'}`;
  process.stdout.write(`The configuration is good: ${cameras}, listening on ${listen.host} port ${listen.port}.\n`);
}

async function serve(command: CommandLine, args: readonly string[]): Promise<void> {
  const demo = command.demo ? await startDemo() : null;
  const withDemo = (access: AccessOptions): AccessOptions =>
    demo === null ? access : { ...access, cameras: [...(access.cameras ?? []), demo.camera] };
  const access = withDemo(command.access);
  const logger = await createLogger({ ...command.log, secrets: secretsOf(parseAccess(access)) });
  let server: RtspProxyServer;
  try {
    const { listen, tls, insecurePublic, metrics, metricsListen } = command;
    server = await startRtspProxyServer({
      ...access,
      ...{ listen, insecurePublic, logger, tls: tls ?? undefined },
      metrics: metricsListen ?? metrics,
    });
  } catch (error) {
    await demo?.close();
    throw error;
  }
  // Before it says that it is there.
  process.on('SIGHUP', () => reload(args, withDemo, server, logger));
  stopOnSignals(async (signal) => {
    await server.close(signal === 'SIGTERM' ? command.drainMs : 0);
    await demo?.close();
    await logger.flush();
  });
  for (const url of server.urls) process.stdout.write(`Open ${url}\n`);
  if (server.metricsUrl !== null) process.stdout.write(`Metrics at ${server.metricsUrl}\n`);
  warn(command, access, server, logger);
}

function warn(command: CommandLine, access: AccessOptions, server: RtspProxyServer, logger: Logger): void {
  if (server.isPublic && access.authorization === undefined) {
    logger.warn('Other machines can reach this proxy: whoever can, sees its cameras. Let a firewall decide who can.');
  }
  if (server.isPublic && access.authorization !== undefined && command.tls === null) {
    logger.warn('Tokens and cookies pass in the open: use --tls-certificate, or a load balancer that has TLS.');
  }
  if ((access.cameras ?? []).length === 0 && (access.allow ?? []).length === 0) {
    logger.warn('There is no camera and no allowlist, so nothing can be seen. See --help.');
  }
}

/** SIGHUP: the arguments and the file that they name are read again; settings that make no sense leave all as it was. */
function reload(
  args: readonly string[],
  withDemo: (access: AccessOptions) => AccessOptions,
  server: RtspProxyServer,
  logger: ProxyLogger,
): void {
  try {
    const command = parseCommandLine(args);
    if (typeof command === 'string') return;
    const access = withDemo(command.access);
    logger.hide(secretsOf(parseAccess(access)));
    if (server.isPublic && access.authorization === undefined && !command.insecurePublic) {
      throw new StreamError('invalid-argument', insecurePublicWarning);
    }
    server.proxy.reconfigure(access);
    logger.info('The settings were read again. Addresses, TLS, logging and metrics are as at the start.', {
      cameras: access.cameras?.length ?? 0,
    });
  } catch (thrown) {
    const { message } = StreamError.from(thrown, 'invalid-argument', String(thrown));
    logger.error('The new settings cannot be used; all stays as it was.', { reason: message });
  }
}

/** The first SIGINT or SIGTERM ends in good order, the second at once. */
function stopOnSignals(stop: (signal: NodeJS.Signals) => Promise<void>): void {
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

async function startDemo(): Promise<{ camera: CameraOptions; close(): Promise<void> }> {
  const { startDemoCamera } = await import('./demo/camera.js');
  const camera = await startDemoCamera({ host: '127.0.0.1', port: 0 });
  return {
    camera: { name: 'demo', title: 'Demo camera', streams: { main: camera.url, sub: `${camera.url}/sub` } },
    close: async () => camera.close(),
  };
}

/** From the package's own description, which lies above the built folder and beside the source. */
function readVersion(): string {
  for (const place of ['../../package.json', '../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (name === 'rtsp-websocket-player' && version !== undefined) return version;
    } catch {
      // Not there.
    }
  }
  return 'unknown';
}
