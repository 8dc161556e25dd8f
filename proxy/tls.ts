/** The certificate and key that the proxy shows to viewers: PEM files, read again when they change. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { StreamError } from '../shared/errors.js';
import { CERTIFICATE_POLL_MS } from '../shared/limits.js';
import type { Logger } from '../shared/logger.js';
import type { TlsFiles } from './config.js';

/** For a TLS server, as node:tls has them. */
export interface TlsCredentials {
  cert: string;
  key: string;
  minVersion: 'TLSv1.2';
}

/** Reads both, and makes sure that they belong together. Throws `invalid-argument`, without what is in them. */
export function readTlsFiles(files: TlsFiles): TlsCredentials {
  const read = (name: 'certificate' | 'key'): string => {
    try {
      return readFileSync(files[name], 'utf8');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new StreamError('invalid-argument', `tls.${name}: got "${files[name]}", which cannot be read (${code}).`);
    }
  };
  const credentials: TlsCredentials = { cert: read('certificate'), key: read('key'), minVersion: 'TLSv1.2' };
  try {
    createSecureContext(credentials);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new StreamError('invalid-argument', `tls: the certificate and the key cannot be used together (${code}).`);
  }
  return credentials;
}

/**
 * Hands on new files; a pair that does not fit, as between the writing of one and of the other, leaves the last one in
 * force. Looks at the files themselves now and then, since Kubernetes changes a link far above them.
 * @returns ends it
 */
export function watchTlsFiles(
  files: TlsFiles,
  onChange: (credentials: TlsCredentials) => void,
  logger: Logger,
  intervalMs = CERTIFICATE_POLL_MS,
): () => void {
  const reload = (): void => {
    try {
      onChange(readTlsFiles(files));
      logger.info('The certificate was read again.');
    } catch (error) {
      const reason = StreamError.from(error, 'invalid-argument', 'The certificate cannot be read.').message;
      logger.warn('The new certificate cannot be used; the last one stays.', { reason });
    }
  };
  const names = [...new Set([files.certificate, files.key])];
  for (const name of names) watchFile(name, { interval: intervalMs, persistent: false }, reload);
  return () => {
    for (const name of names) unwatchFile(name, reload);
  };
}
