import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { within } from './test-peers.js';

/** The proxy's program from its source, in a process of its own. */

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Program {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** The exit code. */
  readonly exit: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Reads standard error no more. */
  pauseErrors(): void;
  /** The port in the URL that it prints. */
  port(): Promise<number>;
  /** What a pattern finds in its output, now or later: the first group, or all of it. */
  says(pattern: RegExp): Promise<string>;
}

/** @param file - `start` is what `npm start` runs */
export function runProgram(file: 'cli' | 'start', ...args: string[]): Program {
  const child = spawn(process.execPath, ['--import', 'tsx', `proxy/${file}.ts`, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const checks = new Set<() => void>();
  const look = (): void => {
    for (const check of [...checks]) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    look();
  });
  let isPaused = false;
  const closed = once(child, 'close');
  const exit = once(child, 'exit').then(async ([code]) => {
    // What it said last may still be on its way.
    if (!isPaused) await closed;
    return code as number | null;
  });
  const says = (pattern: RegExp): Promise<string> =>
    within(
      new Promise<string>((resolve, reject) => {
        const check = (): void => {
          const found = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (found === null) return;
          checks.delete(check);
          resolve(found[1] ?? found[0]);
        };
        checks.add(check);
        check();
        void exit.then(() => reject(new Error(`ended: ${stderr}`)));
      }),
      `${pattern} in the output`,
      20_000,
    );
  return {
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    exit: within(exit, 'The end of the process', 30_000),
    kill: (signal) => child.kill(signal),
    pauseErrors: () => {
      isPaused = true;
      child.stderr.pause();
    },
    port: async () => Number(await says(/http:\/\/127\.0\.0\.1:(\d+)\//)),
    says,
  };
}
