/**
 * Which target may be dialled: the administrator's allowlist and the URL of a request → addresses that are dialled, and
 * no others. Names are looked up once, here, so that a name server cannot change its mind between check and connection.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList } from 'node:net';
import { type Clock, systemClock } from '../shared/clock.js';
import { StreamError } from '../shared/errors.js';
import { MAX_TARGET_ADDRESSES, UPSTREAM_CONNECT_TIMEOUT_MS } from '../shared/limits.js';
import type { RtspUrl } from '../shared/rtsp-url.js';
import { addressFamily, canonicalAddress, isLoopback, isSpecialAddress, parseHost } from './ip-address.js';

/** All addresses of a host name, in the order in which they are to be tried. Rejects when it has none. */
export type Lookup = (name: string) => Promise<string[]>;

/** A target that has passed the policy. */
export interface UpstreamTarget {
  scheme: 'rtsp' | 'rtsps';
  /** As the URL names it, in canonical form: for certificates. */
  host: string;
  port: number;
  /** The only addresses that may be dialled, in order; at least one. */
  addresses: string[];
}

/** One `--allow HOST|CIDR[:PORT]`. */
export type AllowRule = NameRule | NetworkRule;

interface NameRule {
  kind: 'name';
  /** With `*.` in front: any name below it. */
  name: string;
  /** Null: any. */
  port: number | null;
}

interface NetworkRule {
  kind: 'network';
  network: BlockList;
  /** One address, or a part of the loopback range: then special addresses are meant. */
  isExplicit: boolean;
  port: number | null;
}

/**
 * Reads one entry of the allowlist: a host name, `*.` and a domain, an address, or a network in CIDR notation; then
 * `:PORT`, or nothing for any port. IPv6 with a port needs brackets: `[fd00::/8]:554`. Throws `invalid-argument` with
 * what was expected.
 */
export function parseAllowRule(text: string): AllowRule {
  const { target, port } = splitPort(text);
  const wildcard = target.startsWith('*.') ? target.slice(2) : null;
  const slash = target.indexOf('/');
  const form = parseHost(wildcard ?? (slash < 0 ? target : target.slice(0, slash)));
  if (form.kind === 'invalid') throw invalidRule(text, 'expected a host name, an address or a network (CIDR)');
  if (form.kind === 'name') {
    if (slash >= 0) throw invalidRule(text, 'a network needs an address before the slash');
    return { kind: 'name', name: wildcard === null ? form.name : `*.${form.name}`, port };
  }
  if (wildcard !== null) throw invalidRule(text, 'a wildcard stands before a domain name; for addresses use CIDR');

  const family = addressFamily(form.address);
  const bits = family === 'ipv4' ? 32 : 128;
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const isMapped = family === 'ipv4' && target.includes(':');
  const prefixText = slash < 0 ? null : target.slice(slash + 1);
  if (prefixText !== null && !/^\d{1,3}$/.test(prefixText)) throw invalidRule(text, 'expected digits after the slash');
  const prefix = prefixText === null ? bits : Number(prefixText) - (isMapped ? 96 : 0);
  if (prefix < 0 || prefix > bits) throw invalidRule(text, `expected 0 to ${isMapped ? 128 : bits} after the slash`);
  const network = new BlockList();
  network.addSubnet(form.address, prefix, family);
  const isLoopbackNetwork = isLoopback(form.address) && (family === 'ipv4' ? prefix >= 8 : prefix === 128);
  return { kind: 'network', network, isExplicit: prefix === bits || isLoopbackNetwork, port };
}

function splitPort(text: string): { target: string; port: number | null } {
  const bracketed = /^\[([^\]]+)\](?::(.+))?$/.exec(text);
  if (bracketed !== null) return { target: bracketed[1] ?? '', port: parsePort(text, bracketed[2]) };
  const colon = text.indexOf(':');
  // Several colons and no brackets: IPv6 without a port.
  if (colon !== text.lastIndexOf(':')) return { target: text, port: null };
  if (colon < 0) return { target: text, port: null };
  return { target: text.slice(0, colon), port: parsePort(text, text.slice(colon + 1)) };
}

function parsePort(text: string, digits: string | undefined): number | null {
  if (digits === undefined) return null;
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) throw invalidRule(text, 'expected a port from 1 to 65535 after the colon');
  return port;
}

function invalidRule(text: string, reason: string): StreamError {
  return new StreamError('invalid-argument', `"${text}" cannot be allowed: ${reason}.`);
}

/** All addresses by the system's resolver. */
export const resolveName: Lookup = async (name) => {
  const entries = await systemLookup(name, { all: true });
  return entries.map((entry) => entry.address);
};

/** How long a name may take. */
export interface LookupPatience {
  clock: Clock;
  timeouts: { readonly connectMs: number };
}

export class UpstreamPolicy {
  /** For what is resolved from now on. */
  rules: readonly AllowRule[];
  readonly #lookup: Lookup;
  readonly #patience: LookupPatience;
  /** By name. A resolver that does not answer takes one of a few threads for each question, so each is asked once. */
  readonly #underWay = new Map<string, Promise<string[]>>();

