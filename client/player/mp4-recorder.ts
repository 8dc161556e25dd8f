import { StreamError } from '../../shared/errors.js';
import { Mp4FileWriter } from '../fmp4/muxer.js';
import { Receiver, type ReceiverOptions } from './receiver.js';
import { Watchdog } from './watchdog.js';

/** A camera → an MP4 file, without a page: everything that the player does up to the browser's door. */

export interface Mp4RecorderHandlers {
  /** The file's next bytes, in order; they are the handler's to keep. */
  onBytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** A track that cannot go on in this file; the others do. */
  onWarning?(error: StreamError): void;
}

export class Mp4Recorder {
  readonly #receiver: Receiver;
  readonly #watchdog: Watchdog;
  #writer: Mp4FileWriter | null = null;
  #settle: ((error: StreamError | null) => void) | null = null;

  constructor(options: ReceiverOptions, handlers: Mp4RecorderHandlers) {
    this.#watchdog = new Watchdog(options.clock, (silentMs) => {
      const seconds = Math.round(silentMs / 100) / 10;
      this.#settle?.(new StreamError('no-data', `The camera has sent nothing for ${seconds} seconds.`));
    });
    this.#receiver = new Receiver(options, {
      onTracks: (tracks) => {
        const fileTracks = tracks.map(({ format }, index) => ({ trackId: index + 1, timescale: format.clockRate }));
        let left = tracks.length;
        this.#writer = new Mp4FileWriter(fileTracks, {
          onBytes: (bytes) => handlers.onBytes(bytes),
          onError: (error) => {
            handlers.onWarning?.(error);
            left--;
            if (left === 0) this.#settle?.(error);
          },
        });
      },
      onPacket: () => this.#watchdog.onPacket(),
      onAccessUnit: (track, unit, time) => {
        this.#watchdog.onFrame(time);
        const index = this.#receiver.tracks.indexOf(track);
        this.#writer?.push(index, unit, Math.max(0, Math.round(time * track.format.clockRate)));
      },
      onEnd: () => this.#settle?.(null),
      onClose: (error) => this.#settle?.(error ?? new StreamError('connection-closed', 'The connection was closed.')),
    });
  }

  /**
   * Records until the camera ends the stream, or until the signal; the file is whole in either case. Rejects with a
   * StreamError when the camera cannot be played, falls silent, none of its tracks can go on in the file, or the connection
   * breaks; what was written up to then can be played.
   */
  async record(signal?: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === null ? resolve() : reject(error));
    });
    ended.catch(() => undefined);
    const stop = () => this.#settle?.(null);
    await this.#receiver.start(signal);
    this.#watchdog.start();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    try {
      await ended;
    } finally {
      this.#watchdog.stop();
      signal?.removeEventListener('abort', stop);
      this.#writer?.finish();
      await this.#receiver.teardown();
    }
  }
}
