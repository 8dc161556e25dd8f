import { MAX_ACCESS_UNIT_BYTES, MAX_ACCESS_UNIT_PACKETS } from '../../shared/limits.js';
import type { RtpPacket } from '../../shared/rtp-packet.js';
import type { MediaFormat } from '../../shared/session-description.js';
import { END_OF_IMAGE, QUANTISATION_TABLE_BYTES, quantisationTables, writeJpegHeader } from '../codec/jpeg.js';
import type { VideoTrackConfig } from '../codec/track-config.js';
import type { AccessUnitHandler, Depacketizer, DepacketizerStats } from './depacketizer.js';
import { IndependentUnits } from './independent-units.js';

/**
 * RTP packets of JPEG (RFC 2435) → whole JPEG pictures, each of which can be decoded by itself. Pictures beyond 2,040 pixels
 * have their size in a header extension (ONVIF Streaming Specification, 5.1.3.2), or, from GStreamer, in the session description.
 */

const MAIN_HEADER_BYTES = 8;
const RESTART_HEADER_BYTES = 4;
const TABLE_HEADER_BYTES = 4;
/** Types with restart markers, and what they have in common with those without. */
const FIRST_RESTART_TYPE = 64;
const LAST_TYPE = 127;
/** Q from here on: the tables are in the packets; at 255 they may change with every picture. */
const FIRST_OWN_TABLES = 128;
/** The profile of ONVIF's extension, and the marker of a frame header in it. */
const JPEG_EXTENSION = 0xffd8;
const START_OF_FRAME = 0xc0;

/** Luminance sampling by type: 4:2:2 and 4:2:0 (RFC 2435, 4.1). */
const samplings: readonly number[] = [0x21, 0x22];

const ending = Uint8Array.of(0xff, END_OF_IMAGE);

interface Size {
  readonly width: number;
  readonly height: number;
}

interface Picture extends Size {
  readonly time: number;
  readonly header: Uint8Array;
  readonly pieces: Uint8Array[];
  byteLength: number;
}

export class JpegDepacketizer implements Depacketizer {
  readonly stats: DepacketizerStats;
  readonly #units: IndependentUnits;
  /** Where the packets have no size; zeros where it is not said. */
  readonly #described: Size;
  /** By Q; those of 255 are not kept. */
  readonly #tables = new Map<number, Uint8Array>();
  #picture: Picture | null = null;
  /** The rest of a picture of which something is missing. */
  #skippedTime: number | null = null;
  #config: VideoTrackConfig | null = null;

  constructor(format: MediaFormat, onAccessUnit: AccessUnitHandler) {
    const [width = 0, height = 0] = (format.parameters.get('x-dimensions') ?? '').split(',').map(Number);
    this.#described = { width, height };
    this.#units = new IndependentUnits(onAccessUnit);
    this.stats = this.#units.stats;
  }

