import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface PageServer {
  /** `http://127.0.0.1:PORT`: another origin than the proxy's. */
  readonly origin: string;
  /** Sets what a path answers from now on. */
  set(path: string, content: string | Uint8Array, headers?: Readonly<Record<string, string>>): void;
  stop(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
};

/** A web server for the pages of a test, on a free loopback port. */
export async function startPageServer(pages: Readonly<Record<string, string | Uint8Array>> = {}): Promise<PageServer> {
  const served = new Map<string, { content: string | Uint8Array; headers: Readonly<Record<string, string>> }>();
  for (const [path, content] of Object.entries(pages)) served.set(path, { content, headers: {} });
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page.test').pathname;
    const page = served.get(path);
    if (page === undefined) {
      // Browsers ask for an icon unasked; a 404 would show up among the console's errors.
      response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
      return;
    }
    const type = types[/\.(\w+)$/.exec(path)?.[1] ?? ''] ?? 'text/html; charset=utf-8';
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store', ...page.headers }).end(page.content);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(path, content, headers = {}) {
      served.set(path, { content, headers });
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A page around `body`; `scripts` are URLs of modules. */
export function htmlPage(body: string, scripts: readonly string[] = []): string {
  const tags = scripts.map((url) => `<script type="module" src="${url}"></script>`).join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>${tags}<body>${body}</body></html>`;
}
