import type { AudioTrackConfig } from './track-config.js';

/**
 * Opus packets (RFC 6716, section 3) → how long they last; the configuration of an Opus track (Encapsulation of Opus in
 * ISO base media files, 4.3.2); packets of silence.
 */

/** Opus counts in this rate, whatever the encoder was fed with (RFC 7587, 4.1). */
export const OPUS_SAMPLE_RATE = 48_000;
/** Samples that one packet may decode to: 120 ms (RFC 6716, 3.2.5). */
const MAX_PACKET_SAMPLES = 5_760;
/** Samples of a frame by the two low bits of the configuration number (RFC 6716, table 2). */
const silkSamples: readonly number[] = [480, 960, 1_920, 2_880];
const celtSamples: readonly number[] = [120, 240, 480, 960];
/** CELT alone, full band, 2.5 ms: the first of the four configurations that last up to 20 ms. */
const FULL_BAND_CELT = 28;
/** A CELT frame that starts with its silence flag. */
const silentFrame = [0xff, 0xfe] as const;

/**
 * Samples at 48 kHz that a packet decodes to, by its TOC byte and frame count.
 * @returns null where the packet is empty or longer than the format allows
 */
export function opusPacketSamples(packet: Uint8Array): number | null {
  const toc = packet[0];
  if (toc === undefined) return null;
  const samples = frameSamples(toc >>> 3);
  const code = toc & 3;
  if (code === 0) return samples;
  if (code < 3) return 2 * samples;
  const frames = (packet[1] ?? 0) & 0x3f;
  return frames > 0 && frames * samples <= MAX_PACKET_SAMPLES ? frames * samples : null;
}

function frameSamples(configuration: number): number {
  if (configuration >= 16) return celtSamples[configuration & 3] ?? 0;
  // SILK alone up to 11, then both at 10 or 20 ms.
  return silkSamples[configuration & (configuration < 12 ? 3 : 1)] ?? 0;
}

/**
 * The configuration of a track.
 * @param channels - 1 or 2: what the decoder is to put out; any packet decodes to either
 * @param samplesPerUnit - of one packet, at 48 kHz
 */
export function opusConfig(channels: 1 | 2, samplesPerUnit: number): AudioTrackConfig {
  return {
    kind: 'audio',
    codec: 'opus',
    sampleEntry: 'Opus',
    description: Uint8Array.of(
      0, // Version
      channels, // OutputChannelCount
      0, // PreSkip: what is joined in its middle has no start to be skipped
      0,
      0, // InputSampleRate
      0,
      OPUS_SAMPLE_RATE >>> 8,
      OPUS_SAMPLE_RATE & 0xff,
      0, // OutputGain
      0,
      0, // ChannelMappingFamily: one stream
    ),
    sampleRate: OPUS_SAMPLE_RATE,
    channels,
    samplesPerUnit,
  };
}

/**
 * One packet of silence.
 * @param channels - 1 or 2
 * @param samples - at 48 kHz: 120, 240, 480, or a multiple of 960 up to 5,760
 * @returns null for any other length
 */
export function silentOpusPacket(channels: number, samples = 960): Uint8Array | null {
  const stereo = channels > 1 ? 4 : 0;
  const configuration = celtSamples.indexOf(samples);
  if (configuration >= 0) return Uint8Array.of(((FULL_BAND_CELT + configuration) << 3) | stereo, ...silentFrame);
  const frames = samples / 960;
  if (!Number.isInteger(frames) || frames < 1 || samples > MAX_PACKET_SAMPLES) return null;
  // Code 3: as many frames as the second byte says, all of one length (RFC 6716, 3.2.5).
  const toc = ((FULL_BAND_CELT + 3) << 3) | stereo | 3;
  return Uint8Array.of(toc, frames, ...Array.from({ length: frames }, () => silentFrame).flat());
}
