/**
 * What the proxy does, as Prometheus reads it (text format 0.0.4), by prom-client. Nothing is counted twice: each value is
 * read from the proxy's own books when somebody asks.
 */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RtspProxy } from './proxy.js';

/** What Prometheus asks for. */
export interface MetricsSource {
  /** Of the response that carries `text()`. */
  readonly contentType: string;
  text(): Promise<string>;
}

/** The numbers of one process at one moment, as plain data. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/** How the values of several processes become one. */
type Sum = 'sum' | 'min' | 'max';

/** Upper bounds of connect times, seconds: a camera next door, one behind a slow link, one that is about to be given up. */
const CONNECT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

const LAST_RELOAD = {
  name: 'rtsp_proxy_config_last_reload_successful',
  help: 'Whether the settings last read are in force.',
  aggregator: 'min',
} as const;
const LOST_LOG_LINES = { name: 'rtsp_proxy_lost_log_lines_total', help: 'Lines of the log that could not be written.' };

export class Metrics implements MetricsSource {
  readonly #registry = new Registry();
  readonly #connectSeconds: Histogram;

  /**
   * @param lostLogLines - how many lines of the log could not be written so far
   * @param areSettingsCurrent - whether the settings last read are in force
   */
  constructor(
    source: Pick<RtspProxy, 'stats' | 'cameraStates' | 'isReady'>,
    lostLogLines: () => number = () => 0,
    areSettingsCurrent: () => boolean = () => true,
  ) {
    collectDefaultMetrics({ register: this.#registry });
    const { name, help, aggregator } = LAST_RELOAD;
    this.#gauge(name, help, [], (set) => set({}, areSettingsCurrent() ? 1 : 0), aggregator);
    const ready = 'Whether new viewers are let in.';
    this.#gauge('rtsp_proxy_ready', ready, [], (set) => set({}, source.isReady ? 1 : 0), 'min');
    this.#gauge('rtsp_proxy_viewers', 'Viewers at present.', ['kind'], (set) => {
      const { tunnels, cameraSessions } = source.stats();
      set({ kind: 'tunnel' }, tunnels);
      set({ kind: 'camera' }, cameraSessions);
    });
    this.#gauge('rtsp_proxy_camera_viewers', 'Viewers of a camera at present.', ['camera', 'stream'], (set) => {
      for (const { camera, stream, viewers } of source.cameraStates()) set({ camera, stream }, viewers);
    });
    const up = 'Whether a camera answered when last asked.';
    const setUp = (set: SetValue): void => {
      for (const { camera, stream, answers } of source.cameraStates()) {
        if (answers !== null) set({ camera, stream }, answers ? 1 : 0);
      }
    };
    this.#gauge('rtsp_proxy_camera_up', up, ['camera', 'stream'], setUp, 'max');
    this.#counter('rtsp_proxy_viewers_total', 'Viewers so far, those refused included.', [], (set) =>
      set({}, source.stats().viewers),
    );
    this.#counter('rtsp_proxy_closed_total', 'Viewers that the proxy closed, by close code.', ['code'], (set) => {
      for (const [code, count] of Object.entries(source.stats().closed)) set({ code }, count);
    });
    this.#counter('rtsp_proxy_refusals_total', 'Viewers turned away, by the reason.', ['reason'], (set) => {
      for (const [reason, count] of Object.entries(source.stats().refusals)) set({ reason }, count);
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
    this.#counter(LOST_LOG_LINES.name, LOST_LOG_LINES.help, [], (set) => set({}, lostLogLines()));
    this.#connectSeconds = new Histogram({
      name: 'rtsp_proxy_camera_connect_seconds',
      help: 'Time to a connection with a camera.',
      buckets: CONNECT_SECONDS,
      registers: [this.#registry],
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** For `SummedMetrics`. */
  async snapshot(): Promise<MetricsSnapshot> {
    const metrics = await this.#registry.getMetricsAsJSON();
    // The mean of a process that stands still and of its idle neighbours would look healthy.
    const isLag = (name: string): boolean => name.startsWith('nodejs_eventloop_lag') && !name.endsWith('_min_seconds');
    return metrics.map((metric) => (isLag(metric.name) ? { ...metric, aggregator: 'max' } : metric));
  }

  onCameraConnected(seconds: number): void {
    this.#connectSeconds.observe(seconds);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: (set: SetValue) => void,
    aggregator: Sum = 'sum',
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      aggregator,
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

export interface SummedMetricsOptions {
  /** Asks all workers for their numbers, which then go to `take`; returns the ids of those that were asked. */
  ask(): readonly number[];
  timeoutMs: number;
  /** How many workers there are just now. */
  workers(): number;
  /** Workers that were started in the place of others, so far. */
  restarts(): number;
  /** Lines of the log that this process could not write so far, its own and the workers'. */
  lostLogLines(): number;
  /** Whether this process could use the settings that it read last. */
  areSettingsCurrent(): boolean;
}

/** Of all workers together. What ended workers have counted stays in: a counter that fell would look like a rush of events. */
export class SummedMetrics implements MetricsSource {
  readonly #options: SummedMetricsOptions;
  readonly #registry = new Registry();
  readonly #latest = new Map<number, MetricsSnapshot>();
  /** The sum of those that have ended. */
  #ended: Promise<MetricsSnapshot> = Promise.resolve([]);
  /** Those that have not answered yet. */
  readonly #awaited = new Set<number>();
  #onAnswers: () => void = () => {};
  #asking: Promise<void> | null = null;

  constructor(options: SummedMetricsOptions) {
    this.#options = options;
    new Gauge({
      name: 'rtsp_proxy_workers',
      help: 'Worker processes at present.',
      registers: [this.#registry],
      collect() {
        this.set(options.workers());
      },
    });
    new Counter({
      name: 'rtsp_proxy_worker_restarts_total',
      help: 'Workers started in the place of others that had ended.',
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(options.restarts());
      },
    });
    new Gauge({
      ...LAST_RELOAD,
      registers: [this.#registry],
      collect() {
        this.set(options.areSettingsCurrent() ? 1 : 0);
      },
    });
    new Counter({
      ...LOST_LOG_LINES,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(options.lostLogLines());
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  take(worker: number, snapshot: MetricsSnapshot): void {
    this.#latest.set(worker, snapshot);
    this.#settle(worker);
  }

  /** The worker has ended. */
  leave(worker: number): void {
    const counted = this.#latest.get(worker)?.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));
    this.#latest.delete(worker);
    this.#settle(worker);
    if (counted !== undefined) this.#ended = this.#ended.then((ended) => added(ended, counted));
  }

  async text(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    await this.#asking;
    const own = await this.#registry.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([own, await this.#ended, ...this.#latest.values()]).metrics();
  }

  /** Resolves when all have answered; of one that is too busy for that, its last numbers count. */
  async #ask(): Promise<void> {
    for (const worker of this.#options.ask()) this.#awaited.add(worker);
    if (this.#awaited.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onAnswers = resolve;
      timer = setTimeout(resolve, this.#options.timeoutMs);
    });
    clearTimeout(timer);
    this.#awaited.clear();
  }

  #settle(worker: number): void {
    if (this.#awaited.delete(worker) && this.#awaited.size === 0) this.#onAnswers();
  }
}

async function added(one: MetricsSnapshot, other: MetricsSnapshot): Promise<MetricsSnapshot> {
  return await AggregatorRegistry.aggregate([one, other]).getMetricsAsJSON();
}
