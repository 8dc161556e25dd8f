import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import type { AccessUnit } from '../codec/access-unit.js';
import type { AudioTrackConfig } from '../codec/track-config.js';
import type { Latency } from './latency.js';
import { latencyPolicy } from './latency.js';
import { LiveEdge } from './live-edge.js';
import { MediaSourceSink } from './media-source-sink.js';
import type { ExpectedTracks } from './presentation.js';
import type { LiveSinkOptions, Sink, SinkHandlers, SinkStats } from './sink.js';
import { createVideo } from './video-element.js';

/**
 * Pictures that Media Source Extensions take in no container (JPEG) → a canvas, whose stream a `<video>` plays: to the page it
 * is a `<video>` like any other, with picture in picture, full screen and snapshots. Sound, where there is some, is a
 * MediaSourceSink's of its own; unless it may follow, the pictures wait for it.
 *
 * Pictures are decoded one at a time, by `createImageBitmap`, which pages on plain HTTP have as well. Those that come while
 * one is decoded wait; of more than can wait, the oldest are dropped: none depends on another.
 */

/** Pictures that wait for the decoder, and that are decoded and wait for their time. */
const MAX_WAITING = 4;
const MAX_DUE = 60;
/** How quickly what is measured of the sound is believed, and what is too far off to be a measurement's error, milliseconds. */
const SOUND_SMOOTHING = 1 / 8;
const MAX_SOUND_ERROR_MS = 100;
/** Pictures in a row that cannot be decoded before the sink gives up. */
const MAX_FAILURES = 50;

interface Waiting {
  readonly unit: AccessUnit;
  readonly time: number;
  /** When it is to be shown, milliseconds of the clock. */
  readonly dueMs: number;
}

interface Decoded {
  readonly bitmap: ImageBitmap;
  readonly time: number;
  readonly dueMs: number;
}

export class ImageSink implements Sink {
  readonly video: HTMLVideoElement;
  readonly #clock: Clock;
  readonly #handlers: SinkHandlers;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #track: CanvasCaptureMediaStreamTrack;
  readonly #sound: MediaSourceSink;
  readonly #soundPlace: HTMLElement;
  readonly #edge: LiveEdge;
  readonly #waiting: Waiting[] = [];
  readonly #due: Decoded[] = [];
  #isDecoding = false;
  #failures = 0;
  #dropped = 0;
  #playing = false;
  #hasSound = false;
  #soundFollows: boolean;
  #soundConfig: AudioTrackConfig | null = null;
  /** The clock's time, milliseconds, at which sound of the source time 0 is heard; null while none is. */
  #soundOriginMs: number | null = null;
  #time: number | null = null;
  #newest: { time: number; dueMs: number } | null = null;
  #cancelDrawing: (() => void) | null = null;
  #closed = false;

