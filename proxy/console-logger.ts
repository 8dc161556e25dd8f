/** Log lines on stderr, one event a line: time, level, sentence, fields. The last place where a secret can be kept in. */
import type { LogFields, Logger } from '../shared/logger.js';
import { redactUrl } from '../shared/redaction.js';

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];

export interface ConsoleLoggerOptions {
  /** The lowest level that is written; `info` by default. */
  level?: LogLevel;
  /** Words that must never appear: the passwords of the configuration. */
  secrets?: readonly string[];
  write?: (line: string) => void;
}

export function createConsoleLogger(options: ConsoleLoggerOptions = {}): Logger {
  const { level = 'info', secrets = [], write = (line) => process.stderr.write(line) } = options;
  const at =
    (name: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (levels.indexOf(name) < levels.indexOf(level)) return;
      const pairs = Object.entries(fields)
        .filter(([, value]) => value !== undefined && value !== null)
        .map(([key, value]) => ` ${key}=${typeof value === 'string' ? JSON.stringify(value) : value}`);
      const line = `${new Date().toISOString()} ${name.toUpperCase()} ${oneLine(message)}${pairs.join('')}`;
      write(`${redact(line, secrets)}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The text without the userinfo of URLs, without values that look like secrets, and without these words. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactUrl(secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '***')), text));
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
