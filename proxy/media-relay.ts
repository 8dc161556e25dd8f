/**
 * A named camera's interleaved frames → the viewer's WebSocket: all frames that lie side by side in one read go out as
 * one view of it, without copying. Slow viewers of live streams lose frames; for stored media the camera has to wait.
 */
import { LIVE_BACKLOG_BYTES } from '../shared/limits.js';
import { INTERLEAVED_HEADER_BYTES, serializeInterleaved } from '../shared/rtsp-message.js';
import type { CameraConnection } from './camera-connection.js';
import type { FrameSink } from './camera-reader.js';
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

  get isChunkInUse(): boolean {
    return this.#isInUse;
  }

  beginChunk(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#isInUse = false;
  }

  onFrame(start: number, end: number): void {
    const { dropper } = this;
    if (dropper.isActive) {
      // What waits is to be counted before the next decision.
      this.#sendRun();
      const channel = this.#chunk[start + 1] as number;
      const packet = this.#chunk.subarray(start + INTERLEAVED_HEADER_BYTES, end);
      if (!dropper.accepts(channel, packet, this.#viewer.backlogBytes)) return;
    }
    if (start !== this.#runEnd) {
      this.#sendRun();
      this.#runStart = start;
    }
    this.#runEnd = end;
  }

  onLooseFrame(channel: number, payload: Uint8Array): void {
    this.#sendRun();
    if (this.dropper.isActive && !this.dropper.accepts(channel, payload, this.#viewer.backlogBytes)) return;
    this.#viewer.send(serializeInterleaved(channel, payload));
  }

  onMessage(): void {
    this.#sendRun();
  }

  endChunk(): void {
    this.#sendRun();
    this.#chunk = noChunk;
    const { backlogBytes } = this.#viewer;
    if (backlogBytes === 0) this.#isInUse = false;
    else this.#slowDown(backlogBytes);
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

  #slowDown(backlogBytes: number): void {
    if (this.slowViewerPolicy === 'stored') {
      if (this.#viewer.isBackedUp) this.#camera.pause();
    } else if (backlogBytes > LIVE_BACKLOG_BYTES) {
      this.dropper.activate();
    }
  }
}
