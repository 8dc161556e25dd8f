/** A proxy in a process of its own, which says how much memory it holds: for churn.test.ts. Needs --expose-gc. */
import { startRtspProxyServer } from '../../proxy/server.js';

const cameraUrl = process.argv[2] ?? '';
const server = await startRtspProxyServer({
  listen: { host: '127.0.0.1', port: 0 },
  cameras: [{ name: 'front', url: cameraUrl }],
  allow: ['127.0.0.1'],
  limits: { handshakesPerSecond: null },
  // Whoever stays gets nothing meanwhile.
  timeouts: { pingMs: 500, firstRequestMs: 2_000, silenceMs: 86_400_000 },
});

async function measure(): Promise<void> {
  // Some of what is let go of is found only when what held it has been collected.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const { tunnels, cameraSessions, viewers } = server.proxy.stats();
  const sockets = process.getActiveResourcesInfo().filter((kind) => /^TCPSocketWrap|TLSWrap$/.test(kind)).length;
  process.send?.({ heapUsed, arrayBuffers, open: tunnels + cameraSessions, viewers, sockets });
}

process.on('message', () => void measure());
process.on('disconnect', () => process.exit(0));
process.send?.({ port: server.port });
