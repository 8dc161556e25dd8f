/** When the camera took something. */
export interface CaptureTime {
  /** Milliseconds since 1970, by the camera's own clock. */
  readonly utc: number;
  /**
   * - `replay-extension`: the recorder says it of each frame (ONVIF Streaming Specification, 6.3).
   * - `play-range`: the reply to PLAY has told when play begins.
   * - `sender-report`: RTCP (RFC 3550, 6.4.1).
   */
  readonly source: 'replay-extension' | 'play-range' | 'sender-report';
  /** How far it may be off, seconds, apart from the camera's clock itself; null: not known. */
  readonly uncertainty: number | null;
}
