import { fileURLToPath } from 'node:url';
import { type LineProcess, startLineProcess } from './child-process.js';

/** A live picture with the picture clock in it (see picture_clock.py). */
export interface LiveVideo {
  /** Default H.264; what follows from `profile` on is for that alone. */
  codec?: 'h264' | 'vp8' | 'vp9' | 'jpeg';
  /** Pixels; a multiple of 8, at least 256. */
  width?: number;
  height?: number;
  /** Takes turns with the size above, each for so many frames. */
  otherSize?: { width: number; height: number; frames: number };
  frameRate?: number;
  /** kbit/s. */
  bitrate?: number;
  /** Frames from one key frame to the next. */
  keyInterval?: number;
  profile?: 'constrained-baseline' | 'baseline' | 'main' | 'high';
  /** Frames between two others that refer to both, in a pyramid; 0 as cameras do. Each delays the stream by its interval. */
  bFrames?: number;
  /** With B-frames: groups of pictures that refer to the one before. */
  openGroups?: boolean;
  /** Slices of a picture. */
  slices?: number;
  /** x264's speed preset. */
  preset?: string;
  /**
   * Where SPS and PPS are besides the SDP: `in-band` before every key frame, `sdp-only`, or `before-every-slice` of a key
   * frame, as GStreamer's payloader does by itself with `config-interval=-1`.
   */
  parameterSets?: 'in-band' | 'sdp-only' | 'before-every-slice';
  /** Puts several NAL units into a packet (STAP-A) where they fit. */
  aggregate?: boolean;
}

/** A live tone of 440 Hz. */
export interface LiveAudio {
  /**
   * Default AAC in mpeg4-generic; HE-AAC is 24 kHz stereo at its core, PCMU and PCMA want 8 kHz and one channel.
   */
  codec?: 'aac' | 'he-aac' | 'latm' | 'opus' | 'mp3' | 'pcmu' | 'pcma' | 'l8' | 'l16' | 'g722' | 'g726';
  sampleRate?: number;
  channels?: number;
  /** bit/s. */
  bitrate?: number;
  /** A steady tone, or one tick a second. */
  wave?: 'sine' | 'ticks';
  /** How much later than its time stamps the sound is sent. */
  delayMs?: number;
  /** Sound that is left out, counted from the first block; `forMs` null: for ever. From 0 for ever: announced, never sent. */
  gap?: { fromMs: number; forMs: number | null };
}

export type FileTrack =
  | ('video' | 'h265' | 'jpeg' | 'vp8' | 'vp9')
  | ('audio' | 'he-aac' | 'latm' | 'opus' | 'mp3' | 'pcmu' | 'pcma' | 'l8' | 'l16' | 'g722' | 'g726');

export interface Mount {
  /** Absolute: `/live`. */
  path: string;
  /** `true` or `{}`: 640×360 at 25 frames a second, 1 Mbit/s, a key frame a second. */
  video?: LiveVideo | true;
  /** `true` or `{}`: stereo, 48 kHz. */
  audio?: LiveAudio | true;
  /** An MP4, WebM or Matroska file instead, seekable; `tracks` as the file has them (`video`: H.264, `audio`: AAC). */
  file?: { path: string; tracks: FileTrack[] };
  /** Whether all viewers see one encoder's stream (then later ones start between key frames); default false. */
  shared?: boolean;
  /** Refuses RTP over the RTSP connection with 461. */
  udpOnly?: boolean;
  /** Milliseconds that the server's own pipeline is allowed to hold. */
  latencyMs?: number;
}

export interface CameraOptions {
  /** Default: `/live` with video. */
  mounts?: Mount[];
  /** 0 takes a free one. */
  port?: number;
  users?: { scheme: 'basic' | 'digest'; username: string; password: string; realm?: string };
  tls?: { certificate: string; key: string };
  /** Seconds of the RTSP session time-out that the server announces. */
  sessionTimeoutSeconds?: number;
}

/** What the server says about its clients, in order. */
export type CameraEvent =
  | { event: 'ready'; port: number }
  | { event: 'connected' | 'closed'; client: number }
  | { event: 'request'; client: number; method: string; path: string | null }
  | { event: 'media'; path: string }
  /** `utcMs`: when its first tick is due, by the clock that is in the picture. */
  | { event: 'start'; path: string; utcMs: number };

