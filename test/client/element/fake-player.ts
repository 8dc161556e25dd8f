import type {
  ElementPlayer,
  PlayerHandlers,
  PlayerOptions,
  PlayerTrack,
} from '../../../client/element/player-factory.js';
import type { ErrorCode } from '../../../shared/errors.js';
import { StreamError } from '../../../shared/errors.js';

/** Stands in for the player: plays a drawn picture, and does what a test tells it. */
export class FakePlayer implements ElementPlayer {
  /** All that were made, oldest first. */
  static made: FakePlayer[] = [];
  /** Answers of the next calls of play(), first to last; none left: it plays. */
  static refusals: Error[] = [];
  /** What making one throws. */
  static failure: Error | null = null;

  readonly options: PlayerOptions;
  readonly handlers: PlayerHandlers;
  readonly calls: string[] = [];
  state: ElementPlayer['state'] = 'idle';
  error: StreamError | null = null;
  video = document.createElement('video');
  tracks: PlayerTrack[] = [];
  isAtLiveEdge = true;
  isStored = false;
  position: number | null = null;
  playbackRate = 1;
  range: ElementPlayer['range'] = null;
  currentDate: Date | null = new Date(0);
  #muted: boolean;
  #volume: number;
  #latency: ElementPlayer['latency'];

  constructor(options: PlayerOptions, handlers: PlayerHandlers) {
    if (FakePlayer.failure !== null) throw FakePlayer.failure;
    this.options = options;
    this.handlers = handlers;
    this.#muted = options.muted;
    this.#volume = options.volume;
    this.#latency = options.latency;
    options.container.append(this.video);
    FakePlayer.made.push(this);
  }

  seekTo(date: Date): void {
    this.calls.push(`seekTo=${date.toISOString()}`);
  }

  static forget(): void {
    FakePlayer.made = [];
    FakePlayer.refusals = [];
    FakePlayer.failure = null;
  }

  get muted(): boolean {
    return this.#muted;
  }
  set muted(muted: boolean) {
    this.#muted = muted;
    this.calls.push(`muted=${muted}`);
  }
  get volume(): number {
    return this.#volume;
  }
  set volume(volume: number) {
    this.#volume = volume;
    this.calls.push(`volume=${volume}`);
  }
  get latency(): ElementPlayer['latency'] {
    return this.#latency;
  }
  set latency(latency: ElementPlayer['latency']) {
    this.#latency = latency;
    this.calls.push(`latency=${latency}`);
  }

  start(): void {
    this.calls.push('start');
    this.enter('connecting');
  }

  play(): Promise<void> {
    this.calls.push('play');
    const refusal = FakePlayer.refusals.shift();
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.state === 'paused') this.enter('playing');
    return Promise.resolve();
  }

  pause(): void {
    this.calls.push('pause');
    this.enter('paused');
  }

  seekToLive(): void {
    this.calls.push('seekToLive');
    this.isAtLiveEdge = true;
  }

  seek(position: number): void {
    this.calls.push(`seek=${position}`);
  }

  close(): Promise<void> {
    this.calls.push('close');
    this.video.remove();
    return Promise.resolve();
  }

  getStats(): ReturnType<ElementPlayer['getStats']> {
    return { fake: true } as unknown as ReturnType<ElementPlayer['getStats']>;
  }

  // What a test makes it do.

  enter(state: ElementPlayer['state']): void {
    if (state === this.state) return;
    this.state = state;
    this.handlers.onStateChange(state);
  }

  /** Connects: the drawing plays in the video. */
  async showPicture(drawing: HTMLCanvasElement = drawBlank()): Promise<void> {
    this.setTracks('video', 'audio');
    await showIn(this.video, drawing);
    this.error = null;
    this.enter('playing');
  }

  /** Another video, which shows a picture already, takes over. */
  async exchangeVideo(drawing: HTMLCanvasElement = drawBlank()): Promise<void> {
    const former = this.video;
    const video = document.createElement('video');
    await showIn(video, drawing);
    this.options.container.append(video);
    this.video = video;
    this.handlers.onVideoChange(video);
    former.remove();
  }

  setTracks(...kinds: ('video' | 'audio')[]): void {
    const codecs = { video: ['avc1.640028', 'H264'], audio: ['mp4a.40.2', 'MPEG4-GENERIC'] } as const;
    this.tracks = kinds.map((kind, index) => {
      const [codec, encodingName] = codecs[kind];
      return { index, kind, codec, encodingName, state: 'playing' } as PlayerTrack;
    });
    this.handlers.onTracksChange();
  }

  interrupt(code: ErrorCode, message: string): void {
    this.error = new StreamError(code, message);
    this.enter('reconnecting');
  }

  fail(code: ErrorCode, message: string): void {
    this.error = new StreamError(code, message);
    this.enter('error');
  }
}

async function showIn(video: HTMLVideoElement, drawing: HTMLCanvasElement): Promise<void> {
  video.muted = true;
  video.srcObject = drawing.captureStream(10);
  await video.play();
  await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
}

function drawBlank(): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 180;
  const context = canvas.getContext('2d');
  let shade = 0;
  // A captured canvas yields frames only while it is drawn to.
  const timer = setInterval(() => {
    if (context === null) return;
    shade = (shade + 1) % 256;
    context.fillStyle = `rgb(40 ${shade} 90)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (performance.now() > end) clearInterval(timer);
  }, 50);
  const end = performance.now() + 30_000;
  return canvas;
}
