import { createHash } from 'node:crypto';
import type { AccessUnit } from '../../client/codec/access-unit.js';
import { sampleEntryOf } from '../../client/fmp4/sample-entry.js';
import { Mp4SegmentWriter } from '../../client/fmp4/segment-writer.js';
import { MediaPosition } from '../../client/player/media-position.js';
import type { MediaRange } from '../../client/player/media-range.js';
import { Mp4Recorder } from '../../client/player/mp4-recorder.js';
import { paceOf } from '../../client/player/pace.js';
import { Receiver } from '../../client/player/receiver.js';
import type { TrackReceiver } from '../../client/player/track-receiver.js';
import type { ByteTransport, ByteTransportHandlers } from '../../client/transport/byte-transport.js';
import { WebmSegmentWriter } from '../../client/webm/segment-writer.js';
import type { Clock } from '../../shared/clock.js';
import { StreamError } from '../../shared/errors.js';
import { ManualClock, settle } from '../proxy/manual-clock.js';
import type { Action, FuzzCase, Mode, Step } from './fuzz-case.js';

/**
 * Plays a case to the client without a page, over a transport in memory and by a clock of its own, and tells what went
 * wrong. Meant to be bundled (see bundle.ts): then code that is loaded later is there at once, and two runs are alike.
 */

/** The synchronous work that one chunk, timer or turn of the event loop may take. */
export const MAX_SYNCHRONOUS_MS = 100;
/** Memory that may be held when the camera has spoken: the incomplete message, the access unit, the early packets. */
const MAX_RETAINED_BYTES = 48 * 1_048_576;
/** What may be written for a byte received (a picture of a few bytes gets headers), and beside that. */
const MAX_OUTPUT_FACTOR = 100;
const MAX_OUTPUT_BYTES = 4 * 1_048_576;
/** How long a request, a reconnection or silence may keep anything waiting, all of them in a row. */
const PATIENCE_MS = 900_000;
const PATIENCE_STEP_MS = 30_000;

export type FailureKind = 'exception' | 'rejection' | 'hang' | 'unsettled' | 'timer' | 'memory' | 'output';

export interface Failure {
  readonly kind: FailureKind;
  /** The same for the same fault: what minimising goes by. */
  readonly what: string;
  readonly detail: string;
}

export interface Outcome {
  readonly failures: readonly Failure[];
  /** All that an application can see, in order, by the source that it comes from. */
  readonly observed: Readonly<Record<string, readonly string[]>>;
  /** Whether media came out. */
  readonly units: number;
}

/** Lengths of the chunks that a step's bytes come in: asked for one after the other. */
export type Chunking = (bytesLeft: number) => number;

export async function playCase(testCase: FuzzCase, chunking: Chunking): Promise<Outcome> {
  const stage = new Stage(testCase.mode);
  const onRejection = (reason: unknown) => stage.fail('rejection', reason);
  const onException = (error: unknown) => stage.fail('exception', error);
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  try {
    await stage.play(testCase, chunking);
    await settle();
  } finally {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  }
  return { failures: stage.failures, observed: stage.observed(), units: stage.units };
}

class Stage {
  readonly failures: Failure[] = [];
  units = 0;
  readonly #mode: Mode;
  readonly #clock = new ManualClock();
  readonly #transport = new CaseTransport();
  readonly #abort = new AbortController();
  readonly #events: string[] = [];
  readonly #digest = createHash('md5');
  #outputBytes = 0;
  #longestMs = 0;
  #timersRun = 0;
  /** Promises of the client that have not settled, by what they are for. */
  readonly #open = new Map<string, number>();
  #receiver: Receiver | null = null;
  #position: MediaPosition | null = null;

  constructor(mode: Mode) {
    this.#mode = mode;
  }

