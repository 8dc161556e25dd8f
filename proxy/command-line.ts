/** The command line: arguments → a running proxy, and words on the terminal. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { StreamError } from '../shared/errors.js';
import { type ListenAddress, parseSettings, readSettings, type Settings } from './config.js';
import { redact } from './log.js';
import { applyArguments, argumentTypes, optionUsage } from './options.js';
import { createRtspProxy } from './proxy.js';
import { runService, type ServiceSettings } from './service.js';
import { readTlsFiles } from './tls.js';

export const usage = `Usage: rtsp-player-proxy [options]

Shows RTSP cameras in web pages. Without --camera and --allow it connects to nothing.

  --config FILE            JSON with all that follows (config-schema.json); lists are put together
  --check-config           says whether the settings are good, and ends
  --help, --version

${optionUsage}`;

/** What the arguments ask for. */
export interface CommandLine extends ServiceSettings {
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

/** Runs until a signal ends it. */
async function serve(command: CommandLine, args: readonly string[]): Promise<void> {
  const readAgain = (): CommandLine => {
    const again = parseCommandLine(args);
    return typeof again === 'string' ? command : again;
  };
  if (command.workers === 1) await runService(command, readAgain);
  else await (await import('./workers.js')).runWorkers(command, readAgain);
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
