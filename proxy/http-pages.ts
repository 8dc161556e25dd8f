/** What the proxy answers to plain HTTP: the wall, the element's file, the list of cameras, health. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CameraListing } from '../shared/proxy-protocol.js';
import { type Authorizer, statusOfDenial } from './authorization/authorizer.js';
import { requestToken } from './authorization/request-token.js';
import { listCameras } from './camera-listing.js';
import type { Environment } from './connection.js';
import type { NamedCamera } from './named-camera.js';
import { type RefusalReason, reasonOfDenial } from './refusals.js';
import type { RequestGuard } from './request-guard.js';
import { isPlayerPath, type StaticFiles } from './static-files.js';

export interface HttpPagesOptions {
  guard: RequestGuard;
  cameras: ReadonlyMap<string, NamedCamera>;
  files: StaticFiles;
  /** False while the proxy goes down: load balancers send viewers elsewhere. */
  isReady: () => boolean;
  /** Null: everybody may see everything. */
  authorizer: Authorizer | null;
  /** The viewer's, behind load balancers too. */
  addressOf: (request: IncomingMessage) => string;
  environment: Environment;
}

export class HttpPages {
  readonly #options: HttpPagesOptions;
  readonly #listing: readonly CameraListing[];

  constructor(options: HttpPagesOptions) {
    this.#options = options;
    this.#listing = [...options.cameras.values()].map((camera) => ({
      name: camera.name,
      title: camera.title,
      streams: [...camera.streams.keys()],
    }));
  }

  /** Answers a request if its path is the proxy's; returns false, with nothing touched, if it is not. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const isHealth = path === '/healthz' || path === '/readyz';
    if (!isHealth && path !== '/cameras' && !this.#options.files.has(path)) return false;

    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    if (path === '/cameras' && request.method === 'OPTIONS' && request.headers.origin !== undefined) {
      this.#sendPreflight(request, response);
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      sendText(response, 405, 'Only GET and HEAD are answered here.');
    } else if (isHealth) {
      this.#sendHealth(path, response);
    } else if (!this.#options.guard.isOwnHost(request)) {
      this.#countRefusal('host');
      sendText(response, 403, 'This is not a name of the proxy. Its administrator can add it with --public-host.');
    } else if (path === '/cameras') {
      this.#sendCameras(request, response).catch(() => {
        // Nothing of it can fail but the answer to a viewer that has gone.
        response.destroy();
      });
    } else {
      this.#sendFile(path, request, response);
    }
    return true;
  }

  /** Probes come under any name, and learn nothing else. */
  #sendHealth(path: string, response: ServerResponse): void {
    response.setHeader('Cache-Control', 'no-store');
    if (path === '/readyz' && !this.#options.isReady()) sendText(response, 503, 'going down');
    else sendText(response, 200, 'ok');
  }

  /** A page of an allowed origin may show its token in a header, of which the browser asks first (Fetch, CORS preflight). */
  #sendPreflight(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Vary', 'Origin');
    const { guard } = this.#options;
    const isAllowed = guard.isOwnHost(request) && guard.judgeOrigin(request) === 'allowed';
    if (!isAllowed) {
      this.#countRefusal(guard.isOwnHost(request) ? 'origin' : 'host');
      sendText(response, 403, 'Pages of this origin are not allowed here. See --allow-origin.');
      return;
    }
    response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '');
    response.setHeader('Access-Control-Allow-Credentials', 'true');
    response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization');
    response.writeHead(204).end();
  }

  async #sendCameras(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { guard, authorizer, environment, addressOf } = this.#options;
    const verdict = guard.judgeOrigin(request);
    response.setHeader('Vary', 'Origin');
    response.setHeader('Cache-Control', 'no-store');
    // A page of another site cannot read it, not even by loading it as a script.
    if (verdict !== 'allowed') response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    if (verdict === 'refused') {
      this.#countRefusal('origin');
      sendText(response, 403, 'Pages of this origin are not allowed here. See --allow-origin.');
      return;
    }
    if (verdict === 'allowed') {
      response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '');
      response.setHeader('Access-Control-Allow-Credentials', 'true');
    }
    const address = addressOf(request);
    const list = await listCameras({ request, address, cameras: this.#listing, authorizer, environment });
    if (!Array.isArray(list)) {
      const hasToken = requestToken(request, authorizer?.tokenCookie ?? null) !== null;
      this.#countRefusal(reasonOfDenial(list, hasToken));
      const status = statusOfDenial(list);
      if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
      sendText(response, status, list.sentence);
      return;
    }
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.writeHead(200).end(request.method === 'HEAD' ? undefined : JSON.stringify(list));
  }

  #countRefusal(reason: RefusalReason): void {
    this.#options.environment.counters.refusals[reason]++;
  }

  #sendFile(path: string, request: IncomingMessage, response: ServerResponse): void {
    if (isPlayerPath(path)) {
      // Pages of any origin may load the element; what it may connect to is decided when it connects.
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    } else {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy(request.headers.host ?? ''));
    }
    this.#options.files.send(path, request, response);
  }
}

/** @param host - the Host header, after `RequestGuard.isOwnHost` */
function contentSecurityPolicy(host: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    'media-src blob:',
    "worker-src 'self' blob:",
    // Older browsers do not take 'self' for WebSockets.
    `connect-src 'self' ws://${host} wss://${host}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.writeHead(status).end(`${text}\n`);
}
