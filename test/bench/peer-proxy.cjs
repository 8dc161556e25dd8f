// media-stream-library's own proxy as a process of its own. Its ES build does not start on Node 20, so it is required.
// It dials what the first request's URL names.

const { createRequire } = require('node:module');
// The exports of the package have a condition for browsers first; Node's is the file that it names as "main".
const { pipelines } = createRequire(__filename)('media-stream-library');

const { wss } = new pipelines.TcpWsProxyPipeline({
  wsOptions: { host: '127.0.0.1', port: Number(process.argv[2] ?? 0) },
});
wss.on('listening', () => process.stdout.write(`listening on ${wss.address().port}\n`));
process.stdin.on('end', () => process.exit()).resume();
