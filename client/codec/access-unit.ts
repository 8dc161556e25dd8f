import type { TrackConfig } from './track-config.js';

/**
 * One coded picture, or one coded block of audio, in the form in which MP4 stores a sample (H.264: NAL units behind
 * 4-byte lengths; AAC: a raw_data_block).
 */
export interface AccessUnit {
  /** When it is to be shown, in ticks of the RTP clock, unwrapped (see rtp/timeline). */
  readonly presentationTime: number;
  /** When it is to be decoded, in the same ticks; equal to `presentationTime` where nothing is reordered. */
  readonly decodeTime: number;
  /** Whether decoding can start here. Always true for audio. */
  readonly isKeyFrame: boolean;
  /**
   * The sample, in pieces that are to be written one after the other. The pieces are views of what the transport
   * received; nobody writes to them, and they stay valid as long as they are held.
   */
  readonly pieces: readonly Uint8Array[];
  /** Sum of the pieces' lengths. */
  readonly byteLength: number;
  /** The configuration from this unit on, on the first unit and whenever it has changed; else null. */
  readonly config: TrackConfig | null;
}
