/** Session descriptions (RFC 8866), from objects to text. The grammar's work is sdp-transform's. */
import sdpTransform from 'sdp-transform';
import { StreamError } from './errors.js';
import type { SessionDescription } from './session-description.js';

/** What `serializeSessionDescription` adds to the description itself. */
export interface SerializeOptions {
  /** The o= line's numeric id and version (RFC 8866, 5.2). */
  sessionId?: number;
  sessionVersion?: number;
  /** IPv4 or IPv6 address of the o= and c= lines. */
  address?: string;
}

/**
 * Writes a session description, with CRLF line ends. Throws `invalid-argument` when a text in it has a line end.
 * @param description - as `parseSessionDescription` gives it; its `text` is not looked at
 */
export function serializeSessionDescription(
  description: Omit<SessionDescription, 'text'>,
  options: SerializeOptions = {},
): string {
  const { sessionId = 1, sessionVersion = 1, address = '0.0.0.0' } = options;
  const ipVer = address.includes(':') ? 6 : 4;
  const text = sdpTransform.write({
    version: 0,
    origin: { username: '-', sessionId, sessionVersion, netType: 'IN', ipVer, address: checked(address) },
    name: checked(description.name ?? '-'),
    connection: { version: ipVer, ip: address },
    timing: { start: 0, stop: 0 },
    ...attributes(description),
    media: description.media.map((medium) => ({
      type: medium.kind === 'other' ? 'application' : medium.kind,
      port: 0,
      protocol: checked(medium.protocol),
      payloads: medium.formats.map((format) => format.payloadType).join(' '),
      ...(medium.bandwidth === null ? {} : { bandwidth: [{ type: 'AS' as const, limit: medium.bandwidth }] }),
      rtp: medium.formats.map((format) => ({
        payload: format.payloadType,
        codec: checked(format.encodingName),
        rate: format.clockRate,
        ...(format.channels === null ? {} : { encoding: format.channels }),
      })),
      fmtp: medium.formats
        .filter((format) => format.parameters.size > 0)
        .map((format) => ({ payload: format.payloadType, config: serializeParameters(format.parameters) })),
      ...(medium.direction === null ? {} : { direction: medium.direction }),
      ...(medium.frameRate === null ? {} : { framerate: medium.frameRate }),
      ...attributes(medium),
    })),
  });
  return text;
}

function attributes(part: { control: string | null; range: string | null }): {
  control?: string;
  invalid?: { value: string }[];
} {
  return {
    ...(part.control === null ? {} : { control: checked(part.control) }),
    ...(part.range === null ? {} : { invalid: [{ value: `range:${checked(part.range)}` }] }),
  };
}

function serializeParameters(parameters: ReadonlyMap<string, string>): string {
  return [...parameters].map(([name, value]) => checked(value === '' ? name : `${name}=${value}`)).join('; ');
}

function checked(text: string): string {
  if (/[\r\n\0]/.test(text))
    throw new StreamError('invalid-argument', 'A text in a session description has a line end.');
  return text;
}
