/**
 * What the demo camera offers under its URLs: two presentations of a picture and the sound, and their session
 * descriptions (RFC 8866; format parameters by RFC 6184, 8.1, and RFC 3640, 4.1).
 */
import type { MediaDescription } from '../../shared/session-description.js';
import { serializeSessionDescription } from '../../shared/session-description-writer.js';
import type { AudioStream, Clip, VideoStream } from './clip.js';

export const VIDEO_PAYLOAD_TYPE = 96;
export const AUDIO_PAYLOAD_TYPE = 97;

/** A picture with its sound, as one URL offers them. */
export interface DemoStream {
  readonly video: VideoStream;
  readonly audio: AudioStream;
}

/** A URL's path, read. */
export interface Target {
  readonly stream: 'main' | 'sub';
  /** Null: the presentation as a whole. */
  readonly track: 'video' | 'audio' | null;
}

/**
 * `/demo` is the main stream, `/demo/sub` the smaller one; `video` and `audio` behind either are its tracks.
 * @param path - of the request's URL; a query is not looked at
 * @returns null when there is nothing under this path
 */
export function parseTarget(path: string): Target | null {
  const match = /^\/demo(\/sub)?(?:\/(video|audio))?\/?(?:\?|$)/.exec(path);
  if (match === null) return null;
  return { stream: match[1] === undefined ? 'main' : 'sub', track: (match[2] as 'video' | 'audio') ?? null };
}

export function demoStreams(clip: Clip): Readonly<Record<Target['stream'], DemoStream>> {
  return { main: { video: clip.main, audio: clip.sound }, sub: { video: clip.sub, audio: clip.sound } };
}

/** @param address - where the camera was reached, for the o= and c= lines */
export function describeStream(stream: DemoStream, address: string): string {
  const { video, audio } = stream;
  const base = { protocol: 'RTP/AVP', direction: null, range: null, bandwidth: null };
  const media: MediaDescription[] = [
    {
      ...base,
      index: 0,
      kind: 'video',
      control: 'video',
      frameRate: 1000 / video.unitMs,
      formats: [
        {
          payloadType: VIDEO_PAYLOAD_TYPE,
          encodingName: 'H264',
          clockRate: video.clockRate,
          channels: null,
          parameters: new Map([
            ['packetization-mode', '1'],
            ['profile-level-id', hex(video.sequenceParameterSet.subarray(1, 4))],
            ['sprop-parameter-sets', `${base64(video.sequenceParameterSet)},${base64(video.pictureParameterSet)}`],
          ]),
        },
      ],
    },
    {
      ...base,
      index: 1,
      kind: 'audio',
      control: 'audio',
      frameRate: null,
      formats: [
        {
          payloadType: AUDIO_PAYLOAD_TYPE,
          encodingName: 'MPEG4-GENERIC',
          clockRate: audio.clockRate,
          channels: audio.channels,
          parameters: new Map([
            ['streamtype', '5'],
            // Not specified: the configuration says what there is to say.
            ['profile-level-id', '254'],
            ['mode', 'AAC-hbr'],
            ['sizelength', '13'],
            ['indexlength', '3'],
            ['indexdeltalength', '3'],
            ['config', hex(audio.audioConfig)],
          ]),
        },
      ],
    },
  ];
  return serializeSessionDescription({ name: 'Demo camera', control: '*', range: 'npt=now-', media }, { address });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}
