/**
 * Who may talk to the proxy at all: its own names against DNS rebinding (the Host header), and the pages that may connect
 * against cross-site use (the Origin header).
 */
import type { IncomingMessage } from 'node:http';
import { parseHost } from './ip-address.js';

export interface RequestGuardOptions {
  allowOrigins: readonly string[];
  publicHosts: readonly string[];
}

/** What the Origin header says about a request. */
export type OriginVerdict = 'same' | 'allowed' | 'absent' | 'refused';

export class RequestGuard {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;

  constructor(options: RequestGuardOptions) {
    this.#origins = new Set(options.allowOrigins);
    this.#hosts = new Set(options.publicHosts);
  }

  /**
   * Whether the Host header is a name of the proxy: an address, localhost, or one that was configured. A page of an
   * attacker whose name was made to lead here shows that name.
   */
  isOwnHost(request: IncomingMessage): boolean {
    const host = hostOf(request.headers.host);
    const form = host === null ? null : parseHost(host.replace(/^\[(.*)\]$/, '$1'));
    if (form === null || form.kind === 'invalid') return false;
    return form.kind === 'address' || form.name === 'localhost' || this.#hosts.has(form.name);
  }

  /** Whether the page that makes this request is the proxy's own, or was allowed. `null` is nobody's origin. */
  judgeOrigin(request: IncomingMessage): OriginVerdict {
    const { origin, host } = request.headers;
    if (origin === undefined) return 'absent';
    let url: URL;
    let own: URL;
    try {
      url = new URL(origin);
      own = new URL(`${url.protocol}//${host ?? ''}`);
    } catch {
      return 'refused';
    }
    if (!/^https?:$/.test(url.protocol) || url.origin !== origin) return 'refused';
    if (url.host === own.host) return 'same';
    return this.#origins.has(url.origin) ? 'allowed' : 'refused';
  }
}

/** The host of a Host header, without the port; null when it is not one. */
function hostOf(header: string | undefined): string | null {
  return /^(\[[0-9a-f:.]+\]|[^:\s/?#@[\]]+)(?::\d{1,5})?$/i.exec(header ?? '')?.[1] ?? null;
}
