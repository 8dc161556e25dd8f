/**
 * A checked target → one TCP or TLS connection to it, with a time-out and its failures in words. Reads go into one buffer
 * that is used again and again: at many viewers, allocating one per read is a fifth of the proxy's whole cost.
 */
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Clock } from '../shared/clock.js';
import { StreamError } from '../shared/errors.js';
import { MESSAGE_HEAD_BYTES, TEARDOWN_TIMEOUT_MS, UPSTREAM_BUFFER_BYTES } from '../shared/limits.js';
import type { UpstreamTarget } from './upstream-policy.js';

/** How connections to cameras are made. */
export interface UpstreamOptions {
  clock: Clock;
  /** `connectMs` for a connection, name and TLS included; read anew each time. */
  timeouts: { readonly connectMs: number };
  /** PEM certificates of authorities to trust for rtsps:// instead of the system's. */
  certificateAuthorities?: string | undefined;
  /** SHA-256 of the only certificate that is believed, as capital hexadecimal digits; then nothing else of it is checked. */
  fingerprint?: string | undefined;
}

export interface UpstreamHandlers {
  /**
   * Bytes from the camera: those from `start` to `end` of `memory`. What is before them, `MESSAGE_HEAD_BYTES` at the least,
   * is the handler's to write, and so are they.
   * @param memory - valid until this returns, unless the handler calls `Upstream.retain`
   * @returns how many bytes at the end are to come again, before those of the next read; at most 65,540
   */
  onData(memory: Buffer, start: number, end: number): number;
  /** What was written has gone out, after `write` said that it waits. */
  onDrain(): void;
  /** Once, after it was open. Null when the camera closed it in good order or `destroy` was called. */
  onClose(error: StreamError | null): void;
}

const MEMORY_BYTES = MESSAGE_HEAD_BYTES + UPSTREAM_BUFFER_BYTES;

/** A connection to a camera. Data waits until `handlers` are attached. */
export class Upstream {
  /** Which of the target's it is. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #handlers: UpstreamHandlers | null = null;
  #memory: Buffer = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  /** Bytes behind the room for a head that are to come again; the next read goes behind them. */
  #kept = 0;
  /** Where the socket reads into. */
  #place: Buffer = this.#memory.subarray(MESSAGE_HEAD_BYTES);
  /** Where it is to read into, when that is another place; it asks after each read. */
  #nextPlace: Buffer | null = this.#place;
  #isRetained = false;
  /** What a camera said before anybody listened, behind room for a head. */
  #early: Buffer | null = null;
  #bytesRead = 0;
  #isPaused = false;
  /** A report that goes out with the next bytes, in either direction. */
  #heldReport: Uint8Array | null = null;
  #hasReported = false;
  #error: StreamError | null = null;

