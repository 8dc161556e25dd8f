import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { AccessUnit } from '../../../client/codec/access-unit.js';
import type { Depacketizer } from '../../../client/depacketizer/depacketizer.js';
import type { DepacketizerClass } from '../../../client/depacketizer/registry.js';
import { Mp4FileWriter } from '../../../client/fmp4/muxer.js';
import type { Packetizer, PacketizerOptions } from '../../../shared/packetizer/packetizer.js';
import { parseRtpPacket } from '../../../shared/rtp-packet.js';
import { videoFormat } from '../depacketizer/rtp-fixtures.js';

/** Elementary streams of video → packets → depacketizer → MP4 files. */

export interface VideoRecording {
  readonly path: string;
  readonly errors: readonly string[];
  readonly units: readonly AccessUnit[];
  readonly depacketizer: Depacketizer;
}

export interface VideoRecordingOptions {
  readonly Packetizer: new (options: PacketizerOptions) => Packetizer;
  readonly Depacketizer: DepacketizerClass;
  /** Asked for every packet. */
  readonly isLost?: () => boolean;
  readonly maxPayloadBytes?: number;
  /** Presentation times of the access units at 90 kHz; 25 a second in their order unless given. */
  readonly times?: readonly number[];
}

const FRAME_TICKS = 3_600;

/** @param accessUnits - what `Packetizer` takes, in decoding order */
export async function recordVideo(
  path: string,
  accessUnits: readonly (readonly Uint8Array[])[],
  options: VideoRecordingOptions,
): Promise<VideoRecording> {
  const chunks: Uint8Array[] = [];
  const errors: string[] = [];
  const units: AccessUnit[] = [];
  const writer = new Mp4FileWriter([{ trackId: 1, timescale: 90_000 }], {
    onBytes: (bytes) => chunks.push(bytes),
    onError: (error) => errors.push(error.code),
  });
  const depacketizer = new options.Depacketizer(videoFormat(), (unit) => {
    units.push(unit);
    writer.push(0, unit);
  });
  const { maxPayloadBytes = 900 } = options;
  const packetizer = new options.Packetizer({ ssrc: 1, payloadType: 96, sequenceNumber: 65_530, maxPayloadBytes });
  let lost = 0;
  for (const [index, accessUnit] of accessUnits.entries()) {
    const time = options.times?.[index] ?? index * FRAME_TICKS;
    for (const bytes of packetizer.packetize(accessUnit, time)) {
      const packet = parseRtpPacket(bytes);
      assert.ok(packet !== null);
      if (options.isLost?.() === true) {
        lost++;
        continue;
      }
      depacketizer.push(packet, time, lost);
      lost = 0;
    }
  }
  writer.finish();
  await writeFile(path, Buffer.concat(chunks));
  return { path, errors, units, depacketizer };
}

/** Says for every packet whether it is lost, by chance; the same ones every time. */
export function steadyLoss(share: number): () => boolean {
  let state = 12_345;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31 < share;
  };
}
