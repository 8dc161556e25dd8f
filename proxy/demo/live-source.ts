import { AacPacketizer } from '../../shared/packetizer/aac.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import type { Packetizer } from '../../shared/packetizer/packetizer.js';
import { serializeGoodbye, serializeSenderReport, serializeSourceDescription } from '../../shared/rtcp.js';
import { type Clip, FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_UNIT, VIDEO_CLOCK_RATE } from './clip.js';

/**
 * The clip as two endless live sources. A source's units are numbered from 1970 on, so that the clip's second is the
 * second of the minute, every viewer sees the same frame, and time stamps go on over the end of the clip.
 */

export const VIDEO_PAYLOAD_TYPE = 96;
export const AUDIO_PAYLOAD_TYPE = 97;

/** One viewer's copy of one source: what to send, from which number on, in this viewer's time stamps. */
export class LiveSource {
  readonly #packetizer: Packetizer;
  readonly #clockRate: number;
  readonly #unitsPerSecond: number;
  readonly #unit: (index: number) => { pieces: readonly Uint8Array[]; isKeyFrame: boolean };
  readonly #timestampOffset: number;
  #next = 0;
  #packets = 0;
  #octets = 0;

  private constructor(
    packetizer: Packetizer,
    clockRate: number,
    unitsPerSecond: number,
    unit: (index: number) => { pieces: readonly Uint8Array[]; isKeyFrame: boolean },
  ) {
    this.#packetizer = packetizer;
    this.#clockRate = clockRate;
    this.#unitsPerSecond = unitsPerSecond;
    this.#unit = unit;
    this.#timestampOffset = random32();
  }

  static video(clip: Clip): LiveSource {
    const packetizer = new H264Packetizer(packetizerOptions(VIDEO_PAYLOAD_TYPE));
    return new LiveSource(packetizer, VIDEO_CLOCK_RATE, FRAME_RATE, (index) => {
      const frame = clip.frames[index % clip.frames.length];
      return { pieces: frame?.nalUnits ?? [], isKeyFrame: frame?.isKeyFrame === true };
    });
  }

  static audio(clip: Clip): LiveSource {
    const packetizer = new AacPacketizer(packetizerOptions(AUDIO_PAYLOAD_TYPE));
    return new LiveSource(packetizer, SAMPLE_RATE, SAMPLE_RATE / SAMPLES_PER_UNIT, (index) => {
      const unit = clip.audioUnits[index % clip.audioUnits.length];
      return { pieces: unit === undefined ? [] : [unit], isKeyFrame: true };
    });
  }

  get ssrc(): number {
    return this.#packetizer.ssrc;
  }

  get sequenceNumber(): number {
    return this.#packetizer.sequenceNumber;
  }

  /** The RTP time, 32 bits, of a UTC time in seconds. */
  timestampAt(utcSeconds: number): number {
    return (Math.round(utcSeconds * this.#clockRate) + this.#timestampOffset) % 0x1_0000_0000;
  }

  /** Goes to the last unit from which decoding can start at this time; returns that unit's time, UTC in seconds. */
  seek(utcSeconds: number): number {
    this.#next = Math.floor(utcSeconds * this.#unitsPerSecond);
    while (!this.#unit(this.#next).isKeyFrame) this.#next--;
    return this.#next / this.#unitsPerSecond;
  }

  /**
   * The packets of the next unit, if it is over by now, else null.
   * @param drop - leaves the unit out: it counts as sent, but nothing comes of it
   */
  next(utcSeconds: number, drop: (isKeyFrame: boolean) => boolean): readonly Uint8Array[] | null {
    const time = this.#next / this.#unitsPerSecond;
    if (time > utcSeconds) return null;
    const { pieces, isKeyFrame } = this.#unit(this.#next);
    this.#next++;
    if (drop(isKeyFrame)) return [];
    const packets = this.#packetizer.packetize(pieces, this.timestampAt(time));
    this.#packets += packets.length;
    for (const packet of packets) this.#octets += packet.length - 12;
    return packets;
  }

  /** A sender report, with its source description, for now. */
  report(utcSeconds: number): Uint8Array {
    const report = serializeSenderReport({
      ssrc: this.ssrc,
      ntpTime: utcSeconds * 1000,
      rtpTimestamp: this.timestampAt(utcSeconds),
      packetCount: this.#packets % 0x1_0000_0000,
      octetCount: this.#octets % 0x1_0000_0000,
    });
    return joined(report, serializeSourceDescription({ chunks: [{ ssrc: this.ssrc, cname: 'demo-camera' }] }));
  }

  /** The end of the source, behind a last report. */
  goodbye(utcSeconds: number): Uint8Array {
    return joined(this.report(utcSeconds), serializeGoodbye({ ssrcs: [this.ssrc] }));
  }
}

function packetizerOptions(payloadType: number) {
  return { payloadType, ssrc: random32(), sequenceNumber: random32() & 0xffff };
}

function random32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
