import { adtsConfig, parseAdtsHeader } from '../../../client/codec/aac.js';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import { splitAnnexB } from '../../../client/codec/nal-unit.js';
import type { AudioTrackConfig } from '../../../client/codec/track-config.js';
import { H264Depacketizer } from '../../../client/depacketizer/h264.js';
import { H264Packetizer } from '../../../shared/packetizer/h264.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';

/** The demo camera's clip in a page: access units that come in real time, as from a camera. */

export interface ClipUnit {
  readonly unit: AccessUnit;
  /** Seconds from the start of the clip. */
  readonly time: number;
}

/** `main`: 640×360, 25 frames a second, a key frame a second. `sub`: 320×180, 10 a second, a key frame in two. */
export async function loadVideo(name: 'main' | 'sub'): Promise<ClipUnit[]> {
  const bytes = await fetchBytes(`/proxy/demo/${name}.h264`);
  const interval = name === 'main' ? 3_600 : 9_000;
  const format = {
    payloadType: 96,
    encodingName: 'H264',
    clockRate: 90_000,
    channels: null,
    parameters: new Map([['packetization-mode', '1']]),
  };
  const units: ClipUnit[] = [];
  const depacketizer = new H264Depacketizer(format, (unit) =>
    units.push({ unit, time: unit.presentationTime / 90_000 }),
  );
  const packetizer = new H264Packetizer({ payloadType: 96, ssrc: 1, sequenceNumber: 1 });
  let pieces: Uint8Array[] = [];
  let ticks = 0;
  for (const nalUnit of splitAnnexB(bytes)) {
    pieces.push(nalUnit);
    const type = (nalUnit[0] ?? 0) & 0x1f;
    if (type !== 1 && type !== 5) continue;
    for (const packetBytes of packetizer.packetize(pieces, ticks)) {
      const packet = parseRtpPacket(packetBytes);
      if (packet !== null) depacketizer.push(packet, ticks, 0);
    }
    pieces = [];
    ticks += interval;
  }
  // On every key frame, so that a feed may begin at any.
  const config = units[0]?.unit.config ?? null;
  return units.map(({ unit, time }) => ({ unit: unit.isKeyFrame ? { ...unit, config } : unit, time }));
}

/** The tone: AAC-LC, 16 kHz, units of 64 ms. */
export async function loadAudio(): Promise<ClipUnit[]> {
  const bytes = await fetchBytes('/proxy/demo/sound.aac');
  const units: ClipUnit[] = [];
  let config: AudioTrackConfig | null = null;
  for (let position = 0; position < bytes.length; ) {
    const header = parseAdtsHeader(bytes.subarray(position));
    if (header === null) throw new Error(`No ADTS header at ${position}.`);
    const first = config === null;
    config ??= adtsConfig(header);
    if (config === null) throw new Error('The clip is not AAC-LC.');
    const piece = bytes.subarray(position + header.headerBytes, position + header.frameBytes);
    const ticks = units.length * config.samplesPerUnit;
    units.push({
      unit: audioUnit(piece, ticks, first ? config : null),
      time: ticks / config.sampleRate,
    });
    position += header.frameBytes;
  }
  return units;
}

export function audioUnit(piece: Uint8Array, ticks: number, config: AudioTrackConfig | null): AccessUnit {
  return {
    presentationTime: ticks,
    decodeTime: ticks,
    isKeyFrame: true,
    pieces: [piece],
    byteLength: piece.length,
    config,
  };
}

async function fetchBytes(path: string): Promise<Uint8Array> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Hands units over when their time has come. */
export class LiveFeed {
  readonly #units: readonly ClipUnit[];
  readonly #push: (unit: AccessUnit, time: number) => void;
  #next: number;
  #timer: ReturnType<typeof setInterval>;

  /** @param from - seconds of the clip at which it begins */
  constructor(units: readonly ClipUnit[], push: (unit: AccessUnit, time: number) => void, from = 0) {
    this.#units = units;
    this.#push = push;
    this.#next = units.findIndex(({ time }) => time >= from);
    const start = performance.now() - from * 1_000;
    this.#timer = setInterval(() => {
      for (;;) {
        const next = this.#units[this.#next];
        if (next === undefined || next.time * 1_000 > performance.now() - start) return;
        this.#next++;
        this.#push(next.unit, next.time);
      }
    }, 10);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
