import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Authorize, AuthorizeQuestion } from '../../../proxy/authorization/hook.js';
import { CloseCode } from '../../../shared/proxy-protocol.js';
import { startCamera, startTestProxy, type TestCamera, TestViewer, within } from '../test-peers.js';

describe('the host program decides', () => {
  let camera: TestCamera;
  before(async () => {
    camera = await startCamera();
  });
  after(() => camera.stop());

  async function outcome(authorize: Authorize, headers: Record<string, string> = {}): Promise<string> {
    const proxy = await startTestProxy({ cameras: [{ name: 'front', url: camera.url }], authorize });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    try {
      return String((await viewer.request('OPTIONS', 'rtsp://front/', headers)).status);
    } catch (error) {
      return String(error).replace(/^Error: closed instead: /, '');
    } finally {
      await proxy.stop();
    }
  }

  test('yes, no, and a token first', async () => {
    assert.equal(await outcome(() => true), '200');
    assert.match(await outcome(async () => false), /^4403/);
    assert.equal(await outcome(() => ({ viewer: 'alice' })), '200');
    const asked: AuthorizeQuestion[] = [];
    const withToken: Authorize = (question) => {
      asked.push(question);
      return question.token === 'abc' ? true : 'token-wanted';
    };
    assert.equal(await outcome(withToken, { 'Proxy-Authorization': 'Bearer abc' }), '200');
    assert.deepEqual(
      asked.map(({ camera: name, token, address }) => ({ name, token, address })),
      [
        { name: 'front', token: null, address: '127.0.0.1' },
        { name: 'front', token: 'abc', address: '127.0.0.1' },
      ],
    );
    assert.match(await outcome(withToken, { 'Proxy-Authorization': 'Bearer wrong' }), /^4401/);
    assert.match(await outcome(withToken), /^4401/);
  });

  test('errors and nonsense keep out, and their words stay inside', async () => {
    const wrong: Authorize[] = [
      () => {
        throw new Error('the database password is hunter2');
      },
      async () => {
        throw new Error('the database password is hunter2');
      },
    ];
    for (const authorize of wrong) {
      const result = await outcome(authorize);
      assert.match(result, /^1013 Who may see this could not be found out/);
      assert.doesNotMatch(result, /hunter2/);
    }
    for (const nonsense of [undefined, null, 1, 'yes', 'true'])
      assert.match(await outcome(() => nonsense as unknown as boolean), /^4403/, String(nonsense));
  });

  test('until a time, when it is asked again', async () => {
    let answers = 0;
    const proxy = await startTestProxy({
      cameras: [{ name: 'front', url: camera.url }],
      authorize: () => ++answers < 3 && { validUntil: Date.now() + 100 },
    });
    const viewer = new TestViewer(proxy.port, '/rtsp/front');
    await viewer.request('OPTIONS', 'rtsp://front/');
    assert.equal((await within(viewer.closed, 'The close')).code, CloseCode.forbidden);
    assert.equal(answers, 3);
    await proxy.stop();
  });
});
