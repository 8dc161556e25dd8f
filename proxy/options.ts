/** Every setting as an option of the command line: its name, where it goes in the configuration, and what it means. */
import { StreamError } from '../shared/errors.js';
import { parseCameraArguments, type Settings } from './config.js';
import { invalid } from './config-check.js';
import { parseSecretArgument } from './secret.js';

/**
 * - `text`, `number`, `flag`: one value; the last one counts.
 * - `limit`: a number, or `none`.
 * - `list`: may be repeated.
 * - `secret`: `env:NAME` or `file:PATH`. `file`: the same as `file:PATH`.
 * - `camera…`: `NAME=VALUE`, for a camera that was named before.
 */
type Kind =
  | 'text'
  | 'number'
  | 'limit'
  | 'list'
  | 'flag'
  | 'secret'
  | 'secretFile'
  | 'camera'
  | 'cameraText'
  | 'cameraList'
  | 'cameraSecret';

interface Option {
  kind: Kind;
  /** Of the setting; within the camera for `camera…`. */
  path: string;
  /** What stands for the value in the usage. */
  value?: string;
  help: string;
}

interface Group {
  title: string;
  options: Readonly<Record<string, Option>>;
}

const limit = (name: string, help: string): Option => ({ kind: 'limit', path: `limits.${name}`, value: 'N', help });
const wait = (name: string, help: string): Option => ({ kind: 'number', path: `timeouts.${name}`, value: 'MS', help });

