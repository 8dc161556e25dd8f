import { Player } from '../player/player.js';
import { CameraElement } from './camera-element.js';
import { RtspPlayerElement } from './rtsp-player-element.js';

/** The package's entry: defines `<rtsp-player>`. A page that loads it twice keeps the first. */

export type { ErrorCode } from '../../shared/errors.js';
export { StreamError } from '../../shared/errors.js';
export type { AnalyticsFrame, DetectedObject, OnvifMetadata } from '../player/onvif-metadata.js';
export type { RtspPlayerEventMap, StateChange } from './media-events.js';
export type { Latency, PlayerState, PlayerStats, PlayerTrack } from './player-factory.js';
export { RtspPlayerElement };

CameraElement.createPlayer = (options, handlers) => new Player(options, handlers);
if (customElements.get('rtsp-player') === undefined) customElements.define('rtsp-player', RtspPlayerElement);
