/**
 * The URLs that a viewer of a named camera may use, and what they stand for at the camera: `rtsp://<name>/` is the
 * configured URL, `rtsp://<name>/<k>` the control URL of medium k. Everything else does not exist.
 */
import { baseUrl, controlUrls, parseRtspUrl, type RtspUrl } from '../shared/rtsp-url.js';
import type { SessionDescription } from '../shared/session-description.js';

/** What a viewer's URL means. */
export type TableEntry =
  | { kind: 'session' /** Without the question mark; empty when there is none. */; query: string }
  | { kind: 'medium'; index: number };

export class UrlTable {
  readonly #name: string;
  /** The camera's URL, without credentials: what DESCRIBE asks for. */
  readonly requestUrl: string;
  /** The session's URL at the camera, the likeliest first. */
  #session: readonly string[];
  /** Per medium, its URL at the camera, the likeliest first. */
  #media: readonly (readonly string[])[] = [];

  /** @param requestUrl - the camera's real URL, without credentials */
  constructor(name: string, requestUrl: string) {
    this.#name = name;
    this.requestUrl = requestUrl;
    this.#session = [requestUrl];
  }

  /** Takes the camera's reply to DESCRIBE, which names the media (quirk rows of RFC 2326, C.1.1: the joins of shared/rtsp-url). */
  describe(
    requestUrl: string,
    headers: { contentBase: string | null; contentLocation: string | null },
    description: SessionDescription,
  ): void {
    const base = baseUrl(requestUrl, headers);
    // TP-Link and VStarcam name no session-level control: the request's URL is the session's.
    const session = description.control === null ? [requestUrl, base] : controlUrls(base, description.control);
    this.#session = [...new Set(session)].slice(0, 2);
    // The media's controls are relative to the session's, where that is more than `*`.
    const mediaBase = description.control === null ? base : (this.#session[0] ?? base);
    this.#media = description.media.map((medium) => {
      const urls = controlUrls(mediaBase, medium.control);
      const others = mediaBase === base ? [] : controlUrls(base, medium.control);
      return [...new Set([...urls, ...others])].slice(0, 2);
    });
  }

  /** The entry that a viewer's URL names; null when the table has none, or before DESCRIBE has named it. */
  find(url: string): TableEntry | null {
    if (url === '*') return { kind: 'session', query: '' };
    let parsed: RtspUrl;
    try {
      parsed = parseRtspUrl(url);
    } catch {
      return null;
    }
    if (parsed.host.toLowerCase() !== this.#name) return null;
    const question = parsed.path.indexOf('?');
    const path = question < 0 ? parsed.path : parsed.path.slice(0, question);
    if (path === '' || path === '/') {
      return { kind: 'session', query: question < 0 ? '' : parsed.path.slice(question + 1) };
    }
    const digits = /^\/(\d{1,3})$/.exec(path)?.[1];
    const index = digits === undefined ? -1 : Number(digits);
    return index >= 0 && index < this.#media.length ? { kind: 'medium', index } : null;
  }

  /** URLs at the camera to try, best first. */
  urlsOf(entry: TableEntry): readonly string[] {
    return entry.kind === 'session' ? this.#session : (this.#media[entry.index] ?? []);
  }

  /** Remembers which of several candidates the camera took. */
  prefer(entry: TableEntry, url: string): void {
    if (entry.kind === 'session') this.#session = [url];
    else this.#media = this.#media.map((urls, index) => (index === entry.index ? [url] : urls));
  }

  /** What the viewer calls the session, or medium k. */
  publicUrl(medium: number | null): string {
    return `rtsp://${this.#name}/${medium ?? ''}`;
  }

  /** The medium whose control URL this is, as far as it can be told; null otherwise. */
  mediumOf(cameraUrl: string): number | null {
    const exact = this.#media.findIndex((urls) => urls.includes(cameraUrl));
    if (exact >= 0) return exact;
    // Relative ones, and those with another host or port than the camera was asked under.
    const path = cameraUrl.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/^\/+/, '');
    if (path === '') return null;
    const index = this.#media.findIndex((urls) => urls.some((url) => url.endsWith(`/${path}`)));
    return index >= 0 ? index : null;
  }
}
