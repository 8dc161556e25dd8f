/**
 * A camera's session description (RFC 8866) → the one that viewers of a named camera get: the same lines, but without
 * addresses, and with the proxy's URLs. Line by line, so that what no parser understands still gets through.
 */
import { MAX_SDP_LINE_LENGTH, MAX_SDP_LINES } from '../shared/limits.js';
import { redactUrl } from '../shared/redaction.js';

/** Kinds of line that name places and people: URI, mail, phone, and information, in which live555 puts the path. */
const droppedLine = /^[uepi]=/;
/** Attributes with addresses or, in those of live555, with the path. */
const droppedAttribute = /^a=(?:source-filter|rtcp|candidate|remote-candidates|x-qt-text-\w+)\s*(?::|$)/i;

/**
 * @param text - as the camera sent it, with any line ends
 * @param publicUrl - the session's URL for null, medium k's for k
 * @param name - the session's name: cameras put their path there
 */
export function rewriteSessionDescription(
  text: string,
  publicUrl: (medium: number | null) => string,
  name: string,
): string {
  const result: string[] = [];
  let medium: number | null = null;
  let hasControl = false;
  const finishSection = (): void => {
    if (!hasControl) result.push(`a=control:${publicUrl(medium)}`);
    hasControl = false;
  };
  for (const raw of text.split(/\r\n|\r|\n/, MAX_SDP_LINES)) {
    const line = raw.trim();
    if (line === '' || raw.length > MAX_SDP_LINE_LENGTH || droppedLine.test(line) || droppedAttribute.test(line))
      continue;
    if (line.startsWith('m=')) {
      finishSection();
      medium = medium === null ? 0 : medium + 1;
      result.push(line);
    } else if (/^a=control\s*(?::|$)/i.test(line)) {
      if (!hasControl) result.push(`a=control:${publicUrl(medium)}`);
      hasControl = true;
    } else if (line.startsWith('o=')) {
      result.push(rewriteOrigin(line));
    } else if (line.startsWith('c=')) {
      result.push('c=IN IP4 0.0.0.0');
    } else if (line.startsWith('s=')) {
      result.push(`s=${name}`);
    } else if (!/rtsps?:\/\//i.test(line)) {
      result.push(redactUrl(line));
    }
  }
  finishSection();
  return `${result.join('\r\n')}\r\n`;
}

/** Id and version stay; the user's name and the address go. */
function rewriteOrigin(line: string): string {
  const [, id = '', version = ''] = line.slice(2).split(/\s+/);
  const number = (word: string): string => (/^[0-9a-f]{1,32}$/i.test(word) ? word : '0');
  return `o=- ${number(id)} ${number(version)} IN IP4 0.0.0.0`;
}
