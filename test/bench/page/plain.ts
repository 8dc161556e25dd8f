import { Receiver } from '../../../client/player/receiver.js';
import type { VideoTrackConfig } from '../../../client/codec/track-config.js';
import { writeFragment } from '../../../client/fmp4/fragment.js';
import { writeInitSegment } from '../../../client/fmp4/init-segment.js';
import { WebSocketTransport } from '../../../client/transport/websocket.js';
import { systemClock } from '../../../shared/clock.js';
import type { Showing, ShowingOptions } from './showing.js';

/** What a page gets that appends frames as they come, with their true durations, and leaves the rest to the browser. */

const TRACK_ID = 1;
const TIMESCALE = 90_000;
const FRAME_S = 1 / 25;

export async function start(options: ShowingOptions): Promise<Showing> {
  const video = document.createElement('video');
  video.autoplay = true;
  video.muted = true;
  options.container.append(video);
  const mediaSource = new MediaSource();
  video.src = URL.createObjectURL(mediaSource);
  await new Promise((resolve) => mediaSource.addEventListener('sourceopen', resolve, { once: true }));
  mediaSource.duration = Number.POSITIVE_INFINITY;

  let buffer: SourceBuffer | null = null;
  let first = 0;
  const waiting: Uint8Array<ArrayBuffer>[] = [];
  const append = (bytes?: Uint8Array<ArrayBuffer>) => {
    if (bytes !== undefined) waiting.push(bytes);
    if (buffer === null || buffer.updating) return;
    const next = waiting.shift();
    if (next !== undefined) buffer.appendBuffer(next);
  };
  const begin = (config: VideoTrackConfig, time: number) => {
    buffer = mediaSource.addSourceBuffer(`video/mp4; codecs="${config.codec}"`);
    buffer.addEventListener('updateend', () => append());
    first = time;
    append(writeInitSegment([{ trackId: TRACK_ID, timescale: TIMESCALE, config }]));
  };
  let fragments = 0;
  const receiver = new Receiver(
    {
      transport: new WebSocketTransport(options.tunnelUrl),
      url: options.cameraUrl,
      clock: systemClock,
    },
    {
      onTracks() {},
      onAccessUnit(track, unit, time) {
        const config = track.config;
        if (config?.kind !== 'video') return;
        if (buffer === null) {
          if (!unit.isKeyFrame) return;
          begin(config, time);
        }
        const ticks = Math.round((time - first) * TIMESCALE);
        const sample = {
          unit,
          decodeTime: ticks,
          presentationTime: ticks,
          duration: FRAME_S * TIMESCALE,
        };
        append(writeFragment(fragments++, TRACK_ID, [sample]));
      },
      onEnd() {},
      onClose() {},
    },
  );
  await receiver.start();
  return { video };
}
