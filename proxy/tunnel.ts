/**
 * The raw tunnel: a viewer's WebSocket ↔ one TCP connection to the host and port of its first request's URL, if the
 * policy allows it. Bytes pass untouched, with back-pressure both ways. Only the viewer's requests, which are rare, are
 * looked at besides: they tell whether silence is a failure.
 */
import { StreamError } from '../shared/errors.js';
import { CloseCode } from '../shared/proxy-protocol.js';
import { looksLikeRtcp } from '../shared/rtp-packet.js';
import { DOLLAR, INTERLEAVED_HEADER_BYTES } from '../shared/rtsp-message.js';
import { RtspReader } from '../shared/rtsp-reader.js';
import { parseRtspUrl } from '../shared/rtsp-url.js';
import { type Connection, closeCodeOf, type Environment, type Progress } from './connection.js';
import { SilenceWatch } from './silence-watch.js';
import { Upstream, type UpstreamOptions } from './upstream.js';
import type { UpstreamPolicy, UpstreamTarget } from './upstream-policy.js';
import type { Viewer } from './viewer.js';

export interface TunnelOptions {
  viewer: Viewer;
  policy: UpstreamPolicy;
  upstream: UpstreamOptions;
  environment: Environment;
}

export class Tunnel implements Connection {
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  readonly #viewer: Viewer;
  readonly #policy: UpstreamPolicy;
  readonly #upstreamOptions: UpstreamOptions;
  readonly #environment: Environment;
  readonly #reader: RtspReader;
  readonly #silence: SilenceWatch;
  readonly #abort = new AbortController();
  readonly #cancelFirstRequest: () => void;
  /** What the viewer sent before the camera was connected: bounded by the reader, then by the viewer's being paused. */
  #early: Uint8Array[] = [];
  #upstream: Upstream | null = null;
  /** Where it is connected to, or is being connected to. */
  #target: UpstreamTarget | null = null;
  #hasTarget = false;
  #plays = false;
  /** Since when the camera has not read what waits for it; null when nothing waits. */
  #stuckSince: number | null = null;

