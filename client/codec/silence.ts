import { silentAacUnit } from './aac-silence.js';
import type { AccessUnit } from './access-unit.js';
import { silentFlacFrame } from './flac.js';
import { silentMpegAudioFrame } from './mpeg-audio.js';
import { silentOpusPacket } from './opus.js';
import type { AudioTrackConfig } from './track-config.js';

/** An access unit of silence for a configuration, to be put where a stream has no sound to give; null: none is known. */
export function silentUnit(config: AudioTrackConfig): AccessUnit | null {
  const bytes = silentBytes(config);
  if (bytes === null) return null;
  return {
    presentationTime: 0,
    decodeTime: 0,
    isKeyFrame: true,
    pieces: [bytes],
    byteLength: bytes.length,
    config: null,
  };
}

function silentBytes(config: AudioTrackConfig): Uint8Array | null {
  switch (config.codec) {
    case 'mp4a.40.2':
    case 'mp4a.40.5':
      return silentAacUnit(config.channels);
    case 'mp4a.40.29':
      // Parametric stereo makes two channels of one.
      return silentAacUnit(1);
    case 'mp4a.69':
    case 'mp4a.6B':
      return silentMpegAudioFrame(config);
    case 'flac':
      return silentFlacFrame(config);
    case 'opus':
      return silentOpusPacket(config.channels, config.samplesPerUnit);
    default:
      return null;
  }
}
