/**
 * Hosts as people and attackers write them → one canonical IP address, and what kind of address it is (IANA's special
 * purpose registries, RFC 6890).
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** `name`: to be looked up. `invalid`: neither an address nor a host name. */
export type HostForm = { kind: 'address'; address: string } | { kind: 'name'; name: string } | { kind: 'invalid' };

/** RFC 1123, with the underscore that intranets use. */
const namePattern =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/**
 * Tells addresses from names as a resolver would: `2130706433`, `0x7f.1` and `0177.0.0.1` are 127.0.0.1 too, and
 * `::ffff:127.0.0.1` is that IPv4 address. IPv6 comes out compressed and in lower case, names in lower case and without
 * a final dot.
 * @param host - without brackets; zone identifiers are not accepted
 */
export function parseHost(host: string): HostForm {
  if (isIPv6(host) && !host.includes('%')) return { kind: 'address', address: canonicalIpv6(host) };
  const name = host.toLowerCase().replace(/\.$/, '');
  if (!namePattern.test(name)) return { kind: 'invalid' };
  // The URL standard's host parser reads every notation of IPv4 that inet_aton does, and refuses what only looks like it.
  let parsed: string;
  try {
    parsed = new URL(`http://${name}/`).hostname;
  } catch {
    return { kind: 'invalid' };
  }
  return isIPv4(parsed) ? { kind: 'address', address: parsed } : { kind: 'name', name };
}

/** The canonical form of an address that a resolver gave; null when it is none. */
export function canonicalAddress(address: string): string | null {
  if (isIPv4(address)) return address;
  const form = parseHost(address.replace(/%.*$/, ''));
  return form.kind === 'address' ? form.address : null;
}

/** `ipv4` or `ipv6`, for node:net. */
export function addressFamily(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/** Whether this canonical address is the machine itself. */
export function isLoopback(address: string): boolean {
  return loopback.check(address, addressFamily(address));
}

/**
 * Whether this canonical address is one that no wildcard may reach: loopback, link-local, cloud metadata, unspecified,
 * multicast, reserved, or an IPv6 address that carries such an IPv4 address in it (NAT64, 6to4, IPv4-compatible).
 */
export function isSpecialAddress(address: string): boolean {
  if (special.check(address, addressFamily(address))) return true;
  const embedded = isIPv4(address) ? null : embeddedIpv4(address);
  return embedded !== null && special.check(embedded, 'ipv4');
}

/** The eight groups of an IPv6 address. */
export function ipv6Groups(address: string): number[] {
  const [head = '', tail] = canonicalText(address).split('::');
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const first = parse(head);
  if (tail === undefined) return first;
  const last = parse(tail);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function canonicalIpv6(address: string): string {
  const groups = ipv6Groups(address);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return isMapped ? ipv4OfGroups(groups[6], groups[7]) : canonicalText(address);
}

/** RFC 5952's text, by the URL standard's host parser; IPv4 tails come out as groups. */
function canonicalText(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function embeddedIpv4(address: string): string | null {
  const groups = ipv6Groups(address);
  const isZero = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0);
  // NAT64 (RFC 6052), IPv4-compatible (RFC 4291, 2.5.5.1), IPv4-translated (RFC 2765, 2.1), 6to4 (RFC 3056).
  if (groups[0] === 0x64 && groups[1] === 0xff9b) return ipv4OfGroups(groups[6], groups[7]);
  if (isZero(0, 6) || (isZero(0, 4) && groups[4] === 0xffff && groups[5] === 0)) {
    return ipv4OfGroups(groups[6], groups[7]);
  }
  if (groups[0] === 0x2002) return ipv4OfGroups(groups[1], groups[2]);
  return null;
}

function ipv4OfGroups(high = 0, low = 0): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const special = new BlockList();
special.addSubnet('127.0.0.0', 8, 'ipv4');
special.addAddress('::1', 'ipv6');
// "This host": connecting to it reaches the machine itself.
special.addSubnet('0.0.0.0', 8, 'ipv4');
special.addAddress('::', 'ipv6');
// Link-local; 169.254.169.254 is the metadata service of most clouds.
special.addSubnet('169.254.0.0', 16, 'ipv4');
special.addSubnet('fe80::', 10, 'ipv6');
// Metadata services elsewhere: AWS over IPv6, Alibaba, Azure's wire server, Oracle.
special.addAddress('fd00:ec2::254', 'ipv6');
special.addAddress('100.100.100.200', 'ipv4');
special.addAddress('168.63.129.16', 'ipv4');
special.addSubnet('192.0.0.0', 24, 'ipv4');
// Multicast, reserved, broadcast.
special.addSubnet('224.0.0.0', 3, 'ipv4');
special.addSubnet('ff00::', 8, 'ipv6');
