import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { claims, hs256, secret } from '../proxy/authorization/tokens.js';
import { type LineProcess, startLineProcess } from '../support/child-process.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { startTunnel } from './tunnel-process.js';

/** What load-viewers.ts takes. */
export interface LoadViewersOptions {
  count: number;
  /** Of the proxy, on 127.0.0.1. */
  port: number;
  path: string;
  subprotocol: string | null;
  rtspUrl: string;
  /** What SETUP's URL has after `rtspUrl`. */
  control: string;
  /** Whether they stop reading as soon as PLAY is answered. */
  isStuck: boolean;
}

/** What load-viewers.ts says every 200 ms. */
export interface LoadReport {
  /** Received by all viewers since they play. */
  bytes: number;
  playing: number;
  closed: number;
  /** The longest that any of them went without data since the last report. */
  longestGapMs: number;
  /** Received since they play, by each viewer. */
  bytesOfEach: number[];
  /** From the making of a frame to its first packet's arrival, of the sampled viewers since the last report. */
  delaysMs: number[];
}

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export interface LoadCamera {
  readonly port: number;
  readonly process: LineProcess;
}

/**
 * @param bitsPerSecond - what each viewer of /live is sent
 * @param spreadMs - from the first write of a frame to the last
 */
export async function startLoadCamera(bitsPerSecond: number, spreadMs = 30): Promise<LoadCamera> {
  const args = ['--import', 'tsx', script('./load-camera.ts'), JSON.stringify({ bitsPerSecond, spreadMs })];
  const child = startLineProcess(process.execPath, args);
  const port = await child.waitForLine((line) => /^listening on (\d+)$/.exec(line)?.[1]);
  return { port: Number(port), process: child };
}

export interface LoadViewers {
  /** The latest report. */
  readonly report: LoadReport;
  /** The longest gap that any of them had since `resetGap` (or the start). */
  readonly longestGapMs: number;
  resetGap(): void;
  /** Of frames since `resetDelays` (or the start). */
  readonly delaysMs: readonly number[];
  resetDelays(): void;
  stop(): Promise<void>;
}

/** Starts viewers and waits until all of them play. */
export async function startLoadViewers(options: LoadViewersOptions): Promise<LoadViewers> {
  const child = startLineProcess(process.execPath, [
    '--import',
    'tsx',
    script('./load-viewers.ts'),
    JSON.stringify(options),
  ]);
  let report: LoadReport = { bytes: 0, playing: 0, closed: 0, longestGapMs: 0, bytesOfEach: [], delaysMs: [] };
  let longestGapMs = 0;
  let delaysMs: number[] = [];
  child.onLine((line) => {
    if (!line.startsWith('{')) return;
    report = JSON.parse(line) as LoadReport;
    longestGapMs = Math.max(longestGapMs, report.longestGapMs);
    delaysMs.push(...report.delaysMs);
  });
  try {
    await child.waitForLine((line) => (line === 'playing' ? true : null), 30_000);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    get report() {
      return report;
    },
    get longestGapMs() {
      return longestGapMs;
    },
    resetGap() {
      longestGapMs = 0;
    },
    get delaysMs() {
      return delaysMs;
    },
    resetDelays() {
      delaysMs = [];
    },
    stop: () => child.kill(),
  };
}

/**
 * The proxies that are compared: ours as a raw tunnel, with a camera by name, and with tokens, metrics and logs beside that;
 * the bare relay, the peer's.
 */
export type LoadProxyName = 'bare relay' | 'ours, raw tunnel' | 'ours, named camera' | 'ours, everything on' | 'peer';

export interface LoadProxy {
  readonly name: LoadProxyName;
  readonly pid: number;
  /** How viewers of one of its cameras reach it. */
  viewers(mount: LoadMount): Pick<LoadViewersOptions, 'port' | 'path' | 'subprotocol' | 'rtspUrl' | 'control'>;
  stop(): Promise<void>;
}

/** The mounts of load-camera.ts. */
export type LoadMount = 'live' | 'flood' | 'quiet';

/** @param ports - which camera serves which mount */
export async function startLoadProxy(
  name: LoadProxyName,
  ports: Readonly<Partial<Record<LoadMount, number>>>,
): Promise<LoadProxy> {
  const target = (mount: LoadMount) => `127.0.0.1:${ports[mount]}`;
  const direct = (mount: LoadMount) => ({ rtspUrl: `rtsp://${target(mount)}/${mount}`, control: 'video' });
  if (name === 'bare relay' || name === 'peer') {
    const tunnel = await startTunnel(name === 'peer' ? 'peer' : 'bare');
    const { pid } = tunnel.process;
    return {
      name,
      pid,
      viewers: (mount) => ({
        port: tunnel.port,
        path: tunnel.path(target(mount)),
        subprotocol: 'binary',
        ...direct(mount),
      }),
      stop: () => tunnel.stop(),
    };
  }
  const mounts = Object.keys(ports) as LoadMount[];
  const args = mounts.flatMap((mount) => [
    ...['--camera', `${mount}=rtsp://${target(mount)}/${mount}`],
    ...['--allow', target(mount)],
  ]);
  const isFull = name === 'ours, everything on';
  const proxy: ProxyProcess = await startProxy({
    args: [
      ...args,
      // Of one address and one holder of a token, as many as the bench wants.
      ...['--limit-handshakes', '10000', '--limit-connections-per-address', '10000'],
      ...['--limit-connections-per-viewer', '10000', '--limit-connections-per-camera', '10000'],
      ...(isFull
        ? ['--jwt-secret', 'env:TOKEN_SECRET', '--metrics', '--log-level', 'info', '--log-format', 'json']
        : []),
    ],
    env: { TOKEN_SECRET: secret },
  });
  const query = isFull ? `?token=${hs256(claims(['*']))}` : '';
  // As a Prometheus would, only more often.
  const scrape = isFull
    ? setInterval(
        () =>
          void fetch(`${proxy.origin}/metrics`).then(
            (r) => r.text(),
            () => {},
          ),
        1_000,
      )
    : null;
  return {
    name,
    pid: proxy.pid,
    viewers: (mount) => ({
      port: proxy.port,
      subprotocol: 'rtsp.onvif.org',
      ...(name === 'ours, raw tunnel'
        ? { path: '/rtsp', ...direct(mount) }
        : { path: `/rtsp/${mount}${query}`, rtspUrl: `rtsp://${mount}/`, control: '0' }),
    }),
    stop: () => {
      if (scrape !== null) clearInterval(scrape);
      return proxy.kill();
    },
  };
}

/** Processor time that a process has used so far, seconds (Linux: proc_pid_stat(5), in ticks of 10 ms). */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
