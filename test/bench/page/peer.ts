import type { Showing, ShowingOptions } from './showing.js';

/** media-stream-library's player, put together as its own example does it (its browser build is a global script). */

interface Pipeline {
  ready: Promise<void>;
  rtsp: { play(): void };
  onSourceOpen?: (mediaSource: MediaSource) => void;
}

declare const mediaStreamLibrary: {
  pipelines: {
    Html5VideoPipeline: new (options: {
      ws: { uri: string };
      rtsp: { uri: string };
      mediaElement: HTMLVideoElement;
    }) => Pipeline;
  };
};

export function start(options: ShowingOptions): Showing {
  const video = document.createElement('video');
  video.autoplay = true;
  video.muted = options.muted;
  options.container.append(video);
  const pipeline = new mediaStreamLibrary.pipelines.Html5VideoPipeline({
    ws: { uri: options.tunnelUrl },
    rtsp: { uri: options.cameraUrl },
    mediaElement: video,
  });
  pipeline.onSourceOpen = (mediaSource) => {
    // Its example asks for the least latency this way.
    mediaSource.duration = 0;
  };
  void pipeline.ready.then(() => pipeline.rtsp.play());
  return {
    video,
    setMuted(muted) {
      video.muted = muted;
    },
  };
}
