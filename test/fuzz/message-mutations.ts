import { garbled } from './byte-mutations.js';
import type { Draft } from './draft.js';
import type { Random } from './random.js';
import type { WireUnit } from './wire-units.js';

/** Responses and requests of a camera → others, with headers that are wrong, missing, doubled, or in another order. */

const headerLines = [
  'Session: 8a7b;timeout=0',
  'Session: 8a7b;timeout=999999999',
  'Session: ',
  'Session: other;timeout=1',
  'Transport: RTP/AVP;unicast;client_port=5000-5001',
  'Transport: RTP/AVP/TCP;interleaved=0-1',
  'Transport: RTP/AVP/TCP;interleaved=255',
  'Transport: RTP/AVP/TCP;interleaved=4-4,RTP/AVP/TCP;interleaved=900-901',
  'Transport: ;;;=,,',
  'RTP-Info: url=;seq=-1;rtptime=-1',
  'RTP-Info: url=track0;seq=99999999999;rtptime=99999999999,url=track1',
  `RTP-Info: ${'url=;seq=1,'.repeat(200)}`,
  'Range: npt=now-',
  'Range: npt=99999999999999-1',
  'Range: clock=00000000T000000Z-99999999T999999Z',
  'Range: npt=30:99:99.999-0',
  'Scale: 0',
  'Scale: -1e308',
  'Content-Base: *',
  'Content-Base: http://elsewhere/',
  'Content-Location: ../../..',
  'Location: rtsp://elsewhere.test/',
  'Location: rtsp://camera.test/other',
  'Location: %%%',
  'Public: ',
  'Public: PLAY,PAUSE,GET_PARAMETER,SET_PARAMETER,OPTIONS',
  'WWW-Authenticate: Digest',
  'WWW-Authenticate: Digest realm="a\\"b", nonce="", qop="auth-int,auth", algorithm=MD5-sess',
  `WWW-Authenticate: Basic realm="${'x'.repeat(5_000)}`,
  'CSeq: 99999999999999999999',
  'CSeq: -1',
  'Content-Length: 0',
  'Content-Length: 131073',
  'Content-Length: 12, 13',
  'Content-Length: x',
  ' folded',
  ':',
  'no colon at all',
];
const statuses = [
  100, 200, 201, 250, 301, 302, 305, 400, 401, 404, 405, 451, 454, 455, 457, 459, 461, 500, 501, 503, 551,
];

export function changeHeaders({ units }: Draft, random: Random): void {
  const index = units.findIndex(({ kind }) => kind === 'message');
  const unit = units[index];
  if (unit === undefined) return;
  const { lines, body } = parts(unit);
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  switch (random.below(6)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, ...Array.from({ length: random.chance(0.1) ? 300 : random.few(4) }, () => line));
      break;
    case 2:
      lines.push(lines.splice(at, 1)[0] ?? '');
      break;
    case 3:
      lines[0] = `RTSP/1.0 ${random.pick(statuses)} ${random.chance(0.5) ? 'So' : ''}`;
      break;
    case 4:
      lines[at] = Buffer.from(garbled(Buffer.from(line, 'latin1'), random)).toString('latin1');
      break;
    default: {
      const added = random.pick(headerLines);
      const name = added.slice(0, added.indexOf(':') + 1);
      const same = lines.findIndex((other) => name !== '' && other.startsWith(name));
      if (same > 0 && random.chance(0.8)) lines[same] = added;
      else lines.push(added);
    }
  }
  units[index] = message(lines, body);
}

export function parts({ bytes }: WireUnit): { lines: string[]; body: string } {
  const text = Buffer.from(bytes).toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? { lines: [text], body: '' } : { lines: text.slice(0, end).split('\r\n'), body: text.slice(end + 4) };
}

export function message(lines: readonly string[], body: string): WireUnit {
  return { kind: 'message', bytes: new Uint8Array(Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')) };
}

/** CSeq as a camera counts that answers every request once. */
export function renumber(drafts: readonly Draft[]): void {
  let cseq = 0;
  for (const { units } of drafts) {
    for (const [index, unit] of units.entries()) {
      if (unit.kind !== 'message') continue;
      const { lines, body } = parts(unit);
      const at = lines.findIndex((line) => /^CSeq: *\d{1,5}$/i.test(line));
      if (at < 0 || !lines[0]?.startsWith('RTSP/')) continue;
      lines[at] = `CSeq: ${++cseq}`;
      units[index] = message(lines, body);
    }
  }
}

const requests = [
  ['OPTIONS * RTSP/1.0', 'CSeq: 7'],
  ['TEARDOWN rtsp://camera.test/stream RTSP/1.0', 'CSeq: 8'],
  ['REDIRECT rtsp://camera.test/stream RTSP/1.0', 'CSeq: 9', 'Location: rtsp://camera.test/other'],
  ['REDIRECT rtsp://camera.test/stream RTSP/1.0', 'Location: rtsp://elsewhere.test:99999/'],
  ['ANNOUNCE rtsp://camera.test/stream RTSP/1.0', 'CSeq: 10', 'Content-Length: 4'],
  ['SET_PARAMETER * RTSP/1.0'],
  ['NONSENSE a b c RTSP/1.0', 'CSeq: \u00ff'],
];

/** A reply before that which is waited for, or a request of the camera. */
export function insertMessage(drafts: Draft[], random: Random): void {
  const at = random.below(drafts.length);
  const draft = drafts[at];
  if (draft === undefined) return;
  if (random.chance(0.5)) {
    const request = message(random.pick(requests), '');
    const times = random.chance(0.2) ? random.few(100) : 1;
    draft.units.splice(random.below(draft.units.length + 1), 0, ...Array.from({ length: times }, () => request));
    return;
  }
  const lines = [`RTSP/1.0 ${random.pick(statuses)} Well`, 'CSeq: 1'];
  for (let left = random.below(4); left > 0; left--) lines.push(random.pick(headerLines));
  const reply = message(lines, '');
  if (random.chance(0.3)) draft.units.unshift(reply);
  else drafts.splice(at, 0, { afterMs: 0, action: 'none', units: [reply] });
}
