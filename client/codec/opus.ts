import type { AudioTrackConfig } from './track-config.js';

/** Opus packets (RFC 6716) → their duration, and the configuration of a track ("Encapsulation of Opus in ISOBMFF"). */

/** Opus counts in samples of 48 kHz, whatever it codes. */
export const OPUS_SAMPLE_RATE = 48_000;
/** A packet lasts 120 ms at most (RFC 6716, 3.4). */
const MAX_SAMPLES = 5_760;
/** Samples of a frame by configuration number (RFC 6716, table 2): SILK, hybrid, CELT. */
const silkSamples = [480, 960, 1_920, 2_880];
const hybridSamples = [480, 960];
const celtSamples = [120, 240, 480, 960];

/**
 * Samples at 48 kHz that a packet decodes to (RFC 6716, 3.1 and 3.2).
 * @returns null when it is no packet
 */
export function opusSamples(packet: Uint8Array): number | null {
  const [toc, count] = packet;
  if (toc === undefined) return null;
  const configuration = toc >> 3;
  const samples =
    configuration < 12
      ? silkSamples[configuration & 3]
      : configuration < 16
        ? hybridSamples[configuration & 1]
        : celtSamples[configuration & 3];
  let frames = 1;
  if ((toc & 3) === 3) frames = (count ?? 0) & 0x3f;
  else if ((toc & 3) !== 0) frames = 2;
  const total = frames * (samples ?? 0);
  return total === 0 || total > MAX_SAMPLES ? null : total;
}

/**
 * The configuration of an Opus track.
 * @param channels - 1 or 2
 * @param samplesPerUnit - samples at 48 kHz in a packet
 */
export function opusConfig(channels: number, samplesPerUnit: number): AudioTrackConfig {
  return {
    kind: 'audio',
    codec: 'opus',
    sampleEntry: 'Opus',
    // Version, OutputChannelCount, PreSkip, InputSampleRate, OutputGain, ChannelMappingFamily
    description: Uint8Array.of(0, channels, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0),
    sampleRate: OPUS_SAMPLE_RATE,
    channels,
    samplesPerUnit,
  };
}

/** A packet of silence: one CELT frame of full bandwidth with nothing in it; null where no single frame is that long. */
export function silentOpusPacket({ channels, samplesPerUnit }: AudioTrackConfig): Uint8Array | null {
  const size = celtSamples.indexOf(samplesPerUnit);
  return size < 0 ? null : Uint8Array.of(((28 + size) << 3) | (channels === 2 ? 4 : 0), 0xff, 0xfe);
}
