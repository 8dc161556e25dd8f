import type { StreamError } from '../../shared/errors.js';
import type { OnvifMetadata } from '../player/onvif-metadata.js';
import type { PlayerState } from './player-factory.js';

/**
 * Events of the `<video>` that is showing, which the element gives out as its own. `play`, `pause`, `volumechange`,
 * `loadstart`, `emptied`, `ended` and `error` are not among them: what the page asked for is the element's to know, and
 * the player starts, stops and replaces its videos for reasons of its own. Nor is `ratechange`: small changes of speed
 * keep a live picture near its edge.
 */
const forwardedEvents = [
  'loadedmetadata',
  'loadeddata',
  'canplay',
  'canplaythrough',
  'durationchange',
  'playing',
  'progress',
  'resize',
  'seeking',
  'seeked',
  'stalled',
  'suspend',
  'timeupdate',
  'waiting',
  'enterpictureinpicture',
  'leavepictureinpicture',
] as const;

/** Gives the video's events out again at `target`, until the signal aborts. */
export function forwardMediaEvents(video: HTMLVideoElement, target: EventTarget, signal: AbortSignal): void {
  for (const type of forwardedEvents) {
    video.addEventListener(type, () => target.dispatchEvent(new Event(type)), { signal });
  }
}

export interface StateChange {
  readonly state: PlayerState;
  readonly previousState: PlayerState;
  /** Why, when the state is `error` or `reconnecting`. */
  readonly error: StreamError | null;
}

/** The events of `<rtsp-player>`: a media element's, and its own. None of them bubbles. */
export interface RtspPlayerEventMap extends Omit<HTMLElementEventMap, 'error'> {
  /** `state` has changed. */
  statechange: CustomEvent<StateChange>;
  /** `error` has been set: nothing more happens by itself. */
  error: Event;
  /** `tracks` has changed: a track was found, became playable or turned out not to be. */
  trackschange: Event;
  /** Something is not as it should be, and play goes on: a track that the browser cannot play, for example. */
  warning: CustomEvent<StreamError>;
  /** What the camera says of the frame that is on screen now (ONVIF); only where `tracks` names `metadata`. */
  metadata: CustomEvent<OnvifMetadata>;
  enterpictureinpicture: Event;
  leavepictureinpicture: Event;
}
