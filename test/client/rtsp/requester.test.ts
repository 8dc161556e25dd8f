import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Requester, type RequesterHandlers } from '../../../client/rtsp/requester.js';
import type { ByteTransport, ByteTransportHandlers } from '../../../client/transport/byte-transport.js';
import { StreamError } from '../../../shared/errors.js';
import { MAX_UNANSWERED_REQUESTS } from '../../../shared/limits.js';
import { ManualClock, settle } from '../../proxy/manual-clock.js';
import { rejectsWith } from './session-fixture.js';

/** A transport whose other end is the test. */
class FakeTransport implements ByteTransport {
  handlers: ByteTransportHandlers | null = null;
  readonly sent: string[] = [];
  isClosed = false;

  async open(handlers: ByteTransportHandlers): Promise<void> {
    this.handlers = handlers;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes).toString('latin1'));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handlers?.onClose(null);
  }

  receive(text: string): void {
    this.handlers?.onData(new Uint8Array(Buffer.from(text, 'latin1')));
  }

  /** Method and CSeq of each request sent. */
  requests(): string[] {
    return this.sent.map((text) => `${text.split(' ')[0]} ${/CSeq: (\d+)/.exec(text)?.[1]}`);
  }
}

async function openRequester(handlers: Partial<RequesterHandlers> = {}) {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const closes: (StreamError | null)[] = [];
  const requester = new Requester({
    transport,
    clock,
    userAgent: 'test',
    handlers: {
      onInterleavedFrame: () => {},
      onServerRequest: async () => ({ status: 501 }),
      onDataRead: () => {},
      onClose: (error) => closes.push(error),
      ...handlers,
    },
  });
  await requester.open();
  return { transport, clock, requester, closes };
}

const url = 'rtsp://camera/live';

function response(cseq: number | null, name: string): string {
  return `RTSP/1.0 200 OK\r\n${cseq === null ? '' : `CSeq: ${cseq}\r\n`}Name: ${name}\r\n\r\n`;
}

async function nameOf(promise: Promise<{ headers: { get(name: string): string | null } }>): Promise<string | null> {
  return (await promise).headers.get('Name');
}

test('one request is outstanding at a time, in the order of asking', async () => {
  const { transport, requester } = await openRequester();
  const answers = ['A', 'B', 'C'].map((method) => nameOf(requester.request(method, url)));
  assert.deepEqual(transport.requests(), ['A 1']);
  transport.receive(response(1, 'a'));
  assert.deepEqual(transport.requests(), ['A 1', 'B 2']);
  transport.receive(response(2, 'b'));
  transport.receive(response(3, 'c'));
  assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c']);
});

test('with concurrency several are, and answers out of order find their requests', async () => {
  const { transport, requester } = await openRequester();
  const first = nameOf(requester.request('A', url));
  const second = nameOf(requester.request('B', url));
  requester.allowConcurrency();
  const third = nameOf(requester.request('C', url));
  assert.deepEqual(transport.requests(), ['A 1', 'B 2', 'C 3']);
  transport.receive(response(3, 'c') + response(1, 'a') + response(2, 'b'));
  assert.deepEqual(await Promise.all([first, second, third]), ['a', 'b', 'c']);
});

test('headers are asked for when the request is sent', async () => {
  const { transport, requester } = await openRequester();
  let session = 'none';
  const first = requester.request('SETUP', url, { onResponse: () => (session = '42') });
  const second = requester.request('SETUP', url, { headers: () => [['Session', session]] });
  transport.receive(response(1, 'a'));
  transport.receive(response(2, 'b'));
  await Promise.all([first, second]);
  assert.match(transport.sent[1] ?? '', /Session: 42\r\n/);
});

test('an answer to a request that was given up is for nobody, with its CSeq', async () => {
  const { transport, requester, clock } = await openRequester();
  const slow = requester.request('A', url, { timeoutMs: 100 });
  const next = nameOf(requester.request('B', url));
  await Promise.all([rejectsWith(slow, 'timeout', /did not answer A within 0\.1 s/), clock.advance(100)]);
  transport.receive(response(1, 'a') + response(2, 'b'));
  assert.equal(await next, 'b');
  assert.equal(requester.unmatchedResponses, 1);
});

test('an answer without CSeq goes to the oldest that is waited for', async () => {
  const { transport, requester } = await openRequester();
  requester.allowConcurrency();
  const one = nameOf(requester.request('A', url));
  const two = nameOf(requester.request('B', url));
  transport.receive(response(null, 'x') + response(999, 'y'));
  assert.deepEqual(await Promise.all([one, two]), ['x', 'y']);
  transport.receive(response(null, 'z'));
  assert.equal(requester.unmatchedResponses, 1);
});

test('1xx is not the answer', async () => {
  const { transport, requester } = await openRequester();
  const answer = nameOf(requester.request('A', url));
  transport.receive('RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n');
  transport.receive(response(1, 'a'));
  assert.equal(await answer, 'a');
});

