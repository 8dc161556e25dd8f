import { ReactiveElement } from '@lit/reactive-element';
import type { RtspPlayerEventMap } from './media-events.js';
import type { ElementPlayer, PlayerStats, PlayerTrack } from './player-factory.js';
import { VideoFrameCallbacks } from './video-frame-callbacks.js';

/** Seconds before the end of what can be sought to, within which a seek means "go live". */
const LIVE_SEEK_TOLERANCE = 0.5;

/** What browsers play sound at. */
const MIN_RATE = 0.0625;
const MAX_RATE = 16;

/** Types that stand for a camera's address; see `canPlayType`. */
const rtspType = /^application\/(?:x-rtsp|rtsp|sdp)\s*(?:;|$)/i;

/** `captureStream` is not yet in TypeScript's library. */
type CapturableVideo = HTMLVideoElement & { captureStream?: () => MediaStream };

/**
 * The part of HTML's media element contract that is read from, or handed to, the `<video>` that is showing: what
 * control bars and existing pages call. Where no video is there yet, the values are those of an empty media element.
 */
export abstract class MediaElement extends ReactiveElement {
  /** The player in use, or null while there is nothing to play. */
  protected abstract readonly player: ElementPlayer | null;
  protected readonly frameCallbacks = new VideoFrameCallbacks();
  #noRanges: TimeRanges | null = null;

  /** The `<video>` that is showing, or null before the first play. Another one may take its place at any time. */
  get video(): HTMLVideoElement | null {
    return this.player?.video ?? null;
  }

  /**
   * Seconds. Of a live stream: setting it near the end of `seekable`, or beyond, goes to the live edge. Of stored media:
   * setting it goes as near as the server goes, as a rule to the key frame before.
   */
  get currentTime(): number {
    return this.player?.position ?? this.video?.currentTime ?? 0;
  }
  set currentTime(seconds: number) {
    const { player, seekable } = this;
    if (player === null || seekable.length === 0 || !Number.isFinite(seconds)) return;
    const end = seekable.end(seekable.length - 1);
    if (player.isStored) player.seek(seconds);
    else if (seconds >= end - LIVE_SEEK_TOLERANCE) player.seekToLive();
    else player.video.currentTime = Math.max(seekable.start(0), seconds);
  }

  /** Seconds; Infinity for a live stream, NaN while unknown. */
  get duration(): number {
    return this.video?.duration ?? Number.NaN;
  }

  get buffered(): TimeRanges {
    return this.video?.buffered ?? this.#emptyRanges;
  }

  get seekable(): TimeRanges {
    return this.video?.seekable ?? this.#emptyRanges;
  }

  get played(): TimeRanges {
    return this.video?.played ?? this.#emptyRanges;
  }

  get seeking(): boolean {
    return this.video?.seeking ?? false;
  }

  /** As of HTMLMediaElement: HAVE_NOTHING (0) to HAVE_ENOUGH_DATA (4). */
  get readyState(): number {
    return this.video?.readyState ?? 0;
  }

  /**
   * Of stored media, how many times as fast as it was taken it is shown, negative: backwards; becomes 1 again where the
   * server does not send it so. Of a live stream always 1: setting has no effect.
   */
  get playbackRate(): number {
    return this.player?.playbackRate ?? 1;
  }
  set playbackRate(rate: number) {
    if (this.player !== null && Math.abs(rate) >= MIN_RATE && Math.abs(rate) <= MAX_RATE)
      this.player.playbackRate = rate;
  }

  get defaultPlaybackRate(): number {
    return 1;
  }
  set defaultPlaybackRate(_rate: number) {}

  /** Pixels of the picture, 0 while unknown. */
  get videoWidth(): number {
    return this.video?.videoWidth ?? 0;
  }

  get videoHeight(): number {
    return this.video?.videoHeight ?? 0;
  }

  /** What the camera offers, and what becomes of it. */
  get tracks(): readonly PlayerTrack[] {
    return this.player?.tracks ?? [];
  }

  /** UTC time at which the frame on screen was captured, where the camera says so. */
  get currentDate(): Date | null {
    return this.player?.currentDate ?? null;
  }

  /** From where to where a recording goes, UTC; null of live streams, and of media that tell no time of day. */
  get range(): { start: Date; end: Date } | null {
    return this.player?.range ?? null;
  }

  /** Goes to what was taken at this time, as setting `currentTime` does; ignored where there is no `range`. */
  seekTo(date: Date): void {
    this.player?.seekTo(date);
  }

  /** Whether the picture is as recent as the `latency` setting allows. */
  get isAtLiveEdge(): boolean {
    return this.player?.isAtLiveEdge ?? false;
  }

  /** Goes to the most recent picture. */
  seekToLive(): void {
    this.player?.seekToLive();
  }

  /** Counters of the session, or null before the first play. */
  getStats(): PlayerStats | null {
    return this.player?.getStats() ?? null;
  }

  /** `maybe` for RTSP and SDP types; for a container with codecs, whether this browser's Media Source takes them. */
  canPlayType(type: string): CanPlayTypeResult {
    if (rtspType.test(type)) return 'maybe';
    return typeof MediaSource !== 'undefined' && MediaSource.isTypeSupported(type) ? 'probably' : '';
  }

  getVideoPlaybackQuality(): VideoPlaybackQuality {
    return (
      this.video?.getVideoPlaybackQuality() ?? {
        creationTime: performance.now(),
        totalVideoFrames: 0,
        droppedVideoFrames: 0,
        corruptedVideoFrames: 0,
      }
    );
  }

  /** As of HTMLVideoElement; a request outlives the exchange of the `<video>` behind it. */
  requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
    return this.frameCallbacks.request(callback);
  }

  cancelVideoFrameCallback(handle: number): void {
    this.frameCallbacks.cancel(handle);
  }

  requestPictureInPicture(): Promise<PictureInPictureWindow> {
    return (
      this.video?.requestPictureInPicture() ??
      Promise.reject(new DOMException('There is no video yet.', 'InvalidStateError'))
    );
  }

  /** What is showing, as a stream. It ends when another `<video>` takes over, as when sound joins. */
  captureStream(): MediaStream {
    const video: CapturableVideo | null = this.video;
    if (video === null) throw new DOMException('There is no video yet.', 'InvalidStateError');
    if (video.captureStream === undefined) {
      throw new DOMException('This browser has no captureStream().', 'NotSupportedError');
    }
    return video.captureStream();
  }

  get #emptyRanges(): TimeRanges {
    this.#noRanges ??= document.createElement('video').buffered;
    return this.#noRanges;
  }

  override addEventListener<K extends keyof RtspPlayerEventMap>(
    type: K,
    listener: (this: this, event: RtspPlayerEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
  }

  override removeEventListener<K extends keyof RtspPlayerEventMap>(
    type: K,
    listener: (this: this, event: RtspPlayerEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
  override removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener, options);
  }
}