  constructor(
    rules: readonly AllowRule[],
    lookup: Lookup = resolveName,
    patience: LookupPatience = { clock: systemClock, timeouts: { connectMs: UPSTREAM_CONNECT_TIMEOUT_MS } },
  ) {
    this.rules = rules;
    this.#lookup = lookup;
    this.#patience = patience;
  }

  /** Whether anything is allowed at all beside named cameras. */
  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /**
   * The target of a URL that a page or a camera's redirect named. Rejects with `forbidden` when the allowlist does not
   * have it, with `camera-unreachable` when its name cannot be looked up.
   */
  async resolve(url: RtspUrl): Promise<UpstreamTarget> {
    const refusal = new StreamError(
      'forbidden',
      `This proxy may not connect to ${url.host} port ${url.port}: its allowlist does not have it.`,
    );
    const form = parseHost(url.host);
    if (form.kind === 'invalid') throw refusal;
    if (form.kind === 'address') {
      if (!this.permits({ host: form.address, port: url.port }, form.address)) throw refusal;
      return target(url, form.address, [form.address]);
    }
    const rules = this.rules.filter((rule) => allowsPort(rule, url));
    const isListed = rules.some((rule) => listsName(rule, form.name));
    // Without a network that its address could be in, the name is not even looked up: that alone would tell something.
    if (!isListed && !rules.some((rule) => rule.kind === 'network')) throw refusal;
    const addresses = await this.#addresses(form.name);
    // By the rules of now: the look-up took its time.
    const allowed = addresses.filter((address) => this.permits({ host: form.name, port: url.port }, address));
    if (allowed.length === 0) throw refusal;
    return target(url, form.name, allowed);
  }

  /** Whether the allowlist, as it is now, has this target at this address of it. */
  permits({ host, port }: Pick<UpstreamTarget, 'host' | 'port'>, address: string): boolean {
    const rules = this.rules.filter((rule) => allowsPort(rule, { port }));
    if (rules.some((rule) => allowsAddress(rule, address))) return true;
    return rules.some((rule) => listsName(rule, host)) && (!isSpecialAddress(address) || isLocalhost(host, address));
  }

  /**
   * The target of a camera that the administrator configured: it needs no entry in the allowlist. But a name that leads
   * to the machine itself, a link-local or a metadata address is not believed, unless that address is allowed as well or
   * the name is localhost. Rejects as `resolve` does.
   */
  async resolveConfigured(url: RtspUrl): Promise<UpstreamTarget> {
    const form = parseHost(url.host);
    if (form.kind === 'invalid')
      throw new StreamError('invalid-url', `"${url.host}" is neither an address nor a name.`);
    if (form.kind === 'address') return target(url, form.address, [form.address]);
    const addresses = await this.#addresses(form.name);
    const rules = this.rules.filter((rule) => allowsPort(rule, url));
    const allowed = addresses.filter(
      (address) =>
        !isSpecialAddress(address) ||
        isLocalhost(form.name, address) ||
        rules.some((rule) => allowsAddress(rule, address)),
    );
    if (allowed.length > 0) return target(url, form.name, allowed);
    throw new StreamError(
      'forbidden',
      "The camera's name leads to a loopback, link-local or other special address, which the allowlist does not have.",
    );
  }

  async #addresses(name: string): Promise<string[]> {
    let found: string[];
    try {
      found = await this.#inTime(this.#ask(name));
    } catch (error) {
      if (error instanceof StreamError) throw error;
      throw new StreamError('camera-unreachable', "The camera's host name cannot be looked up.", { cause: error });
    }
    const addresses = found.map(canonicalAddress).filter((address) => address !== null);
    if (addresses.length === 0) throw new StreamError('camera-unreachable', "The camera's host name has no address.");
    return [...new Set(addresses)].slice(0, MAX_TARGET_ADDRESSES);
  }

  /** One question for all who ask for the same name at the same time. */
  #ask(name: string): Promise<string[]> {
    const known = this.#underWay.get(name);
    if (known !== undefined) return known;
    const asking = this.#lookup(name).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, asking);
    return asking;
  }

  /** Rejects with `camera-unreachable` when the time for a connection has passed. */
  #inTime<T>(asking: Promise<T>): Promise<T> {
    const { clock, timeouts } = this.#patience;
    const { connectMs } = timeouts;
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(connectMs, () => {
        const words = `The camera's host name could not be looked up within ${connectMs} ms.`;
        reject(new StreamError('camera-unreachable', words));
      });
      asking.then(resolve, reject).finally(cancel);
    });
  }
}

function target(url: RtspUrl, host: string, addresses: string[]): UpstreamTarget {
  return { scheme: url.scheme, host, port: url.port, addresses };
}

function allowsPort(rule: AllowRule, { port }: Pick<RtspUrl, 'port'>): boolean {
  return rule.port === null || rule.port === port;
}

function allowsAddress(rule: AllowRule, address: string): boolean {
  if (rule.kind !== 'network') return false;
  return rule.network.check(address, addressFamily(address)) && (rule.isExplicit || !isSpecialAddress(address));
}

function listsName(rule: AllowRule, name: string): boolean {
  return rule.kind === 'name' && matchesName(rule.name, name);
}

function matchesName(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

/** The one name that means the machine itself (RFC 6761, 6.3). */
function isLocalhost(name: string, address: string): boolean {
  return name === 'localhost' && isLoopback(address);
}