const groups: readonly Group[] = [
  {
    title: 'Where it listens',
    options: {
      listen: {
        kind: 'text',
        path: 'listen',
        value: 'HOST:PORT',
        help: 'where to listen (default 127.0.0.1:8080; port 0 takes a free one)',
      },
      'public-host': {
        kind: 'list',
        path: 'publicHosts',
        value: 'NAME',
        help: 'a name under which pages reach this proxy; may be repeated',
      },
      'allow-origin': {
        kind: 'list',
        path: 'allowOrigins',
        value: 'ORIGIN',
        help: 'a site whose pages may connect (https://portal.example); may be repeated',
      },
      'trust-proxy': {
        kind: 'list',
        path: 'trustProxy',
        value: 'CIDR',
        help: 'load balancers whose X-Forwarded-For is believed; may be repeated',
      },
      'tls-certificate': { kind: 'text', path: 'tls.certificate', value: 'FILE', help: 'PEM, for HTTPS and WSS' },
      'tls-key': { kind: 'text', path: 'tls.key', value: 'FILE', help: 'PEM' },
      'insecure-public': {
        kind: 'flag',
        path: 'insecurePublic',
        help: 'listens beyond loopback without authorization: everybody sees everything',
      },
      workers: {
        kind: 'number',
        path: 'workers',
        value: 'N',
        help: 'processes that share the address, one for each processor at most (default 1)',
      },
    },
  },
  {
    title: 'What it tells',
    options: {
      'log-level': { kind: 'text', path: 'log.level', value: 'LEVEL', help: 'debug, info (default), warn or error' },
      'log-format': {
        kind: 'text',
        path: 'log.format',
        value: 'FORMAT',
        help: 'json or pretty (default on a terminal)',
      },
      metrics: { kind: 'flag', path: 'metrics', help: 'Prometheus finds /metrics beside the pages' },
      'metrics-listen': {
        kind: 'text',
        path: 'metricsListen',
        value: 'HOST:PORT',
        help: 'an address of its own for /metrics, instead',
      },
      drain: {
        kind: 'number',
        path: 'drainMs',
        value: 'MS',
        help: 'over how long viewers are sent away after SIGTERM (default 3000)',
      },
    },
  },
  {
    title: 'Cameras',
    options: {
      camera: {
        kind: 'camera',
        path: 'cameras',
        value: 'NAME=RTSP-URL',
        help:
          'a camera that pages know by its name only; may be repeated.\n' +
          'NAME/STREAM=RTSP-URL adds streams: front/main=…, front/sub=…\n' +
          'NAME=env:VARIABLE and NAME=file:PATH read the URL from there.',
      },
      'camera-title': { kind: 'cameraText', path: 'title', value: 'NAME=TITLE', help: 'its name for people' },
      'camera-username': {
        kind: 'cameraText',
        path: 'username',
        value: 'NAME=USER',
        help: 'instead of one in the URL',
      },
      'camera-password': {
        kind: 'cameraSecret',
        path: 'password',
        value: 'NAME=env:VARIABLE|file:PATH',
        help: 'where its password is',
      },
      'camera-query': {
        kind: 'cameraList',
        path: 'queryParameters',
        value: 'NAME=PARAMETER',
        help: 'a query parameter that pages may add to the URL',
      },
      'camera-fingerprint': {
        kind: 'cameraText',
        path: 'tls.fingerprint',
        value: 'NAME=SHA256',
        help: 'of the certificate that it signed itself',
      },
      'camera-authorities': {
        kind: 'cameraText',
        path: 'tls.authorities',
        value: 'NAME=FILE',
        help: 'PEM: who signs its certificate',
      },
      authorities: {
        kind: 'text',
        path: 'cameraAuthorities',
        value: 'FILE',
        help: "PEM: who signs cameras' certificates, instead of the system's authorities",
      },
      allow: {
        kind: 'list',
        path: 'allow',
        value: 'HOST|CIDR[:PORT]',
        help:
          'a target that pages may name themselves; may be repeated.\n' +
          'Without a port, any port; IPv6 with a port: [fd00::/8]:554.\n' +
          'Loopback and link-local addresses only when listed one by one.',
      },
      demo: { kind: 'flag', path: 'demo', help: 'adds an embedded camera, so that there is something to see' },
    },
  },
  {
    title: 'Who may see what: one of the first four',
    options: {
      'jwt-secret': {
        kind: 'secret',
        path: 'authorization.jwt.secret',
        value: 'env:VARIABLE|file:PATH',
        help: 'tokens signed with HS256',
      },
      'jwt-public-key': {
        kind: 'secretFile',
        path: 'authorization.jwt.publicKey',
        value: 'FILE',
        help: 'tokens signed with RS256, ES256 or EdDSA; PEM',
      },
      'jwt-jwks-url': {
        kind: 'text',
        path: 'authorization.jwt.jwksUrl',
        value: 'URL',
        help: 'the same, keys from there',
      },
      'forward-auth-url': {
        kind: 'text',
        path: 'authorization.forward.url',
        value: 'URL',
        help: 'the portal is asked about each connection',
      },
      'jwt-issuer': { kind: 'text', path: 'authorization.jwt.issuer', value: 'TEXT', help: 'what iss must be' },
      'jwt-audience': { kind: 'text', path: 'authorization.jwt.audience', value: 'TEXT', help: 'what aud must be' },
      'jwt-cameras-claim': {
        kind: 'text',
        path: 'authorization.jwt.camerasClaim',
        value: 'NAME',
        help: "the list of cameras' names, with * (default cameras)",
      },
      'jwt-cookie': {
        kind: 'text',
        path: 'authorization.jwt.cookie',
        value: 'NAME',
        help: 'the cookie that may carry it (default rtsp_token)',
      },
      'jwt-clock-tolerance': {
        kind: 'number',
        path: 'authorization.jwt.clockToleranceSeconds',
        value: 'SECONDS',
        help: "how far the issuer's clock may be off (default 5)",
      },
      'forward-auth-timeout': {
        kind: 'number',
        path: 'authorization.forward.timeoutMs',
        value: 'MS',
        help: 'default 4000',
      },
      'forward-auth-cache': {
        kind: 'number',
        path: 'authorization.forward.cacheMs',
        value: 'MS',
        help: 'how long an answer is used again (default 10000)',
      },
      'forward-auth-recheck': {
        kind: 'number',
        path: 'authorization.forward.recheckMs',
        value: 'MS',
        help: 'how often running connections are asked about (default 300000)',
      },
      'forward-auth-user-header': {
        kind: 'text',
        path: 'authorization.forward.userHeader',
        value: 'NAME',
        help: 'names the viewer (default Remote-User)',
      },
    },
  },
  {
    title: 'Limits: a number, or none',
    options: {
      'limit-connections': limit('connections', 'in all (default 10000)'),
      'limit-connections-per-address': limit('connectionsPerAddress', 'default 2000'),
      'limit-connections-per-viewer': limit('connectionsPerViewer', 'by the name in the token (default none)'),
      'limit-connections-per-camera': limit('connectionsPerCamera', 'default none'),
      'limit-handshakes': limit('handshakesPerSecond', 'of one address in a second (default 200)'),
      'limit-messages': limit('messagesPerSecond', 'of one viewer in a second (default 500)'),
      'limit-bytes': limit('bytesPerSecond', 'of one viewer in a second (default 8388608)'),
      'timeout-first-request': wait('firstRequestMs', "for a viewer's first request (default 10000)"),
      'timeout-authorization': wait('authorizationMs', 'for the verdict whether it may enter (default 8000)'),
      'timeout-connect': wait('connectMs', 'for the connection to a camera (default 5000)'),
      'timeout-response': wait('responseMs', "for a camera's answer (default 8000)"),
      'timeout-hold': wait('holdMs', 'how long viewers wait for a camera that is away (default 8000)'),
      'timeout-silence': wait('silenceMs', 'without a byte from a camera that plays (default 30000)'),
      'timeout-ping': wait('pingMs', 'between two pings to a viewer (default 15000)'),
      'timeout-idle': wait('idleMs', 'without a byte from or to a viewer (default 300000)'),
      'timeout-rejected-credentials': wait('rejectedCredentialsMs', 'until they are tried again (default 60000)'),
      'timeout-worker': wait('workerMs', 'without an answer from a worker process (default 30000)'),
      'timeout-shutdown': wait('shutdownMs', 'for all connections to end in good order (default 3000)'),
    },
  },
];

