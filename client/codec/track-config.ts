/** What a decoder has to know before the first access unit of a video track. */
export interface VideoTrackConfig {
  readonly kind: 'video';
  /** RFC 6381 codec string, for `isTypeSupported`: `avc1.640028`. */
  readonly codec: string;
  /** Four-character type of the sample entry: `avc1`. */
  readonly sampleEntry: string;
  /** Body of the codec's configuration box (`avcC` for `avc1`), without the box header. */
  readonly description: Uint8Array;
  /** Displayed size in pixels after cropping, before the pixel aspect is applied. */
  readonly width: number;
  readonly height: number;
  /** Sample aspect ratio, width to height; 1:1 when the stream does not say. */
  readonly pixelAspect: readonly [number, number];
  /** Frames a second as the stream declares them, or null. A hint: cameras vary it. */
  readonly frameRate: number | null;
  /** Frames that the decoder must hold back for reordering; 0 when decode order is display order. */
  readonly reorderDepth: number;
}

/** What a decoder has to know before the first access unit of an audio track. */
export interface AudioTrackConfig {
  readonly kind: 'audio';
  /** RFC 6381 codec string: `mp4a.40.2`. */
  readonly codec: string;
  /** Four-character type of the sample entry: `mp4a`. */
  readonly sampleEntry: string;
  /**
   * The codec's configuration: the AudioSpecificConfig for `mp4a` (ISO/IEC 14496-3, 1.6.2.1), metadata blocks for `fLaC`
   * (RFC 9639, 8), the body of `dOps` for `Opus`.
   */
  readonly description: Uint8Array;
  /** Samples a second at the output. */
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples that one access unit decodes to: 1024 or 960 for AAC-LC. */
  readonly samplesPerUnit: number;
}

export type TrackConfig = VideoTrackConfig | AudioTrackConfig;
