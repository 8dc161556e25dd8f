import type { ErrorCode } from '../../shared/errors.js';
import type { IconName } from './icons.js';

/** A failure in plain words: what it is, and what one may do about it. */
export interface ErrorWords {
  readonly icon: IconName;
  readonly title: string;
  readonly advice: string;
  /** Whether the same attempt may end differently later. */
  readonly mayTryAgain: boolean;
}

const again = 'It may help to try again in a moment.';
const page = 'The page that shows this player has to be corrected.';
const camera = "Check the camera's power and network, then try again.";
const settings = "Check the camera's video settings: H.264 plays in every browser.";

const words: Record<ErrorCode, readonly [title: string, advice: string]> = {
  'invalid-argument': ['This player is not set up correctly', page],
  'invalid-url': ['This player is not set up correctly', page],
  'not-rtsp': ['No camera at this address', 'Something else answers there. Check the address and the port.'],
  'message-too-large': ['The camera sends something unexpected', again],
  'malformed-message': ['The camera sends something unexpected', again],
  timeout: ['The camera does not answer', camera],
  'connection-failed': ['No connection', 'Check your network, and that the camera proxy is running.'],
  'connection-closed': ['The connection was lost', again],
  'no-data': ['The camera has stopped sending', camera],
  unauthorized: ['The camera asks for a password', 'Check the user name and the password.'],
  'token-invalid': ['Access has expired', 'Reload the page, or sign in again.'],
  forbidden: ['Access is not allowed', 'Ask an administrator to allow this camera for this page.'],
  'not-found': ['No such camera', "Check the camera's name or address."],
  'limit-reached': ['Too many viewers', 'Close other players, or try again later.'],
  'transport-unsupported': ['The camera cannot send over TCP', "Allow RTP over TCP in the camera's settings."],
  'camera-refused': ['The camera refused the connection', camera],
  'camera-unreachable': ['The camera does not answer', camera],
  'camera-rejects-credentials': [
    'The camera rejects the password',
    "An administrator has to correct the camera's password in the proxy.",
  ],
  'proxy-going-down': ['The camera proxy is restarting', again],
  'server-error': ['The camera reports a problem', again],
  'request-failed': ['The camera refused the request', again],
  redirected: ['The camera has moved', 'It names another address. Use that address here.'],
  'certificate-invalid': ['The connection is not safe', "An administrator has to check the camera's certificate."],
  'no-playable-track': ['Nothing to play', settings],
  'codec-unsupported': ['This browser cannot play the video', settings],
  'media-failed': ['The video could not be played', again],
  'media-source-missing': ['This browser cannot play live video', 'Use a current Chrome, Edge, Firefox or Safari.'],
  aborted: ['Stopped', again],
  'invalid-state': ['Something went wrong', again],
};

const icons: Partial<Record<ErrorCode, IconName>> = {
  'invalid-argument': 'problem',
  'invalid-url': 'problem',
  'media-source-missing': 'problem',
  'media-failed': 'problem',
  'invalid-state': 'problem',
  unauthorized: 'lock',
  'camera-rejects-credentials': 'lock',
  'token-invalid': 'lock',
  forbidden: 'lock',
};

const hopeless: ReadonlySet<ErrorCode> = new Set(['invalid-argument', 'invalid-url', 'media-source-missing']);

export function errorWords(code: ErrorCode): ErrorWords {
  const [title, advice] = words[code] ?? words['invalid-state'];
  return { icon: icons[code] ?? 'cameraOff', title, advice, mayTryAgain: !hopeless.has(code) };
}
