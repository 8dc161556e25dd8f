import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { CameraOptions } from '../../proxy/config.js';
import { startRtspProxyServer } from '../../proxy/server.js';
import { StreamError } from '../../shared/errors.js';
import { type Certificate, makeCertificate } from '../support/certificate.js';
import { startCamera, startTestProxy, TestViewer, until, within } from './test-peers.js';

let first: Certificate;
let second: Certificate;
const folder = mkdtempSync(join(tmpdir(), 'proxy-tls-'));
before(async () => {
  [first, second] = await Promise.all([makeCertificate(), makeCertificate()]);
});
after(async () => {
  await Promise.all([first.remove(), second.remove()]);
  rmSync(folder, { recursive: true });
});

const fingerprintOf = (certificate: Certificate): string =>
  new X509Certificate(readFileSync(certificate.certificate)).fingerprint256;

describe('HTTPS and WSS', () => {
  async function shownFingerprint(port: number): Promise<string> {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await within(once(socket, 'secureConnect'), 'The handshake');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  }

  test('viewers connect over TLS; a new certificate is used without a restart, a broken one is not', async () => {
    const tls = { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    copyFileSync(first.certificate, tls.certificate);
    copyFileSync(first.key, tls.key);
    const warnings: string[] = [];
    const nothing = (): void => {};
    const warn = (message: string): void => void warnings.push(message);
    const camera = await startCamera();
    const server = await startRtspProxyServer({
      listen: { host: '127.0.0.1', port: 0 },
      cameras: [{ name: 'front', url: camera.url }],
      tls,
      certificatePollMs: 20,
      logger: { debug: nothing, info: nothing, warn, error: nothing },
    });
    assert.deepEqual(server.urls, [`https://127.0.0.1:${server.port}/`]);
    assert.equal(await shownFingerprint(server.port), fingerprintOf(first));
    const viewer = new WebSocket(`wss://127.0.0.1:${server.port}/rtsp/front`, { ca: readFileSync(first.certificate) });
    await within(once(viewer, 'open'), 'The WebSocket');

    // Half of a new pair, then nonsense: the old one stays.
    copyFileSync(second.certificate, tls.certificate);
    await until(() => warnings.length > 0, 'The warning');
    assert.equal(await shownFingerprint(server.port), fingerprintOf(first));
    copyFileSync(second.key, tls.key);
    let shown = '';
    while (shown !== fingerprintOf(second)) shown = await shownFingerprint(server.port);
    writeFileSync(tls.key, 'nonsense');
    const count = warnings.length;
    await until(() => warnings.length > count, 'The warning');
    assert.equal(await shownFingerprint(server.port), fingerprintOf(second));
    // Whoever is connected stays so.
    assert.equal(viewer.readyState, WebSocket.OPEN);
    viewer.terminate();
    await server.close();
    camera.stop();
  });

  test('files that are missing, or do not belong together, are said at the start', async () => {
    const listen = { host: '127.0.0.1', port: 0 };
    const cases = [
      [
        { certificate: join(folder, 'none'), key: first.key },
        /^tls\.certificate: got ".*none", which cannot be read \(ENOENT\)/,
      ],
      [{ certificate: first.certificate, key: second.key }, /^tls: .* cannot be used together/],
      [{ certificate: first.key, key: first.key }, /^tls: .* cannot be used together/],
    ] as const;
    for (const [tls, expected] of cases) {
      await assert.rejects(startRtspProxyServer({ listen, tls }), (error) => {
        assert.ok(error instanceof StreamError);
        assert.match(error.message, expected);
        return true;
      });
    }
  });
});

describe('cameras with TLS', () => {
  async function outcome(tls: CameraOptions['tls'] | null, shown = first): Promise<string> {
    const options = { key: readFileSync(shown.key), cert: readFileSync(shown.certificate) };
    const camera = await startCamera(undefined, { tls: options });
    const settings = { name: 'front', url: camera.url, ...(tls === null ? {} : { tls }) } as CameraOptions;
    const proxy = await startTestProxy({ cameras: [settings], timeouts: { holdMs: 100 } });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    try {
      return String((await viewer.request('OPTIONS', 'rtsp://front/')).status);
    } catch (error) {
      assert.deepEqual(camera.methods(), [], 'nothing was said to a camera that was not known');
      return String(error);
    } finally {
      await proxy.stop();
      camera.stop();
    }
  }

  test('a certificate that it signed itself is refused unless it is pinned or its authority is given', async () => {
    assert.match(await outcome(null), /4502 The camera's certificate cannot be verified/);
    const fingerprint = fingerprintOf(first);
    assert.equal(await outcome({ fingerprint }), '200');
    assert.equal(await outcome({ fingerprint: fingerprint.replaceAll(':', '').toLowerCase() }), '200');
    assert.equal(await outcome({ authorities: first.certificate }), '200');
  });

  test('another certificate than the pinned one is refused, and the password stays here', async () => {
    assert.match(
      await outcome({ fingerprint: fingerprintOf(first) }, second),
      /4502 The camera's certificate is not the one with the configured fingerprint/,
    );
    assert.match(await outcome({ authorities: second.certificate }), /4502 .* cannot be verified/);
  });
});
