/**
 * Log lines by pino: JSON for collectors, or words for a terminal. The last place where a secret can be kept in, and one
 * that must not take the proxy down: what cannot be written is dropped, counted, and said when something can be written.
 */
import { type DestinationStream, type Level, pino } from 'pino';
import { LOG_FLUSH_TIMEOUT_MS, MAX_LOG_FIELD_CHARACTERS } from '../shared/limits.js';
import type { LogFields, Logger } from '../shared/logger.js';
import { redactUrl } from '../shared/redaction.js';
import { type LogDestination, standardError } from './log-destination.js';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LoggerOptions {
  /** The lowest level that is written; `info` by default. */
  level?: LogLevel;
  /** `pretty` by default on a terminal, `json` elsewhere. */
  format?: LogFormat;
  /** For `pretty`; on a terminal by default. */
  hasColors?: boolean;
  /** Stands in each line, when several processes write one log. */
  worker?: number;
  /** Words that must never appear: the passwords of the configuration. */
  secrets?: readonly string[];
  /** Takes whole lines, instead of standard error. False: this one could not be written. */
  write?: (line: string) => unknown;
}

export interface ProxyLogger extends Logger {
  /** More words that must never appear. */
  hide(secrets: readonly string[]): void;
  /** Writes a line that another process has made, with its end. */
  relay(line: string): void;
  /** Lines that could not be written so far. */
  readonly lostLines: number;
  /** Resolves when what waits was written, or nobody takes it; for the end of the process. */
  flush(): Promise<void>;
}

export async function createLogger(options: LoggerOptions = {}): Promise<ProxyLogger> {
  const { level = 'info', write, worker } = options;
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const hidden = new Set(options.secrets);
  const destination = write === undefined ? standardError() : toFunction(write);
  let isTaken = true;
  const sink: DestinationStream = {
    write: (line) => {
      isTaken = destination.write(line);
    },
  };
  const { hasColors = process.stderr.isTTY === true } = options;
  const stream = format === 'json' ? sink : await prettyStream(sink, hasColors);
  const logger = pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  let lostLines = 0;
  /** Of those, the ones that nobody has been told of. */
  let untold = 0;
  const attempt = (writeLine: () => void): void => {
    if (untold > 0) {
      logger.error({ lines: untold }, 'The log could not be written; lines were lost.');
      if (isTaken) untold = 0;
    }
    isTaken = true;
    writeLine();
    if (isTaken) return;
    lostLines++;
    untold++;
  };
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (!logger.isLevelEnabled(name)) return;
      const secrets = [...hidden];
      const clean: Record<string, string | number | boolean> = {};
      for (const [key, value] of Object.entries(fields)) {
        if (value === undefined || value === null) continue;
        clean[key] =
          typeof value === 'string' ? redact(oneLine(value), secrets).slice(0, MAX_LOG_FIELD_CHARACTERS) : value;
      }
      attempt(() => logger[name](clean, redact(oneLine(message), secrets)));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    hide: (secrets) => {
      for (const secret of secrets) hidden.add(secret);
    },
    relay: (line) => attempt(() => sink.write(line)),
    get lostLines() {
      return lostLines + destination.lostLater;
    },
    flush: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, LOG_FLUSH_TIMEOUT_MS);
        destination.flush(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

/** The text without the userinfo of URLs, without values that look like secrets, and without these words. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactUrl(secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '***')), text));
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function toFunction(write: (line: string) => unknown): LogDestination {
  return { write: (line) => write(line) !== false, lostLater: 0, flush: (done) => done() };
}

async function prettyStream(sink: DestinationStream, colorize: boolean): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ colorize, messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return { write: (line) => sink.write(pretty(JSON.parse(line))) };
}
