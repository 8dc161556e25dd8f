import { StreamError } from '../../shared/errors.js';

/** A `<video>` that plays where it stands in the page, not elsewhere. */
export function createVideo(document: Document): HTMLVideoElement {
  const video = document.createElement('video');
  video.playsInline = true;
  video.disableRemotePlayback = true;
  return video;
}

/** Why a `<video>` had its `error` event. */
export function decodingError(video: HTMLVideoElement): StreamError {
  const detail = video.error?.message ?? '';
  return new StreamError('media-failed', `The browser could not decode the media${detail && ` (${detail})`}.`);
}

/** Further from the playhead than this, seconds, the frame noted is not on screen any more: a hidden page tells of none. */
const MAX_DISTANCE_S = 0.5;

/** Which frame of a `<video>` is on screen: the playhead is up to a frame ahead of it. */
export class ShownFrame {
  readonly #video: HTMLVideoElement;
  #mediaTime = Number.NaN;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    // From the start, so that it is known before the page's own callbacks run.
    const note: VideoFrameRequestCallback = (_now, { mediaTime }) => {
      this.#mediaTime = mediaTime;
      video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
  }

  /** Its presentation time, seconds; the playhead's where that is not known. */
  get time(): number {
    const { currentTime } = this.#video;
    return Math.abs(currentTime - this.#mediaTime) < MAX_DISTANCE_S ? this.#mediaTime : currentTime;
  }
}
