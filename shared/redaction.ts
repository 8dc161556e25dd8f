import { endOfAuthority, isIpv6 } from './rtsp-url.js';

/** Texts that may hold URLs with secrets → texts that can be shown and logged. */

/**
 * Any text, with every userinfo of a URL in it replaced by `***` and likewise the values of query parameters that look
 * like secrets. Where a password ends cannot always be told: then more is hidden rather than less.
 */
export function redactUrl(text: string): string {
  return text.replace(passwordWithBlanks, '$1***@').replace(/\S+/g, redactWord);
}

/** `rtsp://user:my password@host`: a userinfo with blanks, told from `host:554/path with words @home` by its port. */
const passwordWithBlanks = /(:\/\/)[^\s/@:]{0,256}:(?!\d{1,5}(?:[/?#\s,;"']|$))[^\s@]{0,256}[ \t][^@\r\n]{0,256}@/g;

function redactWord(word: string): string {
  return redactQuery(redactEncodedUserinfo(redactUserinfo(word)));
}

function redactUserinfo(word: string): string {
  const at = word.lastIndexOf('@');
  const scheme = word.indexOf('://');
  const start = scheme < 0 ? 0 : scheme + 3;
  const authorityEnd = endOfAuthority(word, start);
  if (at >= start) {
    // In `rtsp://host/path@2` nothing is secret; anything with a colon before the @ may be a password.
    const before = word.slice(start, at);
    const hasUserinfo = (scheme >= 0 && at < authorityEnd) || before.includes(':') || before.startsWith('***');
    return hasUserinfo ? `${word.slice(0, start)}***${word.slice(at)}` : word;
  }
  if (scheme < 0) return word;
  // `rtsp://user:password` that was never finished: a port would be digits.
  const authority = word.slice(start, authorityEnd);
  const colon = authority.lastIndexOf(':');
  const isPlain =
    colon < 0 || authority.startsWith('[') || isIpv6(authority) || /^:\d{0,5}\W*$/.test(authority.slice(colon));
  return isPlain ? word : `${word.slice(0, start)}${authority.slice(0, authority.indexOf(':'))}:***`;
}

/** A whole URL that is percent-encoded into another's query. */
function redactEncodedUserinfo(word: string): string {
  const lowerCase = word.toLowerCase();
  const scheme = lowerCase.indexOf('%3a%2f%2f');
  const at = lowerCase.lastIndexOf('%40');
  return scheme >= 0 && at > scheme ? `${word.slice(0, scheme + 9)}***${word.slice(at)}` : word;
}

const secretName = /pass|pwd|token|secret|auth|credential|signature/i;
const secretNameEnd = /(?:^pw|sig|key)$/i;

/** XM cameras have their password in the path, as `/user=admin_password=x_channel=1`: any `name=value` counts. */
function redactQuery(word: string): string {
  let result = '';
  let done = 0;
  for (let equals = word.indexOf('='); equals >= 0; equals = word.indexOf('=', Math.max(equals + 1, done))) {
    let start = equals;
    while (start > done && equals - start < 64 && /[\w.%-]/.test(word[start - 1] ?? '')) start--;
    const name = word.slice(start, equals);
    if (!secretName.test(name) && !secretNameEnd.test(name)) continue;
    let end = equals + 1;
    while (end < word.length && !'&"<>'.includes(word[end] ?? '')) end++;
    result += `${word.slice(done, equals + 1)}${end === equals + 1 ? '' : '***'}`;
    done = end;
  }
  return result + word.slice(done);
}
