/**
 * Secrets as a configuration has them: as text, or as the name of an environment variable or of a file, as Docker and
 * Kubernetes hand them out.
 */
import { readFileSync, statSync } from 'node:fs';
import { StreamError } from '../shared/errors.js';
import { MAX_SECRET_BYTES } from '../shared/limits.js';

/** A file's last line end does not count. */
export type Secret = string | { environment: string } | { file: string };

/**
 * The secret itself; null when there is none.
 * @param path - of the setting, for complaints: they never show the secret
 */
export function readSecret(secret: Secret | undefined, path: string): string | null {
  if (secret === undefined) return null;
  if (typeof secret === 'string') return secret;
  if ('file' in secret) return readTextFile(secret.file, `${path}.file`).replace(/\r?\n$/, '');
  const value = process.env[secret.environment];
  if (value !== undefined && value !== '') return value;
  throw new StreamError(
    'invalid-argument',
    `${path}.environment: got "${secret.environment}", expected the name of an environment variable that is set.`,
  );
}

/** A small file's text; throws `invalid-argument` with the setting's path. */
export function readTextFile(name: string, path: string): string {
  try {
    if (statSync(name).size <= MAX_SECRET_BYTES) return readFileSync(name, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StreamError('invalid-argument', `${path}: got "${name}", expected a file that can be read (${code}).`);
  }
  throw new StreamError(
    'invalid-argument',
    `${path}: got "${name}", expected a file of at most ${MAX_SECRET_BYTES} bytes.`,
  );
}

/** `env:NAME` and `file:PATH`, as the command line has secrets: its own text is seen by every user of the machine. */
export function parseSecretArgument(text: string): Secret | null {
  const match = /^(env|file):(.+)$/s.exec(text);
  if (match === null) return null;
  const [, kind, name = ''] = match;
  return kind === 'env' ? { environment: name } : { file: name };
}
