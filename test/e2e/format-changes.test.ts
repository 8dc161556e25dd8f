import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseAdtsHeader } from '../../client/codec/aac.js';
import { parseMpegAudioHeader } from '../../client/codec/mpeg-audio.js';
import type { RtspPlayerElement } from '../../client/element/rtsp-player.js';
import type { Packetizer, PacketizerOptions } from '../../shared/packetizer/packetizer.js';
import { serializeRtpPacket } from '../../shared/rtp-packet.js';
import { startBrowser, type TestBrowser } from '../support/browser.js';
import { runProgram } from '../support/child-process.js';
import { type LiveVideo, startGStreamerCamera } from '../support/gstreamer-camera.js';
import { keeper } from '../support/keeper.js';
import { htmlPage, type PageServer, startPageServer } from '../support/page-server.js';
import { readChanges, waitForState } from '../support/player-page.js';
import { type ProxyProcess, startProxy } from '../support/proxy.js';
import { startScriptedCamera } from '../support/scripted-camera.js';

// What a camera sends changes in mid-stream, as when somebody sets it otherwise: the element goes on without a reload.

const otherSize = { width: 320, height: 240, frames: 25 } as const;
const pictures: readonly LiveVideo[] = [
  { codec: 'vp8', otherSize },
  { codec: 'vp9', otherSize },
  { codec: 'jpeg', otherSize },
];

const keep = keeper(after);
let browser: TestBrowser;
let pages: PageServer;
let proxy: ProxyProcess;
let folder: string;

before(
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'rtsp-changes-'));
    const camera = await keep(
      startGStreamerCamera({ mounts: pictures.map((video) => ({ path: `/${video.codec}`, video })) }),
    );
    pages = await keep(startPageServer());
    const named = pictures.flatMap(({ codec }) => ['--camera', `${codec}=${camera.url(`/${codec}`)}`]);
    proxy = await keep(startProxy({ args: [...named, '--allow', '127.0.0.1', '--allow-origin', pages.origin] }));
    browser = await keep(startBrowser());
  },
  { timeout: 60_000 },
);
after(() => rm(folder, { recursive: true, force: true }));

declare const pictureClock: typeof import('../support/picture-clock.mjs');

