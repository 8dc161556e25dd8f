/**
 * Log lines → standard error. A full disk, a reader that does not read and one that has gone cost lines and nothing else:
 * nothing here throws or waits, and what waits to be read is bounded.
 */
import { fstatSync, writeSync } from 'node:fs';
import { MAX_LOG_BACKLOG_BYTES } from '../shared/limits.js';

export interface LogDestination {
  /** Returns whether the line is on its way. */
  write(line: string): boolean;
  /** Lines that seemed on their way, and were lost all the same. */
  readonly lostLater: number;
  /** Calls back when all that waits was written, which may be never. */
  flush(done: () => void): void;
}

const STANDARD_ERROR = 2;

/** The process's standard error, whatever it is. */
export function standardError(): LogDestination {
  return isFile(STANDARD_ERROR) ? toFile(STANDARD_ERROR) : toStream(process.stderr);
}

/** Each line is tried anew: Node's own stream ends with the first error, and would say nothing when there is room again. */
export function toFile(descriptor: number): LogDestination {
  return {
    write: (line) => {
      try {
        const bytes = Buffer.from(line);
        // A disk that is nearly full takes a piece of a line.
        return writeSync(descriptor, bytes) === bytes.length;
      } catch {
        return false;
      }
    },
    lostLater: 0,
    flush: (done) => done(),
  };
}

type LogStream = NodeJS.WritableStream & {
  readonly writableLength: number;
  readonly destroyed?: boolean;
  _handle?: { setBlocking?(isBlocking: boolean): void } | null;
};

/** A pipe, a socket or a terminal. By default Node would stand still until a full pipe is read. */
export function toStream(stream: LogStream): LogDestination {
  let lostLater = 0;
  // Each write that fails is counted where it was made.
  stream.on('error', () => {});
  stream._handle?.setBlocking?.(false);
  return {
    write: (line) => {
      if (stream.destroyed || stream.writableLength >= MAX_LOG_BACKLOG_BYTES) return false;
      stream.write(line, (error) => {
        if (error) lostLater++;
      });
      return true;
    },
    get lostLater() {
      return lostLater;
    },
    flush: (done) => {
      if (stream.destroyed || stream.writableLength === 0) done();
      else stream.write('', () => done());
    },
  };
}

function isFile(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() || (stats.isCharacterDevice() && !process.stderr.isTTY);
  } catch {
    return false;
  }
}
