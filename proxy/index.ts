/** The package's `./proxy`: the proxy for a server that exists already, and on one of its own. */
export type { Authorize, AuthorizeAnswer, AuthorizeQuestion } from './authorization/hook.js';
export type {
  AccessOptions,
  AuthorizationOptions,
  CameraOptions,
  CameraTlsOptions,
  ListenAddress,
  TlsFiles,
} from './config.js';
export type { Timeouts } from './connection.js';
export type { ConnectionLimitOptions } from './connection-limits.js';
export { createLogger, type LogFormat, type LoggerOptions, type LogLevel, type ProxyLogger } from './log.js';
export { Metrics } from './metrics.js';
export {
  type CameraState,
  createRtspProxy,
  type RtspProxy,
  type RtspProxyOptions,
  type RtspProxyStats,
} from './proxy.js';
export type { RefusalCounts, RefusalReason } from './refusals.js';
export type { Secret } from './secret.js';
export { type RtspProxyServer, type RtspProxyServerOptions, startRtspProxyServer } from './server.js';
export type { Lookup } from './upstream-policy.js';
