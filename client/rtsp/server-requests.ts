import type { RtspRequest } from '../../shared/rtsp-message.js';
import type { ServerRequestAnswer } from './requester.js';

/**
 * What a server may ask of a client (RFC 2326, section 10) → the answer. Some end the session when they get none.
 */

export interface ServerRequestHandlers {
  /** The server wants the client to go elsewhere, or to start anew; null when it does not say where. */
  onRedirect(location: string | null): void;
  /** The server has ended the session. */
  onTeardown(): void;
}

export function answerServerRequest(request: RtspRequest, handlers: ServerRequestHandlers): ServerRequestAnswer {
  const session = request.headers.get('Session');
  const headers: [string, string][] = session === null ? [] : [['Session', session]];
  switch (request.method.toUpperCase()) {
    case 'OPTIONS':
      headers.push(['Public', 'OPTIONS, ANNOUNCE, GET_PARAMETER, SET_PARAMETER, REDIRECT, TEARDOWN']);
      return { status: 200, headers };
    case 'GET_PARAMETER':
    case 'SET_PARAMETER':
    case 'ANNOUNCE':
      return { status: 200, headers };
    case 'REDIRECT':
      return { status: 200, headers, afterwards: () => handlers.onRedirect(request.headers.get('Location')) };
    case 'TEARDOWN':
      return { status: 200, headers, afterwards: () => handlers.onTeardown() };
    default:
      return { status: 501, headers };
  }
}