  async play({ steps, end }: FuzzCase, chunking: Chunking): Promise<void> {
    const before = heapBytes();
    if (this.#mode === 'record') this.#record();
    else this.#receive();
    await this.#settle();
    for (const step of steps) {
      if (this.#transport.isClosed || this.failures.length > 0) break;
      await this.#playStep(step, chunking);
    }
    this.#checkMemory(before, steps);
    this.#act(end === 'silence' || end === 'close' ? 'none' : end);
    if (end === 'close') this.#timed(() => this.#transport.breakOff());
    await this.#settle();
    await this.#wait();
    this.#close();
    await this.#settle();
    for (const what of this.#open.keys()) this.#note('unsettled', what, `${what} has not settled`);
    const { pending } = this.#clock;
    if (pending > 0) this.#note('timer', 'a timer is left', `${pending} timers are left after the end`);
    if (this.#longestMs > MAX_SYNCHRONOUS_MS) {
      this.#note('hang', 'synchronous work', `${Math.round(this.#longestMs)} ms of synchronous work`);
    }
    const received = steps.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (this.#outputBytes > MAX_OUTPUT_FACTOR * received + MAX_OUTPUT_BYTES) {
      this.#note('output', 'too much output', `${this.#outputBytes} bytes were written for ${received}`);
    }
  }

  fail(kind: 'exception' | 'rejection', thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#note(kind, `${error.name}: ${error.message}`, error.stack ?? String(error));
  }

  observed(): Record<string, string[]> {
    return {
      events: this.#events,
      requests: this.#transport.requests,
      output: [`${this.#outputBytes} bytes`, this.#digest.digest('hex')],
    };
  }

  #note(kind: FailureKind, what: string, detail: string): void {
    this.failures.push({ kind, what, detail });
  }

  async #playStep(step: Step, chunking: Chunking): Promise<void> {
    if (step.afterMs > 0) await this.#advance(step.afterMs);
    this.#act(step.action);
    await this.#settle();
    // All of a step comes at one moment: else what a response sets off could come before or after the bytes behind it.
    for (let position = 0; position < step.bytes.length; ) {
      const length = Math.max(1, Math.min(chunking(step.bytes.length - position), step.bytes.length - position));
      const chunk = step.bytes.slice(position, position + length);
      this.#timed(() => this.#transport.deliver(chunk));
      position += length;
    }
    await this.#settle();
  }

  #record(): void {
    const recorder = new Mp4Recorder(this.#receiverOptions(), {
      onBytes: (bytes) => this.#write(bytes),
      onWarning: (error) => this.#event(`warning ${error.code}`),
    });
    this.#watch('record', recorder.record(this.#abort.signal));
  }

  #receive(): void {
    const outlets = new Map<TrackReceiver, Outlet>();
    const receiver = new Receiver(this.#receiverOptions(), {
      onDescription: (range) => this.#onDescription(range),
      onTracks: (tracks) => {
        for (const track of tracks) outlets.set(track, new Outlet(outlets.size + 1, (bytes) => this.#write(bytes)));
        const configs = tracks.map(({ format, announcedConfig }) => `${format.encodingName} ${announcedConfig?.codec}`);
        this.#event(`tracks ${configs.join(', ')}`);
      },
      onPosition: () => this.#event('position'),
      onAccessUnit: (track, unit, time) => {
        this.units++;
        if (!Number.isFinite(time)) throw new Error(`A unit at ${time} s.`);
        this.#event(`unit ${track.kind} ${time.toFixed(6)} ${receiver.utcAt(time)?.toFixed(3)} ${describeUnit(unit)}`);
        outlets.get(track)?.push(track, unit);
      },
      onEnd: () => this.#event('end'),
      onClose: (error) => this.#event(`close ${error?.code}`),
    });
    this.#receiver = receiver;
    this.#watch('start', receiver.start(this.#abort.signal));
  }

