// The proxy inside a program with Node's own HTTP server.

import { createServer } from 'node:http';
import { createRtspProxy } from 'rtsp-websocket-player/proxy';
import { page, userOf } from './users.mjs';

const proxy = createRtspProxy({
  cameras: [{ name: 'front', title: 'Front door', url: process.env.CAMERA_URL ?? 'rtsp://10.0.0.7/stream1' }],
  authorize({ camera, request }) {
    const user = userOf(request);
    return user?.cameras.includes(camera) ? { viewer: user.name } : false;
  },
});

const server = createServer((request, response) => {
  if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(page);
  } else if (!proxy.handleRequest(request, response)) {
    response.writeHead(404).end('Not found\n');
  }
});

server.on('upgrade', (request, socket, head) => {
  if (!proxy.handleUpgrade(request, socket, head)) socket.destroy();
});

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});

process.on('SIGTERM', async () => {
  await proxy.close();
  server.close();
  server.closeAllConnections();
});
