/** The command line: arguments → a running proxy, and words on the terminal. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { StreamError } from '../shared/errors.js';
import {
  type AccessOptions,
  type CameraOptions,
  type ListenAddress,
  parseAccess,
  parseCameraArguments,
  parseConfigFile,
  parseListen,
  secretsOf,
} from './config.js';
import { createConsoleLogger, redact } from './console-logger.js';
import { startRtspProxyServer } from './server.js';

export const usage = `Usage: rtsp-player-proxy [options]

Shows RTSP cameras in web pages. Without --camera and --allow it connects to nothing.

  --listen HOST:PORT       where to listen (default 127.0.0.1:8080; port 0 takes a free one)
  --camera NAME=RTSP-URL   a camera that pages know by its name only; may be repeated.
                           NAME/STREAM=RTSP-URL adds streams: front/main=…, front/sub=…
  --allow HOST|CIDR[:PORT] a target that pages may name themselves; may be repeated.
                           Without a port, any port; IPv6 with a port: [fd00::/8]:554.
                           Loopback and link-local addresses only when listed one by one.
  --allow-origin ORIGIN    a site whose pages may connect (https://portal.example); may be repeated
  --public-host NAME       a name under which pages reach this proxy; may be repeated
  --config FILE            JSON with the same: listen, cameras, allow, allowOrigins, publicHosts, demo
  --demo                   adds an embedded camera, so that there is something to see
  --help, --version

The FILE's cameras are { "name", "title", "url" or "streams": { "main": URL, "sub": URL }, "queryParameters" }.
`;

/** What the arguments ask for. */
export interface CommandLine {
  listen: ListenAddress;
  access: AccessOptions;
  demo: boolean;
}

const defaultListen: ListenAddress = { host: '127.0.0.1', port: 8080 };

/** Reads arguments; `help` and `version` are for the terminal. Throws `invalid-argument` without credentials in it. */
export function parseCommandLine(args: readonly string[]): CommandLine | 'help' | 'version' {
  const values = readArguments(args);
  if (values.help) return 'help';
  if (values.version) return 'version';
  const file = values.config === undefined ? null : parseConfigFile(readConfig(values.config));
  const access = {
    cameras: [...(file?.access.cameras ?? []), ...parseCameraArguments(values.camera ?? [])],
    allow: [...(file?.access.allow ?? []), ...(values.allow ?? [])],
    allowOrigins: [...(file?.access.allowOrigins ?? []), ...(values['allow-origin'] ?? [])],
    publicHosts: [...(file?.access.publicHosts ?? []), ...(values['public-host'] ?? [])],
  };
  parseAccess(access);
  return {
    listen: values.listen === undefined ? (file?.listen ?? defaultListen) : parseListen(values.listen),
    access,
    demo: (values.demo ?? false) || (file?.demo ?? false),
  };
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        listen: { type: 'string' },
        camera: { type: 'string', multiple: true },
        allow: { type: 'string', multiple: true },
        'allow-origin': { type: 'string', multiple: true },
        'public-host': { type: 'string', multiple: true },
        config: { type: 'string' },
        demo: { type: 'boolean' },
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
    else await serve(command);
  } catch (thrown) {
    const error = StreamError.from(thrown, 'connection-failed', String(thrown));
    process.stderr.write(`rtsp-player-proxy: ${redact(error.message, [])}\n`);
    if (error.code === 'invalid-argument') process.stderr.write('See rtsp-player-proxy --help.\n');
    process.exitCode = error.code === 'invalid-argument' ? 2 : 1;
  }
}

async function serve(command: CommandLine): Promise<void> {
  const demo = command.demo ? await startDemo() : null;
  const cameras = [...(command.access.cameras ?? []), ...(demo === null ? [] : [demo.camera])];
  const access = { ...command.access, cameras };
  const logger = createConsoleLogger({ secrets: secretsOf(parseAccess(access).cameras) });
  let server: Awaited<ReturnType<typeof startRtspProxyServer>>;
  try {
    server = await startRtspProxyServer({ ...access, listen: command.listen, logger });
  } catch (error) {
    await demo?.close();
    throw error;
  }
  for (const url of server.urls) process.stdout.write(`Open ${url}\n`);
  if (server.isPublic) {
    logger.warn('Other machines can reach this proxy: whoever can, sees its cameras. Let a firewall decide who can.');
  }
  if (cameras.length === 0 && (access.allow ?? []).length === 0) {
    logger.warn('There is no camera and no allowlist, so nothing can be seen. See --help.');
  }
  stopOnSignals(async () => {
    await server.close();
    await demo?.close();
  });
}

/** The first SIGINT or SIGTERM ends in good order, the second at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let isStopping = false;
  const onSignal = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    stop().then(
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
