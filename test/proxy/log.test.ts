import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../proxy/log.js';
import { toFile, toStream } from '../../proxy/log-destination.js';
import { MAX_LOG_BACKLOG_BYTES, MAX_LOG_FIELD_CHARACTERS } from '../../shared/limits.js';
import { TestViewer, within } from './test-peers.js';

test('what a token or a camera says is one line of bounded length', async () => {
  const lines: string[] = [];
  const logger = await createLogger({ format: 'json', secrets: ['hunter2'], write: (line) => lines.push(line) });
  const start = 'x'.repeat(MAX_LOG_FIELD_CHARACTERS - 3);
  logger.info('A viewer has left.', { name: `a\r\nb${'c'.repeat(100_000)}`, reason: `${start}hunter2` });
  const [line = '', ...more] = lines;
  assert.deepEqual(more, []);
  const { name, reason } = JSON.parse(line) as { name: string; reason: string };
  assert.match(name, /^a bc+$/);
  assert.equal(name.length, MAX_LOG_FIELD_CHARACTERS);
  assert.equal(reason, `${start}***`, 'what is hidden is hidden before it is cut');
});

describe('a log that cannot be written', () => {
  for (const format of ['json', 'pretty'] as const) {
    test(`counts lines, and says how many were lost once there is room again (${format})`, async () => {
      let isFull = false;
      const lines: string[] = [];
      const logger = await createLogger({
        format,
        hasColors: false,
        write: (line) => {
          if (!isFull) lines.push(line);
          return !isFull;
        },
      });
      logger.info('one');
      isFull = true;
      logger.info('two');
      logger.debug('nobody wants this one');
      logger.info('three');
      logger.relay('{"message":"four"}\n');
      assert.equal(logger.lostLines, 3);
      isFull = false;
      logger.info('five');
      logger.info('six');
      assert.equal(logger.lostLines, 3);
      assert.equal(lines.length, 4);
      assert.match(lines[1] ?? '', /lines were lost/);
      assert.match(lines[1] ?? '', /"lines":3/);
      assert.match(lines[2] ?? '', /five/);
      assert.match(lines[3] ?? '', /six/);
    });
  }

  test('on a disk that is full: each line is tried, and none is waited for', () => {
    const descriptor = openSync('/dev/full', 'w');
    const destination = toFile(descriptor);
    assert.equal(destination.write('a line\n'), false);
    assert.equal(destination.write('a line\n'), false);
    closeSync(descriptor);
    assert.equal(destination.write('a line\n'), false);
  });

  test('with a reader that does not read: no more than a bounded amount waits', async () => {
    const stream = new Writable({ write: () => {} });
    const destination = toStream(stream);
    const line = `${'x'.repeat(1_000)}\n`;
    const taken = Array.from({ length: 5_000 }, () => destination.write(line)).filter((isTaken) => isTaken).length;
    assert.ok(taken > 1_000 && taken < 1_100, `${taken} lines`);
    assert.ok(stream.writableLength <= MAX_LOG_BACKLOG_BYTES + line.length);
  });

  test('with a reader that has gone: lines are counted, and the end is not waited for', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const destination = toStream(stream);
    assert.equal(destination.write('a line\n'), true);
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
    assert.equal(destination.lostLater, 1);
    assert.equal(destination.write('a line\n'), false);
    await new Promise<void>((resolve) => destination.flush(resolve));
  });
});

describe('the program goes on', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));

  /** Starts it with this standard error, looks at it, and expects it to end in good order. */
  async function goesOn(stderr: number | 'closed', ...more: string[]): Promise<string> {
    const options = ['--listen', '127.0.0.1:0', '--demo', '--metrics', ...more];
    const child = spawn(process.execPath, ['--import', 'tsx', 'proxy/cli.ts', ...options], {
      cwd: root,
      stdio: ['ignore', 'pipe', typeof stderr === 'number' ? stderr : 'pipe'],
    });
    if (stderr === 'closed') child.stderr?.destroy();
    const [text] = await within(once(child.stdout ?? child, 'data'), 'The URL', 20_000);
    const port = Number(/:(\d+)\//.exec(String(text))?.[1]);
    for (let round = 0; round < 3; round++) {
      const viewer = new TestViewer(port, '/rtsp/demo');
      assert.equal((await viewer.request('DESCRIBE', 'rtsp://demo/')).status, 200);
      await viewer.close();
    }
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await within(exit, 'The end', 15_000), [0, null]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return metrics;
  }

  for (const workers of ['1', '2']) {
    test(`when the disk of its log is full, and counts the lines (--workers ${workers})`, {
      timeout: 60_000,
    }, async () => {
      const descriptor = openSync('/dev/full', 'w');
      const metrics = await goesOn(descriptor, '--workers', workers);
      closeSync(descriptor);
      const lost = Number(/^rtsp_proxy_lost_log_lines_total (\d+)$/m.exec(metrics)?.[1]);
      // The line of the last viewer may not be there yet.
      assert.ok(lost >= 2 && lost <= 4, `${lost} lines`);
    });
    test(`when the reader of its log has gone (--workers ${workers})`, { timeout: 60_000 }, async () => {
      await goesOn('closed', '--workers', workers);
    });
  }
});
