import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './child-process.js';

export interface Certificate {
  /** Paths of PEM files. The certificate signs itself, so it is its own authority (NODE_EXTRA_CA_CERTS). */
  readonly certificate: string;
  readonly key: string;
  remove(): Promise<void>;
}

/** Makes a certificate for 127.0.0.1 and localhost, valid for a day. */
export async function makeCertificate(): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'rtsp-certificate-'));
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'key.pem');
  await runProgram('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-subj', '/CN=camera.test', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { certificate, key, remove: () => rm(folder, { recursive: true, force: true }) };
}
