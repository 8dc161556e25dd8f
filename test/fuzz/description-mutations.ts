import { garbled } from './byte-mutations.js';
import type { Draft } from './draft.js';
import { message, parts } from './message-mutations.js';
import type { Random } from './random.js';

/** The session description in a camera's response → one whose lines are others, wrong, or in another order. */

const formatNames = ['H264', 'H265', 'AV1', 'VP8', 'VP9', 'JPEG', 'MPEG4-GENERIC', 'MP4A-LATM', 'opus', 'MPA'].concat([
  'PCMU',
  'PCMA',
  'L8',
  'L16',
  'G722',
  'G726-40',
  'AAL2-G726-24',
  'G729',
  'vnd.onvif.metadata',
]);
const numbers = ['0', '1', '7', '8000', '44100', '90000', '4294967295', '99999999999', '-1', '0.5', 'x', ''];
const parameterNames = ['sizelength', 'indexlength', 'indexdeltalength', 'ctsdeltalength', 'dtsdeltalength'].concat(
  ['constantsize', 'constantduration', 'auxiliarydatasizelength', 'streamstateindication', 'randomaccessindication'],
  ['config', 'cpresent', 'mode', 'sprop-parameter-sets', 'sprop-vps', 'sprop-sps', 'sprop-pps', 'sprop-max-don-diff'],
  ['packetization-mode', 'object', 'rate', 'channels'],
);
const parameterValues = [
  '0',
  '1',
  '2',
  '16',
  '32',
  '33',
  '65535',
  'aac-lbr',
  '40',
  '1190',
  '400023203fc0',
  'ff'.repeat(60),
];
const parameterLines = [
  'sprop-max-don-diff=2',
  'mode=generic;sizelength=0;constantsize=7;auxiliarydatasizelength=3',
  'mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2',
  'sizelength=13;indexlength=3;indexdeltalength=3;ctsdeltalength=22;dtsdeltalength=22;randomaccessindication=1;config=2b8a0800',
  'sizelength=32;indexlength=32;indexdeltalength=32;streamstateindication=32;config=eb098800',
  'sizelength=13;indexlength=0;indexdeltalength=0;config=12000590',
  'cpresent=1;object=2',
  'cpresent=0;config=4000562420adc0',
  'cpresent=0;config=c00023203fc0ffff',
  'sprop-stereo=1;maxplaybackrate=8000',
];

/** Parameter sets with bits the other way round. */
function garbledBase64(sets: string, random: Random): string {
  const garbledSets = sets.split(',').map((set) => {
    const bytes = Buffer.from(set, 'base64');
    for (let left = random.few(5); left > 0 && bytes.length > 0; left--) {
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return random.chance(0.1) ? set.repeat(200) : bytes.toString('base64');
  });
  return garbledSets.join(',');
}

const wholeLines = [
  'a=control:*',
  'a=control:rtsp://elsewhere.test/stream',
  'a=control:',
  'a=control:../%zz?a=b',
  'a=sendonly',
  'a=inactive',
  'a=range:npt=0-1',
  'a=range:npt=now-',
  'a=framerate:1e9',
  'a=framerate:-3',
  'b=AS:999999999999',
  'm=audio 0 RTP/AVP 0',
  'm=video 0 RTP/AVP 26 96 97',
  'm=application 0 RTP/AVPF 107',
  'm=',
];

export function changeDescription(messages: readonly Draft[], random: Random): void {
  for (const { units } of messages) {
    const index = units.findIndex((unit) => unit.kind === 'message' && parts(unit).body.startsWith('v='));
    const unit = units[index];
    if (unit === undefined) continue;
    const { lines, body } = parts(unit);
    const changed = changedDescription(body.split('\r\n'), random).join('\r\n');
    const at = lines.findIndex((line) => /^content-length:/i.test(line));
    if (at >= 0 && random.chance(0.9)) lines[at] = `Content-Length: ${changed.length}`;
    units[index] = message(lines, changed);
    return;
  }
}

function changedDescription(lines: string[], random: Random): string[] {
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const number = () => random.pick(numbers);
  switch (random.below(11)) {
    case 9:
      return lines.map((old) =>
        old.replace(/(sprop-[a-z-]+=)([^;]*)/, (_, name, sets) => name + garbledBase64(sets, random)),
      );
    case 10:
      return lines.map((old) => old.replace(/^(a=fmtp:\d+) .*/, `$1 ${random.pick(parameterLines)}`));
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, ...Array.from({ length: random.chance(0.1) ? 2_500 : random.few(40) }, () => line));
      break;
    case 2:
      lines.splice(random.below(lines.length), 0, ...lines.splice(at, 1));
      break;
    case 3:
      lines[at] = Buffer.from(garbled(Buffer.from(line, 'latin1'), random)).toString('latin1');
      break;
    case 4:
      lines.splice(at, 0, random.pick(wholeLines));
      break;
    case 5:
      // The codec's bytes in another one's hands.
      return lines.map((old) =>
        old.replace(/^(a=rtpmap:\d+) [^/]+/, (all, head) =>
          random.chance(0.6) ? `${head} ${random.pick(formatNames)}` : all,
        ),
      );
    case 6:
      return lines.map((old) =>
        old.replace(/^(a=rtpmap:\d+ [^/]+)\/.*/, (_, head) => `${head}/${number()}/${number()}`),
      );
    case 7: {
      const parameters = Array.from(
        { length: random.few(4) },
        () => `${random.pick(parameterNames)}=${random.pick(parameterValues)}`,
      );
      return lines.map((old) =>
        old.startsWith('a=fmtp')
          ? `${old.replace(/ .*/, random.chance(0.5) ? '$&;' : ' ')}${parameters.join(';')}`
          : old,
      );
    }
    default:
      // Numbers in the parameters.
      return lines.map((old) =>
        old.startsWith('a=fmtp') ? old.replace(/=(\d+)/g, (all) => (random.chance(0.5) ? `=${number()}` : all)) : old,
      );
  }
  return lines;
}
