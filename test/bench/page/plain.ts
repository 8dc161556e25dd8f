import type { AccessUnit } from '../../../client/codec/access-unit.js';
import type { TrackConfig } from '../../../client/codec/track-config.js';
import { writeFragment } from '../../../client/fmp4/fragment.js';
import { writeInitSegment } from '../../../client/fmp4/init-segment.js';
import { sampleEntryOf } from '../../../client/fmp4/sample-entry.js';
import { Receiver } from '../../../client/player/receiver.js';
import { WebSocketTransport } from '../../../client/transport/websocket.js';
import { systemClock } from '../../../shared/clock.js';
import type { Showing, ShowingOptions } from './showing.js';

/** What a page gets that appends frames as they come, with their true durations, and leaves the rest to the browser. */

const TIMESCALE = 90_000;
const FRAME_S = 1 / 25;

/** One track's SourceBuffer and what waits for it. */
class Feed {
  readonly #trackId: number;
  readonly config: TrackConfig;
  readonly #waiting: Uint8Array<ArrayBuffer>[] = [];
  #buffer: SourceBuffer | null = null;
  #fragments = 0;

  constructor(trackId: number, config: TrackConfig) {
    this.#trackId = trackId;
    this.config = config;
    this.#waiting.push(
      writeInitSegment([{ trackId, timescale: TIMESCALE, config, sampleEntry: sampleEntryOf(config) }]),
    );
  }

  open(mediaSource: MediaSource): void {
    this.#buffer = mediaSource.addSourceBuffer(`${this.config.kind}/mp4; codecs="${this.config.codec}"`);
    this.#buffer.addEventListener('updateend', () => this.#run());
    this.#run();
  }

  push(unit: AccessUnit, time: number): void {
    const ticks = Math.round(time * TIMESCALE);
    const { config } = this;
    const seconds = config.kind === 'audio' ? config.samplesPerUnit / config.sampleRate : FRAME_S;
    const sample = { unit, decodeTime: ticks, presentationTime: ticks, duration: Math.round(seconds * TIMESCALE) };
    this.#waiting.push(writeFragment(this.#fragments++, this.#trackId, [sample]));
    this.#run();
  }

  #run(): void {
    if (this.#buffer === null || this.#buffer.updating) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#buffer.appendBuffer(next);
  }
}

export function start(options: ShowingOptions): Showing {
  const video = document.createElement('video');
  video.autoplay = true;
  video.muted = options.muted;
  options.container.append(video);
  const mediaSource = new MediaSource();
  video.src = URL.createObjectURL(mediaSource);
  const opened = new Promise<void>((resolve) => {
    mediaSource.addEventListener('sourceopen', () => {
      mediaSource.duration = Number.POSITIVE_INFINITY;
      resolve();
    });
  });

  const feeds = new Map<number, Feed>();
  let first = Number.NaN;
  const receiver = new Receiver(
    { transport: new WebSocketTransport(options.tunnelUrl), url: options.cameraUrl, clock: systemClock },
    {
      onTracks() {},
      onAccessUnit(track, unit, time) {
        const { index, kind } = track.media;
        let feed = feeds.get(index);
        if (feed === undefined) {
          if (unit.config === null || !unit.isKeyFrame) return;
          feed = new Feed(index + 1, unit.config);
          feeds.set(index, feed);
          if (feeds.size === receiver.tracks.length) {
            void opened.then(() => {
              for (const each of feeds.values()) each.open(mediaSource);
            });
          }
        }
        if (kind === 'video' && Number.isNaN(first)) first = time;
        // Sound from before the first picture would have to be cut.
        if (time >= first) feed.push(unit, time - first);
      },
      onEnd() {},
      onClose() {},
    },
  );
  void receiver.start();
  return { video };
}
