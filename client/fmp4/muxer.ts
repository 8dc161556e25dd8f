import { StreamError } from '../../shared/errors.js';
import { MAX_ACCESS_UNIT_BYTES } from '../../shared/limits.js';
import type { AccessUnit } from '../codec/access-unit.js';
import { parameterSetsOf } from '../codec/h264.js';
import { hevcParameterSetsOf } from '../codec/hevc-configuration.js';
import type { TrackConfig } from '../codec/track-config.js';
import { uint32 } from './box.js';
import { type FragmentSample, writeFragment } from './fragment.js';
import { type InitTrack, writeInitSegment } from './init-segment.js';
import { sampleEntryOf } from './sample-entry.js';

/**
 * Access units of several tracks → a fragmented MP4 file, for recording without a page. Every sample but a track's last
 * has its true duration, for which it waits for the next one; a fragment holds up to a second of one track.
 *
 * A parameter set that changes in mid-file stays in the sample that it comes with. Strictly that is for the sample
 * entry `avc3`; but a file knows it only when `avc1` is written already, decoders take it, and `avc3` from the start
 * would lock players out for the sake of the few files in which anything changes.
 */

/** A track that the file is to have. */
export interface Mp4FileTrack {
  /** From 1; unique in the file. */
  readonly trackId: number;
  /** Ticks a second of the times of its access units. */
  readonly timescale: number;
}

export interface Mp4FileHandlers {
  /** The next bytes of the file: the initialization segment, then whole fragments. They are the handler's to keep. */
  onBytes(bytes: Uint8Array<ArrayBuffer>): void;
  /** A track cannot go on in this file (`codec-unsupported`); the others do. */
  onError(error: StreamError, trackIndex: number): void;
}

/** How long the file waits for a track that has not begun, in seconds of the others' media. */
const MAX_WAIT_SECONDS = 2;
/** The same, in bytes of the others' samples. */
const MAX_WAITING_BYTES = 4 * MAX_ACCESS_UNIT_BYTES;
const FRAGMENT_SECONDS = 1;
const MAX_FRAGMENT_BYTES = 4 * 1_048_576;
const MAX_DURATION = 0xffff_ffff;
/** Duration of a video's only sample where nothing tells its frame rate. */
const DEFAULT_FRAME_RATE = 25;

export class Mp4FileWriter {
  readonly #tracks: readonly Track[];
  readonly #handlers: Mp4FileHandlers;
  #isStarted = false;
  #isFinished = false;
  #fragments = 0;

  constructor(tracks: readonly Mp4FileTrack[], handlers: Mp4FileHandlers) {
    this.#tracks = tracks.map((track) => new Track(track));
    this.#handlers = handlers;
  }

  /**
   * Takes the next access unit of a track, in decode order.
   * @param trackIndex - place of the track in the list given to the constructor
   * @param fileTime - presentation time in the file, in ticks; by default the track's first access unit has 0
   */
  push(trackIndex: number, unit: AccessUnit, fileTime?: number): void {
    const track = this.#tracks[trackIndex];
    if (track === undefined) throw new StreamError('invalid-argument', `The file has no track of index ${trackIndex}.`);
    if (this.#isFinished || track.isClosed) return;
    if (unit.config !== null && track.config !== null && !continuesIn(track.config, unit.config)) {
      track.isClosed = true;
      const change = `${track.config.codec} to ${unit.config.codec}`;
      this.#handlers.onError(
        new StreamError('codec-unsupported', `The configuration of a track changed (${change}); a file has one.`),
        trackIndex,
      );
      return;
    }
    track.push(unit, fileTime);
    if (this.#isStarted) {
      if (track.isFragmentDue(unit.isKeyFrame)) this.#writeFragment(track);
    } else if (this.#tracks.every((other) => other.isReady) || this.#tracks.some((other) => other.hasWaitedEnough)) {
      this.#start();
    }
  }

  /** Writes what is held back. Nothing comes after it. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    for (const track of this.#tracks) track.finish();
    if (!this.#isStarted) this.#start();
    for (const track of this.#tracks) this.#writeFragment(track);
  }

  /** Declares the tracks that have begun; the others are not in the file, nor are those that MP4 has no place for. */
  #start(): void {
    const initTracks: InitTrack[] = [];
    for (const [index, track] of this.#tracks.entries()) {
      const { trackId, timescale, config } = track;
      if (config === null) {
        track.isClosed = true;
        continue;
      }
      try {
        initTracks.push({ trackId, timescale, config, sampleEntry: sampleEntryOf(config) });
      } catch (thrown) {
        track.abandon();
        const sentence = `A track of ${config.codec} cannot be put into the file.`;
        this.#handlers.onError(StreamError.from(thrown, 'codec-unsupported', sentence), index);
      }
    }
    if (initTracks.length === 0) return;
    this.#isStarted = true;
    this.#handlers.onBytes(writeInitSegment(initTracks));
  }

  #writeFragment(track: Track): void {
    const samples = track.takeSamples();
    if (samples.length === 0) return;
    this.#fragments++;
    this.#handlers.onBytes(writeFragment(this.#fragments, track.trackId, samples));
  }
}

