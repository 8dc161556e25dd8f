import { fileURLToPath } from 'node:url';
import { type LineProcess, startLineProcess } from '../support/child-process.js';

/** A WebSocket proxy to compare with, in a process of its own. */
export interface TunnelProcess {
  readonly process: LineProcess;
  readonly port: number;
  stop(): Promise<void>;
}

/** @param target - the camera's HOST:PORT */
export async function startTunnel(kind: 'bare' | 'peer', target: string): Promise<TunnelProcess> {
  const file = kind === 'bare' ? './bare-relay.mjs' : './peer-proxy.cjs';
  const script = fileURLToPath(new URL(file, import.meta.url));
  const process_ = startLineProcess(process.execPath, [script, target]);
  const port = await process_.waitForLine((line) => /^listening on (\d+)$/.exec(line)?.[1]);
  return { process: process_, port: Number(port), stop: () => process_.stop(500) };
}
