import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exchange } from '../../../client/rtsp/exchange.js';
import type { Requester, RequestOptions } from '../../../client/rtsp/requester.js';
import { MAX_AUTHENTICATION_ROUNDS } from '../../../shared/limits.js';
import { emptyBody, RtspHeaders, type RtspResponse } from '../../../shared/rtsp-message.js';

/** A requester whose responses the test gives, which notes the headers of each request. */
function fakeRequester(respond: (method: string) => { status: number; headers?: [string, string][] }) {
  const sent: [string, string][][] = [];
  const requester = {
    async request(method: string, _url: string, options: RequestOptions): Promise<RtspResponse> {
      sent.push([...(options.headers?.() ?? [])].map(([name, value]) => [name, value]));
      const { status, headers = [] } = respond(method);
      const response: RtspResponse = {
        kind: 'response',
        status,
        reason: '',
        headers: new RtspHeaders(headers),
        body: emptyBody,
      };
      options.onResponse?.(response);
      return response;
    },
  };
  return { requester: requester as unknown as Requester, sent };
}

const credentials = { username: 'user', password: 'secret' };

test('a request that is challenged without end is given up', async () => {
  let nonce = 0;
  const { requester, sent } = fakeRequester(() => ({
    status: 401,
    headers: [['WWW-Authenticate', `Digest realm="camera", nonce="${nonce++}", stale=true`]],
  }));
  const response = await new Exchange(requester, credentials).send('DESCRIBE', 'rtsp://camera/');
  assert.equal(response.status, 401);
  assert.equal(sent.length, MAX_AUTHENTICATION_ROUNDS);
});

test('a 401 that stands says whether credentials are missing, wrong, or of no use', async () => {
  const refusal = async (scheme: string, known: typeof credentials | null) => {
    const { requester } = fakeRequester(() => ({ status: 401, headers: [['WWW-Authenticate', scheme]] }));
    const exchange = new Exchange(requester, known);
    await exchange.send('DESCRIBE', 'rtsp://camera/');
    return exchange.refusal;
  };
  assert.equal(await refusal('Basic realm="camera"', null), 'credentials-missing');
  assert.equal(await refusal('Basic realm="camera"', credentials), 'credentials-rejected');
  assert.equal(await refusal('Negotiate', credentials), 'scheme-unknown');
});

test('authorization and session come before a request’s own headers', async () => {
  const { requester, sent } = fakeRequester((method) =>
    method === 'DESCRIBE'
      ? { status: 401, headers: [['WWW-Authenticate', 'Basic realm="camera"']] }
      : { status: 200, headers: [['Session', 'abc;timeout=30']] },
  );
  const exchange = new Exchange(requester, credentials);
  await exchange.send('DESCRIBE', 'rtsp://camera/');
  sent.length = 0;
  await exchange.send('SETUP', 'rtsp://camera/1');
  await exchange.send('PLAY', 'rtsp://camera/', { headers: [['Range', 'npt=0-']] });
  assert.deepEqual(sent, [
    [['Authorization', 'Basic dXNlcjpzZWNyZXQ=']],
    [
      ['Authorization', 'Basic dXNlcjpzZWNyZXQ='],
      ['Session', 'abc'],
      ['Range', 'npt=0-'],
    ],
  ]);
  assert.equal(exchange.timeoutMs, 30_000);
});

test('only a SETUP that was accepted begins a session', async () => {
  const statuses: Record<string, number> = { DESCRIBE: 200, OPTIONS: 200, SETUP: 461 };
  const { requester } = fakeRequester((method) => ({
    status: statuses[method] ?? 200,
    headers: [['Session', method]],
  }));
  const exchange = new Exchange(requester, null);
  for (const method of ['OPTIONS', 'DESCRIBE', 'SETUP']) await exchange.send(method, 'rtsp://camera/');
  assert.equal(exchange.sessionId, null);
});

test('a method that was refused as such and works later is there again', async () => {
  let status = 501;
  const { requester } = fakeRequester(() => ({ status, headers: [['Public', 'PAUSE']] }));
  const exchange = new Exchange(requester, null);
  await exchange.send('PAUSE', 'rtsp://camera/');
  assert.equal(exchange.supports('PAUSE'), false);
  status = 200;
  await exchange.send('PAUSE', 'rtsp://camera/');
  assert.equal(exchange.supports('PAUSE'), true);
  assert.deepEqual([...(exchange.supportedMethods ?? [])], ['PAUSE']);
});

test('onSuccess is for success alone', async () => {
  const successes: number[] = [];
  for (const status of [301, 401, 200, 500, 299]) {
    const { requester } = fakeRequester(() => ({ status }));
    await new Exchange(requester, null).send('PLAY', 'rtsp://camera/', {
      onSuccess: (response) => successes.push(response.status),
    });
  }
  assert.deepEqual(successes, [200, 299]);
});
