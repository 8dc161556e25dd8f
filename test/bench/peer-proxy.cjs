// media-stream-library's own proxy as a process of its own. Its ES build does not start on Node 20, so it is required.
//   node peer-proxy.cjs [HOST:PORT]     the camera's address; by default the URL of the first request decides

const { createRequire } = require('node:module');
// The exports of the package have a condition for browsers first; Node's is the file that it names as "main".
const { pipelines } = createRequire(__filename)('media-stream-library');

const [rtspHost] = process.argv.slice(2);
const { wss } = new pipelines.TcpWsProxyPipeline({
  wsOptions: { host: '127.0.0.1', port: 0 },
  ...(rtspHost === undefined ? {} : { rtspHost }),
});
wss.on('listening', () => process.stdout.write(`listening on ${wss.address().port}\n`));
process.stdin.on('end', () => process.exit()).resume();