test('onResponse runs before the bytes behind the response are read', async () => {
  const order: string[] = [];
  const { transport, requester } = await openRequester({
    onInterleavedFrame: (channel) => order.push(`frame ${channel}`),
    onDataRead: () => order.push('read'),
  });
  const answer = requester.request('PLAY', url, { onResponse: () => order.push('response') });
  transport.receive(`$\x00\x00\x01x${response(1, 'a')}$\x01\x00\x01x`);
  await answer;
  assert.deepEqual(order, ['frame 0', 'response', 'frame 1', 'read']);
});

test('abort: queued, sent, and before', async () => {
  const { transport, requester, clock } = await openRequester();
  const controller = new AbortController();
  const { signal } = controller;
  const sent = requester.request('A', url, { signal });
  const queued = requester.request('B', url, { signal });
  const other = nameOf(requester.request('C', url));
  controller.abort();
  await rejectsWith(sent, 'aborted');
  await rejectsWith(queued, 'aborted');
  await rejectsWith(requester.request('D', url, { signal }), 'aborted');
  assert.deepEqual(transport.requests(), ['A 1', 'C 2']);
  transport.receive(response(2, 'c'));
  assert.equal(await other, 'c');
  assert.equal(clock.pending, 0);
});

test('a request that would break the protocol is refused, and the next one is sent', async () => {
  const { transport, requester } = await openRequester();
  const injected = requester.request('A', `${url} RTSP/1.0\r\nX: y`);
  const header = requester.request('A', url, { headers: () => [['X', 'y\r\nZ: z']] });
  const next = requester.request('B', url);
  await rejectsWith(injected, 'invalid-argument');
  await rejectsWith(header, 'invalid-argument');
  assert.deepEqual(transport.requests().length, 1);
  transport.receive(response(3, 'b'));
  await next;
});

test('at-once does not wait for what is outstanding', async () => {
  const { transport, requester } = await openRequester();
  const first = requester.request('A', url);
  const last = nameOf(requester.request('TEARDOWN', url, { order: 'at-once' }));
  assert.deepEqual(transport.requests(), ['A 1', 'TEARDOWN 2']);
  transport.receive(response(2, 't'));
  assert.equal(await last, 't');
  requester.close();
  await rejectsWith(first, 'aborted');
});

test('close settles what is sent and what is queued, says so once, and sends nothing more', async () => {
  const { transport, requester, closes, clock } = await openRequester();
  const all = [requester.request('A', url), requester.request('B', url)];
  const error = new StreamError('connection-closed', 'The test is over.');
  transport.handlers?.onClose(error);
  for (const promise of all) assert.equal(await rejectsWith(promise, 'connection-closed'), error);
  requester.close();
  transport.handlers?.onClose(null);
  assert.deepEqual(closes, [error]);
  const { length } = transport.sent;
  requester.sendInterleaved(0, new Uint8Array(1));
  assert.equal(await rejectsWith(requester.request('C', url), 'connection-closed'), error);
  assert.equal(transport.sent.length, length);
  assert.equal(clock.pending, 0);
});

test('a refusal that comes before open has gone on (a proxy’s close code) rejects it, without onClose', async () => {
  const transport = new FakeTransport();
  const refusal = new StreamError('not-found', 'The proxy knows no camera of this name.');
  transport.open = async (handlers) => handlers.onClose(refusal);
  const closes: unknown[] = [];
  const requester = new Requester({
    transport,
    userAgent: 'test',
    handlers: {
      onInterleavedFrame: () => {},
      onServerRequest: async () => ({ status: 501 }),
      onDataRead: () => {},
      onClose: (error) => closes.push(error),
    },
  });
  await rejectsWith(requester.request('A', url), 'invalid-state', /connection \(new\)/);
  assert.equal(await rejectsWith(requester.open(), 'not-found'), refusal);
  assert.deepEqual(closes, []);
});

test('a second open changes nothing about the first', async () => {
  const { requester, transport } = await openRequester();
  await rejectsWith(requester.open(), 'invalid-state', /connection \(open\)/);
  const answer = requester.request('A', url);
  transport.receive(response(1, 'a'));
  await answer;
});

test('requests that are never answered do not pile up', async () => {
  const { transport, requester, clock } = await openRequester();
  requester.allowConcurrency();
  for (let count = 0; count < 3 * MAX_UNANSWERED_REQUESTS; count++) {
    const unanswered = rejectsWith(requester.request('A', url, { timeoutMs: 10 }), 'timeout');
    await clock.advance(10);
    await unanswered;
  }
  // The oldest were forgotten: their answers would go to whoever waits.
  const answer = nameOf(requester.request('B', url));
  transport.receive(response(3 * MAX_UNANSWERED_REQUESTS, 'late'));
  transport.receive(response(3 * MAX_UNANSWERED_REQUESTS + 1, 'b'));
  assert.equal(await answer, 'b');
  assert.equal(clock.pending, 0);
});

test('closing from inside a handler stops the reading', async () => {
  const frames: number[] = [];
  const { transport, requester, closes } = await openRequester({
    onInterleavedFrame: (channel) => {
      frames.push(channel);
      requester.close();
    },
    onDataRead: () => assert.fail('read after the end'),
  });
  transport.receive('$\x00\x00\x01x$\x01\x00\x01x');
  await settle();
  assert.deepEqual(frames, [0]);
  assert.deepEqual(closes, [null]);
});
