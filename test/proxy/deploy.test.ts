import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseCommandLine, usage } from '../../proxy/command-line.js';
import { readSettings } from '../../proxy/config.js';
import { checkShape } from '../../proxy/config-check.js';
import { startRtspProxyServer } from '../../proxy/server.js';
import { SHUTDOWN_TIMEOUT_MS } from '../../shared/limits.js';
import { runProgram } from '../support/child-process.js';
import { findProgram } from '../support/chromium.mjs';

// What proxy/deploy says about the proxy is true; of the rest, what can be checked without running it is checked. The
// configurations of HAProxy and nginx are run by test/e2e/load-balancers.

const deploy = fileURLToPath(new URL('../../proxy/deploy', import.meta.url));
const read = (name: string): string => readFileSync(join(deploy, name), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'rtsp-deploy-'));
after(() => rmSync(folder, { recursive: true }));

/** The options among these words, but for `--config`, whose file is the administrator's. */
function parse(args: readonly string[]) {
  const rest = args.filter((argument, index) => argument !== '--config' && args[index - 1] !== '--config');
  const command = parseCommandLine(rest);
  assert.ok(typeof command === 'object');
  return command;
}

const strings = (text: string): string[] => JSON.parse(text) as string[];
const found = (text: string, pattern: RegExp): string => {
  const value = pattern.exec(text)?.[1];
  assert.ok(value !== undefined, String(pattern));
  return value;
};

test('what was not tried says so, in the file and in the list', () => {
  const readme = read('README.md');
  for (const name of readdirSync(deploy).filter((file) => file !== 'README.md')) {
    const [, , verdict = ''] = new RegExp(`\\(${name}\\).*\\|(.*)\\|(.*)\\|$`, 'm').exec(readme) ?? [];
    assert.notEqual(verdict, '', `${name} in the list`);
    assert.equal(/UNTESTED/.test(read(name).slice(0, 300)), verdict.trim() === 'no', name);
  }
});

test("the administrator's page shows a configuration that the schema takes", () => {
  const readme = readFileSync(join(deploy, '../README.md'), 'utf8');
  const blocks = [...readme.matchAll(/```json\n(.*?)```/gs)].map(([, text = '']) =>
    text.replace('3F:9A:…', 'AB:'.repeat(32).slice(0, -1)),
  );
  const settings = blocks.filter((text) => text.includes('"$schema"'));
  assert.ok(settings.length > 0);
  for (const text of settings) checkShape(readSettings(text, folder));
  assert.throws(
    () => checkShape(readSettings((settings[0] ?? '').replace('"listen"', '"listens"'), folder)),
    /listens/,
  );
});

