// The least that a WebSocket relay can be: ws, net, no checks and no back-pressure. What a proxy's cost is compared with.
//   node bare-relay.mjs HOST:PORT

import { connect } from 'node:net';
import { WebSocketServer } from 'ws';

const [host, port] = (process.argv[2] ?? '').split(':');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('connection', (socket) => {
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
