// The proxy inside an Express program.

import express from 'express';
import { createRtspProxy } from 'rtsp-websocket-player/proxy';
import { page, userOf } from './users.mjs';

const proxy = createRtspProxy({
  cameras: [{ name: 'front', title: 'Front door', url: process.env.CAMERA_URL ?? 'rtsp://10.0.0.7/stream1' }],
  authorize({ camera, request }) {
    const user = userOf(request);
    return user?.cameras.includes(camera) ? { viewer: user.name } : false;
  },
});

const app = express();
app.get('/', (_request, response) => {
  response.type('html').send(page);
});
// Behind the program's own pages.
app.use((request, response, next) => {
  if (!proxy.handleRequest(request, response)) next();
});

const server = app.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});

// Express has no WebSockets of its own: they come to the HTTP server underneath.
server.on('upgrade', (request, socket, head) => {
  if (!proxy.handleUpgrade(request, socket, head)) socket.destroy();
});

process.on('SIGTERM', async () => {
  await proxy.close();
  server.close();
  server.closeAllConnections();
});
