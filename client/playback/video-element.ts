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
