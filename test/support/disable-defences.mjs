// Takes out the proxy's defences one by one, in a copy of the source, and expects the test of the attack that each one
// stands against to fail. A defence whose test still passes is not tested.
//   node test/support/disable-defences.mjs [FILTER]

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The name of the test that has to fail, the file, and what becomes of its text. */
const defences = [
  ['SSRF by URL: the address', 'proxy/upstream-policy.ts', '(rule.isExplicit || !isSpecialAddress(address))', 'true'],
  [
    'SSRF by URL: a name that leads there',
    'proxy/upstream-policy.ts',
    '(isListed && (!isSpecialAddress(address) || isLocalhost(form.name, address)))',
    'isListed',
  ],
  [
    'SSRF by URL: IPv4 mapped into IPv6',
    'proxy/upstream-policy.ts',
    '(rule.isExplicit || !isSpecialAddress(address))',
    'true',
  ],
  [
    'SSRF by a port that is not allowed',
    'proxy/upstream-policy.ts',
    'rule.port === null || rule.port === url.port',
    'true',
  ],
  ['SSRF by redirect', 'proxy/named-camera.ts', 'isSamePlace ? ', 'true ? '],
  ['DNS rebinding of a target', 'proxy/upstream.ts', 'host: address,', 'host: "127.0.0.1" + address.slice(0, 0),'],
  [
    'DNS rebinding of the proxy itself',
    'proxy/request-guard.ts',
    "return form.kind === 'address' ||",
    "return true || form.kind === 'address' ||",
  ],
  ['path traversal, and other URLs', 'proxy/url-table.ts', "if (path === '' || path === '/') {", 'if (true) {'],
  ['query parameters that are not listed', 'proxy/camera-query.ts', '.filter(([name]) => listed.has(name))', ''],
  [
    'methods and headers that are not for viewers',
    'proxy/camera-session.ts',
    'if (!allowedMethods.includes(method)) {',
    'if (false) {',
  ],
  [
    'methods and headers that are not for viewers',
    'proxy/camera-headers.ts',
    'return pick(headers, hasBody ? [...requestHeaders, ...bodyHeaders] : requestHeaders);',
    'return hasBody ? headers : headers;',
  ],
  [
    'interleaved data on channels that are not its own',
    'proxy/camera-session.ts',
    'this.#reportChannels.has(channel) &&',
    '',
  ],
  ['interleaved data on channels that are not its own', 'proxy/camera-session.ts', '&& looksLikeRtcp(payload)', ''],
  ['header injection through the camera', 'proxy/proxy.ts', '!CAMERA_NAME_PATTERN.test(visit.route.name)', 'false'],
  ['cross-site WebSocket hijack', 'proxy/proxy.ts', "if (origin === 'refused') {", 'if (false) {'],
  [
    'cross-site WebSocket hijack',
    'proxy/proxy.ts',
    "origin === 'absent' && request.headers.cookie !== undefined",
    'false',
  ],
  [
    'tokens: another secret',
    'proxy/authorization/jwt.ts',
    'payload = await this.#verify(token.text);',
    'payload = JSON.parse(Buffer.from(token.text.split(".")[1] ?? "", "base64url").toString());',
  ],
  [
    'tokens: alg: none',
    'proxy/authorization/jwt.ts',
    'payload = await this.#verify(token.text);',
    'payload = token.text.endsWith(".") ? JSON.parse(Buffer.from(token.text.split(".")[1] ?? "", "base64url").toString()) : await this.#verify(token.text);',
  ],
  ['tokens: a replayed URL', 'proxy/authorization/jwt.ts', 'if (ageMs > MAX_QUERY_TOKEN_AGE_MS) {', 'if (false) {'],
  [
    'a token outlives its expiry on a running connection',
    'proxy/authorization/admission.ts',
    'if (validUntil === null) return;',
    'return;',
  ],
  [
    'the token reaches the camera, or a log',
    'proxy/authorization/token-filter.ts',
    'message.headers.delete(NAME);',
    '',
  ],
  [
    'names of cameras are found out by trying',
    'proxy/proxy.ts',
    "visit.route.kind === 'camera' && !CAMERA_NAME_PATTERN.test(visit.route.name)",
    "visit.route.kind === 'camera' && !this.#cameras.has(visit.route.name)",
  ],
  ['oversized: one message', 'proxy/proxy.ts', 'maxPayload: MAX_VIEWER_MESSAGE_BYTES,', ''],
  [
    'oversized: a header line',
    'shared/limits.ts',
    'MAX_HEADER_LINE_BYTES = 8_192',
    'MAX_HEADER_LINE_BYTES = 8_192_000',
  ],
  ['compression bombs', 'proxy/proxy.ts', 'perMessageDeflate: false,', 'perMessageDeflate: true,'],
  [
    'slow loris',
    'proxy/camera-session.ts',
    'this.close(CloseCode.notRtsp, `No RTSP request came',
    'void (`No RTSP request came',
  ],
  [
    'a flood of requests that wait',
    'proxy/camera-session.ts',
    'this.#queue.length + this.#underWay >= MAX_QUEUED_REQUESTS',
    'false',
  ],
  [
    'a flood of handshakes from one address',
    'proxy/connection-limits.ts',
    'return bucket.take(1, now);',
    'return true;',
  ],
];

const copy = mkdtempSync(join(tmpdir(), 'defences-'));
for (const name of ['proxy', 'shared', 'client', 'test', 'package.json', 'tsconfig.json']) {
  cpSync(join(root, name), join(copy, name), { recursive: true });
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

function passes(name) {
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const only = name === '' ? [] : [`--test-name-pattern=${pattern}`];
  const args = ['--import', 'tsx', '--test', ...only, 'test/proxy/attacks.test.ts'];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout: 60_000 });
  if (!stdout.includes(name.replace(/([\\#])/g, '\\$1'))) throw new Error(`There is no test "${name}".`);
  return status === 0;
}

let untested = 0;
try {
  if (!passes('')) throw new Error('The tests of the attacks fail before any defence is taken out.');
  for (const [name, file, from, to] of defences.filter(([name]) => name.includes(process.argv[2] ?? ''))) {
    const path = join(copy, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no "${from}": the list of defences is out of date.`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
    const isUntested = passes(name);
    writeFileSync(path, text);
    if (isUntested) untested++;
    process.stdout.write(`${isUntested ? 'UNTESTED' : 'tested  '}  ${name} (${file})\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
if (untested > 0) process.exitCode = 1;
