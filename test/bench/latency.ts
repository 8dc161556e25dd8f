// benchmark: glass to glass: from the camera's exposure to the picture on screen, and how far the sound is behind it

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { delay } from '../support/child-process.js';
import { type GStreamerCamera, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { type BenchPages, type PageBench, type PageName, startBenchPages, startRelays } from './bench-page.js';
import { type GStreamerClient, startGStreamerClient } from './gstreamer-client.js';
import { type ImpairedNetwork, type Impairment, startImpairedNetwork } from './impaired-network.js';
import { type Measurement, measureFloor, measureRecording, type Window } from './latency-measurement.js';
import { type Cell, printTable, say, watchMachine } from './report.js';
import { median } from './statistics.js';

/*
 * The camera paints the wall-clock time into each frame at the moment when it hands it to the encoder (x264, zerolatency).
 * In the page, requestVideoFrameCallback tells of each frame that is presented; the frame is drawn to a canvas and the
 * time read from its pixels. Two times are told of it:
 * - `presentationTime`, when the browser hands the frame to its compositor. That is what GStreamer's client is read at: where
 *   its decoder hands the frame to the sink, before any screen. Differences to the floor are made of these.
 * - `expectedDisplayTime`, the screen refresh with which it becomes visible, up to a refresh later: the "visible" columns.
 */

const help = `npm run bench -- latency [OPTIONS]
  --seconds N       measured time of each player (60), after --skip N seconds (5)
  --only NAME       floor, ours, peer or plain (a page that leaves everything to the browser); may be repeated
  --page PATH       a module with the exports of test/bench/page/showing.ts, measured in the place of ours
  --camera KIND     video (default) or video+audio
  --latency VALUE   low (default), balanced, smooth or milliseconds
  --unmuted         with sound; needs --camera video+audio
  --jitter          each access unit late by 0 to 150 ms, and a stall of 300 ms every 20 s
  --sound HOW       stops (for 3 s), late (300 ms), never (announced, not sent)
  --rounds N        all players that often, in turn (1); the table has the medians
  --preset NAME     x264's (medium)
  --trace FILE      writes everything that was recorded, as JSON
  --quick           12 seconds each`;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string' },
    skip: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
    page: { type: 'string' },
    camera: { type: 'string', default: 'video' },
    latency: { type: 'string', default: 'low' },
    unmuted: { type: 'boolean', default: false },
    jitter: { type: 'boolean', default: false },
    sound: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    preset: { type: 'string', default: 'medium' },
    trace: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const FRAME_MS = 40;
const STALL_EVERY_MS = options.quick ? 6_000 : 20_000;
const STALL_MS = 300;
/** How long the sound is listened to after the picture was measured. */
const LISTEN_MS = 8_000;
const playerNames = ['floor', 'ours', 'peer', 'plain'] as const satisfies (PageName | 'floor')[];
type PlayerName = PageName | 'floor';

const window: Window = {
  skipSeconds: Number(options.skip),
  seconds: Number(options.seconds ?? (options.quick ? 12 : 60)),
};

/** What is the same for every player of a run. */
interface Scene {
  camera: GStreamerCamera;
  network: ImpairedNetwork | null;
  /** Hears the camera's ticks; keeps a camera with sound running from one player to the next. */
  listener: GStreamerClient | null;
  /** The camera as seen through the network. */
  url: string;
}

interface Result {
  measurement: Measurement;
  /** Share of the machine's processors in use while it was measured. */
  load: number;
  trace: unknown;
}

function chosenPlayers(): PlayerName[] {
  if (options.only === undefined) return ['floor', 'ours', 'peer'];
  return playerNames.filter((name) => options.only?.includes(name));
}

function impairment(): Impairment | null {
  const { jitter, sound } = options;
  if (sound !== undefined && sound !== 'stops' && sound !== 'late' && sound !== 'never') {
    throw new Error(`--sound has to be stops, late or never (got "${sound}").`);
  }
  if (!jitter && sound === undefined) return null;
  return {
    ...(jitter ? { jitterMs: 150, stall: { everyMs: STALL_EVERY_MS, forMs: STALL_MS } } : {}),
    ...(sound === undefined ? {} : { sound, soundStopsAfterMs: (window.skipSeconds + window.seconds / 3) * 1000 }),
  };
}

async function openScene(): Promise<Scene> {
  const hasSound = options.camera === 'video+audio';
  const mount = '/live';
  const camera = await startGStreamerCamera({
    mounts: [
      {
        path: mount,
        video: { preset: options.preset },
        // One stream for all, so that the listener hears the same ticks as the player.
        ...(hasSound ? { audio: { wave: 'ticks' as const }, shared: true } : {}),
      },
    ],
  });
  const bad = impairment();
  const network = bad === null ? null : await startImpairedNetwork(camera.port, bad);
  const url = `rtsp://127.0.0.1:${network?.port ?? camera.port}${mount}`;
  // By the same URL, or GStreamer's server would start another encoder for it.
  const listener = hasSound ? startGStreamerClient(url, { sound: true, pictures: false }) : null;
  await listener?.firstFrameMs;
  return { camera, network, listener, url };
}

async function runFloor(scene: Scene): Promise<Result> {
  const client = startGStreamerClient(scene.url);
  await client.firstFrameMs;
  const readLoad = watchMachine();
  await delay((window.skipSeconds + window.seconds) * 1000 + 300);
  const load = readLoad();
  const frames = await client.stop();
  return { measurement: measureFloor(frames, window, scene.network?.stallEnds ?? []), load, trace: frames };
}

declare const bench: PageBench;

async function runPage(scene: Scene, pages: BenchPages, name: PageName): Promise<Result> {
  const relays = await startRelays(name, scene.url, pages, options.page);
  const tab = await pages.open(name);
  try {
    const showing = { ...relays.addresses, latency: options.latency, muted: !options.unmuted };
    await tab.page.evaluate((given) => bench.record(bench.module, given), showing);
    await tab.page
      .waitForFunction(() => bench.takeRecording().frames.length > 0, { timeout: 15_000, polling: 50 })
      .catch(() => {});
    const readLoad = watchMachine();
    await delay((window.skipSeconds + window.seconds) * 1000 + 500);
    const load = readLoad();
    if (options.unmuted) await tab.page.evaluate((ms) => bench.listen(ms), LISTEN_MS);
    const recording = await tab.page.evaluate(() => bench.takeRecording());
    const cameraTicks = scene.listener?.ticks ?? [];
    const phase = options.unmuted ? median(cameraTicks.slice(-8).map((ms) => ms % 1000)) : null;
    const stallEnds = scene.network?.stallEnds ?? [];
    return {
      measurement: measureRecording(recording, window, stallEnds, phase),
      load,
      trace: { ...recording, cameraTicks },
    };
  } finally {
    for (const error of tab.errors) say(`  ${name}'s page: ${error}`);
    await tab.close();
    await relays.stop();
  }
}

/** The measurement whose every number is the median of the rounds'. */
function medianOf(measurements: readonly Measurement[]): Measurement {
  const [first] = measurements;
  if (first === undefined) throw new Error('Nothing was measured.');
  const combined: Record<string, unknown> = { ...first };
  for (const key of Object.keys(first) as (keyof Measurement)[]) {
    if (key === 'recoveries') combined[key] = measurements.flatMap((measurement) => measurement.recoveries);
    else if (first[key] !== null) combined[key] = median(measurements.map((measurement) => Number(measurement[key])));
  }
  return combined as unknown as Measurement;
}

function tableRow(name: string, result: Measurement, floor: Measurement | null, load: number): Record<string, Cell> {
  const toFloor = (value: number, from: number | undefined) => {
    const intervals = (value - (from ?? Number.NaN)) / FRAME_MS;
    return Number.isFinite(intervals) ? `${intervals < 0 ? '' : '+'}${intervals.toFixed(2)}` : null;
  };
  return {
    player: name,
    'p50 ms': result.p50,
    'p95 ms': result.p95,
    'max ms': result.max,
    'p50 to floor': toFloor(result.p50, floor?.p50),
    'p95 to floor': toFloor(result.p95, floor?.p95),
    'visible p50': result.visibleP50,
    'visible p95': result.visibleP95,
    'waiting/min': result.waiting,
    'dropped/min': result.dropped,
    'not shown/min': result.notShown,
    'longest gap ms': Math.round(result.longestGap),
    'gaps > 3 frames/min': result.freezes,
    ...(options.unmuted ? { 'sound behind ms': result.soundBehind } : {}),
    ...(options.jitter
      ? {
          'waiting beyond stalls/min': result.waitingBeyondStalls,
          'back after stalls ms': result.recoveries
            .map((ms) => (Number.isFinite(ms) ? Math.round(ms) : 'never'))
            .join(' '),
        }
      : {}),
    frames: result.frames,
    'machine busy': `${Math.round(load * 100)} %`,
  };
}

async function main(): Promise<void> {
  const players = chosenPlayers();
  const scene = await openScene();
  const pages = await startBenchPages();
  const results = new Map<PlayerName, Result[]>();
  try {
    for (const name of players) {
      if (name !== 'floor') await pages.add(name, options.page);
    }
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const name of players) {
        say(`${name} …`);
        const result = name === 'floor' ? await runFloor(scene) : await runPage(scene, pages, name);
        results.set(name, [...(results.get(name) ?? []), result]);
      }
    }
  } finally {
    await pages.stop();
    await scene.listener?.stop();
    await scene.network?.stop();
    await scene.camera.stop();
  }
  const floorResults = results.get('floor');
  const floor = floorResults === undefined ? null : medianOf(floorResults.map(({ measurement }) => measurement));
  const rows = players.map((name) => {
    const all = results.get(name) ?? [];
    return tableRow(
      name,
      medianOf(all.map(({ measurement }) => measurement)),
      floor,
      median(all.map(({ load }) => load)),
    );
  });
  const what = [
    `latency="${options.latency}"`,
    options.camera,
    options.unmuted ? 'unmuted' : 'muted',
    ...(options.jitter ? [`jitter 0–150 ms, a stall of ${STALL_MS} ms every ${STALL_EVERY_MS / 1000} s`] : []),
    ...(options.sound === undefined ? [] : [`sound: ${options.sound}`]),
  ];
  printTable(
    `Glass to glass, 640×360 at 25 frames a second; ${what.join(', ')}; ${window.seconds} s each. "To floor": in frame intervals.`,
    rows,
  );
  if (options.trace !== undefined) {
    const traces = Object.fromEntries([...results].map(([name, all]) => [name, all.map(({ trace }) => trace)]));
    await writeFile(options.trace, JSON.stringify(traces));
  }
}

if (options.help) say(help);
else await main();
