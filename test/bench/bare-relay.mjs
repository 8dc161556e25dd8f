// The least that a WebSocket relay can be: ws, net, no checks and no back-pressure. What a proxy's cost is compared with.
// The camera's address is the path: ws://127.0.0.1:PORT/CAMERA-HOST:CAMERA-PORT.

import { connect } from 'node:net';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2] ?? 0), perMessageDeflate: false });
server.on('connection', (socket, request) => {
  const [host, port] = request.url.slice(1).split(':');
  const camera = connect(Number(port), host);
  camera.setNoDelay(true);
  camera.on('data', (chunk) => socket.send(chunk));
  camera.on('error', () => socket.close());
  camera.on('close', () => socket.close());
  socket.on('message', (data) => camera.write(data));
  socket.on('error', () => camera.destroy());
  socket.on('close', () => camera.destroy());
});
server.on('listening', () => process.stdout.write(`listening on ${server.address().port}\n`));
process.stdin.on('end', () => process.exit()).resume();
