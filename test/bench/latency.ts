// benchmark: glass to glass: the time from a camera's exposure to the picture on screen, and the sound's distance from it

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startGStreamerCamera } from '../support/gstreamer-camera.js';
import { startProxy } from '../support/proxy.js';
import { delay } from '../support/child-process.js';
import { startGStreamerClient } from './gstreamer-client.js';
import { type Impairment, startImpairedNetwork } from './impaired-network.js';
import { type Measurement, measureFloor, measureRecording } from './latency-measurement.js';
import { benchPages, type PageName, startBenchPage } from './bench-page.js';
import { type Cell, printTable, say, watchMachine } from './report.js';
import { startTunnel } from './tunnel-process.js';

/*
 * The camera paints the wall-clock time into each frame at the moment when it hands it to the encoder (x264, zerolatency).
 * Players are read in the page: requestVideoFrameCallback, the frame drawn to a canvas, the time read from its pixels.
 * "Glass" is `expectedDisplayTime`: the screen refresh with which the frame becomes visible, the latest of the times that
 * the browser tells. GStreamer's client, the floor, is read where its decoder puts the frame out, before any screen.
 */

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    skip: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
    page: { type: 'string' },
    camera: { type: 'string', default: 'video' },
    latency: { type: 'string', default: 'low' },
    unmuted: { type: 'boolean', default: false },
    unmute: { type: 'boolean', default: false },
    jitter: { type: 'boolean', default: false },
    sound: { type: 'string' },
    preset: { type: 'string', default: 'medium' },
    rounds: { type: 'string', default: '1' },
    trace: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
