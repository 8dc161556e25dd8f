/** Values that go with a log line. They must not carry credentials: redact before logging (see rtsp-url). */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Where the core puts its words; the application decides what becomes of them. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

function nothing(): void {}

/** Says nothing: the default everywhere. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
