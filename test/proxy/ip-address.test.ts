import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalAddress, isLoopback, isSpecialAddress, parseHost } from '../../proxy/ip-address.js';

const address = (host: string): string | null => {
  const form = parseHost(host);
  return form.kind === 'address' ? form.address : null;
};

test('every notation of an address has one canonical form', () => {
  for (const host of ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '127.0.0.1.']) {
    assert.equal(address(host), '127.0.0.1', host);
  }
  for (const host of ['::ffff:127.0.0.1', '::FFFF:7f00:1', '0:0:0:0:0:ffff:127.0.0.1']) {
    assert.equal(address(host), '127.0.0.1', host);
  }
  assert.equal(address('FE80:0:0:0:0:0:0:1'), 'fe80::1');
  assert.equal(address('::1'), '::1');
  assert.equal(address('0x'), '0.0.0.0');
});

test('names are names, in lower case and without a final dot', () => {
  assert.deepEqual(parseHost('Camera-7.Example.'), { kind: 'name', name: 'camera-7.example' });
  assert.deepEqual(parseHost('cam_1'), { kind: 'name', name: 'cam_1' });
  assert.deepEqual(parseHost('localhost'), { kind: 'name', name: 'localhost' });
});

test('what is neither is refused', () => {
  const hosts = [
    '',
    '.',
    'a b',
    'a/b',
    'a@b',
    'a%2eb',
    '256.1.1.1',
    '1.2.3.4.5',
    'fe80::1%eth0',
    '[::1]',
    'kä.example',
    'a..b',
    '-',
  ];
  for (const host of hosts) assert.equal(parseHost(host).kind, 'invalid', host);
  assert.equal(parseHost(`${'a'.repeat(64)}.example`).kind, 'invalid');
});

test('a resolver may answer with a zone', () => {
  assert.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1');
  assert.equal(canonicalAddress('10.0.0.1'), '10.0.0.1');
  assert.equal(canonicalAddress('camera'), null);
});

test('special addresses, plain and inside IPv6 ones', () => {
  const special = [
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '169.254.169.254',
    '169.254.1.1',
    'fe80::1',
    'febf::1',
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '::7f00:1',
  ];
  for (const text of special) assert.equal(isSpecialAddress(text), true, text);
  for (const text of [
    '10.0.0.1',
    '192.168.1.1',
    '8.8.8.8',
    'fd00::1',
    '2001:db8::1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ]) {
    assert.equal(isSpecialAddress(text), false, text);
  }
});

test('loopback', () => {
  assert.equal(isLoopback('127.0.0.2'), true);
  assert.equal(isLoopback('::1'), true);
  assert.equal(isLoopback('10.0.0.1'), false);
});
