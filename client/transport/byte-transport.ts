import type { StreamError } from '../../shared/errors.js';

/** Called by a transport, synchronously, as things happen. */
export interface ByteTransportHandlers {
  /** Bytes from the other end, in order, at any chunking. The receiver may keep views of them; they are never reused. */
  onData(bytes: Uint8Array): void;
  /**
   * The connection has ended, once, after a successful `open()` only. `error` is null when this end closed it.
   */
  onClose(error: StreamError | null): void;
}

/** A bidirectional byte stream to a camera, whatever carries it. Made for one connection; a new one takes a new object. */
export interface ByteTransport {
  /**
   * Connects. Rejects with a StreamError (connection-failed, timeout, aborted, a proxy's close code, …); then the
   * transport is closed already.
   */
  open(handlers: ByteTransportHandlers, signal?: AbortSignal): Promise<void>;
  /** Queues bytes to be sent; ignored after the end. The bytes must not be changed afterwards. */
  send(bytes: Uint8Array): void;
  /** Ends the connection; may be called at any time and twice. */
  close(): void;
}
