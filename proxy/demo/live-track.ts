/**
 * An elementary stream of one minute → an endless live RTP stream with its sender reports (RFC 3550). Units are counted
 * from 1970 on, so that the clip's second is the second of the minute, all viewers are shown the same frame, and time
 * stamps go on over the end of the clip.
 */
import { AacPacketizer } from '../../shared/packetizer/aac.js';
import { H264Packetizer } from '../../shared/packetizer/h264.js';
import type { Packetizer } from '../../shared/packetizer/packetizer.js';
import { serializeGoodbye, serializeSenderReport, serializeSourceDescription } from '../../shared/rtcp-writer.js';
import type { AudioStream, MediaUnit, VideoStream } from './clip.js';

const RTP_HEADER_BYTES = 12;
const UINT32_VALUES = 2 ** 32;

/** One viewer's copy of a stream: its position in time, SSRC, sequence numbers, time stamps and counters. */
export class LiveTrack {
  readonly #stream: VideoStream | AudioStream;
  readonly #packetizer: Packetizer;
  /** Added to all time stamps: they begin anywhere (RFC 3550, section 5.1). */
  readonly #timestampOffset = random32();
  /** Number of the next unit since 1970. */
  #next = 0;
  #packetCount = 0;
  #octetCount = 0;

  constructor(stream: VideoStream | AudioStream, payloadType: number) {
    this.#stream = stream;
    const options = { payloadType, ssrc: random32(), sequenceNumber: random32() & 0xffff };
    this.#packetizer = stream.kind === 'video' ? new H264Packetizer(options) : new AacPacketizer(options);
  }

  get kind(): 'video' | 'audio' {
    return this.#stream.kind;
  }

  get ssrc(): number {
    return this.#packetizer.ssrc;
  }

  /** Of the next packet. */
  get sequenceNumber(): number {
    return this.#packetizer.sequenceNumber;
  }

  /** When the next unit is due, UTC in milliseconds. */
  get nextMs(): number {
    return this.#next * this.#stream.unitMs;
  }

  get nextIsKeyFrame(): boolean {
    return this.#unit(this.#next).isKeyFrame;
  }

  /** The RTP time that stands for this UTC time. */
  timestampAt(utcMs: number): number {
    return (Math.round((utcMs * this.#stream.clockRate) / 1000) + this.#timestampOffset) % UINT32_VALUES;
  }

  /** When the last key frame up to this time began, UTC in milliseconds. */
  keyFrameMs(utcMs: number): number {
    let index = Math.floor(utcMs / this.#stream.unitMs);
    while (!this.#unit(index).isKeyFrame) index--;
    return index * this.#stream.unitMs;
  }

  /** Goes to the first unit that begins at this time or after it. */
  seek(utcMs: number): void {
    this.#next = Math.ceil(utcMs / this.#stream.unitMs);
  }

  /** Leaves the next unit out. */
  skip(): void {
    this.#next++;
  }

  /** The packets of the next unit. */
  take(): Uint8Array[] {
    const { pieces } = this.#unit(this.#next);
    const packets = this.#packetizer.packetize(pieces, this.timestampAt(this.nextMs));
    this.#next++;
    this.#packetCount += packets.length;
    for (const packet of packets) this.#octetCount += packet.length - RTP_HEADER_BYTES;
    return packets;
  }

  /** A compound packet that tells the RTP time of this UTC time. */
  senderReport(utcMs: number): Uint8Array {
    const report = serializeSenderReport({
      ssrc: this.ssrc,
      ntpTime: utcMs,
      rtpTimestamp: this.timestampAt(utcMs),
      packetCount: this.#packetCount % UINT32_VALUES,
      octetCount: this.#octetCount % UINT32_VALUES,
    });
    const description = serializeSourceDescription({ chunks: [{ ssrc: this.ssrc, cname: 'demo-camera' }] });
    return Buffer.concat([report, description]);
  }

  /** A compound packet that ends the stream. */
  goodbye(utcMs: number): Uint8Array {
    return Buffer.concat([this.senderReport(utcMs), serializeGoodbye({ ssrcs: [this.ssrc] })]);
  }

  #unit(index: number): MediaUnit {
    const { units } = this.#stream;
    // The clip has a unit at every index of a minute, and none is before 1970.
    return units[index % units.length] as MediaUnit;
  }
}

function random32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}
