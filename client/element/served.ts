import { CameraElement } from './camera-element.js';

/**
 * The entry of the one-file bundle that a proxy serves: the proxy's WebSocket endpoint lies beside the file. Elements
 * that were in the page before read this at their first update, which comes after this module has run.
 */

export * from './rtsp-player.js';

CameraElement.defaultProxy = new URL('./rtsp', import.meta.url).href;
