/**
 * A named camera's interleaved frames → the viewer's WebSocket: all frames that lie side by side in one read go out as
 * one message, without copying. Slow viewers of live streams lose frames; for stored media the camera has to wait.
 */
import { LIVE_BACKLOG_BYTES, MAX_HELD_BYTES } from '../shared/limits.js';
import { INTERLEAVED_HEADER_BYTES, serializeInterleaved } from '../shared/rtsp-message.js';
import type { CameraConnection } from './camera-connection.js';
import type { FrameSink } from './camera-reader.js';
import { FrameDropper } from './frame-dropper.js';
import type { Viewer } from './viewer.js';

/** `live`: drop frames. `stored`: let the camera wait. */
export type SlowViewerPolicy = 'live' | 'stored';

const noMemory = Buffer.alloc(0);
/** Of an RTP packet's second byte (RFC 3550, 5.1). */
const MARKER = 0x80;

export class MediaRelay implements FrameSink {
  readonly #viewer: Viewer;
  readonly #camera: CameraConnection;
  readonly dropper = new FrameDropper();
  slowViewerPolicy: SlowViewerPolicy = 'live';
  #memory: Buffer = noMemory;
  /** The frames in it that wait to be sent, as positions; equal when there are none. */
  #runStart = 0;
  #runEnd = 0;
  #lastFrameStart = 0;
  #isHolding = false;
  #isInUse = false;

  constructor(viewer: Viewer, camera: CameraConnection) {
    this.#viewer = viewer;
    this.#camera = camera;
  }

  get isMemoryInUse(): boolean {
    return this.#isInUse;
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  beginChunk(memory: Buffer): void {
    this.#memory = memory;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#isInUse = false;
  }

  onFrame(start: number, end: number): void {
    const { dropper } = this;
    if (dropper.isActive) {
      // What waits is to be counted before the next decision.
      this.#sendRun();
      const channel = this.#memory[start + 1] as number;
      const packet = this.#memory.subarray(start + INTERLEAVED_HEADER_BYTES, end);
      if (!dropper.accepts(channel, packet, this.#viewer.backlogBytes)) return;
    }
    if (start !== this.#runEnd) {
      this.#sendRun();
      this.#runStart = start;
    }
    this.#runEnd = end;
    this.#lastFrameStart = start;
  }

  onLooseFrame(channel: number, payload: Uint8Array): void {
    this.#sendRun();
    if (this.dropper.isActive && !this.dropper.accepts(channel, payload, this.#viewer.backlogBytes)) return;
    this.#viewer.send(serializeInterleaved(channel, payload));
  }

  onMessage(): void {
    this.#sendRun();
  }

  endChunk(position: number, end: number, mayHold: boolean): number {
    this.#isHolding = mayHold && this.#isIncomplete(position, end);
    const unread = this.#isHolding ? this.#runStart : position;
    if (!this.#isHolding) this.#sendRun();
    this.#memory = noMemory;
    const { backlogBytes } = this.#viewer;
    if (backlogBytes === 0) this.#isInUse = false;
    else this.#slowDown(backlogBytes);
    return unread;
  }

  /** Whether what waits ends in the middle of a frame: at an RTP packet without a marker (RTCP has that bit in its types). */
  #isIncomplete(position: number, end: number): boolean {
    if (this.#runEnd !== position || this.#runEnd === this.#runStart || end - this.#runStart > MAX_HELD_BYTES)
      return false;
    if (this.dropper.isActive || this.#viewer.backlogBytes > 0) return false;
    const second = this.#memory[this.#lastFrameStart + INTERLEAVED_HEADER_BYTES + 1] as number;
    return (second & MARKER) === 0;
  }

  /** The viewer has read all that waited. */
  onDrain(): void {
    if (this.#camera.isPaused) this.#camera.resume();
  }

  #sendRun(): void {
    const start = this.#runStart;
    const end = this.#runEnd;
    if (end > start) this.#isInUse = this.#viewer.sendFrom(this.#memory, start, end) || this.#isInUse;
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