  #receiverOptions() {
    return {
      transport: this.#transport,
      url: 'rtsp://viewer:secret@camera.test/stream',
      clock: this.#timedClock(),
    };
  }

  #onDescription(range: MediaRange | null): Promise<MediaPosition> | undefined {
    this.#event(`range ${range?.start} ${range?.end}`);
    if (this.#mode !== 'stored') return undefined;
    this.#position = new MediaPosition(range ?? { start: 0, end: 60, utc: null, counts: 'npt' }, null);
    return Promise.resolve(this.#position);
  }

  #act(action: Action): void {
    if (action === 'none') return;
    const receiver = this.#receiver;
    this.#timed(() => {
      if (action === 'abort') this.#abort.abort();
      else if (receiver === null) return;
      else if (action === 'pause') this.#watch(action, receiver.pause());
      else if (action === 'resume') this.#watch(action, receiver.resume());
      else if (action === 'options') this.#watch(action, receiver.session.options());
      else if (action === 'parameter') this.#watch(action, receiver.session.getParameter(['position']));
      else if (action === 'teardown') this.#watch(action, receiver.teardown());
      else {
        this.#position?.ask(12.5, paceOf(2, false));
        this.#watch(action, receiver.play());
      }
    });
  }

  #watch(what: string, promise: Promise<unknown>): void {
    const count = (step: number) => {
      const open = (this.#open.get(what) ?? 0) + step;
      if (open > 0) this.#open.set(what, open);
      else this.#open.delete(what);
    };
    count(1);
    promise.then(
      () => {
        count(-1);
        this.#event(`${what} done`);
      },
      (thrown) => {
        count(-1);
        this.#event(`${what} ${thrown instanceof StreamError ? `${thrown.code} ${thrown.message}` : 'foreign'}`);
        this.#checkError(thrown);
      },
    );
  }

  /** A fault of the code must not pass for one of the camera. */
  #checkError(thrown: unknown): void {
    for (let error = thrown; error instanceof Error; error = error.cause) {
      if (!(error instanceof StreamError) && error.name !== 'AbortError') this.fail('exception', error);
      if (error.message.includes('secret')) this.fail('exception', new Error('An error tells the password.'));
    }
    if (!(thrown instanceof StreamError)) this.fail('exception', thrown);
  }

  /** Lets time pass until everything has settled that will. */
  async #wait(): Promise<void> {
    for (let waited = 0; waited < PATIENCE_MS && this.failures.length === 0; waited += PATIENCE_STEP_MS) {
      const isPlaying = this.#receiver !== null && !this.#transport.isClosed;
      // What plays goes on for as long as its application wants.
      if (isPlaying && this.#open.size === 0) {
        this.#event(`stats ${JSON.stringify(this.#receiver?.tracks.map((track) => track.stats()))}`);
        this.#act('teardown');
      }
      if (this.#open.size === 0 && !isPlaying) return;
      await this.#advance(PATIENCE_STEP_MS);
    }
  }

  /** Twice, since that is allowed; and the transport goes with it. */
  #close(): void {
    if (this.#receiver === null) return;
    const { resyncs, skippedBytes, strayPackets, droppedPackets } = this.#receiver.session.stats;
    this.#event(`session ${resyncs} ${skippedBytes} ${strayPackets} ${droppedPackets}`);
    this.#receiver.close();
    this.#receiver.close();
    if (!this.#transport.isClosed) this.#note('unsettled', 'transport', 'the transport is still open');
  }

  async #advance(ms: number): Promise<void> {
    const started = performance.now();
    const before = this.#timersRun;
    await this.#clock.advance(ms);
    // The average: turns of the event loop lie between the timers.
    this.#notice((performance.now() - started) / (1 + this.#timersRun - before));
  }

  #timedClock(): Clock {
    const clock = this.#clock;
    return {
      now: () => clock.now(),
      utc: () => clock.utc(),
      schedule: (delayMs, callback) => {
        if (!(delayMs >= 0 && delayMs < 2 ** 31)) this.fail('exception', new Error(`A timer of ${delayMs} ms.`));
        return clock.schedule(delayMs, () => {
          this.#timersRun++;
          this.#timed(callback);
        });
      },
    };
  }

  #timed(action: () => void): void {
    const started = performance.now();
    try {
      action();
    } catch (thrown) {
      this.fail('exception', thrown);
    }
    this.#notice(performance.now() - started);
  }

  async #settle(): Promise<void> {
    const started = performance.now();
    await settle();
    this.#notice(performance.now() - started);
  }

  #notice(ms: number): void {
    this.#longestMs = Math.max(this.#longestMs, ms);
  }

  #event(text: string): void {
    this.#events.push(text);
  }

  #write(bytes: Uint8Array): void {
    this.#outputBytes += bytes.length;
    this.#digest.update(bytes);
    if (this.#mode === 'record') this.units++;
  }

  #checkMemory(before: number, steps: readonly Step[]): void {
    const received = steps.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const allowed = before + MAX_RETAINED_BYTES + 4 * received;
    if (heapBytes() <= allowed || globalThis.gc === undefined) return;
    globalThis.gc();
    const after = heapBytes();
    if (after <= allowed) return;
    const megabytes = Math.round((after - before) / 1_048_576);
    this.#note('memory', 'memory', `${megabytes} MB are held after ${received} bytes`);
  }
}

