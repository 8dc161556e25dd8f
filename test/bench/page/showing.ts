/** What a page of the benchmarks has to do: show one camera. `--page` takes any module with such exports. */
export interface ShowingModule {
  /** What a page does before there is a camera to show: loading scripts. Not part of the time to the first frame. */
  prepare?(options: ShowingOptions): Promise<void>;
  /** Puts the picture into the page. What goes wrong later may be left to reject. */
  start(options: ShowingOptions): Showing;
}

export interface ShowingOptions {
  /** Where the picture goes. */
  container: HTMLElement;
  /** The product's proxy, `http://127.0.0.1:PORT`; it has the camera by this name. */
  proxyOrigin: string;
  cameraName: string;
  /** The camera's own address, for a page that speaks RTSP through a tunnel. */
  cameraUrl: string;
  /** A bare tunnel to the camera (the peer's own proxy in the peer's page). */
  tunnelUrl: string;
  /** The setting under test: low, balanced, smooth, or milliseconds. */
  latency: string;
  muted: boolean;
}

export interface Showing {
  /** The `<video>` that is to be seen now; null while there is none. */
  readonly video: HTMLVideoElement | null;
  /** Absent: it cannot be asked for sound in mid-play. */
  setMuted?(muted: boolean): void;
  /** Numbers of its own for the trace; called every 250 ms. */
  stats?(): unknown;
}
