/** What the proxy answers to plain HTTP: the wall, the element's file, the list of cameras, health. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CameraListing } from '../shared/proxy-protocol.js';
import type { NamedCamera } from './named-camera.js';
import type { RequestGuard } from './request-guard.js';
import { isPlayerPath, type StaticFiles } from './static-files.js';

export interface HttpPagesOptions {
  guard: RequestGuard;
  cameras: ReadonlyMap<string, NamedCamera>;
  files: StaticFiles;
  /** False while the proxy goes down: load balancers send viewers elsewhere. */
  isReady: () => boolean;
}

export class HttpPages {
  readonly #options: HttpPagesOptions;
  readonly #listing: string;

  constructor(options: HttpPagesOptions) {
    this.#options = options;
    const listing: CameraListing[] = [...options.cameras.values()].map((camera) => ({
      name: camera.name,
      title: camera.title,
      streams: [...camera.streams.keys()],
    }));
    this.#listing = JSON.stringify(listing);
  }

  /** Answers a request if its path is the proxy's; returns false, with nothing touched, if it is not. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const isHealth = path === '/healthz' || path === '/readyz';
    if (!isHealth && path !== '/cameras' && !this.#options.files.has(path)) return false;

    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      sendText(response, 405, 'Only GET and HEAD are answered here.');
    } else if (isHealth) {
      this.#sendHealth(path, response);
    } else if (!this.#options.guard.isOwnHost(request)) {
      sendText(response, 403, 'This is not a name of the proxy. Its administrator can add it with --public-host.');
    } else if (path === '/cameras') {
      this.#sendCameras(request, response);
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

  #sendCameras(request: IncomingMessage, response: ServerResponse): void {
    const verdict = this.#options.guard.judgeOrigin(request);
    response.setHeader('Vary', 'Origin');
    response.setHeader('Cache-Control', 'no-store');
    if (verdict === 'refused') {
      sendText(response, 403, 'Pages of this origin are not allowed here. See --allow-origin.');
      return;
    }
    if (verdict === 'allowed') response.setHeader('Access-Control-Allow-Origin', request.headers.origin ?? '');
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.writeHead(200).end(request.method === 'HEAD' ? undefined : this.#listing);
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