  push({ payload, marker, extension }: RtpPacket, time: number, packetsLost: number): void {
    if (packetsLost > 0 || (this.#picture !== null && this.#picture.time !== time)) this.#giveUp();
    if (payload.length === 0) return;
    if (payload.length < MAIN_HEADER_BYTES) {
      this.#malformed(time);
      return;
    }
    const [, offset0 = 0, offset1 = 0, offset2 = 0, type = 0, q = 0, width8 = 0, height8 = 0] = payload;
    const offset = (offset0 << 16) | (offset1 << 8) | offset2;
    const hasRestarts = type >= FIRST_RESTART_TYPE && type <= LAST_TYPE;
    const sampling = samplings[hasRestarts ? type - FIRST_RESTART_TYPE : type];
    let position = MAIN_HEADER_BYTES;
    let restartInterval = 0;
    if (hasRestarts) {
      restartInterval = ((payload[position] ?? 0) << 8) | (payload[position + 1] ?? 0);
      position += RESTART_HEADER_BYTES;
    }
    if (offset === 0) {
      this.#giveUp();
      const tables = this.#readTables(payload, position, q);
      const isTold = width8 > 0 && height8 > 0;
      const size = sizeOf(extension) ?? (isTold ? { width: 8 * width8, height: 8 * height8 } : this.#described);
      if (sampling === undefined || tables === null || !isPossible(size)) {
        this.#malformed(time);
        return;
      }
      position = tables.end;
      const header = writeJpegHeader({ ...size, sampling, quantisation: tables.tables, restartInterval });
      this.#picture = { time, header, ...size, pieces: [], byteLength: 0 };
      this.#skippedTime = null;
    }
    this.#append(payload.subarray(position), offset, time);
    if (marker) this.#finish(time);
  }

  reset(): void {
    this.#picture = null;
    this.#skippedTime = null;
  }

  #append(data: Uint8Array, offset: number, time: number): void {
    const picture = this.#picture;
    if (picture === null) {
      // Its start was lost.
      if (this.#skippedTime !== time) this.stats.droppedAccessUnits++;
      this.#skippedTime = time;
      return;
    }
    const isInPlace = offset === picture.byteLength;
    const isWithinBounds =
      picture.byteLength + data.length <= MAX_ACCESS_UNIT_BYTES && picture.pieces.length < MAX_ACCESS_UNIT_PACKETS;
    if (!isInPlace || !isWithinBounds) {
      this.#malformed(time);
      return;
    }
    picture.pieces.push(data);
    picture.byteLength += data.length;
  }

  #finish(time: number): void {
    const picture = this.#picture;
    this.#picture = null;
    if (picture === null || picture.byteLength === 0) return;
    const { header, pieces, width, height } = picture;
    if (this.#config?.width !== width || this.#config.height !== height) this.#config = jpegConfig(width, height);
    const parts = endsItself(pieces) ? [header, ...pieces] : [header, ...pieces, ending];
    const byteLength = parts.reduce((sum, part) => sum + part.length, 0);
    this.#units.emit(parts, byteLength, time, this.#config);
  }

  /** @returns null where they are missing, or cut short */
  #readTables(payload: Uint8Array, start: number, q: number): { tables: Uint8Array; end: number } | null {
    if (q < FIRST_OWN_TABLES) {
      if (q === 0 || q > 99) return null;
      const tables = this.#tables.get(q) ?? quantisationTables(q);
      this.#tables.set(q, tables);
      return { tables, end: start };
    }
    if (start + TABLE_HEADER_BYTES > payload.length) return null;
    const precision = payload[start + 1] ?? 0;
    const length = ((payload[start + 2] ?? 0) << 8) | (payload[start + 3] ?? 0);
    const end = start + TABLE_HEADER_BYTES + length;
    if (end > payload.length || (precision & 3) !== 0) return null;
    if (length === 0) {
      const known = this.#tables.get(q);
      return known === undefined ? null : { tables: known, end };
    }
    if (length !== QUANTISATION_TABLE_BYTES && length < 2 * QUANTISATION_TABLE_BYTES) return null;
    const tables = payload.slice(start + TABLE_HEADER_BYTES, end);
    if (q !== 255) this.#tables.set(q, tables);
    return { tables, end };
  }

  #malformed(time: number): void {
    this.stats.malformedPackets++;
    this.#giveUp();
    this.#skippedTime = time;
  }

  #giveUp(): void {
    if (this.#picture === null) return;
    this.#skippedTime = this.#picture.time;
    this.#picture = null;
    this.stats.droppedAccessUnits++;
  }
}

/** What a sink of pictures has to know; no container takes it. */
function jpegConfig(width: number, height: number): VideoTrackConfig {
  return {
    kind: 'video',
    codec: 'jpeg',
    sampleEntry: 'jpeg',
    description: new Uint8Array(0),
    width,
    height,
    pixelAspect: [1, 1],
    frameRate: null,
    reorderDepth: 0,
  };
}

/** Width and height of the frame header in ONVIF's extension: segments as in a JPEG file, the last followed by padding. */
function sizeOf(extension: RtpPacket['extension']): Size | null {
  if (extension?.profile !== JPEG_EXTENSION) return null;
  const { data } = extension;
  for (let position = 0; position + 4 <= data.length; ) {
    if (data[position] !== 0xff) return null;
    const marker = data[position + 1] ?? 0;
    // Padding bytes, and the start of the image, have no length.
    if (marker === 0xff || marker === JPEG_EXTENSION >> 8 || marker === (JPEG_EXTENSION & 0xff)) {
      position += marker === 0xff ? 1 : 2;
      continue;
    }
    const length = ((data[position + 2] ?? 0) << 8) | (data[position + 3] ?? 0);
    if (marker === START_OF_FRAME && position + 9 <= data.length) {
      const height = ((data[position + 5] ?? 0) << 8) | (data[position + 6] ?? 0);
      const width = ((data[position + 7] ?? 0) << 8) | (data[position + 8] ?? 0);
      return { width, height };
    }
    if (length < 2) return null;
    position += 2 + length;
  }
  return null;
}

/** Whether a frame header has room for it (ITU-T T.81, B.2.2). */
function isPossible(size: Size): boolean {
  return [size.width, size.height].every((length) => Number.isInteger(length) && length > 0 && length <= 0xffff);
}

function endsItself(pieces: readonly Uint8Array[]): boolean {
  const last = pieces.at(-1);
  return last !== undefined && last.length >= 2 && last.at(-2) === 0xff && last.at(-1) === END_OF_IMAGE;
}
