import { BitReader } from './bit-reader.js';
import { BitWriter } from './bit-writer.js';
import type { AudioTrackConfig } from './track-config.js';

/** AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) and ADTS headers (1.A.3.2) → the configuration of an AAC track. */

/** Samples a second by samplingFrequencyIndex (Table 1.18). */
const samplingFrequencies: readonly number[] = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];
const EXPLICIT_FREQUENCY = 15;
/** Channels by channelConfiguration (Table 1.19); 0 means that the program config element says it. */
const channelCounts: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 2],
  [3, 3],
  [4, 4],
  [5, 5],
  [6, 6],
  [7, 8],
  [11, 7],
  [12, 8],
  [14, 8],
]);

/** Audio object types (Table 1.17). */
const AAC_LC = 2;
const SBR = 5;
const ER_AAC_LC = 17;
const ER_BSAC = 22;
const ER_AAC_LD = 23;
const PS = 29;
const ESCAPE = 31;
/** Those with a GASpecificConfig (Table 1.15). */
const generalAudio: ReadonlySet<number> = new Set([1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23]);
const SYNC_EXTENSION_SBR = 0x2b7;
const SYNC_EXTENSION_PS = 0x548;
/** The highest sampling rate that is believed. */
const MAX_SAMPLE_RATE = 192_000;

/**
 * Reads an AudioSpecificConfig.
 * @param bytes - may be padded at the end
 * @returns null when it is cut short, or not of an AAC type. With SBR signalled explicitly, rate and samples are those
 *   of the output, twice the core's as a rule; SBR that is not signalled cannot be seen here.
 */
export function parseAudioSpecificConfig(bytes: Uint8Array): AudioTrackConfig | null {
  const bits = new BitReader(bytes);
  const core = readCoreConfig(bits);
  if (core === null) return null;
  const { objectType, coreRate, channels } = core;
  let { extension, outputRate } = core;

  // SBR signalled backward compatibly, behind everything else (1.6.6.1)
  if (extension === 'none' && bits.remaining >= 16 && bits.unsigned(11) === SYNC_EXTENSION_SBR) {
    if (readObjectType(bits) === SBR && bits.flag()) {
      const rate = readSamplingFrequency(bits);
      if (!bits.overrun && isSampleRate(rate)) {
        extension = 'sbr';
        outputRate = rate;
        if (bits.remaining >= 12 && bits.unsigned(11) === SYNC_EXTENSION_PS && bits.flag()) extension = 'ps';
      }
    }
  }
  if (!isSampleRate(outputRate)) return null;

  const codecType = extension === 'ps' ? PS : extension === 'sbr' ? SBR : objectType;
  return {
    kind: 'audio',
    codec: `mp4a.40.${codecType}`,
    sampleEntry: 'mp4a',
    description: bytes,
    sampleRate: outputRate,
    channels: extension === 'ps' && channels === 1 ? 2 : channels,
    samplesPerUnit: Math.round((core.samples * outputRate) / coreRate),
  };
}

/**
 * Bits of the AudioSpecificConfig that some bytes begin with, not counting an extension signalled backward compatibly
 * behind it, which only a length given elsewhere can tell from other data.
 * @returns null where `parseAudioSpecificConfig` would return it
 */
export function audioSpecificConfigBits(bytes: Uint8Array): number | null {
  const bits = new BitReader(bytes);
  return readCoreConfig(bits) === null ? null : bits.position;
}

/** An AudioSpecificConfig up to where a backward compatible extension may follow. */
interface CoreConfig {
  readonly objectType: number;
  readonly coreRate: number;
  readonly outputRate: number;
  readonly channels: number;
  readonly extension: 'none' | 'sbr' | 'ps';
  /** Samples of an access unit at the core's rate. */
  readonly samples: number;
}

function readCoreConfig(bits: BitReader): CoreConfig | null {
  let objectType = readObjectType(bits);
  const coreRate = readSamplingFrequency(bits);
  let outputRate = coreRate;
  const channelConfiguration = bits.unsigned(4);
  let extension: CoreConfig['extension'] = 'none';
  if (objectType === SBR || objectType === PS) {
    extension = objectType === PS ? 'ps' : 'sbr';
    outputRate = readSamplingFrequency(bits);
    objectType = readObjectType(bits);
    if (objectType === ER_BSAC) bits.skip(4); // extensionChannelConfiguration
  }
  if (!generalAudio.has(objectType)) return null;

  // GASpecificConfig (4.4.1)
  const isShortFrame = bits.flag(); // frameLengthFlag
  if (bits.flag()) bits.skip(14); // dependsOnCoreCoder: coreCoderDelay
  const hasExtension = bits.flag();
  let channels = channelCounts.get(channelConfiguration) ?? null;
  if (channelConfiguration === 0) channels = readProgramConfig(bits);
  if (objectType === 6 || objectType === 20) bits.skip(3); // layerNr
  if (hasExtension) {
    if (objectType === ER_BSAC) bits.skip(16); // numOfSubFrame, layer_length
    if ([ER_AAC_LC, 19, 20, ER_AAC_LD].includes(objectType)) bits.skip(3); // resilience flags
    bits.skip(1); // extensionFlag3
  }
  if (objectType >= ER_AAC_LC) bits.skip(2); // epConfig
  if (bits.overrun || channels === null || !isSampleRate(coreRate)) return null;
  const samples = (isShortFrame ? 960 : 1024) / (objectType === ER_AAC_LD ? 2 : 1);
  return { objectType, coreRate, outputRate, channels, extension, samples };
}

