import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { seededRandom } from './statistics.js';

/**
 * A bad network between camera and proxy, at the level of RTP over RTSP (RFC 2326, 10.12): each access unit is held back
 * at random, order is kept, everything stands still at times; the sound can be late, stop or be left out.
 */
export interface Impairment {
  /** Each access unit is delayed by a random time up to this, ms, and never overtakes. */
  jitterMs?: number;
  /** Nothing passes for `forMs` in every `everyMs`, ms. */
  stall?: { everyMs: number; forMs: number };
  /** What happens to the second medium of the session. */
  sound?: 'stops' | 'late' | 'never';
  /** From a connection's first sound to its stop, ms. */
  soundStopsAfterMs?: number;
}

export interface ImpairedNetwork {
  readonly port: number;
  /** Wall-clock ms at which the stalls since the last connection's start ended. */
  readonly stallEnds: readonly number[];
  stop(): Promise<void>;
}

const SOUND_LATE_MS = 300;
const SOUND_STOPS_FOR_MS = 3_000;

/** Starts a relay on a free port of 127.0.0.1 to a camera's port there; each connection is delayed by the same numbers. */
export async function startImpairedNetwork(cameraPort: number, impairment: Impairment): Promise<ImpairedNetwork> {
  const sockets = new Set<Socket>();
  let stallEnds: number[] = [];
  const server = createServer((viewer) => {
    const camera = connect(cameraPort, '127.0.0.1');
    for (const socket of [viewer, camera]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        viewer.destroy();
        camera.destroy();
      });
    }
    viewer.on('data', (chunk) => camera.write(chunk));
    stallEnds = [];
    const wire = new DelayedWire(impairment, (bytes) => !viewer.destroyed && viewer.write(bytes), stallEnds);
    camera.on('data', (chunk) => wire.push(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get stallEnds() {
      return stallEnds;
    },
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** One connection's way from the camera. */
class DelayedWire {
  readonly #impairment: Impairment;
  readonly #stallEnds: number[];
  readonly #random = seededRandom(20_11_23);
  readonly #inOrder: Lane;
  readonly #lateSound: Lane;
  readonly #unitDelays = new Map<number, { timestamp: number; delayMs: number }>();
  readonly #startMs = performance.now();
  #rest = Buffer.alloc(0);
  #firstSoundMs = Number.NaN;

  constructor(impairment: Impairment, send: (bytes: Uint8Array) => void, stallEnds: number[]) {
    this.#impairment = impairment;
    this.#inOrder = new Lane(send);
    this.#lateSound = new Lane(send);
    this.#stallEnds = stallEnds;
  }

  push(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length > 0) {
      const length = unitLength(bytes);
      if (length === null || length > bytes.length) break;
      this.#pass(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    this.#rest = Buffer.from(bytes);
  }

  #pass(unit: Buffer): void {
    const now = performance.now();
    const channel = unit[0] === 0x24 ? (unit[1] ?? 0) : -1;
    const isSound = channel >> 1 === 1;
    if (isSound) {
      if (Number.isNaN(this.#firstSoundMs)) this.#firstSoundMs = now;
      if (this.#leavesSoundOut(now)) return;
    }
    if (isSound && this.#impairment.sound === 'late') {
      // Whole frames may overtake: it is the camera that is late with them, not the wire.
      this.#lateSound.push(unit, this.#afterStall(now + SOUND_LATE_MS));
      return;
    }
    const delayMs = channel >= 0 && channel % 2 === 0 ? this.#unitDelay(channel, unit.readUInt32BE(8)) : 0;
    this.#inOrder.push(unit, this.#afterStall(now + delayMs));
  }

  #leavesSoundOut(now: number): boolean {
    const { sound, soundStopsAfterMs = 0 } = this.#impairment;
    const since = now - this.#firstSoundMs - soundStopsAfterMs;
    return sound === 'never' || (sound === 'stops' && since >= 0 && since < SOUND_STOPS_FOR_MS);
  }

  /** The packets of an access unit share their time stamp and their fate. */
  #unitDelay(channel: number, timestamp: number): number {
    const { jitterMs = 0 } = this.#impairment;
    const last = this.#unitDelays.get(channel);
    if (last?.timestamp === timestamp) return last.delayMs;
    const delayMs = this.#random() * jitterMs;
    this.#unitDelays.set(channel, { timestamp, delayMs });
    return delayMs;
  }

  /** The due time, or the end of the stall that it falls into. */
  #afterStall(due: number): number {
    const { stall } = this.#impairment;
    if (stall === undefined) return due;
    const since = due - this.#startMs;
    const start = Math.floor(since / stall.everyMs) * stall.everyMs;
    if (start === 0 || since - start >= stall.forMs) return due;
    const end = this.#startMs + start + stall.forMs;
    const endMs = Math.round(performance.timeOrigin + end);
    if (this.#stallEnds.at(-1) !== endMs) this.#stallEnds.push(endMs);
    return end;
  }
}

/** Units that leave in the order in which they came, none before it is due. */
class Lane {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #queue: { unit: Uint8Array; due: number }[] = [];
  #lastDue = 0;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** @param wanted - on performance.now()'s clock */
  push(unit: Uint8Array, wanted: number): void {
    this.#lastDue = Math.max(this.#lastDue, wanted);
    this.#queue.push({ unit, due: this.#lastDue });
    if (this.#queue.length === 1) this.#run();
  }

  #run(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const waitMs = next.due - performance.now();
      if (waitMs > 0) {
        setTimeout(() => this.#run(), waitMs);
        return;
      }
      this.#queue.shift();
      this.#send(next.unit);
    }
  }
}

/** Length of the interleaved frame or RTSP message at the start, or null while it cannot be told. */
function unitLength(bytes: Buffer): number | null {
  if (bytes[0] === 0x24) return bytes.length < 4 ? null : 4 + bytes.readUInt16BE(2);
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [, bodyLength = '0'] = /^content-length:\s*(\d+)/im.exec(bytes.toString('latin1', 0, end)) ?? [];
  return end + 4 + Number(bodyLength);
}
