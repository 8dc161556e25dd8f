/**
 * Headers between a viewer and a named camera: built anew from what is known and understood, so that neither side's
 * surprises reach the other (RFC 2326, section 12).
 */
import { RtspHeaders } from '../shared/rtsp-message.js';

/** Methods that a viewer may use; other methods of RTSP are 405, words that are none 501. */
export const allowedMethods: readonly string[] = [
  'OPTIONS',
  'DESCRIBE',
  'SETUP',
  'PLAY',
  'PAUSE',
  'GET_PARAMETER',
  'SET_PARAMETER',
  'TEARDOWN',
];

export const otherMethods: ReadonlySet<string> = new Set(['ANNOUNCE', 'RECORD', 'REDIRECT']);

/** What a viewer may say to a camera. The rest is the proxy's own (CSeq, Session, Authorization) or nobody's. */
const requestHeaders = ['Accept', 'Range', 'Scale', 'Speed', 'Require', 'Rate-Control', 'Frames', 'Immediate'];
/** The same for requests with a body. */
const bodyHeaders = ['Content-Type'];

/** What a camera may say to a viewer as it is. */
const responseHeaders = ['Content-Type', 'Range', 'Scale', 'Speed', 'Retry-After', 'Unsupported'];

/** An interleaved pair of channels (RFC 2326, 12.39). */
export interface Channels {
  rtp: number;
  rtcp: number;
}

/** The headers of a viewer's request that go on to the camera. */
export function forwardedRequestHeaders(headers: RtspHeaders, hasBody: boolean): RtspHeaders {
  return pick(headers, hasBody ? [...requestHeaders, ...bodyHeaders] : requestHeaders);
}

/** The headers of a camera's reply that go on to the viewer unchanged. */
export function forwardedResponseHeaders(headers: RtspHeaders): RtspHeaders {
  return pick(headers, responseHeaders);
}

function pick(headers: RtspHeaders, names: readonly string[]): RtspHeaders {
  const picked = new RtspHeaders();
  for (const name of names) {
    for (const value of headers.getAll(name)) picked.append(name, value);
  }
  return picked;
}

/** The channels of a Transport header; `interleaved=0` alone stands for 0-1 (Escam Q6). Null when it names none. */
export function parseChannels(transport: string | null): Channels | null {
  const match = /(?:^|[;,])\s*interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?/i.exec(transport ?? '');
  if (match === null) return null;
  const rtp = Number(match[1]);
  const rtcp = match[2] === undefined ? rtp + 1 : Number(match[2]);
  return rtp <= 255 && rtcp <= 255 ? { rtp, rtcp } : null;
}

/** The Transport of a viewer's SETUP as the camera gets it. */
export function requestTransport(channels: Channels): string {
  return `RTP/AVP/TCP;unicast;interleaved=${channels.rtp}-${channels.rtcp}`;
}

/** The Transport of a camera's reply as the viewer gets it: without addresses and ports. */
export function responseTransport(transport: string | null, channels: Channels): string {
  // Several cameras give it with a blank, as 0x…, in decimal or with few digits; the viewer takes it as a hint.
  const ssrc = /;\s*ssrc\s*=\s*((?:0x)?[0-9a-f]{1,10})\s*(?:;|$)/i.exec(transport ?? '')?.[1];
  return requestTransport(channels) + (ssrc === undefined ? '' : `;ssrc=${ssrc}`);
}

/** The id and the time-out of a Session header (RFC 2326, 12.37), with `timeout` in seconds; null when it has no id. */
export function parseSession(value: string | null): { id: string; timeout: string | null } | null {
  const id = /^[^\s;,]{1,255}/.exec(value ?? '')?.[0];
  if (id === undefined) return null;
  return { id, timeout: /;\s*timeout\s*=\s*"?(\d{1,9})/i.exec(value ?? '')?.[1] ?? null };
}

/** The methods of a Public or Allow header that a viewer may use, too; all of those when the camera names none. */
export function publicMethods(value: string | null): string {
  const named = new Set((value ?? '').toUpperCase().split(/[\s,]+/));
  const common = allowedMethods.filter((method) => named.has(method));
  return (common.length > 0 ? common : allowedMethods).join(', ');
}

/**
 * RTP-Info (RFC 2326, 12.33) with the viewer's URLs; null when nothing of it can be used.
 * @param mediumOf - the medium of a URL at the camera, or null
 * @param setUp - the media in the order of their SETUP, for URLs that are wrong: with one it is meant, otherwise the one
 * at the same place
 */
export function rewriteRtpInfo(
  value: string,
  mediumOf: (url: string) => number | null,
  setUp: readonly number[],
  publicUrl: (medium: number) => string,
): string | null {
  // URLs may have commas in them, so the parts begin at `url=`.
  const parts = value.split(/(?:^|,)\s*(?=url\s*=)/i).filter((part) => part.trim() !== '');
  const rewritten: string[] = [];
  for (const [place, part] of parts.entries()) {
    const url = /^url\s*=\s*"?([^;"\s]*)/i.exec(part)?.[1] ?? '';
    const medium = setUp.length === 1 ? setUp[0] : (mediumOf(url) ?? setUp[place]);
    if (medium === undefined) continue;
    let text = `url=${publicUrl(medium)}`;
    for (const name of ['seq', 'rtptime', 'ssrc']) {
      const parameter = new RegExp(`;\\s*${name}\\s*=\\s*"?(-?[0-9a-f]{1,12})`, 'i').exec(part)?.[1];
      if (parameter !== undefined) text += `;${name}=${parameter}`;
    }
    rewritten.push(text);
  }
  return rewritten.length === 0 ? null : rewritten.join(',');
}
