/**
 * What the proxy does, as Prometheus reads it (text format 0.0.4), by prom-client. Nothing is counted twice: each value is
 * read from the proxy's own books when somebody asks.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RtspProxy } from './proxy.js';

/** Upper bounds of connect times, seconds: a camera next door, one behind a slow link, one that is about to be given up. */
const CONNECT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class Metrics {
  readonly #registry = new Registry();
  readonly #connectSeconds: Histogram;

  constructor(source: Pick<RtspProxy, 'stats' | 'cameraStates' | 'isReady'>) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('rtsp_proxy_ready', 'Whether new viewers are let in.', [], (set) => set({}, source.isReady ? 1 : 0));
    this.#gauge('rtsp_proxy_viewers', 'Viewers at present.', ['kind'], (set) => {
      const { tunnels, cameraSessions } = source.stats();
      set({ kind: 'tunnel' }, tunnels);
      set({ kind: 'camera' }, cameraSessions);
    });
    this.#gauge('rtsp_proxy_camera_viewers', 'Viewers of a camera at present.', ['camera', 'stream'], (set) => {
      for (const { camera, stream, viewers } of source.cameraStates()) set({ camera, stream }, viewers);
    });
    this.#gauge('rtsp_proxy_camera_up', 'Whether a camera answered when last asked.', ['camera', 'stream'], (set) => {
      for (const { camera, stream, answers } of source.cameraStates()) {
        if (answers !== null) set({ camera, stream }, answers ? 1 : 0);
      }
    });
    this.#counter('rtsp_proxy_viewers_total', 'Viewers so far, those refused included.', [], (set) =>
      set({}, source.stats().viewers),
    );
    this.#counter('rtsp_proxy_closed_total', 'Viewers that the proxy closed, by close code.', ['code'], (set) => {
      for (const [code, count] of Object.entries(source.stats().closed)) set({ code }, count);
    });
    this.#counter('rtsp_proxy_bytes_total', 'Bytes carried.', ['direction'], (set) => {
      const { bytesToViewers, bytesFromViewers } = source.stats();
      set({ direction: 'to_viewers' }, bytesToViewers);
      set({ direction: 'from_viewers' }, bytesFromViewers);
    });
    this.#counter('rtsp_proxy_dropped_frames_total', 'Frames that slow viewers did not get.', [], (set) =>
      set({}, source.stats().droppedFrames),
    );
    this.#counter('rtsp_proxy_rejected_frames_total', "Viewers' frames for channels not theirs.", [], (set) =>
      set({}, source.stats().rejectedFrames),
    );
    this.#connectSeconds = new Histogram({
      name: 'rtsp_proxy_camera_connect_seconds',
      help: 'Time to a connection with a camera.',
      buckets: CONNECT_SECONDS,
      registers: [this.#registry],
    });
  }

  /** Of the response that carries `text()`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  onCameraConnected(seconds: number): void {
    this.#connectSeconds.observe(seconds);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, labelNames: string[], read: (set: SetValue) => void): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, value) => this.set(labels, value));
      },
    });
  }

  #counter(name: string, help: string, labelNames: string[], read: (set: SetValue) => void): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, value) => this.inc(labels, value));
      },
    });
  }
}

type SetValue = (labels: Record<string, string>, value: number) => void;
