#!/usr/bin/env node
/** The bin `rtsp-player-proxy`. */
import { runCommandLine } from './command-line.js';

await runCommandLine(process.argv.slice(2));