test('every option that the pages and files name exists', () => {
  const names = [
    'README.md',
    '../README.md',
    ...readdirSync(deploy).filter((name) => /compose|kube|Docker|service/.test(name)),
  ];
  const known = new Set([...usage.matchAll(/--([a-z][a-z-]+)/g)].map(([, option = '']) => option));
  for (const name of names) {
    // Other programs have options, too: only those in code that stand for the proxy are looked at.
    const text = read(name).replace(/```sh.*?```|^# .*docker.*$|^#.*kubectl.*$|^#.*from-.*$|.*npm.*/gms, (part) =>
      part.startsWith('```') ? '' : part.replace(/--[a-z-]+/g, ''),
    );
    const used = [...text.matchAll(/[`"' |]--([a-z][a-z-]*[a-z])/g)].map(([, option = '']) => option);
    assert.ok(name !== '../README.md' || used.length > 50, `${used.length} options`);
    for (const option of used) assert.ok(known.has(option) || option === 'read-only', `--${option} in ${name}`);
  }
});

describe('the systemd unit', () => {
  const unit = read('rtsp-player-proxy.service');

  test('starts the program as it is, and gives it the time that it needs to go down', () => {
    const command = found(unit, /^ExecStart=\S+ \S+dist\/proxy\/cli\.js (.*)$/m).split(' ');
    const { drainMs } = parse(command);
    const seconds = Number(found(unit, /^TimeoutStopSec=(\d+)s$/m));
    assert.ok(drainMs + SHUTDOWN_TIMEOUT_MS < seconds * 1_000);
  });

  test('is one', {
    skip: findProgram('systemd-analyze') === null ? 'there is no systemd-analyze' : false,
  }, async () => {
    const write = (name: string, text: string): string => {
      const path = join(folder, name);
      // What it starts is installed elsewhere.
      writeFileSync(path, text.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true'));
      return path;
    };
    // It may complain and end with 0 all the same.
    const complaints = (path: string): Promise<string> =>
      runProgram('sh', ['-c', 'systemd-analyze verify "$0" 2>&1 || true', path]);
    assert.equal(await complaints(write('rtsp-player-proxy.service', unit)), '');
    const wrong = unit.replace('[Install]', 'NoSuchSetting=1\n\n[Install]');
    assert.match(await complaints(write('wrong.service', wrong)), /NoSuchSetting/);
  });
});

describe('containers', () => {
  const dockerfile = read('Dockerfile');
  const entry = strings(found(dockerfile, /^ENTRYPOINT (\[.*\])$/m));

  test('start the program as it is, without rights', () => {
    assert.deepEqual(entry.slice(0, 2), ['node', 'dist/proxy/cli.js']);
    const { listen, log } = parse([...entry.slice(2), ...strings(found(dockerfile, /^CMD (\[.*\])$/m))]);
    assert.deepEqual(listen, { host: '0.0.0.0', port: 8080 });
    assert.equal(log.format, 'json');
    assert.match(dockerfile, /^USER (?!root|0)\S+$/m);
    assert.match(dockerfile, /^HEALTHCHECK .*127\.0\.0\.1:8080\/healthz/m);
  });

  test('of Kubernetes are probed where they listen, and get the time to go down', () => {
    const text = read('kubernetes.yaml');
    const { metricsListen, listen, drainMs } = parse([
      ...entry.slice(2),
      ...strings(found(text, /^ +args: (\[.*\])$/m)),
    ]);
    assert.match(text, new RegExp(`name: http, containerPort: ${listen.port} `));
    assert.match(text, new RegExp(`name: metrics, containerPort: ${metricsListen?.port} `));
    assert.match(text, new RegExp(`prometheus.io/port: "${metricsListen?.port}"`));
    const seconds = Number(found(text, /terminationGracePeriodSeconds: (\d+)/));
    assert.ok(drainMs + SHUTDOWN_TIMEOUT_MS < seconds * 1_000);
    for (const path of ['/readyz', '/healthz']) assert.ok(text.includes(`path: ${path},`), path);
  });

  test('of Compose get the time to go down', () => {
    const seconds = Number(found(read('compose.yaml'), /stop_grace_period: (\d+)s/));
    assert.ok(parse(entry.slice(2)).drainMs + SHUTDOWN_TIMEOUT_MS < seconds * 1_000);
  });
});

describe('the dashboard', () => {
  const { panels } = JSON.parse(read('grafana-dashboard.json')) as {
    panels: { id: number; title: string; targets: { expr: string }[] }[];
  };

  test('asks for metrics and labels that exist', async () => {
    const cameras = [{ name: 'front', url: 'rtsp://127.0.0.1:9/' }];
    const server = await startRtspProxyServer({ listen: { host: '127.0.0.1', port: 0 }, metrics: true, cameras });
    const text = await (await fetch(server.metricsUrl ?? '')).text();
    await server.close();
    const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, metric = '']) => metric));
    // Prometheus's own, and those of which there is none yet.
    const labels = new Set(['instance', 'job', 'le', 'camera', 'stream', 'code', 'kind', 'direction', 'reason']);
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    assert.ok(expressions.length >= 10);
    for (const expression of expressions) {
      const [metric = ''] = /\b(?:rtsp_proxy|nodejs|process)_\w+/.exec(expression) ?? [];
      assert.ok(known.has(metric.replace(/_bucket$/, '')), `${metric} in ${expression}`);
      const used = /by \(([^)]*)\)/.exec(expression)?.[1]?.split(', ') ?? [];
      for (const label of used) assert.ok(labels.has(label), `${label} in ${expression}`);
    }
  });

  test('has each panel once', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  });
});
