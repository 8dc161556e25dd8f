/** The headless client for Node: with a transport straight to a camera's TCP port. */
export * from './index.js';
export { type CertificatePolicy, type TcpTarget, TcpTransport, type TcpTransportOptions } from './transport/tcp.js';
