import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * A helper process of a test: its output by lines, its end by process id. It never outlives the test process by more
 * than the moment that its stdin takes to close.
 */
export interface LineProcess {
  readonly pid: number;
  /** Every line of stdout so far. */
  readonly lines: readonly string[];
  /** The last 64 KB of stderr. */
  readonly errors: string;
  readonly hasExited: boolean;
  /** The first line, past or to come, for which `match` gives something; rejects at the process's end or a time-out. */
  waitForLine<T>(match: (line: string) => T | null | undefined, timeoutMs?: number): Promise<T>;
  /** Calls `listener` with every further line of stdout. */
  onLine(listener: (line: string) => void): void;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

const MAX_ERROR_CHARACTERS = 65_536;
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program and follows its output. */
export function startLineProcess(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string | undefined>; cwd?: string } = {},
): LineProcess {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  let errors = '';
  let hasExited = false;
  let failure: Error | null = null;
  running.add(child);
  // The pipe is a lifeline only; its end must not crash the test.
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-MAX_ERROR_CHARACTERS);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const listener of [...listeners]) listener(line);
  });
  child.on('error', (error) => {
    failure = error;
  });
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasExited = true;
      running.delete(child);
      resolve();
    });
  });

  const end = async (signals: [NodeJS.Signals, number][]) => {
    for (const [name, waitMs] of signals) {
      if (hasExited) return;
      child.kill(name);
      await Promise.race([exited, delay(waitMs)]);
    }
    await exited;
  };

  return {
    get pid() {
      return child.pid ?? -1;
    },
    lines,
    get errors() {
      return errors;
    },
    get hasExited() {
      return hasExited;
    },
    waitForLine(match, timeoutMs = 20_000) {
      return new Promise((resolve, reject) => {
        const settle = (action: () => void) => {
          clearTimeout(timer);
          listeners.delete(check);
          action();
        };
        const check = (line: string) => {
          const found = match(line);
          if (found !== null && found !== undefined) settle(() => resolve(found));
        };
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${program} did not say it within ${timeoutMs} ms.\n${errors}`))),
          timeoutMs,
        );
        listeners.add(check);
        for (const line of [...lines]) check(line);
        void exited.then(() =>
          settle(() => reject(new Error(`${program} ended (${failure?.message ?? child.exitCode}).\n${errors}`))),
        );
      });
    },
    onLine(listener) {
      listeners.add(listener);
    },
    signal(name) {
      child.kill(name);
    },
    stop: (graceMs = 3_000) =>
      end([
        ['SIGCONT', 0],
        ['SIGTERM', graceMs],
        ['SIGKILL', 5_000],
      ]),
    kill: () => end([['SIGKILL', 5_000]]),
  };
}

/** A pause, where there is no event to wait for (the time itself is what is tested). */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Runs a program to its end; rejects with its words when it fails. */
export async function runProgram(program: string, args: readonly string[], timeoutMs = 60_000): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-MAX_ERROR_CHARACTERS);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) throw new Error(`${program} ended with ${signal ?? code}.\n${errors}`);
  return output;
}
