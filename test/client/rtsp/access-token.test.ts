import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessTokens } from '../../../client/rtsp/access-token.js';
import { RtspSession } from '../../../client/rtsp/session.js';
import { TcpTransport } from '../../../client/transport/tcp.js';
import { StreamError } from '../../../shared/errors.js';
import { ManualClock, settle } from '../../proxy/manual-clock.js';
import { startCamera, until } from '../../proxy/test-peers.js';

/** Tokens of a page that gets a new one each time that it is told to. */
function tokensOf(get: AccessTokens['get']): AccessTokens {
  return { get, isRenewable: () => true };
}

async function open(tokens: AccessTokens) {
  const camera = await startCamera();
  const clock = new ManualClock();
  const nothing = () => {};
  const session = new RtspSession(
    {
      transport: new TcpTransport({ scheme: 'rtsp', host: '127.0.0.1', port: camera.port }),
      url: camera.url,
      tokens,
      clock,
    },
    { onPlay: nothing, onRtp: nothing, onRtcp: nothing, onClose: nothing },
  );
  /** Of all requests so far, in order. */
  const sent = () =>
    camera.connections.flatMap(({ requests }) => requests.map(({ headers }) => headers.get('Proxy-Authorization')));
  const stop = () => {
    session.close();
    camera.stop();
  };
  return { camera, clock, session, sent, stop };
}

test('the first request carries the token, and a keep-alive does when there is a new one', async () => {
  let token = 'first';
  const { camera, clock, session, sent, stop } = await open(tokensOf(async () => token));
  await session.connect();
  const { media } = await session.describe();
  assert.ok(media[0] !== undefined);
  await session.setup(media[0]);
  await session.play();
  assert.deepEqual(sent(), ['Bearer first', null, null]);
  await clock.advance(30_000);
  await until(() => camera.methods().length === 4, 'The keep-alive');
  assert.equal(sent()[3], null, 'the proxy has it already');
  token = 'second';
  await settle();
  await clock.advance(30_000);
  await until(() => camera.methods().length === 5, 'The keep-alive');
  assert.equal(sent()[4], 'Bearer second');
  stop();
});

test('a page that cannot get a token asks the camera nothing, lets go of it, and is asked again later', async () => {
  const { camera, clock, session, stop } = await open(tokensOf(() => new Promise(() => {})));
  const connecting = session.connect();
  const failure = assert.rejects(connecting, (error) => {
    assert.ok(error instanceof StreamError);
    return error.code === 'token-invalid' && error.retry === 'back-off';
  });
  await until(() => camera.connections.length === 1, 'The connection');
  await clock.advance(5_000);
  await failure;
  await camera.connections[0]?.closed;
  assert.deepEqual(camera.methods(), []);
  stop();
});

test('keep-alives go on without a new token', async () => {
  let fails = false;
  const { camera, clock, session, sent, stop } = await open(
    tokensOf(() => {
      if (fails) throw new Error('signed out');
      return 'first';
    }),
  );
  await session.connect();
  const { media } = await session.describe();
  assert.ok(media[0] !== undefined);
  await session.setup(media[0]);
  await session.play();
  fails = true;
  await clock.advance(30_000);
  await until(() => camera.methods().length === 4, 'The keep-alive');
  assert.equal(sent()[3], null);
  stop();
});
