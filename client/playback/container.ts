import { StreamError } from '../../shared/errors.js';
import type { TrackConfig } from '../codec/track-config.js';
import { Mp4SegmentWriter, type SegmentWriter, type SegmentWriterClass } from '../fmp4/segment-writer.js';
import { mediaSourceConstructor } from './media-source.js';

/** Which container a codec goes into on its way to the browser. All but MP4's code is loaded when a stream needs it. */

interface Container {
  /** What the browser knows it by: `video/webm`; without `codecs` where the container has only one. */
  mimeType(config: TrackConfig): string;
  /** Null until it is loaded. */
  Writer: SegmentWriterClass | null;
  load(): Promise<SegmentWriterClass>;
}

const mp4: Container = {
  mimeType: ({ kind, codec }) => `${kind}/mp4; codecs="${codec}"`,
  Writer: Mp4SegmentWriter,
  load: async () => Mp4SegmentWriter,
};

const webm: Container = {
  mimeType: ({ kind, codec }) => `${kind}/webm; codecs="${codec}"`,
  Writer: null,
  load: async () => (await import('../webm/segment-writer.js')).WebmSegmentWriter,
};

const mpegAudio: Container = {
  mimeType: () => 'audio/mpeg',
  Writer: null,
  load: async () => (await import('./mpeg-audio-writer.js')).MpegAudioWriter,
};

function containerOf({ sampleEntry, codec }: TrackConfig): Container {
  if (sampleEntry === 'vp08') return webm;
  // Chromium takes MPEG audio in no container, others only in MP4.
  if (/^mp4a\.6[9b]$/i.test(codec) && mediaSourceConstructor()?.isTypeSupported('audio/mpeg')) return mpegAudio;
  return mp4;
}

/** The type of a SourceBuffer: `video/mp4; codecs="avc1.64001f"`. */
export function mimeTypeOf(config: TrackConfig): string {
  return containerOf(config).mimeType(config);
}

/** Whether the code that writes this codec's container is there already. */
export function hasSegmentWriter(config: TrackConfig): boolean {
  return containerOf(config).Writer !== null;
}

/** Loads that code. Rejects with a StreamError `connection-failed` when it cannot be loaded. */
export async function loadSegmentWriter(config: TrackConfig): Promise<void> {
  const container = containerOf(config);
  try {
    container.Writer = await container.load();
  } catch (cause) {
    throw new StreamError('connection-failed', `The player's code for ${config.codec} could not be loaded.`, { cause });
  }
}

/**
 * The writer to go on with under a configuration: `current` where the container stays the same, else a new one.
 * @throws StreamError `media-failed` when its code is not there yet
 */
export function segmentWriterFor(config: TrackConfig, trackId: number, current: SegmentWriter): SegmentWriter {
  const { Writer } = containerOf(config);
  if (Writer === null) {
    throw new StreamError('media-failed', `The stream changed to ${config.codec}, which needs another start.`);
  }
  return current instanceof Writer ? current : new Writer(trackId);
}
