/**
 * Log lines by pino: JSON for collectors, or words for a terminal. The last place where a secret can be kept in, and one
 * that must not take the proxy down: what cannot be written is dropped.
 */
import { type DestinationStream, type Level, pino } from 'pino';
import { LOG_FLUSH_TIMEOUT_MS, MAX_LOG_BACKLOG_BYTES } from '../shared/limits.js';
import type { LogFields, Logger } from '../shared/logger.js';
import { redactUrl } from '../shared/redaction.js';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];
export type LogLevel = (typeof logLevels)[number];

export const logFormats = ['json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

export interface LoggerOptions {
  /** The lowest level that is written; `info` by default. */
  level?: LogLevel;
  /** `pretty` by default on a terminal, `json` elsewhere. */
  format?: LogFormat;
  /** Words that must never appear: the passwords of the configuration. */
  secrets?: readonly string[];
  /** Takes whole lines, instead of standard error. */
  write?: (line: string) => void;
}

export interface ProxyLogger extends Logger {
  /** More words that must never appear. */
  hide(secrets: readonly string[]): void;
  /** Resolves when what waits was written, or nobody takes it; for the end of the process. */
  flush(): Promise<void>;
}

export async function createLogger(options: LoggerOptions = {}): Promise<ProxyLogger> {
  const { level = 'info', write } = options;
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const hidden = new Set(options.secrets);
  const sink: LogSink = write === undefined ? standardError() : { write, flush: (done) => done() };
  const stream: DestinationStream = format === 'json' ? sink : await prettyStream(sink);
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (!logger.isLevelEnabled(name)) return;
      const secrets = [...hidden];
      const clean: Record<string, string | number | boolean> = {};
      for (const [key, value] of Object.entries(fields)) {
        if (value === undefined || value === null) continue;
        clean[key] = typeof value === 'string' ? redact(oneLine(value), secrets) : value;
      }
      logger[name](clean, redact(oneLine(message), secrets));
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    hide: (secrets) => {
      for (const secret of secrets) hidden.add(secret);
    },
    flush: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, LOG_FLUSH_TIMEOUT_MS);
        sink.flush(() => {
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

interface LogSink extends DestinationStream {
  flush(done: () => void): void;
}

/**
 * Standard error, without waiting for whoever reads it: by default Node would stand still until a full pipe is read. A
 * reader that stops reading, or a disk that is full, costs lines and nothing else.
 */
function standardError(): LogSink {
  const stderr: NodeJS.WriteStream & { _handle?: { setBlocking?(isBlocking: boolean): void } } = process.stderr;
  stderr.on('error', () => {});
  stderr._handle?.setBlocking?.(false);
  return {
    write: (line) => {
      if (stderr.writableLength < MAX_LOG_BACKLOG_BYTES) stderr.write(line);
    },
    flush: (done) => {
      if (stderr.writableLength === 0) done();
      else stderr.write('', () => done());
    },
  };
}

async function prettyStream(sink: DestinationStream): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const colorize = process.stderr.isTTY === true;
  const pretty = prettyFactory({ colorize, messageKey: 'message', translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return { write: (line) => sink.write(pretty(JSON.parse(line))) };
}
