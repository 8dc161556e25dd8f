/** The few files that the proxy serves, read once and kept with their compressed form: a path → an HTTP reply. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

interface StaticFile {
  type: string;
  content: Buffer;
  compressed: Buffer;
  etag: string;
}

/** Only files of these kinds are served. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
};

const here = fileURLToPath(new URL('.', import.meta.url));
/** Built, the element's bundle lies beside this folder; in a checkout that runs from source, in `dist`. */
const bundleFolders = [join(here, '..'), join(here, '..', 'dist')];
const PLAYER_FILE = 'rtsp-player.js';
/** What the player's file loads: a hash in the name changes with the content. */
const playerPart = /^rtsp-player-[\w-]{8,}\.js$/;

/** Whether a path is that of the player's file or of one of its parts, which pages of other origins may load. */
export function isPlayerPath(path: string): boolean {
  return path === `/${PLAYER_FILE}` || playerPart.test(path.slice(1));
}

export class StaticFiles {
  /** Places on disk by URL path. The list is made once: no path of a request ever reaches the file system. */
  readonly #places = new Map<string, string>();
  readonly #files = new Map<string, StaticFile>();

  /** @param folder - of the wall page; its index.html is `/` */
  constructor(folder = join(here, 'wall')) {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    for (const name of names) {
      if (extname(name) in types) this.#places.set(name === 'index.html' ? '/' : `/${name}`, join(folder, name));
    }
    const bundleFolder = bundleFolders.find((candidate) => existsSync(join(candidate, PLAYER_FILE)));
    if (bundleFolder === undefined) return;
    for (const name of readdirSync(bundleFolder)) {
      if (isPlayerPath(`/${name}`)) this.#places.set(`/${name}`, join(bundleFolder, name));
    }
  }

  has(path: string): boolean {
    return this.#places.has(path);
  }

  /** Answers a GET or HEAD of a path that it has; headers that were set before stay. */
  send(path: string, request: IncomingMessage, response: ServerResponse): void {
    const file = this.#read(path);
    const isCompressed = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const etag = isCompressed ? `"${file.etag}-gz"` : `"${file.etag}"`;
    response.setHeader('Content-Type', file.type);
    // Kept, but asked about each time, so that an update is seen at once.
    const isForever = playerPart.test(path.slice(1));
    response.setHeader('Cache-Control', isForever ? 'public, max-age=31536000, immutable' : 'no-cache');
    response.setHeader('ETag', etag);
    response.setHeader('Vary', 'Accept-Encoding');
    if ((request.headers['if-none-match'] ?? '').split(/\s*,\s*/).includes(etag)) {
      response.writeHead(304).end();
      return;
    }
    const content = isCompressed ? file.compressed : file.content;
    if (isCompressed) response.setHeader('Content-Encoding', 'gzip');
    response.setHeader('Content-Length', content.length);
    response.writeHead(200).end(request.method === 'HEAD' ? undefined : content);
  }

  #read(path: string): StaticFile {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const place = this.#places.get(path) ?? '';
    const content = readFileSync(place);
    const file: StaticFile = {
      type: types[extname(place)] ?? 'application/octet-stream',
      content,
      compressed: gzipSync(content),
      etag: createHash('sha256').update(content).digest('base64url').slice(0, 27),
    };
    this.#files.set(path, file);
    return file;
  }
}