/** Samples of one track on their way into the file. */
class Track {
  readonly trackId: number;
  readonly timescale: number;
  config: TrackConfig | null = null;
  /** It is not, or no longer, written. */
  isClosed = false;
  /** Samples with their durations, not yet written. */
  #samples: FragmentSample[] = [];
  #bytes = 0;
  /** The newest sample, whose duration the next one tells. */
  #newest: { unit: AccessUnit; decodeTime: number; presentationTime: number } | null = null;
  #origin: number | null = null;
  #lastDuration: number | null = null;

  constructor({ trackId, timescale }: Mp4FileTrack) {
    this.trackId = trackId;
    this.timescale = timescale;
  }

  get isReady(): boolean {
    return this.config !== null || this.isClosed;
  }

  get hasWaitedEnough(): boolean {
    return this.#span >= MAX_WAIT_SECONDS * this.timescale || this.#bytes >= MAX_WAITING_BYTES;
  }

  /** Ticks that the waiting samples last. */
  get #span(): number {
    const [oldest] = this.#samples;
    return oldest === undefined || this.#newest === null ? 0 : this.#newest.decodeTime - oldest.decodeTime;
  }

  push(unit: AccessUnit, fileTime: number | undefined): void {
    let pushed = unit;
    if (unit.config !== null) {
      if (this.config === null) this.config = unit.config;
      else pushed = withParameterSets(unit, unit.config);
    }
    if (this.config === null) return;
    this.#origin ??= unit.presentationTime;
    const presentationTime = Math.max(0, Math.round(fileTime ?? unit.presentationTime - this.#origin));
    let decodeTime = Math.max(0, presentationTime - Math.round(unit.presentationTime - unit.decodeTime));
    if (this.#newest !== null) {
      // Decode times must grow, and a step must fit its field, whatever the camera's stamps do.
      decodeTime = Math.max(decodeTime, this.#newest.decodeTime + 1);
      decodeTime = Math.min(decodeTime, this.#newest.decodeTime + MAX_DURATION);
      this.#close(decodeTime - this.#newest.decodeTime);
    }
    this.#newest = { unit: pushed, decodeTime, presentationTime };
  }

  /** Forgets what waits, and is closed. */
  abandon(): void {
    this.isClosed = true;
    this.config = null;
    this.#newest = null;
    this.takeSamples();
  }

  finish(): void {
    if (this.#newest === null) return;
    this.#close(this.#lastDuration ?? this.#nominalDuration());
    this.#newest = null;
  }

  #close(duration: number): void {
    if (this.#newest === null) return;
    this.#lastDuration = duration;
    this.#samples.push({ ...this.#newest, duration });
    this.#bytes += this.#newest.unit.byteLength;
  }

  #nominalDuration(): number {
    if (this.config === null) return 1;
    const seconds =
      this.config.kind === 'audio'
        ? this.config.samplesPerUnit / this.config.sampleRate
        : 1 / (this.config.frameRate ?? DEFAULT_FRAME_RATE);
    return Math.max(1, Math.min(Math.round(seconds * this.timescale), MAX_DURATION));
  }

  /** Whether what waits should be written now that a further access unit has come. */
  isFragmentDue(isKeyFrame: boolean): boolean {
    if (this.#samples.length === 0) return false;
    if (isKeyFrame && this.config?.kind === 'video') return true;
    return this.#span >= FRAGMENT_SECONDS * this.timescale || this.#bytes >= MAX_FRAGMENT_BYTES;
  }

  takeSamples(): readonly FragmentSample[] {
    const samples = this.#samples;
    this.#samples = [];
    this.#bytes = 0;
    return samples;
  }
}

/** Sample entries whose key frames say everything that a decoder has to know. */
const selfDescribing: ReadonlySet<string> = new Set(['av01', 'vp08', 'vp09']);

/** Whether samples of the new configuration can follow those of the old one under the same sample entry. */
function continuesIn(old: TrackConfig, next: TrackConfig): boolean {
  if (old.sampleEntry !== next.sampleEntry) return false;
  if (next.kind === 'video') return inBandSets(next) !== null;
  return (
    old.description.length === next.description.length && old.description.every((v, i) => v === next.description[i])
  );
}

/** The parameter sets that a sample needs in front of it where its configuration is not the file's; null: it cannot be. */
function inBandSets({ sampleEntry, description }: TrackConfig): readonly Uint8Array[] | null {
  if (sampleEntry === 'avc1') return parameterSetsOf(description);
  if (sampleEntry === 'hvc1') return hevcParameterSetsOf(description);
  return selfDescribing.has(sampleEntry) ? [] : null;
}

/** The access unit with the parameter sets of its configuration in front. */
function withParameterSets(unit: AccessUnit, config: TrackConfig): AccessUnit {
  if (config.kind === 'audio') return unit;
  const pieces: Uint8Array[] = [];
  let byteLength = unit.byteLength;
  for (const set of inBandSets(config) ?? []) {
    pieces.push(uint32(set.length), set);
    byteLength += 4 + set.length;
  }
  return { ...unit, pieces: [...pieces, ...unit.pieces], byteLength };
}
