import { MAX_UNPACKED_METADATA_BYTES, MAX_WAITING_METADATA } from '../../shared/limits.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { OnvifMetadata } from './onvif-metadata.js';

/**
 * Documents of metadata as they come → told when the frame that they belong to is on screen. Those whose frame has passed
 * already, as when a camera's analytics take their time, are told with the next one.
 */

/** So much before a frame's own time its documents are told with it. Seconds. */
const SAME_FRAME_S = 0.005;
/** So far behind the picture no frame is waited for: there is none in a hidden page, nor where there is only sound. Seconds. */
const LATE_S = 0.25;

export interface MetadataPresenterOptions {
  /** The `<video>` on screen, and the time of its frame, on the time line that the documents share, seconds. */
  picture(): { readonly video: HTMLVideoElement; readonly time: number | null };
  /** UTC of a time, milliseconds since 1970. */
  utcAt(time: number): number | null;
  onMetadata(metadata: OnvifMetadata): void;
}

interface Waiting {
  readonly xml: string;
  readonly time: number;
}

export class MetadataPresenter {
  readonly #options: MetadataPresenterOptions;
  /** In the order of their times. */
  #waiting: Waiting[] = [];
  /** Of the time line: documents that were being unpacked when it changed are of no use. */
  #epoch = 0;
  /** The `<video>` whose next frame is waited for. */
  #awaited: HTMLVideoElement | null = null;
  /** Documents that could not be unpacked, or waited too long. */
  dropped = 0;

  constructor(options: MetadataPresenterOptions) {
    this.#options = options;
  }

  /** Takes a document, plain or packed by gzip. `time`: that of its frame, seconds. Never rejects. */
  async push(unit: AccessUnit, time: number): Promise<void> {
    const epoch = this.#epoch;
    const xml = await textOf(unit).catch(() => null);
    if (epoch !== this.#epoch) return;
    if (xml === null) {
      this.dropped++;
      return;
    }
    const after = this.#waiting.findLastIndex((other) => other.time <= time);
    this.#waiting.splice(after + 1, 0, { xml, time });
    if (this.#waiting.length > MAX_WAITING_METADATA) {
      this.#waiting.shift();
      this.dropped++;
    }
    const { video, time: onScreen } = this.#options.picture();
    if (onScreen !== null) this.#tell(onScreen - LATE_S);
    this.#awaitFrame(video);
  }

  /** The picture goes on elsewhere. */
  reset(): void {
    this.#epoch++;
    this.#waiting = [];
  }

  #awaitFrame(video: HTMLVideoElement): void {
    if (this.#waiting.length === 0 || video === this.#awaited) return;
    this.#awaited = video;
    video.requestVideoFrameCallback(() => {
      if (this.#awaited === video) this.#awaited = null;
      const { video: current, time } = this.#options.picture();
      if (time !== null) this.#tell(time + SAME_FRAME_S);
      this.#awaitFrame(current);
    });
  }

  /** @param until - of documents up to this time, seconds */
  #tell(until: number): void {
    const count = this.#waiting.findLastIndex(({ time }) => time <= until) + 1;
    for (const { xml, time } of this.#waiting.splice(0, count)) {
      const utc = this.#options.utcAt(time);
      this.#options.onMetadata(new OnvifMetadata(xml, time, utc === null ? null : new Date(utc)));
    }
  }
}

/** @throws when it cannot be unpacked, or is too long */
async function textOf({ pieces }: AccessUnit): Promise<string> {
  const blob = new Blob(pieces as readonly BlobPart[] as BlobPart[]);
  const isPacked = await startsLikeGzip(blob);
  if (!isPacked) return blob.text();
  const reader = blob.stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const decoder = new TextDecoder();
  let text = '';
  let byteLength = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    byteLength += value.length;
    if (byteLength > MAX_UNPACKED_METADATA_BYTES) {
      await reader.cancel();
      throw new RangeError(`The document unpacks to more than ${MAX_UNPACKED_METADATA_BYTES} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** RFC 1952, 2.3.1. Looked at rather than believed: not every camera names its packing. */
async function startsLikeGzip(blob: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}
