import { fileURLToPath } from 'node:url';
import { type LineProcess, startLineProcess } from './child-process.js';

/** The proxy as its users start it: the built command line, in a process of its own. */
export interface ProxyProcess {
  readonly port: number;
  readonly pid: number;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** `ws://127.0.0.1:PORT/rtsp`. */
  readonly webSocketUrl: string;
  /** What it printed since its last start. */
  readonly lines: readonly string[];
  readonly errors: string;
  readonly hasExited: boolean;
  /** SIGTERM: it says goodbye to its viewers. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same options, after `stop` or `kill` (or at once, killing it). */
  restart(): Promise<void>;
}

export interface ProxyOptions {
  /** Command line options besides `--listen`. */
  args?: readonly string[];
  /** 0 takes a free one. */
  port?: number;
  env?: Record<string, string>;
}

const cli = fileURLToPath(new URL('../../dist/proxy/cli.js', import.meta.url));

/** Starts the proxy on a loopback port and waits for the line with its URL. */
export async function startProxy(options: ProxyOptions = {}): Promise<ProxyProcess> {
  async function start(wanted: number): Promise<{ child: LineProcess; port: number }> {
    const args = [cli, '--listen', `127.0.0.1:${wanted}`, ...(options.args ?? [])];
    const child = startLineProcess(process.execPath, args, { env: options.env ?? {} });
    const bound = await child.waitForLine((line) => /https?:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
    return { child, port: Number(bound) };
  }

  let { child, port } = await start(options.port ?? 0);
  return {
    get port() {
      return port;
    },
    get pid() {
      return child.pid;
    },
    get origin() {
      return `http://127.0.0.1:${port}`;
    },
    get webSocketUrl() {
      return `ws://127.0.0.1:${port}/rtsp`;
    },
    get lines() {
      return child.lines;
    },
    get errors() {
      return child.errors;
    },
    get hasExited() {
      return child.hasExited;
    },
    stop: () => child.stop(),
    kill: () => child.kill(),
    async restart() {
      await child.kill();
      ({ child, port } = await start(port));
    },
  };
}