function readObjectType(bits: BitReader): number {
  const type = bits.unsigned(5);
  return type === ESCAPE ? 32 + bits.unsigned(6) : type;
}

function readSamplingFrequency(bits: BitReader): number {
  const index = bits.unsigned(4);
  return index === EXPLICIT_FREQUENCY ? bits.unsigned(24) : (samplingFrequencies[index] ?? 0);
}

function isSampleRate(rate: number): boolean {
  return rate > 0 && rate <= MAX_SAMPLE_RATE;
}

/** Channels of a program_config_element (4.5.1.2), which is read to its end. */
function readProgramConfig(bits: BitReader): number | null {
  bits.skip(4 + 2 + 4); // element_instance_tag, object_type, sampling_frequency_index
  const front = bits.unsigned(4);
  const side = bits.unsigned(4);
  const back = bits.unsigned(4);
  const lowFrequency = bits.unsigned(2);
  const associatedData = bits.unsigned(3);
  const coupling = bits.unsigned(4);
  if (bits.flag()) bits.skip(4); // mono_mixdown_element_number
  if (bits.flag()) bits.skip(4); // stereo_mixdown_element_number
  if (bits.flag()) bits.skip(3); // matrix_mixdown_idx, pseudo_surround_enable
  let channels = lowFrequency;
  for (let element = 0; element < front + side + back; element++) {
    channels += bits.flag() ? 2 : 1; // is_cpe
    bits.skip(4); // tag_select
  }
  bits.skip(4 * lowFrequency + 4 * associatedData + 5 * coupling);
  bits.skip(-bits.position & 7); // byte_alignment, counted from the start of the AudioSpecificConfig
  const commentBytes = bits.unsigned(8);
  bits.skip(8 * commentBytes);
  return channels > 0 ? channels : null;
}

/**
 * Makes the configuration of plain AAC-LC, for streams that come without one.
 * @param sampleRate - samples a second
 * @param channels - 1 to 8
 */
export function aacLcConfig(sampleRate: number, channels: number): AudioTrackConfig | null {
  let channelConfiguration: number | null = null;
  for (const [configuration, count] of channelCounts) {
    if (count === channels && configuration <= 7) channelConfiguration = configuration;
  }
  if (channelConfiguration === null || !isSampleRate(sampleRate)) return null;
  const index = samplingFrequencies.indexOf(sampleRate);
  const bits = new BitWriter(8);
  bits.write(AAC_LC, 5); // audioObjectType
  bits.write(index < 0 ? EXPLICIT_FREQUENCY : index, 4); // samplingFrequencyIndex
  if (index < 0) bits.write(sampleRate, 24); // samplingFrequency
  bits.write(channelConfiguration, 4); // channelConfiguration
  bits.write(0, 3); // frameLengthFlag, dependsOnCoreCoder, extensionFlag
  return parseAudioSpecificConfig(bits.bytes());
}

/** What an ADTS header says. */
export interface AdtsHeader {
  /** Bytes of the header, 7 or 9 with its checksum. */
  readonly headerBytes: number;
  /** Bytes of the frame, header included. */
  readonly frameBytes: number;
  readonly objectType: number;
  readonly sampleRate: number;
  /** channel_configuration: 0 means that the program config element in the data says it. */
  readonly channelConfiguration: number;
  /** Raw data blocks in the frame. */
  readonly blocks: number;
}

/** Reads an ADTS header, or returns null where there is none. The frame may be longer than the bytes given. */
export function parseAdtsHeader(bytes: Uint8Array): AdtsHeader | null {
  if (bytes.length < 7 || bytes[0] !== 0xff || ((bytes[1] ?? 0) & 0xf6) !== 0xf0) return null;
  const bits = new BitReader(bytes);
  bits.skip(15); // syncword, ID, layer
  const headerBytes = bits.flag() ? 7 : 9; // protection_absent
  const objectType = bits.unsigned(2) + 1; // profile_ObjectType
  const sampleRate = samplingFrequencies[bits.unsigned(4)]; // sampling_frequency_index
  bits.skip(1); // private_bit
  const channelConfiguration = bits.unsigned(3);
  bits.skip(4); // original_copy, home, copyright_identification_bit, copyright_identification_start
  const frameBytes = bits.unsigned(13); // aac_frame_length
  bits.skip(11); // adts_buffer_fullness
  const blocks = bits.unsigned(2) + 1; // number_of_raw_data_blocks_in_frame
  if (sampleRate === undefined || frameBytes <= headerBytes) return null;
  return { headerBytes, frameBytes, objectType, sampleRate, channelConfiguration, blocks };
}

/** The configuration that an ADTS header stands for, or null where it leaves the channels to the data. */
export function adtsConfig(header: AdtsHeader): AudioTrackConfig | null {
  const channels = channelCounts.get(header.channelConfiguration);
  return channels === undefined ? null : aacLcConfig(header.sampleRate, channels);
}
