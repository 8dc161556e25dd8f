/** The package's `./proxy`: the proxy for a server that exists already, and on one of its own. */
export type { AccessOptions, CameraOptions, ListenAddress } from './config.js';
export type { Timeouts } from './connection.js';
export { createConsoleLogger } from './console-logger.js';
export { createRtspProxy, type RtspProxy, type RtspProxyOptions, type RtspProxyStats } from './proxy.js';
export { type RtspProxyServer, type RtspProxyServerOptions, startRtspProxyServer } from './server.js';
export type { Lookup } from './upstream-policy.js';
