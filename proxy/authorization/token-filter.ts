/**
 * A viewer's bytes → the same RTSP messages and frames without `Proxy-Authorization` (a header between the viewer and
 * the proxy only, as in RFC 9110, 11.7.1), and the tokens that stood in it. Everything is read and written anew, so a
 * camera never gets bytes that the proxy has understood differently.
 */
import { StreamError } from '../../shared/errors.js';
import {
  type RtspMessage,
  serializeInterleaved,
  serializeRequest,
  serializeResponse,
} from '../../shared/rtsp-message.js';
import { RtspReader } from '../../shared/rtsp-reader.js';
import { bearerToken } from './request-token.js';

export interface TokenFilterHandlers {
  /** For each request, before its bytes. Null when it carries no token. */
  onRequest(token: string | null): void;
  onBytes(bytes: Uint8Array): void;
  /** The bytes are no RTSP; nothing follows. */
  onError(error: StreamError): void;
}

const NAME = 'Proxy-Authorization';

export class TokenFilter {
  readonly #reader: RtspReader;

  constructor(handlers: TokenFilterHandlers) {
    this.#reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind === 'request') handlers.onRequest(bearerToken(message.headers.get(NAME)));
        message.headers.delete(NAME);
        let bytes: Uint8Array;
        try {
          bytes = serialize(message);
        } catch (error) {
          // A URL with blanks, for one.
          this.close();
          handlers.onError(StreamError.from(error, 'malformed-message', 'The message cannot be passed on.'));
          return;
        }
        handlers.onBytes(bytes);
      },
      onInterleavedFrame: (channel, payload) => handlers.onBytes(serializeInterleaved(channel, payload)),
      onError: (error) => handlers.onError(error),
    });
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes);
  }

  close(): void {
    this.#reader.close();
  }
}

function serialize(message: RtspMessage): Uint8Array {
  return message.kind === 'request' ? serializeRequest(message) : serializeResponse(message);
}
