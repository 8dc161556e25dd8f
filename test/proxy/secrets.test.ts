import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { createLogger } from '../../proxy/log.js';
import type { RtspProxyOptions } from '../../proxy/proxy.js';
import { type Certificate, makeCertificate } from '../support/certificate.js';
import {
  type CameraScript,
  healthy,
  sdp,
  startCamera,
  startTestProxy,
  TestViewer,
  until,
  within,
} from './test-peers.js';

/** Everything about a camera that must not leave the proxy. */
const secrets = ['hunter2', 'root-user', 'secret-path', 'top-secret', '10.9.8.7', '10%2E9'];

/** What a camera says that gives everything away. */
const talkative = [...secrets, `rtsp://root-user:hunter2@10.9.8.7/secret-path?token=top-secret`].join(' ');

async function page(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      let text = JSON.stringify(response.headers);
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

describe('nothing that the proxy emits shows a secret', () => {
  let certificate: Certificate;
  before(async () => {
    certificate = await makeCertificate();
  });
  after(() => certificate.remove());

  const all: Record<string, { script?: CameraScript; tls?: boolean; isAway?: boolean; options?: RtspProxyOptions }> = {
    'a healthy camera': {},
    'a camera that is away': { isAway: true },
    'a camera that does not answer': { script: () => null },
    'a camera that hangs up': {
      script: (_, connection) => {
        connection.socket.destroy();
        return null;
      },
    },
    'a certificate that cannot be verified': { tls: true },
    'wrong credentials': {
      script: () => ({
        status: 401,
        body: talkative,
        headers: { 'WWW-Authenticate': `Basic realm="${talkative.replaceAll('"', '')}"` },
      }),
    },
    'a camera that wants Digest': {
      script: (request) =>
        request.headers.has('Authorization')
          ? healthy(request)
          : { status: 401, headers: { 'WWW-Authenticate': 'Digest realm="root-user", nonce="hunter2"' } },
    },
    'a status with words': {
      script: (request) =>
        request.method === 'OPTIONS'
          ? healthy(request)
          : { status: 454, body: talkative, headers: { 'X-A': talkative, Server: talkative } },
    },
    'a description with words': {
      script: (request) =>
        request.method === 'DESCRIBE'
          ? {
              body: `s=${talkative}\r\ni=${talkative}\r\na=x:rtsp://root-user:hunter2@10.9.8.7/secret-path\r\n${sdp}`,
              headers: { 'Content-Base': `rtsp://root-user:hunter2@10.9.8.7/secret-path?token=top-secret/` },
            }
          : {
              ...healthy(request),
              headers: {
                ...healthy(request).headers,
                'RTP-Info': `url=rtsp://root-user:hunter2@10.9.8.7/secret-path?token=top-secret/trackID=1;seq=1`,
                Transport: 'RTP/AVP/TCP;interleaved=0-1;source=10.9.8.7;x=hunter2',
              },
            },
    },
    'a description without media': {
      script: (request) => (request.method === 'DESCRIBE' ? { body: talkative } : healthy(request)),
    },
    'a redirect to elsewhere': {
      script: (request) =>
        request.method === 'DESCRIBE'
          ? { status: 302, headers: { Location: 'rtsp://root-user:hunter2@10.9.8.7/secret-path?token=top-secret' } }
          : healthy(request),
    },
    'a redirect to what is no URL': {
      script: (request) =>
        request.method === 'DESCRIBE' ? { status: 301, headers: { Location: talkative } } : healthy(request),
    },
    'a first line that is none': {
      script: (_, connection) => {
        connection.send(`${talkative.toUpperCase()} ${talkative}\r\n\r\n`);
        return null;
      },
    },
    'a Content-Length that is none': {
      script: (_, connection) => {
        connection.send(`RTSP/1.0 200 OK\r\nContent-Length: hunter2\r\n\r\n`);
        return null;
      },
    },
    'a name that cannot be looked up': {
      options: {
        lookup: async () => {
          throw new Error(talkative);
        },
      },
    },
  };

  for (const [name, { script = healthy, tls = false, isAway = false, options = {} }] of Object.entries(all)) {
    test(name, async () => {
      const camera = await startCamera(script, {
        ...(tls ? { tls: { key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) } } : {}),
      });
      if (isAway) camera.stop();
      const host = options.lookup === undefined ? '127.0.0.1' : '10-9-8-7.secret-path.example';
      const url = `${tls ? 'rtsps' : 'rtsp'}://root-user:hunter2@${host}:${camera.port}/secret-path?token=top-secret`;
      const lines: string[] = [];
      const logger = await createLogger({ level: 'debug', format: 'json', write: (line) => lines.push(line) });
      const proxy = await startTestProxy({
        cameras: [{ name: 'front', url }],
        timeouts: { holdMs: 150, responseMs: 150 },
        ...options,
        logger,
      });
      const viewer = new TestViewer(proxy.port, '/rtsp/front');
      await viewer.opened;
      const requests: [string, string][] = [
        ['OPTIONS', 'rtsp://front/'],
        ['DESCRIBE', 'rtsp://front/'],
        ['SETUP', 'rtsp://front/0'],
        ['PLAY', 'rtsp://front/'],
        ['GET_PARAMETER', 'rtsp://front/'],
      ];
      let isClosed = false;
      void viewer.closed.then(() => {
        isClosed = true;
      });
      for (const [method, path] of requests) {
        if (isClosed) break;
        await viewer.request(method, path, { Transport: 'RTP/AVP/TCP;interleaved=0-1' }).catch(() => null);
      }
      if (!isClosed) viewer.webSocket.close();
      const { reason } = await within(viewer.closed, 'The close');
      await until(() => proxy.proxy.stats().cameraSessions === 0, 'The end of the session');
      const emitted = [
        viewer.bytes.toString('latin1'),
        reason,
        JSON.stringify(proxy.proxy.stats()),
        ...lines,
        ...(await Promise.all(
          ['/cameras', '/healthz', '/readyz', '/rtsp/front', '/'].map((path) => page(proxy.port, path)),
        )),
      ].join('\n');
      for (const secret of secrets) assert.ok(!emitted.toLowerCase().includes(secret), `${secret} in:\n${emitted}`);
      assert.ok(lines.length > 0, 'something was logged');
      await proxy.stop();
      if (!isAway) camera.stop();
    });
  }
});
