import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAllowRule, UpstreamPolicy } from '../../proxy/upstream-policy.js';
import { StreamError } from '../../shared/errors.js';
import { parseRtspUrl, type RtspUrl } from '../../shared/rtsp-url.js';

const names: Record<string, string[]> = {
  'cam.example': ['10.0.0.7'],
  'two.example': ['10.0.0.8', 'fd00::8'],
  'evil.example': ['127.0.0.1'],
  'mixed.example': ['169.254.169.254', '10.0.0.9'],
  'mapped.example': ['::ffff:127.0.0.1'],
  localhost: ['::1', '127.0.0.1'],
};

function policy(...allow: string[]): { policy: UpstreamPolicy; lookups: string[] } {
  const lookups: string[] = [];
  const lookup = async (name: string): Promise<string[]> => {
    lookups.push(name);
    const found = names[name];
    if (found === undefined) throw new Error('ENOTFOUND');
    return found;
  };
  return { policy: new UpstreamPolicy(allow.map(parseAllowRule), lookup), lookups };
}

async function verdict(allow: string[], target: string | RtspUrl): Promise<string[] | string> {
  const url = typeof target === 'string' ? parseRtspUrl(target) : target;
  try {
    return (await policy(...allow).policy.resolve(url)).addresses;
  } catch (error) {
    assert.ok(error instanceof StreamError);
    return error.code;
  }
}

