import type { Clock } from '../../shared/clock.js';
import type { StreamError } from '../../shared/errors.js';
import type { Logger } from '../../shared/logger.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { Latency } from './latency.js';
import type { ExpectedTracks } from './presentation.js';

/** What shows access units in a page. */
export interface Sink {
  /** The `<video>` on screen. */
  readonly video: HTMLVideoElement;
  /** Time, in seconds, of the frame on screen, as it was pushed; null when there is none. */
  readonly timeOnScreen: number | null;
  muted: boolean;
  /** 0 to 1. */
  volume: number;
  latency: Latency;
  /** Tells which tracks the connection has; to be called before its first unit. The picture on screen stays. */
  expect(expects: ExpectedTracks): void;
  /** Gets ready for video of the configuration that the camera has announced, before any comes. */
  prepare(config: VideoTrackConfig): void;
  /** What comes next belongs to another time line than what came before, and begins with a key frame. */
  reset(): void;
  /** Takes a video frame. `time`: its presentation time, seconds, on the time line that the sound shares. */
  pushVideo(unit: AccessUnit, time: number): void;
  /** Takes an audio unit; `time` as in `pushVideo`. */
  pushAudio(unit: AccessUnit, time: number): void;
  /** Starts or resumes. Rejects as `HTMLMediaElement.play()` does. */
  play(): Promise<void>;
  /** Holds the picture. */
  pause(): void;
  /** Moves the playhead to the newest frame. */
  jump(): void;
  stats(): SinkStats;
  /** Removes the `<video>`s and lets go of everything; may be called twice. */
  close(): void;
}

export interface SinkOptions {
  /** The `<video>` is put in here, filling it; of several, the later one is on top. */
  container: HTMLElement;
  muted: boolean;
  /** 0 to 1. */
  volume: number;
  clock: Clock;
}

/** Of a sink that stays near the newest frame. */
export interface LiveSinkOptions extends SinkOptions {
  latency: Latency;
  logger: Logger;
}

export interface SinkHandlers {
  /** Another `<video>` is on screen. */
  onVideoChange(video: HTMLVideoElement): void;
  /** The browser cannot play this codec; the track is ignored from now on. */
  onUnsupported(kind: 'video' | 'audio', codec: string): void;
  /** The browser refused to play with sound before the user has touched the page. */
  onSoundRefused(): void;
  /** The browser fails again and again; nothing is shown any more. */
  onError(error: StreamError): void;
}

export interface SinkStats {
  /** Seconds by which frames are held back so that later ones come in time. */
  playoutDelay: number;
  /** Seconds by which sound follows the picture; null without both. */
  soundDelay: number | null;
  /** Seconds from the playhead to the newest frame: negative when that frame is on screen already. */
  lead: number;
  droppedSamples: number;
  silentUnits: number;
  jumps: number;
  /** Presentations made so far. */
  presentations: number;
}