  constructor(options: TunnelOptions) {
    this.#viewer = options.viewer;
    this.#policy = options.policy;
    this.#upstreamOptions = options.upstream;
    this.#environment = options.environment;
    const { clock, timeouts } = options.environment;
    this.#silence = new SilenceWatch(clock, timeouts.silenceMs);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#reader = new RtspReader({
      onMessage: (message) => {
        if (message.kind === 'request') this.#onRequest(message.method, message.url);
      },
      onInterleavedFrame: () => {},
      // Later bytes are the camera's business; without its requests, silence is not judged.
      onError: (error) => {
        if (this.#hasTarget) this.#plays = false;
        else this.close(CloseCode.notRtsp, error.message);
      },
    });
    this.#cancelFirstRequest = clock.schedule(timeouts.firstRequestMs, () => {
      this.close(CloseCode.notRtsp, `No RTSP request came within ${timeouts.firstRequestMs} ms.`);
    });
    this.#viewer.attach({
      onData: (bytes) => this.#onViewerData(bytes),
      onDrain: () => {
        if (!this.#upstream?.isPaused) return;
        this.#upstream.resume();
        this.#silence.restart();
      },
      onClose: () => this.#onViewerClose(),
    });
  }

  checkLife(): void {
    this.#viewer.checkLife();
  }

  checkIdle(now: number, timeoutMs: number): void {
    this.#viewer.checkIdle(now, timeoutMs);
  }

  checkSilence(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    const { clock, timeouts } = this.#environment;
    const isStuck = this.#stuckSince !== null && clock.now() - this.#stuckSince >= timeouts.silenceMs;
    // A camera that waits for a slow viewer cannot be heard.
    if (upstream.isPaused) this.#silence.restart();
    const isSilent = this.#silence.isSilent(upstream.bytesRead);
    if (isStuck || (this.#plays && isSilent)) {
      this.close(CloseCode.cameraUnreachable, `The camera has been silent for ${timeouts.silenceMs} ms.`);
    }
  }

  /** To be called when the allowlist is another one: ends a tunnel whose target it has no more. */
  checkPolicy(): void {
    const target = this.#target;
    if (target === null) return;
    // While it is being connected, any of them may be the one.
    const addresses = this.#upstream === null ? target.addresses : [this.#upstream.address];
    if (addresses.some((address) => this.#policy.permits(target, address))) return;
    this.close(CloseCode.forbidden, noLongerAllowed().message);
  }

  get progress(): Progress {
    return { bytesToViewer: this.#viewer.bytesSent, droppedFrames: 0 };
  }

  close(code: CloseCode, sentence: string): void {
    this.#viewer.close(code, sentence);
  }

  destroy(): void {
    this.#viewer.terminate();
    this.#upstream?.destroy();
  }

  #onViewerData(bytes: Uint8Array): void {
    this.#environment.counters.bytesFromViewers += bytes.length;
    const upstream = this.#upstream;
    if (upstream === null) {
      this.#early.push(bytes);
    } else if (!(this.#plays && isReport(bytes) ? upstream.writeReport(bytes) : upstream.write(bytes))) {
      this.#stuckSince ??= this.#environment.clock.now();
      this.#viewer.pause();
    }
    this.#reader.push(bytes);
  }

  #onRequest(method: string, url: string): void {
    if (method === 'PLAY') {
      this.#plays = true;
      this.#silence.restart();
    } else if (method === 'PAUSE' || method === 'TEARDOWN') {
      this.#plays = false;
    }
    if (this.#hasTarget) return;
    this.#hasTarget = true;
    this.#cancelFirstRequest();
    this.#viewer.pause();
    this.#connect(url).catch((thrown: unknown) => {
      const error = StreamError.from(thrown, 'camera-unreachable', 'The camera cannot be reached.');
      this.close(closeCodeOf(error), error.message);
    });
  }

  async #connect(url: string): Promise<void> {
    const since = this.#environment.clock.now();
    const target = await this.#policy.resolve(parseRtspUrl(url));
    if (!this.#viewer.isOpen) return;
    this.#target = target;
    const upstream = await Upstream.dial(target, this.#upstreamOptions, this.#abort.signal, since);
    if (!this.#viewer.isOpen) {
      upstream.destroy();
      return;
    }
    if (!this.#policy.permits(target, upstream.address)) {
      upstream.destroy();
      throw noLongerAllowed();
    }
    this.#upstream = upstream;
    this.#silence.restart();
    upstream.attach({
      onData: (memory, start, end) => this.#onCameraData(upstream, memory, start, end),
      onDrain: () => {
        this.#stuckSince = null;
        this.#viewer.resume();
      },
      onClose: (error) => {
        this.close(CloseCode.cameraRefused, error?.message ?? 'The camera has closed the connection.');
        this.#end();
      },
    });
    const early = this.#early;
    this.#early = [];
    let isTaken = true;
    for (const bytes of early) isTaken = upstream.write(bytes);
    if (isTaken) this.#viewer.resume();
    else this.#stuckSince = this.#environment.clock.now();
  }

  #onCameraData(upstream: Upstream, memory: Buffer, start: number, end: number): number {
    if (this.#viewer.sendFrom(memory, start, end)) upstream.retain();
    if (this.#viewer.isBackedUp) upstream.pause();
    return 0;
  }

  #onViewerClose(): void {
    this.#cancelFirstRequest();
    this.#abort.abort();
    this.#reader.close();
    this.#early = [];
    if (this.#upstream === null) {
      this.#end();
      return;
    }
    // What the viewer said last, a TEARDOWN most likely, still goes out.
    this.#upstream.end();
  }
}

function noLongerAllowed(): StreamError {
  return new StreamError('forbidden', "This proxy's allowlist does not have the target any more.");
}

/** Whether a message of the viewer's looks like RTCP in its frame (RFC 2326, 10.12): bytes that may wait a moment. */
function isReport(bytes: Uint8Array): boolean {
  return bytes[0] === DOLLAR && looksLikeRtcp(bytes.subarray(INTERLEAVED_HEADER_BYTES));
}