  private constructor(target: UpstreamTarget, address: string, options: UpstreamOptions) {
    this.address = address;
    this.#clock = options.clock;
    const common = {
      host: address,
      port: target.port,
      onread: {
        buffer: (): Uint8Array => {
          const next = this.#nextPlace;
          if (next !== null) this.#place = next;
          this.#nextPlace = null;
          // Node takes anything but a buffer for "the same again"; its types do not know that.
          return next as Uint8Array;
        },
        callback: (length: number): boolean => this.#onRead(length),
      },
    };
    this.#socket =
      target.scheme === 'rtsp'
        ? netConnect(common)
        : tlsConnect({
            ...common,
            // Addresses are verified by the certificate's addresses, names also need SNI.
            ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
            ...(options.certificateAuthorities === undefined ? {} : { ca: options.certificateAuthorities }),
            // Then the certificate itself is looked at, before a byte is sent.
            ...(options.fingerprint === undefined ? {} : { rejectUnauthorized: false }),
          });
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, 30_000);
  }

  /**
   * Connects to the first of the target's addresses that answers. Rejects with `camera-refused`, `camera-unreachable` or
   * `certificate-invalid`, or with `aborted`; the sentences do not name the target.
   * @param since - when the attempt began: looking up the name has taken its part of the time
   */
  static async dial(
    target: UpstreamTarget,
    options: UpstreamOptions,
    signal?: AbortSignal,
    since = options.clock.now(),
  ): Promise<Upstream> {
    const { clock, timeouts } = options;
    const deadline = since + timeouts.connectMs;
    let failure: StreamError | null = null;
    for (const [index, address] of target.addresses.entries()) {
      // What is left is shared out evenly, so that one dead address does not use up all of it.
      const timeoutMs = Math.max(0, deadline - clock.now()) / (target.addresses.length - index);
      const upstream = new Upstream(target, address, options);
      try {
        await upstream.#connected(target.scheme, options, timeoutMs, signal);
        if (target.scheme === 'rtsps' && options.fingerprint !== undefined) upstream.#verify(options.fingerprint);
        return upstream;
      } catch (error) {
        upstream.destroy();
        failure = StreamError.from(error, 'camera-unreachable', 'The camera cannot be reached.');
        if (failure.code === 'aborted') break;
      }
    }
    throw failure ?? new StreamError('camera-unreachable', 'The camera has no address.');
  }

  #connected(
    scheme: 'rtsp' | 'rtsps',
    { clock, timeouts: { connectMs } }: UpstreamOptions,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const settle = (error: StreamError | null): void => {
        cancel();
        signal?.removeEventListener('abort', onAbort);
        socket.off('close', onClose);
        if (error === null) resolve();
        else reject(error);
      };
      const cancel = clock.schedule(timeoutMs, () => {
        // Of several addresses, the last one's failure is told, and then all of the time has passed.
        settle(new StreamError('camera-unreachable', `The camera did not answer within ${connectMs} ms.`));
      });
      const onAbort = (): void => settle(new StreamError('aborted', 'Nobody waits for the camera any more.'));
      const onClose = (): void => settle(this.#error ?? new StreamError('camera-refused', 'The camera hung up.'));
      socket.on('error', (error) => {
        this.#error = describe(error);
      });
      socket.once('close', onClose);
      socket.once(scheme === 'rtsp' ? 'connect' : 'secureConnect', () => {
        socket.on('drain', () => this.#handlers?.onDrain());
        socket.on('close', () => this.#handlers?.onClose(this.#error));
        settle(null);
      });
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #verify(fingerprint: string): void {
    const certificate = (this.#socket as TLSSocket).getPeerCertificate();
    // Without a certificate there is an empty object.
    if ((certificate.fingerprint256 ?? '').replaceAll(':', '') === fingerprint) return;
    throw new StreamError(
      'certificate-invalid',
      "The camera's certificate is not the one with the configured fingerprint.",
    );
  }

  /** Starts reading. When the connection has ended in the meantime, `onClose` is called soon. */
  attach(handlers: UpstreamHandlers): void {
    const isFirst = this.#handlers === null;
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = null;
    if (early !== null) this.#keep(handlers.onData(early, MESSAGE_HEAD_BYTES, early.length), early, early.length);
    if (this.#socket.destroyed) {
      queueMicrotask(() => handlers.onClose(this.#error));
    } else if (isFirst && !this.#isPaused) {
      this.#socket.resume();
    }
  }

  /** Sends bytes. False when they wait for the camera to read: `onDrain` follows. */
  write(bytes: Uint8Array): boolean {
    this.#releaseReport();
    return this.#socket.destroyed || this.#socket.write(bytes);
  }

  /**
   * Sends an RTCP packet of the viewer's, in its frame. Of several, the last one goes out with the next bytes from the camera.
   *
   * Linux takes a connection that was written to for a dialogue, and delays its next acknowledgement by 40 ms, so that an
   * answer can carry it. A camera that uses Nagle's algorithm keeps the rest of a frame back for that long: seen as one late
   * frame after each report. An answer to the frame's first bytes carries the acknowledgement.
   * @returns as `write`
   */
  writeReport(bytes: Uint8Array): boolean {
    if (this.#hasReported) {
      const isTaken = this.#releaseReport();
      this.#heldReport = bytes;
      return isTaken;
    }
    this.#hasReported = true;
    return this.write(bytes);
  }

  #releaseReport(): boolean {
    const report = this.#heldReport;
    this.#heldReport = null;
    return report === null || this.#socket.destroyed || this.#socket.write(report);
  }

  /** Bytes that wait for the camera to read. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes from the camera so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Leaves further bytes with the camera until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Hands over once more what the handler wanted to come again, though nothing was read since. */
  deliverAgain(): void {
    if (this.#kept === 0 || this.#handlers === null) return;
    const memory = this.#memory;
    const end = MESSAGE_HEAD_BYTES + this.#kept;
    this.#keep(this.#handlers.onData(memory, MESSAGE_HEAD_BYTES, end), memory, end);
  }

  /** Lets what was written go out and the camera close its side, but not for ever. */
  end(): void {
    if (this.#isPaused) this.resume();
    this.#releaseReport();
    this.#socket.end();
    const cancel = this.#clock.schedule(TEARDOWN_TIMEOUT_MS, () => this.destroy());
    this.#socket.once('close', cancel);
  }

  /** Ends the connection now. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** To be called from inside `onData`: the chunk's memory is still in use when that returns. */
  retain(): void {
    this.#isRetained = true;
  }

  #onRead(length: number): boolean {
    this.#releaseReport();
    this.#hasReported = false;
    this.#bytesRead += length;
    const memory = this.#memory;
    const end = MESSAGE_HEAD_BYTES + this.#kept + length;
    // It was moved behind the socket's back, between two reads.
    if (this.#nextPlace !== null) this.#place.copy(memory, end - length, 0, length);
    if (this.#handlers === null) {
      const read = memory.subarray(this.#early === null ? 0 : MESSAGE_HEAD_BYTES, end);
      this.#early = Buffer.concat(this.#early === null ? [read] : [this.#early, read]);
      return false;
    }
    this.#keep(this.#handlers.onData(memory, MESSAGE_HEAD_BYTES, end), memory, end);
    return !this.#isPaused;
  }

  /** Puts the last bytes before `end` to the beginning of the memory, which is a new one when the old one is in use. */
  #keep(length: number, read: Buffer, end: number): void {
    const hasMoved = this.#isRetained || length !== this.#kept;
    if (this.#isRetained) this.#memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
    if (length > 0) read.copy(this.#memory, MESSAGE_HEAD_BYTES, end - length, end);
    this.#isRetained = false;
    this.#kept = length;
    if (hasMoved) this.#nextPlace = this.#memory.subarray(MESSAGE_HEAD_BYTES + length);
  }
}

const refusals: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** A socket's error in words, without the address. */
function describe(error: NodeJS.ErrnoException): StreamError {
  const code = error.code ?? 'unknown error';
  if (refusals.has(code)) {
    return new StreamError('camera-refused', `The camera refused or reset the connection (${code}).`, { cause: error });
  }
  if (/CERT|ISSUER|SIGNATURE|SELF_SIGNED/.test(code)) {
    return new StreamError('certificate-invalid', `The camera's certificate cannot be verified (${code}).`, {
      cause: error,
    });
  }
  if (/^ERR_(?:SSL|TLS)|^EPROTO/.test(code)) {
    return new StreamError('camera-refused', `The camera does not speak TLS as expected (${code}).`, { cause: error });
  }
  return new StreamError('camera-unreachable', `The camera cannot be reached (${code}).`, { cause: error });
}