export interface GStreamerCamera {
  readonly port: number;
  readonly pid: number;
  /** Everything said since the start, restarts included. */
  readonly events: readonly CameraEvent[];
  /** The URL of a mount, with credentials when asked for. */
  url(path?: string, credentials?: 'with-credentials'): string;
  /** The event that matches, past or to come; the `count`-th of them, from 1. */
  waitForEvent(matches: (event: CameraEvent) => boolean, count?: number, timeoutMs?: number): Promise<CameraEvent>;
  /** SIGSTOP: connections stay open, nothing is sent. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL: the machine resets its connections. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after `kill` or `stop` (or at once, killing it). */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const script = fileURLToPath(new URL('./gstreamer-camera.py', import.meta.url));
const host = '127.0.0.1';

const videoDefaults: Required<Omit<LiveVideo, 'otherSize'>> = {
  codec: 'h264',
  width: 640,
  height: 360,
  frameRate: 25,
  bitrate: 1_000,
  keyInterval: 25,
  profile: 'main',
  bFrames: 0,
  openGroups: false,
  slices: 1,
  preset: 'superfast',
  parameterSets: 'in-band',
  aggregate: false,
};

const audioDefaults = {
  codec: 'aac',
  sampleRate: 48_000,
  channels: 2,
  bitrate: 96_000,
  wave: 'sine',
  delayMs: 0,
} as const;

function completeMount(mount: Mount): object {
  return {
    path: mount.path,
    video: mount.video === undefined ? null : { ...videoDefaults, ...(mount.video === true ? {} : mount.video) },
    audio: mount.audio === undefined ? null : { ...audioDefaults, ...(mount.audio === true ? {} : mount.audio) },
    file: mount.file ?? null,
    shared: mount.shared ?? false,
    udpOnly: mount.udpOnly ?? false,
    latencyMs: mount.latencyMs ?? 200,
  };
}

/** Starts GStreamer's RTSP server on a loopback port and waits until it listens. */
export async function startGStreamerCamera(options: CameraOptions = {}): Promise<GStreamerCamera> {
  const events: CameraEvent[] = [];
  const waiting = new Set<() => void>();
  const users = options.users;

  async function start(port: number): Promise<{ child: LineProcess; port: number }> {
    const configuration = {
      host,
      port,
      users: users === undefined ? null : { realm: 'camera', ...users },
      tls: options.tls ?? null,
      sessionTimeoutSeconds: options.sessionTimeoutSeconds ?? null,
      mounts: (options.mounts ?? [{ path: '/live', video: true as const }]).map(completeMount),
    };
    const child = startLineProcess('/usr/bin/python3', ['-B', script, JSON.stringify(configuration)]);
    child.onLine((line) => {
      const event = JSON.parse(line) as CameraEvent;
      events.push(event);
      for (const check of [...waiting]) check();
    });
    const bound = await child.waitForLine((line) => {
      const event = JSON.parse(line) as { event: string; port?: number; reason?: string };
      if (event.event === 'failed') throw new Error(event.reason);
      return event.event === 'ready' ? event.port : null;
    }, 30_000);
    return { child, port: bound };
  }

  let { child, port } = await start(options.port ?? 0);
  return {
    get port() {
      return port;
    },
    get pid() {
      return child.pid;
    },
    events,
    url(path = '/live', credentials) {
      const userinfo =
        credentials === undefined || users === undefined
          ? ''
          : `${encodeURIComponent(users.username)}:${encodeURIComponent(users.password)}@`;
      return `${options.tls === undefined ? 'rtsp' : 'rtsps'}://${userinfo}${host}:${port}${path}`;
    },
    waitForEvent(matches, count = 1, timeoutMs = 10_000) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const found = events.filter(matches)[count - 1];
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`The camera reported no such event within ${timeoutMs} ms: ${JSON.stringify(events)}`));
        }, timeoutMs);
        waiting.add(check);
        check();
      });
    },
    freeze: () => child.signal('SIGSTOP'),
    thaw: () => child.signal('SIGCONT'),
    kill: () => child.kill(),
    async restart() {
      await child.kill();
      ({ child, port } = await start(port));
    },
    // Nothing in it needs a goodbye, and GStreamer's threads can be slow to give one.
    stop: () => child.kill(),
  };
}
