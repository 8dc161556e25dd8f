import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { redactUrl } from '../../shared/redaction.js';

function cpuMs(start: NodeJS.CpuUsage): number {
  return process.cpuUsage(start).user / 1_000;
}

describe('redactUrl', () => {
  const cases: [text: string, redacted: string][] = [
    ['', ''],
    ['nothing in here: 12:30, a@b', 'nothing in here: 12:30, a@b'],
    ['rtsp://h/a?b=c', 'rtsp://h/a?b=c'],
    ['rtsp://h:554/a', 'rtsp://h:554/a'],
    ['rtsp://[::1]:554/a', 'rtsp://[::1]:554/a'],
    ['rtsp://::ffff:1.2.3.4/a', 'rtsp://::ffff:1.2.3.4/a'],
    ['rtsp://h/ch@1', 'rtsp://h/ch@1'],
    ['rtsp://u:p@h:554/a?b', 'rtsp://***@h:554/a?b'],
    ['rtsps://user@h/a', 'rtsps://***@h/a'],
    ['wss://token@h/rtsp', 'wss://***@h/rtsp'],
    ['connect to rtsp://u:p@h/ and http://v:q@g/ failed', 'connect to rtsp://***@h/ and http://***@g/ failed'],
    ['"rtsp://u:p@h/"', '"rtsp://***@h/"'],
    ['rtsp://u:p@w@h/', 'rtsp://***@h/'],
    ['rtsp://u:p/w@h/', 'rtsp://***@h/'],
    ['rtsp://u:1/w@h/', 'rtsp://***@h/'],
    ['rtsp://u:p:w@h/', 'rtsp://***@h/'],
    ['rtsp://u:p%40%2F@h/', 'rtsp://***@h/'],
    ['rtsp://u:p w@h/', 'rtsp://***@h/'],
    ['rtsp://u:p w@x#y@h/', 'rtsp://***@h/'],
    ['rtsp://rtsp://u:p@h/', 'rtsp://***@h/'],
    ['u:p@192.168.1.10:554/stream0/', '***@192.168.1.10:554/stream0/'],
    ['rtsp://user:secret', 'rtsp://user:***'],
    ['ws://h/?url=rtsp%3A%2F%2Fu%3Ap%40h%2Fa', 'ws://h/?url=rtsp%3A%2F%2F***%40h%2Fa'],
    ['wss://h/rtsp?access_token=a.b-c&x=1', 'wss://h/rtsp?access_token=***&x=1'],
    ['http://h/?user=a&pwd=b&Password=c', 'http://h/?user=a&pwd=***&Password=***'],
    ['http://h/?api_key=a&keyframe=2&sig=x&pw=', 'http://h/?api_key=***&keyframe=2&sig=***&pw='],
    ['rtsp://h/user=admin_password=tlJw_channel=1', 'rtsp://h/user=admin_password=***'],
    ['rtsp://h/a?token==b', 'rtsp://h/a?token=***'],
  ];
  for (const [text, redacted] of cases) {
    test(JSON.stringify(text), () => {
      assert.equal(redactUrl(text), redacted);
      assert.equal(redactUrl(redacted), redacted, 'twice is once');
    });
  }

  test('property: the password is not to be found, however it is written', () => {
    const secret = 'Xyzzy';
    // Not a blank right before a word that itself ends the URL: then nobody could tell.
    const part = fc.string({ unit: fc.constantFrom(...'ab1@:/?#%&=.[]'), maxLength: 12 });
    fc.assert(
      fc.property(part, part, part, part, (user, before, after, path) => {
        const password = `${before}${secret}${after}`;
        for (const text of [
          `rtsp://${user}:${password}@h/${path}`,
          `see rtsp://${user}:${encodeURIComponent(password)}@h:554/${path} there`,
          `ws://h/?password=${encodeURIComponent(password)}`,
        ]) {
          assert.ok(!redactUrl(text).includes(secret), text);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('property: any text, without an exception', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof redactUrl(text) === 'string'));
  });

  test('a megabyte of hostile text takes no time', () => {
    for (const unit of [
      '://',
      '://a:',
      '@',
      ':',
      '=',
      'pass=',
      'a:b@',
      '%3a%2f%2f',
      '%40',
      'x',
      'passpass',
      '://a:b ',
      '[',
      '1:',
      'key',
      ' ',
    ]) {
      const text = unit.repeat(1_000_000 / unit.length);
      const start = process.cpuUsage();
      redactUrl(text);
      assert.ok(cpuMs(start) < 3_000, `${unit}: ${cpuMs(start)} ms`);
    }
  });
});
