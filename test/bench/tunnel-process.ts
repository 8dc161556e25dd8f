import { fileURLToPath } from 'node:url';
import { type LineProcess, startLineProcess } from '../support/child-process.js';

/** A WebSocket proxy to compare with, in a process of its own. */
export interface TunnelProcess {
  readonly process: LineProcess;
  readonly port: number;
  /** The path under which it reaches a camera's HOST:PORT. */
  path(target: string): string;
  stop(): Promise<void>;
}

/** @param listenPort - 0 takes a free one */
export async function startTunnel(kind: 'bare' | 'peer', listenPort = 0): Promise<TunnelProcess> {
  const file = kind === 'bare' ? './bare-relay.mjs' : './peer-proxy.cjs';
  const script = fileURLToPath(new URL(file, import.meta.url));
  const process_ = startLineProcess(process.execPath, [script, String(listenPort)]);
  const port = await process_.waitForLine((line) => /^listening on (\d+)$/.exec(line)?.[1]);
  return {
    process: process_,
    port: Number(port),
    path: (target) => (kind === 'bare' ? `/${target}` : '/'),
    stop: () => process_.stop(500),
  };
}