/** Units of one track → segments, as the page's sinks write them. */
class Outlet {
  readonly #trackId: number;
  readonly #onBytes: (bytes: Uint8Array) => void;
  #writer: Mp4SegmentWriter | WebmSegmentWriter | null = null;

  constructor(trackId: number, onBytes: (bytes: Uint8Array) => void) {
    this.#trackId = trackId;
    this.#onBytes = onBytes;
  }

  push(track: TrackReceiver, unit: AccessUnit): void {
    const { config } = unit;
    if (config !== null) {
      if (config.sampleEntry === 'jpeg') this.#writer = null;
      else if (config.sampleEntry === 'vp08') this.#writer = new WebmSegmentWriter(this.#trackId);
      else if (!(this.#writer instanceof Mp4SegmentWriter)) this.#writer = new Mp4SegmentWriter(this.#trackId);
      if (this.#writer !== null) {
        const entry = this.#writer instanceof Mp4SegmentWriter ? sampleEntryOf(config) : new Uint8Array();
        this.#onBytes(this.#writer.init(config, track.format.clockRate, entry));
      }
    }
    const decodeTime = Math.max(0, unit.decodeTime);
    const sample = { unit, decodeTime, presentationTime: Math.max(0, unit.presentationTime), duration: 90_000 };
    if (this.#writer === null) for (const piece of unit.pieces) this.#onBytes(piece);
    else this.#onBytes(this.#writer.fragment([sample]));
  }
}

function describeUnit({ presentationTime, decodeTime, isKeyFrame, byteLength, pieces, config }: AccessUnit): string {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (length !== byteLength) throw new Error(`An access unit of ${length} bytes says that it has ${byteLength}.`);
  if (!Number.isFinite(presentationTime) || !Number.isFinite(decodeTime))
    throw new Error('An access unit without time.');
  return `${presentationTime} ${decodeTime} ${isKeyFrame} ${byteLength} ${config?.codec}`;
}

function heapBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A connection that is there at once; what the client sends is noted, its credentials and receiver reports apart. */
class CaseTransport implements ByteTransport {
  readonly requests: string[] = [];
  isClosed = false;
  #handlers: ByteTransportHandlers | null = null;

  open(handlers: ByteTransportHandlers): Promise<void> {
    this.#handlers = handlers;
    return Promise.resolve();
  }

  send(bytes: Uint8Array): void {
    if (this.isClosed || bytes[0] === 0x24) return;
    const text = Buffer.from(bytes).toString('latin1');
    if (text.includes('secret')) throw new Error('A request tells the password.');
    this.requests.push(text.slice(0, text.indexOf('\r\n')));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#handlers?.onClose(null);
  }

  deliver(bytes: Uint8Array): void {
    if (!this.isClosed) this.#handlers?.onData(bytes);
  }

  breakOff(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#handlers?.onClose(new StreamError('connection-closed', 'The connection has ended.'));
  }
}

/** The same bytes in other chunks must not make a difference; null when they do not. */
export function difference(first: Outcome, second: Outcome): string | null {
  for (const [source, lines] of Object.entries(first.observed)) {
    const others = second.observed[source] ?? [];
    for (let index = 0; index < Math.max(lines.length, others.length); index++) {
      if (lines[index] !== others[index]) return `${source} ${index}: ${lines[index]} | ${others[index]}`;
    }
  }
  return null;
}
