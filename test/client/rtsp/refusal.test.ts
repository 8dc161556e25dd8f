import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RedirectError, redirectOf } from '../../../client/rtsp/redirect.js';
import { statusError } from '../../../client/rtsp/refusal.js';
import type { Refusal } from '../../../client/rtsp/status.js';
import { emptyBody, RtspHeaders, type RtspResponse } from '../../../shared/rtsp-message.js';

function response(status: number, reason = 'Reason', headers: readonly [string, string][] = []): RtspResponse {
  return { kind: 'response', status, reason, headers: new RtspHeaders(headers), body: emptyBody };
}

function errorFor(method: string, status: number) {
  return statusError(method, response(status), 'credentials-missing');
}

test('each status becomes an error that says what to do about it', () => {
  const cases: [method: string, status: number, code: string, retry: string][] = [
    ['DESCRIBE', 403, 'forbidden', 'never'],
    ['DESCRIBE', 404, 'not-found', 'never'],
    ['DESCRIBE', 410, 'not-found', 'never'],
    ['DESCRIBE', 408, 'timeout', 'back-off'],
    ['SETUP', 453, 'limit-reached', 'back-off'],
    ['DESCRIBE', 503, 'limit-reached', 'back-off'],
    ['SETUP', 461, 'transport-unsupported', 'never'],
    ['SETUP', 400, 'transport-unsupported', 'never'],
    ['DESCRIBE', 400, 'request-failed', 'back-off'],
    ['PLAY', 454, 'request-failed', 'back-off'],
    ['PAUSE', 551, 'request-failed', 'never'],
    ['PAUSE', 501, 'request-failed', 'never'],
    ['PLAY', 405, 'request-failed', 'never'],
    ['DESCRIBE', 500, 'server-error', 'back-off'],
    ['DESCRIBE', 599, 'server-error', 'back-off'],
    ['DESCRIBE', 304, 'request-failed', 'back-off'],
  ];
  for (const [method, status, code, retry] of cases) {
    const error = errorFor(method, status);
    assert.deepEqual([error.code, error.retry, error.status], [code, retry, status]);
    assert.match(error.message, new RegExp(`^The (?:camera|stream) .* \\(${method}: ${status} Reason\\)\\.$`));
  }
});

test('401 says whether credentials are missing, wrong, or of no use', () => {
  const message = (refusal: Refusal) => statusError('DESCRIBE', response(401, 'Unauthorized', []), refusal).message;
  assert.match(message('credentials-missing'), /asks for a user name and a password/);
  assert.match(message('credentials-rejected'), /rejects the user name or the password/);
  assert.match(message('scheme-unknown'), /in a way that is not known/);
  assert.equal(errorFor('DESCRIBE', 401).code, 'unauthorized');
});

test('a camera’s own words are cut, cleaned, and hold no credentials', () => {
  const words = `rtsp://admin:secret@10.0.0.7/ \u0007\u202e${'x'.repeat(500)}`;
  const { message } = statusError('PLAY', response(500, words), 'credentials-missing');
  assert.ok(message.length < 200);
  assert.doesNotMatch(message, /secret|\p{C}/u);
  assert.doesNotMatch(statusError('PLAY', response(500, ''), 'credentials-missing').message, / \)/);
});

test('a redirect on the same host, port and scheme goes on here', () => {
  const from = 'rtsp://Camera.local/live';
  assert.deepEqual(redirectOf(from, 'rtsp://camera.local:554/other?x=1'), {
    kind: 'here',
    url: 'rtsp://camera.local/other?x=1',
  });
  assert.deepEqual(redirectOf(from, '/other'), { kind: 'here', url: 'rtsp://Camera.local/other' });
});

test('a redirect elsewhere is an error with the place, without credentials', () => {
  for (const location of ['rtsp://a:b@other/live', 'rtsp://camera:8554/live', 'rtsps://camera/live']) {
    const redirect = redirectOf('rtsp://camera/live', location, { status: 302 });
    assert.ok(redirect.kind === 'elsewhere' && redirect.error instanceof RedirectError);
    assert.equal(redirect.error.location, location.replace('a:b@', ''));
    assert.equal(redirect.error.code, 'redirected');
    assert.equal(redirect.error.status, 302);
    assert.doesNotMatch(redirect.error.message, /a:b/);
  }
});

test('never from rtsps to rtsp', () => {
  const redirect = redirectOf('rtsps://camera/live', 'rtsp://camera/live', { status: 301 });
  assert.ok(redirect.kind === 'refused');
  assert.match(redirect.error.message, /without encryption/);
  assert.equal(redirect.error.retry, 'never');
});

test('a redirect to nowhere is an error', () => {
  for (const location of [null, '', 'http://camera/', 'nonsense', 'rtsp://']) {
    assert.equal(redirectOf('rtsp://camera/live', location).kind, 'refused', String(location));
  }
});
