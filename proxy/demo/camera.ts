import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { type Clock, systemClock } from '../../shared/clock.js';
import { type Logger, silentLogger } from '../../shared/logger.js';
import { type Clip, loadClip, SAMPLE_RATE, VIDEO_CLOCK_RATE } from './clip.js';
import { AUDIO_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPE } from './live-source.js';
import { Viewer } from './viewer.js';

/**
 * A camera without hardware: an RTSP server that shows a bundled clip for ever, its counter telling the second of the
 * minute. RTP goes inside the RTSP connection only. Any RTSP client can use it.
 */

/** Connections at one time; it is a demonstration. */
const MAX_VIEWERS = 200;

export interface DemoCameraOptions {
  /** Address to listen on. Default 127.0.0.1. */
  host?: string;
  /** Default 0: a free one. */
  port?: number;
  clock?: Clock;
  logger?: Logger;
}

export interface DemoCamera {
  readonly url: string;
  readonly port: number;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/** Starts the demo camera; resolves once it listens, rejects when the address is taken. */
export async function startDemoCamera(options: DemoCameraOptions = {}): Promise<DemoCamera> {
  const clip = await loadClip();
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  const host = options.host ?? '127.0.0.1';
  const viewers = new Set<Viewer>();
  const server = createServer((socket) => {
    const viewer = new Viewer(socket, {
      clip,
      clock,
      describe: () => describe(clip),
      onClose: () => viewers.delete(viewer),
    });
    viewers.add(viewer);
  });
  server.maxConnections = MAX_VIEWERS;
  const port = await listen(server, host, options.port ?? 0);
  const url = `rtsp://${host.includes(':') ? `[${host}]` : host}:${port}/demo`;
  logger.info('demo camera started', { url });
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
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** RFC 4566, with the format parameters of RFC 6184 (8.1) and RFC 3640 (4.1). */
function describe(clip: Clip): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase();
  const { sequenceParameterSet, pictureParameterSet, audioConfig } = clip;
  const lines = [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    's=Demo camera',
    'c=IN IP4 0.0.0.0',
    't=0 0',
    'a=control:*',
    'a=range:npt=now-',
    `m=video 0 RTP/AVP ${VIDEO_PAYLOAD_TYPE}`,
    `a=rtpmap:${VIDEO_PAYLOAD_TYPE} H264/${VIDEO_CLOCK_RATE}`,
    `a=fmtp:${VIDEO_PAYLOAD_TYPE} packetization-mode=1;profile-level-id=${hex(sequenceParameterSet.subarray(1, 4))};` +
      `sprop-parameter-sets=${base64(sequenceParameterSet)},${base64(pictureParameterSet)}`,
    'a=framerate:25',
    'a=recvonly',
    'a=control:video',
    `m=audio 0 RTP/AVP ${AUDIO_PAYLOAD_TYPE}`,
    `a=rtpmap:${AUDIO_PAYLOAD_TYPE} mpeg4-generic/${SAMPLE_RATE}/1`,
    `a=fmtp:${AUDIO_PAYLOAD_TYPE} streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;` +
      `indexdeltalength=3;config=${hex(audioConfig)}`,
    'a=recvonly',
    'a=control:audio',
  ];
  return `${lines.join('\r\n')}\r\n`;
}