const options: ReadonlyMap<string, Option> = new Map(groups.flatMap((group) => Object.entries(group.options)));
const repeated: ReadonlySet<Kind> = new Set(['list', 'camera', 'cameraText', 'cameraList', 'cameraSecret']);
const HELP_COLUMN = 27;

/** Where the options go, for comparison with the schema. */
export const optionPaths: readonly string[] = [...options.values()].map((option) => option.path);

/** For node:util's parseArgs. */
export const argumentTypes: Record<string, { type: 'string' | 'boolean'; multiple: boolean }> = Object.fromEntries(
  [...options].map(([name, { kind }]) => [
    name,
    { type: kind === 'flag' ? ('boolean' as const) : ('string' as const), multiple: repeated.has(kind) },
  ]),
);

/** The options in words. */
export const optionUsage: string = groups
  .map(({ title, options: some }) => {
    const lines = Object.entries(some).map(([name, { value, help }]) => {
      const option = `  --${name}${value === undefined ? '' : ` ${value}`}`;
      const indent = ' '.repeat(HELP_COLUMN);
      const text = help.replaceAll('\n', `\n${indent}`);
      return option.length < HELP_COLUMN - 1 ? option.padEnd(HELP_COLUMN) + text : `${option}\n${indent}${text}`;
    });
    return `${title}:\n${lines.join('\n')}\n`;
  })
  .join('\n');

/**
 * The settings with the arguments put in: lists get longer, other values are replaced.
 * @param values - by the option's name, as parseArgs gives them
 * @throws StreamError `invalid-argument`
 */
export function applyArguments(settings: Settings, values: Readonly<Record<string, unknown>>): Settings {
  const result = structuredClone(settings) as unknown as Record<string, unknown>;
  // Cameras first: the other options are about them.
  const cameras = (values.camera as string[] | undefined) ?? [];
  if (cameras.length > 0) result.cameras = [...asList(result.cameras), ...parseCameraArguments(cameras)];
  for (const [name, option] of options) {
    const value = values[name];
    if (value === undefined || option.kind === 'camera') continue;
    for (const item of Array.isArray(value) ? value : [value]) apply(result, `--${name}`, option, item);
  }
  return result as unknown as Settings;
}

function apply(settings: Record<string, unknown>, name: string, { kind, path }: Option, value: unknown): void {
  if (!kind.startsWith('camera')) {
    put(settings, path, kind === 'list', convert(name, kind, value));
    return;
  }
  const [, camera = '', text = ''] = /^([^=]*)=(.*)$/s.exec(String(value)) ?? [];
  const target = asList(settings.cameras).find((item) => (item as { name?: unknown }).name === camera);
  if (target === undefined) throw invalid(name, camera, 'NAME=VALUE with the name of a camera');
  put(target as Record<string, unknown>, path, kind === 'cameraList', convert(name, kind, text));
}

function convert(name: string, kind: Kind, value: unknown): unknown {
  if (kind === 'flag') return value;
  const text = String(value);
  if (kind === 'secretFile') return { file: text };
  if (kind === 'limit' && text === 'none') return null;
  if (kind === 'number' || kind === 'limit') {
    if (!/^\d{1,15}$/.test(text)) throw invalid(name, text, kind === 'limit' ? 'a whole number, or none' : 'a number');
    return Number(text);
  }
  if (kind !== 'secret' && kind !== 'cameraSecret') return text;
  const secret = parseSecretArgument(text);
  // The text itself is perhaps the secret.
  if (secret !== null) return secret;
  throw new StreamError(
    'invalid-argument',
    `${name}: expected env:VARIABLE or file:PATH: others see the command line.`,
  );
}

function put(target: Record<string, unknown>, path: string, isList: boolean, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let place = target;
  for (const key of keys) {
    if (typeof place[key] !== 'object' || place[key] === null) place[key] = {};
    place = place[key] as Record<string, unknown>;
  }
  place[last] = isList ? [...asList(place[last]), value] : value;
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
