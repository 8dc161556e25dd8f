/** An HTTP request → the address of whoever sent it, also behind load balancers that are known (X-Forwarded-For). */
import type { IncomingMessage } from 'node:http';
import { BlockList } from 'node:net';
import { StreamError } from '../shared/errors.js';
import { addressFamily, canonicalAddress, ipv6Groups, parseHost } from './ip-address.js';

/** Reads addresses and networks in CIDR notation; throws `invalid-argument`. */
export function parseNetworks(texts: readonly string[], path: string): BlockList {
  const list = new BlockList();
  for (const [index, text] of texts.entries()) {
    const [host = '', prefixText, ...rest] = text.split('/');
    const form = parseHost(host);
    const bits = form.kind === 'address' && addressFamily(form.address) === 'ipv4' ? 32 : 128;
    const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
    if (form.kind !== 'address' || rest.length > 0 || prefix < 0 || prefix > bits) {
      throw new StreamError(
        'invalid-argument',
        `${path}[${index}]: got "${text}", expected an address or a network such as 10.0.0.0/8.`,
      );
    }
    list.addSubnet(form.address, prefix, addressFamily(form.address));
  }
  return list;
}

/**
 * The nearest address that is not a trusted proxy's. What stands further left in X-Forwarded-For was written by the
 * viewer itself, and is not believed.
 */
export function viewerAddress(request: IncomingMessage, trusted: BlockList): string {
  let address = canonicalAddress(request.socket.remoteAddress ?? '');
  // A Unix socket has no address; whoever may connect to it is on this machine.
  if (address === null) return 'local';
  const header = request.headers['x-forwarded-for'] ?? '';
  const hops = (Array.isArray(header) ? header.join(',') : header).split(',');
  while (trusted.check(address, addressFamily(address))) {
    const hop: string | null = canonicalAddress((hops.pop() ?? '').trim().replace(/^\[(.*)\](?::\d+)?$/, '$1'));
    if (hop === null) break;
    address = hop;
  }
  return address;
}

/** What limits count by: an IPv4 address, or the network of 64 bits that a viewer with IPv6 has to itself. */
export function addressGroup(address: string): string {
  return address.includes(':') ? `${ipv6Groups(address).slice(0, 4).join(':')}/64` : address;
}
