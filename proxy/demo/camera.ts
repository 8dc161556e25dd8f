/**
 * A camera without hardware: an RTSP server (RFC 2326) that shows a bundled clip for ever, its counter telling the second
 * of the minute. RTP goes inside the RTSP connection only. Any RTSP client can use it.
 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type Clock, systemClock } from '../../shared/clock.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import { loadClip } from './clip.js';
import { demoStreams } from './stream.js';
import { Viewer } from './viewer.js';

/** Connections at one time. */
const MAX_VIEWERS = 200;

export interface DemoCameraOptions {
  /** Address to listen on; 127.0.0.1 when absent. */
  host?: string;
  /** 0, or absent: a free one. */
  port?: number;
  clock?: Clock;
  logger?: Logger;
}

export interface DemoCamera {
  /** `rtsp://127.0.0.1:PORT/demo`; with `/sub` behind it, a smaller picture. */
  readonly url: string;
  readonly port: number;
  /** Ends all connections and stops listening. May be called twice. */
  close(): Promise<void>;
}

/** Starts the demo camera; resolves once it listens, rejects when the address cannot be listened on. */
export async function startDemoCamera(options: DemoCameraOptions = {}): Promise<DemoCamera> {
  const { host = '127.0.0.1', clock = systemClock, logger = silentLogger } = options;
  const streams = demoStreams(await loadClip());
  const viewers = new Set<Viewer>();
  const server = createServer((socket) => {
    const onClose = () => {
      viewers.delete(viewer);
      logger.debug('a viewer left the demo camera', { viewers: viewers.size });
    };
    const viewer = new Viewer(socket, { streams, clock, onClose });
    viewers.add(viewer);
    logger.debug('a viewer came to the demo camera', { viewers: viewers.size });
  });
  server.maxConnections = MAX_VIEWERS;
  const port = await listen(server, host, options.port ?? 0);
  const url = `rtsp://${host.includes(':') ? `[${host}]` : host}:${port}/demo`;
  logger.info('the demo camera listens', { url });
  return {
    url,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const viewer of viewers) viewer.close();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // A failed accept (no file descriptors left) costs that viewer, not the camera.
      server.on('error', () => {});
      resolve((server.address() as AddressInfo).port);
    });
  });
}