for (const { codec } of pictures) {
  test(`${codec}: another size in mid-stream, and back`, { timeout: 60_000 }, async () => {
    pages.set(
      `/${codec}`,
      htmlPage(`<rtsp-player src="${codec}" autoplay muted></rtsp-player>`, [`${proxy.origin}/rtsp-player.js`]),
    );
    const tab = await browser.open(`${pages.origin}/${codec}`);
    await waitForState(tab.page, ['playing']);
    const { intact, ...seen } = await tab.page.$eval('rtsp-player', (node) => {
      const player = node as RtspPlayerElement;
      const video = player.video as HTMLVideoElement;
      const read = pictureClock.createVideoClockReader();
      const size = () => `${player.videoWidth}x${player.videoHeight}`;
      const intact: Record<string, number> = {};
      const onFrame = () => {
        if (read(video) !== null) intact[size()] = (intact[size()] ?? 0) + 1;
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
      const events: string[] = [];
      for (const type of ['statechange', 'error', 'emptied']) player.addEventListener(type, () => events.push(type));
      const sizes: string[] = [];
      return new Promise<{ intact: typeof intact; events: string[]; sizes: string[]; dropped: number | undefined }>(
        (resolve) => {
          player.addEventListener('resize', () => {
            sizes.push(size());
            if (sizes.length === 3)
              resolve({ intact, events, sizes, dropped: player.getStats()?.video?.framesDropped });
          });
        },
      );
    });
    const [first] = seen.sizes;
    const other = first === '640x360' ? '320x240' : '640x360';
    assert.deepEqual(seen, { events: [], sizes: [first, other, first], dropped: 0 });
    for (const size of [first, other]) {
      const frames = intact[size ?? ''] ?? 0;
      assert.ok(frames > 15, `${frames} of 25 frames of ${size} were intact on screen`);
    }
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}

/** A tone in Hz for each channel. */
interface Tones {
  readonly sampleRate: number;
  readonly channels: readonly number[];
}

const stereo: Tones = { sampleRate: 48_000, channels: [440, 660] };
const mono: Tones = { sampleRate: 16_000, channels: [880] };

interface ChangingSound {
  readonly name: string;
  readonly clockRate: number;
  readonly rtpmap: string;
  readonly fmtp?: string;
  readonly encoder: readonly string[];
  /** The size of the payload that a file goes on with. */
  payloadBytes(rest: Uint8Array): number;
  /** What stands in front of the payload in the file, and in the packet. */
  readonly fileHeaderBytes?: number;
  readonly packetHeader?: Uint8Array;
  /** Two kinds of sound that take turns. */
  readonly turns: readonly [Tones, Tones];
  /** Milliseconds that are whole payloads of both. */
  readonly blockMs: number;
  /** Each turn is of a synchronisation source of its own. */
  readonly changesSource?: boolean;
}

const telephone = { sampleRate: 8_000 } as const;
const adtsBytes = (rest: Uint8Array) => parseAdtsHeader(rest)?.frameBytes ?? 0;
const aac = { clockRate: 90_000, turns: [stereo, mono], blockMs: 64 } as const;
const sounds: readonly ChangingSound[] = [
  {
    ...aac,
    name: 'LATM: another rate and number of channels by its own configuration',
    rtpmap: 'MP4A-LATM/90000',
    fmtp: 'cpresent=1',
    encoder: ['-c:a', 'aac', '-f', 'latm', '-smc-interval', '1'],
    // AudioSyncStream: 11 bits of syncword, 13 of the length of what follows.
    fileHeaderBytes: 3,
    payloadBytes: (rest) => ((((rest[1] ?? 0) & 0x1f) << 8) | (rest[2] ?? 0)) + 3,
  },
  {
    ...aac,
    name: 'ADTS in place of LATM: another rate and number of channels',
    rtpmap: 'MP4A-LATM/90000',
    encoder: ['-c:a', 'aac', '-f', 'adts'],
    payloadBytes: adtsBytes,
  },
  {
    ...aac,
    name: 'ADTS in mpeg4-generic: another rate and number of channels',
    rtpmap: 'mpeg4-generic/90000',
    encoder: ['-c:a', 'aac', '-f', 'adts'],
    payloadBytes: adtsBytes,
  },
  {
    name: 'MPEG audio: another rate and number of channels',
    clockRate: 90_000,
    rtpmap: 'MPA/90000',
    encoder: ['-c:a', 'libmp3lame', '-reservoir', '0', '-write_xing', '0', '-id3v2_version', '0', '-f', 'mp3'],
    payloadBytes: (rest) => parseMpegAudioHeader(rest)?.frameBytes ?? 0,
    packetHeader: new Uint8Array(4),
    turns: [stereo, mono],
    blockMs: 72,
  },
  {
    name: 'PCMU: another synchronisation source',
    clockRate: 8_000,
    rtpmap: 'PCMU/8000',
    encoder: ['-f', 'mulaw'],
    payloadBytes: () => 160,
    turns: [
      { ...telephone, channels: [440] },
      { ...telephone, channels: [880] },
    ],
    blockMs: 60,
    changesSource: true,
  },
];

const BLOCKS_PER_TURN = 20;

/** The payloads of a turn, block by block. */
async function encodeTurn(sound: ChangingSound, { sampleRate, channels }: Tones): Promise<Uint8Array[][]> {
  const path = join(folder, 'turn');
  const seconds = (BLOCKS_PER_TURN * sound.blockMs) / 1_000;
  const tones = channels.map((hertz) => `0.2*sin(2*PI*${hertz}*t)`).join('|');
  const source = `aevalsrc=exprs=${tones}:sample_rate=${sampleRate}:duration=${seconds}`;
  await runProgram('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', source, ...sound.encoder, path]);
  const file = new Uint8Array(await readFile(path));
  const payloads: Uint8Array[] = [];
  for (let position = 0; position < file.length; ) {
    const end = position + sound.payloadBytes(file.subarray(position));
    assert.ok(end > position, `${sound.name}: nothing known at ${position} of the file`);
    payloads.push(file.subarray(position + (sound.fileHeaderBytes ?? 0), end));
    position = end;
  }
  // Encoders add a payload or two to begin and to end with.
  const perBlock = Math.floor(payloads.length / BLOCKS_PER_TURN);
  return Array.from({ length: BLOCKS_PER_TURN }, (_, block) =>
    payloads.slice(block * perBlock, (block + 1) * perBlock),
  );
}

/** Puts each payload of a block into a packet, with times at even distances. */
function packetizerOf(sound: ChangingSound) {
  return class implements Packetizer {
    readonly #options: PacketizerOptions;
    ssrc: number;
    sequenceNumber: number;
    #blocks = 0;

    constructor(options: PacketizerOptions) {
      this.#options = options;
      this.ssrc = options.ssrc;
      this.sequenceNumber = options.sequenceNumber;
    }

    packetize(block: readonly Uint8Array[]): Uint8Array[] {
      const ticks = (sound.blockMs * sound.clockRate) / 1_000;
      const turn = Math.floor(this.#blocks / BLOCKS_PER_TURN);
      if (sound.changesSource && this.#blocks % BLOCKS_PER_TURN === 0) {
        this.ssrc = this.#options.ssrc + turn;
        this.sequenceNumber = 10_000 * turn;
      }
      const start = this.#blocks++ * ticks + (sound.changesSource ? 1_000_000 * turn : 0);
      return block.map((payload, index) => {
        const pieces = sound.packetHeader === undefined ? [payload] : [sound.packetHeader, payload];
        const sequenceNumber = this.sequenceNumber++ & 0xffff;
        const timestamp = start + (index * ticks) / block.length;
        const { payloadType } = this.#options;
        return serializeRtpPacket({
          payloadType,
          marker: true,
          sequenceNumber,
          timestamp,
          ssrc: this.ssrc,
          payload: pieces,
        });
      });
    }
  };
}

/** The tones of the two channels, as `440 and 660 Hz`, in the order in which they are heard: so many, or those of 15 s. */
function hearTones(player: Element, count: number): Promise<string[]> {
  const { video } = player as RtspPlayerElement;
  const context = new AudioContext();
  const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
  const source = context.createMediaElementSource(video as HTMLVideoElement);
  source.connect(context.destination);
  // The element may give one channel, which is meant for both.
  source.connect(new GainNode(context, { channelCount: 2, channelCountMode: 'explicit' })).connect(splitter);
  const analysers = [0, 1].map((channel) => {
    const analyser = new AnalyserNode(context, { fftSize: 8_192, smoothingTimeConstant: 0 });
    splitter.connect(analyser, channel);
    return analyser;
  });
  const levels = new Float32Array(4_096);
  const strongest = (analyser: AnalyserNode) => {
    analyser.getFloatFrequencyData(levels);
    const bin = levels.reduce((best, level, index) => (level > (levels[best] ?? 0) ? index : best), 0);
    const hertz = (bin * context.sampleRate) / analyser.fftSize;
    return (levels[bin] ?? -200) < -80 ? 0 : 20 * Math.round(hertz / 20);
  };
  return new Promise((resolve) => {
    const heard: string[] = [];
    let last = '';
    let since = 0;
    const poll = setInterval(() => {
      const tones = `${analysers.map(strongest).join(' and ')} Hz`;
      if (tones !== last) since = context.currentTime;
      last = tones;
      // Where one follows the other, both are in what is analysed.
      if (context.currentTime - since > 0.3 && tones !== heard.at(-1)) heard.push(tones);
      if (heard.length < count && context.currentTime < 15) return;
      clearInterval(poll);
      resolve(heard);
    }, 20);
  });
}

for (const sound of sounds) {
  test(`${sound.name}, and back`, { timeout: 60_000 }, async () => {
    const [first, second] = sound.turns;
    const accessUnits = [...(await encodeTurn(sound, first)), ...(await encodeTurn(sound, second))];
    const media = ['m=audio 0 RTP/AVP 96', `a=rtpmap:96 ${sound.rtpmap}`, 'a=control:trackID=0'];
    if (sound.fmtp !== undefined) media.push(`a=fmtp:96 ${sound.fmtp}`);
    const camera = await keep(
      startScriptedCamera({
        media: { accessUnits, frameRate: 1_000 / sound.blockMs, Packetizer: packetizerOf(sound) },
        sdp: ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=control:*', ...media, ''].join('\r\n'),
      }),
    );
    const player = `<rtsp-player src="${camera.url()}" autoplay></rtsp-player>`;
    pages.set('/sound', htmlPage(player, [`${proxy.origin}/rtsp-player.js`]));
    const tab = await browser.open(`${pages.origin}/sound`);
    await waitForState(tab.page, ['playing']);
    const heard = await tab.page.$eval('rtsp-player', hearTones, 3);
    const [one, other] = sound.turns.map(({ channels }) => `${channels[0]} and ${channels.at(-1)} Hz`);
    assert.deepEqual(heard, heard[0] === one ? [one, other, one] : [other, one, other]);
    const states = (await readChanges(tab.page)).map(({ state }) => state);
    assert.deepEqual(states, ['connecting', 'playing']);
    assert.deepEqual(tab.errors, []);
    await tab.close();
  });
}
