import { StreamError } from '../../shared/errors.js';
import type { MediaDescription, MediaFormat, SessionDescription } from '../../shared/session-description.js';
import { hasDepacketizer } from '../depacketizer/registry.js';
import type { TrackReceiver } from './track-receiver.js';

/** Media that a camera offers and nothing here reads → words for the page. Loaded where there are such. */

/** Formats that only help others: repetitions, error correction, what telephones say beside the voice. */
const auxiliary: ReadonlySet<string> = new Set(['RTX', 'RED', 'ULPFEC', 'FLEXFEC-03', 'CN', 'TELEPHONE-EVENT']);

/** By encoding name, where that is not what people say. */
const commonNames: ReadonlyMap<string, string> = new Map([
  ['MP4V-ES', 'MPEG-4 part 2'],
  ['H261', 'H.261'],
  ['H263', 'H.263'],
  ['H263-1998', 'H.263'],
  ['H263-2000', 'H.263'],
  ['JPEG2000', 'JPEG 2000'],
  ['MPV', 'MPEG-1 or MPEG-2'],
  ['MP2T', 'an MPEG transport stream'],
  ['G723', 'G.723.1'],
  ['G728', 'G.728'],
  ['G729', 'G.729'],
]);

interface Handlers {
  onWarning(error: StreamError): void;
  onTracksChange(): void;
}

/**
 * Names the pictures and the sound of which no format is known here, where nothing else of their kind is received.
 * @param unsupported - places of such media in the description: theirs are added
 * @param codecs - codec strings by the same places: theirs are added where the description tells
 * @param sink - is told when neither picture nor sound is received
 */
export function nameLeftOut(
  received: readonly TrackReceiver[],
  { media }: SessionDescription,
  unsupported: Set<number>,
  codecs: Map<number, string>,
  handlers: Handlers,
  sink: { onError(error: StreamError): void },
): void {
  for (const medium of media) {
    const { index, kind, direction, formats } = medium;
    if ((kind !== 'video' && kind !== 'audio') || direction === 'sendonly') continue;
    if (received.some((track) => track.kind === kind) || formats.some(hasDepacketizer)) continue;
    const format = formats.find(({ encodingName }) => !auxiliary.has(encodingName)) ?? formats[0];
    const codec = format === undefined ? null : codecOf(format);
    unsupported.add(index);
    if (codec !== null) codecs.set(index, codec);
    handlers.onWarning(new StreamError('codec-unsupported', sentence(medium, format, codec)));
  }
  handlers.onTracksChange();
  if (received.every(({ kind }) => kind === 'metadata')) {
    const words = 'The camera gives neither picture nor sound of what is wanted.';
    sink.onError(new StreamError('no-playable-track', words));
  }
}

function sentence({ kind }: MediaDescription, format: MediaFormat | undefined, codec: string | null): string {
  const what = kind === 'video' ? 'picture' : 'sound';
  if (format === undefined) return `The camera's ${what} cannot be played: the camera does not say what it is.`;
  const { encodingName } = format;
  const name = commonNames.get(encodingName);
  const details = [...(name === undefined ? [] : [encodingName]), ...(codec === null ? [] : [codec])].join(', ');
  return `The camera's ${what} cannot be played: it is ${name ?? encodingName}${details === '' ? '' : ` (${details})`}.`;
}

/** Of MPEG-4 part 2: object type 0x20 and profile_and_level_indication, decimal in both places (RFC 6416, 7.1). */
function codecOf({ encodingName, parameters }: MediaFormat): string | null {
  const level = parameters.get('profile-level-id') ?? '';
  return encodingName === 'MP4V-ES' && /^\d{1,3}$/.test(level) ? `mp4v.20.${Number(level)}` : null;
}
