/**
 * The headless client: everything below the element, for pages that bring their own and, together with
 * `transport/tcp` (see node.ts), for Node.
 */
export type { Credentials } from '../shared/authentication.js';
export { type Clock, systemClock } from '../shared/clock.js';
export { type ErrorCode, type RetryPolicy, StreamError } from '../shared/errors.js';
export { type Logger, silentLogger } from '../shared/logger.js';
export { formatRtspUrl, parseRtspUrl, type RtspUrl } from '../shared/rtsp-url.js';
export type { MediaDescription, MediaFormat, SessionDescription } from '../shared/session-description.js';
export type { AccessUnit } from './codec/access-unit.js';
export type { AudioTrackConfig, TrackConfig, VideoTrackConfig } from './codec/track-config.js';
export type { Depacketizer } from './depacketizer/depacketizer.js';
export { hasDepacketizer, loadDepacketizer } from './depacketizer/registry.js';
export { writeFragment } from './fmp4/fragment.js';
export { writeInitSegment } from './fmp4/init-segment.js';
export { Mp4FileWriter } from './fmp4/muxer.js';
export { sampleEntryOf } from './fmp4/sample-entry.js';
export { Mp4Recorder } from './player/mp4-recorder.js';
export { Player, type PlayerHandlers, type PlayerOptions, type PlayerState } from './player/player.js';
export { Receiver, type ReceiverHandlers, type ReceiverOptions } from './player/receiver.js';
export type { TrackReceiver, TrackStats } from './player/track-receiver.js';
export type { CaptureTime } from './rtp/capture-time.js';
export type { AccessTokens } from './rtsp/access-token.js';
export type { Range } from './rtsp/headers.js';
export { RedirectError } from './rtsp/redirect.js';
export { type PlayResult, RtspSession, type RtspSessionHandlers, type RtspSessionOptions } from './rtsp/session.js';
export type { ByteTransport, ByteTransportHandlers } from './transport/byte-transport.js';
export { WebSocketTransport } from './transport/websocket.js';
