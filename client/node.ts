/** The headless client for Node: with a transport straight to a camera's TCP port. */
export * from './index.js';
export { TcpTransport } from './transport/tcp.js';