describe('the allowlist', () => {
  test('nothing is allowed by default, and nothing is looked up', async () => {
    const { policy: empty, lookups } = policy();
    assert.equal(empty.isEmpty, true);
    await assert.rejects(empty.resolve(parseRtspUrl('rtsp://cam.example/')), { code: 'forbidden' });
    await assert.rejects(empty.resolve(parseRtspUrl('rtsp://10.0.0.1/')), { code: 'forbidden' });
    assert.deepEqual(lookups, []);
  });

  test('addresses and networks, with and without a port', async () => {
    assert.deepEqual(await verdict(['10.0.0.7'], 'rtsp://10.0.0.7:8554/'), ['10.0.0.7']);
    assert.equal(await verdict(['10.0.0.7'], 'rtsp://10.0.0.8/'), 'forbidden');
    assert.deepEqual(await verdict(['10.0.0.7:554'], 'rtsp://10.0.0.7/'), ['10.0.0.7']);
    assert.equal(await verdict(['10.0.0.7:554'], 'rtsp://10.0.0.7:22/'), 'forbidden');
    assert.deepEqual(await verdict(['10.0.0.0/8:554'], 'rtsp://10.200.0.7/'), ['10.200.0.7']);
    assert.equal(await verdict(['10.0.0.0/8'], 'rtsp://11.0.0.1/'), 'forbidden');
    assert.deepEqual(await verdict(['[fd00::/8]:554'], 'rtsp://[fd00::7]/'), ['fd00::7']);
    assert.equal(await verdict(['[fd00::/8]:554'], 'rtsp://[fd00::7]:555/'), 'forbidden');
    assert.deepEqual(await verdict(['fd00::7'], 'rtsp://[fd00:0::7]/'), ['fd00::7']);
    assert.equal(await verdict(['fd00::7'], 'rtsp://[fd00::8]/'), 'forbidden');
  });

  test('names are looked up once, and the addresses that passed are the ones to dial', async () => {
    const { policy: one, lookups } = policy('CAM.example:554');
    const target = await one.resolve(parseRtspUrl('rtsp://cam.EXAMPLE/'));
    assert.deepEqual(target, { scheme: 'rtsp', host: 'cam.example', port: 554, addresses: ['10.0.0.7'] });
    assert.deepEqual(lookups, ['cam.example']);
    assert.deepEqual(await verdict(['*.example'], 'rtsp://two.example/'), ['10.0.0.8', 'fd00::8']);
    assert.equal(await verdict(['*.example'], 'rtsp://example/'), 'forbidden');
    assert.equal(await verdict(['cam.example'], 'rtsp://cam.example.org/'), 'forbidden');
  });

  test('a name that is not listed may lead into a listed network', async () => {
    assert.deepEqual(await verdict(['10.0.0.0/8'], 'rtsp://two.example/'), ['10.0.0.8']);
    assert.equal(await verdict(['192.168.0.0/16'], 'rtsp://two.example/'), 'forbidden');
  });

  test('a name that cannot be looked up', async () => {
    assert.equal(await verdict(['*.example'], 'rtsp://gone.example/'), 'camera-unreachable');
  });

  test('the machine itself, link-local and metadata addresses only when listed one by one', async () => {
    const everything = ['0.0.0.0/0', '::/0', '*.example'];
    const hosts = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0x7f.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '0.0.0.0',
      '[::]',
      '169.254.169.254',
      '0xa9fea9fe',
      '[::ffff:a9fe:a9fe]',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '100.100.100.200',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[::127.0.0.1]',
    ];
    for (const bracketed of hosts) {
      // Not by the URL parser, which refuses some of them already.
      const host = bracketed.replace(/[[\]]/g, '');
      assert.equal(await verdict(everything, { ...parseRtspUrl('rtsp://h/'), host }), 'forbidden', host);
    }
    assert.deepEqual(await verdict(everything, 'rtsp://8.8.8.8/'), ['8.8.8.8']);
    assert.deepEqual(await verdict(['169.254.7.7'], 'rtsp://169.254.7.7/'), ['169.254.7.7']);
    assert.equal(await verdict(['169.254.0.0/16'], 'rtsp://169.254.7.7/'), 'forbidden');
    for (const allow of ['127.0.0.1', '127.0.0.0/8', '2130706433', '::ffff:127.0.0.1', '::ffff:127.0.0.0/104']) {
      assert.deepEqual(await verdict([allow], 'rtsp://0x7f.1/'), ['127.0.0.1'], allow);
    }
    assert.deepEqual(await verdict(['::1'], 'rtsp://[::1]/'), ['::1']);
    assert.equal(await verdict(['126.0.0.0/7'], 'rtsp://127.0.0.1/'), 'forbidden');
  });

  test('DNS rebinding: a listed name that leads to the machine itself', async () => {
    assert.equal(await verdict(['evil.example'], 'rtsp://evil.example/'), 'forbidden');
    assert.equal(await verdict(['mapped.example'], 'rtsp://mapped.example/'), 'forbidden');
    assert.deepEqual(await verdict(['mixed.example'], 'rtsp://mixed.example/'), ['10.0.0.9']);
    assert.deepEqual(await verdict(['evil.example', '127.0.0.1'], 'rtsp://evil.example/'), ['127.0.0.1']);
    assert.deepEqual(await verdict(['localhost'], 'rtsp://localhost/'), ['::1', '127.0.0.1']);
    assert.equal(await verdict(['0.0.0.0/0'], 'rtsp://localhost/'), 'forbidden');
  });

  test('rules that make no sense', () => {
    const rules = [
      '',
      '*',
      '*.10.0.0.1',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/a',
      'fd00::/129',
      'cam.example/8',
      '10.0.0.1:0',
      '10.0.0.1:65536',
      '10.0.0.1:x',
      '10.0.0.1:',
      'a b',
      'rtsp://10.0.0.1',
      '[fd00::1',
      '::ffff:10.0.0.0/95',
    ];
    for (const rule of rules) assert.throws(() => parseAllowRule(rule), { code: 'invalid-argument' }, rule);
  });
});

describe("the administrator's own cameras", () => {
  const resolve = (url: string, ...allow: string[]) => policy(...allow).policy.resolveConfigured(parseRtspUrl(url));

  test('need no allowlist', async () => {
    assert.deepEqual((await resolve('rtsp://127.0.0.1:8554/')).addresses, ['127.0.0.1']);
    assert.deepEqual((await resolve('rtsp://cam.example/')).addresses, ['10.0.0.7']);
    assert.deepEqual((await resolve('rtsp://localhost/')).addresses, ['::1', '127.0.0.1']);
  });

  test('but their names are not believed everything', async () => {
    await assert.rejects(resolve('rtsp://evil.example/'), { code: 'forbidden' });
    assert.deepEqual((await resolve('rtsp://mixed.example/')).addresses, ['10.0.0.9']);
    assert.deepEqual((await resolve('rtsp://evil.example/', '127.0.0.1')).addresses, ['127.0.0.1']);
    await assert.rejects(resolve('rtsp://gone.example/'), { code: 'camera-unreachable' });
  });
});
