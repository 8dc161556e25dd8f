/**
 * A named camera's interleaved frames → the viewer's WebSocket: all frames that lie side by side in one read go out as
 * one view of it, without copying. Slow viewers of live streams lose frames; for stored media the camera has to wait.
 */
import { LIVE_BACKLOG_BYTES } from '../shared/limits.js';
import { INTERLEAVED_HEADER_BYTES, serializeInterleaved } from '../shared/rtsp-message.js';
import type { CameraConnection, FrameSink } from './camera-connection.js';
import { FrameDropper } from './frame-dropper.js';
import type { Viewer } from './viewer.js';

/** `live`: drop frames. `stored`: let the camera wait. */
export type SlowViewerPolicy = 'live' | 'stored';

const noChunk = Buffer.alloc(0);

export class MediaRelay implements FrameSink {
  readonly #viewer: Viewer;
  readonly #camera: CameraConnection;
  readonly dropper = new FrameDropper();
  slowViewerPolicy: SlowViewerPolicy = 'live';
  #chunk: Buffer = noChunk;
  /** The frames of the chunk that wait to be sent, as positions in it; equal when there are none. */
  #runStart = 0;
  #runEnd = 0;
  #isInUse = false;

  constructor(viewer: Viewer, camera: CameraConnection) {
    this.#viewer = viewer;
    this.#camera = camera;
  }

  beginChunk(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#isInUse = false;
    this.#viewer.cork();
  }

  onFrame(channel: number, payload: Uint8Array): void {
    const { dropper } = this;
    if (dropper.isActive && !dropper.accepts(channel, payload, this.#viewer.backlogBytes)) return;
    const chunk = this.#chunk;
    const start = payload.byteOffset - chunk.byteOffset - INTERLEAVED_HEADER_BYTES;
    if (payload.buffer !== chunk.buffer || start < 0) {
      // It began in an earlier chunk.
      this.#sendRun();
      this.#viewer.send(serializeInterleaved(channel, payload));
      return;
    }
    if (start !== this.#runEnd) {
      this.#sendRun();
      this.#runStart = start;
    }
    this.#runEnd = start + INTERLEAVED_HEADER_BYTES + payload.length;
  }

  onMessage(): void {
    this.#sendRun();
  }

  endChunk(): boolean {
    this.#sendRun();
    this.#viewer.uncork();
    this.#chunk = noChunk;
    if (this.#viewer.backlogBytes > 0) this.#slowDown();
    return this.#isInUse && this.#viewer.backlogBytes > 0;
  }

  /** The viewer has read all that waited. */
  onDrain(): void {
    if (this.#camera.isPaused) this.#camera.resume();
  }

  #sendRun(): void {
    const start = this.#runStart;
    const end = this.#runEnd;
    if (end > start) this.#isInUse = this.#viewer.send(this.#chunk.subarray(start, end)) || this.#isInUse;
    this.#runStart = end;
  }

  #slowDown(): void {
    if (this.slowViewerPolicy === 'stored') {
      if (this.#viewer.isBackedUp) this.#camera.pause();
    } else if (this.#viewer.backlogBytes > LIVE_BACKLOG_BYTES) {
      this.dropper.activate();
    }
  }
}
