import type { TrackConfig } from '../codec/track-config.js';
import { audioSampleEntry } from './audio-sample-entry.js';
import { visualSampleEntry } from './visual-sample-entry.js';

/** @throws StreamError `codec-unsupported` for a sample entry that there is no configuration box for */
export function sampleEntryOf(config: TrackConfig): Uint8Array {
  return config.kind === 'video' ? visualSampleEntry(config) : audioSampleEntry(config);
}