  constructor(options: LiveSinkOptions, handlers: SinkHandlers) {
    const { ownerDocument } = options.container;
    this.#clock = options.clock;
    this.#handlers = handlers;
    const policy = latencyPolicy(options.latency);
    this.#edge = new LiveEdge(policy);
    this.#soundFollows = policy.soundFollows;
    this.#canvas = ownerDocument.createElement('canvas');
    const context = this.#canvas.getContext('2d', { alpha: false });
    // Frames are handed over one by one, when they are drawn.
    const stream = this.#canvas.captureStream(0);
    const [track] = stream.getVideoTracks();
    if (context === null || track === undefined) {
      throw new StreamError('media-failed', 'This browser does not let pictures be drawn.');
    }
    this.#context = context;
    this.#track = track as CanvasCaptureMediaStreamTrack;
    this.video = createVideo(ownerDocument);
    this.video.muted = true;
    this.video.srcObject = stream;
    this.#soundPlace = ownerDocument.createElement('div');
    this.#soundPlace.hidden = true;
    options.container.append(this.video, this.#soundPlace);
    this.#sound = new MediaSourceSink(
      { ...options, container: this.#soundPlace },
      {
        ...handlers,
        onVideoChange: () => {},
        onError: (error) => {
          options.logger.warn('the sound was given up', { reason: error.message });
          this.#hasSound = false;
        },
      },
    );
  }

  get timeOnScreen(): number | null {
    return this.#time;
  }

  get muted(): boolean {
    return this.#sound.muted;
  }

  set muted(muted: boolean) {
    this.#sound.muted = muted;
    this.#expectSound();
  }

  get volume(): number {
    return this.#sound.volume;
  }

  set volume(volume: number) {
    this.#sound.volume = volume;
  }

  set latency(latency: Latency) {
    const policy = latencyPolicy(latency);
    this.#edge.policy = policy;
    this.#soundFollows = policy.soundFollows;
    this.#sound.latency = latency;
  }

  expect(expects: ExpectedTracks): void {
    this.reset();
    this.#hasSound = expects.audio;
    this.#sound.expect({ video: false, audio: expects.audio });
    this.#expectSound();
  }

  prepare(): void {}

  reset(): void {
    this.#edge.reset();
    this.#waiting.length = 0;
    this.#forgetDue();
    this.#sound.reset();
    this.#soundOriginMs = null;
  }

  pushVideo(unit: AccessUnit, time: number): void {
    if (this.#closed || !this.#playing) return;
    const now = this.#clock.now();
    // The place on a time line that is the clock's: where a media element's playhead would be.
    const soonestMs = 1_000 * this.#edge.place(time, now / 1_000, now / 1_000);
    const waits = this.#soundOriginMs !== null && !this.#soundFollows;
    const dueMs = waits ? Math.max(soonestMs, this.#heardMs(time)) : soonestMs;
    this.#newest = { time, dueMs };
    this.#waiting.push({ unit, time, dueMs });
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#dropped++;
    }
    if (!this.#isDecoding) void this.#decode();
  }

  pushAudio(unit: AccessUnit, time: number): void {
    // While it is muted it is paused, and takes note of the configuration alone.
    this.#sound.pushAudio(unit, time);
    if (unit.config?.kind === 'audio') this.#soundConfig = unit.config;
    this.#measureSound(time);
  }

  async play(): Promise<void> {
    this.#playing = true;
    this.#expectSound();
    await this.video.play();
  }

  pause(): void {
    this.#playing = false;
    this.#waiting.length = 0;
    this.#forgetDue();
    this.#sound.pause();
    this.video.pause();
  }

  /** The newest picture is what is shown next anyway. */
  jump(): void {
    const newest = this.#due.at(-1);
    if (newest === undefined) return;
    this.#due.pop();
    this.#forgetDue();
    this.#draw(newest);
  }

  stats(): SinkStats {
    const lead = this.#newest === null ? 0 : (this.#newest.dueMs - this.#clock.now()) / 1_000;
    const soundDelay =
      this.#newest === null || this.#soundOriginMs === null
        ? null
        : (this.#heardMs(this.#newest.time) - this.#newest.dueMs) / 1_000;
    return { ...this.#sound.stats(), soundDelay, playoutDelay: this.#edge.delay, lead, droppedSamples: this.#dropped };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    this.#forgetDue();
    this.#sound.close();
    this.#track.stop();
    this.video.pause();
    this.video.srcObject = null;
    this.video.remove();
    this.#soundPlace.remove();
  }

  /** Sound plays only where it is heard: there is no picture that it could hold up. */
  #expectSound(): void {
    if (this.#closed) return;
    if (this.#playing && this.#hasSound && !this.#sound.muted) {
      this.#sound.play().catch((thrown: unknown) => {
        if (thrown instanceof DOMException && thrown.name === 'NotAllowedError') this.#handlers.onSoundRefused();
      });
    } else {
      this.#sound.pause();
      this.#soundOriginMs = null;
    }
  }

  /** When the sound of a moment is heard, milliseconds of the clock. */
  #heardMs(time: number): number {
    return (this.#soundOriginMs ?? 0) + 1_000 * time;
  }

  /** Measures when sound is heard, by the unit that was appended last: of `time`, and as far ahead as the sound goes. */
  #measureSound(time: number): void {
    const { video } = this.#sound;
    if (this.#soundConfig === null || video.paused || video.currentTime === 0) return;
    const { samplesPerUnit, sampleRate } = this.#soundConfig;
    const end = time + samplesPerUnit / sampleRate;
    const measured = this.#clock.now() + 1_000 * (this.#sound.stats().lead - end);
    const known = this.#soundOriginMs;
    const error = known === null ? Number.POSITIVE_INFINITY : measured - known;
    this.#soundOriginMs =
      known === null || Math.abs(error) > MAX_SOUND_ERROR_MS ? measured : known + SOUND_SMOOTHING * error;
  }

  async #decode(): Promise<void> {
    this.#isDecoding = true;
    for (let next = this.#waiting.shift(); next !== undefined && !this.#closed; next = this.#waiting.shift()) {
      const { unit, time, dueMs } = next;
      try {
        const blob = new Blob([...unit.pieces] as BlobPart[], { type: 'image/jpeg' });
        const bitmap = await createImageBitmap(blob);
        this.#failures = 0;
        if (this.#closed || !this.#playing) bitmap.close();
        else this.#schedule({ bitmap, time, dueMs });
      } catch {
        this.#dropped++;
        if (++this.#failures >= MAX_FAILURES) this.#fail();
      }
    }
    this.#isDecoding = false;
  }

  #schedule(picture: Decoded): void {
    this.#due.push(picture);
    if (this.#due.length > MAX_DUE) {
      this.#due.shift()?.bitmap.close();
      this.#dropped++;
    }
    if (this.#cancelDrawing === null) this.#drawDue();
  }

  /** Draws the newest picture that is due, and comes again for the next. */
  #drawDue(): void {
    this.#cancelDrawing = null;
    const now = this.#clock.now();
    let next: Decoded | null = null;
    for (let first = this.#due[0]; first !== undefined && first.dueMs <= now; first = this.#due[0]) {
      if (next !== null) {
        next.bitmap.close();
        this.#dropped++;
      }
      next = first;
      this.#due.shift();
    }
    if (next !== null) this.#draw(next);
    const [later] = this.#due;
    if (later === undefined) return;
    this.#cancelDrawing = this.#clock.schedule(Math.max(1, later.dueMs - now), () => this.#drawDue());
  }

  #draw({ bitmap, time }: Decoded): void {
    const { width, height } = bitmap;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#time = time;
    this.#track.requestFrame();
  }

  #forgetDue(): void {
    this.#cancelDrawing?.();
    this.#cancelDrawing = null;
    for (const { bitmap } of this.#due.splice(0)) bitmap.close();
  }

  #fail(): void {
    this.close();
    this.#handlers.onError(new StreamError('media-failed', 'The browser cannot decode the pictures of the camera.'));
  }
}
