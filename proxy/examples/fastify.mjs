// The proxy inside a Fastify program.

import Fastify from 'fastify';
import { createRtspProxy } from 'rtsp-websocket-player/proxy';
import { page, userOf } from './users.mjs';

const proxy = createRtspProxy({
  cameras: [{ name: 'front', title: 'Front door', url: process.env.CAMERA_URL ?? 'rtsp://10.0.0.7/stream1' }],
  authorize({ camera, request }) {
    const user = userOf(request);
    return user?.cameras.includes(camera) ? { viewer: user.name } : false;
  },
});

const app = Fastify();
app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page));

for (const path of ['/rtsp-player.js', '/cameras']) {
  app.get(path, (request, reply) => {
    // The proxy answers by itself.
    reply.hijack();
    proxy.handleRequest(request.raw, reply.raw);
  });
}

app.server.on('upgrade', (request, socket, head) => {
  if (!proxy.handleUpgrade(request, socket, head)) socket.destroy();
});

app.addHook('preClose', () => proxy.close());
const address = await app.listen({ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' });
process.stdout.write(`${address}/\n`);

process.on('SIGTERM', () => app.close());
